/* A held statement, as the session sees it: the front says what is due, the gate asks and tells. Meanwhile
 * the client is read a little, since a client that has gone is seen by that alone: a forwarded connection's
 * end comes as an end of file long before anything fails. A client that closes its side while a statement
 * waits for people is taken for gone. */
#include "channels/pg/session_parts.h"

#include <string.h>
#include "channels/pg/front_hold.h"

enum { READ_BEHIND = 64 * 1024 }; /* bytes that are read behind the held message */

bool session_holds(const struct pg_session *s)
{
    switch (s->front.hold.state) {
    case HOLD_SETTLES:
    case HOLD_DUE:
    case HOLD_ASKED:
    case HOLD_USE_DUE:
    case HOLD_USED:
        return s->front.held;
    default:
        return false;
    }
}

int session_hold_step(struct pg_session *s)
{
    struct hold *hold = &s->front.hold;
    int r = 0;
    if (hold->state == HOLD_DUE) {
        session_hold_drop(s, "what it would do has changed");
        s->approving = true;
        r = s->host->calls->ask_approval(s->owner, hold);
        front_hold_asked(&s->front);
    } else if (hold->state == HOLD_USE_DUE) {
        hold->state = HOLD_USED;
        s->host->calls->use_approval(s->owner, hold);
    }
    return r;
}

bool session_hold_settled(const struct pg_session *s)
{
    return s->front.held && s->front.hold.state == HOLD_SETTLES &&
           s->front.rounds_seen >= s->front.rounds_due;
}

void session_hold_drop(struct pg_session *s, const char *why)
{
    if (!s->approving)
        return;
    s->approving = false;
    s->host->calls->drop_approval(s->owner, why);
}

bool session_hold_reads(const struct pg_session *s)
{
    struct pg_header header;
    struct reader there = lane_undecided(&s->front.lane);
    if (!session_holds(s) || pg_header_read(there.next, reader_left(&there), &header) != 0)
        return false;
    return reader_left(&there) < PG_HEADER + (size_t)header.body + READ_BEHIND;
}

/* ---- what the gate tells ---- */

static bool waits_for(const struct pg_session *s, enum hold_state state)
{
    return s->state == RUNNING && s->approving && s->front.held && s->front.hold.state == state;
}

static void resume(struct pg_session *s)
{
    front_resume(&s->front, NULL);
    session_go_on(s);
}

/* When a grant had to be looked at again, the ledger was being asked already. */
void pg_session_agreed(struct pg_session *s)
{
    if (!waits_for(s, HOLD_ASKED) && !waits_for(s, HOLD_USED))
        return;
    front_hold_agreed(&s->front);
    resume(s);
}

void pg_session_go(struct pg_session *s)
{
    if (!waits_for(s, HOLD_USED))
        return;
    front_hold_go(&s->front);
    resume(s);
}

void pg_session_not_approved(struct pg_session *s, const char *code, const char *rule, const char *reason,
                             const char *request)
{
    bool waits_here = session_holds(s);
    if (s->state != RUNNING || !s->approving || s->front.hold.state == HOLD_GO)
        return;
    front_hold_refuse(&s->front, code, rule, reason, request);
    if (waits_here) /* else it waits for something else, and is refused when that comes */
        resume(s);
}

int session_hold_tell(struct pg_session *s)
{
    if (buffer_size(&s->notices) == 0 || s->back.lane.inside)
        return 0;
    int r = back_say(&s->back, buffer_head(&s->notices), buffer_size(&s->notices));
    buffer_consume(&s->notices, buffer_size(&s->notices));
    buffer_shrink(&s->notices, 0);
    return r;
}

/* One that finds no room, since the client does not read, is left out: it is told again. */
void pg_session_notice(struct pg_session *s, const char *message, const char *detail, const char *hint)
{
    struct refusal_words words;
    if (s->state != RUNNING || buffer_size(&s->back.lane.out) > LANE_HIGH / 2 ||
        buffer_size(&s->notices) > PG_SMALL_MAX / 2)
        return;
    struct pg_error notice = refusal_notice(message, detail, hint, s->front.text_kind != TEXT_UTF8, &words);
    if (pg_put_notice(&s->notices, &notice) == 0)
        session_go_on(s);
}
