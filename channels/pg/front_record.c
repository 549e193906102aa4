/* A Bind and the Execute that follows it are one request for whoever reads the recording, so a Bind waits for
 * its Execute, at most until the decided bytes leave for the server. COPY data is one event per round, not
 * per row. */
#include "channels/pg/front_record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct values {
    bool pending;
    struct decision *decision; /* a reference */
    const char *portal, *statement;
    uint64_t of, omitted;
    size_t n;
    ProtobufCBinaryData bytes[FRONT_VALUES_SHOWN];
    protobuf_c_boolean nulls[FRONT_VALUES_SHOWN];
    uint32_t formats[FRONT_VALUES_SHOWN];
};

static int append(struct front *f, Ipc__Request *request, const char *text, size_t n)
{
    request->stream = f->stream;
    return recorder_request(f->recorder, request, text, n) < 0 ? FRONT_UNRECORDED : 0;
}

/* A configuration may hold a reason of any length; the head of an event may not. */
static char *clip(char out[FRONT_WORDS_MAX], const char *words)
{
    size_t n = strnlen(words, FRONT_WORDS_MAX - 1);
    memcpy(out, words, n);
    out[n] = 0;
    return out;
}

int front_record(struct front *f, const char *what, const struct verdict *verdict, const struct decision *d,
                 const char *text, size_t n, size_t missing)
{
    char rule[FRONT_WORDS_MAX], reason[FRONT_WORDS_MAX];
    Ipc__Request request = IPC__REQUEST__INIT;
    request.what = (char *)(uintptr_t)what;
    request.verdict = (char *)(uintptr_t)action_name(verdict->action);
    request.code = (char *)(uintptr_t)verdict->code;
    request.rule = clip(rule, verdict->rule);
    request.reason = clip(reason, verdict->reason);
    request.omitted = missing;
    if (d) {
        request.n_effects = d->n_effects;
        request.effects = d->effects;
        request.of = prepared_request(&f->prepared, d);
    }
    return append(f, &request, text, n);
}

static uint32_t next_format(struct reader *formats, uint16_t n_formats, uint32_t common)
{
    uint16_t format = 0;
    if (n_formats > 1 && reader_u16(formats, &format))
        return format;
    return common;
}

static void note_values(struct values *v, const struct pg_bind *bind)
{
    struct reader values = bind->values, formats = bind->formats, first = bind->formats, value = { 0 };
    uint16_t common = 0;
    bool null = false;
    size_t left = FRONT_VALUES_BYTES;
    if (bind->n_formats == 1 && !reader_u16(&first, &common))
        common = 0;
    v->n = 0;
    v->omitted = bind->n_values;
    while (v->n < FRONT_VALUES_SHOWN && v->omitted > 0 && pg_next_value(&values, &value, &null) &&
           reader_left(&value) <= left) {
        left -= reader_left(&value);
        v->bytes[v->n].data = (uint8_t *)(uintptr_t)value.next;
        v->bytes[v->n].len = reader_left(&value);
        v->nulls[v->n] = null;
        v->formats[v->n] = next_format(&formats, bind->n_formats, common);
        v->n++;
        v->omitted--;
    }
}

int front_note_bind(struct front *f, const struct pg_bind *bind, struct decision *d, uint64_t of)
{
    if (!f->bound && !(f->bound = calloc(1, sizeof(*f->bound))))
        return -ENOMEM;
    struct values *v = f->bound;
    note_values(v, bind);
    v->decision = decision_share(d);
    v->portal = bind->portal;
    v->statement = bind->statement;
    v->of = of;
    v->pending = true;
    f->copy_rest = false;
    return 0;
}

static int record_bound(struct front *f, const char *what)
{
    struct values *v = f->bound;
    const struct verdict *verdict = &v->decision->verdict;
    char rule[FRONT_WORDS_MAX], reason[FRONT_WORDS_MAX];
    Ipc__Request request = IPC__REQUEST__INIT;
    if (verdict->action == ACTION_HOLD) {
        request.reason = clip(reason, verdict->reason);
        request.n_effects = v->decision->n_effects;
        request.effects = v->decision->effects;
    }
    request.what = (char *)(uintptr_t)what;
    request.verdict = (char *)(uintptr_t)action_name(verdict->action);
    request.rule = clip(rule, verdict->rule);
    request.of = v->of;
    request.values_omitted = v->omitted;
    request.n_values = request.n_nulls = request.n_formats = v->n;
    request.values = v->bytes;
    request.nulls = v->nulls;
    request.formats = v->formats;
    size_t shown = v->decision->text_n < FRONT_BIND_TEXT ? v->decision->text_n : FRONT_BIND_TEXT;
    request.omitted = v->decision->text_size - shown;
    int r = append(f, &request, v->decision->text, shown);
    decision_free(v->decision);
    v->decision = NULL;
    v->pending = false;
    return r;
}

int front_record_bind(struct front *f, const struct pg_bind *bind, struct decision *d, uint64_t of)
{
    int r = front_settle(f);
    r = r ? r : front_note_bind(f, bind, d, of);
    return r ? r : record_bound(f, "bind");
}

int front_record_execute(struct front *f, const char *portal)
{
    if (f->bound && f->bound->pending && strcmp(f->bound->portal, portal) == 0)
        return record_bound(f, "execute");
    int r = front_settle(f);
    if (r)
        return r;
    static const char prefix[] = "portal ";
    enum { SHOWN = 256 };
    char text[sizeof(prefix) + SHOWN];
    size_t n = strnlen(portal, SHOWN);
    memcpy(text, prefix, sizeof(prefix) - 1);
    memcpy(text + sizeof(prefix) - 1, portal, n);
    Ipc__Request request = IPC__REQUEST__INIT;
    request.what = (char *)(uintptr_t) "fetch";
    request.verdict = (char *)(uintptr_t)action_name(ACTION_ALLOW);
    return append(f, &request, text, sizeof(prefix) - 1 + n);
}

void front_note_copy(struct front *f)
{
    if (!f->copying)
        f->copied_from = f->lane.decided;
    f->copying = true;
    f->copy_rest = true;
}

void front_resume_copy(struct front *f)
{
    if (f->copy_rest)
        front_note_copy(f);
}

static int record_copied(struct front *f)
{
    struct reader bytes = lane_decided(&f->lane);
    const uint8_t *before = NULL;
    f->copying = false;
    if (!reader_bytes(&bytes, f->copied_from, &before) || reader_left(&bytes) == 0)
        return 0;
    int r = recorder_input(f->recorder, f->stream, "postgres", bytes.next, reader_left(&bytes));
    return r < 0 ? FRONT_UNRECORDED : 0;
}

int front_settle(struct front *f)
{
    int r = 0;
    if (f->bound && f->bound->pending)
        r = record_bound(f, "bind");
    if (r == 0 && f->copying)
        r = record_copied(f);
    return r;
}

void front_forget(struct front *f)
{
    if (f->bound)
        decision_free(f->bound->decision);
    free(f->bound);
    f->bound = NULL;
}
