/* Sealing: a finished recording is read again from its start, and what it is by then goes into the audit
 * chain. One at a time and in slices, between the loop's other work. What can't be entered now (a full disk)
 * waits; what waits when the ledger ends is sealed at its next start. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "replay/ledger.h"
#include "replay/scan.h"

enum {
    STATEMENTS_MAX = 1000, /* different ones of one recording that the index gets */
    STATEMENT_SLOTS = 2048,
};

struct job {
    struct job *next;
    char id[RECORDING_ID + 1];
    uint64_t due_ms;
};

struct queue {
    struct job *first, **last;
};

struct sealer {
    struct ledger *ledger;
    struct timer *timer;
    struct queue seal, index; /* seal: in order of due_ms */
    struct job *job;          /* the one at work, out of its queue */
    bool job_seals;
    struct scan *scan;
    uint64_t statements[STATEMENT_SLOTS]; /* hashes of those that this recording's index has */
    size_t n_statements;
    bool hurry;
};

/* ---- the queues ---- */

static void append(struct queue *queue, struct job *job)
{
    *queue->last = job;
    queue->last = &job->next;
}

static void insert_by_due(struct queue *queue, struct job *job)
{
    struct job **at = &queue->first;
    while (*at && (*at)->due_ms <= job->due_ms)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    if (!job->next)
        queue->last = &job->next;
}

static struct job *take_first(struct queue *queue)
{
    struct job *job = queue->first;
    queue->first = job->next;
    if (!queue->first)
        queue->last = &queue->first;
    job->next = NULL;
    return job;
}

static void queue_free(struct queue *queue)
{
    while (queue->first)
        free(take_first(queue));
}

static void plan(struct sealer *sealer)
{
    uint64_t now = clock_ms(), due = now;
    if (!sealer->job && sealer->seal.first && !sealer->index.first && !sealer->hurry)
        due = sealer->seal.first->due_ms;
    if (!sealer_idle(sealer))
        timer_set(sealer->timer, due > now ? due - now : 0);
}

static struct job *job_new(const char *id, uint64_t wait_ms)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    memcpy(job->id, id, RECORDING_ID);
    job->due_ms = clock_ms() + wait_ms;
    return job;
}

void sealer_add(struct sealer *sealer, const char *id, uint64_t wait_ms)
{
    struct job *job = job_new(id, wait_ms);
    if (!job)
        return;
    insert_by_due(&sealer->seal, job);
    plan(sealer);
}

void sealer_index(struct sealer *sealer, const char *id)
{
    struct job *job = job_new(id, 0);
    if (!job)
        return;
    append(&sealer->index, job);
    plan(sealer);
}

bool sealer_idle(const struct sealer *sealer)
{
    return !sealer->job && !sealer->seal.first && !sealer->index.first;
}

void sealer_hurry(struct sealer *sealer)
{
    sealer->hurry = true;
    plan(sealer);
}

/* ---- the index ---- */

/* True when the statement is new to this recording's index, and there is room. */
static bool is_new_statement(struct sealer *sealer, const uint8_t *text, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ text[i]) * UINT64_C(1099511628211);
    h |= 1; /* 0 is a free slot */
    size_t at = (size_t)(h >> 32) % STATEMENT_SLOTS;
    for (; sealer->statements[at]; at = (at + 1) % STATEMENT_SLOTS)
        if (sealer->statements[at] == h)
            return false;
    if (sealer->n_statements >= STATEMENTS_MAX)
        return false;
    sealer->statements[at] = h;
    sealer->n_statements++;
    return true;
}

static int on_request(void *owner, const Ipc__Request *request, const uint8_t *text, size_t n)
{
    struct sealer *sealer = owner;
    (void)request;
    if (n > STORE_STATEMENT_MAX)
        n = STORE_STATEMENT_MAX;
    if (n == 0 || !is_new_statement(sealer, text, n))
        return 0;
    int r = store_put_statement(sealer->ledger->store, sealer->job->id, text, n);
    if (r)
        log_event(LOG_WARNING, "index_failed", "recording", sealer->job->id, "detail", strerror(-r), NULL);
    return 0;
}

static void put_in_index(struct sealer *sealer, const struct scan_summary *sum, enum seal_state state)
{
    const Ipc__Header *h = sum->header;
    if (!h || !h->identity)
        return;
    struct store_session session = {
        .id = sealer->job->id,
        .identity = h->identity->name,
        .source = h->identity->source_address,
        .kind = h->kind,
        .target = h->target,
        .target_kind = h->target_kind,
        .login = h->login,
        .command = h->command,
        .state = seal_state_name(state),
        .actor = h->identity->claims ? h->identity->claims->actor : "",
        .party = h->identity->claims ? h->identity->claims->authorized_party : "",
        .started_ms = h->started_ms,
        .ended_ms = h->started_ms + sum->at_us / 1000,
        .requests = sum->requests,
        .denied = sum->denied,
        .bytes = sum->output_bytes,
        .status = sum->status,
    };
    int r = store_put(sealer->ledger->store, &session);
    if (r)
        log_event(LOG_WARNING, "index_failed", "recording", sealer->job->id, "detail", strerror(-r), NULL);
}

/* ---- the seal ---- */

static enum seal_state state_of(const struct scan_summary *sum)
{
    if (sum->unreadable > 0)
        return SEAL_DAMAGED;
    switch (sum->end) {
    case SCAN_COMPLETE:
        return SEAL_COMPLETE;
    case SCAN_OPEN:
        return SEAL_INTERRUPTED;
    case SCAN_CUT:
        return SEAL_CUT;
    default:
        return SEAL_DAMAGED;
    }
}

static int enter_seal(struct sealer *sealer, const struct scan_summary *sum, enum seal_state state)
{
    Ipc__Seal seal = IPC__SEAL__INIT;
    Ipc__AuditEvent event = ledger_event("session_seal", sum->header ? sum->header->identity : NULL);
    seal.state = lent(seal_state_name(state));
    seal.entries = sum->entries;
    seal.size = sum->size;
    seal.tag = (ProtobufCBinaryData){ CHAIN_TAG, (uint8_t *)(uintptr_t)sum->tag };
    seal.tail = sum->tail;
    seal.status = sum->status;
    seal.reason = lent(sum->reason);
    if (sum->header)
        seal.ended_ms = sum->header->started_ms + sum->at_us / 1000;
    event.recording = sealer->job->id;
    event.seal = &seal;
    return ledger_enter(sealer->ledger, &event);
}

static void log_seal(const struct sealer *sealer, const struct scan_summary *sum, enum seal_state state)
{
    bool whole = state == SEAL_COMPLETE || state == SEAL_INTERRUPTED;
    log_event(whole ? LOG_INFO : LOG_WARNING, "sealed", "recording", sealer->job->id, "state",
              seal_state_name(state), "entries", U64(sum->entries), "tail", U64(sum->tail), NULL);
}

static void finish_job(struct sealer *sealer)
{
    scan_free(STEAL(sealer->scan));
    free(STEAL(sealer->job));
}

static void retry_later(struct sealer *sealer)
{
    struct job *job = STEAL(sealer->job);
    scan_free(STEAL(sealer->scan));
    job->due_ms = clock_ms() + LEDGER_RETRY_MS;
    sealer->hurry = false;
    insert_by_due(&sealer->seal, job);
}

static void conclude(struct sealer *sealer, const struct scan_summary *sum, enum seal_state state)
{
    if (sealer->job_seals) {
        if (enter_seal(sealer, sum, state)) {
            retry_later(sealer);
            return;
        }
        log_seal(sealer, sum, state);
    }
    put_in_index(sealer, sum, state);
    finish_job(sealer);
}

/* It is gone, or not a recording any more: that is sealed as well, so that it is never mistaken for a live
 * one. */
static void conclude_missing(struct sealer *sealer)
{
    struct scan_summary nothing = { .end = SCAN_FORGED };
    if (sealer->job_seals)
        conclude(sealer, &nothing, SEAL_MISSING);
    else
        finish_job(sealer);
}

/* ---- the work ---- */

static int begin_job(struct sealer *sealer)
{
    struct ledger *ledger = sealer->ledger;
    bool due = sealer->seal.first && (sealer->hurry || sealer->seal.first->due_ms <= clock_ms());
    if (!due && !sealer->index.first)
        return -EAGAIN;
    sealer->job_seals = due;
    sealer->job = take_first(due ? &sealer->seal : &sealer->index);
    sealer->n_statements = 0;
    memset(sealer->statements, 0, sizeof sealer->statements);
    char place[RECORDING_PLACE + 1];
    uint8_t key[CHAIN_KEY];
    int fd = openat(ledger->recordings_fd, recording_place(place, sealer->job->id),
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    keys_recording(ledger->keys, sealer->job->id, key);
    int r = scan_new(fd, key, on_request, sealer, &sealer->scan, NULL);
    keys_wipe(key);
    return r;
}

/* The statements of one slice are one transaction. */
static int step(struct sealer *sealer)
{
    bool grouped = store_begin(sealer->ledger->store) == 0;
    int r = scan_step(sealer->scan, LEDGER_SLICE);
    if (grouped && store_commit(sealer->ledger->store))
        log_event(LOG_WARNING, "index_failed", "recording", sealer->job->id, NULL);
    return r;
}

/* Errors that pass: the file is not at fault. */
static bool may_pass(int r)
{
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EIO || r == -ENOBUFS;
}

static void on_timer(void *owner)
{
    struct sealer *sealer = owner;
    int r = 0;
    if (!sealer->job)
        r = begin_job(sealer);
    if (r == 0)
        r = step(sealer);
    if (r == 0)
        conclude(sealer, scan_summary(sealer->scan), state_of(scan_summary(sealer->scan)));
    else if (r < 0 && sealer->job && may_pass(r) && sealer->job_seals) {
        log_event(LOG_ERROR, "seal_failed", "recording", sealer->job->id, "detail", strerror(-r), NULL);
        retry_later(sealer);
    } else if (r < 0 && sealer->job)
        conclude_missing(sealer);
    plan(sealer);
    if (sealer->ledger->draining && !sealer->ledger->gates && sealer_idle(sealer))
        loop_stop(sealer->ledger->loop, 0);
}

int sealer_new(struct ledger *ledger, struct sealer **ret)
{
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer)
        return -ENOMEM;
    sealer->ledger = ledger;
    sealer->seal.last = &sealer->seal.first;
    sealer->index.last = &sealer->index.first;
    int r = timer_new(ledger->loop, on_timer, sealer, &sealer->timer);
    if (r) {
        free(sealer);
        return r;
    }
    *ret = sealer;
    return 0;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    timer_free(sealer->timer);
    scan_free(sealer->scan);
    free(sealer->job);
    queue_free(&sealer->seal);
    queue_free(&sealer->index);
    free(sealer);
}
