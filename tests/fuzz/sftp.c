/* Bytes of a client and of a target, in turns. First byte: bit 0: rules look at paths; bit 1: detectors look
 * into files; the rest: (side and size, bytes)…; size 127: as many as there are. Before them INIT and VERSION
 * have gone by, unless bit 2 is set. Whatever comes, the target gets nothing but requests that we can read.
 */
#include <stdlib.h>
#include <string.h>
#include "channels/sftp/sftp.h"
#include "channels/sftp/wire.h"
#include "policy/detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct run {
    uint64_t count, held; /* held: the last one that is; 0: none */
};

static int decide(void *owner, const struct file_request *request, struct file_verdict *ret)
{
    struct run *run = owner;
    *ret =
        (struct file_verdict){ .allowed = true, .look = true, .number = ++run->count, .message = "denied" };
    for (size_t i = 0; i < request->n_effects; i++)
        if (strstr(request->effects[i].path, "deny"))
            ret->allowed = false;
    ret->held = ret->allowed && strstr(request->text, "hold");
    if (ret->held) {
        ret->allowed = false;
        run->held = run->count;
    }
    if (strstr(request->text, "\n\n"))
        return -5;
    return 0;
}

static int ended(void *owner, const struct file_transfer *told)
{
    (void)owner;
    return told->digest.length > told->digest.bytes ? -5 : 0;
}

/* A WRITE's data may still be on its way. */
static void check_requests(const struct buffer *out, size_t *rest)
{
    struct reader in = reader_of(buffer_head(out), buffer_size(out));
    while (reader_left(&in) > 0) {
        struct sftp_request q;
        size_t size = 0, there = reader_left(&in) < *rest ? reader_left(&in) : *rest;
        in.next += there;
        *rest -= there;
        if (reader_left(&in) == 0)
            return;
        if (reader_left(&in) == 9 && in.next[4] == SFTP_INIT)
            return;
        if (sftp_read_request(in.next, reader_left(&in), &q, &size) || q.id >= SFTP_PENDING_MAX)
            abort();
        in.next += size;
        *rest = q.data;
    }
}

/* Packets, one behind the other: nothing of ours in the middle of one that streams. */
static void check_answers(const struct buffer *out, size_t *rest)
{
    struct reader in = reader_of(buffer_head(out), buffer_size(out));
    while (reader_left(&in) > 0) {
        size_t there = reader_left(&in) < *rest ? reader_left(&in) : *rest;
        uint32_t length = 0;
        uint8_t type = 0;
        in.next += there;
        *rest -= there;
        if (reader_left(&in) == 0)
            return;
        if (sftp_read_head(in.next, reader_left(&in), &length, &type) ||
            (type != SFTP_EXTENDED_REPLY && type != SFTP_VERSION_IS &&
             (type < SFTP_STATUS || type > SFTP_ATTRS)))
            abort();
        *rest = 4 + (size_t)length;
    }
}

/* Every other time people agree. */
static int decide_held(struct transfer *t, struct run *run)
{
    const struct file_verdict verdict = { .allowed = run->held & 1, .number = run->held, .message = "no" };
    if (run->held == 0)
        return 0;
    run->held = 0;
    transfer_decided(t, &verdict);
    return transfer_run(t);
}

static void feed(struct transfer *t, struct reader in, struct run *run)
{
    uint8_t head;
    const uint8_t *bytes;
    size_t rest = 0, rest_down = 0;
    while (reader_u8(&in, &head)) {
        size_t left = reader_left(&in), n = (head & 127) == 127 || (head & 127U) > left ? left : head & 127;
        struct buffer *to = head & 128 ? &t->from_target : &t->from_client;
        if (!reader_bytes(&in, n, &bytes) || n > buffer_room(to) || buffer_append(to, bytes, n) ||
            transfer_run(t) || ((head & 1) && decide_held(t, run)))
            break;
        check_requests(&t->to_target, &rest);
        check_answers(&t->to_client, &rest_down);
        buffer_consume(&t->to_target, buffer_size(&t->to_target));
        buffer_consume(&t->to_client, buffer_size(&t->to_client));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t init[] = { 0, 0, 0, 5, 1, 0, 0, 0, 3 }, version[] = { 0, 0, 0, 5, 2, 0, 0, 0, 3 };
    static struct detectors *detectors;
    static struct detect_how how;
    struct run run = { .count = 0 };
    const char *email = "email";
    if (n == 0)
        return 0;
    if (!detectors && detectors_new(&email, 1, NULL, 0, &detectors, NULL))
        abort();
    memset(how.kinds, MASK_REDACT, sizeof how.kinds);
    struct transfer_host host = { .owner = &run, .decide = decide, .ended = ended, .how = &how };
    host.asks_paths = data[0] & 1;
    host.detectors = data[0] & 2 ? detectors : NULL;
    struct transfer *t = NULL;
    if (sftp_transfer_new(&host, &t))
        abort();
    if (!(data[0] & 4)) {
        if (buffer_append(&t->from_client, init, sizeof init) || transfer_run(t) ||
            buffer_append(&t->from_target, version, sizeof version) || transfer_run(t))
            abort();
        buffer_consume(&t->to_target, buffer_size(&t->to_target));
        buffer_consume(&t->to_client, buffer_size(&t->to_client));
    }
    feed(t, reader_of(data + 1, n - 1), &run);
    (void)!transfer_end(t);
    transfer_free(t);
    return 0;
}
