/* One round trip: for each kind of want that is there, Parse (once), Bind and Execute of its query, then
 * Sync. Names are parameters, in binary; nothing of them becomes SQL. */
#include "channels/pg/catalog_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "channels/pg/catalog_rows.h"
#include "channels/pg/catalog_sql.h"
#include "channels/pg/wire.h"

enum { TEXT_OID = 25, MESSAGE_MAX = 1024 * 1024 };

static const struct query {
    const char *name, *sql;
    enum catalog_kind by_name, by_oid; /* by_oid: CATALOG_KINDS for none */
} queries[CATALOG_QUERIES] = {
    { "basics", catalog_sql_basics, CATALOG_BASICS, CATALOG_KINDS },
    { "relations", catalog_sql_relations, CATALOG_RELATIONS, CATALOG_RELATION_OF_OID },
    { "functions", catalog_sql_functions, CATALOG_FUNCTIONS, CATALOG_KINDS },
    { "types", catalog_sql_types, CATALOG_TYPES, CATALOG_TYPE_OF_OID },
};

static bool is_for(const struct query *query, const struct catalog_want *want)
{
    return want->kind == query->by_name || want->kind == query->by_oid;
}

static bool is_needed(const struct query *query, const struct catalog_want *wants, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_for(query, &wants[i]))
            return true;
    return false;
}

static int put_message(struct buffer *out, uint8_t type, const struct buffer *body)
{
    int r = buffer_put_u8(out, type);
    r = r ? r : buffer_put_u32(out, (uint32_t)buffer_size(body) + 4);
    return r ? r : buffer_append(out, buffer_head(body), buffer_size(body));
}

/* text[] of the keys of one kind, as a value of Bind. */
static int put_keys(struct buffer *out, const struct catalog_want *wants, size_t n, enum catalog_kind kind)
{
    struct buffer list;
    uint32_t count = 0;
    buffer_init(&list, MESSAGE_MAX);
    for (size_t i = 0; i < n; i++)
        count += wants[i].kind == kind ? 1 : 0;
    int r = buffer_put_u32(&list, 1);
    r = r ? r : buffer_put_u32(&list, 0);
    r = r ? r : buffer_put_u32(&list, TEXT_OID);
    r = r ? r : buffer_put_u32(&list, count);
    r = r ? r : buffer_put_u32(&list, 1);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (wants[i].kind == kind)
            r = buffer_put_string(&list, wants[i].key,
                                  strlen(wants[i].key)); /* length, bytes: as it has them, too */
    r = r ? r : buffer_put_string(out, buffer_head(&list), buffer_size(&list));
    buffer_free(&list);
    return r;
}

static int put_parse(struct buffer *out, const struct query *query)
{
    struct buffer body;
    buffer_init(&body, MESSAGE_MAX);
    int r = buffer_put_cstring(&body, query->name);
    r = r ? r : buffer_put_cstring(&body, query->sql);
    r = r ? r : buffer_put_u16(&body, 0);
    r = r ? r : put_message(out, 'P', &body);
    buffer_free(&body);
    return r;
}

static int put_bind(struct buffer *out, const struct query *query, const struct catalog_want *wants, size_t n)
{
    struct buffer body;
    buffer_init(&body, MESSAGE_MAX);
    int r = buffer_put_cstring(&body, ""); /* portal */
    r = r ? r : buffer_put_cstring(&body, query->name);
    r = r ? r : buffer_put_u16(&body, 1); /* all values in binary */
    r = r ? r : buffer_put_u16(&body, 1);
    r = r ? r : buffer_put_u16(&body, 2);
    r = r ? r : put_keys(&body, wants, n, query->by_name);
    r = r ? r : put_keys(&body, wants, n, query->by_oid);
    r = r ? r : buffer_put_u16(&body, 1); /* all results in binary */
    r = r ? r : buffer_put_u16(&body, 1);
    r = r ? r : put_message(out, 'B', &body);
    buffer_free(&body);
    return r;
}

static int put_plain(struct buffer *out, uint8_t type, const void *bytes, size_t n)
{
    struct buffer body;
    buffer_init(&body, MESSAGE_MAX);
    int r = buffer_append(&body, bytes, n);
    r = r ? r : put_message(out, type, &body);
    buffer_free(&body);
    return r;
}

int catalog_query_put(struct buffer *out, const struct catalog_want *wants, size_t n, unsigned *prepared)
{
    static const uint8_t execute[] = { 0, 0, 0, 0, 0 }; /* the unnamed portal, all rows */
    int r = 0;
    for (size_t i = 0; r == 0 && i < CATALOG_QUERIES; i++) {
        if (!is_needed(&queries[i], wants, n))
            continue;
        if (!(*prepared & 1U << i))
            r = put_parse(out, &queries[i]);
        *prepared |= 1U << i;
        r = r ? r : put_bind(out, &queries[i], wants, n);
        r = r ? r : put_plain(out, 'E', execute, sizeof execute);
    }
    return r ? r : put_plain(out, 'S', "", 0);
}

int catalog_query_begin(struct buffer *out)
{
    return pg_put_query(out, catalog_sql_begin);
}

/* ---- answers ---- */

static int put_rows(struct catalog *catalog, struct rows *rows, const struct query *query,
                    const struct catalog_want *wants, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        if (is_for(query, &wants[i]))
            r = rows_put(rows, catalog, &wants[i]);
    return r;
}

static size_t next_needed(size_t at, const struct catalog_want *wants, size_t n)
{
    while (at < CATALOG_QUERIES && !is_needed(&queries[at], wants, n))
        at++;
    return at;
}

int catalog_query_take(struct catalog *catalog, const struct catalog_want *wants, size_t n, const void *reply,
                       size_t size)
{
    struct reader left = reader_of(reply, size);
    struct rows rows = { .n = 0 };
    size_t at = next_needed(0, wants, n);
    int r = 0;
    while (r == 0 && reader_left(&left) > 0) {
        struct pg_header header;
        const uint8_t *bytes = NULL;
        if (pg_header_read(left.next, reader_left(&left), &header) != 0 ||
            !reader_bytes(&left, PG_HEADER, &bytes) || !reader_bytes(&left, header.body, &bytes) ||
            header.type == 'E') {
            r = -EPROTO;
        } else if (header.type == 'D') {
            r = rows_add(&rows, reader_of(bytes, header.body));
        } else if (header.type == 'C') {
            r = at < CATALOG_QUERIES ? put_rows(catalog, &rows, &queries[at], wants, n) : -EPROTO;
            rows_free(&rows);
            at = next_needed(at + 1, wants, n);
        }
    }
    rows_free(&rows);
    return r ? r : at == CATALOG_QUERIES ? 0 : -EPROTO;
}
