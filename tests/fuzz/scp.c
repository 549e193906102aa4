/* scp's old protocol, and command lines. First byte: bit 0: rules look at paths; bit 1: detectors; bit 2: the
 * first line is the command, else it is scp -t or (bit 3) -f. Then (side and size, bytes)…; size 127: as many
 * as there are. */
#include <stdlib.h>
#include <string.h>
#include "channels/sftp/opaque.h"
#include "channels/sftp/scp.h"
#include "policy/detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct run {
    struct transfer *transfer;
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
    return 0;
}

static int ended(void *owner, const struct file_transfer *told)
{
    (void)owner;
    if (told->digest.bytes > told->size && told->has_size)
        abort();
    return 0;
}

static void resolve(void *owner, const char *path)
{
    struct run *run = owner;
    struct resolved_path answer = { .path = strstr(path, "none") ? NULL : path,
                                    .directory = strstr(path, "dir") };
    transfer_resolved(run->transfer, &answer);
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
    while (reader_u8(&in, &head)) {
        size_t left = reader_left(&in), n = (head & 127) == 127 || (head & 127U) > left ? left : head & 127;
        struct buffer *to = head & 128 ? &t->from_target : &t->from_client;
        if (!reader_bytes(&in, n, &bytes) || n > buffer_room(to) || buffer_append(to, bytes, n) ||
            transfer_run(t) || ((head & 1) && decide_held(t, run)))
            break;
        buffer_consume(&t->to_target, buffer_size(&t->to_target));
        buffer_consume(&t->to_client, buffer_size(&t->to_client));
    }
}

static size_t command_of(const uint8_t *data, size_t n, char line[256])
{
    size_t length = 0;
    if (!(data[0] & 4)) {
        strcpy(line, data[0] & 8 ? "scp -f /tmp/dir/x" : "scp -t /tmp/dir");
        return 1;
    }
    while (length < 255 && length + 1 < n && data[length + 1] != '\n')
        length++;
    memcpy(line, data + 1, length);
    line[length] = 0;
    return length + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct detectors *detectors;
    static struct detect_how how;
    const char *email = "email";
    char line[256];
    struct transfer_command command;
    struct run run = { .count = 0 };
    if (n == 0)
        return 0;
    if (!detectors && detectors_new(&email, 1, NULL, 0, &detectors, NULL))
        abort();
    memset(how.kinds, MASK_REDACT, sizeof how.kinds);
    struct transfer_host host = {
        .owner = &run, .decide = decide, .ended = ended, .resolve = resolve, .how = &how
    };
    host.asks_paths = data[0] & 1;
    host.detectors = data[0] & 2 ? detectors : NULL;
    size_t at = command_of(data, n, line);
    if (transfer_command_read(line, &command))
        abort();
    if (command.program == PROGRAM_OTHER)
        return 0;
    int r = command.program == PROGRAM_SCP ? scp_transfer_new(&host, &command, &run.transfer)
                                           : opaque_transfer_new(&host, &command, line, &run.transfer);
    if (r)
        abort();
    if (transfer_run(run.transfer) == 0 && decide_held(run.transfer, &run) == 0 &&
        run.transfer->stage == TRANSFER_GOES)
        feed(run.transfer, reader_of(data + at, n - at), &run);
    (void)!transfer_end(run.transfer);
    transfer_free(run.transfer);
    return 0;
}
