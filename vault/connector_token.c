/* POST /api/v1/namespaces/NAMESPACE/serviceaccounts/NAME/token (Kubernetes API, authentication.k8s.io/v1
 * TokenRequest), on a connection of its own, by a process that ends with it. */
#include "vault/connector_token.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vault/connector_kube_login.h"
#include "vault/connector_tell.h"
#include "vault/token_answer.h"

enum { REQUEST_MAX = 4096 + KUBE_LINES_MAX, BODY_MAX = 256, NAME_MAX_BYTES = 253, PIECE = 4096 };

static const uint64_t least_s = UINT64_C(10) * 60; /* that an API server grants */

/* As they stand in a path; the configuration has checked more. */
static bool is_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= NAME_MAX_BYTES && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n;
}

static uint64_t wanted_s(const Ipc__TokenRequest *request)
{
    uint64_t wanted = request->lifetime_ms / 1000;

    return wanted < least_s ? least_s : wanted;
}

static int put_request(const struct job *job, const struct kube_login *login, struct buffer *out)
{
    const Ipc__TokenRequest *request = job->target->token_request;
    char body[BODY_MAX];
    int n = snprintf(body, sizeof(body),
                     "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\","
                     "\"spec\":{\"expirationSeconds\":%" PRIu64 "}}",
                     wanted_s(request));
    bool bare = strchr(job->target->host, ':') != NULL;
    int r = buffer_printf(out, "POST /api/v1/namespaces/%s/serviceaccounts/%s/token HTTP/1.1\r\n",
                          request->namespace_, request->service_account);

    if (!r)
        r = buffer_printf(out, "Host: %s%s%s:%u\r\n", bare ? "[" : "", job->target->host, bare ? "]" : "",
                          (unsigned)job->target->port);
    if (!r)
        r = buffer_append(out, buffer_head(&login->lines), buffer_size(&login->lines));
    return r ? r
             : buffer_printf(out,
                             "Content-Type: application/json\r\nAccept: application/json\r\n"
                             "User-Agent: gatehouse\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
                             n, body);
}

/* secret: what we sent, which no line for the log repeats. */
static int read_answer(const struct job *job, const struct kube_login *login, const char *secret,
                       size_t secret_n, struct token_answer *ret, struct detail *detail)
{
    struct buffer in;
    size_t n = 1;
    int r = -EAGAIN;

    buffer_init(&in, TOKEN_ANSWER_MAX);
    while (r == -EAGAIN) {
        uint8_t *space;
        size_t room = buffer_room(&in) < PIECE ? buffer_room(&in) : PIECE;

        r = buffer_reserve(&in, room, &space);
        if (!r)
            r = tls_read(job, login->tls, space, room, &n, detail);
        if (r)
            break;
        buffer_commit(&in, n);
        r = token_answer_read((const char *)buffer_head(&in), buffer_size(&in), n == 0, secret, secret_n, ret,
                              detail);
    }
    if (in.data)
        explicit_bzero(in.data, in.capacity);
    buffer_free(&in);
    return r;
}

static int ask(const struct job *job, const struct kube_login *login, struct token_answer *ret,
               struct detail *detail)
{
    static const char bearer[] = "Bearer ";
    const char *lines = (const char *)buffer_head(&login->lines);
    const char *secret =
        buffer_size(&login->lines) ? memmem(lines, buffer_size(&login->lines), bearer, 7) : NULL;
    struct buffer out;
    int r;

    buffer_init(&out, REQUEST_MAX);
    r = put_request(job, login, &out);
    if (!r)
        r = tls_write_all(job, login->tls, buffer_head(&out), buffer_size(&out), detail);
    if (out.data)
        explicit_bzero(out.data, out.capacity);
    buffer_free(&out);
    if (r)
        return r;
    secret =
        secret ? secret + 7 : "-----BEGIN"; /* of a client certificate the server has nothing to repeat */
    return read_answer(job, login, secret, strcspn(secret, "\r"), ret, detail);
}

static void tell(int vault, const struct job *job, const struct token_answer *answer)
{
    uint64_t asked = wanted_s(job->target->token_request);
    Ipc__JobDone done = IPC__JOB_DONE__INIT;

    done.ok = true;
    done.token.data = (uint8_t *)answer->token;
    done.token.len = strlen(answer->token);
    done.token_ms = 1000 * (answer->lifetime_s < asked ? answer->lifetime_s : asked);
    tell_vault_all(vault, &done);
}

int token_run(struct job *job, char *secret, size_t secret_n, int vault)
{
    const Ipc__TokenRequest *request = job->target->token_request;
    struct token_answer answer = { .token = NULL };
    struct kube_login login = { .fd = -1 };
    struct detail detail = { "" };
    int r = request && is_name(request->namespace_) && is_name(request->service_account) ? 0 : -EINVAL;

    if (r)
        explicit_bzero(secret, secret_n);
    else
        r = kube_login(job, secret, secret_n, &login, &detail);
    alarm(0);
    if (!r) {
        r = ask(job, &login, &answer, &detail);
        kube_login_free(&login);
    }
    if (r)
        tell_vault(vault, false, detail.text[0] ? detail.text : strerror(-r));
    else
        tell(vault, job, &answer);
    token_answer_free(&answer);
    return r ? CONNECTOR_UNAVAILABLE : 0;
}
