/* The table is the parser's word; the condition is cut out of the text between WHERE and RETURNING, and the
 * whole is parsed again by whoever judges it. Where the text holds anything by which a keyword could be
 * hidden from a plain look at it, there is no query. */
#include "policy/sql_count.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/buffer.h"
#include "policy/sql_tree.h"

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Nothing but quotes that double themselves, and parameters. */
static bool is_plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\\' || (text[i] == '-' && text[i + 1] == '-') ||
            (text[i] == '/' && text[i + 1] == '*') ||
            (text[i] == '$' && !isdigit((unsigned char)text[i + 1])))
            return false;
    }
    return true;
}

struct place {
    size_t where, returning; /* behind the one, before the other; n when there is none */
    unsigned n_where;
    bool balanced;
};

static void note_word(struct place *place, const char *text, size_t at, size_t end)
{
    if (end - at == 5 && strncasecmp(text + at, "where", 5) == 0) {
        place->n_where++;
        place->where = end;
    } else if (end - at == 9 && strncasecmp(text + at, "returning", 9) == 0 && place->n_where) {
        place->returning = at;
    }
}

/* Words outside of quotes and parentheses. */
static struct place find_place(const char *text, size_t n)
{
    struct place place = { .where = n, .returning = n };
    size_t depth = 0;
    char quote = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (quote) {
            quote = c == quote ? (char)0 : quote;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(' || c == '[') {
            depth++;
        } else if (c == ')' || c == ']') {
            if (depth-- == 0)
                return place;
        } else if (depth == 0 && is_word(c) && (i == 0 || (!is_word(text[i - 1]) && text[i - 1] != '.'))) {
            size_t end = i;
            while (end < n && is_word(text[end]))
                end++;
            note_word(&place, text, i, end);
        }
    }
    place.balanced = depth == 0 && !quote;
    return place;
}

static int put_name(struct buffer *out, const char *name)
{
    int r = buffer_put_u8(out, '"');
    for (; r == 0 && *name; name++)
        r = *name == '"' ? buffer_append(out, "\"\"", 2) : buffer_put_u8(out, (uint8_t)*name);
    return r ? r : buffer_put_u8(out, '"');
}

static int put_table(struct buffer *out, const RangeVar *table)
{
    int r = table->inh ? 0 : buffer_printf(out, "ONLY ");
    if (r == 0 && table->schemaname) {
        r = put_name(out, table->schemaname);
        r = r ? r : buffer_put_u8(out, '.');
    }
    r = r ? r : put_name(out, table->relname);
    if (r == 0 && table->alias) {
        r = buffer_printf(out, " AS ");
        r = r ? r : put_name(out, table->alias->aliasname);
    }
    return r;
}

struct counting {
    const char *text;
    size_t n;
    struct buffer out;
};

static int put_query(struct counting *c, const RangeVar *table, bool has_where)
{
    struct place place = find_place(c->text, c->n);
    size_t end = c->n;
    while (end > 0 && (isspace((unsigned char)c->text[end - 1]) || c->text[end - 1] == ';'))
        end--;
    if (place.returning < end)
        end = place.returning;
    if (!table || table->catalogname || !place.balanced || place.n_where != (has_where ? 1u : 0u) ||
        (has_where && place.where >= end))
        return 0;
    int r = buffer_printf(&c->out, SQL_COUNT_ROWS " FROM ");
    r = r ? r : put_table(&c->out, table);
    if (r == 0 && has_where) {
        r = buffer_printf(&c->out, " WHERE (");
        r = r ? r : buffer_append(&c->out, c->text + place.where, end - place.where);
        r = r ? r : buffer_put_u8(&c->out, ')');
    }
    return r ? r : buffer_put_u8(&c->out, 0);
}

static int look(void *owner, const List *tree)
{
    struct counting *c = owner;
    const Node *statement = list_length(tree) == 1 ? ((const RawStmt *)linitial(tree))->stmt : NULL;
    if (statement && IsA(statement, DeleteStmt)) {
        const DeleteStmt *d = (const DeleteStmt *)statement;
        return d->usingClause || d->withClause ? 0 : put_query(c, d->relation, d->whereClause != NULL);
    }
    if (statement && IsA(statement, UpdateStmt)) {
        const UpdateStmt *u = (const UpdateStmt *)statement;
        return u->fromClause || u->withClause ? 0 : put_query(c, u->relation, u->whereClause != NULL);
    }
    return 0;
}

int sql_count_of(const char *text, size_t n, char **ret)
{
    struct counting c = { .text = text, .n = n };
    *ret = NULL;
    if (n > SQL_COUNT_TEXT_MAX || !is_plain(text, n))
        return 0;
    buffer_init(&c.out, SQL_COUNT_TEXT_MAX * 2);
    int r = sql_tree_with(text, look, &c);
    if (r == 0 && buffer_size(&c.out) > 0) {
        *ret = strdup((const char *)buffer_head(&c.out));
        r = *ret ? 0 : -ENOMEM;
    }
    buffer_free(&c.out);
    return r == -EINVAL || r == -ENOBUFS ? 0 : r;
}
