/* The row that exceeds the limit is not shown, and nothing behind it. The server is asked to cancel; its rows
 * are dropped as they come, and the error by which it gives up is replaced by ours.
 *
 * It may have been done before the cancel reached it. What the client is told has to be true all the same:
 * nothing of the client's was sent behind the request, so that a statement that the server must fail comes
 * next, in the same transaction; the error is told once that has failed. Only a Query outside of a
 * transaction block has no such place: it is committed then, and the error says so. */
#include "channels/pg/back_cut.h"

#include <stdio.h>
#include <string.h>
#include "channels/pg/front_record.h"

static int record_cut(struct front *f, const struct verdict *verdict)
{
    const struct decision *d = f->limits.decision;
    size_t shown = d ? d->text_n : 0;
    if (shown > FRONT_BIND_TEXT)
        shown = FRONT_BIND_TEXT;
    int r = front_settle(f);
    f->limits.request = recorder_next(f->recorder);
    return r ? r
             : front_record(f, "result", verdict, NULL, d ? d->text : "", shown,
                            d ? d->text_size - shown : 0);
}

int back_count(struct back *b, size_t body)
{
    struct front *f = b->front;
    if (!f->limits.on || !veil_is_at_mark(b->veil) || limits_show(&f->limits, body))
        return 0;
    struct verdict verdict = limits_verdict(&f->limits);
    f->limits.cut = CUT_DROPPING;
    f->limits.cancel_due = true;
    int r = record_cut(f, &verdict);
    return r == FRONT_UNRECORDED ? BACK_UNRECORDED : r ? r : CUT_HERE;
}

/* completed: whatever it did is done. */
static int put_ours(struct front *f, bool completed, struct buffer *out)
{
    struct verdict verdict = limits_verdict(&f->limits);
    struct refusal_words words;
    struct pg_error error =
        refusal_error(&verdict, NULL, f->limits.request, f->text_kind != TEXT_UTF8, &words);
    size_t n = strlen(words.detail);
    (void)snprintf(words.detail + n, sizeof words.detail - n, " statement=%s",
                   completed ? "completed" : "cancelled");
    (void)snprintf(words.hint, sizeof words.hint, "%s",
                   completed
                       ? "narrow the query (LIMIT, WHERE, fewer columns); what the statement has changed "
                         "was committed before it could be cancelled"
                       : "narrow the query: LIMIT, WHERE, fewer columns");
    error.sqlstate = "54000";
    return pg_put_error(out, &error);
}

static bool is_fatal(struct reader body)
{
    const char *severity = pg_error_field(body, 'V');
    severity = severity ? severity : pg_error_field(body, 'S');
    return severity && strcmp(severity, "ERROR") != 0;
}

/* The veil counts along, whatever is shown. */
static int follow(struct back *b, const struct pg_header *header, struct reader body)
{
    struct buffer unseen;
    buffer_init(&unseen, PG_HEADER + VEIL_MESSAGE_MAX);
    int r = veil_answer(b->veil, header->type, body, &unseen);
    buffer_free(&unseen);
    if (r == VEIL_UNEXPECTED)
        return detail_fail(&b->why, BACK_MALFORMED, "an answer to nothing that was asked");
    return r < 0 ? r : 0;
}

static int abort_it(struct back *b)
{
    struct verdict verdict = limits_verdict(&b->front->limits);
    b->front->limits.cut = CUT_ABORTING;
    return front_abort(b->front, &verdict);
}

static int cut_error(struct back *b, const struct pg_header *header, struct reader body, struct buffer *ours)
{
    struct limits *l = &b->front->limits;
    l->cut = CUT_NONE;
    if (is_fatal(body))
        return CUT_PASS;
    int r = follow(b, header, body);
    r = r ? r : put_ours(b->front, false, ours);
    return r ? r : CUT_REPLACE;
}

/* Of a Query alone: in the extended protocol the Sync waits. */
static int cut_ready(struct back *b, const struct pg_header *header, struct reader body, struct buffer *ours)
{
    uint8_t status = 'I';
    if (!pg_read_ready(body, &status) || !b->front->limits.simple)
        return detail_fail(&b->why, BACK_MALFORMED, "a ReadyForQuery where none is due");
    if (status == 'T') {
        int r = follow(b, header, body);
        b->rounds++;
        b->idle = false;
        r = r ? r : abort_it(b);
        return r ? r : CUT_DROP;
    }
    b->front->limits.cut = CUT_NONE;
    int r = put_ours(b->front, true, ours);
    return r ? r : CUT_AHEAD;
}

int back_cut(struct back *b, const struct pg_header *header, struct reader body, struct buffer *ours)
{
    bool done = false;
    switch (header->type) {
    case 'A':
    case 'K':
    case 'N':
    case 'S':
        return CUT_PASS;
    case 'E':
        return cut_error(b, header, body, ours);
    case 'Z':
        return cut_ready(b, header, body, ours);
    case 'C':
    case 'I':
    case 's':
        done = !b->front->limits.simple;
        break;
    case 'D':
    case 'd':
        return CUT_DROP;
    default:
        break;
    }
    int r = follow(b, header, body);
    if (r == 0 && done)
        r = abort_it(b);
    return r ? r : CUT_DROP;
}
