/* Whoever plans a statement evaluates constant parts of it, and so may run functions that it names: nothing
 * is planned whose effects are more than reading, writing and calls that are known to be harmless. What
 * triggers would call is an effect too, though a plan runs none of it: then the plan is that of the query
 * that counts. A condition by what a mask hides is not planned either, since estimates tell of values. */
#include "channels/pg/preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"
#include "policy/sql_count.h"

enum { OUT_MAX = 6 * 1024 * 1024, LINE_MAX_SHOWN = 240, FIXED = 4 };

void preview_plan_free(struct preview_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->n_options; i++) {
        free(plan->options[i].name);
        free(plan->options[i].value);
    }
    free(plan->options);
    free(plan->note);
    buffer_free(&plan->out);
    free(plan);
}
DEFINE_CLEANUP(struct preview_plan *, preview_plan_free)

/* ---- what may be asked ---- */

static bool begins_with_one_of(const char *effect, const char *const *kinds)
{
    size_t n = strcspn(effect, " ");
    for (; *kinds; kinds++)
        if (strlen(*kinds) == n && strncmp(effect, *kinds, n) == 0)
            return true;
    return false;
}

static bool does_only(const struct decision *d, const char *const *kinds)
{
    for (size_t i = 0; i < d->n_effects; i++)
        if (!begins_with_one_of(d->effects[i], kinds))
            return false;
    for (size_t i = 0; d->lineages && i < d->lineages->count; i++)
        if (d->lineages->items[i].predicate)
            return false;
    return d->n_effects > 0 && d->n_effects < INSPECT_EFFECTS_SHOWN;
}

/* *ret: the query, if it only reads. */
static int count_of(const struct held *held, struct inspector *inspector, enum text_kind kind, char **ret)
{
    static const char *const reads[] = { "select", NULL };
    CLEANUP(decision_free) struct decision *d = NULL;
    char *text = NULL;
    int r = sql_count_of(held->decision->text, held->decision->text_n, &text);
    if (r || !text)
        return r;
    r = inspector_decide(inspector, text, strlen(text), kind, NULL, &d);
    if (r == INSPECT_WAIT)
        inspector_drop(inspector);
    if (r == 0 && does_only(d, reads))
        *ret = STEAL(text);
    free(text);
    return r == INSPECT_WAIT ? 0 : r;
}

/* ---- what is sent ---- */

static int put_message(struct buffer *out, char type, const struct buffer *body)
{
    int r = buffer_put_u8(out, (uint8_t)type);
    r = r ? r : buffer_put_u32(out, (uint32_t)buffer_size(body) + 4);
    return r ? r : buffer_append(out, buffer_head(body), buffer_size(body));
}

static int put_parse(struct buffer *out, const char *before, const char *text, const struct held *held)
{
    struct buffer body;
    buffer_init(&body, OUT_MAX);
    int r = buffer_put_u8(&body, 0);
    r = r ? r : buffer_append(&body, before, strlen(before));
    r = r ? r : buffer_put_cstring(&body, text);
    r = r ? r : buffer_put_u16(&body, (uint16_t)held->n_types);
    for (size_t i = 0; r == 0 && i < held->n_types; i++)
        r = buffer_put_u32(&body, held->types[i]);
    r = r ? r : put_message(out, 'P', &body);
    buffer_free(&body);
    return r;
}

static int put_bind(struct buffer *out, const struct pg_bind *bind)
{
    struct buffer body;
    buffer_init(&body, OUT_MAX);
    int r = buffer_put_u16(&body, 0); /* portal and statement without a name */
    r = r ? r : buffer_put_u16(&body, bind ? bind->n_formats : 0);
    if (r == 0 && bind)
        r = buffer_append(&body, bind->formats.next, reader_left(&bind->formats));
    r = r ? r : buffer_put_u16(&body, bind ? bind->n_values : 0);
    if (r == 0 && bind)
        r = buffer_append(&body, bind->values.next, reader_left(&bind->values));
    r = r ? r : buffer_put_u16(&body, 0);
    r = r ? r : put_message(out, 'B', &body);
    buffer_free(&body);
    return r;
}

static int put_query(struct preview_plan *plan, const char *before, const char *text, const struct held *held)
{
    static const uint8_t execute_and_sync[] = { 'E', 0, 0, 0, 9, 0, 0, 0, 0, 0, 'S', 0, 0, 0, 4 };
    int r = put_parse(&plan->out, before, text, held);
    r = r ? r : put_bind(&plan->out, held->bind);
    plan->rounds++;
    return r ? r : buffer_append(&plan->out, execute_and_sync, sizeof execute_and_sync);
}

static int add_option(struct preview_plan *plan, const char *name, const char *value)
{
    Ipc__Variable *option = &plan->options[plan->n_options++];
    ipc__variable__init(option);
    option->name = strdup(name);
    option->value = strdup(value);
    return option->name && option->value ? 0 : -ENOMEM;
}

static int set_options(struct preview_plan *plan, const struct hold_history *history)
{
    static const char *const fixed[FIXED][2] = { { "application_name", "gatehouse preview" },
                                                 { "default_transaction_read_only", "on" },
                                                 { "statement_timeout", "3000" },
                                                 { "lock_timeout", "500" } };
    int r = 0;
    plan->options = calloc(history->n_settings + FIXED, sizeof *plan->options);
    if (!plan->options)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < FIXED; i++)
        r = add_option(plan, fixed[i][0], fixed[i][1]);
    for (size_t i = 0; r == 0 && i < history->n_settings; i++)
        if (strcasecmp(history->settings[i], fixed[1][0]) != 0)
            r = add_option(plan, history->settings[i], history->values[i]);
    return r;
}

static bool wants(const struct hold *hold, const char *what)
{
    for (size_t i = 0; i < hold->holders.n; i++)
        if (strcmp(hold->holders.items[i].approve->preview, what) == 0)
            return true;
    return false;
}

static bool may_be_asked(const struct hold *hold, const struct held *held)
{
    return hold->history.statements == 0 && hold->history.n_settings < PREVIEW_SETTINGS &&
           held->decision->n_statements == 1 && held->n_executed == 0;
}

static int put_queries(struct preview_plan *plan, const struct hold *hold, const struct held *held,
                       struct inspector *inspector, enum text_kind kind)
{
    static const char *const plannable[] = { "select", "insert", "update", "delete", "merge", NULL };
    CLEANUP(free) char *count = NULL;
    int r = count_of(held, inspector, kind, &count);
    if (r == 0 && does_only(held->decision, plannable))
        r = put_query(plan, "EXPLAIN ", held->decision->text, held);
    else if (r == 0 && count)
        r = put_query(plan, "EXPLAIN ", count, held);
    /* The function that counts is the server's own, and needs no look. */
    if (r == 0 && plan->rounds && count && wants(hold, "count"))
        r = put_query(plan, "SELECT pg_catalog.count(*)", count + strlen(SQL_COUNT_ROWS), held);
    return r;
}

int preview_plan_new(const struct hold *hold, const struct held *held, struct inspector *inspector,
                     enum text_kind kind, struct preview_plan **ret)
{
    *ret = NULL;
    if (!wants(hold, "estimate") && !wants(hold, "count"))
        return 0;
    CLEANUP(preview_plan_free) struct preview_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return -ENOMEM;
    buffer_init(&plan->out, OUT_MAX);
    if (held->decision->touches && !(plan->note = strdup(held->decision->touches)))
        return -ENOMEM;
    int r = may_be_asked(hold, held) ? put_queries(plan, hold, held, inspector, kind) : 0;
    r = r ? r : set_options(plan, &hold->history);
    if (r == -ENOBUFS) {
        buffer_consume(&plan->out, buffer_size(&plan->out));
        plan->rounds = 0;
        r = 0;
    }
    if (r == 0 && (plan->note || plan->rounds))
        *ret = STEAL(plan);
    return r;
}

/* ---- what came ---- */

unsigned preview_rounds(struct reader replies, bool *ret_broken)
{
    struct pg_header header;
    const uint8_t *bytes = NULL;
    unsigned rounds = 0;
    int r = 0;
    while (reader_left(&replies) > 0 &&
           (r = pg_header_read(replies.next, reader_left(&replies), &header)) == 0 &&
           reader_bytes(&replies, PG_HEADER + (size_t)header.body, &bytes))
        rounds += header.type == 'Z';
    *ret_broken = r == PG_MALFORMED;
    return rounds;
}

struct words {
    struct buffer out;
    unsigned round, lines;
    bool failed;
};

static int put_row(struct words *w, struct reader body)
{
    char shown[LINE_MAX_SHOWN];
    struct reader value = { 0 };
    uint16_t columns = 0;
    bool null = false;
    if (!reader_u16(&body, &columns) || columns != 1 || !pg_next_value(&body, &value, &null) || null)
        return 0;
    (void)text_escape(shown, sizeof shown, value.next, reader_left(&value), false);
    if (w->round == 1)
        return buffer_printf(&w->out, "rows now: %s\n", shown);
    if (w->lines++ == 0) {
        int r = buffer_printf(&w->out, "plan, with the server's estimates:\n");
        if (r)
            return r;
    }
    return w->lines <= PREVIEW_PLAN_LINES ? buffer_printf(&w->out, "  %s\n", shown) : 0;
}

static int put_replies(struct words *w, struct reader replies)
{
    struct pg_header header;
    const uint8_t *bytes = NULL;
    int r = 0;
    while (r == 0 && pg_header_read(replies.next, reader_left(&replies), &header) == 0) {
        if (!reader_bytes(&replies, PG_HEADER, &bytes) || !reader_bytes(&replies, header.body, &bytes))
            break;
        if (header.type == 'D')
            r = put_row(w, reader_of(bytes, header.body));
        else if (header.type == 'E' && w->round == 1)
            r = buffer_printf(&w->out, "rows now: could not be counted in time\n");
        else if (header.type == 'Z')
            w->round++;
    }
    return r;
}

char *preview_words(const struct preview_plan *plan, struct reader replies)
{
    struct words w = { .round = 0 };
    char *text = NULL;
    buffer_init(&w.out, PREVIEW_TEXT_MAX);
    int r = plan->note ? buffer_printf(&w.out, "%s", plan->note) : 0;
    r = r ? r : put_replies(&w, replies);
    /* Without room the rest is left out. */
    if (buffer_size(&w.out) > 0)
        text = strndup((const char *)buffer_head(&w.out), buffer_size(&w.out));
    buffer_free(&w.out);
    return r == -ENOMEM ? (free(text), NULL) : text;
}
