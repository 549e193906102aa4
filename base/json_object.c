/* See json_object.h. Decoded in place into one copy of the text: no value is longer than its source. */
#include "base/json_object.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* `in` ends with a NUL, at which everything stops. */
struct parse {
    const char *in;
    char *out;
    struct detail *detail;
};

static int fail(struct parse *p, const char *why)
{
    return detail_fail(p->detail, -EBADMSG, "%s", why);
}

static void skip_blanks(struct parse *p)
{
    while (*p->in && strchr(" \t\r\n", *p->in))
        p->in++;
}

static bool take(struct parse *p, char c)
{
    skip_blanks(p);
    if (*p->in != c)
        return false;
    p->in++;
    return true;
}

/* ---- texts ---- */

static bool hex4(struct parse *p, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++, p->in++) {
        char c = *p->in;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

static void put_utf8(struct parse *p, uint32_t c)
{
    if (c < 0x80) {
        *p->out++ = (char)c;
        return;
    }
    static const uint8_t first[] = { 0, 0xc0, 0xe0, 0xf0 };
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *p->out++ = (char)(first[more] | c >> 6 * more);
    while (more-- > 0)
        *p->out++ = (char)(0x80 | (c >> 6 * more & 0x3f));
}

/* Behind "\u"; surrogates come in pairs (RFC 8259 §7). */
static int read_unicode(struct parse *p)
{
    uint32_t c, low;
    if (!hex4(p, &c))
        return fail(p, "\\u without four hexadecimal digits");
    if (c >= 0xd800 && c < 0xdc00) {
        if (p->in[0] != '\\' || p->in[1] != 'u' || (p->in += 2, !hex4(p, &low)) || low < 0xdc00 ||
            low > 0xdfff)
            return fail(p, "half a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return fail(p, "half a surrogate pair");
    }
    if (c == 0)
        return fail(p, "a NUL in a text");
    put_utf8(p, c);
    return 0;
}

static int read_escape(struct parse *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *p->in++;
    if (c == 'u')
        return read_unicode(p);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) {
        p->in--;
        return fail(p, "an escape that JSON does not have");
    }
    *p->out++ = to[found - from];
    return 0;
}

/* Behind the opening quote. */
static int read_text(struct parse *p, const char **ret)
{
    const char *start = p->out;
    while (*p->in != '"') {
        if ((unsigned char)*p->in < 0x20)
            return fail(p, *p->in ? "a control character in a text" : "a text without its end");
        if (*p->in != '\\') {
            *p->out++ = *p->in++;
            continue;
        }
        p->in++;
        int r = read_escape(p);
        if (r)
            return r;
    }
    p->in++;
    *p->out++ = 0;
    *ret = start;
    return 0;
}

/* ---- other values ---- */

static const char *skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The end of the number that begins here; NULL: there is none (RFC 8259 §6). */
static const char *number_end(const char *at)
{
    at += *at == '-';
    const char *digits = at;
    at = skip_digits(at);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (*at == '.') {
        digits = ++at;
        at = skip_digits(at);
        if (at == digits)
            return NULL;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        digits = at;
        at = skip_digits(at);
        if (at == digits)
            return NULL;
    }
    return at;
}

static void put_literal(struct parse *p, size_t n, const char **ret)
{
    *ret = p->out;
    memmove(p->out, p->in, n);
    p->out += n;
    *p->out++ = 0;
    p->in += n;
}

static int read_value(struct parse *p, struct json_member *member)
{
    static const char *const words[] = { "true", "false", "null" };
    skip_blanks(p);
    if (*p->in == '"') {
        p->in++;
        member->kind = JSON_TEXT;
        return read_text(p, &member->value);
    }
    if (*p->in == '{' || *p->in == '[')
        return fail(p, "a list or an object inside the object");
    const char *end = number_end(p->in);
    if (end) {
        member->kind = JSON_NUMBER;
        put_literal(p, (size_t)(end - p->in), &member->value);
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(p->in, words[i], strlen(words[i])) == 0) {
            member->kind = JSON_WORD;
            put_literal(p, strlen(words[i]), &member->value);
            return 0;
        }
    return fail(p, "a value that is none");
}

static int read_member(struct parse *p, struct json_object *object)
{
    if (object->n == JSON_MEMBERS_MAX)
        return fail(p, "too many members");
    struct json_member *member = &object->members[object->n];
    if (!take(p, '"'))
        return fail(p, "a name is missing");
    int r = read_text(p, &member->name);
    if (r)
        return r;
    if (json_object_find(object, member->name))
        return fail(p, "a name twice");
    if (!take(p, ':'))
        return fail(p, "a colon is missing");
    r = read_value(p, member);
    object->n += r == 0;
    return r;
}

static int read_object(struct parse *p, struct json_object *object)
{
    if (!take(p, '{'))
        return fail(p, "it is not an object");
    if (!take(p, '}')) {
        do {
            int r = read_member(p, object);
            if (r)
                return r;
        } while (take(p, ','));
        if (!take(p, '}'))
            return fail(p, "the object has no end");
    }
    skip_blanks(p);
    return *p->in ? fail(p, "something stands behind the object") : 0;
}

int json_object_read(const void *text, size_t n, struct json_object *ret, struct detail *detail)
{
    /* A number or a word gets a NUL that its source has no room for: twice the room is more than enough. */
    CLEANUP(free) char *copy = malloc(n + 1);
    CLEANUP(json_object_free) struct json_object object = { .storage = malloc(2 * n + 2) };
    if (!copy || !object.storage)
        return -ENOMEM;
    if (!text_is_utf8(text, n))
        return detail_fail(detail, -EBADMSG, "it is not UTF-8 text");
    if (n)
        memcpy(copy, text, n);
    copy[n] = 0;
    struct parse p = { .in = copy, .out = object.storage, .detail = detail };
    int r = read_object(&p, &object);
    if (r)
        return r;
    *ret = object;
    object = (struct json_object){ 0 };
    return 0;
}

void json_object_free(struct json_object *object)
{
    free(object->storage);
    *object = (struct json_object){ 0 };
}

const struct json_member *json_object_find(const struct json_object *object, const char *name)
{
    for (size_t i = 0; i < object->n; i++)
        if (strcmp(object->members[i].name, name) == 0)
            return &object->members[i];
    return NULL;
}
