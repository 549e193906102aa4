/* The gate's pen.
 *
 * The ledger opens the file and gives the descriptor with the key of the chain; the gate may only append. An
 * event is in the kernel when an append returns, so that whatever the target or the agent has seen survives
 * any kill. After the first failure nothing is written any more: a hole in the chain must be at its end,
 * where it shows.
 *
 * Bulk (output, COPY data, keystrokes) is kept up to output_limit; where it is passed an Omitted event stands
 * at once, so that a recording which is cut off later says so too, and a second one with the count before the
 * end. Requests are never left out. */
#include "channels/recorder.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/chain.h"
#include "base/clock.h"
#include "base/io.h"
#include "channels/recorder_head.h"

struct recorder {
    int fd;
    int failure; /* of the first append that failed, or 0 */
    bool synced;
    bool full; /* output_limit was reached, and said */
    struct chain chain;
    char *id;
    uint64_t started_us, requests;
    uint64_t left;    /* bytes of bulk that are still kept */
    uint64_t omitted; /* bytes of bulk that were not */
    uint64_t bytes_in, bytes_out;
};

int recorder_new(int fd, Ipc__AnswerRecording *answer, uint64_t output_limit, bool synced,
                 struct recorder **ret)
{
    CLEANUP(recorder_free) struct recorder *r = calloc(1, sizeof(*r));
    if (!r) {
        fd_close(fd);
        return -ENOMEM;
    }
    r->fd = fd;
    uint32_t version = answer->chain_version ? answer->chain_version : CHAIN_V1;
    if (fd < 0 || answer->chain_key.len != CHAIN_KEY || answer->chain_tag.len != CHAIN_TAG ||
        version > CHAIN_V2)
        return -EINVAL;
    chain_start(&r->chain, version, answer->chain_key.data);
    memcpy(r->chain.last, answer->chain_tag.data, CHAIN_TAG);
    r->chain.entries = answer->entries;
    explicit_bzero(answer->chain_key.data, answer->chain_key.len);
    r->id = strdup(answer->id);
    if (!r->id)
        return -ENOMEM;
    r->left = output_limit;
    r->synced = synced;
    r->started_us = clock_us();
    *ret = STEAL(r);
    return 0;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    chain_wipe(&r->chain);
    fd_close(r->fd);
    free(r->id);
    free(r);
}

const char *recorder_id(const struct recorder *r)
{
    return r->id;
}

bool recorder_failed(const struct recorder *recorder)
{
    return recorder->failure != 0;
}

uint64_t recorder_entries(const struct recorder *r)
{
    return r->chain.entries;
}

uint64_t recorder_next(const struct recorder *r)
{
    return r->requests + 1;
}

/* A head that recorder_head() does not make. */
static int write_packed(struct recorder *r, const Ipc__Event *event, const void *body, size_t n)
{
    size_t size = ipc__event__get_packed_size(event);
    if (size > CHAIN_HEAD_MAX)
        return -EMSGSIZE;
    CLEANUP(free) uint8_t *head = malloc(size ? size : 1);
    if (!head)
        return -ENOMEM;
    (void)ipc__event__pack(event, head);
    return chain_append(&r->chain, r->fd, head, size, body, n);
}

/* Heads are small but for requests with many values; 60 KiB on the stack would be touched at every event. */
static int write_event(struct recorder *r, Ipc__Event *event, const void *body, size_t n)
{
    uint8_t bytes[RECORDER_HEAD_MAX];
    const uint8_t *head = NULL;
    event->at_us = clock_us() - r->started_us;
    size_t size = recorder_head(event, bytes, &head);
    int result =
        size > 0 ? chain_append(&r->chain, r->fd, head, size, body, n) : write_packed(r, event, body, n);
    if (result == 0 && r->synced && fdatasync(r->fd) < 0)
        result = -errno;
    return result;
}

static int append(struct recorder *r, Ipc__Event *event, const void *body, size_t n)
{
    if (r->failure == 0)
        r->failure = write_event(r, event, body, n);
    return r->failure;
}

int recorder_request(struct recorder *r, Ipc__Request *request, const void *text, size_t n)
{
    size_t kept = n < RECORDER_TEXT_MAX ? n : RECORDER_TEXT_MAX;
    request->number = recorder_next(r);
    request->omitted += n - kept;
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_REQUEST;
    event.request = request;
    int result = append(r, &event, text, kept);
    if (result == 0)
        r->requests++;
    return result;
}

static int write_omitted(struct recorder *r, uint64_t bytes)
{
    Ipc__Omitted omitted = IPC__OMITTED__INIT;
    omitted.bytes = bytes;
    omitted.why = (char *)"output_limit";
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_OMITTED;
    event.omitted = &omitted;
    return append(r, &event, NULL, 0);
}

/* How many of n bytes of bulk are still kept; says once in the recording when it is not all of them. */
static int take_room(struct recorder *r, size_t n, size_t *ret_kept)
{
    size_t kept = n < r->left ? n : (size_t)r->left;
    r->left -= kept;
    r->omitted += n - kept;
    *ret_kept = kept;
    return r->failure;
}

static int write_bulk(struct recorder *r, Ipc__Event *event, const uint8_t *bytes, size_t n)
{
    size_t kept = 0;
    int result = take_room(r, n, &kept);
    for (size_t at = 0; result == 0 && at < kept;) {
        size_t piece = kept - at < CHAIN_BODY_MAX ? kept - at : CHAIN_BODY_MAX;
        result = append(r, event, bytes + at, piece);
        at += piece;
    }
    if (result == 0 && kept < n && !r->full) {
        r->full = true;
        result = write_omitted(r, 0);
    }
    return result;
}

int recorder_output(struct recorder *r, uint32_t stream, const char *form, const void *bytes, size_t n)
{
    Ipc__Output output = IPC__OUTPUT__INIT;
    output.stream = stream;
    output.form = (char *)form;
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_OUTPUT;
    event.output = &output;
    r->bytes_out += n;
    return write_bulk(r, &event, bytes, n);
}

void recorder_count(struct recorder *r, uint64_t in, uint64_t out)
{
    r->bytes_in += in;
    r->bytes_out += out;
}

int recorder_input(struct recorder *r, uint32_t stream, const char *form, const void *bytes, size_t n)
{
    Ipc__Input input = IPC__INPUT__INIT;
    input.stream = stream;
    input.form = (char *)form;
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_INPUT;
    event.input = &input;
    r->bytes_in += n;
    return write_bulk(r, &event, bytes, n);
}

int recorder_hidden(struct recorder *r)
{
    Ipc__Input input = IPC__INPUT__INIT;
    input.form = (char *)"hidden";
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_INPUT;
    event.input = &input;
    return append(r, &event, NULL, 0);
}

int recorder_resize(struct recorder *r, uint32_t columns, uint32_t rows)
{
    Ipc__Resize resize = IPC__RESIZE__INIT;
    resize.columns = columns;
    resize.rows = rows;
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_RESIZE;
    event.resize = &resize;
    return append(r, &event, NULL, 0);
}

int recorder_transfer(struct recorder *r, Ipc__Transfer *transfer)
{
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_TRANSFER;
    event.transfer = transfer;
    return append(r, &event, NULL, 0);
}

/* Who agreed first was recorded when it happened: where all of them don't fit, the last ones do. */
int recorder_approval(struct recorder *r, Ipc__ApprovalNews *news)
{
    Ipc__ApprovalNews kept = *news;
    while (kept.n_decisions > 1 && ipc__approval_news__get_packed_size(&kept) > RECORDER_APPROVAL_MAX) {
        kept.decisions++;
        kept.n_decisions--;
    }
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_APPROVAL;
    event.approval = &kept;
    return append(r, &event, NULL, 0);
}

int recorder_note(struct recorder *r, const char *text)
{
    Ipc__Note note = IPC__NOTE__INIT;
    note.text = (char *)text;
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_NOTE;
    event.note = &note;
    return append(r, &event, NULL, 0);
}

int recorder_end(struct recorder *r, uint32_t status, const char *reason)
{
    int result = r->omitted > 0 ? write_omitted(r, r->omitted) : r->failure;
    if (result < 0)
        return result;
    Ipc__End end = IPC__END__INIT;
    end.status = status;
    end.reason = (char *)reason;
    end.bytes_in = r->bytes_in;
    end.bytes_out = r->bytes_out;
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_END;
    event.end = &end;
    return append(r, &event, NULL, 0);
}
