/* A function is judged by its body each time it is called, so that an approval for its definition is none for
 * what it does later. All definitions of a name count: which of them ran (`if x; then f() …`) nobody knows
 * here. Anything else that gives names another meaning (alias, hash, PATH, what is sourced) is unknown by
 * itself, that is, denied unless a rule allows that; where one does, every later line is unknown as well. */
#include "policy/shell_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "policy/shell_parts.h"

struct function {
    char *name, *body; /* body: NULL: not known */
};

struct shell_session {
    struct function functions[SHELL_FUNCTIONS_MAX];
    size_t n, size;
    bool changed;
    int error; /* while definitions are kept */
};

int shell_session_new(struct shell_session **ret)
{
    struct shell_session *session = calloc(1, sizeof *session);
    if (!session)
        return -ENOMEM;
    *ret = session;
    return 0;
}

void shell_session_free(struct shell_session *session)
{
    if (!session)
        return;
    for (size_t i = 0; i < session->n; i++) {
        free(session->functions[i].name);
        free(session->functions[i].body);
    }
    free(session);
}

/* ---- what a line leaves behind ---- */

void shell_define(struct shell *shell, const struct shell_word *name, const char *body, size_t n)
{
    /* What the shell itself runs between the lines (channels/ssh/guarded_script.c). */
    static const char *const needed[] = { "read",
                                          "printf",
                                          "stty",
                                          "eval",
                                          "exit",
                                          "return",
                                          "tty",
                                          "test",
                                          "set",
                                          "exec",
                                          "command",
                                          "builtin",
                                          "trap",
                                          "unset",
                                          "cd",
                                          "kill",
                                          "command_not_found_handle",
                                          NULL };
    if (!shell->left || shell->elsewhere > 0)
        return;
    if (shell_is_listed(needed, name->text) || strncmp(name->text, "_gh", 3) == 0)
        shell_unknown(shell, "a function by the name of %.80s, which the shell itself needs", name->text);
    else if (shell->left->defines)
        shell->left->defines(shell->left->owner, name->text, body, n);
}

static bool is_kept(const struct shell_session *session, const char *name, const char *body, size_t n)
{
    for (size_t i = 0; i < session->n; i++) {
        const struct function *f = &session->functions[i];
        bool same = body ? f->body && strlen(f->body) == n && memcmp(f->body, body, n) == 0 : !f->body;
        if (same && strcmp(f->name, name) == 0)
            return true;
    }
    return false;
}

static void keep(void *owner, const char *name, const char *body, size_t n)
{
    struct shell_session *session = owner;
    size_t size = strlen(name) + (body ? n : 0);
    if (is_kept(session, name, body, n))
        return;
    if (session->n == SHELL_FUNCTIONS_MAX || size > SHELL_FUNCTIONS_SIZE - session->size) {
        session->changed = true;
        return;
    }
    struct function *f = &session->functions[session->n];
    *f = (struct function){ .name = strdup(name), .body = body ? strndup(body, n) : NULL };
    if (!f->name || (body && !f->body)) {
        free(f->name);
        free(f->body);
        session->error = -ENOMEM;
        return;
    }
    session->size += size;
    session->n++;
}

int shell_session_ran(struct shell_session *session, const char *line, size_t n)
{
    struct effects effects = { 0 };
    struct shell_marks_left left = { .defines = keep, .owner = session };
    session->error = 0;
    int r = shell_effects_left(line, n, &left, &effects, NULL);
    for (size_t i = 0; i < effects.count; i++)
        left.changes |= effects.items[i].kind == EFFECT_UNPARSABLE;
    session->changed |= left.changes;
    effects_free(&effects);
    return r ? r : session->error;
}

/* ---- what a line does ---- */

static bool calls(const struct effect *effect, const char *name)
{
    size_t n = strlen(name);
    return effect->kind == EFFECT_RUN && effect->exact && strncmp(effect->exact, name, n) == 0 &&
           effect->exact[n] == EFFECT_WORD_END;
}

static int add_body(const struct function *f, struct effects *ret)
{
    if (f->body)
        return shell_effects(f->body, strlen(f->body), ret);
    return effects_add_opaque(ret, EFFECT_UNKNOWN,
                              "what the function does, a part of which is a here-document");
}

/* Bodies call functions in their turn: the list grows while it is gone through. */
static int add_functions(const struct shell_session *session, struct effects *ret)
{
    bool added[SHELL_FUNCTIONS_MAX] = { false };
    for (size_t i = 0; i < ret->count; i++) {
        for (size_t k = 0; k < session->n; k++) {
            if (added[k] || !calls(&ret->items[i], session->functions[k].name))
                continue;
            added[k] = true;
            int r = add_body(&session->functions[k], ret);
            if (r)
                return r;
        }
    }
    return 0;
}

int shell_session_effects(struct shell_session *session, const char *line, size_t n, struct effects *ret)
{
    struct shell_marks_left left = { .defines = NULL };
    int r = shell_effects_left(line, n, &left, ret, NULL);
    if (r == 0)
        r = add_functions(session, ret);
    if (r == 0 && session->changed && ret->count > 0)
        r = effects_add_opaque(ret, EFFECT_UNKNOWN,
                               "what the names mean: an earlier line may have changed it");
    if (r == -ENOBUFS) {
        effects_free(ret);
        r = effects_add_opaque(ret, EFFECT_UNPARSABLE, "it does too many things");
    }
    return r;
}

/* ---- lines that go on ---- */

int shell_is_unfinished(const char *line, size_t n)
{
    static const char *const open[] = { "a quote has no end",
                                        "a here-document has no end",
                                        "something is missing that ends a part of it",
                                        "a backslash before a line end",
                                        "a command is missing",
                                        "a part of it is empty",
                                        "a quote that ends in an unusual way",
                                        "a function with an unusual body",
                                        "a pattern is missing",
                                        "case of nothing",
                                        "a loop over something unusual",
                                        "unusual arithmetic",
                                        "something unusual in ${ }",
                                        NULL };
    struct effects effects = { 0 };
    const char *why = NULL;
    int r = shell_effects_left(line, n, NULL, &effects, &why);
    effects_free(&effects);
    return r ? r : why && shell_is_listed(open, why);
}
