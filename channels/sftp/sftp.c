/* An SFTP session in the middle.
 *
 * Ids. Clients choose theirs as they like; the target gets indices into the list of pending requests, among
 * which are requests of our own. Handles likewise: the client gets ours, so it can name nothing but what it
 * was given.
 *
 * Decisions fall at what names a path. READ and WRITE on a handle pass without one: their headers are written
 * anew, their data streams through, however long it is. So there is no round trip more than without us, but
 * for one: where rules look at paths, the target is asked first where a path leads (sftp_resolve.c), and
 * later requests of the client wait meanwhile, so that none overtakes another.
 *
 * A packet of the client that does not add up ends the session: where the next one begins would be a guess.
 */
#include "channels/sftp/sftp.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "channels/sftp/sftp_parts.h"

enum { NONE = UINT32_MAX };

int sftp_client_fault(struct sftp *s, const char *what)
{
    return detail_fail(&s->transfer.why, TRANSFER_CLIENT, "the client sent %s", what);
}

int sftp_target_fault(struct sftp *s, const char *what)
{
    return detail_fail(&s->transfer.why, TRANSFER_TARGET, "the target sent %s", what);
}

/* ---- what is pending ---- */

static int pending_grow(struct sftp *s)
{
    size_t n = s->n_pending ? 2 * s->n_pending : 32;
    struct pending *grown = reallocarray(s->pending, n, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    s->pending = grown;
    for (size_t i = n; i-- > s->n_pending;) {
        s->pending[i] = (struct pending){ .what = FOR_FREE, .next = s->free_pending };
        s->free_pending = (uint32_t)i;
    }
    s->n_pending = n;
    return 0;
}

int pending_new(struct sftp *s, const struct pending *pending, uint32_t *ret_id)
{
    int r = s->free_pending == NONE ? pending_grow(s) : 0;
    if (r < 0)
        return r;
    uint32_t id = s->free_pending;
    s->free_pending = s->pending[id].next;
    s->pending[id] = *pending;
    s->used_pending++;
    if (pending->file != NO_FILE)
        s->files[pending->file]->outstanding++;
    *ret_id = id;
    return 0;
}

void pending_free(struct sftp *s, uint32_t id)
{
    s->pending[id] = (struct pending){ .what = FOR_FREE, .next = s->free_pending };
    s->free_pending = id;
    s->used_pending--;
}

int sftp_ask_path(struct sftp *s, uint8_t type, enum pending_for what, uint32_t file, const char *path)
{
    uint32_t id = 0;
    int r = pending_new(s, &(struct pending){ .what = what, .file = file }, &id);
    return r ? r : sftp_put_path(sftp_to_target(s), type, id, path);
}

int sftp_ask_handle(struct sftp *s, uint8_t type, enum pending_for what, uint32_t file)
{
    uint32_t id = 0;
    struct reader handle = file_target_handle(s->files[file]);
    int r = pending_new(s, &(struct pending){ .what = what, .file = file }, &id);
    return r ? r : sftp_put_handle_request(sftp_to_target(s), type, id, handle);
}

int sftp_refuse(struct sftp *s, uint32_t client_id, uint32_t code, const char *message)
{
    return sftp_put_status(sftp_to_client(s), client_id, code, message);
}

/* ---- running ---- */

struct buffer *sftp_to_client(struct sftp *s)
{
    return s->down.rest > 0 ? &s->down.aside : &s->transfer.to_client;
}

struct buffer *sftp_to_target(struct sftp *s)
{
    return s->up.rest > 0 ? &s->up.aside : &s->transfer.to_target;
}

static int stream(struct sftp_stream *stream, bool up, struct buffer *from, struct buffer *to)
{
    size_t n = buffer_size(from) < stream->rest ? buffer_size(from) : stream->rest;
    int r = 0;
    if (stream->file)
        r = file_hash(up ? &stream->file->up : &stream->file->down, stream->offset, buffer_head(from), n);
    stream->offset += n;
    stream->rest -= n;
    if (stream->drop)
        buffer_consume(from, n);
    else if (r == 0)
        r = transfer_move(from, to, n);
    if (r == 0 && stream->rest == 0)
        r = transfer_move(&stream->aside, to, buffer_size(&stream->aside));
    return r;
}

int sftp_stream_up(struct sftp *s)
{
    return stream(&s->up, true, &s->transfer.from_client, &s->transfer.to_target);
}

int sftp_stream_down(struct sftp *s)
{
    return stream(&s->down, false, &s->transfer.from_target, &s->transfer.to_client);
}

/* Nothing is decided while where a path leads is asked, too much is unanswered, or too much waits for people.
 */
static bool client_waits(const struct sftp *s)
{
    return (s->n_held >= FILE_HELD_MAX && !sftp_next_held(s)) ||
           (s->resolving.active && !s->resolving.done) ||
           s->used_pending + PENDING_SPARE > SFTP_PENDING_MAX || (s->begun && !s->greeted);
}

/* A request may be answered by us: so both sides have to take something. */
static bool client_has_room(const struct sftp *s)
{
    return transfer_takes(&s->transfer.to_target) && transfer_takes(&s->transfer.to_client) &&
           transfer_takes(&s->down.aside);
}

static int run_client(struct sftp *s)
{
    int r = 0;
    while (r == 0 && client_has_room(s)) {
        if (s->up.rest > 0) {
            r = sftp_stream_up(s);
            if (s->up.rest > 0)
                return r;
        } else {
            r = client_waits(s) ? SHORT : sftp_take_request(s);
        }
    }
    return r == SHORT ? 0 : r;
}

static int run_target(struct sftp *s)
{
    int r = 0;
    while (r == 0 && transfer_takes(&s->transfer.to_client)) {
        if (s->down.rest > 0) {
            r = sftp_stream_down(s);
            if (s->down.rest > 0)
                return r;
        } else {
            r = sftp_take_answer(s);
        }
    }
    return r == SHORT ? 0 : r;
}

/* The target first: its answers let the client go on. */
static int run(struct transfer *transfer)
{
    struct sftp *s = sftp_of(transfer);
    int r = run_target(s);
    return r ? r : run_client(s);
}

static bool wants_client(const struct transfer *transfer)
{
    const struct sftp *s = (const struct sftp *)(const void *)transfer;
    return client_has_room(s) && (s->up.rest > 0 || !client_waits(s));
}

/* Whatever waits for the target: it may be deaf until its answers are taken. */
static bool wants_target(const struct transfer *transfer)
{
    return transfer_takes(&transfer->to_client);
}

/* ---- life ---- */

static int end(struct transfer *transfer)
{
    struct sftp *s = sftp_of(transfer);
    int r = 0;
    s->up.file = s->down.file = NULL;
    for (uint32_t i = 0; i < s->n_files && r == 0; i++)
        if (s->files[i] && s->files[i]->state != FILE_FREE)
            r = file_gone(s, i, "cut");
    return r;
}

static void sftp_free(struct transfer *transfer)
{
    struct sftp *s = sftp_of(transfer);
    for (size_t i = 0; i < s->n_files; i++)
        file_free(s->files[i]);
    while (s->held)
        sftp_held_free(s, s->held);
    buffer_free(&s->up.aside);
    buffer_free(&s->down.aside);
    free(s->files);
    free(s->pending);
    free(s);
}

int sftp_transfer_new(const struct transfer_host *host, struct transfer **ret)
{
    static const struct transfer_kind kind = { run,       wants_client, wants_target, end,
                                               sftp_free, NULL,         sftp_decided };
    struct sftp *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    transfer_init(&s->transfer, &kind, host, 4 + SFTP_PACKET_MAX);
    buffer_init(&s->up.aside, (size_t)SFTP_PENDING_MAX * (PATH_TEXT_MAX + 16));
    buffer_init(&s->down.aside, 4 * (size_t)TRANSFER_HIGH);
    s->free_pending = NONE;
    *ret = &s->transfer;
    return 0;
}
