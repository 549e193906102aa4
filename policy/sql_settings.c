/* SET and its many forms.
 *
 * Three settings decide how the server reads the bytes of a statement: if it reads them in another way than
 * our parser did, a DELETE hides in what we took for a string (docs/sql-effects.md). A change of these is an
 * effect `unknown`, unless it is to the value under which both read the same. RESET ALL and DISCARD ALL go
 * back to what the connection was opened with, which is the gate's choice and safe; a RESET of one of the
 * three by name nobody needs. */
#include <strings.h>

#include "policy/sql_walk.h"

enum { SETTING_NAME_MAX = 128, ENCODING_NAME_MAX = 32 };

static bool one_of(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(words[i], word) == 0)
            return true;
    return false;
}

#define ONE_OF(word, ...)                                                                                    \
    one_of((const char *const[]){ __VA_ARGS__ },                                                             \
           sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), word)

/* Letters and digits count, as the server has it: utf8, UTF-8, Unicode. */
static bool is_utf8(const char *encoding)
{
    char plain[ENCODING_NAME_MAX];
    size_t n = 0;
    for (; *encoding && n < sizeof plain - 1; encoding++)
        if (strchr("-_ ", *encoding) == NULL)
            plain[n++] = *encoding;
    plain[n] = '\0';
    return !*encoding && ONE_OF(plain, "utf8", "unicode");
}

static bool changes_reading(const char *name)
{
    return ONE_OF(name, "standard_conforming_strings", "client_encoding", "backslash_quote");
}

static bool is_safe(const char *name, const char *value)
{
    if (!value)
        return false;
    if (strcasecmp(name, "client_encoding") == 0)
        return is_utf8(value);
    if (strcasecmp(name, "backslash_quote") == 0)
        return strcasecmp(value, "safe_encoding") == 0;
    return ONE_OF(value, "on", "true", "yes", "1");
}

void sql_change_setting(struct walk *walk, enum effect_kind kind, const char *name, const char *value)
{
    char lower[SETTING_NAME_MAX];
    size_t n = 0;
    for (; name[n] && n < sizeof lower - 1; n++)
        lower[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] - 'A' + 'a' : name[n]);
    lower[n] = '\0';
    if (ONE_OF(lower, "role", "session_authorization"))
        sql_emit(walk, EFFECT_ROLE, OBJECT_SETTING, lower);
    else
        sql_emit(walk, kind, OBJECT_SETTING, lower);
    if (changes_reading(lower) && !is_safe(lower, value))
        sql_emit_unknown(walk, "it changes how the server reads the bytes of later statements");
}

const char *sql_constant_text(const Node *node)
{
    if (node && IsA(node, TypeCast)) {
        const TypeCast *cast = (const TypeCast *)node;
        if (strcmp(strVal(llast(cast->typeName->names)), "text") != 0)
            return NULL;
        node = cast->arg;
    }
    if (!node || !IsA(node, A_Const))
        return NULL;
    const A_Const *constant = (const A_Const *)node;
    if (constant->isnull)
        return NULL;
    if (IsA(&constant->val, String))
        return constant->val.sval.sval;
    if (IsA(&constant->val, Integer) && constant->val.ival.ival == 1)
        return "1";
    return NULL;
}

/* SET TRANSACTION, SET SESSION CHARACTERISTICS: their names are words, not settings. */
static void visit_multi(struct walk *walk, const VariableSetStmt *set, enum effect_kind kind)
{
    if (kind == EFFECT_SET && strncmp(set->name, "TRANSACTION", strlen("TRANSACTION")) == 0)
        kind = EFFECT_TRANSACTION;
    sql_note_modes(walk, set->args);
    sql_emit(walk, kind, OBJECT_SETTING, kind == EFFECT_TRANSACTION ? NULL : "transaction_characteristics");
}

void sql_visit_set(struct walk *walk, const VariableSetStmt *set, enum effect_kind kind)
{
    switch (set->kind) {
    case VAR_SET_MULTI:
        visit_multi(walk, set, kind);
        return;
    case VAR_RESET_ALL:
        sql_emit(walk, kind, OBJECT_SETTING, "all");
        return;
    case VAR_SET_VALUE:
        if (kind == EFFECT_SET && strcasecmp(set->name, "search_path") == 0)
            sql_note_path(walk, set->args);
        sql_change_setting(walk, kind, set->name,
                           list_length(set->args) == 1 ? sql_constant_text(linitial(set->args)) : NULL);
        return;
    case VAR_SET_DEFAULT: /* the path that the session began with may always be meant */
    case VAR_SET_CURRENT:
    case VAR_RESET:
        sql_change_setting(walk, kind, set->name, NULL);
        return;
    }
    sql_emit_unknown(walk, "a form of SET that is not known");
}
