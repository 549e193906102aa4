/* Kubernetes takes the values of Impersonate-User and -Group as they stand: it decodes nothing, so nothing
 * can be encoded, and what would not arrive as it is must not be sent at all.
 *
 * Names that begin with "system:" are Kubernetes' own: system:masters may do everything, whatever RBAC says.
 * They come from the configuration's own letters or not at all; an identity provider whose group has such a
 * name gives nobody a cluster. */
#include "vault/impersonate.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

static const char reserved[] = "system:";

struct expansion {
    const Ipc__Identity *identity;
    const char *each; /* what {role} or {group} stands for in this line; NULL: neither is in the template */
    char value[IMPERSONATE_VALUE_MAX + 1];
    size_t n;
};

static bool append(struct expansion *e, const char *text, size_t n)
{
    if (n > IMPERSONATE_VALUE_MAX - e->n)
        return false;
    memcpy(e->value + e->n, text, n);
    e->n += n;
    e->value[e->n] = '\0';
    return true;
}

static bool is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

/* What the word between braces stands for; NULL when it is none. Empty: the identity lacks it. */
static const char *meaning(const struct expansion *e, const char *word, size_t n)
{
    const Ipc__Claims *claims = e->identity->claims;

    if (is_word(word, n, "identity"))
        return e->identity->name;
    if (is_word(word, n, "username"))
        return claims ? claims->username : "";
    if (is_word(word, n, "subject"))
        return claims ? claims->subject : "";
    if (is_word(word, n, "role") || is_word(word, n, "group"))
        return e->each;
    return NULL;
}

static int expand(struct expansion *e, const char *template, struct detail *detail)
{
    e->n = 0;
    e->value[0] = '\0';
    while (*template) {
        size_t n = strcspn(template, "{"), word_n;
        const char *text;

        if (!append(e, template, n))
            return detail_fail(detail, -EACCES, "your identity is too long for the target's impersonation");
        template += n;
        if (!*template)
            return 0;
        word_n = strcspn(template + 1, "}");
        text = template[1 + word_n] ? meaning(e, template + 1, word_n) : NULL;
        if (!text)
            return detail_fail(detail, -EACCES,
                               "the target's impersonation has a word that means nothing: %.*s",
                               (int)(word_n > 64 ? 64 : word_n), template);
        if (!*text)
            return detail_fail(detail, -EACCES,
                               "your certificate says no %.*s, by which this target would know you",
                               (int)word_n, template + 1);
        if (!append(e, text, strlen(text)))
            return detail_fail(detail, -EACCES, "your identity is too long for the target's impersonation");
        template += word_n + 2;
    }
    return 0;
}

/* Blanks at the ends are not part of a header's value: another name would arrive. */
static int check(const struct expansion *e, const char *template, struct detail *detail)
{
    bool bad = e->n == 0 || !text_is_utf8(e->value, e->n) || e->value[0] == ' ' || e->value[e->n - 1] == ' ';

    for (size_t i = 0; i < e->n; i++)
        bad |= (uint8_t)e->value[i] < ' ' || e->value[i] == 0x7f;
    if (bad)
        return detail_fail(
            detail, -EACCES,
            "your identity can't be told to the target: it has control characters, or blanks at "
            "its ends, or is not UTF-8");
    if (strncmp(e->value, reserved, strlen(reserved)) == 0 &&
        strncmp(template, reserved, strlen(reserved)) != 0)
        return detail_fail(detail, -EACCES,
                           "your identity can't be told to the target: names that begin with \"%s\" are "
                           "Kubernetes' own",
                           reserved);
    return 0;
}

static int put(struct buffer *out, const char *field, struct expansion *e, const char *template,
               struct detail *detail)
{
    int r = expand(e, template, detail);

    if (!r)
        r = check(e, template, detail);
    return r ? r : buffer_printf(out, "%s: %s\r\n", field, e->value);
}

/* ---- groups ---- */

/* The list that a template stands for as a whole, or false. */
static bool list_of(const Ipc__Identity *identity, const char *template, char ***ret, size_t *ret_n)
{
    bool groups = strstr(template, "{group}") != NULL;

    if (!groups && !strstr(template, "{role}"))
        return false;
    if (groups) {
        *ret = identity->claims ? identity->claims->groups : NULL;
        *ret_n = identity->claims ? identity->claims->n_groups : 0;
    } else {
        *ret = identity->roles;
        *ret_n = identity->n_roles;
    }
    return true;
}

static int put_groups(struct buffer *out, struct expansion *e, const char *template, size_t *lines,
                      struct detail *detail)
{
    char **list = NULL;
    size_t n = 1;
    bool many = list_of(e->identity, template, &list, &n);
    int r = 0;

    if (*lines + n > IMPERSONATE_GROUPS_MAX)
        return detail_fail(detail, -EACCES, "you have more than %d groups for this target",
                           IMPERSONATE_GROUPS_MAX);
    *lines += n;
    for (size_t i = 0; !r && i < n; i++) {
        e->each = many ? list[i] : NULL;
        r = put(out, "Impersonate-Group", e, template, detail);
    }
    return r;
}

int impersonate_lines(const Ipc__Impersonate *templates, const Ipc__Identity *identity, struct buffer *out,
                      struct detail *detail)
{
    struct expansion e = { .identity = identity };
    const char *user = templates->user[0] ? templates->user : "{identity}";
    size_t lines = 0;
    int r = put(out, "Impersonate-User", &e, user, detail);

    for (size_t i = 0; !r && i < templates->n_groups; i++)
        r = put_groups(out, &e, templates->groups[i], &lines, detail);
    return r == -ENOBUFS ? detail_fail(detail, -EACCES, "you have too many groups for this target") : r;
}
