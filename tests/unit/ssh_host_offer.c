/* channels/ssh/host_offer: what a host shows in the first half of a key exchange. Each that passes has a twin
 * that does not. */
#include "channels/ssh/host_offer.h"

#include <string.h>

#include "check.h"

enum { PACKET_MAX = 4096 };

struct host {
    struct host_offer offer;
};

static void begin(struct host *h)
{
    assert_int_equal(host_offer_init(&h->offer), 0);
}

static void end(struct host *h)
{
    host_offer_clear(&h->offer);
}

static int say(struct host *h, const void *bytes, size_t n)
{
    assert_int_equal(buffer_append(&h->offer.in, bytes, n), 0);
    return host_offer_run(&h->offer);
}

static int say_line(struct host *h, const char *line)
{
    return say(h, line, strlen(line));
}

/* A packet around the payload. */
static void pack(struct buffer *out, const struct buffer *payload)
{
    static const uint8_t zeroes[8];
    size_t n = buffer_size(payload);
    assert_int_equal(buffer_put_u32(out, (uint32_t)n + 9), 0);
    assert_int_equal(buffer_put_u8(out, 8), 0);
    assert_int_equal(buffer_append(out, buffer_head(payload), n), 0);
    assert_int_equal(buffer_append(out, zeroes, 8), 0);
}

static int say_payload(struct host *h, const struct buffer *payload)
{
    struct buffer packet;
    buffer_init(&packet, HOST_OFFER_PACKET_MAX + 64);
    pack(&packet, payload);
    int r = say(h, buffer_head(&packet), buffer_size(&packet));
    buffer_free(&packet);
    return r;
}

static int say_algorithms(struct host *h, const char *exchanges, const char *keys, uint8_t guess)
{
    static const uint8_t cookie[16] = { 7 };
    struct buffer payload;
    buffer_init(&payload, PACKET_MAX);
    int r = buffer_put_u8(&payload, 20);
    r = r ? r : buffer_append(&payload, cookie, sizeof cookie);
    r = r ? r : buffer_put_string(&payload, exchanges, strlen(exchanges));
    r = r ? r : buffer_put_string(&payload, keys, strlen(keys));
    for (int i = 0; r == 0 && i < 8; i++)
        r = buffer_put_string(&payload, "none", 4);
    r = r ? r : buffer_put_u8(&payload, guess);
    r = r ? r : buffer_put_u32(&payload, 0);
    assert_int_equal(r, 0);
    r = say_payload(h, &payload);
    buffer_free(&payload);
    return r;
}

static int say_reply(struct host *h, const char *certificate, size_t behind)
{
    struct buffer payload;
    buffer_init(&payload, PACKET_MAX);
    int r = buffer_put_u8(&payload, 31);
    r = r ? r : buffer_put_string(&payload, certificate, strlen(certificate));
    r = r ? r : buffer_put_string(&payload, "share", 5);
    r = r ? r : buffer_put_string(&payload, "signature", 9);
    for (size_t i = 0; r == 0 && i < behind; i++)
        r = buffer_put_u8(&payload, 0);
    assert_int_equal(r, 0);
    r = say_payload(h, &payload);
    buffer_free(&payload);
    return r;
}

/* What is there to be sent, as one of ours: type of the last packet, and the length of its first string. */
static uint32_t share_of(struct host *h)
{
    struct reader in = reader_of(buffer_head(&h->offer.out), buffer_size(&h->offer.out));
    uint32_t length = 0, n = 0;
    uint8_t padding = 0, type = 0;
    assert_true(reader_u32(&in, &length) && reader_u8(&in, &padding) && reader_u8(&in, &type));
    assert_int_equal(reader_left(&in), length - 2);
    assert_int_equal((length + 4) % 8, 0);
    assert_true(padding >= 4);
    assert_int_equal(type, 30);
    assert_true(reader_u32(&in, &n));
    return n;
}

static const char *const ed25519 = "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com";

static void a_certificate_is_shown(void **state)
{
    struct host h;
    (void)state;
    begin(&h);
    assert_memory_equal(buffer_head(&h.offer.out), "SSH-2.0-Gatehouse\r\n", 19);
    buffer_consume(&h.offer.out, buffer_size(&h.offer.out));
    assert_int_equal(say_line(&h, "hello\r\nSSH-2.0-OpenSSH_9.2p1\r\n"), 0);
    assert_int_equal(say_algorithms(&h, "sntrup761x25519-sha512,curve25519-sha256", ed25519, 0), 0);
    assert_int_equal(share_of(&h), 32);
    assert_int_equal(say_reply(&h, "certificate", 0), 0);
    assert_int_equal(h.offer.state, OFFER_DONE);
    assert_int_equal(buffer_size(&h.offer.certificate), 11);
    assert_memory_equal(buffer_head(&h.offer.certificate), "certificate", 11);
    end(&h);
}

static void a_host_that_knows_only_nist_curves_is_asked_on_one(void **state)
{
    struct host h;
    (void)state;
    begin(&h);
    buffer_consume(&h.offer.out, buffer_size(&h.offer.out));
    assert_int_equal(say_line(&h, "SSH-2.0-x\n"), 0);
    assert_int_equal(say_algorithms(&h, "ecdh-sha2-nistp256", "rsa-sha2-256-cert-v01@openssh.com", 0), 0);
    assert_int_equal(share_of(&h), 65);
    end(&h);
}

static void it_does_not_matter_how_the_bytes_arrive(void **state)
{
    struct host h;
    struct buffer all;
    (void)state;
    begin(&h);
    buffer_init(&all, HOST_OFFER_MAX);
    assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
    /* The packet of algorithms, byte by byte. */
    struct host whole;
    begin(&whole);
    assert_int_equal(say_line(&whole, "SSH-2.0-x\r\n"), 0);
    struct buffer payload;
    buffer_init(&payload, PACKET_MAX);
    assert_int_equal(buffer_put_u8(&payload, 2), 0);
    pack(&all, &payload);
    for (size_t i = 0; i < buffer_size(&all); i++)
        assert_int_equal(say(&h, buffer_head(&all) + i, 1), 0);
    assert_int_equal(h.offer.state, OFFER_ALGORITHMS);
    buffer_free(&payload);
    buffer_free(&all);
    end(&whole);
    end(&h);
}

static void a_host_without_certificates_says_so(void **state)
{
    struct host h;
    (void)state;
    begin(&h);
    assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
    assert_int_equal(say_algorithms(&h, "curve25519-sha256", "ssh-ed25519,rsa-sha2-512", 0), HOST_OFFER_NONE);
    end(&h);
}

static void what_does_not_add_up_is_refused(void **state)
{
    struct host h;
    (void)state;
    static const char *const versions[] = { "SSH-1.5-x\r\n", "SSH-2\n" };
    for (size_t i = 0; i < 2; i++) {
        begin(&h);
        assert_int_equal(say_line(&h, versions[i]), HOST_OFFER_PROTOCOL);
        end(&h);
    }
    static const struct {
        const char *exchanges;
        uint8_t guess;
    } bad[] = { { "diffie-hellman-group1-sha1", 0 }, { "curve25519-sha256", 1 }, { "", 0 } };
    for (size_t i = 0; i < 3; i++) {
        begin(&h);
        assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
        assert_int_equal(say_algorithms(&h, bad[i].exchanges, ed25519, bad[i].guess), HOST_OFFER_PROTOCOL);
        end(&h);
    }
    begin(&h); /* a reply before it was asked for; one with bytes behind it */
    assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
    assert_int_equal(say_reply(&h, "certificate", 0), HOST_OFFER_PROTOCOL);
    end(&h);
    begin(&h);
    assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
    assert_int_equal(say_algorithms(&h, "curve25519-sha256", ed25519, 0), 0);
    assert_int_equal(say_reply(&h, "certificate", 1), HOST_OFFER_PROTOCOL);
    end(&h);
    static const uint8_t lengths[][5] = {
        { 0, 0, 0, 4, 4 }, { 0, 0, 0xff, 0xff, 4 }, { 0, 0, 0, 12, 12 }, { 0, 0, 0, 12, 3 }
    };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        begin(&h);
        assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
        assert_int_equal(say(&h, lengths[i], 5), HOST_OFFER_PROTOCOL);
        end(&h);
    }
}

static void a_host_that_goes_on_talking_is_not_listened_to(void **state)
{
    static const char line[] = "more\r\n";
    struct host h;
    int r = 0, n = 0;
    (void)state;
    begin(&h);
    while (r == 0 && n++ < 10 * HOST_OFFER_LINES_MAX)
        r = say_line(&h, line);
    assert_int_equal(r, HOST_OFFER_PROTOCOL);
    end(&h);
    begin(&h);
    assert_int_equal(say_line(&h, "SSH-2.0-x\r\n"), 0);
    struct buffer payload;
    buffer_init(&payload, PACKET_MAX);
    assert_int_equal(buffer_put_u8(&payload, 2), 0); /* SSH_MSG_IGNORE */
    assert_int_equal(buffer_append(&payload, (uint8_t[1000]){ 0 }, 1000), 0);
    for (r = 0, n = 0; r == 0 && n < 1000; n++)
        r = say_payload(&h, &payload);
    assert_int_equal(r, HOST_OFFER_PROTOCOL);
    assert_true(n <= HOST_OFFER_MAX / 1000 + 1);
    buffer_free(&payload);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_shown),
        cmocka_unit_test(a_host_that_knows_only_nist_curves_is_asked_on_one),
        cmocka_unit_test(it_does_not_matter_how_the_bytes_arrive),
        cmocka_unit_test(a_host_without_certificates_says_so),
        cmocka_unit_test(what_does_not_add_up_is_refused),
        cmocka_unit_test(a_host_that_goes_on_talking_is_not_listened_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
