/* Whatever a server answers, behind masks by column; the input's first byte chooses what was asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "channels/pg/veil.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEADER = 5, OUT_MAX = 1024 * 1024 };

static char name_of_mask[] = "m", null_of_copy[] = "\\N";
static Ipc__Mask text_of_mask = { .name = name_of_mask };
static const struct mask mask = { .text = &text_of_mask, .kind = MASK_PARTIAL };

static void ask(struct veil *veil, uint8_t choice)
{
    struct fate columns[] = { { .mask = NULL }, { .mask = &mask }, { .mask = &mask, .computed = true } };
    struct lineage lineage = { .form = choice & 1 ? LINEAGE_COPY_OUT : LINEAGE_ROWS,
                               .known = choice & 2,
                               .columns = columns,
                               .n_columns = 3,
                               .any = { .mask = &mask } };
    lineage.copy = (struct copy_shape){ .form = choice & 4 ? COPY_CSV : COPY_TEXT,
                                        .delimiter = choice & 4 ? ',' : '\t',
                                        .quote = '"',
                                        .escape = choice & 8 ? '\\' : '"',
                                        .header = choice & 16,
                                        .null = null_of_copy };
    struct lineage both[] = { lineage, lineage };
    struct lineages lineages = { both, 2 };
    struct veil_formats formats = { .how = choice & 32 ? FORMATS_BINARY : FORMATS_TEXT };
    int r = choice & 64 ? veil_query(veil, &lineages, 2) : veil_parse(veil, "s", &lineage);
    if (r == 0 && !(choice & 64))
        r = veil_bind(veil, "p", "s", NULL, &formats);
    if (r == 0 && !(choice & 64))
        r = veil_describe(veil, 'P', "p");
    if (r == 0 && !(choice & 64))
        r = veil_execute(veil, "p");
    if (r != 0 || veil_sync(veil) != 0)
        abort();
}

/* What takes a message's place is a message of the same type and of its own length. */
static void check(const struct buffer *out, uint8_t type)
{
    const uint8_t *b = buffer_head(out);
    size_t n = buffer_size(out);
    if (n < HEADER || b[0] != type ||
        ((size_t)b[1] << 24 | (size_t)b[2] << 16 | (size_t)b[3] << 8 | b[4]) != n - 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    CLEANUP(veil_free) struct veil *veil = NULL;
    if (veil_new(&(const struct veil_how){ .worst = &mask }, &veil) != 0)
        abort();
    ask(veil, bytes[0]);
    struct reader input = reader_of(bytes + 1, n - 1);
    uint8_t type = 0;
    uint16_t size = 0;
    const uint8_t *body = NULL;
    while (reader_u8(&input, &type) && reader_u16(&input, &size) && reader_bytes(&input, size, &body)) {
        struct buffer out;
        buffer_init(&out, OUT_MAX);
        int r = veil_answer(veil, type, reader_of(body, size), &out);
        if (r == VEIL_REPLACED)
            check(&out, type);
        buffer_free(&out);
        if (r != VEIL_PASS && r != VEIL_REPLACED)
            break;
    }
    return 0;
}
