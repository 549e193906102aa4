/* Which answer belongs to what: a queue of what went to the server, in order. Names of statements and portals
 * are looked up when their answer comes, so that they mean what they meant to the server then. After an error
 * the server skips to the next Sync, and so does the queue. */
#include "channels/pg/veil_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum expected_kind {
    EXPECT_QUERY,
    EXPECT_PARSE,
    EXPECT_BIND,
    EXPECT_DESCRIBE,
    EXPECT_CLOSE,
    EXPECT_EXECUTE,
    EXPECT_SYNC
};

enum { NAMES_MAX = 128 * 1024, EXECUTES_MAX = 8 /* EXECUTE of EXECUTE … */ };

struct expected {
    struct expected *next;
    enum expected_kind kind;
    bool portal;                 /* Describe and Close: of a portal, else a statement */
    char *name, *statement;      /* or NULL; a Bind has both */
    struct veil_formats formats; /* of a Bind */
    size_t n, at;                /* of a Query: its statements, and which of them is being answered */
    struct veil_plan *plans[];   /* of Query, Parse and Bind */
};

struct veil {
    struct veil_how how;
    struct veil_plan *unknown; /* of what nobody has seen being made */
    struct expected *first, **last;
    const struct expected *marked; /* in there; or NULL */
    size_t count;
    bool skipping; /* after an error: the server drops what comes until a Sync */
    struct table statements, portals;
    struct veil_copying copying;
};

int veil_new(const struct veil_how *how, struct veil **ret)
{
    struct veil *veil = calloc(1, sizeof *veil);
    if (!veil)
        return -ENOMEM;
    veil->how = *how;
    veil->last = &veil->first;
    table_init(&veil->statements);
    table_init(&veil->portals);
    int r = veil_plan_new(NULL, how->worst, &veil->unknown);
    if (r) {
        veil_free(veil);
        return r;
    }
    *ret = veil;
    return 0;
}

static void expected_free(struct expected *expected)
{
    for (size_t i = 0; i < expected->n; i++)
        veil_plan_free(expected->plans[i]);
    veil_formats_clear(&expected->formats);
    free(expected->name);
    free(expected->statement);
    free(expected);
}

static void pop(struct veil *veil)
{
    struct expected *first = veil->first;
    if (veil->marked == first)
        veil->marked = NULL;
    veil->first = first->next;
    if (!veil->first)
        veil->last = &veil->first;
    veil->count--;
    expected_free(first);
}

void veil_free(struct veil *veil)
{
    if (!veil)
        return;
    while (veil->first)
        pop(veil);
    veil_names_free(&veil->statements);
    veil_names_free(&veil->portals);
    veil_plan_free(veil->unknown);
    free(veil);
}

/* ---- what goes to the server ---- */

/* *ret is NULL, with 0, when the server will skip it. */
static int push(struct veil *veil, enum expected_kind kind, const char *name, size_t n, struct expected **ret)
{
    *ret = NULL;
    if (kind == EXPECT_SYNC)
        veil->skipping = false;
    if (veil->skipping)
        return 0;
    if (veil->count == VEIL_EXPECTED_MAX)
        return VEIL_LIMIT;
    struct expected *expected = calloc(1, sizeof *expected + n * sizeof(struct veil_plan *));
    if (!expected)
        return -ENOMEM;
    expected->kind = kind;
    if (name && !(expected->name = strdup(name))) {
        free(expected);
        return -ENOMEM;
    }
    *veil->last = expected;
    veil->last = &expected->next;
    veil->count++;
    *ret = expected;
    return 0;
}

/* A failure leaves the queue with a plan too few: the session stops. */
static int add_plan(struct veil *veil, struct expected *expected, const struct lineage *lineage)
{
    int r = veil_plan_new(lineage, veil->how.worst, &expected->plans[expected->n]);
    if (r == 0)
        expected->n++;
    return r;
}

int veil_query(struct veil *veil, const struct lineages *lineages, size_t n)
{
    struct expected *expected;
    int r = push(veil, EXPECT_QUERY, NULL, n, &expected);
    for (size_t i = 0; r == 0 && expected && i < n; i++)
        r = add_plan(veil, expected, lineages && i < lineages->count ? &lineages->items[i] : NULL);
    return r;
}

int veil_parse(struct veil *veil, const char *statement, const struct lineage *lineage)
{
    struct expected *expected;
    int r = push(veil, EXPECT_PARSE, statement, 1, &expected);
    return r || !expected ? r : add_plan(veil, expected, lineage);
}

int veil_bind(struct veil *veil, const char *portal, const char *statement, const struct lineage *lineage,
              struct veil_formats *formats)
{
    struct expected *expected;
    int r = push(veil, EXPECT_BIND, portal, 1, &expected);
    if (r == 0 && expected) {
        expected->formats = *formats;
        *formats = (struct veil_formats){ .how = FORMATS_DESCRIBED };
        expected->statement = strdup(statement);
        r = !expected->statement ? -ENOMEM : lineage ? add_plan(veil, expected, lineage) : 0;
    }
    veil_formats_clear(formats);
    return r;
}

static int push_named(struct veil *veil, enum expected_kind kind, uint8_t of, const char *name)
{
    struct expected *expected;
    int r = push(veil, kind, name, 0, &expected);
    if (expected)
        expected->portal = of == 'P';
    return r;
}

int veil_describe(struct veil *veil, uint8_t kind, const char *name)
{
    return push_named(veil, EXPECT_DESCRIBE, kind, name);
}

int veil_close(struct veil *veil, uint8_t kind, const char *name)
{
    return push_named(veil, EXPECT_CLOSE, kind, name);
}

int veil_execute(struct veil *veil, const char *portal)
{
    return push_named(veil, EXPECT_EXECUTE, 'P', portal);
}

int veil_sync(struct veil *veil)
{
    struct expected *expected;
    return push(veil, EXPECT_SYNC, NULL, 0, &expected);
}

void veil_mark(struct veil *veil)
{
    const struct expected *last = veil->skipping ? NULL : veil->first;
    while (last && last->next)
        last = last->next;
    veil->marked = last;
}

bool veil_is_marked(const struct veil *veil)
{
    return veil->marked != NULL;
}

bool veil_is_at_mark(const struct veil *veil)
{
    return veil->marked && veil->first == veil->marked;
}

/* libpq sends a Sync right behind each Execute; a server that has begun COPY FROM STDIN reads it and ignores
 * it. */
void veil_copied(struct veil *veil)
{
    struct expected **from = NULL;
    for (struct expected **slot = &veil->first; *slot; slot = &(*slot)->next)
        if ((*slot)->kind == EXPECT_EXECUTE)
            from = &(*slot)->next;
    while (from && *from && (*from)->kind == EXPECT_SYNC) {
        struct expected *sync = *from;
        *from = sync->next;
        veil->count--;
        expected_free(sync);
    }
    if (from && !*from)
        veil->last = from;
}

/* ---- which result it is ---- */

struct result {
    struct veil_plan *plan;
    const struct veil_formats *formats;
};

static struct result result_of_name(const struct veil *veil, const struct table *names, const char *name)
{
    static const struct veil_formats described = { .how = FORMATS_DESCRIBED };
    const struct named *named = veil_names_find(names, name ? name : "");
    return (struct result){ named ? named->plan : veil->unknown,
                            named && names == &veil->portals ? &named->formats : &described };
}

/* EXECUTE and FETCH have the rows of what they name. */
static struct result follow_names(const struct veil *veil, struct result result)
{
    for (int i = 0; i < EXECUTES_MAX; i++) {
        const struct lineage *lineage = &result.plan->lineage;
        if (lineage->form != LINEAGE_EXECUTE && lineage->form != LINEAGE_FETCH)
            return result;
        const struct veil_formats *formats = result.formats;
        result = result_of_name(veil, lineage->form == LINEAGE_EXECUTE ? &veil->statements : &veil->portals,
                                lineage->name);
        result.formats = formats;
    }
    return (struct result){ veil->unknown, result.formats };
}

/* False: nothing was sent whose answer this could be. */
static bool current(const struct veil *veil, struct result *ret)
{
    static const struct veil_formats described = { .how = FORMATS_DESCRIBED };
    const struct expected *first = veil->first;
    if (!first)
        return false;
    switch (first->kind) {
    case EXPECT_QUERY:
        if (first->at >= first->n)
            return false;
        *ret = (struct result){ first->plans[first->at], &described };
        break;
    case EXPECT_EXECUTE:
        *ret = result_of_name(veil, &veil->portals, first->name);
        break;
    case EXPECT_DESCRIBE:
        *ret = result_of_name(veil, first->portal ? &veil->portals : &veil->statements, first->name);
        break;
    /* Errors of Parse quote what the client itself has sent. */
    default:
        return false;
    }
    *ret = follow_names(veil, *ret);
    return true;
}

/* ---- what the server answers ---- */

static int take_description(struct veil *veil, struct reader body)
{
    struct result result;
    int error = 0;
    if (!current(veil, &result) ||
        (veil->first->kind != EXPECT_QUERY && veil->first->kind != EXPECT_DESCRIBE))
        return VEIL_UNEXPECTED;
    /* Where nothing is masked the server may describe what it likes. */
    bool masks = veil->how.worst || veil->how.detectors;
    bool good = !masks || veil_plan_describe(result.plan, body, &error);
    if (veil->first->kind == EXPECT_DESCRIBE)
        pop(veil);
    return good ? VEIL_PASS : error ? error : VEIL_UNEXPECTED;
}

static int take_row(struct veil *veil, struct reader body, struct buffer *out)
{
    struct result result;
    if (!current(veil, &result) || (veil->first->kind != EXPECT_QUERY && veil->first->kind != EXPECT_EXECUTE))
        return VEIL_UNEXPECTED;
    return veil_row(&veil->how, result.plan, result.formats, body, out);
}

static int take_copy_begin(struct veil *veil, struct reader body)
{
    uint8_t binary = 0;
    if (!reader_u8(&body, &binary))
        return VEIL_UNEXPECTED;
    veil->copying = (struct veil_copying){ .binary = binary == 1 };
    return VEIL_PASS;
}

static int take_copy(struct veil *veil, struct reader body, struct buffer *out)
{
    struct result result;
    if (!current(veil, &result))
        return VEIL_UNEXPECTED;
    return veil_copy_data(&veil->how, result.plan, &veil->copying, body, out);
}

/* What the statement has made. */
static int confirm(struct veil *veil, struct veil_plan *plan)
{
    const struct lineage *lineage = &plan->lineage;
    struct table *names = lineage->form == LINEAGE_PREPARE   ? &veil->statements
                          : lineage->form == LINEAGE_DECLARE ? &veil->portals
                                                             : NULL;
    if (!names || !lineage->name)
        return VEIL_PASS;
    if (names->count >= NAMES_MAX)
        return -ENOBUFS;
    return veil_names_put(names, lineage->name, plan, NULL, true);
}

/* One statement is done. */
static int take_complete(struct veil *veil)
{
    struct expected *first = veil->first;
    int r = VEIL_PASS;
    if (!first || (first->kind != EXPECT_QUERY && first->kind != EXPECT_EXECUTE))
        return VEIL_UNEXPECTED;
    if (first->kind == EXPECT_QUERY) {
        if (first->at < first->n)
            r = confirm(veil, first->plans[first->at]);
        first->at++;
        return r;
    }
    const struct named *portal = veil_names_find(&veil->portals, first->name);
    if (portal)
        r = confirm(veil, portal->plan);
    pop(veil);
    return r;
}

/* ParseComplete, BindComplete, CloseComplete, NoData */
static int take_confirmation(struct veil *veil, enum expected_kind kind)
{
    struct expected *first = veil->first;
    int r = VEIL_PASS;
    if (!first || first->kind != kind)
        return VEIL_UNEXPECTED;
    if (kind == EXPECT_PARSE || (kind == EXPECT_BIND && first->n))
        r = veil_names_put(&veil->statements, kind == EXPECT_PARSE ? first->name : first->statement,
                           first->plans[0], NULL, false);
    if (r == 0 && kind == EXPECT_BIND) {
        struct veil_plan *plan = result_of_name(veil, &veil->statements, first->statement).plan;
        r = veil_names_put(&veil->portals, first->name, plan, &first->formats, false);
    }
    if (kind == EXPECT_CLOSE)
        veil_names_remove(first->portal ? &veil->portals : &veil->statements, first->name);
    if (r == 0 && (veil->statements.count > NAMES_MAX || veil->portals.count > NAMES_MAX))
        r = -ENOBUFS;
    pop(veil);
    return r;
}

/* What its text may quote. At the end of a transaction that is any of its statements: deferred constraints.
 */
static const struct mask *hides_texts(const struct veil *veil)
{
    struct result result;
    const struct expected *first = veil->first;
    if (first && (first->kind == EXPECT_SYNC || (first->kind == EXPECT_QUERY && first->at >= first->n)))
        return veil->how.worst;
    if (first && first->kind == EXPECT_BIND) { /* it plans, and planning calls immutable functions */
        const struct veil_plan *plan =
            first->n ? first->plans[0] : result_of_name(veil, &veil->statements, first->statement).plan;
        return plan->hides_texts ? plan->worst : NULL;
    }
    return current(veil, &result) && result.plan->hides_texts ? result.plan->worst : NULL;
}

static int take_error(struct veil *veil, struct reader body, struct buffer *out)
{
    int r = veil_text(&veil->how, hides_texts(veil), 'E', body, out);
    /* Behind one of the extended protocol it skips queries, too; behind a query nothing. */
    bool is_query = veil->first && veil->first->kind == EXPECT_QUERY;
    while (!is_query && veil->first && veil->first->kind != EXPECT_SYNC)
        pop(veil);
    veil->skipping = !veil->first;
    return r;
}

static int take_ready(struct veil *veil, struct reader body)
{
    uint8_t status = 0;
    if (!reader_u8(&body, &status))
        return VEIL_UNEXPECTED;
    if (veil->first && veil->first->kind != EXPECT_QUERY && veil->first->kind != EXPECT_SYNC)
        return VEIL_UNEXPECTED;
    if (veil->first)
        pop(veil);
    if (status == 'I')
        veil_names_end_transaction(&veil->portals);
    return VEIL_PASS;
}

bool veil_looks_into(const struct veil *veil, uint8_t type)
{
    struct result result;
    switch (type) {
    case 'D':
    case 'd':
        return veil->how.detectors || !current(veil, &result) || result.plan->worst;
    case 'A':
        return veil->how.detectors || veil->how.worst;
    case 'E':
    case 'H':
    case 'N':
    case 'T':
    case 'Z':
        return true;
    default:
        return false;
    }
}

int veil_answer(struct veil *veil, uint8_t type, struct reader body, struct buffer *out)
{
    switch (type) {
    case 'T':
        return take_description(veil, body);
    case 'D':
        return take_row(veil, body, out);
    case 'H':
        return take_copy_begin(veil, body);
    case 'd':
        return take_copy(veil, body, out);
    case 'C':
    case 'I':
        return take_complete(veil);
    case 's': /* its portal goes on with the next Execute */
        if (!veil->first || veil->first->kind != EXPECT_EXECUTE)
            return VEIL_UNEXPECTED;
        pop(veil);
        return VEIL_PASS;
    case 'n':
        return take_confirmation(veil, EXPECT_DESCRIBE);
    case '1':
        return take_confirmation(veil, EXPECT_PARSE);
    case '2':
        return take_confirmation(veil, EXPECT_BIND);
    case '3':
        return take_confirmation(veil, EXPECT_CLOSE);
    case 'E':
        return take_error(veil, body, out);
    case 'N':
        return veil_text(&veil->how, hides_texts(veil), 'N', body, out);
    case 'A':
        return veil->how.detectors || veil->how.worst ? veil_text(&veil->how, veil->how.worst, 'A', body, out)
                                                      : VEIL_PASS;
    case 'Z':
        return take_ready(veil, body);
    default:
        return VEIL_PASS;
    }
}

/* COPY may be asked to separate its columns by digits: then they are part of no number. */
static bool has_digits(const struct copy_shape *shape)
{
    return isdigit((unsigned char)shape->delimiter) || isdigit((unsigned char)shape->quote) ||
           isdigit((unsigned char)shape->escape);
}

bool veil_is_clean(struct veil *veil, const void *bytes, size_t n)
{
    struct result result;
    if (!current(veil, &result))
        return false;
    const struct veil_plan *plan = result.plan;
    if (plan->worst && !plan->described)
        return false;
    if (plan->lineage.form == LINEAGE_COPY_OUT && has_digits(&plan->lineage.copy))
        return false;
    for (size_t i = 0; i < plan->n_cells; i++)
        if (plan->cells[i].fate.mask)
            return false;
    return !veil->how.detectors || detect_is_clean(veil->how.detectors, veil->how.detect, bytes, n);
}
