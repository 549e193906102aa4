/* TLS towards clients, with OpenSSL as the client and memory between. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "channels/tls.h"
#include "channels/tls_pump.h"
#include "vault/tls_ca.h"

enum { MUCH = 1024 * 1024, GULPS = 200 };

static struct tls_server *server;

static int make_server(void **state)
{
    (void)state;
    struct secret *seed = NULL, *key = NULL;
    struct tls_ca *ca = NULL;
    struct buffer certificate;
    buffer_init(&certificate, TLS_TEXT_MAX);
    assert_int_equal(secret_new(TLS_CA_SEED, &seed), 0);
    assert_int_equal(tls_ca_new(seed, &ca), 0);
    assert_int_equal(tls_ca_issue(ca, "prod", (uint64_t)time(NULL), &certificate, &key), 0);
    assert_int_equal(tls_server_new(buffer_head(&certificate), buffer_size(&certificate), secret_bytes(key),
                                    secret_size(key), &server),
                     0);
    buffer_free(&certificate);
    secret_free(seed);
    secret_free(key);
    tls_ca_free(ca);
    return 0;
}

static int drop_server(void **state)
{
    (void)state;
    tls_server_free(server);
    return 0;
}

/* Both ends. */
struct link {
    SSL_CTX *context;
    SSL *client;
    BIO *in, *out;
    struct tls *tls;
    struct detail detail;
};

static void begin(struct link *link, int version, const char *protocols)
{
    *link = (struct link){ .context = SSL_CTX_new(TLS_client_method()) };
    assert_int_equal(SSL_CTX_set_max_proto_version(link->context, version), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(link->context, version), 1);
    if (protocols)
        assert_int_equal(SSL_CTX_set_alpn_protos(link->context, (const unsigned char *)protocols,
                                                 (unsigned)strlen(protocols)),
                         0);
    link->client = SSL_new(link->context);
    link->in = BIO_new(BIO_s_mem());
    link->out = BIO_new(BIO_s_mem());
    SSL_set_bio(link->client, link->in, link->out);
    SSL_set_connect_state(link->client);
    assert_int_equal(tls_new(server, &link->tls), 0);
}

static void end(struct link *link)
{
    tls_free(link->tls);
    SSL_free(link->client);
    SSL_CTX_free(link->context);
}

/* What the client has to say goes to the server, and back; the server's verdict. */
static int carry(struct link *link)
{
    char bytes[TLS_PART];
    int n, r = 0;
    if (buffer_room(tls_plain(link->tls)) >= TLS_PART)
        r = tls_take(link->tls, NULL, 0, &link->detail);
    while (r == 0 && buffer_room(tls_plain(link->tls)) >= TLS_PART &&
           (n = BIO_read(link->out, bytes, sizeof bytes)) > 0)
        r = tls_take(link->tls, bytes, (size_t)n, &link->detail);
    struct buffer *cipher = tls_cipher(link->tls);
    if (buffer_size(cipher) > 0)
        assert_int_equal(BIO_write(link->in, buffer_head(cipher), (int)buffer_size(cipher)),
                         (int)buffer_size(cipher));
    buffer_consume(cipher, buffer_size(cipher));
    return r;
}

static void shake(struct link *link)
{
    for (int i = 0; i < 5 && !(SSL_is_init_finished(link->client) && tls_is_open(link->tls)); i++) {
        (void)SSL_do_handshake(link->client);
        assert_int_equal(carry(link), 0);
    }
    assert_true(tls_is_open(link->tls));
}

static void both_versions_carry_bytes_both_ways(void **state)
{
    (void)state;
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < 2; i++) {
        struct link link;
        char bytes[16];
        size_t taken = 0;
        begin(&link, versions[i], "\x02h2\x08http/1.1");
        assert_int_equal(tls_give(link.tls, "early", 5, &taken, &link.detail), 0);
        assert_int_equal(taken, 0); /* before the handshake */
        shake(&link);
        const unsigned char *chosen = NULL;
        unsigned n = 0;
        SSL_get0_alpn_selected(link.client, &chosen, &n);
        assert_int_equal(n, 8);
        assert_memory_equal(chosen, "http/1.1", 8);
        assert_int_equal(SSL_write(link.client, "GET /", 5), 5);
        assert_int_equal(carry(&link), 0);
        assert_int_equal(buffer_size(tls_plain(link.tls)), 5);
        assert_memory_equal(buffer_head(tls_plain(link.tls)), "GET /", 5);
        assert_int_equal(tls_give(link.tls, "200", 3, &taken, &link.detail), 0);
        assert_int_equal(taken, 3);
        assert_int_equal(carry(&link), 0);
        assert_int_equal(SSL_read(link.client, bytes, sizeof bytes), 3);
        assert_memory_equal(bytes, "200", 3);
        tls_close(link.tls);
        assert_int_equal(carry(&link), 0);
        assert_int_equal(SSL_read(link.client, bytes, sizeof bytes), 0);
        assert_int_equal(SSL_get_shutdown(link.client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        (void)SSL_shutdown(link.client);
        assert_int_equal(carry(&link), 0);
        assert_true(tls_peer_ended(link.tls));
        end(&link);
    }
}

static void older_versions_and_other_protocols_are_refused_with_an_alert(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *protocols;
    } cases[] = { { TLS1_1_VERSION, NULL }, { TLS1_3_VERSION, "\x02h2" } };
    for (size_t i = 0; i < 2; i++) {
        struct link link;
        begin(&link, cases[i].version, cases[i].protocols);
        SSL_set_security_level(link.client, 0);
        (void)SSL_do_handshake(link.client);
        assert_int_equal(carry(&link), -EPROTO);
        assert_non_null(strstr(link.detail.text, "TLS handshake: "));
        assert_int_equal(SSL_do_handshake(link.client), -1);
        assert_int_equal(SSL_get_error(link.client, -1), SSL_ERROR_SSL);
        assert_false(tls_is_open(link.tls));
        end(&link);
    }
}

static void what_is_no_tls_breaks_it(void **state)
{
    (void)state;
    struct link link;
    begin(&link, TLS1_3_VERSION, NULL);
    assert_int_equal(tls_take(link.tls, "\x16\x03\x01\x00\x05hello", 10, &link.detail), -EPROTO);
    end(&link);
    begin(&link, TLS1_3_VERSION, NULL);
    shake(&link);
    assert_int_equal(
        tls_take(link.tls, "\x17\x03\x03\x00\x20garbage garbage garbage garbage ", 37, &link.detail),
        -EPROTO);
    assert_true(buffer_size(tls_cipher(link.tls)) > 0); /* an alert */
    end(&link);
}

static void no_more_is_held_than_the_bounds(void **state)
{
    (void)state;
    struct link link;
    size_t taken = 0, sent = 0;
    CLEANUP(free) uint8_t *much = calloc(1, MUCH);
    assert_non_null(much);
    begin(&link, TLS1_3_VERSION, NULL);
    shake(&link);
    assert_int_equal(tls_give(link.tls, much, MUCH, &taken, &link.detail), 0);
    assert_true(taken >= TLS_CIPHER_MAX - TLS_PART && taken < 2 * TLS_CIPHER_MAX);
    assert_true(buffer_size(tls_cipher(link.tls)) < TLS_CIPHER_MAX + 2 * TLS_PART);
    buffer_consume(tls_cipher(link.tls), buffer_size(tls_cipher(link.tls)));
    assert_int_equal(SSL_write_ex(link.client, much, MUCH, &sent), 1);
    assert_int_equal(carry(&link), 0);
    assert_true(buffer_size(tls_plain(link.tls)) <= TLS_PLAIN_MAX);
    size_t got = 0;
    while (got < MUCH) {
        size_t n = buffer_size(tls_plain(link.tls));
        buffer_consume(tls_plain(link.tls), n);
        got += n;
        assert_int_equal(carry(&link), 0);
        assert_true(n > 0 || buffer_size(tls_plain(link.tls)) > 0);
    }
    end(&link);
}

/* One that reads nothing until everything is full, and then all at once. */
struct reader_of_pump {
    struct loop *loop;
    int client, inner;
    struct link link;
    size_t written, read;
};

static void take_socket(struct reader_of_pump *r)
{
    char bytes[TLS_PART];
    ssize_t n;
    while ((n = recv(r->client, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        assert_int_equal(BIO_write(r->link.in, bytes, (int)n), n);
    while ((n = SSL_read(r->link.client, bytes, sizeof bytes)) > 0)
        r->read += (size_t)n;
    while ((n = BIO_read(r->link.out, bytes, sizeof bytes)) > 0)
        assert_int_equal(send(r->client, bytes, (size_t)n, 0), n);
}

static void fill(struct reader_of_pump *r)
{
    static const char zeroes[TLS_PART];
    for (int quiet = 0; quiet < 3; quiet++) {
        ssize_t n;
        while (r->written < 4 * MUCH && (n = send(r->inner, zeroes, sizeof zeroes, MSG_DONTWAIT)) > 0) {
            r->written += (size_t)n;
            quiet = 0;
        }
        (void)!loop_round(r->loop, 1);
    }
}

static void a_client_that_reads_in_gulps_gets_everything(void **state)
{
    (void)state;
    int client[2], inner[2], big = MUCH;
    struct reader_of_pump r = { .written = 0 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, inner), 0);
    assert_int_equal(setsockopt(client[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof big), 0);
    assert_int_equal(loop_new(&r.loop), 0);
    assert_int_equal(tls_pump_begin(r.loop, server, client[1], inner[1]), 0);
    r.client = client[0];
    r.inner = inner[0];
    begin(&r.link, TLS1_3_VERSION, NULL);
    for (int i = 0; i < 20 && !SSL_is_init_finished(r.link.client); i++) {
        take_socket(&r);
        (void)!loop_round(r.loop, 5);
    }
    for (int i = 0; i < GULPS && r.read < 4 * MUCH; i++) {
        fill(&r);
        take_socket(&r);
    }
    assert_int_equal(r.written, 4 * MUCH);
    assert_int_equal(r.read, 4 * MUCH);
    assert_int_equal(shutdown(r.inner, SHUT_WR), 0);
    for (int i = 0; i < 20 && !(SSL_get_shutdown(r.link.client) & SSL_RECEIVED_SHUTDOWN); i++) {
        (void)!loop_round(r.loop, 5);
        take_socket(&r);
    }
    assert_true(SSL_get_shutdown(r.link.client) & SSL_RECEIVED_SHUTDOWN);
    (void)close(r.client);
    (void)close(r.inner);
    for (int i = 0; i < 10; i++)
        (void)!loop_round(r.loop, 1); /* it frees itself */
    loop_free(r.loop);
    end(&r.link);
}

static void a_certificate_that_is_none_is_refused(void **state)
{
    (void)state;
    struct tls_server *none = NULL;
    assert_int_equal(tls_server_new("x", 1, "y", 1, &none), -EINVAL);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_carry_bytes_both_ways),
        cmocka_unit_test(older_versions_and_other_protocols_are_refused_with_an_alert),
        cmocka_unit_test(what_is_no_tls_breaks_it),
        cmocka_unit_test(no_more_is_held_than_the_bounds),
        cmocka_unit_test(a_client_that_reads_in_gulps_gets_everything),
        cmocka_unit_test(a_certificate_that_is_none_is_refused),
    };
    return tls_start() || tls_ca_start()
               ? 1
               : cmocka_run_group_tests_name("tls", tests, make_server, drop_server);
}
