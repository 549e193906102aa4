/* libssh's client asks no host for a certificate. But a host that has one for its key shows it to whoever
 * asks first, and the certificate says which key it is for: so it is asked for here, and libssh then has the
 * host prove that key (host_proof.h). What is sent as our share of the key exchange is the base point of the
 * curve, whose secret nobody needs.
 *
 *   version                          both
 *   KEXINIT                          both; only certificates as types of host keys
 *   KEX_ECDH_INIT                    ours
 *   KEX_ECDH_REPLY                   the host's: the certificate, its share, its signature */
#include "channels/ssh/host_offer.h"

#include <errno.h>
#include <string.h>

enum { DISCONNECT = 1, IGNORE = 2, DEBUG = 4, KEXINIT = 20, ECDH_INIT = 30, ECDH_REPLY = 31 };

enum { COOKIE = 16, PADDING_LEAST = 4, BLOCK = 8, LISTS = 10 };

static const char version[] = "SSH-2.0-Gatehouse";
static const char exchanges[] = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256";
static const char keys[] =
    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,"
    "ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,"
    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com";
static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
                              "aes128-ctr,aes192-ctr,aes256-ctr";
static const char macs[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,"
                           "hmac-sha2-512";

/* Base points: RFC 7748 section 4.1, SEC 2 section 2.4.2 (uncompressed). */
static const uint8_t of_curve25519[32] = { 9 };
static const uint8_t of_nistp256[65] = { 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc,
                                         0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
                                         0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
                                         0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
                                         0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
                                         0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5 };

static int broken(struct host_offer *o, const char *what)
{
    return detail_fail(&o->why, HOST_OFFER_PROTOCOL, "the host sent %s", what);
}

/* ---- what is sent ---- */

/* RFC 4253 section 6, without a MAC. */
static int put_packet(struct buffer *out, const struct buffer *payload)
{
    static const uint8_t zeroes[2 * BLOCK];
    size_t n = buffer_size(payload), padding = BLOCK - (5 + n) % BLOCK;
    padding += padding < PADDING_LEAST ? BLOCK : 0;
    int r = buffer_put_u32(out, (uint32_t)(1 + n + padding));
    r = r ? r : buffer_put_u8(out, (uint8_t)padding);
    r = r ? r : buffer_append(out, buffer_head(payload), n);
    return r ? r : buffer_append(out, zeroes, padding);
}

static int put_algorithms(struct buffer *payload)
{
    static const uint8_t cookie[COOKIE];
    static const char *const lists[LISTS] = { exchanges, keys,   ciphers, ciphers, macs,
                                              macs,      "none", "none",  "",      "" };
    int r = buffer_put_u8(payload, KEXINIT);
    r = r ? r : buffer_append(payload, cookie, sizeof cookie);
    for (size_t i = 0; r == 0 && i < LISTS; i++)
        r = buffer_put_string(payload, lists[i], strlen(lists[i]));
    r = r ? r : buffer_put_u8(payload, 0); /* no guess follows */
    return r ? r : buffer_put_u32(payload, 0);
}

static int put_share(struct buffer *payload, bool nist)
{
    int r = buffer_put_u8(payload, ECDH_INIT);
    if (r)
        return r;
    return nist ? buffer_put_string(payload, of_nistp256, sizeof of_nistp256)
                : buffer_put_string(payload, of_curve25519, sizeof of_curve25519);
}

int host_offer_init(struct host_offer *o)
{
    struct buffer payload;
    *o = (struct host_offer){ .state = OFFER_VERSION };
    buffer_init(&o->in, HOST_OFFER_PACKET_MAX + 4);
    buffer_init(&o->out, 4096);
    buffer_init(&o->certificate, HOST_OFFER_PACKET_MAX);
    buffer_init(&payload, 2048);
    int r = buffer_printf(&o->out, "%s\r\n", version);
    r = r ? r : put_algorithms(&payload);
    r = r ? r : put_packet(&o->out, &payload);
    buffer_free(&payload);
    return r;
}

void host_offer_clear(struct host_offer *o)
{
    buffer_free(&o->in);
    buffer_free(&o->out);
    buffer_free(&o->certificate);
}

/* ---- what comes ---- */

/* RFC 4253 section 4.2: lines may come before the version. */
static int take_line(struct host_offer *o, bool *ret_more)
{
    size_t there = buffer_size(&o->in);
    const uint8_t *line = buffer_head(&o->in);
    const uint8_t *newline = there ? memchr(line, '\n', there) : NULL;
    size_t n = newline ? (size_t)(newline - line) + 1 : 0;
    if (n > HOST_OFFER_LINE_MAX || (!n && there >= HOST_OFFER_LINE_MAX) || o->lines > HOST_OFFER_LINES_MAX)
        return broken(o, "too much before its version");
    *ret_more = n > 0;
    if (!n)
        return 0;
    o->lines++;
    if (n >= 4 && memcmp(line, "SSH-", 4) == 0) {
        if (n < 8 || (memcmp(line + 4, "2.0-", 4) != 0 && memcmp(line + 4, "1.99", 4) != 0))
            return broken(o, "another version of SSH than 2.0");
        o->state = OFFER_ALGORITHMS;
    }
    buffer_consume(&o->in, n);
    return 0;
}

/* The first of ours that is among theirs; NULL: none (RFC 4253 section 7.1). */
static const char *choose(const char *ours, struct reader theirs, size_t *ret_n)
{
    for (const char *one = ours; *one;) {
        size_t n = strcspn(one, ",");
        const uint8_t *at = theirs.next;
        while (at < theirs.end) {
            const uint8_t *comma = memchr(at, ',', (size_t)(theirs.end - at));
            size_t length = (size_t)((comma ? comma : theirs.end) - at);
            if (length == n && memcmp(at, one, n) == 0) {
                *ret_n = n;
                return one;
            }
            at += length + (comma ? 1 : 0);
        }
        one += n + (one[n] == ',');
    }
    return NULL;
}

static int take_algorithms(struct host_offer *o, struct reader body)
{
    struct reader list[LISTS];
    const uint8_t *cookie;
    uint8_t guess = 0;
    uint32_t reserved = 0;
    size_t n = 0;
    bool whole = reader_bytes(&body, COOKIE, &cookie);
    for (size_t i = 0; whole && i < LISTS; i++)
        whole = reader_string(&body, &list[i]);
    if (!whole || !reader_u8(&body, &guess) || !reader_u32(&body, &reserved) || !reader_done(&body))
        return broken(o, "algorithms that do not add up");
    const char *exchange = choose(exchanges, list[0], &n);
    if (!exchange || guess)
        return broken(o, "no key exchange that we know");
    bool nist = strncmp(exchange, "ecdh-sha2-nistp256", n) == 0;
    if (!choose(keys, list[1], &n))
        return detail_fail(&o->why, HOST_OFFER_NONE, "the host has no certificate");
    struct buffer payload;
    buffer_init(&payload, 256);
    int r = put_share(&payload, nist);
    r = r ? r : put_packet(&o->out, &payload);
    buffer_free(&payload);
    o->state = OFFER_REPLY;
    return r;
}

static int take_reply(struct host_offer *o, struct reader body)
{
    struct reader certificate, share, signature;
    if (!reader_string(&body, &certificate) || !reader_string(&body, &share) ||
        !reader_string(&body, &signature) || !reader_done(&body) || reader_left(&certificate) == 0)
        return broken(o, "an answer that does not add up");
    o->state = OFFER_DONE;
    return buffer_append(&o->certificate, certificate.next, reader_left(&certificate));
}

static int take_payload(struct host_offer *o, struct reader body)
{
    uint8_t type = 0;
    if (!reader_u8(&body, &type))
        return broken(o, "an empty packet");
    if (type == IGNORE || type == DEBUG)
        return 0;
    if (type == KEXINIT && o->state == OFFER_ALGORITHMS)
        return take_algorithms(o, body);
    if (type == ECDH_REPLY && o->state == OFFER_REPLY)
        return take_reply(o, body);
    return broken(o, type == DISCONNECT ? "a disconnect" : "a message that is not its turn");
}

static int take_packet(struct host_offer *o, bool *ret_more)
{
    size_t there = buffer_size(&o->in);
    struct reader in = reader_of(buffer_head(&o->in), there);
    uint32_t length = 0;
    uint8_t padding = 0;
    *ret_more = false;
    if (!reader_u32(&in, &length) || !reader_u8(&in, &padding))
        return 0;
    if (length < 1 + PADDING_LEAST || length > HOST_OFFER_PACKET_MAX || padding < PADDING_LEAST ||
        padding + 1U > length)
        return broken(o, "a packet of an impossible length");
    if (there < 4 + (size_t)length)
        return 0;
    *ret_more = true;
    int r = take_payload(o, reader_of(in.next, length - 1 - padding));
    buffer_consume(&o->in, 4 + (size_t)length);
    return r;
}

int host_offer_run(struct host_offer *o)
{
    bool more = true;
    size_t before = buffer_size(&o->in);
    int r = 0;
    while (r == 0 && more && o->state != OFFER_DONE)
        r = o->state == OFFER_VERSION ? take_line(o, &more) : take_packet(o, &more);
    o->taken += before - buffer_size(&o->in);
    if (r == 0 && o->state != OFFER_DONE && o->taken > HOST_OFFER_MAX)
        return broken(o, "too much before its key");
    return r;
}
