/* Decoders work on whole bodies in memory, by checked cursors, and end by proving that nothing is left; which
 * bodies are looked into, and up to which size, is the business of front.c and back.c. The server reads the
 * same bytes by the same rules: what we would read differently (bytes behind the NUL of a query, say) is
 * malformed here. */
#include "channels/pg/wire.h"
#include <errno.h>
#include <string.h>

enum { PROTOCOL_3_0 = 3 << 16 };

int pg_header_read(const uint8_t *bytes, size_t n, struct pg_header *ret)
{
    struct reader r = reader_of(bytes, n);
    uint8_t type = 0;
    uint32_t size = 0;
    if (!reader_u8(&r, &type) || !reader_u32(&r, &size))
        return PG_SHORT;
    if (size < 4 || size > PG_MESSAGE_MAX)
        return PG_MALFORMED;
    *ret = (struct pg_header){ .type = type, .body = size - 4 };
    return 0;
}

bool pg_read_query(struct reader body, const char **ret_text)
{
    const char *text = NULL;
    if (!reader_cstring(&body, &text) || !reader_done(&body))
        return false;
    *ret_text = text;
    return true;
}

bool pg_read_parse(struct reader body, struct pg_parse *ret)
{
    struct pg_parse parse = { 0 };
    const uint8_t *types = NULL;
    if (!reader_cstring(&body, &parse.statement) || !reader_cstring(&body, &parse.text) ||
        !reader_u16(&body, &parse.n_types) || !reader_bytes(&body, (size_t)parse.n_types * 4, &types) ||
        !reader_done(&body))
        return false;
    parse.types = reader_of(types, (size_t)parse.n_types * 4);
    *ret = parse;
    return true;
}

static bool skip_values(struct reader *r, uint16_t n, struct reader *ret)
{
    struct reader values = *r, value = { 0 };
    bool null = false;
    for (uint16_t i = 0; i < n; i++) {
        if (!pg_next_value(r, &value, &null))
            return false;
    }
    *ret = reader_of(values.next, (size_t)(r->next - values.next));
    return true;
}

bool pg_read_bind(struct reader body, bool cut, struct pg_bind *ret)
{
    struct pg_bind bind = { 0 };
    const uint8_t *bytes = NULL;
    if (!reader_cstring(&body, &bind.portal) || !reader_cstring(&body, &bind.statement) ||
        !reader_u16(&body, &bind.n_formats) || !reader_bytes(&body, (size_t)bind.n_formats * 2, &bytes))
        return false;
    bind.formats = reader_of(bytes, (size_t)bind.n_formats * 2);
    if (!reader_u16(&body, &bind.n_values) || (bind.n_formats > 1 && bind.n_formats != bind.n_values))
        return false;
    bind.values = body;
    if (!cut) {
        if (!skip_values(&body, bind.n_values, &bind.values) || !reader_u16(&body, &bind.n_results) ||
            !reader_bytes(&body, (size_t)bind.n_results * 2, &bytes) || !reader_done(&body))
            return false;
        bind.results = reader_of(bytes, (size_t)bind.n_results * 2);
    }
    *ret = bind;
    return true;
}

bool pg_next_value(struct reader *values, struct reader *ret, bool *ret_null)
{
    uint32_t size = 0;
    const uint8_t *bytes = NULL;
    if (!reader_u32(values, &size))
        return false;
    bool null = size == UINT32_MAX;
    if (!null && !reader_bytes(values, size, &bytes))
        return false;
    *ret = reader_of(bytes, null ? 0 : size);
    *ret_null = null;
    return true;
}

bool pg_read_execute(struct reader body, const char **ret_portal)
{
    const char *portal = NULL;
    uint32_t rows = 0;
    if (!reader_cstring(&body, &portal) || !reader_u32(&body, &rows) || !reader_done(&body))
        return false;
    *ret_portal = portal;
    return true;
}

bool pg_read_named(struct reader body, struct pg_named *ret)
{
    struct pg_named named = { 0 };
    if (!reader_u8(&body, &named.kind) || !reader_cstring(&body, &named.name) || !reader_done(&body) ||
        (named.kind != 'S' && named.kind != 'P'))
        return false;
    *ret = named;
    return true;
}

bool pg_read_setting(struct reader body, struct pg_setting *ret)
{
    struct pg_setting setting = { 0 };
    if (!reader_cstring(&body, &setting.name) || !reader_cstring(&body, &setting.value) ||
        !reader_done(&body))
        return false;
    *ret = setting;
    return true;
}

bool pg_read_ready(struct reader body, uint8_t *ret_status)
{
    uint8_t status = 0;
    if (!reader_u8(&body, &status) || !reader_done(&body) || !status || !strchr("ITE", status))
        return false;
    *ret_status = status;
    return true;
}

const char *pg_error_field(struct reader body, char code)
{
    uint8_t field = 0;
    const char *value = NULL;
    while (reader_u8(&body, &field) && field != 0 && reader_cstring(&body, &value)) {
        if (field == (uint8_t)code)
            return value;
    }
    return NULL;
}

static int put_header(struct buffer *out, char type, size_t body)
{
    if (body + 4 > PG_MESSAGE_MAX)
        return -ENOBUFS;
    int r = buffer_put_u8(out, (uint8_t)type);
    return r ? r : buffer_put_u32(out, (uint32_t)body + 4);
}

/* Strings, each with its NUL, after the header; an empty message when n is 0. */
static int put_strings(struct buffer *out, char type, const char *const *strings, size_t n)
{
    size_t body = 0;
    for (size_t i = 0; i < n; i++)
        body += strlen(strings[i]) + 1;
    int r = put_header(out, type, body);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = buffer_put_cstring(out, strings[i]);
    return r;
}

static int put_fields(struct buffer *out, char type, const struct pg_error *error)
{
    const struct {
        char code;
        const char *value;
    } fields[] = { { 'S', error->severity }, { 'V', error->severity }, { 'C', error->sqlstate },
                   { 'M', error->message },  { 'D', error->detail },   { 'H', error->hint } };
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    size_t body = 1;
    for (size_t i = 0; i < FIELDS; i++)
        body += fields[i].value ? strlen(fields[i].value) + 2 : 0;
    int r = put_header(out, type, body);
    for (size_t i = 0; r == 0 && i < FIELDS; i++) {
        if (!fields[i].value)
            continue;
        r = buffer_put_u8(out, (uint8_t)fields[i].code);
        r = r ? r : buffer_put_cstring(out, fields[i].value);
    }
    return r ? r : buffer_put_u8(out, 0);
}

int pg_put_error(struct buffer *out, const struct pg_error *error)
{
    return put_fields(out, 'E', error);
}

int pg_put_notice(struct buffer *out, const struct pg_error *notice)
{
    return put_fields(out, 'N', notice);
}

int pg_put_query(struct buffer *out, const char *text)
{
    return put_strings(out, 'Q', &text, 1);
}

int pg_put_parse(struct buffer *out, const char *statement, const char *text)
{
    int r = put_header(out, 'P', strlen(statement) + 1 + strlen(text) + 1 + 2);
    r = r ? r : buffer_put_cstring(out, statement);
    r = r ? r : buffer_put_cstring(out, text);
    return r ? r : buffer_put_u16(out, 0);
}

int pg_put_authenticated(struct buffer *out)
{
    int r = put_header(out, 'R', 4);
    return r ? r : buffer_put_u32(out, 0);
}

int pg_put_setting(struct buffer *out, const char *name, const char *value)
{
    const char *const strings[] = { name, value };
    return put_strings(out, 'S', strings, 2);
}

int pg_put_key(struct buffer *out, uint32_t pid, const void *key, size_t n)
{
    int r = put_header(out, 'K', 4 + n);
    r = r ? r : buffer_put_u32(out, pid);
    return r ? r : buffer_append(out, key, n);
}

int pg_put_ready(struct buffer *out, char status)
{
    int r = put_header(out, 'Z', 1);
    return r ? r : buffer_put_u8(out, (uint8_t)status);
}

int pg_put_negotiate(struct buffer *out, const char *const *options, size_t n)
{
    size_t body = 8;
    for (size_t i = 0; i < n; i++)
        body += strlen(options[i]) + 1;
    int r = put_header(out, 'v', body);
    r = r ? r : buffer_put_u32(out, PROTOCOL_3_0);
    r = r ? r : buffer_put_u32(out, (uint32_t)n);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = buffer_put_cstring(out, options[i]);
    return r;
}
