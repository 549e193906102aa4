/* Plans: which cells of a result are masked, and how rows are rewritten. */
#include "channels/pg/veil_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "policy/mask_value.h"

int veil_plan_new(const struct lineage *lineage, const struct mask *worst, struct veil_plan **ret)
{
    static const struct lineage unknown = { .form = LINEAGE_ROWS };
    struct veil_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return -ENOMEM;
    int r = lineage_copy(lineage ? lineage : &unknown, &plan->lineage);
    if (r) {
        free(plan);
        return r;
    }
    plan->references = 1;
    plan->worst = worst;
    if (!lineage)
        plan->lineage.any = (struct fate){ .mask = worst, .computed = true };
    plan->hides_texts = (plan->lineage.any.mask && !plan->lineage.any.missing) || plan->lineage.predicate ||
                        plan->lineage.unmask || plan->lineage.quotes;
    for (size_t i = 0; i < plan->lineage.n_origins; i++)
        plan->hides_texts |= plan->lineage.origins[i].fate.mask != NULL;
    *ret = plan;
    return 0;
}

struct veil_plan *veil_plan_share(struct veil_plan *plan)
{
    if (plan)
        plan->references++;
    return plan;
}

void veil_plan_free(struct veil_plan *plan)
{
    if (!plan || --plan->references)
        return;
    lineage_clear(&plan->lineage);
    free(plan->cells);
    free(plan);
}

/* ---- RowDescription ---- */

struct field {
    const char *name;
    uint32_t relation, type;
    uint16_t number, format;
};

static bool read_field(struct reader *body, struct field *ret)
{
    uint16_t size = 0;
    uint32_t modifier = 0;
    return reader_cstring(body, &ret->name) && reader_u32(body, &ret->relation) &&
           reader_u16(body, &ret->number) && reader_u32(body, &ret->type) && reader_u16(body, &size) &&
           reader_u32(body, &modifier) && reader_u16(body, &ret->format);
}

bool veil_plan_describe(struct veil_plan *plan, struct reader body, int *ret_error)
{
    uint16_t n = 0;
    *ret_error = 0;
    if (!reader_u16(&body, &n))
        return false;
    struct cell *cells = calloc(n ? n : 1U, sizeof *cells);
    if (!cells) {
        *ret_error = -ENOMEM;
        return false;
    }
    free(plan->cells);
    plan->cells = cells;
    plan->n_cells = n;
    plan->described = true;
    for (uint16_t i = 0; i < n; i++) {
        struct field field = { 0 };
        if (!read_field(&body, &field) || field.format > 1)
            return false;
        cells[i].fate = lineage_vote(&plan->lineage, i, n, field.relation, field.number, plan->worst);
        cells[i].type = (struct mask_type){ .oid = field.type,
                                            .binary = field.format == 1,
                                            .shape = cells[i].fate.computed ? 0 : cells[i].fate.shape };
    }
    return reader_done(&body);
}

static bool is_binary(const struct veil_formats *formats, size_t i, bool described)
{
    switch (formats->how) {
    case FORMATS_TEXT:
        return false;
    case FORMATS_BINARY:
        return true;
    case FORMATS_LISTED:
        return i < formats->n && formats->binary[i];
    case FORMATS_DESCRIBED:
    case FORMATS_UNKNOWN:
        break;
    }
    return described;
}

struct cell veil_plan_cell(const struct veil_plan *plan, size_t i, size_t n,
                           const struct veil_formats *formats)
{
    if (!plan->described || plan->n_cells != n)
        return (struct cell){ .fate = lineage_vote(&plan->lineage, i, n, 0, 0, plan->worst) };
    struct cell cell = plan->cells[i];
    cell.type.binary = is_binary(formats, i, cell.type.binary);
    if (formats->how == FORMATS_UNKNOWN)
        cell.type.oid = 0, cell.type.shape = 0;
    return cell;
}

/* ---- formats ---- */

int veil_formats_read(struct reader formats, size_t n, struct veil_formats *ret)
{
    *ret = (struct veil_formats){ .how = FORMATS_TEXT };
    if (n == 0)
        return 0;
    uint8_t *binary = calloc(n, 1);
    if (!binary)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint16_t format = 0;
        if (!reader_u16(&formats, &format))
            break;
        binary[i] = format != 0;
    }
    if (n == 1) {
        ret->how = binary[0] ? FORMATS_BINARY : FORMATS_TEXT;
        free(binary);
        return 0;
    }
    *ret = (struct veil_formats){ .how = FORMATS_LISTED, .binary = binary, .n = n };
    return 0;
}

void veil_formats_clear(struct veil_formats *formats)
{
    free(formats->binary);
    *formats = (struct veil_formats){ .how = FORMATS_DESCRIBED };
}

/* ---- rows ---- */

enum { FIXED_MAX = 16 }; /* bytes of the longest binary value that holds no text: uuid, interval */

/* Detectors read text; a binary value of a type whose binary form is its text is one. */
static bool is_readable(struct mask_type type)
{
    enum {
        JSON = 114,
        XML = 142,
        TEXT = 25,
        NAME = 19,
        CHARACTER = 1042,
        VARYING = 1043,
        JSONB = 3802,
        UNKNOWN = 705
    };
    if (!type.binary)
        return true;
    switch (type.oid) {
    case JSON:
    case XML:
    case TEXT:
    case NAME:
    case CHARACTER:
    case VARYING:
    case JSONB:
    case UNKNOWN:
        return true;
    default:
        return type.oid == 0 || type.oid >= CATALOG_PINNED;
    }
}

/* Texts inside of a binary array, row or range. 1: something was found; its lengths would not fit any more,
 * so that nothing of it is shown. */
static int detect_inside(const struct veil_how *how, const void *value, size_t n)
{
    struct buffer unused;
    buffer_init(&unused, VEIL_MESSAGE_MAX);
    int r = detect_block(how->detectors, how->detect, value, n, &unused, NULL);
    buffer_free(&unused);
    return r;
}

bool veil_hides_null(struct cell cell)
{
    return cell.fate.mask && cell.fate.computed;
}

int veil_cell(const struct veil_how *how, struct cell cell, const void *value, size_t n, struct buffer *out,
              bool *ret_null)
{
    *ret_null = false;
    if (cell.fate.mask) {
        int r = mask_value(cell.fate, cell.type, how->key, value, n, out, ret_null);
        return r ? r : 1;
    }
    if (how->detectors && is_readable(cell.type)) {
        int r = detect_block(how->detectors, how->detect, value, n, out, NULL);
        if (r)
            return r;
    } else if (how->detectors && n > FIXED_MAX) {
        int r = detect_inside(how, value, n);
        *ret_null = r == 1;
        if (r)
            return r;
    }
    return buffer_append(out, value, n);
}

static void put_u32_at(struct buffer *out, size_t at, uint32_t v)
{
    uint8_t *p = (uint8_t *)(uintptr_t)buffer_head(out) + at;
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int put_cell(const struct veil_how *how, struct cell cell, struct reader *body, struct buffer *out,
                    bool *changed)
{
    uint32_t size = 0;
    const uint8_t *value = NULL;
    bool null = false;
    if (!reader_u32(body, &size))
        return VEIL_UNEXPECTED;
    size_t at = buffer_size(out);
    int r = buffer_put_u32(out, size);
    bool is_null = size == UINT32_MAX;
    if (r || (is_null && !veil_hides_null(cell)))
        return r;
    if (!is_null && !reader_bytes(body, size, &value))
        return VEIL_UNEXPECTED;
    r = veil_cell(how, cell, is_null ? (const uint8_t *)"" : value, is_null ? 0 : size, out, &null);
    if (r < 0)
        return r;
    *changed |= r == 1;
    put_u32_at(out, at, null ? UINT32_MAX : (uint32_t)(buffer_size(out) - at - 4));
    return 0;
}

int veil_row(const struct veil_how *how, const struct veil_plan *plan, const struct veil_formats *formats,
             struct reader body, struct buffer *out)
{
    size_t start = buffer_size(out);
    uint16_t n = 0;
    bool changed = false;
    if (!reader_u16(&body, &n))
        return VEIL_UNEXPECTED;
    int r = buffer_put_u8(out, 'D');
    r = r ? r : buffer_put_u32(out, 0);
    r = r ? r : buffer_put_u16(out, n);
    for (uint16_t i = 0; r == 0 && i < n; i++) {
        struct cell cell = { .type = { .binary = formats->how != FORMATS_TEXT } };
        if (plan)
            cell = veil_plan_cell(plan, i, n, formats);
        r = put_cell(how, cell, &body, out, &changed);
    }
    if (r)
        return r;
    if (!reader_done(&body))
        return VEIL_UNEXPECTED;
    veil_end_message(out, start);
    return changed ? VEIL_REPLACED : VEIL_PASS;
}
