/* CancelRequest. */
#include "vault/connector_cancel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/io.h"
#include "vault/connector_trace.h"

enum {
    CANCEL_CODE = 80877102,
    SSL_REQUEST_CODE = 80877103,
    CANCEL_END_MS = 10 * 1000, /* for the server to close, which says that it has sent the signal */
};

DEFINE_CLEANUP(SSL *, SSL_free)
DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)

/* ---- TLS ---- */

static int tls_failed(struct detail *detail)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return detail_fail(detail, -EPROTO, "TLS: %s", reason ? reason : "failed");
}

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

static bool expect_name(SSL *tls, const char *host)
{
    struct in6_addr bytes;

    if (inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

static int tls_new(const struct job *job, int fd, SSL **ret, struct detail *detail)
{
    CLEANUP(SSL_CTX_free) SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    CLEANUP(SSL_free) SSL *tls = NULL;
    bool full = strcmp(job->target->tls, "verify-full") == 0;

    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        return tls_failed(detail);
    if (job_verifies(job)) {
        if (trust(context, &job->message->tls_ca))
            return detail_fail(detail, -ENOENT, "the target's tls_ca holds no certificate");
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    tls = SSL_new(context);
    if (!tls || SSL_set_fd(tls, fd) != 1 || (full && !expect_name(tls, job->target->host)))
        return tls_failed(detail);
    *ret = STEAL(tls);
    return 0;
}

/* Repeats one TLS step until it is through. */
static int tls_step(const struct job *job, SSL *tls, int fd, int step(SSL *), struct detail *detail)
{
    for (;;) {
        int error, r;

        ERR_clear_error();
        r = step(tls);
        if (r == 1)
            return 0;
        error = SSL_get_error(tls, r);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return tls_failed(detail);
        r = job_wait(job, fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, job->deadline_ms);
        if (r)
            return detail_fail(detail, r, "TLS: %s", strerror(-r));
    }
}

/* SSLRequest, and the handshake. One byte answers: anything behind it would be unauthenticated
 * (CVE-2021-23222). */
static int tls_start(const struct job *job, int fd, SSL **ret, struct detail *detail)
{
    CLEANUP(SSL_free) SSL *tls = NULL;
    const uint32_t request[2] = { htonl(8), htonl(SSL_REQUEST_CODE) };
    char answer = 0;
    int r = fd_write_all(fd, request, sizeof(request), job_left_ms(job));

    if (!r)
        r = fd_read_all(fd, &answer, 1, job_left_ms(job));
    if (r)
        return detail_fail(detail, r, "SSLRequest: %s", strerror(-r));
    if (answer != 'S')
        return detail_fail(detail, -EPROTO, "the server does not support TLS");
    r = tls_new(job, fd, &tls, detail);
    if (!r)
        r = tls_step(job, tls, fd, SSL_connect, detail);
    if (!r)
        *ret = STEAL(tls);
    return r;
}

/* ---- the request ---- */

static int request_bytes(const Ipc__Job *job, struct buffer *out)
{
    int r = buffer_put_u32(out, (uint32_t)(12 + job->key.len));

    if (!r)
        r = buffer_put_u32(out, CANCEL_CODE);
    if (!r)
        r = buffer_put_u32(out, job->pid);
    return r ? r : buffer_append(out, job->key.data, job->key.len);
}

static int send_request(const struct job *job, SSL *tls, int fd, const struct buffer *request,
                        struct detail *detail)
{
    int r;

    if (tls) /* a few bytes on a fresh connection: it takes them at once */
        return SSL_write(tls, buffer_head(request), (int)buffer_size(request)) > 0 ? 0 : tls_failed(detail);
    r = fd_write_all(fd, buffer_head(request), buffer_size(request), job_left_ms(job));
    return r ? detail_fail(detail, r, "sending: %s", strerror(-r)) : 0;
}

/* The server closes when it has handled the request; it says nothing. */
static void wait_for_end(const struct job *job, int fd)
{
    uint64_t until = clock_ms() + CANCEL_END_MS;
    char bytes[256];

    while (job_wait(job, fd, POLLIN, until) == 0)
        if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
            return;
}

int cancel_run(const struct job *job, struct detail *detail)
{
    CLEANUP(fd_close) int fd = -1;
    CLEANUP(SSL_free) SSL *tls = NULL;
    struct buffer request;
    int r;

    if (job->message->key.len == 0 || job->message->key.len > TRACE_KEY_MAX)
        return detail_fail(detail, -EINVAL, "the cancel key has %zu bytes", job->message->key.len);
    r = job_connect(job, &fd, detail);
    if (!r && !job->target->socket[0] && strcmp(job->target->tls, "disable") != 0)
        r = tls_start(job, fd, &tls, detail);
    if (r)
        return r;
    buffer_init(&request, 16 + TRACE_KEY_MAX);
    r = request_bytes(job->message, &request);
    if (!r)
        r = send_request(job, tls, fd, &request, detail);
    if (!r)
        wait_for_end(job, fd);
    buffer_free(&request);
    return r;
}
