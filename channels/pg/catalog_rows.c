/* A row is a list of fields, each a text or a text[]; both in binary, where nothing that a name may contain
 * can be mistaken for the end of it. */
#include "channels/pg/catalog_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 20, ARRAY_MAX = 65536, TEXT_OID = 25 };

struct field {
    struct reader bytes;
    bool null;
};

struct row {
    struct field fields[FIELDS_MAX];
    size_t n;
    uint64_t mark; /* of its bytes */
};

/* Memory that goes with the rows. */
struct scrap {
    struct scrap *next;
    _Alignas(max_align_t) char bytes[];
};

void rows_free(struct rows *rows)
{
    while (rows->scraps) {
        struct scrap *scrap = rows->scraps;
        rows->scraps = scrap->next;
        free(scrap);
    }
    free(rows->items);
    *rows = (struct rows){ .n = 0 };
}

static void *keep(struct rows *rows, size_t size)
{
    struct scrap *scrap = calloc(1, sizeof *scrap + size + 1);
    if (!scrap)
        return NULL;
    scrap->next = rows->scraps;
    rows->scraps = scrap;
    return scrap->bytes;
}

static uint64_t hash(uint64_t mark, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mark = (mark ^ bytes[i]) * 1099511628211u;
    return mark;
}

int rows_add(struct rows *rows, struct reader body)
{
    uint16_t n = 0;
    struct row row = { .mark = hash(14695981039346656037u, body.next, reader_left(&body)) };
    if (!reader_u16(&body, &n) || n > FIELDS_MAX)
        return -EPROTO;
    for (; row.n < n; row.n++) {
        uint32_t length = 0;
        const uint8_t *bytes = NULL;
        if (!reader_u32(&body, &length))
            return -EPROTO;
        row.fields[row.n].null = length == UINT32_MAX;
        if (length == UINT32_MAX)
            continue;
        if (!reader_bytes(&body, length, &bytes))
            return -EPROTO;
        row.fields[row.n].bytes = reader_of(bytes, length);
    }
    if (!reader_done(&body))
        return -EPROTO;
    if (rows->n == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 16;
        struct row *items = reallocarray(rows->items, capacity, sizeof *items);
        if (!items)
            return -ENOMEM;
        rows->items = items;
        rows->capacity = capacity;
    }
    rows->items[rows->n++] = row;
    return 0;
}

/* ---- fields ---- */

/* Takes the fields of a row in order; the first failure stays. */
struct taker {
    struct rows *rows;
    struct row *row;
    size_t at;
    int error;
};

static const char *copy(struct taker *t, struct reader bytes)
{
    size_t n = reader_left(&bytes);
    char *text = keep(t->rows, n);
    if (!text) {
        t->error = -ENOMEM;
        return "";
    }
    if (n > 0)
        memcpy(text, bytes.next, n);
    return text;
}

static struct field *next(struct taker *t)
{
    static struct field none = { .null = true };
    if (t->at < t->row->n)
        return &t->row->fields[t->at++];
    t->error = t->error ? t->error : -EPROTO;
    return &none;
}

static const char *text_or_null(struct taker *t)
{
    const struct field *field = next(t);
    return field->null ? NULL : copy(t, field->bytes);
}

static const char *text(struct taker *t)
{
    const char *text = text_or_null(t);
    if (!text)
        t->error = t->error ? t->error : -EPROTO;
    return text ? text : "";
}

static uint32_t number(struct taker *t)
{
    return (uint32_t)strtoul(text(t), NULL, 10);
}

static bool truth(struct taker *t)
{
    return *text(t) == 't';
}

static char letter(struct taker *t)
{
    return *text(t);
}

/* The elements of a text[]. */
static const char *const *list(struct taker *t, size_t *ret_n)
{
    const struct field *field = next(t);
    struct reader bytes = field->bytes;
    uint32_t dimensions = 0, flags = 0, type = 0, n = 0, from = 0;
    *ret_n = 0;
    if (field->null || !reader_u32(&bytes, &dimensions) || !reader_u32(&bytes, &flags) ||
        !reader_u32(&bytes, &type) || dimensions > 1 || type != TEXT_OID) {
        t->error = t->error ? t->error : -EPROTO;
        return NULL;
    }
    if (dimensions == 0)
        return NULL;
    if (!reader_u32(&bytes, &n) || !reader_u32(&bytes, &from) || n > ARRAY_MAX) {
        t->error = -EPROTO;
        return NULL;
    }
    const char **items = keep(t->rows, n * sizeof *items);
    for (uint32_t i = 0; items && i < n; i++) {
        uint32_t length = 0;
        const uint8_t *at = NULL;
        if (!reader_u32(&bytes, &length) || !reader_bytes(&bytes, length, &at)) {
            t->error = -EPROTO;
            return NULL;
        }
        items[i] = copy(t, reader_of(at, length));
    }
    t->error = items ? t->error : -ENOMEM;
    *ret_n = items ? n : 0;
    return items;
}

/* Lists by turns, cut at CATALOG_RELATED_MAX. */
static size_t turns(struct taker *t, size_t n, size_t width, bool *overflow)
{
    if (n % width != 0)
        t->error = -EPROTO;
    *overflow = *overflow || n / width > CATALOG_RELATED_MAX;
    return n / width > CATALOG_RELATED_MAX ? CATALOG_RELATED_MAX : n / width;
}

static const struct catalog_name *names(struct taker *t, size_t *ret_n, bool *overflow)
{
    size_t n = 0;
    const char *const *texts = list(t, &n);
    n = turns(t, n, 2, overflow);
    struct catalog_name *found = keep(t->rows, n * sizeof *found);
    for (size_t i = 0; found && i < n; i++)
        found[i] = (struct catalog_name){ texts[2 * i], texts[2 * i + 1] };
    *ret_n = found ? n : 0;
    return found;
}

/* ---- relations ---- */

static void take_columns(struct taker *t, struct catalog_relation *r)
{
    size_t n = 0, n_numbers = 0, n_types = 0, n_classes = 0;
    const char *const *called = list(t, &n), *const *numbers = list(t, &n_numbers),
                      *const *types = list(t, &n_types), *const *classes = list(t, &n_classes);
    struct catalog_column *columns = keep(t->rows, n * sizeof *columns);
    if (n != n_numbers || n != n_types || n != n_classes)
        t->error = -EPROTO;
    for (size_t i = 0; columns && !t->error && i < n; i++) {
        uint32_t type = (uint32_t)strtoul(types[i], NULL, 10);
        columns[i] = (struct catalog_column){ called[i],     (uint16_t)strtoul(numbers[i], NULL, 10),
                                              type,          type >= CATALOG_PINNED,
                                              classes[i][0], classes[i][0] ? classes[i][1] : '\0' };
    }
    r->columns = columns;
    r->n_columns = columns ? n : 0;
}

static void take_reads(struct taker *t, struct catalog_relation *r)
{
    enum { WIDTH = 5 };
    size_t n = 0;
    const char *const *texts = list(t, &n);
    n = turns(t, n, WIDTH, &r->overflow);
    struct catalog_read *reads = keep(t->rows, n * sizeof *reads);
    for (size_t i = 0; reads && i < n; i++) {
        const char *const *at = texts + WIDTH * i;
        reads[i] = (struct catalog_read){ (uint32_t)strtoul(at[0], NULL, 10), at[1], at[2],
                                          *at[3] ? at[3] : NULL, (uint16_t)strtoul(at[4], NULL, 10) };
    }
    r->reads = reads;
    r->n_reads = reads ? n : 0;
}

static void take_ties(struct taker *t, struct catalog_relation *r)
{
    enum { WIDTH = 5 };
    size_t n = 0;
    const char *const *texts = list(t, &n);
    n = turns(t, n, WIDTH, &r->overflow);
    struct catalog_tie *ties = keep(t->rows, n * sizeof *ties);
    for (size_t i = 0; ties && i < n; i++) {
        const char *const *at = texts + WIDTH * i;
        ties[i] = (struct catalog_tie){ *at[0], at[1], at[2], at[3], at[4] };
    }
    r->ties = ties;
    r->n_ties = ties ? n : 0;
}

static int take_relation(struct rows *rows, struct row *row, struct catalog_relation *r)
{
    struct taker t = { .rows = rows, .row = row };
    *r = (struct catalog_relation){ .oid = number(&t) };
    r->schema = text(&t);
    r->name = text(&t);
    r->owner = text(&t);
    r->kind = letter(&t);
    r->row_security = truth(&t);
    r->rewritten = truth(&t);
    r->type = number(&t);
    r->definition = text_or_null(&t);
    take_columns(&t, r);
    take_reads(&t, r);
    take_ties(&t, r);
    r->ancestors = names(&t, &r->n_ancestors, &r->overflow);
    r->descendants = names(&t, &r->n_descendants, &r->overflow);
    r->followers = names(&t, &r->n_followers, &r->overflow);
    r->triggers = names(&t, &r->n_triggers, &r->overflow);
    r->defaults = names(&t, &r->n_defaults, &r->overflow);
    return t.error;
}

/* ---- functions, types, basics ---- */

static int take_function(struct rows *rows, struct row *row, struct catalog_function *f)
{
    struct taker t = { .rows = rows, .row = row };
    *f = (struct catalog_function){ .oid = number(&t) };
    f->schema = text(&t);
    f->name = text(&t);
    f->owner = text(&t);
    f->language = text(&t);
    f->kind = letter(&t);
    f->volatility = letter(&t);
    f->security_definer = truth(&t);
    f->trusted_owner = truth(&t);
    f->trusted_language = truth(&t);
    f->harmless_parts = truth(&t);
    f->returns_set = truth(&t);
    f->n_arguments = (uint16_t)number(&t);
    f->n_defaults = (uint16_t)number(&t);
    f->variadic = truth(&t);
    f->result = number(&t);
    f->results = list(&t, &f->n_results);
    return t.error;
}

static int take_type(struct rows *rows, struct row *row, struct catalog_type *type)
{
    struct taker t = { .rows = rows, .row = row };
    *type = (struct catalog_type){ .oid = number(&t) };
    type->schema = text(&t);
    type->name = text(&t);
    type->kind = letter(&t);
    type->element = number(&t);
    type->base = number(&t);
    type->relation = number(&t);
    type->checked = truth(&t);
    return t.error;
}

static const struct catalog_hook *hooks(struct taker *t, size_t *ret_n, bool *overflow)
{
    enum { WIDTH = 5, HOOKS_MAX = 1024 };
    size_t n = 0;
    const char *const *texts = list(t, &n);
    n = turns(t, n, WIDTH, overflow);
    *overflow = *overflow || n > HOOKS_MAX;
    struct catalog_hook *found = keep(t->rows, n * sizeof *found);
    for (size_t i = 0; found && i < n; i++) {
        const char *const *at = texts + WIDTH * i;
        found[i] = (struct catalog_hook){ at[0], at[1], { at[2], at[3] }, *at[4] == 't' };
    }
    *ret_n = found ? n : 0;
    return found;
}

static int take_basics(struct rows *rows, struct row *row, struct catalog_basics *b)
{
    enum { SCHEMAS_MAX = 20000 };
    struct taker t = { .rows = rows, .row = row };
    size_t n = 0, n_usable = 0;
    *b = (struct catalog_basics){ .login = text(&t) };
    b->search_path = text(&t);
    const char *const *called = list(&t, &n), *const *usable = list(&t, &n_usable);
    struct catalog_schema *schemas = keep(rows, n * sizeof *schemas);
    if (n != n_usable || !schemas)
        return schemas ? -EPROTO : -ENOMEM;
    for (size_t i = 0; i < n; i++)
        schemas[i] = (struct catalog_schema){ called[i], *usable[i] == 't' };
    b->schemas = schemas;
    b->n_schemas = n;
    b->overflow = n > SCHEMAS_MAX;
    b->operators = hooks(&t, &b->n_operators, &b->overflow);
    b->casts = hooks(&t, &b->n_casts, &b->overflow);
    b->namesakes = list(&t, &b->n_namesakes);
    return t.error;
}

/* ---- one want ---- */

enum { OID_FIELD = 0, NAME_FIELD = 2 };

static bool is_of(const struct row *row, size_t field, const char *key)
{
    const struct reader *bytes = &row->fields[field].bytes;
    return row->n > field && reader_left(bytes) == strlen(key) && memcmp(bytes->next, key, strlen(key)) == 0;
}

/* The rows of this key, decoded one behind the other: n, or negative errno. */
static ssize_t gather(struct rows *rows, const struct catalog_want *want, size_t field, size_t size,
                      int (*take)(struct rows *rows, struct row *row, void *item), void **ret,
                      uint64_t *ret_mark)
{
    size_t n = 0, i = 0;
    for (i = 0; i < rows->n; i++)
        n += is_of(&rows->items[i], field, want->key) ? 1 : 0;
    char *items = keep(rows, n * size);
    if (!items)
        return -ENOMEM;
    *ret = items;
    *ret_mark = 1;
    for (i = 0; i < rows->n; i++) {
        if (!is_of(&rows->items[i], field, want->key))
            continue;
        int r = take(rows, &rows->items[i], items);
        if (r)
            return r;
        items += size;
        *ret_mark = hash(*ret_mark, (const uint8_t *)&rows->items[i].mark, sizeof rows->items[i].mark);
    }
    return (ssize_t)n;
}

static int any_relation(struct rows *rows, struct row *row, void *item)
{
    return take_relation(rows, row, item);
}

static int any_function(struct rows *rows, struct row *row, void *item)
{
    return take_function(rows, row, item);
}

static int any_type(struct rows *rows, struct row *row, void *item)
{
    return take_type(rows, row, item);
}

static int put_basics(struct rows *rows, struct catalog *catalog)
{
    struct catalog_basics basics;
    if (rows->n != 1)
        return -EPROTO;
    int r = take_basics(rows, &rows->items[0], &basics);
    return r ? r : catalog_put_basics(catalog, &basics, rows->items[0].mark);
}

int rows_put(struct rows *rows, struct catalog *catalog, const struct catalog_want *want)
{
    void *items = NULL;
    uint64_t mark = 0;
    ssize_t n = 0;
    uint32_t oid = (uint32_t)strtoul(want->key, NULL, 10);
    switch (want->kind) {
    case CATALOG_RELATIONS:
        n = gather(rows, want, NAME_FIELD, sizeof(struct catalog_relation), any_relation, &items, &mark);
        return n < 0 ? (int)n : catalog_put_relations(catalog, want->key, items, (size_t)n, mark);
    case CATALOG_RELATION_OF_OID:
        n = gather(rows, want, OID_FIELD, sizeof(struct catalog_relation), any_relation, &items, &mark);
        return n < 0 ? (int)n : catalog_put_relation_of_oid(catalog, oid, n ? items : NULL, mark);
    case CATALOG_FUNCTIONS:
        n = gather(rows, want, NAME_FIELD, sizeof(struct catalog_function), any_function, &items, &mark);
        return n < 0 ? (int)n : catalog_put_functions(catalog, want->key, items, (size_t)n, mark);
    case CATALOG_TYPES:
        n = gather(rows, want, NAME_FIELD, sizeof(struct catalog_type), any_type, &items, &mark);
        return n < 0 ? (int)n : catalog_put_types(catalog, want->key, items, (size_t)n, mark);
    case CATALOG_TYPE_OF_OID:
        n = gather(rows, want, OID_FIELD, sizeof(struct catalog_type), any_type, &items, &mark);
        return n < 0 ? (int)n : catalog_put_type_of_oid(catalog, oid, n ? items : NULL, mark);
    case CATALOG_BASICS:
        return put_basics(rows, catalog);
    case CATALOG_KINDS:
        break;
    }
    return -EINVAL;
}
