/* The question is a STAT from a client that is ourselves, through an SFTP session as any other
 * (channels/sftp/sftp.h), which resolves the path before it decides: what it then would judge is the answer,
 * and what STAT says tells a directory. */
#include "channels/ssh/target_paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/sftp/path.h"
#include "channels/sftp/sftp.h"
#include "channels/sftp/wire.h"
#include "channels/ssh/upstream_channel.h"

enum { QUESTION_MS = 30 * 1000 };

struct target_paths {
    struct upstream *upstream;
    struct upstream_channel *session;
    struct transfer *transfer;
    struct timer *soon, *limit;
    target_paths_answer *answer;
    void *owner;
    bool running, asked, broken;
    bool known; /* path is the answer */
    char path[PATH_TEXT_MAX];
};

/* ---- the session's rules: everything may be asked ---- */

static int decide(void *owner, const struct file_request *request, struct file_verdict *ret)
{
    struct target_paths *p = owner;
    *ret = (struct file_verdict){ .allowed = true };
    if (request->n_effects > 0 && strlen(request->effects[0].path) < sizeof p->path) {
        memcpy(p->path, request->effects[0].path, strlen(request->effects[0].path) + 1);
        p->known = true;
    }
    return 0;
}

static int ended(void *owner, const struct file_transfer *told)
{
    (void)owner;
    (void)told;
    return 0;
}

/* ---- answers ---- */

static void give_answer(struct target_paths *p, bool directory)
{
    const struct resolved_path path = { .path = p->known ? p->path : NULL, .directory = directory };
    if (!p->asked)
        return;
    p->asked = false;
    timer_stop(p->limit);
    p->answer(p->owner, &path);
}

static void fail(struct target_paths *p)
{
    p->broken = true;
    p->known = false;
    give_answer(p, false);
}

/* What the session answers to its client. False: not all of it is there. */
static bool take_answer(struct target_paths *p, bool *ret_answered, bool *ret_directory)
{
    enum { TYPE = 0170000, DIRECTORY = 0040000 };
    struct buffer *in = &p->transfer->to_client;
    struct sftp_attributes a = { 0 };
    uint32_t length = 0;
    uint8_t type = 0;
    if (sftp_read_head(buffer_head(in), buffer_size(in), &length, &type) ||
        buffer_size(in) < 4 + (size_t)length)
        return false;
    struct reader body = reader_of(buffer_head(in) + 5, length - 1);
    uint32_t id = 0;
    if (type == SFTP_ATTRS && reader_u32(&body, &id) && sftp_read_attributes(&body, &a))
        *ret_directory = a.has_mode && (a.mode & TYPE) == DIRECTORY;
    *ret_answered = type != SFTP_VERSION_IS;
    buffer_consume(in, 4 + (size_t)length);
    return true;
}

static int write_up(struct target_paths *p)
{
    struct buffer *out = &p->transfer->to_target;
    size_t room;
    while (p->running && buffer_size(out) > 0 && (room = upstream_channel_room(p->session)) > 0) {
        size_t n = buffer_size(out) < room ? buffer_size(out) : room;
        if (upstream_channel_write(p->session, buffer_head(out), n))
            return -EPIPE;
        buffer_consume(out, n);
    }
    return 0;
}

/* May be gone afterwards. */
static void go_on(struct target_paths *p)
{
    bool answered = false, directory = false;
    if (p->broken || transfer_run(p->transfer) || write_up(p)) {
        fail(p);
        return;
    }
    while (!answered && take_answer(p, &answered, &directory))
        continue;
    upstream_settle_later(p->upstream);
    if (answered)
        give_answer(p, directory);
}

/* ---- the session ---- */

static void soon(void *owner)
{
    go_on(owner);
}

static void took_too_long(void *owner)
{
    fail(owner);
}

static void started(void *owner, bool terminal)
{
    struct target_paths *p = owner;
    (void)terminal;
    p->running = true;
    timer_set(p->soon, 0);
}

static void refused(void *owner, const char *detail)
{
    (void)detail;
    fail(owner);
}

static enum upstream_taken output(void *owner, bool is_error, const uint8_t *bytes, size_t n)
{
    struct target_paths *p = owner;
    if (!is_error && buffer_append(&p->transfer->from_target, bytes, n))
        p->broken = true;
    timer_set(p->soon, 0);
    return UPSTREAM_GO_ON;
}

static void given_up(void *owner)
{
    fail(owner);
}

static void output_ended(void *owner)
{
    fail(owner);
}

static void input_wanted(void *owner)
{
    struct target_paths *p = owner;
    timer_set(p->soon, 0);
}

static void session_ended(void *owner, const struct upstream_exit *exit)
{
    (void)exit;
    fail(owner);
}

static const struct upstream_channel_calls calls = {
    started, refused, output, given_up, output_ended, input_wanted, session_ended,
};

static int begin(struct target_paths *p)
{
    static const struct upstream_run run = { .what = UPSTREAM_SUBSYSTEM, .text = "sftp" };
    const struct transfer_host host = { .owner = p, .decide = decide, .ended = ended, .asks_paths = true };
    int r = sftp_transfer_new(&host, &p->transfer);
    r = r ? r : sftp_put_init(&p->transfer->from_client);
    return r ? r : upstream_channel_new(p->upstream, &run, &calls, p, &p->session);
}

void target_paths_ask(struct target_paths *p, const char *path)
{
    int r = p->broken ? -EPIPE : p->transfer ? 0 : begin(p);
    p->asked = true;
    p->known = false;
    timer_set(p->limit, QUESTION_MS);
    if (r || sftp_put_path(&p->transfer->from_client, SFTP_STAT, 1, path))
        p->broken = true;
    timer_set(p->soon, 0);
    upstream_settle_later(p->upstream);
}

int target_paths_new(struct loop *loop, struct upstream *upstream, target_paths_answer *answer, void *owner,
                     struct target_paths **ret)
{
    struct target_paths *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    *p = (struct target_paths){ .upstream = upstream, .answer = answer, .owner = owner };
    if (timer_new(loop, soon, p, &p->soon) || timer_new(loop, took_too_long, p, &p->limit)) {
        target_paths_free(p);
        return -ENOMEM;
    }
    *ret = p;
    return 0;
}

void target_paths_free(struct target_paths *p)
{
    if (!p)
        return;
    upstream_channel_free(p->session);
    transfer_free(p->transfer);
    timer_free(p->soon);
    timer_free(p->limit);
    free(p);
}
