/* Names of effects and of regclass constants, taken apart and put together. */
#include <ctype.h>
#include <string.h>

#include "policy/sql_resolve_parts.h"

enum { SERVER_NAME_MAX = 63 };

/* As the server cuts names that are too long, never inside of a letter; blanks are not part of plain ones. */
static void cut(char *name, size_t n, bool quoted)
{
    if (n > SERVER_NAME_MAX) {
        n = SERVER_NAME_MAX;
        while (n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80)
            n--;
    }
    while (!quoted && n > 0 && isspace((unsigned char)name[n - 1]))
        n--;
    name[n] = '\0';
}

/* One part, up to a dot; behind it. fold: as people write it. */
static const char *take_part(const char *at, char *out, bool fold)
{
    size_t n = 0;
    while (fold && isspace((unsigned char)*at))
        at++;
    bool quoted = *at == '"';
    for (at += quoted ? 1 : 0; *at; at++) {
        if (quoted && *at == '"' && *++at != '"')
            break;
        if (!quoted && *at == '.')
            break;
        if (n + 1 < EFFECT_NAME_MAX)
            out[n++] = (char)(fold && !quoted ? tolower((unsigned char)*at) : *at);
    }
    out[n] = '\0';
    if (fold)
        cut(out, n, quoted);
    while (fold && isspace((unsigned char)*at))
        at++;
    return at;
}

static void split(const char *text, bool fold, struct name_parts *ret)
{
    ret->qualified = false;
    text = take_part(text, ret->name, fold);
    while (*text == '.') {
        memcpy(ret->schema, ret->name, sizeof ret->schema);
        ret->qualified = true;
        text = take_part(text + 1, ret->name, fold);
    }
}

void name_split(const char *object, struct name_parts *ret)
{
    split(object, false, ret);
}

bool name_read(const char *text, struct name_parts *ret)
{
    while (isspace((unsigned char)*text))
        text++;
    if (!*text || isdigit((unsigned char)*text) || strlen(text) >= EFFECT_NAME_MAX)
        return false;
    split(text, true, ret);
    return *ret->name != '\0';
}

static bool put(char out[EFFECT_NAME_MAX], size_t *n, const char *part)
{
    bool quoted = strpbrk(part, ".\"") != NULL;
    if (*n + 2 * strlen(part) + 4 > EFFECT_NAME_MAX)
        return false;
    if (quoted)
        out[(*n)++] = '"';
    for (; *part; part++) {
        if (*part == '"')
            out[(*n)++] = '"';
        out[(*n)++] = *part;
    }
    if (quoted)
        out[(*n)++] = '"';
    out[*n] = '\0';
    return true;
}

bool name_join(char out[EFFECT_NAME_MAX], const char *schema, const char *name)
{
    size_t n = 0;
    if (schema) {
        if (!put(out, &n, schema))
            return false;
        out[n++] = '.';
    }
    return put(out, &n, name);
}
