/* See sql_paint.h. A look at words, not a parser: what it gets wrong has the wrong colour, no more. */
#include "channels/screen/sql_paint.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *const words[] = {
    "add",      "all",        "alter",      "analyze",   "and",    "as",    "asc",      "begin",
    "between",  "by",         "call",       "cascade",   "case",   "cast",  "check",    "column",
    "commit",   "conflict",   "constraint", "copy",      "create", "cross", "database", "default",
    "delete",   "desc",       "distinct",   "do",        "drop",   "else",  "end",      "except",
    "exists",   "explain",    "false",      "foreign",   "from",   "full",  "function", "grant",
    "group",    "having",     "if",         "in",        "index",  "inner", "insert",   "intersect",
    "into",     "is",         "join",       "key",       "left",   "like",  "limit",    "lock",
    "merge",    "not",        "null",       "offset",    "on",     "or",    "order",    "outer",
    "primary",  "references", "restrict",   "returning", "revoke", "right", "rollback", "role",
    "schema",   "select",     "set",        "table",     "then",   "to",    "trigger",  "true",
    "truncate", "union",      "unique",     "update",    "user",   "using", "values",   "view",
    "when",     "where",      "with",
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static size_t word_end(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n && is_word(text[at]))
        at++;
    return at;
}

static bool is_keyword(const char *text, size_t n)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && strncasecmp(text, words[i], n) == 0)
            return true;
    return false;
}

/* Up to and with the mark, or all there is. */
static size_t up_to(const char *text, size_t n, size_t from, const char *mark)
{
    size_t length = strlen(mark);
    for (size_t at = from; at + length <= n; at++)
        if (memcmp(text + at, mark, length) == 0)
            return at + length;
    return n;
}

size_t sql_style(const char *text, size_t n, enum style *ret)
{
    bool two = n > 1;
    *ret = STYLE_PLAIN;
    if (two && memcmp(text, "--", 2) == 0) {
        *ret = STYLE_DIM;
        return up_to(text, n, 2, "\n");
    }
    if (two && memcmp(text, "/*", 2) == 0) {
        *ret = STYLE_DIM;
        return up_to(text, n, 2, "*/");
    }
    if (text[0] == '\'') {
        *ret = STYLE_LITERAL;
        return up_to(text, n, 1, "'");
    }
    if (text[0] == '"')
        return up_to(text, n, 1, "\"");
    if (!is_word(text[0]))
        return 1;
    size_t end = word_end(text, n);
    if (text[0] >= '0' && text[0] <= '9')
        *ret = STYLE_LITERAL;
    else if (text[0] == '$')
        *ret = STYLE_LITERAL;
    else if (is_keyword(text, end))
        *ret = STYLE_KEYWORD;
    return end;
}
