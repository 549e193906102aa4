/* See connector_kube_login.h. */
#include "vault/connector_kube_login.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "vault/bearer.h"
#include "vault/client_cert.h"

void kube_login_free(struct kube_login *login)
{
    SSL_free(login->tls);
    fd_close(login->fd);
    if (login->lines.data)
        explicit_bzero(login->lines.data, login->lines.capacity);
    buffer_free(&login->lines);
}

static int add_token(struct buffer *lines, const char *token, size_t n, struct detail *detail)
{
    static const char name[] = "Authorization: Bearer ";
    int r;

    if (!bearer_is_one(token, n))
        return detail_fail(detail, -EINVAL,
                           "the vault's entry is not a bearer token: up to %d visible ASCII characters",
                           BEARER_MAX);
    r = buffer_append(lines, name, sizeof(name) - 1);
    if (!r)
        r = buffer_append(lines, token, n);
    return r ? r : buffer_append(lines, "\r\n", 2);
}

/* The secret as what it is for: lines, or *ret_own. */
static int take_secret(const struct job *job, const char *secret, size_t n, struct buffer *lines,
                       struct client_cert **ret_own, struct detail *detail)
{
    const Ipc__Job *message = job->message;
    int r;

    if (strcmp(message->vault_type, "token") == 0)
        r = add_token(lines, secret, n, detail);
    else if (strcmp(message->vault_type, "client-cert") == 0)
        r = client_cert_read(secret, n, ret_own, detail);
    else
        r = detail_fail(detail, -EINVAL, "an entry of this type proves nothing to an API server");
    if (!r)
        r = buffer_append(lines, message->kube_headers.data, message->kube_headers.len);
    return r;
}

static int reach(const struct job *job, const struct client_cert *own, struct kube_login *login,
                 struct detail *detail)
{
    const Ipc__Target *target = job->target;
    const struct tls_terms terms = {
        .ca = &job->message->tls_ca,
        .name = target->tls_server_name[0] ? target->tls_server_name : target->host,
        .own = own,
        .http = true,
    };
    int r = job_connect(job, &login->fd, detail);

    if (r)
        return r;
    job_keep_alive(login->fd);
    return tls_open(job, login->fd, &terms, &login->tls, detail);
}

int kube_login(const struct job *job, char *secret, size_t secret_n, struct kube_login *ret,
               struct detail *detail)
{
    CLEANUP(client_cert_free) struct client_cert *own = NULL;
    struct kube_login login = { .fd = -1 };
    int r;

    buffer_init(&login.lines, KUBE_LINES_MAX);
    r = take_secret(job, secret, secret_n, &login.lines, &own, detail);
    explicit_bzero(secret, secret_n);
    if (!r)
        r = reach(job, own, &login, detail);
    if (r)
        kube_login_free(&login);
    else
        *ret = login;
    return r;
}
