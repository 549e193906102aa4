/* See pgtable.h. Padding is what hostile results could blow up with (one wide value, many rows), so it is
 * bounded before anything is printed. */
#include "replay/pgtable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NULL_CELL UINT32_MAX

void pgtable_init(struct pgtable *table)
{
    *table = (struct pgtable){ 0 };
    buffer_init(&table->cells, 8 * PGTABLE_CELLS_MAX);
}

void pgtable_free(struct pgtable *table)
{
    free(table->columns);
    buffer_free(&table->cells);
    *table = (struct pgtable){ 0 };
}

void pgtable_columns(struct pgtable *table, struct pgcolumn *columns, size_t n)
{
    free(table->columns);
    table->columns = columns;
    table->n_columns = n;
}

/* ---- printing ---- */

static int pad(size_t n, char with, struct buffer *out)
{
    uint8_t *space = NULL;
    int r = n > 0 ? buffer_reserve(out, n, &space) : 0;
    if (r || n == 0)
        return r;
    memset(space, with, n);
    buffer_commit(out, n);
    return 0;
}

static int print_header(const struct pgtable *table, struct buffer *out)
{
    int r = 0;
    for (size_t i = 0; i < table->n_columns && r == 0; i++) {
        const struct pgcolumn *c = &table->columns[i];
        size_t name = pgvalue_width((const uint8_t *)c->name, strlen(c->name));
        size_t left = table->padded && c->width > name ? (c->width - name) / 2 : 0;
        size_t right = table->padded && c->width > name ? c->width - name - left : 0;
        r = buffer_append(out, i ? "| " : " ", i ? 2 : 1);
        if (r == 0)
            r = pad(left, ' ', out);
        if (r == 0)
            r = buffer_append(out, c->name, strlen(c->name));
        if (r == 0)
            r = pad(right + 1, ' ', out);
    }
    if (r == 0)
        r = buffer_append(out, "\n", 1);
    for (size_t i = 0; i < table->n_columns && r == 0; i++) {
        const struct pgcolumn *c = &table->columns[i];
        size_t name = pgvalue_width((const uint8_t *)c->name, strlen(c->name));
        r = i ? buffer_append(out, "+", 1) : 0;
        if (r == 0)
            r = pad((table->padded && c->width > name ? c->width : name) + 2, '-', out);
    }
    return r ? r : buffer_append(out, "\n", 1);
}

static int print_cell(const struct pgtable *table, size_t column, const uint8_t *text, size_t n,
                      struct buffer *out)
{
    const struct pgcolumn *c = &table->columns[column];
    bool number = pgvalue_is_number(c->type), last = column + 1 == table->n_columns;
    size_t width = table->padded ? pgvalue_width(text, n) : SIZE_MAX;
    size_t gap = width < c->width ? c->width - width : 0;
    int r = buffer_append(out, column ? "| " : " ", column ? 2 : 1);
    if (r == 0 && number)
        r = pad(gap, ' ', out);
    if (r == 0)
        r = buffer_append(out, text, n);
    if (r == 0 && !last)
        r = pad((number ? 0 : gap) + 1, ' ', out);
    return r;
}

/* One row out of stored cells. */
static int print_row(const struct pgtable *table, struct reader *cells, struct buffer *out)
{
    int r = 0;
    for (size_t i = 0; i < table->n_columns && r == 0; i++) {
        uint32_t n = 0;
        const uint8_t *text = (const uint8_t *)"NULL";
        if (!reader_u32(cells, &n) || (n != NULL_CELL && !reader_bytes(cells, n, &text)))
            return -EBADMSG;
        r = print_cell(table, i, text, n == NULL_CELL ? 4 : n, out);
    }
    return r ? r : buffer_append(out, "\n", 1);
}

/* Finds the widths; no padding at all when it would come to too much. */
static void measure(struct pgtable *table, uint64_t kept)
{
    size_t total = 0;
    struct reader cells = reader_of(buffer_head(&table->cells), buffer_size(&table->cells));
    for (size_t i = 0; i < table->n_columns; i++)
        table->columns[i].width =
            pgvalue_width((const uint8_t *)table->columns[i].name, strlen(table->columns[i].name));
    for (uint64_t row = 0; row < kept; row++) {
        for (size_t i = 0; i < table->n_columns; i++) {
            uint32_t n = 0;
            const uint8_t *text = NULL;
            if (!reader_u32(&cells, &n) || (n != NULL_CELL && !reader_bytes(&cells, n, &text)))
                return;
            size_t width = n == NULL_CELL ? 4 : pgvalue_width(text, n);
            if (width > table->columns[i].width)
                table->columns[i].width = width;
        }
    }
    for (size_t i = 0; i < table->n_columns; i++)
        total += table->columns[i].width + 3;
    table->padded = total * (kept + 2) <= PGTABLE_ALIGNED_MAX;
}

static int print_kept(struct pgtable *table, uint64_t kept, struct buffer *out)
{
    measure(table, kept);
    int r = print_header(table, out);
    struct reader cells = reader_of(buffer_head(&table->cells), buffer_size(&table->cells));
    for (uint64_t row = 0; row < kept && r == 0; row++)
        r = print_row(table, &cells, out);
    buffer_consume(&table->cells, buffer_size(&table->cells));
    return r;
}

/* ---- taking rows ---- */

static int store_cell(const struct pgcolumn *column, struct reader *fields, struct buffer *cells)
{
    uint32_t n = 0;
    const uint8_t *bytes = NULL;
    if (!reader_u32(fields, &n) || (n != NULL_CELL && !reader_bytes(fields, n, &bytes)))
        return -EBADMSG;
    if (n == NULL_CELL)
        return buffer_put_u32(cells, NULL_CELL);
    struct buffer text;
    buffer_init(&text, 8 * (size_t)n + 64);
    int r = pgvalue_print(column->type, column->format, bytes, n, &text);
    if (r == 0)
        r = buffer_put_string(cells, buffer_head(&text), buffer_size(&text));
    buffer_free(&text);
    return r;
}

static int store_row(struct pgtable *table, struct reader fields, struct buffer *cells)
{
    uint16_t n = 0;
    int r = reader_u16(&fields, &n) && n == table->n_columns ? 0 : -EBADMSG;
    for (size_t i = 0; i < table->n_columns && r == 0; i++)
        r = store_cell(&table->columns[i], &fields, cells);
    return r ? r : reader_done(&fields) ? 0 : -EBADMSG;
}

static int stream_row(struct pgtable *table, struct reader fields, struct buffer *out)
{
    int r = store_row(table, fields, &table->cells);
    struct reader cells = reader_of(buffer_head(&table->cells), buffer_size(&table->cells));
    if (r == 0)
        r = print_row(table, &cells, out);
    buffer_consume(&table->cells, buffer_size(&table->cells));
    return r;
}

int pgtable_row(struct pgtable *table, struct reader fields, struct buffer *out)
{
    if (table->streaming) {
        int r = stream_row(table, fields, out);
        table->rows += r == 0;
        return r;
    }
    struct buffer row;
    buffer_init(&row, 8 * PGTABLE_CELLS_MAX);
    int r = store_row(table, fields, &row);
    bool full =
        table->rows >= PGTABLE_ROWS_MAX || buffer_size(&table->cells) + buffer_size(&row) > PGTABLE_CELLS_MAX;
    if (r == 0 && full && table->rows > 0) {
        r = print_kept(table, table->rows, out);
        table->streaming = true;
    }
    if (r == 0)
        r = buffer_append(&table->cells, buffer_head(&row), buffer_size(&row));
    if (r == 0 && table->streaming) {
        struct reader cells = reader_of(buffer_head(&row), buffer_size(&row));
        r = print_row(table, &cells, out);
        buffer_consume(&table->cells, buffer_size(&table->cells));
    }
    table->rows += r == 0;
    buffer_free(&row);
    return r;
}

int pgtable_end(struct pgtable *table, struct buffer *out)
{
    int r = table->streaming ? 0 : print_kept(table, table->rows, out);
    if (r == 0)
        r = buffer_printf(out, "(%llu row%s)\n", (unsigned long long)table->rows,
                          table->rows == 1 ? "" : "s");
    table->rows = 0;
    table->streaming = false;
    buffer_shrink(&table->cells, 64 * 1024);
    return r;
}
