/* Message by message: look at the header, wait for as much of the body as must be seen, decide, record, pass.
 *
 * What a refusal does to the conversation is left to the server (refuse.c): in the simple protocol a failing
 * Query stands in for the refused one. In the extended protocol a failing Parse stands in for a refused Parse
 * or Bind; the server then skips everything up to Sync, and so it is not even sent. Function calls (the fast
 * path) name functions by number only and are refused.
 *
 * COPY data and the rest of huge messages stream through; a statement beyond the parser's limit is refused
 * while its bytes are dropped as they come. */
#include "channels/pg/front.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channels/pg/front_hold.h"
#include "channels/pg/front_limits.h"
#include "channels/pg/front_record.h"
#include "channels/pg/front_refuse.h"

/* Stay inside this file. */
enum {
    SHORT = -1000,     /* more bytes are needed */
    HELD = FRONT_HELD, /* the message waits for a decision */
};

static int malformed(struct front *f, const char *what)
{
    return detail_fail(&f->why, FRONT_MALFORMED, "%s", what);
}

static int flush(struct front *f)
{
    int r = front_settle(f);
    return r ? r : lane_flush(&f->lane);
}

/* ---- the veil ---- */

static const struct lineage *only_lineage(const struct decision *d)
{
    return d->lineages && d->lineages->count == 1 ? &d->lineages->items[0] : NULL;
}

static int veil_bound(struct front *f, const struct pg_bind *bind, bool cut, const struct decision *fresh)
{
    struct veil_formats formats = { .how = FORMATS_UNKNOWN };
    if (!f->veil)
        return 0;
    int r = cut ? 0 : veil_formats_read(bind->results, bind->n_results, &formats);
    return r ? r
             : front_veiled(veil_bind(f->veil, bind->portal, bind->statement,
                                      fresh ? only_lineage(fresh) : NULL, &formats));
}

/* Names mean other things now, perhaps: drivers are told that what they prepared is gone, and prepare it
 * anew. */
static void forget_prepared(struct front *f)
{
    prepared_free(&f->prepared);
    prepared_init(&f->prepared);
    decision_free(STEAL(f->unnamed.decision));
}

/* once: it runs now or never, and only the statement that came is its text. */
static int decide(struct front *f, const char *text, size_t n, bool once, struct decision **ret)
{
    bool had_path = inspector_has_path(f->inspector);
    int r = once ? inspector_decide_once(f->inspector, text, n, f->text_kind, f->fault, ret)
                 : inspector_decide(f->inspector, text, n, f->text_kind, f->fault, ret);
    if (inspector_has_path(f->inspector) != had_path)
        forget_prepared(f);
    return r == INSPECT_WAIT ? HELD : r;
}

/* What was decided once may have to be decided anew: names mean something else now. *slot is the decision,
 * and is replaced. 0 or HELD; a text that was not kept can't be. */
static int renew(struct front *f, struct decision **slot, const char **ret_gone)
{
    struct decision *old = *slot, *fresh = NULL;
    *ret_gone = NULL;
    if (inspector_is_current(f->inspector, old))
        return 0;
    if (old->text_n < old->text_size) {
        /* Drivers prepare anew when they are told that it is not there. */
        *ret_gone = "the catalog has changed since this long statement was prepared: prepare it again";
        return 0;
    }
    int r = decide(f, old->text, old->text_n, false, &fresh);
    if (r)
        return r;
    *slot = fresh;
    decision_free(old);
    return 0;
}

/* The same for all that the text executes by name. */
static int renew_executed(struct front *f, const struct decision *d, struct verdict *verdict)
{
    for (size_t i = 0; i < d->n_steps; i++) {
        struct decision **slot =
            d->steps[i].role == SQL_EXECUTE ? prepared_slot(&f->prepared, d->steps[i].name) : NULL;
        const char *gone = NULL;
        int r = slot ? renew(f, slot, &gone) : 0;
        if (r)
            return r;
        if (gone)
            *verdict = verdict_built_in("denied", gone);
        else if (slot && (*slot)->verdict.action > verdict->action)
            *verdict = (*slot)->verdict;
    }
    return 0;
}

/* Whether the rules let one more statement run now. */
static int count(struct front *f, const struct decision *d, struct verdict *verdict)
{
    int r = verdict->action == ACTION_ALLOW ? front_count(f, d, verdict) : 0;
    return r == LIMITS_ASK ? HELD : r;
}

/* What it executes by name is a part of what is approved. */
static void add_executed(struct front *f, struct held *held)
{
    const struct decision *d = held->decision;
    for (size_t i = 0; i < d->n_steps; i++) {
        struct decision **slot =
            d->steps[i].role == SQL_EXECUTE ? prepared_slot(&f->prepared, d->steps[i].name) : NULL;
        held->overflow |= slot && held->n_executed == HOLD_PREPARED_MAX;
        if (!slot || held->overflow)
            continue;
        held->names[held->n_executed] = d->steps[i].name;
        held->executed[held->n_executed++] = *slot;
    }
}

/* Whether it may run now: people, where the rules ask them, and then the limits. The approval is used up
 * last, when nothing else stands in the way. */
static int permit(struct front *f, const char *what, struct held *held, struct verdict *verdict)
{
    add_executed(f, held);
    int r = verdict->action == ACTION_HOLD ? front_hold(f, what, held, verdict) : 0;
    bool agreed = verdict->action == ACTION_HOLD;
    if (agreed)
        verdict->action = ACTION_ALLOW;
    r = r ? r : count(f, held->decision, verdict);
    if (r || !agreed || verdict->action != ACTION_ALLOW)
        return r;
    front_hold_use(f);
    return HELD;
}

/* It goes to the server, and changes what names mean. */
static int run(struct front *f, const struct decision *d)
{
    bool unsettles = false;
    int r = inspector_run(f->inspector, d, &unsettles);
    if (unsettles)
        f->unsettled_until = f->rounds_due + 1;
    front_hold_note(f, d);
    for (size_t i = 0; i < d->n_steps; i++) {
        struct decision **slot =
            d->steps[i].role == SQL_EXECUTE ? prepared_slot(&f->prepared, d->steps[i].name) : NULL;
        if (slot)
            front_hold_note(f, *slot);
    }
    return r;
}

/* Whether it may run: the verdict, and what it does to prepared statements. */
static bool is_runnable(const struct front *f, const struct decision *d, struct verdict *verdict,
                        const char **ret_unknown)
{
    *verdict = d->verdict;
    if (verdict->action == ACTION_DENY)
        return false;
    *ret_unknown = prepared_missing(&f->prepared, d);
    if (*ret_unknown)
        *verdict = verdict_built_in("denied", "the prepared statement was not made in this session");
    else if (prepared_room(&f->prepared, d) == PREPARED_LIMIT)
        *verdict = verdict_built_in("limit", "too many prepared statements in this session");
    return verdict->action != ACTION_DENY;
}

/* ---- the messages ---- */

static int pass(struct front *f, const struct pg_header *header)
{
    f->asked = true;
    lane_pass(&f->lane, PG_HEADER + (size_t)header->body);
    return 0;
}

/* portal points into the lane, but no byte of it moves before it has been looked up. */
static int pass_execute(struct front *f, const struct pg_header *header, const char *portal)
{
    int r = pass(f, header);
    return r ? r : front_limit_execute(f, portal);
}

static int take_query(struct front *f, const struct pg_header *header, struct reader body)
{
    CLEANUP(decision_free) struct decision *d = NULL;
    struct verdict verdict;
    const char *text = NULL, *unknown = NULL;
    if (header->body > SQL_PARSE_MAX)
        return front_refuse_too_long(f, header, body, true);
    if (!pg_read_query(body, &text))
        return malformed(f, "a Query that is not one string");
    size_t n = header->body - 1;
    if (f->cancelled)
        return front_refuse(
            f, header,
            &(struct refused){ "query", text, n, 0, &front_cancelled, NULL, NULL, NULL, .cancelled = true });
    int r = decide(f, text, n, true, &d);
    if (r)
        return r;
    bool runnable = is_runnable(f, d, &verdict, &unknown);
    if (runnable)
        r = renew_executed(f, d, &verdict);
    if (runnable && r == 0)
        r = permit(f, "query", &(struct held){ .decision = d }, &verdict);
    if (r)
        return r;
    if (!runnable || verdict.action != ACTION_ALLOW)
        return front_refuse(f, header,
                            &(struct refused){ "query", text, n, 0, &verdict, d, unknown, NULL, false });
    r = front_settle(f);
    bool recorded = f->hold.state == HOLD_GO; /* when it was held */
    uint64_t number = recorded ? f->hold.number : recorder_next(f->recorder);
    if (r == 0 && !recorded)
        r = front_record(f, "query", &d->verdict, d, text, n, 0);
    r = r ? r : prepared_run(&f->prepared, d, number);
    r = r ? r : run(f, d);
    if (r == 0 && f->veil)
        r = front_veiled(veil_query(f->veil, d->lineages, d->n_statements));
    r = r ? r : front_limit_query(f, d);
    f->rounds_due++;
    return r ? r : pass(f, header);
}

/* Values of these types are what people agree to, if it is held. */
static int read_types(const struct decision *d, const struct pg_parse *parse, struct prepared_types *ret)
{
    struct reader types = parse->types;
    if (d->verdict.action != ACTION_HOLD || parse->n_types == 0)
        return 0;
    ret->oids = calloc(parse->n_types, sizeof(*ret->oids));
    if (!ret->oids)
        return -ENOMEM;
    while (ret->n < parse->n_types && reader_u32(&types, &ret->oids[ret->n]))
        ret->n++;
    return 0;
}

static int remember(struct front *f, const struct pg_parse *parse, struct decision *d, uint64_t number)
{
    struct prepared_types types = { .n = 0 };
    int r = read_types(d, parse, &types);
    if (r == 0 && *parse->statement) {
        /* It fits: asked before. */
        r = prepared_put(&f->prepared, parse->statement, d, number) < 0 ? -ENOMEM : 0;
        prepared_set_types(&f->prepared, parse->statement, &types);
        return r;
    }
    struct decision *before = f->unnamed.decision;
    f->unnamed.decision = decision_share(d);
    f->unnamed.request = number;
    prepared_types_free(&f->unnamed.types);
    f->unnamed.types = types;
    decision_free(before);
    return r;
}

static int take_parse(struct front *f, const struct pg_header *header, struct reader body)
{
    CLEANUP(decision_free) struct decision *d = NULL;
    struct pg_parse parse;
    if (header->body > SQL_PARSE_MAX)
        return front_refuse_too_long(f, header, body, false);
    if (!pg_read_parse(body, &parse))
        return malformed(f, "a Parse that does not add up");
    size_t n = strlen(parse.text);
    if (f->cancelled)
        return front_refuse(f, header,
                            &(struct refused){ "parse", parse.text, n, 0, &front_cancelled, NULL, NULL,
                                               parse.statement, true });
    int r = decide(f, parse.text, n, false, &d);
    if (r)
        return r;
    struct verdict verdict = d->verdict;
    /* To parse it is to run nothing: what is held is held at the Bind, with its values. */
    if (verdict.action != ACTION_DENY && *parse.statement &&
        prepared_fits(&f->prepared, parse.statement, d) == PREPARED_LIMIT)
        verdict = verdict_built_in("limit", "too many prepared statements in this session");
    if (verdict.action == ACTION_DENY)
        return front_refuse(
            f, header,
            &(struct refused){ "parse", parse.text, n, 0, &verdict, d, NULL, parse.statement, false });
    r = front_settle(f);
    uint64_t number = recorder_next(f->recorder);
    r = r ? r : front_record(f, "parse", &verdict, d, parse.text, n, 0);
    r = r ? r : remember(f, &parse, d, number);
    if (r == 0 && f->veil)
        r = front_veiled(veil_parse(f->veil, parse.statement, only_lineage(d)));
    return r ? r : pass(f, header);
}

/* What people agree to has to be there as a whole. */
static int wait_for_all(const struct pg_header *header, struct verdict *verdict)
{
    if (header->body <= HOLD_BIND_MAX)
        return SHORT;
    *verdict = verdict_built_in("limit", "values of more than 4 MiB can't be approved: send less at once");
    return 0;
}

static int take_bind(struct front *f, const struct pg_header *header, struct reader body)
{
    struct pg_bind bind;
    bool cut = reader_left(&body) < header->body;
    if (!pg_read_bind(body, cut, &bind))
        return malformed(f, "a Bind that does not add up");
    const struct prepared *known = *bind.statement ? prepared_find(&f->prepared, bind.statement) : NULL;
    struct decision **slot =
        *bind.statement ? prepared_slot(&f->prepared, bind.statement) : &f->unnamed.decision;
    uint64_t of = known ? known->request : f->unnamed.request;
    struct verdict verdict =
        verdict_built_in("denied", "the prepared statement was not made in this session");
    const char *gone = NULL;
    const struct decision *before = slot ? *slot : NULL;
    int r = slot && *slot && !f->cancelled ? renew(f, slot, &gone) : 0;
    struct decision *d = slot ? *slot : NULL;
    bool anew = d != before || f->anew;
    const char *unknown = d ? NULL : bind.statement;
    bool runnable = r == 0 && d && !f->cancelled && is_runnable(f, d, &verdict, &unknown);
    if (runnable)
        r = renew_executed(f, d, &verdict);
    if (runnable && r == 0 && !gone && verdict.action == ACTION_HOLD && (cut || header->body > HOLD_BIND_MAX))
        r = wait_for_all(header, &verdict);
    struct prepared_types *types =
        known ? prepared_types_of(&f->prepared, bind.statement) : &f->unnamed.types;
    struct held held = { .decision = d, .bind = &bind, .of = of, .types = types->oids, .n_types = types->n };
    if (runnable && r == 0 && !gone)
        r = permit(f, "bind", &held, &verdict);
    f->anew = (r == HELD || r == SHORT) && anew;
    if (r)
        return r;
    if (gone)
        verdict = verdict_built_in("denied", gone);
    if (f->cancelled)
        verdict = front_cancelled;
    if (!runnable || verdict.action != ACTION_ALLOW)
        return front_refuse(f, header,
                            &(struct refused){ "bind", d ? d->text : "", d ? d->text_n : 0, 0, &verdict, d,
                                               f->cancelled ? NULL
                                               : gone       ? bind.statement
                                                            : unknown,
                                               "gatehouse", f->cancelled });
    r = front_settle(f);
    if (r)
        return r;
    /* It may replace what it runs from: EXECUTE and PREPARE are statements too. */
    d = decision_share(d);
    r = front_note_bind(f, &bind, d, of);
    r = r ? r : prepared_run(&f->prepared, d, of);
    r = r ? r : run(f, d);
    r = r ? r : veil_bound(f, &bind, cut, anew ? d : NULL);
    r = r ? r : front_limit_bind(f, bind.portal, d);
    decision_free(d);
    f->in_pipeline = true;
    return r ? r : pass(f, header);
}

static int take_execute(struct front *f, const struct pg_header *header, struct reader body)
{
    const char *portal = NULL;
    if (!pg_read_execute(body, &portal))
        return malformed(f, "an Execute that does not add up");
    int r = front_record_execute(f, portal);
    if (r == 0 && f->veil)
        r = front_veiled(veil_execute(f->veil, portal));
    return r ? r : pass_execute(f, header, portal);
}

static int take_describe(struct front *f, const struct pg_header *header, struct reader body)
{
    struct pg_named named;
    if (!pg_read_named(body, &named))
        return malformed(f, "a Describe that does not add up");
    int r = f->veil ? front_veiled(veil_describe(f->veil, named.kind, named.name)) : 0;
    return r ? r : pass(f, header);
}

static int take_close(struct front *f, const struct pg_header *header, struct reader body)
{
    struct pg_named named;
    if (!pg_read_named(body, &named))
        return malformed(f, "a Close that does not add up");
    if (named.kind == 'S' && *named.name)
        prepared_close(&f->prepared, named.name);
    if (named.kind == 'P' && f->limits.on)
        limits_closed(&f->limits, named.name);
    int r = f->veil ? front_veiled(veil_close(f->veil, named.kind, named.name)) : 0;
    return r ? r : pass(f, header);
}

static int take_function(struct front *f, const struct pg_header *header, struct reader body)
{
    static const char text[] = "function call by number (fast path)";
    const struct verdict verdict = verdict_built_in(
        "denied",
        "functions called by number (the fast path, used by lo_* of libpq) can't be inspected: use SELECT");
    (void)body;
    return front_refuse(
        f, header,
        &(struct refused){ "function", text, sizeof(text) - 1, 0, &verdict, NULL, NULL, NULL, false });
}

static int take_sync(struct front *f, const struct pg_header *header, struct reader body)
{
    (void)body;
    f->skipping = false;
    f->in_pipeline = false;
    f->rounds_due++;
    int r = f->veil ? front_veiled(veil_sync(f->veil)) : 0;
    return r ? r : pass(f, header);
}

static int take_flush(struct front *f, const struct pg_header *header, struct reader body)
{
    (void)body;
    return pass(f, header);
}

static int take_terminate(struct front *f, const struct pg_header *header, struct reader body)
{
    (void)body;
    f->terminated = true;
    return pass(f, header);
}

static int take_copy(struct front *f, const struct pg_header *header, struct reader body)
{
    (void)body;
    front_note_copy(f);
    if (f->veil && header->type != 'd')
        veil_copied(f->veil);
    int r = pass(f, header);
    return r || header->type == 'd' ? r : front_limit_copied(f);
}

struct kind {
    int (*take)(struct front *f, const struct pg_header *header, struct reader body);
    uint32_t whole; /* bytes of the body that must be there before it is taken */
    uint32_t max;   /* bytes of a body; longer is malformed */
    bool kept;      /* also taken while skipping to Sync */
    bool copy;      /* belongs to COPY data */
};

/* A longer text than that is refused, and so need not be there. */
enum { TEXT_WHOLE = SQL_PARSE_MAX };

static const struct kind kinds[256] = {
    ['Q'] = { take_query, TEXT_WHOLE, PG_MESSAGE_MAX, false, false },
    ['P'] = { take_parse, TEXT_WHOLE, PG_MESSAGE_MAX, false, false },
    ['B'] = { take_bind, FRONT_BIND_MAX, PG_MESSAGE_MAX, false, false },
    ['E'] = { take_execute, PG_SMALL_MAX, PG_SMALL_MAX, false, false },
    ['D'] = { take_describe, PG_SMALL_MAX, PG_SMALL_MAX, false, false },
    ['C'] = { take_close, PG_SMALL_MAX, PG_SMALL_MAX, false, false },
    ['F'] = { take_function, 0, PG_MESSAGE_MAX, false, false },
    ['S'] = { take_sync, 0, 0, true, false },
    ['H'] = { take_flush, 0, 0, false, false },
    ['X'] = { take_terminate, 0, 0, true, false },
    ['d'] = { take_copy, 0, PG_MESSAGE_MAX, false, true },
    ['c'] = { take_copy, 0, 0, false, true },
    ['f'] = { take_copy, 0, PG_SMALL_MAX, false, true },
};

/* How much of the body must be there. A statement that is too long is refused by its header alone. */
static size_t needed(const struct pg_header *header, const struct kind *kind)
{
    if (kind->whole == TEXT_WHOLE && header->body > TEXT_WHOLE)
        return 0;
    return header->body < kind->whole ? header->body : kind->whole;
}

static int take_one(struct front *f)
{
    struct pg_header header;
    const uint8_t *bytes = NULL;
    struct reader there = lane_undecided(&f->lane);
    int r = pg_header_read(there.next, reader_left(&there), &header);
    if (r)
        return r == PG_SHORT ? SHORT : malformed(f, "a message of an impossible length");
    const struct kind *kind = &kinds[header.type];
    if (!kind->take || header.body > kind->max)
        return malformed(f, kind->take ? "a message that is too long for its type"
                                       : "an unknown type of message");
    if (f->skipping && !kind->kept) {
        r = flush(f);
        if (r == 0)
            lane_drop(&f->lane, PG_HEADER + (size_t)header.body);
        return r;
    }
    size_t body = reader_left(&there) - PG_HEADER;
    if (body < needed(&header, kind))
        return SHORT;
    if (!reader_bytes(&there, PG_HEADER, &bytes))
        return -EINVAL;
    if (f->copying && !kind->copy && (r = front_settle(f)) != 0)
        return r;
    return kind->take(f, &header, reader_of(there.next, body < header.body ? body : header.body));
}

int front_take(struct front *f)
{
    int r = 0;
    if (f->lane.rest > 0 && !f->lane.dropping && f->lane.decided == 0)
        front_resume_copy(f);
    while (r == 0 && !f->held && !front_is_behind_limit(f) && lane_open(&f->lane) &&
           !lane_carry_on(&f->lane)) {
        r = take_one(f);
        f->held = r == HELD;
        if (r != HELD) {
            f->fault = NULL;
            f->cancelled = false;
            f->limits.allowance = ALLOWANCE_NONE;
        }
        if (r != HELD && r != SHORT && f->hold.state != HOLD_NONE)
            hold_clear(&f->hold);
    }
    if (r != 0 && r != SHORT && r != HELD)
        return r;
    return flush(f);
}

void front_resume(struct front *f, const char *fault)
{
    f->held = false;
    f->fault = fault;
}

void front_cancel(struct front *f)
{
    f->held = false;
    f->cancelled = true;
    f->anew = false;
    f->limits.allowance = ALLOWANCE_NONE;
    hold_clear(&f->hold);
    inspector_drop(f->inspector);
}

bool front_ready(struct front *f, uint64_t nth, uint8_t status)
{
    if (f->unsettled_until == 0 || nth < f->unsettled_until || status != 'I')
        return false;
    f->unsettled_until = 0;
    return true;
}

int front_init(struct front *f, const struct rulebook *rulebook, const struct circumstances *who,
               struct scope *scope, struct recorder *recorder, uint32_t stream)
{
    *f = (struct front){ .recorder = recorder, .stream = stream, .text_kind = TEXT_UNSAFE, .status = 'I' };
    lane_init(&f->lane, PG_HEADER + TEXT_WHOLE);
    prepared_init(&f->prepared);
    limits_init(&f->limits);
    hold_init(&f->hold);
    int r = refusals_init(&f->refusals);
    return r ? r : inspector_new(rulebook, who, scope, &f->inspector);
}

void front_free(struct front *f)
{
    lane_free(&f->lane);
    prepared_free(&f->prepared);
    refusals_free(&f->refusals);
    limits_free(&f->limits);
    hold_free(&f->hold);
    decision_free(f->unnamed.decision);
    prepared_types_free(&f->unnamed.types);
    inspector_free(f->inspector);
    front_forget(f);
    *f = (struct front){ .recorder = NULL };
}
