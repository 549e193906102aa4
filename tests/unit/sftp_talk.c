#include "sftp_talk.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int decide(void *owner, const struct file_request *request, struct file_verdict *ret)
{
    struct talk *talk = owner;
    bool all = true, any = false;
    if (talk->broken)
        return -EIO;
    for (size_t i = 0; i < request->n_effects; i++) {
        bool one = !talk->denied || !strstr(request->effects[i].path, talk->denied);
        all = all && one;
        any = any || one;
    }
    talk->decided++;
    (void)snprintf(talk->last, sizeof talk->last, "%s", request->text);
    *ret = (struct file_verdict){ .allowed = request->any ? any : all,
                                  .number = talk->decided,
                                  .message = "denied" };
    ret->held = talk->held && strstr(request->text, talk->held);
    ret->allowed = ret->allowed && !ret->held;
    return 0;
}

static int ended(void *owner, const struct file_transfer *told)
{
    struct talk *talk = owner;
    talk->told++;
    talk->bytes = told->digest.bytes;
    (void)snprintf(talk->state, sizeof talk->state, "%s", told->state);
    (void)snprintf(talk->note, sizeof talk->note, "%s", told->note);
    return talk->broken ? -EIO : 0;
}

void talk_begin(struct talk *talk, bool asks_paths)
{
    *talk = (struct talk){ 0 };
    struct transfer_host host = { .owner = talk, .decide = decide, .ended = ended, .asks_paths = asks_paths };
    assert_int_equal(sftp_transfer_new(&host, &talk->transfer), 0);
}

void talk_greet(struct talk *talk, bool asks_paths, bool openssh)
{
    talk_begin(talk, asks_paths);
    assert_int_equal(talk_client(talk, "01 00000003"), 0);
    talk_expect_target(talk, "01 00000003");
    assert_int_equal(
        talk_target(talk, openssh ? "02 00000003 \"posix-rename@openssh.com\" \"1\"" : "02 00000003"), 0);
    talk_expect_client(talk, openssh ? "02 00000003 \"posix-rename@openssh.com\" \"1\"" : "02 00000003");
}

void talk_end(struct talk *talk)
{
    transfer_free(talk->transfer);
}

/* ---- packets ---- */

static size_t put_text(const char **at, char quote, uint8_t *out)
{
    size_t n = strcspn(++*at, quote == '"' ? "\"" : "'");
    size_t head = quote == '"' ? 4 : 0;
    if (head) {
        memset(out, 0, 2);
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
    }
    memcpy(out + head, *at, n);
    *at += n + 1;
    return head + n;
}

size_t talk_packet(const char *text, uint8_t *out, size_t size)
{
    size_t n = 4;
    for (const char *at = text; *at;) {
        unsigned byte = 0;
        assert_true(n + strlen(at) < size);
        if (*at == ' ') {
            at++;
        } else if (*at == '"' || *at == '\'') {
            n += put_text(&at, *at, out + n);
        } else {
            assert_int_equal(sscanf(at, "%2x", &byte), 1);
            out[n++] = (uint8_t)byte;
            at += 2;
        }
    }
    size_t body = n - 4;
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(body >> (24 - 8 * i));
    return n;
}

static int give(struct talk *talk, struct buffer *in, const char *packet)
{
    uint8_t bytes[8192];
    size_t n = talk_packet(packet, bytes, sizeof bytes);
    assert_int_equal(buffer_append(in, bytes, n), 0);
    return transfer_run(talk->transfer);
}

int talk_client(struct talk *talk, const char *packet)
{
    return give(talk, &talk->transfer->from_client, packet);
}

int talk_target(struct talk *talk, const char *packet)
{
    return give(talk, &talk->transfer->from_target, packet);
}

void talk_expect_(struct talk *talk, bool client, const char *packet, int line)
{
    uint8_t bytes[8192];
    struct buffer *out = client ? &talk->transfer->to_client : &talk->transfer->to_target;
    size_t n = *packet ? talk_packet(packet, bytes, sizeof bytes) : 0;
    if (buffer_size(out) < n || (n == 0 && buffer_size(out) > 0) ||
        (n > 0 && memcmp(buffer_head(out), bytes, n) != 0)) {
        for (size_t i = 0; i < buffer_size(out) && i < 128; i++)
            print_error("%02x ", buffer_head(out)[i]);
        fail_msg("line %d: expected %s", line, *packet ? packet : "nothing");
    }
    buffer_consume(out, n);
}

void talk_expect_status_(struct talk *talk, uint32_t id, uint32_t code, int line)
{
    struct buffer *out = &talk->transfer->to_client;
    struct reader in = reader_of(buffer_head(out), buffer_size(out)), text;
    uint32_t length, got_id, got_code;
    uint8_t type;
    if (!reader_u32(&in, &length) || !reader_u8(&in, &type) || !reader_u32(&in, &got_id) ||
        !reader_u32(&in, &got_code) || !reader_string(&in, &text) || type != SFTP_STATUS)
        fail_msg("line %d: no status came", line);
    else if (got_id != id || got_code != code)
        fail_msg("line %d: a status for %u with code %u", line, got_id, got_code);
    else
        buffer_consume(out, 4 + (size_t)length);
}
