/* Rows, COPY data and most other messages pass by their header alone, however large they are. Looked into are
 * the few that matter: errors (is it the answer to a substitute?), settings (does the server still read our
 * bytes as the parser does?) and ReadyForQuery. What no server sends in a running session ends it: better
 * than to guess where the next message begins. A BackendKeyData is swallowed: the client knows the minted
 * one. */
#include "channels/pg/back.h"
#include "channels/pg/back_cut.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { SHORT = -1000 }; /* more bytes are needed; stays inside this file */

void back_init(struct back *b, struct front *front, bool veiled, bool recorded)
{
    *b = (struct back){ .front = front, .recorded = recorded, .status = 'I' };
    lane_init(&b->lane, PG_HEADER + (veiled ? (size_t)VEIL_MESSAGE_MAX : PG_SMALL_MAX));
}

void back_free(struct back *b)
{
    lane_free(&b->lane);
}

static int record(struct back *b, const void *bytes, size_t n)
{
    if (n == 0 || !b->recorded)
        return 0;
    int r = recorder_output(b->front->recorder, b->front->stream, "postgres", bytes, n);
    return r < 0 ? BACK_UNRECORDED : 0;
}

static int flush(struct back *b)
{
    struct reader bytes = lane_decided(&b->lane);
    int r = record(b, bytes.next, reader_left(&bytes));
    return r ? r : lane_flush(&b->lane);
}

int back_say(struct back *b, const void *bytes, size_t n)
{
    int r = record(b, bytes, n);
    return r ? r : buffer_append(&b->lane.out, bytes, n);
}

static int malformed(struct back *b, const char *what)
{
    return detail_fail(&b->why, BACK_MALFORMED, "%s", what);
}

static int pass(struct back *b, const struct pg_header *header)
{
    lane_pass(&b->lane, PG_HEADER + (size_t)header->body);
    return 0;
}

static int drop(struct back *b, const struct pg_header *header);

/* Another message goes out in its place. */
static int replace(struct back *b, const struct pg_header *header, const struct buffer *with)
{
    int r = drop(b, header);
    return r ? r : back_say(b, buffer_head(with), buffer_size(with));
}

static int by_verdict(struct back *b, const struct pg_header *header, int verdict, const struct buffer *shown)
{
    if (verdict == VEIL_UNEXPECTED)
        return malformed(b, "an answer to nothing that was asked, or one that does not add up");
    if (verdict == VEIL_REPLACED)
        return replace(b, header, shown);
    return verdict < 0 ? verdict : pass(b, header);
}

/* Through the veil, when there is one. */
static int show(struct back *b, const struct pg_header *header, struct reader body)
{
    struct buffer shown;
    if (!b->veil)
        return pass(b, header);
    buffer_init(&shown, PG_HEADER + VEIL_MESSAGE_MAX);
    int r = by_verdict(b, header, veil_answer(b->veil, header->type, body, &shown), &shown);
    buffer_free(&shown);
    return r;
}

/* The bytes of whole rows at the head of what is undecided. */
static size_t whole_rows(struct reader there)
{
    const uint8_t *start = there.next, *bytes = NULL;
    struct pg_header header;
    uint8_t type = *start;
    while (pg_header_read(there.next, reader_left(&there), &header) == 0 && header.type == type &&
           reader_bytes(&there, PG_HEADER + (size_t)header.body, &bytes))
        ;
    return (size_t)(there.next - start);
}

/* How many bytes of rows are asked about at a time: all that are there, and one by one those of a piece that
 * was found not to be clean, or each of its rows would have the whole piece searched once more. */
static size_t next_rows(struct back *b, struct reader there, const struct pg_header *header)
{
    size_t one = PG_HEADER + (size_t)header->body;
    if (b->suspect == 0)
        return whole_rows(there);
    b->suspect = b->suspect > one ? b->suspect - one : 0;
    return one <= reader_left(&there) ? one : 0;
}

/* Rows, of which there may be many: those in which nothing is to be masked pass together. */
static int take_row(struct back *b, const struct pg_header *header, struct reader body)
{
    struct reader there = lane_undecided(&b->lane);
    size_t n = 0;
    if (!b->veil)
        return pass(b, header);
    if (veil_is_at_mark(b->veil)) {
        int r = back_count(b, header->body);
        if (r)
            return r == CUT_HERE ? drop(b, header) : r;
        if (PG_HEADER + (size_t)header->body <= reader_left(&there))
            n = PG_HEADER + (size_t)header->body;
        if (!veil_looks_into(b->veil, header->type))
            return pass(b, header);
    } else {
        n = next_rows(b, there, header);
    }
    if (n > 0 && veil_is_clean(b->veil, there.next, n)) {
        lane_pass(&b->lane, n);
        return 0;
    }
    size_t one = PG_HEADER + (size_t)header->body;
    if (n > one)
        b->suspect = n - one;
    return show(b, header, body);
}

static int take_any(struct back *b, const struct pg_header *header, struct reader body)
{
    struct limits *limits = &b->front->limits;
    if (header->type == 'G')
        limits->copying_in = b->veil && veil_is_at_mark(b->veil);
    else if (header->type == 'C')
        limits_next_result(limits);
    return show(b, header, body);
}

static int drop(struct back *b, const struct pg_header *header)
{
    int r = flush(b);
    if (r == 0)
        lane_drop(&b->lane, PG_HEADER + (size_t)header->body);
    return r;
}

static int take_key(struct back *b, const struct pg_header *header, struct reader body)
{
    (void)body;
    return drop(b, header);
}

static int take_error(struct back *b, const struct pg_header *header, struct reader body)
{
    const char *severity = pg_error_field(body, 'V');
    severity = severity ? severity : pg_error_field(body, 'S');
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        b->fatal = true;
    struct buffer ours, shown;
    buffer_init(&ours, PG_SMALL_MAX);
    buffer_init(&shown, PG_HEADER + VEIL_MESSAGE_MAX);
    int verdict = b->veil ? veil_answer(b->veil, header->type, body, &shown) : VEIL_PASS;
    int r = refusals_answer(&b->front->refusals, body, &ours);
    if (r == REFUSAL_ANSWERED)
        r = replace(b, header, &ours);
    else if (r == 0)
        r = by_verdict(b, header, verdict, &shown);
    buffer_free(&ours);
    buffer_free(&shown);
    return r;
}

int back_setting(struct back *b, const char *name, const char *value)
{
    if (strcasecmp(name, "standard_conforming_strings") == 0 && strcmp(value, "on") != 0)
        return detail_fail(&b->why, BACK_UNSAFE,
                           "standard_conforming_strings is off: statements can't be inspected");
    if (strcasecmp(name, "client_encoding") != 0)
        return 0;
    b->front->text_kind = setting_encoding(value);
    if (b->front->text_kind == TEXT_UNSAFE)
        return detail_fail(
            &b->why, BACK_UNSAFE,
            "statements can't be inspected in client_encoding %.64s: connect with client_encoding=UTF8",
            value);
    return 0;
}

static int take_setting(struct back *b, const struct pg_header *header, struct reader body)
{
    struct pg_setting setting;
    if (!pg_read_setting(body, &setting))
        return malformed(b, "a ParameterStatus that does not add up");
    int r = back_setting(b, setting.name, setting.value);
    return r ? r : pass(b, header);
}

static int take_ready(struct back *b, const struct pg_header *header, struct reader body)
{
    if (!pg_read_ready(body, &b->status))
        return malformed(b, "a ReadyForQuery that does not add up");
    b->front->rounds_seen = ++b->rounds;
    b->front->status = b->status;
    return show(b, header, body);
}

/* While a result over its limit is being ended. CUT_PASS: the message is treated as always. */
static int take_cut(struct back *b, const struct pg_header *header, struct reader body)
{
    struct buffer ours;
    buffer_init(&ours, PG_SMALL_MAX);
    int r = back_cut(b, header, body, &ours);
    if (r == CUT_DROP) {
        r = drop(b, header);
    } else if (r == CUT_REPLACE) {
        r = replace(b, header, &ours);
    } else if (r == CUT_AHEAD) {
        r = flush(b);
        r = r ? r : back_say(b, buffer_head(&ours), buffer_size(&ours));
        r = r ? r : CUT_PASS;
    }
    buffer_free(&ours);
    return r;
}

struct kind {
    int (*take)(struct back *b, const struct pg_header *header, struct reader body);
    uint32_t whole; /* bytes of the body that must be there; 0: its header is enough */
    uint32_t max;   /* bytes of the body; longer is malformed. 0: PG_MESSAGE_MAX */
};

static const struct kind kinds[256] = {
    ['1'] = { take_any, 0, 0 }, /* ParseComplete */
    ['2'] = { take_any, 0, 0 }, /* BindComplete */
    ['3'] = { take_any, 0, 0 }, /* CloseComplete */
    ['A'] = { take_any, 0, 0 }, /* NotificationResponse */
    ['C'] = { take_any, 0, 0 }, /* CommandComplete */
    ['D'] = { take_row, 0, 0 }, /* DataRow */
    ['E'] = { take_error, PG_SMALL_MAX, 0 },
    ['G'] = { take_any, 0, 0 }, /* CopyInResponse */
    ['H'] = { take_any, 0, 0 }, /* CopyOutResponse */
    ['I'] = { take_any, 0, 0 }, /* EmptyQueryResponse */
    ['K'] = { take_key, 0, 0 }, /* BackendKeyData */
    ['N'] = { take_any, 0, 0 }, /* NoticeResponse */
    ['S'] = { take_setting, PG_SMALL_MAX, PG_SMALL_MAX },
    ['T'] = { take_any, 0, 0 }, /* RowDescription */
    ['Z'] = { take_ready, 1, 1 },
    ['c'] = { take_any, 0, 0 }, /* CopyDone */
    ['d'] = { take_row, 0, 0 }, /* CopyData */
    ['n'] = { take_any, 0, 0 }, /* NoData */
    ['s'] = { take_any, 0, 0 }, /* PortalSuspended */
    ['t'] = { take_any, 0, 0 }, /* ParameterDescription */
};

static int take_one(struct back *b)
{
    struct pg_header header;
    const uint8_t *bytes = NULL;
    struct reader there = lane_undecided(&b->lane);
    if (reader_left(&there) == 0)
        return SHORT;
    const struct kind *kind = &kinds[*there.next];
    if (!kind->take)
        return malformed(b, "an unknown type of message");
    int r = pg_header_read(there.next, reader_left(&there), &header);
    if (r)
        return r == PG_SHORT ? SHORT : malformed(b, "a message of an impossible length");
    if (kind->max > 0 && header.body > kind->max)
        return malformed(b, "a message that is too long for its type");
    size_t body = reader_left(&there) - PG_HEADER, whole = kind->whole;
    if (b->veil && veil_looks_into(b->veil, header.type)) {
        if (header.body > VEIL_MESSAGE_MAX)
            return detail_fail(&b->why, BACK_UNSAFE,
                               "a row of more than %d MiB can't be masked: select fewer columns",
                               VEIL_MESSAGE_MAX >> 20);
        whole = header.body;
    }
    if (body < (header.body < whole ? header.body : whole))
        return SHORT;
    if (!reader_bytes(&there, PG_HEADER, &bytes))
        return -EINVAL;
    b->idle = header.type == 'Z';
    struct reader in = reader_of(there.next, body < header.body ? body : header.body);
    r = b->front->limits.cut ? take_cut(b, &header, in) : CUT_PASS;
    return r == CUT_PASS ? kind->take(b, &header, in) : r;
}

int back_take(struct back *b)
{
    int r = 0;
    while (r == 0 && lane_open(&b->lane) && !lane_carry_on(&b->lane))
        r = take_one(b);
    if (r != 0 && r != SHORT)
        return r;
    return flush(b);
}
