/* Rows of COPY TO STDOUT, one CopyData each, as PostgreSQL sends them. Columns have no types here: text is
 * shown as text, what looks like a number as a number, and in the binary format what is masked is NULL. */
#include "channels/pg/veil_parts.h"

#include <string.h>

enum { INT8 = 20, TEXT = 25, SIGNATURE = 11, HEX_DIGITS = 2, OCTAL_DIGITS = 3 };

static const uint8_t signature[SIGNATURE] = "PGCOPY\n\377\r\n";

struct line {
    const struct veil_how *how;
    const struct veil_plan *plan;
    const struct copy_shape *shape;
    struct buffer *out, plain; /* plain: the value without escapes */
    bool changed;
};

static bool is_integer(const uint8_t *value, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++) {
        if (value[i] >= '0' && value[i] <= '9')
            digits++;
        else if (i > 0 || (value[i] != '-' && value[i] != '+'))
            return false;
    }
    return digits > 0;
}

/* ---- text ---- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* COPY's escapes (src/backend/commands/copyfromparse.c). */
static size_t unescape(const uint8_t *bytes, size_t n, uint8_t *ret)
{
    static const char letters[] = "bfnrtv", meanings[] = "\b\f\n\r\t\v";
    size_t used = 1;
    unsigned value = 0;
    const char *letter = bytes[0] ? strchr(letters, bytes[0]) : NULL;
    *ret = letter ? (uint8_t)meanings[letter - letters] : bytes[0];
    if (bytes[0] >= '0' && bytes[0] <= '7') {
        for (used = 0; used < n && used < OCTAL_DIGITS && bytes[used] >= '0' && bytes[used] <= '7'; used++)
            value = value * 8 + (unsigned)(bytes[used] - '0');
        *ret = (uint8_t)value;
    } else if (bytes[0] == 'x' && n > 1 && hex_value(bytes[1]) >= 0) {
        for (; used < n && used <= HEX_DIGITS && hex_value(bytes[used]) >= 0; used++)
            value = value * 16 + (unsigned)hex_value(bytes[used]);
        *ret = (uint8_t)value;
    }
    return used;
}

static int decode_text(const uint8_t *raw, size_t n, struct buffer *plain)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        uint8_t c = raw[i];
        if (c == '\\' && i + 1 < n)
            i += unescape(raw + i + 1, n - i - 1, &c);
        r = buffer_put_u8(plain, c);
    }
    return r;
}

static int encode_text(const uint8_t *value, size_t n, char delimiter, struct buffer *out)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const char *place = value[i] ? strchr("\b\f\n\r\t\v", value[i]) : NULL;
        static const char letters[] = "bfnrtv";
        if (place) {
            r = buffer_put_u8(out, '\\');
            r = r ? r : buffer_put_u8(out, (uint8_t)letters[place - "\b\f\n\r\t\v"]);
            continue;
        }
        if (value[i] == '\\' || value[i] == (uint8_t)delimiter)
            r = buffer_put_u8(out, '\\');
        r = r ? r : buffer_put_u8(out, value[i]);
    }
    return r;
}

static size_t text_cell_end(const uint8_t *bytes, size_t n, const struct copy_shape *shape)
{
    size_t i = 0;
    while (i < n && bytes[i] != (uint8_t)shape->delimiter && bytes[i] != '\n')
        i += bytes[i] == '\\' && i + 1 < n ? 2 : 1;
    return i < n ? i : n;
}

/* ---- CSV ---- */

static size_t csv_cell_end(const uint8_t *bytes, size_t n, const struct copy_shape *shape)
{
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = bytes[i];
        if (quoted && c == (uint8_t)shape->escape && i + 1 < n &&
            (bytes[i + 1] == (uint8_t)shape->quote || bytes[i + 1] == (uint8_t)shape->escape))
            i++;
        else if (c == (uint8_t)shape->quote)
            quoted = !quoted;
        else if (!quoted && (c == (uint8_t)shape->delimiter || c == '\n'))
            return i;
    }
    return n;
}

static int decode_csv(const uint8_t *raw, size_t n, const struct copy_shape *shape, struct buffer *plain)
{
    bool quoted = false;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        uint8_t c = raw[i];
        bool escaped = quoted && c == (uint8_t)shape->escape && i + 1 < n &&
                       (raw[i + 1] == (uint8_t)shape->quote || raw[i + 1] == (uint8_t)shape->escape);
        if (escaped)
            c = raw[++i];
        else if (c == (uint8_t)shape->quote) {
            quoted = !quoted;
            continue;
        }
        r = buffer_put_u8(plain, c);
    }
    return r;
}

static int encode_csv(const uint8_t *value, size_t n, const struct copy_shape *shape, struct buffer *out)
{
    int r = buffer_put_u8(out, (uint8_t)shape->quote);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (value[i] == (uint8_t)shape->quote || value[i] == (uint8_t)shape->escape)
            r = buffer_put_u8(out, (uint8_t)shape->escape);
        r = r ? r : buffer_put_u8(out, value[i]);
    }
    return r ? r : buffer_put_u8(out, (uint8_t)shape->quote);
}

/* ---- lines ---- */

/* In the text form a value may look like any NULL but this one, which would be a guess. */
static bool null_is_certain(const struct copy_shape *shape)
{
    return shape->form == COPY_CSV || strcmp(shape->null, "\\N") == 0;
}

static bool is_null(const struct copy_shape *shape, const uint8_t *raw, size_t n)
{
    return strlen(shape->null) == n && memcmp(shape->null, raw, n) == 0;
}

static int put_value(struct line *line, const uint8_t *value, size_t n)
{
    return line->shape->form == COPY_CSV ? encode_csv(value, n, line->shape, line->out)
                                         : encode_text(value, n, line->shape->delimiter, line->out);
}

static int put_cell(struct line *line, struct cell cell, const uint8_t *raw, size_t n)
{
    struct buffer shown;
    bool null = false;
    buffer_consume(&line->plain, buffer_size(&line->plain));
    int r = line->shape->form == COPY_CSV ? decode_csv(raw, n, line->shape, &line->plain)
                                          : decode_text(raw, n, &line->plain);
    if (r)
        return r;
    const uint8_t *value = buffer_head(&line->plain);
    size_t length = buffer_size(&line->plain);
    /* Of something computed not even that is told. */
    cell.type = (struct mask_type){ .oid = !cell.fate.computed && is_integer(value, length) ? INT8 : TEXT };
    buffer_init(&shown, VEIL_MESSAGE_MAX);
    r = veil_cell(line->how, cell, length ? value : (const uint8_t *)"", length, &shown, &null);
    if (r == 1) {
        line->changed = true;
        r = null ? buffer_append(line->out, line->shape->null, strlen(line->shape->null))
                 : put_value(line, buffer_head(&shown), buffer_size(&shown));
    } else if (r == 0) {
        r = buffer_append(line->out, raw, n);
    }
    buffer_free(&shown);
    return r;
}

static size_t count_cells(const struct copy_shape *shape, const uint8_t *bytes, size_t n)
{
    size_t count = 1;
    for (size_t at = 0; at < n; at++) {
        at += shape->form == COPY_CSV ? csv_cell_end(bytes + at, n - at, shape)
                                      : text_cell_end(bytes + at, n - at, shape);
        if (at < n && bytes[at] == '\n')
            return at + 1 == n ? count : 0; /* one row for each message, or we don't know what it is */
        count += at < n;
    }
    return 0; /* no newline at the end */
}

static int copy_line(struct line *line, const uint8_t *bytes, size_t n)
{
    static const struct veil_formats text = { .how = FORMATS_TEXT };
    size_t count = count_cells(line->shape, bytes, n), at = 0;
    int r = 0;
    if (count == 0)
        return VEIL_UNEXPECTED;
    for (size_t i = 0; r == 0 && i < count; i++) {
        size_t length = line->shape->form == COPY_CSV ? csv_cell_end(bytes + at, n - at, line->shape)
                                                      : text_cell_end(bytes + at, n - at, line->shape);
        struct cell cell = veil_plan_cell(line->plan, i, count, &text);
        bool shows_null = !veil_hides_null(cell) && (!cell.fate.mask || null_is_certain(line->shape));
        r = shows_null && is_null(line->shape, bytes + at, length)
                ? buffer_append(line->out, bytes + at, length)
                : put_cell(line, cell, bytes + at, length);
        at += length;
        r = r ? r : buffer_put_u8(line->out, bytes[at++]); /* the delimiter, or the end of the line */
    }
    return r;
}

static int copy_lines(const struct veil_how *how, const struct veil_plan *plan, struct veil_copying *copying,
                      struct reader body, struct buffer *out)
{
    struct line line = { .how = how, .plan = plan, .shape = &plan->lineage.copy, .out = out };
    if (line.shape->odd)
        return VEIL_UNEXPECTED;
    bool names = !copying->begun && line.shape->header;
    copying->begun = true;
    if (names)
        return VEIL_PASS;
    buffer_init(&line.plain, VEIL_MESSAGE_MAX);
    int r = copy_line(&line, body.next, reader_left(&body));
    buffer_free(&line.plain);
    return r ? r : line.changed ? VEIL_REPLACED : VEIL_PASS;
}

/* ---- binary ---- */

static int copy_binary_head(struct reader *body, struct buffer *out)
{
    const uint8_t *bytes = NULL;
    uint32_t flags = 0, extension = 0;
    if (!reader_bytes(body, SIGNATURE, &bytes) || memcmp(bytes, signature, SIGNATURE) != 0 ||
        !reader_u32(body, &flags) || !reader_u32(body, &extension) || flags != 0 || extension != 0)
        return VEIL_UNEXPECTED;
    int r = buffer_append(out, signature, SIGNATURE);
    return r ? r : buffer_put_u64(out, 0);
}

static int copy_binary_cell(const struct veil_how *how, struct cell cell, struct reader *body,
                            struct buffer *out, bool *changed)
{
    uint32_t size = 0;
    const uint8_t *value = NULL;
    if (!reader_u32(body, &size) || (size != UINT32_MAX && !reader_bytes(body, size, &value)))
        return VEIL_UNEXPECTED;
    if (size == UINT32_MAX)
        return buffer_put_u32(out, size);
    struct buffer shown;
    bool null = false;
    buffer_init(&shown, VEIL_MESSAGE_MAX);
    cell.type = (struct mask_type){ .binary = true };
    int r = veil_cell(how, cell, value, size, &shown, &null);
    *changed |= r == 1;
    if (r >= 0)
        r = buffer_put_u32(out, null ? UINT32_MAX : (uint32_t)buffer_size(&shown));
    r = r ? r : buffer_append(out, buffer_head(&shown), buffer_size(&shown));
    buffer_free(&shown);
    return r;
}

static int copy_binary(const struct veil_how *how, const struct veil_plan *plan, struct veil_copying *copying,
                       struct reader body, struct buffer *out)
{
    static const struct veil_formats binary = { .how = FORMATS_BINARY };
    bool changed = false;
    int r = copying->begun ? 0 : copy_binary_head(&body, out);
    copying->begun = true;
    while (r == 0 && reader_left(&body)) {
        uint16_t n = 0;
        if (!reader_u16(&body, &n))
            return VEIL_UNEXPECTED;
        r = buffer_put_u16(out, n);
        for (uint16_t i = 0; r == 0 && n != UINT16_MAX && i < n; i++) {
            struct cell cell = { .fate = { .mask = NULL } };
            if (plan)
                cell = veil_plan_cell(plan, i, n, &binary);
            r = copy_binary_cell(how, cell, &body, out, &changed);
        }
    }
    return r ? r : changed ? VEIL_REPLACED : VEIL_PASS;
}

/* ---- both ---- */

/* Without a plan there are detectors only, and which separators there are is not known: the row is one text.
 */
static int detect_line(const struct veil_how *how, struct reader body, struct buffer *out)
{
    int r = detect_block(how->detectors, how->detect, body.next, reader_left(&body), out, NULL);
    return r < 0 ? r : r == 1 ? VEIL_REPLACED : VEIL_PASS;
}

static int copy_body(const struct veil_how *how, const struct veil_plan *plan, struct veil_copying *copying,
                     struct reader body, struct buffer *out)
{
    if (copying->binary)
        return copy_binary(how, plan, copying, body, out);
    if (plan)
        return copy_lines(how, plan, copying, body, out);
    return how->detectors ? detect_line(how, body, out) : VEIL_PASS;
}

int veil_copy_data(const struct veil_how *how, const struct veil_plan *plan, struct veil_copying *copying,
                   struct reader body, struct buffer *out)
{
    size_t start = buffer_size(out);
    int r = buffer_put_u8(out, 'd');
    r = r ? r : buffer_put_u32(out, 0);
    r = r ? r : copy_body(how, plan, copying, body, out);
    if (r != VEIL_REPLACED)
        return r;
    veil_end_message(out, start);
    return r;
}
