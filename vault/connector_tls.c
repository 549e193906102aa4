/* See connector_tls.h. */
#include "vault/connector_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)

int tls_failed(const SSL *tls, int code, struct detail *detail)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    long verdict = tls ? SSL_get_verify_result(tls) : X509_V_OK;

    ERR_clear_error();
    if (verdict != X509_V_OK && SSL_get_verify_mode(tls) != SSL_VERIFY_NONE)
        return detail_fail(detail, code, "TLS: certificate verify failed: %s",
                           X509_verify_cert_error_string(verdict));
    return detail_fail(detail, code, "TLS: %s", reason ? reason : "the server closed the connection");
}

/* ---- whom we trust, and who we are ---- */

static int trust(SSL_CTX *context, const ProtobufCBinaryData *pem)
{
    CLEANUP(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    size_t count = 0;

    while (bio) {
        CLEANUP(X509_free) X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (!certificate || X509_STORE_add_cert(store, certificate) != 1)
            break;
        count++;
    }
    ERR_clear_error();
    return count > 0 ? 0 : -ENOENT;
}

static bool is_address(const char *text)
{
    struct in6_addr bytes;

    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1;
}

static bool expect_name(SSL *tls, const char *host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

/* Kubernetes' certificates are made for Go: what tls_ca holds is trusted even when it is no root, and names
 * stand in subjectAltName or nowhere. Nothing but HTTP/1.1 is spoken, so nothing else is agreed on. */
static bool as_go_does(SSL *tls)
{
    static const uint8_t http[] = "\x08http/1.1";

    SSL_set_hostflags(tls, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set_flags(SSL_get0_param(tls), X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
           SSL_set_alpn_protos(tls, http, sizeof(http) - 1) == 0;
}

static int context_new(const struct tls_terms *terms, SSL_CTX **ret, struct detail *detail)
{
    CLEANUP(SSL_CTX_free) SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        return tls_failed(NULL, -EPROTO, detail);
    if (terms->ca) {
        if (trust(context, terms->ca))
            return detail_fail(detail, -ENOENT, "the target's tls_ca holds no certificate");
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    if (terms->own &&
        SSL_CTX_use_cert_and_key(context, terms->own->leaf, terms->own->key, terms->own->chain, 1) != 1)
        return tls_failed(NULL, -EPROTO, detail);
    *ret = STEAL(context);
    return 0;
}

static int tls_new(int fd, const struct tls_terms *terms, SSL **ret, struct detail *detail)
{
    CLEANUP(SSL_CTX_free) SSL_CTX *context = NULL;
    CLEANUP(SSL_free) SSL *tls = NULL;
    int r = context_new(terms, &context, detail);

    if (r)
        return r;
    tls = SSL_new(context);
    if (!tls || SSL_set_fd(tls, fd) != 1 || (terms->name && !expect_name(tls, terms->name)) ||
        (terms->http && !as_go_does(tls)))
        return tls_failed(NULL, -EPROTO, detail);
    *ret = STEAL(tls);
    return 0;
}

/* ---- bytes ---- */

/* After a call that did not do it: waits for what it wants. 0: try again; 1: the server has ended. */
static int wait_for(const struct job *job, SSL *tls, struct detail *detail)
{
    int error = SSL_get_error(tls, 0), r;

    if (error == SSL_ERROR_ZERO_RETURN)
        return 1;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return tls_failed(tls, -EPROTO, detail);
    r = job_wait(job, SSL_get_fd(tls), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, job->deadline_ms);
    return r ? detail_fail(detail, r, "TLS: %s", strerror(-r)) : 0;
}

int tls_open(const struct job *job, int fd, const struct tls_terms *terms, SSL **ret, struct detail *detail)
{
    CLEANUP(SSL_free) SSL *tls = NULL;
    int r = tls_new(fd, terms, &tls, detail);

    while (!r) {
        ERR_clear_error();
        if (SSL_connect(tls) == 1) {
            *ret = STEAL(tls);
            return 0;
        }
        r = wait_for(job, tls, detail);
    }
    return r < 0 ? r : tls_failed(tls, -EPROTO, detail);
}

int tls_read(const struct job *job, SSL *tls, void *bytes, size_t size, size_t *ret_n, struct detail *detail)
{
    size_t n = 0;
    int r = 0;

    while (!r) {
        ERR_clear_error();
        if (SSL_read_ex(tls, bytes, size, &n) == 1)
            break;
        r = wait_for(job, tls, detail);
    }
    if (r < 0)
        return r;
    *ret_n = r ? 0 : n;
    return 0;
}

int tls_write_all(const struct job *job, SSL *tls, const void *bytes, size_t n, struct detail *detail)
{
    size_t done = 0;
    int r = 0;

    while (!r) {
        ERR_clear_error();
        if (SSL_write_ex(tls, bytes, n, &done) == 1) /* without partial writes it is all of it */
            return 0;
        r = wait_for(job, tls, detail);
    }
    return r < 0 ? r : tls_failed(tls, -EPIPE, detail);
}
