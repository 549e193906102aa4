/* CancelRequest. */
#include "vault/connector_cancel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/io.h"
#include "vault/connector_tls.h"
#include "vault/connector_trace.h"

enum {
    CANCEL_CODE = 80877102,
    SSL_REQUEST_CODE = 80877103,
    CANCEL_END_MS = 10 * 1000, /* for the server to close, which says that it has sent the signal */
};

/* ---- TLS ---- */

/* SSLRequest, and the handshake. One byte answers: anything behind it would be unauthenticated
 * (CVE-2021-23222). */
static int tls_start(const struct job *job, int fd, SSL **ret, struct detail *detail)
{
    const struct tls_terms terms = {
        .ca = job_verifies(job) ? &job->message->tls_ca : NULL,
        .name = strcmp(job->target->tls, "verify-full") == 0 ? job->target->host : NULL,
    };
    const uint32_t request[2] = { htonl(8), htonl(SSL_REQUEST_CODE) };
    char answer = 0;
    int r = fd_write_all(fd, request, sizeof(request), job_left_ms(job));

    if (!r)
        r = fd_read_all(fd, &answer, 1, job_left_ms(job));
    if (r)
        return detail_fail(detail, r, "SSLRequest: %s", strerror(-r));
    if (answer != 'S')
        return detail_fail(detail, -EPROTO, "the server does not support TLS");
    return tls_open(job, fd, &terms, ret, detail);
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

    if (tls)
        return tls_write_all(job, tls, buffer_head(request), buffer_size(request), detail);
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
