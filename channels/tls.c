/* See tls.h. The one place that knows libssl's calls. Between two memory BIOs it never waits:
 * SSL_ERROR_WANT_READ means that the client has to say more. */
#include "channels/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct tls_server {
    SSL_CTX *context;
};

struct tls {
    SSL *ssl;
    BIO *in, *out; /* the ssl's */
    struct buffer plain, cipher;
    bool peer_ended;
};

static int fault(struct detail *detail, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return detail_fail(detail, -EPROTO, "%s: %s", what, reason ? reason : "no reason given");
}

/* ---- the certificate ---- */

/* A client that offers protocols and not ours would wait for what never comes. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *owner)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl, (void)owner;
    int r = SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_n, ours, sizeof ours - 1, in, in_n);
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool load(SSL_CTX *context, const void *certificate, size_t certificate_n, const void *key,
                 size_t key_n)
{
    BIO *certificate_text = BIO_new_mem_buf(certificate, (int)certificate_n),
        *key_text = BIO_new_mem_buf(key, (int)key_n);
    X509 *own = certificate_text ? PEM_read_bio_X509(certificate_text, NULL, NULL, NULL) : NULL;
    EVP_PKEY *private = key_text ? PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL) : NULL;
    bool good = own && private && SSL_CTX_use_certificate(context, own) == 1 &&
                SSL_CTX_use_PrivateKey(context, private) == 1 && SSL_CTX_check_private_key(context) == 1;
    X509_free(own);
    EVP_PKEY_free(private);
    BIO_free(certificate_text);
    BIO_free(key_text);
    return good;
}

int tls_server_new(const void *certificate, size_t certificate_n, const void *key, size_t key_n,
                   struct tls_server **ret)
{
    CLEANUP(tls_server_free) struct tls_server *server = calloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    server->context = SSL_CTX_new(TLS_server_method());
    if (!server->context || SSL_CTX_set_min_proto_version(server->context, TLS1_2_VERSION) != 1)
        return -ENOMEM;
    (void)SSL_CTX_set_options(server->context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                                   SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_num_tickets(server->context, 0);
    (void)SSL_CTX_set_session_cache_mode(server->context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(server->context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(server->context, choose_protocol, NULL);
    if (!load(server->context, certificate, certificate_n, key, key_n)) {
        ERR_clear_error();
        return -EINVAL;
    }
    *ret = STEAL(server);
    return 0;
}

void tls_server_free(struct tls_server *server)
{
    if (!server)
        return;
    SSL_CTX_free(server->context);
    free(server);
}

int tls_start(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl = context ? SSL_new(context) : NULL;
    bool good = ssl != NULL;
    SSL_free(ssl);
    SSL_CTX_free(context);
    return good ? 0 : -ENOMEM;
}

/* ---- a connection ---- */

int tls_new(struct tls_server *server, struct tls **ret)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return -ENOMEM;
    buffer_init(&tls->plain, TLS_PLAIN_MAX);
    buffer_init(&tls->cipher, 2 * TLS_CIPHER_MAX); /* what is full still takes an alert and the last record */
    tls->ssl = SSL_new(server->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        tls->in = tls->out = NULL;
        tls_free(tls);
        return -ENOMEM;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_accept_state(tls->ssl);
    *ret = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl); /* and both BIOs */
    buffer_free(&tls->plain);
    buffer_free(&tls->cipher);
    free(tls);
}

struct buffer *tls_plain(struct tls *tls)
{
    return &tls->plain;
}

struct buffer *tls_cipher(struct tls *tls)
{
    return &tls->cipher;
}

bool tls_is_open(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl);
}

bool tls_peer_ended(const struct tls *tls)
{
    return tls->peer_ended;
}

/* What libssl wants to send. */
static int collect(struct tls *tls)
{
    char *bytes = NULL;
    long n = BIO_get_mem_data(tls->out, &bytes);
    if (n <= 0)
        return 0;
    int r = buffer_append(&tls->cipher, bytes, (size_t)n);
    (void)BIO_reset(tls->out);
    return r;
}

static int decrypt(struct tls *tls, struct detail *detail)
{
    while (buffer_room(&tls->plain) > 0 && !tls->peer_ended) {
        uint8_t part[TLS_PART];
        size_t room = buffer_room(&tls->plain), n = 0;
        ERR_clear_error();
        int r = SSL_read_ex(tls->ssl, part, room < sizeof part ? room : sizeof part, &n);
        if (r == 1) {
            r = buffer_append(&tls->plain, part, n);
            if (r)
                return r;
            continue;
        }
        int why = SSL_get_error(tls->ssl, r);
        tls->peer_ended = why == SSL_ERROR_ZERO_RETURN;
        if (why == SSL_ERROR_WANT_READ || tls->peer_ended)
            return 0;
        return fault(detail, tls_is_open(tls) ? "TLS" : "TLS handshake");
    }
    return 0;
}

int tls_take(struct tls *tls, const void *bytes, size_t n, struct detail *detail)
{
    if (n > TLS_PART || (n > 0 && BIO_write(tls->in, bytes, (int)n) != (int)n))
        return -ENOMEM;
    int r = decrypt(tls, detail), collected = collect(tls);
    return r ? r : collected;
}

int tls_give(struct tls *tls, const void *bytes, size_t n, size_t *ret_taken, struct detail *detail)
{
    size_t done = 0, all = 0;
    while (tls_is_open(tls) && all < n && buffer_size(&tls->cipher) < TLS_CIPHER_MAX) {
        size_t part = n - all < TLS_PART ? n - all : TLS_PART;
        ERR_clear_error();
        if (SSL_write_ex(tls->ssl, (const uint8_t *)bytes + all, part, &done) != 1)
            return fault(detail, "TLS");
        all += done;
        int r = collect(tls);
        if (r)
            return r;
    }
    *ret_taken = all;
    return 0;
}

void tls_close(struct tls *tls)
{
    if (tls_is_open(tls))
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    (void)!collect(tls);
}
