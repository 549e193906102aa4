/* See pgview.h; messages are those of PostgreSQL's protocol 3.0 (its manual, chapter "Message Formats").
 *
 * A row needs its RowDescription, which in the extended protocol came with a Describe that may be long past.
 * The last one is used for rows that bring none when every description of the stream was the same; else the
 * columns are numbered: no name is better than a wrong one. */
#include "replay/pgview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "replay/pgtable.h"

enum described { UNKNOWN, FRESH, STALE, NUMBERED };

struct pgstream {
    uint32_t number;
    struct buffer pending; /* an unfinished message */
    uint64_t skip;         /* bytes of a message too long to look at, still to come */
    struct pgtable table;
    enum described described;
    bool several;         /* descriptions of different shapes have come */
    bool parameters;      /* a ParameterDescription came right before: formats are not decided yet */
    uint64_t shape;       /* hash of the last description */
    uint64_t copy_binary; /* bytes of a binary COPY */
    bool copying_binary;
};

struct pgview {
    struct pgstream *streams[PGVIEW_STREAMS_MAX];
    size_t n_streams;
    bool too_many;
};

int pgview_new(struct pgview **ret)
{
    struct pgview *view = calloc(1, sizeof *view);
    if (!view)
        return -ENOMEM;
    *ret = view;
    return 0;
}

void pgview_free(struct pgview *view)
{
    if (!view)
        return;
    for (size_t i = 0; i < view->n_streams; i++) {
        buffer_free(&view->streams[i]->pending);
        pgtable_free(&view->streams[i]->table);
        free(view->streams[i]);
    }
    free(view);
}

static struct pgstream *find(struct pgview *view, uint32_t number)
{
    for (size_t i = 0; i < view->n_streams; i++)
        if (view->streams[i]->number == number)
            return view->streams[i];
    if (view->n_streams == PGVIEW_STREAMS_MAX)
        return NULL;
    struct pgstream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->number = number;
    buffer_init(&stream->pending, 5 + PGVIEW_MESSAGE_MAX);
    pgtable_init(&stream->table);
    view->streams[view->n_streams++] = stream;
    return stream;
}

/* ---- rows ---- */

static uint64_t hash_of(struct reader body)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; body.next < body.end; body.next++)
        h = (h ^ *body.next) * UINT64_C(1099511628211);
    return h;
}

static int end_rows(struct pgstream *s, struct buffer *out)
{
    return s->table.rows > 0 ? pgtable_end(&s->table, out) : 0;
}

static bool read_column(struct reader *body, bool unsure, struct pgcolumn *column)
{
    const char *name = NULL;
    uint32_t table, modifier;
    uint16_t attribute, size, format;
    if (!reader_cstring(body, &name) || !reader_u32(body, &table) || !reader_u16(body, &attribute) ||
        !reader_u32(body, &column->type) || !reader_u16(body, &size) || !reader_u32(body, &modifier) ||
        !reader_u16(body, &format))
        return false;
    text_escape(column->name, sizeof column->name, name, strlen(name), false);
    column->format = format == 1 ? PGVALUE_BINARY : unsure ? PGVALUE_UNSURE : PGVALUE_TEXT;
    return true;
}

static int take_description(struct pgstream *s, struct reader body, struct buffer *out)
{
    uint16_t n = 0;
    uint64_t shape = hash_of(body);
    int r = end_rows(s, out);
    if (r)
        return r;
    if (!reader_u16(&body, &n) || n > PGTABLE_COLUMNS_MAX)
        return -EBADMSG;
    struct pgcolumn *columns = calloc(n + 1U, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!read_column(&body, s->parameters, &columns[i])) {
            free(columns);
            return -EBADMSG;
        }
    }
    s->several |= s->described != UNKNOWN && s->shape != shape;
    s->shape = shape;
    s->described = FRESH;
    pgtable_columns(&s->table, columns, n);
    return 0;
}

static int number_columns(struct pgstream *s, size_t n)
{
    struct pgcolumn *columns = calloc(n + 1, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(columns[i].name, sizeof columns[i].name, "%zu", i + 1);
        columns[i].format = PGVALUE_UNSURE;
    }
    pgtable_columns(&s->table, columns, n);
    s->described = NUMBERED;
    s->several = true; /* the description is gone */
    return 0;
}

static int take_row(struct pgstream *s, struct reader body, struct buffer *out)
{
    uint16_t n = 0;
    struct reader count = body;
    if (!reader_u16(&count, &n) || n > PGTABLE_COLUMNS_MAX)
        return -EBADMSG;
    bool known = s->described == FRESH || (s->described == STALE && !s->several) || s->table.rows > 0;
    if (!known || n != s->table.n_columns) {
        int r = end_rows(s, out);
        if (r == 0)
            r = number_columns(s, n);
        if (r)
            return r;
    }
    return pgtable_row(&s->table, body, out);
}

/* ---- the ends of results ---- */

static bool brings_rows(const char *tag)
{
    static const char *const tags[] = { "SELECT", "FETCH", "SHOW", "EXPLAIN", "EXECUTE" };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (strncmp(tag, tags[i], strlen(tags[i])) == 0)
            return true;
    return false;
}

static void result_is_over(struct pgstream *s)
{
    if (s->described == FRESH)
        s->described = STALE;
}

static int take_complete(struct pgstream *s, struct reader body, struct buffer *out)
{
    const char *tag = NULL;
    if (!reader_cstring(&body, &tag))
        return -EBADMSG;
    bool rows = s->table.rows > 0, table = rows || (s->described == FRESH && brings_rows(tag));
    int r = table ? pgtable_end(&s->table, out) : 0;
    result_is_over(s);
    if (r || (table && brings_rows(tag)))
        return r;
    r = print_escaped(tag, strlen(tag), false, out);
    return r ? r : buffer_append(out, "\n", 1);
}

/* ErrorResponse and NoticeResponse, as psql shows them by default. */
static int take_error(struct pgstream *s, struct reader body, struct buffer *out)
{
    static const char *const labels[][2] = { { "D", "DETAIL" }, { "H", "HINT" }, { "W", "CONTEXT" } };
    const char *fields[128] = { 0 };
    uint8_t code = 0;
    int r = end_rows(s, out);
    while (r == 0 && reader_u8(&body, &code) && code != 0) {
        const char *text = NULL;
        if (!reader_cstring(&body, &text))
            return -EBADMSG;
        if (code < 128)
            fields[code] = text;
    }
    const char *severity = fields['S'] ? fields['S'] : "ERROR", *message = fields['M'] ? fields['M'] : "";
    if (r == 0)
        r = print_escaped(severity, strlen(severity), false, out);
    if (r == 0)
        r = buffer_append(out, ":  ", 3);
    if (r == 0)
        r = print_escaped(message, strlen(message), true, out);
    for (size_t i = 0; i < sizeof labels / sizeof *labels && r == 0; i++) {
        const char *text = fields[(uint8_t)labels[i][0][0]];
        if (!text || labels[i][0][0] == 'W')
            continue;
        r = buffer_printf(out, "\n%s:  ", labels[i][1]);
        if (r == 0)
            r = print_escaped(text, strlen(text), true, out);
    }
    return r ? r : buffer_append(out, "\n", 1);
}

static int take_notification(struct reader body, struct buffer *out)
{
    uint32_t pid = 0;
    const char *channel = NULL, *payload = NULL;
    if (!reader_u32(&body, &pid) || !reader_cstring(&body, &channel) || !reader_cstring(&body, &payload))
        return -EBADMSG;
    int r = buffer_append(out, "Asynchronous notification \"", 27);
    if (r == 0)
        r = print_escaped(channel, strlen(channel), false, out);
    if (r == 0)
        r = buffer_append(out, "\"", 1);
    if (r == 0 && payload[0])
        r = buffer_append(out, " with payload \"", 15);
    if (r == 0 && payload[0])
        r = print_escaped(payload, strlen(payload), false, out);
    if (r == 0 && payload[0])
        r = buffer_append(out, "\"", 1);
    return r ? r : buffer_printf(out, " received from server process with PID %u.\n", pid);
}

/* ---- COPY ---- */

static int begin_copy(struct pgstream *s, struct reader body)
{
    uint8_t binary = 0;
    if (!reader_u8(&body, &binary))
        return -EBADMSG;
    s->copying_binary = binary == 1;
    s->copy_binary = 0;
    return 0;
}

static int take_copy(struct pgstream *s, struct reader body, struct buffer *out)
{
    size_t n = reader_left(&body);
    if (s->copying_binary) {
        s->copy_binary += n;
        return 0;
    }
    return print_escaped(body.next, n, true, out);
}

static int end_copy(struct pgstream *s, struct buffer *out)
{
    if (s->copying_binary)
        return buffer_printf(out, "[%llu bytes of binary COPY]\n", (unsigned long long)s->copy_binary);
    return 0;
}

/* ---- messages ---- */

static int take_message(struct pgstream *s, uint8_t type, struct reader body, struct buffer *out)
{
    bool parameters = s->parameters;
    if (type != 'T')
        s->parameters = type == 't' || (parameters && type == 'n');
    switch (type) {
    case 'T':
        return take_description(s, body, out);
    case 'D':
        return take_row(s, body, out);
    case 'C':
        return take_complete(s, body, out);
    case 's': {
        int r = pgtable_end(&s->table, out);
        result_is_over(s);
        return r;
    }
    case 'I':
        result_is_over(s);
        return 0;
    case 'E':
        result_is_over(s);
        return take_error(s, body, out);
    case 'N':
        return take_error(s, body, out);
    case 'A':
        return take_notification(body, out);
    case 'H':
        return begin_copy(s, body);
    case 'd':
        return take_copy(s, body, out);
    case 'c':
        return end_copy(s, out);
    default:
        return 0; /* nothing that psql would show */
    }
}

/* Backend messages of protocol 3.x. */
static bool is_type(uint8_t type)
{
    return type && strchr("RSKZTDCEIAsntHGWdcNVv123", type);
}

enum { WANTS_MORE = 1 };

/* Splits one message off the pending bytes. */
static int next_message(struct pgstream *s, struct buffer *out)
{
    struct reader r = reader_of(buffer_head(&s->pending), buffer_size(&s->pending)), body;
    uint8_t type = 0;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!reader_u8(&r, &type))
        return WANTS_MORE;
    if (!is_type(type))
        return -EBADMSG;
    if (!reader_u32(&r, &length))
        return WANTS_MORE;
    if (length < 4)
        return -EBADMSG;
    if (length > PGVIEW_MESSAGE_MAX) {
        s->skip = (uint64_t)length - 4 - reader_left(&r);
        buffer_consume(&s->pending, buffer_size(&s->pending));
        return buffer_printf(out, "[a message of %u bytes is not shown]\n", length);
    }
    if (!reader_bytes(&r, length - 4, &bytes))
        return WANTS_MORE;
    body = reader_of(bytes, length - 4);
    int result = take_message(s, type, body, out);
    buffer_consume(&s->pending, 1 + (size_t)length);
    return result;
}

static size_t skip(struct pgstream *s, size_t n)
{
    size_t drop = s->skip < n ? (size_t)s->skip : n;
    s->skip -= drop;
    return drop;
}

/* Takes as much as fits; *ret_taken bytes. */
static int take_bytes(struct pgstream *s, const uint8_t *bytes, size_t n, size_t *ret_taken,
                      struct buffer *out)
{
    if (s->skip > 0) {
        *ret_taken = skip(s, n);
        return 0;
    }
    size_t room = buffer_room(&s->pending), slice = n < room ? n : room;
    *ret_taken = slice;
    int r = buffer_append(&s->pending, bytes, slice);
    while (r == 0 && s->skip == 0)
        r = next_message(s, out);
    /* A message longer than is kept was seen by its length: the pending bytes always hold less than one. */
    return r == WANTS_MORE ? 0 : r;
}

int pgview_output(struct pgview *view, uint32_t stream, const uint8_t *bytes, size_t n, struct buffer *out)
{
    struct pgstream *s = find(view, stream);
    if (!s) {
        bool said = view->too_many;
        view->too_many = true;
        return said ? 0 : buffer_printf(out, "[further connections are not shown]\n");
    }
    while (n > 0) {
        size_t taken = 0;
        int r = take_bytes(s, bytes, n, &taken, out);
        if (r == -EBADMSG) {
            /* No way to find the next message: the next entry may begin with one. */
            buffer_consume(&s->pending, buffer_size(&s->pending));
            s->described = UNKNOWN;
            return buffer_printf(out, "[%zu bytes that are no PostgreSQL messages]\n", n);
        }
        if (r)
            return r;
        bytes += taken;
        n -= taken;
    }
    buffer_shrink(&s->pending, 64 * 1024);
    return 0;
}

int pgview_end(struct pgview *view, struct buffer *out)
{
    int r = 0;
    for (size_t i = 0; i < view->n_streams && r == 0; i++) {
        struct pgstream *s = view->streams[i];
        buffer_consume(&s->pending, buffer_size(&s->pending));
        s->skip = 0;
        r = end_rows(s, out);
    }
    return r;
}
