/* Answers of a server as a client gets to see them. */
#include "check.h"

#include <stdarg.h>
#include <string.h>

#include "channels/pg/veil.h"

enum { OUT = 4096, OID_INT4 = 23, OID_TEXT = 25, USERS = 20001, OTHER = 20002 };

static Ipc__Mask text_of_mask = { .name = (char *)"pii" };
static const struct mask redact = { .text = &text_of_mask, .kind = MASK_REDACT };
static const struct fate SHOWN = { .mask = NULL }, MASKED = { .mask = &redact };

/* ---- messages ---- */

struct message {
    uint8_t type;
    struct buffer body;
};

static struct message message_of(uint8_t type)
{
    struct message m = { .type = type };
    buffer_init(&m.body, OUT);
    return m;
}

/* name, relation, number, type, format … until a NULL name */
static struct message description(int n, ...)
{
    struct message m = message_of('T');
    va_list fields;
    va_start(fields, n);
    assert_int_equal(buffer_put_u16(&m.body, (uint16_t)n), 0);
    for (int i = 0; i < n; i++) {
        assert_int_equal(buffer_put_cstring(&m.body, va_arg(fields, const char *)), 0);
        assert_int_equal(buffer_put_u32(&m.body, va_arg(fields, unsigned)), 0);
        assert_int_equal(buffer_put_u16(&m.body, (uint16_t)va_arg(fields, int)), 0);
        assert_int_equal(buffer_put_u32(&m.body, va_arg(fields, unsigned)), 0);
        assert_int_equal(buffer_put_u16(&m.body, 4), 0);
        assert_int_equal(buffer_put_u32(&m.body, UINT32_MAX), 0);
        assert_int_equal(buffer_put_u16(&m.body, (uint16_t)va_arg(fields, int)), 0);
    }
    va_end(fields);
    return m;
}

static struct message row(int n, ...)
{
    struct message m = message_of('D');
    va_list cells;
    va_start(cells, n);
    assert_int_equal(buffer_put_u16(&m.body, (uint16_t)n), 0);
    for (int i = 0; i < n; i++) {
        const char *cell = va_arg(cells, const char *);
        assert_int_equal(buffer_put_u32(&m.body, cell ? (uint32_t)strlen(cell) : UINT32_MAX), 0);
        if (cell)
            assert_int_equal(buffer_append(&m.body, cell, strlen(cell)), 0);
    }
    va_end(cells);
    return m;
}

static struct message text_message(uint8_t type, const char *text)
{
    struct message m = message_of(type);
    assert_int_equal(buffer_append(&m.body, text, strlen(text)), 0);
    return m;
}

static struct message copy_begins(bool binary)
{
    struct message m = message_of('H');
    assert_int_equal(buffer_put_u8(&m.body, binary), 0);
    assert_int_equal(buffer_put_u16(&m.body, 0), 0);
    return m;
}

static struct message error_of(const char *text, const char *detail)
{
    struct message m = message_of('E');
    assert_int_equal(buffer_append(&m.body, "SERROR\0VERROR\0C22P02\0M", 22), 0);
    assert_int_equal(buffer_put_cstring(&m.body, text), 0);
    assert_int_equal(buffer_put_u8(&m.body, 'D'), 0);
    assert_int_equal(buffer_put_cstring(&m.body, detail), 0);
    assert_int_equal(buffer_put_u8(&m.body, 0), 0);
    return m;
}

/* The verdict; `out` gets what takes the message's place. */
static int answer(struct veil *veil, struct message m, struct buffer *out)
{
    struct buffer ignored;
    buffer_init(&ignored, OUT);
    int r = veil_answer(veil, m.type, reader_of(buffer_head(&m.body), buffer_size(&m.body)),
                        out ? out : &ignored);
    buffer_free(&m.body);
    buffer_free(&ignored);
    return r;
}

static void assert_row(struct buffer *out, int n, ...)
{
    struct reader r = reader_of(buffer_head(out), buffer_size(out));
    uint8_t type = 0;
    uint32_t size = 0;
    uint16_t count = 0;
    va_list cells;
    assert_true(reader_u8(&r, &type) && reader_u32(&r, &size) && reader_u16(&r, &count));
    assert_int_equal(type, 'D');
    assert_int_equal(size, buffer_size(out) - 1);
    assert_int_equal(count, n);
    va_start(cells, n);
    for (int i = 0; i < n; i++) {
        const char *expected = va_arg(cells, const char *);
        const uint8_t *bytes = NULL;
        assert_true(reader_u32(&r, &size));
        if (!expected) {
            assert_int_equal(size, UINT32_MAX);
            continue;
        }
        assert_true(reader_bytes(&r, size, &bytes));
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(bytes, expected, size);
    }
    va_end(cells);
    assert_true(reader_done(&r));
    buffer_consume(out, buffer_size(out));
}

/* ---- what was asked ---- */

static struct lineage lineage_of(enum lineage_form form, const struct fate *columns, size_t n)
{
    static struct origin origins[] = { { .relation = USERS, .last = 2 },
                                       { .relation = USERS, .number = 2, .fate = { .mask = &redact } } };
    struct lineage lineage = { .form = form,
                               .known = true,
                               .columns = (struct fate *)(uintptr_t)columns,
                               .n_columns = n,
                               .origins = origins,
                               .n_origins = 2 };
    lineage.copy =
        (struct copy_shape){ .delimiter = '\t', .quote = '"', .escape = '"', .null = (char *)"\\N" };
    return lineage;
}

static struct veil *veil_of(void)
{
    struct veil_how how = { .worst = &redact };
    struct veil *veil = NULL;
    assert_int_equal(veil_new(&how, &veil), 0);
    return veil;
}

static void query(struct veil *veil, struct lineage lineage)
{
    struct lineages lineages = { &lineage, 1 };
    assert_int_equal(veil_query(veil, &lineages, 1), 0);
}

static struct veil *veil_with(struct lineage lineage)
{
    struct veil *veil = veil_of();
    query(veil, lineage);
    return veil;
}

/* Parse and Bind, both confirmed. */
static void bind_portal(struct veil *veil, const char *statement, struct lineage lineage, const char *portal,
                        struct veil_formats formats)
{
    assert_int_equal(veil_parse(veil, statement, &lineage), 0);
    assert_int_equal(veil_bind(veil, portal, statement, NULL, &formats), 0);
    assert_int_equal(answer(veil, message_of('1'), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, message_of('2'), NULL), VEIL_PASS);
}

static void nothing_made(struct veil *veil)
{
    struct lineage lineage = lineage_of(LINEAGE_NO_ROWS, NULL, 0);
    query(veil, lineage);
}

static void a_masked_cell_is_replaced_and_the_others_stay(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, MASKED };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 2));
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(
        answer(veil, description(2, "id", USERS, 1, OID_INT4, 0, "email", USERS, 2, OID_TEXT, 0), NULL),
        VEIL_PASS);
    assert_int_equal(answer(veil, row(2, "7", "a@b.c"), &out), VEIL_REPLACED);
    assert_row(&out, 2, "7", "[masked:pii]");
    assert_int_equal(answer(veil, row(2, NULL, "a@b.c"), &out), VEIL_REPLACED);
    assert_row(&out, 2, NULL, "[masked:pii]");
    assert_int_equal(answer(veil, row(2, "7", NULL), NULL), VEIL_PASS); /* nothing to hide */
    assert_int_equal(answer(veil, text_message('C', "SELECT 3"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    buffer_free(&out);
    veil_free(veil);
}

static void what_the_server_says_of_a_column_counts_as_well(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, SHOWN };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 2));
    struct buffer out;
    buffer_init(&out, OUT);
    /* The first is said to be the masked column of users; the second of a table that nobody followed. */
    assert_int_equal(
        answer(veil, description(2, "a", USERS, 2, OID_TEXT, 0, "b", OTHER, 1, OID_TEXT, 0), NULL),
        VEIL_PASS);
    assert_int_equal(answer(veil, row(2, "a@b.c", "x"), &out), VEIL_REPLACED);
    assert_row(&out, 2, "[masked:pii]", "[masked:pii]");
    buffer_free(&out);
    veil_free(veil);
}

static void system_columns_of_a_followed_table_are_shown(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, SHOWN, MASKED };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 3));
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(answer(veil,
                            description(3, "tableoid", USERS, -6, OID_INT4, 0, "tableoid", OTHER, -6,
                                        OID_INT4, 0, "tableoid", USERS, -6, OID_INT4, 0),
                            NULL),
                     VEIL_PASS);
    assert_int_equal(answer(veil, row(3, "7", "8", "9"), &out), VEIL_REPLACED);
    assert_row(&out, 3, "7", "0", "0");
    buffer_free(&out);
    veil_free(veil);
}

static void another_number_of_columns_than_was_followed_masks_all(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 1));
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(answer(veil, description(2, "a", 0, 0, OID_TEXT, 0, "b", 0, 0, OID_INT4, 0), NULL),
                     VEIL_PASS);
    assert_int_equal(answer(veil, row(2, "x", "7"), &out), VEIL_REPLACED);
    assert_row(&out, 2, "[masked:pii]", "0");
    buffer_free(&out);
    veil_free(veil);
}

static void without_a_description_masked_cells_are_null(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, MASKED };
    struct veil *veil = veil_of();
    struct veil_formats formats = { .how = FORMATS_BINARY };
    struct buffer out;
    buffer_init(&out, OUT);
    bind_portal(veil, "", lineage_of(LINEAGE_ROWS, columns, 2), "", formats);
    assert_int_equal(veil_execute(veil, ""), 0);
    assert_int_equal(answer(veil, row(2, "7", "a@b.c"), &out), VEIL_REPLACED);
    assert_row(&out, 2, "7", NULL);
    buffer_free(&out);
    veil_free(veil);
}

static void the_formats_of_the_bind_count_for_an_execute(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, MASKED };
    struct veil *veil = veil_of();
    struct veil_formats formats;
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(veil_formats_read(reader_of("\0\0\0\1", 4), 2, &formats), 0);
    bind_portal(veil, "s", lineage_of(LINEAGE_ROWS, columns, 2), "p", formats);
    assert_int_equal(veil_describe(veil, 'S', "s"), 0);
    assert_int_equal(veil_execute(veil, "p"), 0);
    assert_int_equal(veil_sync(veil), 0);
    assert_int_equal(
        answer(veil, description(2, "id", USERS, 1, OID_TEXT, 0, "n", USERS, 2, OID_INT4, 0), NULL),
        VEIL_PASS);
    assert_int_equal(answer(veil, row(2, "7", "\1\2\3\4"), &out), VEIL_REPLACED);
    struct reader r = reader_of(buffer_head(&out), buffer_size(&out));
    const uint8_t *tail = NULL;
    assert_true(reader_bytes(&r, reader_left(&r) - 8, &tail));
    assert_memory_equal(r.next, "\0\0\0\4\0\0\0\0", 8);
    assert_int_equal(answer(veil, text_message('C', "SELECT 1"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    buffer_free(&out);
    veil_free(veil);
}

static void after_an_error_the_rest_of_the_pipeline_has_no_answers(void **state)
{
    (void)state;
    struct fate columns[] = { MASKED }, shown[] = { SHOWN };
    struct veil *veil = veil_of();
    bind_portal(veil, "s", lineage_of(LINEAGE_ROWS, columns, 1), "p",
                (struct veil_formats){ .how = FORMATS_TEXT });
    assert_int_equal(veil_execute(veil, "p"), 0);
    assert_int_equal(answer(veil, error_of("bad", "worse"), NULL), VEIL_REPLACED);
    assert_int_equal(veil_execute(veil, "p"), 0); /* the server skips these */
    assert_int_equal(veil_describe(veil, 'S', "s"), 0);
    assert_int_equal(veil_sync(veil), 0);
    query(veil, lineage_of(LINEAGE_ROWS, shown, 1));
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, description(1, "x", 0, 0, OID_TEXT, 0), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, row(1, "seen"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, text_message('C', "SELECT 1"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    veil_free(veil);
}

static void a_query_that_the_server_skips_lends_its_plan_to_nothing(void **state)
{
    (void)state;
    struct fate columns[] = { { .mask = &redact, .computed = true } }, shown[] = { SHOWN };
    struct veil *veil = veil_of();
    bind_portal(veil, "s", lineage_of(LINEAGE_ROWS, shown, 1), "p",
                (struct veil_formats){ .how = FORMATS_TEXT });
    assert_int_equal(veil_execute(veil, "p"), 0);
    query(veil, lineage_of(LINEAGE_ROWS, shown, 1)); /* sent, and never answered */
    assert_int_equal(veil_sync(veil), 0);
    query(veil, lineage_of(LINEAGE_ROWS, columns, 1));
    assert_int_equal(answer(veil, error_of("bad", "worse"), NULL), VEIL_REPLACED);
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, description(1, "x", 0, 0, OID_TEXT, 0), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, row(1, "a@b.c"), NULL), VEIL_REPLACED);
    veil_free(veil);
}

/* nullif(email, 'x') is NULL for one value only. */
static void null_of_something_computed_is_masked_too(void **state)
{
    (void)state;
    struct fate columns[] = { { .mask = &redact, .computed = true }, MASKED };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 2));
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(
        answer(veil, description(2, "x", 0, 0, OID_TEXT, 0, "email", USERS, 2, OID_TEXT, 0), NULL),
        VEIL_PASS);
    assert_int_equal(answer(veil, row(2, NULL, NULL), &out), VEIL_REPLACED);
    assert_row(&out, 2, "[masked:pii]", NULL);
    buffer_free(&out);
    veil_free(veil);
}

/* A Bind that fails leaves the portal of that name as it was, and so does a DECLARE. */
static void what_the_server_did_not_confirm_does_not_count(void **state)
{
    (void)state;
    struct fate columns[] = { { .mask = &redact, .computed = true } }, shown[] = { SHOWN };
    struct veil *veil = veil_of();
    struct veil_formats text = { .how = FORMATS_TEXT };
    struct buffer out;
    buffer_init(&out, OUT);
    bind_portal(veil, "a", lineage_of(LINEAGE_ROWS, columns, 1), "", text);
    struct lineage other = lineage_of(LINEAGE_ROWS, shown, 1);
    assert_int_equal(veil_parse(veil, "b", &other), 0);
    assert_int_equal(answer(veil, message_of('1'), NULL), VEIL_PASS);
    text.how = FORMATS_TEXT;
    assert_int_equal(veil_bind(veil, "", "b", NULL, &text), 0);
    assert_int_equal(answer(veil, error_of("wrong number of parameters", ""), NULL), VEIL_REPLACED);
    assert_int_equal(veil_sync(veil), 0);
    assert_int_equal(answer(veil, text_message('Z', "T"), NULL), VEIL_PASS);
    assert_int_equal(veil_execute(veil, ""), 0);
    assert_int_equal(answer(veil, row(1, "a@b.c"), &out), VEIL_REPLACED);
    assert_row(&out, 1, NULL);
    buffer_free(&out);
    veil_free(veil);
}

static void cursors_and_prepared_statements_have_the_columns_that_they_were_made_with(void **state)
{
    (void)state;
    struct fate columns[] = { MASKED };
    struct lineage declare = lineage_of(LINEAGE_DECLARE, columns, 1), fetch = { .form = LINEAGE_FETCH };
    struct lineage prepare = lineage_of(LINEAGE_PREPARE, columns, 1), execute = { .form = LINEAGE_EXECUTE };
    declare.name = fetch.name = (char *)"c";
    prepare.name = execute.name = (char *)"p";
    struct lineage makes[] = { declare, prepare }, uses[] = { fetch, execute };
    struct veil *veil = veil_of();
    struct buffer out;
    buffer_init(&out, OUT);
    for (size_t i = 0; i < 2; i++) {
        query(veil, makes[i]);
        assert_int_equal(answer(veil, text_message('C', "MADE"), NULL), VEIL_PASS);
        assert_int_equal(answer(veil, text_message('Z', "T"), NULL), VEIL_PASS);
        query(veil, uses[i]);
        assert_int_equal(answer(veil, description(1, "e", 0, 0, OID_TEXT, 0), NULL), VEIL_PASS);
        assert_int_equal(answer(veil, row(1, "a@b.c"), &out), VEIL_REPLACED);
        assert_row(&out, 1, "[masked:pii]");
        assert_int_equal(answer(veil, text_message('C', "FETCH 1"), NULL), VEIL_PASS);
        assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    }
    buffer_free(&out);
    veil_free(veil);
}

static void names_that_begin_alike_are_one_name_as_for_the_server(void **state)
{
    (void)state;
    char one[80], two[80];
    memset(one, 'n', sizeof one);
    memset(two, 'n', sizeof two);
    one[63] = 'a', two[63] = 'b', one[64] = two[64] = '\0';
    struct fate shown[] = { SHOWN }, masked[] = { MASKED };
    struct lineage before = lineage_of(LINEAGE_ROWS, shown, 1), after = lineage_of(LINEAGE_ROWS, masked, 1);
    struct veil *veil = veil_of();
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(veil_parse(veil, one, &before), 0);
    assert_int_equal(veil_close(veil, 'S', two), 0);
    assert_int_equal(veil_parse(veil, two, &after), 0);
    struct veil_formats text = { .how = FORMATS_TEXT };
    assert_int_equal(veil_bind(veil, two, one, NULL, &text), 0);
    assert_int_equal(veil_execute(veil, one), 0);
    for (const char *types = "1312"; *types; types++)
        assert_int_equal(answer(veil, message_of((uint8_t)*types), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, row(1, "a@b.c"), &out), VEIL_REPLACED);
    buffer_free(&out);
    veil_free(veil);
}

static void rows_of_what_nobody_made_are_masked_whole(void **state)
{
    (void)state;
    struct lineage fetch = { .form = LINEAGE_FETCH, .name = (char *)"refcursor" };
    struct veil *veil = veil_with(fetch);
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(answer(veil, description(2, "a", 0, 0, OID_TEXT, 0, "b", 0, 0, OID_INT4, 0), NULL),
                     VEIL_PASS);
    assert_int_equal(answer(veil, row(2, "a@b.c", "7"), &out), VEIL_REPLACED);
    assert_row(&out, 2, "[masked:pii]", "0");
    buffer_free(&out);
    veil_free(veil);
}

static void answers_to_nothing_are_faults(void **state)
{
    (void)state;
    struct veil *veil = veil_of();
    assert_int_equal(answer(veil, row(1, "x"), NULL), VEIL_UNEXPECTED);
    assert_int_equal(answer(veil, description(1, "x", 0, 0, OID_TEXT, 0), NULL), VEIL_UNEXPECTED);
    assert_int_equal(answer(veil, text_message('C', "SELECT 1"), NULL), VEIL_UNEXPECTED);
    assert_int_equal(answer(veil, text_message('d', "x\n"), NULL), VEIL_UNEXPECTED);
    nothing_made(veil);
    assert_int_equal(answer(veil, text_message('C', "SELECT 1"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, row(1, "a second result of one statement"), NULL), VEIL_UNEXPECTED);
    veil_free(veil);
}

static void rows_that_do_not_add_up_are_faults(void **state)
{
    (void)state;
    struct fate columns[] = { MASKED };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 1));
    assert_int_equal(answer(veil, text_message('D', ""), NULL), VEIL_UNEXPECTED);
    assert_int_equal(answer(veil, text_message('D', "\1\1\1"), NULL), VEIL_UNEXPECTED);
    assert_int_equal(answer(veil, text_message('T', "\1\1x"), NULL), VEIL_UNEXPECTED);
    veil_free(veil);
}

static void errors_of_what_reads_masked_columns_lose_their_texts(void **state)
{
    (void)state;
    struct fate columns[] = { MASKED };
    struct veil *veil = veil_with(lineage_of(LINEAGE_ROWS, columns, 1));
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(answer(veil, error_of("invalid input syntax: \"a@b.c\"", "Key (email)=(a@b.c)"), &out),
                     VEIL_REPLACED);
    assert_null(memmem(buffer_head(&out), buffer_size(&out), "a@b.c", 5));
    assert_non_null(memmem(buffer_head(&out), buffer_size(&out), "22P02", 5));
    assert_non_null(memmem(buffer_head(&out), buffer_size(&out), "mask \"pii\"", 10));
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    struct lineage plain = { .form = LINEAGE_ROWS, .known = true };
    query(veil, plain);
    assert_int_equal(answer(veil, error_of("no such table", "none"), NULL), VEIL_PASS);
    buffer_free(&out);
    veil_free(veil);
}

static void assert_copied(struct veil *veil, const char *line, const char *expected)
{
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(answer(veil, text_message('d', line), &out), VEIL_REPLACED);
    assert_int_equal(buffer_size(&out), strlen(expected) + 5);
    assert_memory_equal(buffer_head(&out) + 5, expected, strlen(expected));
    assert_int_equal(buffer_head(&out)[4], strlen(expected) + 4);
    buffer_free(&out);
}

static void copied_lines_are_masked_by_column(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, MASKED, SHOWN };
    struct veil *veil = veil_with(lineage_of(LINEAGE_COPY_OUT, columns, 3));
    assert_int_equal(answer(veil, copy_begins(false), NULL), VEIL_PASS);
    assert_copied(veil, "1\ta@b.c\tx\n", "1\t[masked:pii]\tx\n");
    assert_copied(veil, "1\ta\\tb\\nc\\\\\tx\\ty\n", "1\t[masked:pii]\tx\\ty\n");
    assert_copied(veil, "1\t4711\tx\n", "1\t0\tx\n");
    assert_int_equal(answer(veil, text_message('d', "1\t\\N\tx\n"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, text_message('d', "no end of line"), NULL), VEIL_UNEXPECTED);
    assert_int_equal(answer(veil, text_message('d', "1\ta\tx\n2\tb\ty\n"), NULL), VEIL_UNEXPECTED);
    veil_free(veil);
}

/* COPY … (NULL 'a@b.c') does not tell which of the two it was. */
static void a_copied_value_that_looks_like_null_is_masked(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, MASKED };
    struct lineage lineage = lineage_of(LINEAGE_COPY_OUT, columns, 2);
    lineage.copy.null = (char *)"a@b.c";
    struct veil *veil = veil_with(lineage);
    assert_int_equal(answer(veil, copy_begins(false), NULL), VEIL_PASS);
    assert_copied(veil, "1\ta@b.c\n", "1\t[masked:pii]\n");
    assert_copied(veil, "a@b.c\tx\n", "a@b.c\t[masked:pii]\n");
    veil_free(veil);
}

static void copied_binary_rows_have_null_in_the_place_of_what_is_masked(void **state)
{
    (void)state;
    struct fate columns[] = { SHOWN, MASKED };
    struct veil *veil = veil_with(lineage_of(LINEAGE_COPY_OUT, columns, 2));
    struct message m = message_of('d');
    struct buffer out;
    buffer_init(&out, OUT);
    assert_int_equal(answer(veil, copy_begins(true), NULL), VEIL_PASS);
    assert_int_equal(buffer_append(&m.body, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19), 0);
    assert_int_equal(buffer_append(&m.body, "\0\2\0\0\0\1x\0\0\0\3abc", 14), 0);
    assert_int_equal(answer(veil, m, &out), VEIL_REPLACED);
    assert_memory_equal(buffer_head(&out) + 5 + 19, "\0\2\0\0\0\1x\377\377\377\377", 11);
    assert_int_equal(buffer_size(&out), 5 + 19 + 11);
    m = message_of('d');
    assert_int_equal(buffer_append(&m.body, "\377\377", 2), 0);
    assert_int_equal(answer(veil, m, NULL), VEIL_PASS);
    buffer_free(&out);
    veil_free(veil);
}

static void a_sync_behind_a_copy_from_is_not_answered(void **state)
{
    (void)state;
    struct veil *veil = veil_of();
    bind_portal(veil, "s", lineage_of(LINEAGE_NO_ROWS, NULL, 0), "",
                (struct veil_formats){ .how = FORMATS_TEXT });
    assert_int_equal(veil_execute(veil, ""), 0);
    assert_int_equal(veil_sync(veil), 0);
    assert_int_equal(answer(veil, message_of('G'), NULL), VEIL_PASS);
    veil_copied(veil);
    assert_int_equal(veil_sync(veil), 0);
    assert_int_equal(veil_describe(veil, 'S', "s"), 0);
    assert_int_equal(answer(veil, text_message('C', "COPY 1"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, text_message('Z', "I"), NULL), VEIL_PASS);
    assert_int_equal(answer(veil, message_of('n'), NULL), VEIL_PASS);
    veil_free(veil);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_masked_cell_is_replaced_and_the_others_stay),
        cmocka_unit_test(what_the_server_says_of_a_column_counts_as_well),
        cmocka_unit_test(system_columns_of_a_followed_table_are_shown),
        cmocka_unit_test(another_number_of_columns_than_was_followed_masks_all),
        cmocka_unit_test(without_a_description_masked_cells_are_null),
        cmocka_unit_test(the_formats_of_the_bind_count_for_an_execute),
        cmocka_unit_test(after_an_error_the_rest_of_the_pipeline_has_no_answers),
        cmocka_unit_test(a_query_that_the_server_skips_lends_its_plan_to_nothing),
        cmocka_unit_test(null_of_something_computed_is_masked_too),
        cmocka_unit_test(what_the_server_did_not_confirm_does_not_count),
        cmocka_unit_test(cursors_and_prepared_statements_have_the_columns_that_they_were_made_with),
        cmocka_unit_test(names_that_begin_alike_are_one_name_as_for_the_server),
        cmocka_unit_test(rows_of_what_nobody_made_are_masked_whole),
        cmocka_unit_test(answers_to_nothing_are_faults),
        cmocka_unit_test(rows_that_do_not_add_up_are_faults),
        cmocka_unit_test(errors_of_what_reads_masked_columns_lose_their_texts),
        cmocka_unit_test(copied_lines_are_masked_by_column),
        cmocka_unit_test(a_copied_value_that_looks_like_null_is_masked),
        cmocka_unit_test(copied_binary_rows_have_null_in_the_place_of_what_is_masked),
        cmocka_unit_test(a_sync_behind_a_copy_from_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
