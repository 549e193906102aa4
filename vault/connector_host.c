/* The gate speaks SSH with the target, since it has to see what is said; what proves who we are it never has.
 *
 * With a target CA, the vault signs a certificate for the gate's own key, bound to the near end of the
 * connection that stands here: who steals both can't use them from elsewhere, and from a minute later on
 * nowhere. With a private key, this process is its agent for one signature (vault/agent.h). By then it is in
 * a jail that lets it do nothing but poll, read, write and compute.
 *
 * With password_to_gate the gate does have it, from when the host has asked for it. This process stands
 * between gate and vault for that: it has no password while it reads what the gate says. */
#include "vault/connector_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/jail.h"
#include "policy/certificate.h"
#include "policy/certificate_issue.h"
#include "policy/certificate_signer.h"
#include "vault/agent.h"
#include "vault/connector_tell.h"

enum {
    AGENT_LIMIT_MS = 30 * 1000, /* from the connection to the signature: a key exchange and a round trip */
    CERTIFICATE_LIMIT_MS = 5 * 1000, /* for the vault to sign */
    PASSWORD_LIMIT_MS = 5 * 1000,    /* for the vault to answer, and for the gate to take it */
};

void host_start(void)
{
    certificate_start();
}

/* ---- the connection ---- */

/* Numeric, without zone; IPv4 as such. */
static int near_end(int fd, char out[INET6_ADDRSTRLEN])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = { .any.sa_family = AF_UNSPEC };
    socklen_t n = sizeof(address);

    if (getsockname(fd, &address.any, &n) < 0)
        return -errno;
    const void *bytes = address.any.sa_family == AF_INET6 ? (const void *)&address.v6.sin6_addr
                                                          : (const void *)&address.v4.sin_addr;
    return inet_ntop(address.any.sa_family, bytes, out, INET6_ADDRSTRLEN) ? 0 : -errno;
}

/* ---- by certificate ---- */

/* *ret_answer is freed with ipc_message_free. */
static int ask_certificate(int fd, int vault, Ipc__Message **ret_answer, struct detail *detail)
{
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    char address[INET6_ADDRSTRLEN];
    Ipc__AskCertificate ask = IPC__ASK_CERTIFICATE__INIT;
    Ipc__Message question = IPC_MESSAGE(ASK_CERTIFICATE, ask_certificate, &ask);
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    int r = near_end(fd, address);

    if (r)
        return detail_fail(detail, r, "getsockname: %s", strerror(-r));
    ask.source_address = address;
    r = ipc_send_now(vault, &question, NULL, 0, CERTIFICATE_LIMIT_MS);
    if (!r)
        r = ipc_receive_now(vault, CERTIFICATE_LIMIT_MS, &answer, fds, &n_fds);
    if (r)
        return detail_fail(detail, r, "the vault gave no certificate: %s", strerror(-r));
    if (answer->body_case != IPC__MESSAGE__BODY_ANSWER_CERTIFICATE || n_fds > 0)
        return detail_fail(detail, -EPROTO, "the vault gave no certificate");
    if (answer->answer_certificate->certificate.len == 0)
        return detail_fail(detail, -EACCES, "%s", answer->answer_certificate->error);
    *ret_answer = STEAL(answer);
    return 0;
}

static int certified(struct job *job, int fd, int proof, int vault, struct detail *detail)
{
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    int r = ask_certificate(fd, vault, &answer, detail);

    if (r)
        return r;
    connected.ssh_certificate = answer->answer_certificate->certificate;
    connected.login = job->message->login;
    r = tell_gate(job, &connected, (const int[]){ fd, proof }, proof < 0 ? 1 : 2);
    return r ? detail_fail(detail, r, "the gate did not take the connection") : 0;
}

/* ---- by key ---- */

static int flush(int fd, struct buffer *out, uint64_t until_ms)
{
    while (buffer_size(out) > 0) {
        uint64_t now = clock_ms();
        int r = now < until_ms ? fd_wait(fd, POLLOUT, (int)(until_ms - now)) : -ETIMEDOUT;

        if (!r)
            r = buffer_write(out, fd);
        if (r && r != -EAGAIN)
            return r;
    }
    return 0;
}

/* Until the signature is given or refused; what it was is in the agent's state. */
static int serve(struct agent *agent, int fd, struct buffer *in, struct buffer *out, struct detail *detail)
{
    uint64_t until_ms = clock_ms() + AGENT_LIMIT_MS;

    while (agent->state == AGENT_SERVING) {
        uint64_t now = clock_ms();
        size_t n = 0;
        int r = agent_take(agent, in, out, detail);

        if (r == 0)
            r = flush(fd, out, until_ms);
        else if (r == -EAGAIN)
            r = now < until_ms ? fd_wait(fd, POLLIN, (int)(until_ms - now)) : -ETIMEDOUT;
        else
            return detail_fail(detail, r, "signing: %s", strerror(-r));
        if (!r && buffer_size(out) == 0 && agent->state == AGENT_SERVING) {
            r = buffer_read(in, fd, AGENT_MESSAGE_MAX, &n);
            if (!r && n == 0)
                return detail_fail(detail, -EPIPE,
                                   "the gate ended without a signature: it does not trust "
                                   "the host's key, or the host does not take ours");
        }
        if (r && r != -EAGAIN)
            return detail_fail(detail, r, r == -ETIMEDOUT ? "the gate asked for no signature in time" : "%s",
                               strerror(-r));
    }
    return agent->state == AGENT_SIGNED ? 0 : -EACCES;
}

static int be_agent(const struct certificate_signer *signer, const char *login, int fd, struct detail *detail)
{
    struct agent agent = agent_for(signer, login);
    struct buffer in, out;
    int r = jail_tighten(detail);

    if (r)
        return r;
    buffer_init(&in, AGENT_MESSAGE_MAX + 4);
    buffer_init(&out, 2 * AGENT_MESSAGE_MAX);
    r = fd_nonblock(fd, true);
    if (!r)
        r = serve(&agent, fd, &in, &out, detail);
    buffer_free(&in);
    buffer_free(&out);
    return r;
}

static int signing(struct job *job, int tcp, int proof, const struct certificate_signer *signer,
                   struct detail *detail)
{
    CLEANUP(fd_close) int ours = -1;
    CLEANUP(fd_close) int theirs = -1;
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    int pair[2];
    int r = fd_pair(SOCK_STREAM, pair);

    if (r)
        return detail_fail(detail, r, "socketpair: %s", strerror(-r));
    ours = pair[0];
    theirs = pair[1];
    connected.ssh_key.data = (uint8_t *)(uintptr_t)signer_public(signer, &connected.ssh_key.len);
    connected.login = job->message->login;
    r = tell_gate(job, &connected, (const int[]){ tcp, theirs, proof }, proof < 0 ? 2 : 3);
    if (r)
        return detail_fail(detail, r, "the gate did not take the connection");
    fd_close(STEAL_FD(job->gate));
    fd_close(STEAL_FD(theirs));
    return be_agent(signer, job->message->login, ours, detail);
}

/* ---- by password ---- */

/* Until the gate asks, which it does when the host has proven its key and wants a password. */
static int wait_for_gate(int gate, struct detail *detail)
{
    CLEANUP(ipc_message_free) Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    int r = ipc_receive_now(gate, AGENT_LIMIT_MS, &message, fds, &n_fds);

    for (size_t i = 0; i < n_fds; i++)
        fd_close(fds[i]);
    if (r == -EPIPE)
        return detail_fail(detail, r,
                           "the gate ended without asking for the password: it does not trust the host's "
                           "key, or the host wants something else");
    if (r)
        return detail_fail(detail, r, "the gate did not ask for the password: %s", strerror(-r));
    return message->body_case == IPC__MESSAGE__BODY_ASK_PASSWORD && n_fds == 0
               ? 0
               : detail_fail(detail, -EPROTO, "the gate said something else than that it wants the password");
}

/* *ret is freed with ipc_message_free, once its password is wiped. */
static int ask_password(int vault, Ipc__Message **ret, struct detail *detail)
{
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    Ipc__AskPassword ask = IPC__ASK_PASSWORD__INIT;
    Ipc__Message question = IPC_MESSAGE(ASK_PASSWORD, ask_password, &ask);
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    int r = ipc_send_now(vault, &question, NULL, 0, PASSWORD_LIMIT_MS);

    if (!r)
        r = ipc_receive_now(vault, PASSWORD_LIMIT_MS, &answer, fds, &n_fds);
    if (r)
        return detail_fail(detail, r, "the vault gave no password: %s", strerror(-r));
    if (answer->body_case != IPC__MESSAGE__BODY_ANSWER_PASSWORD || n_fds > 0)
        return detail_fail(detail, -EPROTO, "the vault gave no password");
    if (answer->answer_password->error[0])
        return detail_fail(detail, -EACCES, "%s", answer->answer_password->error);
    *ret = STEAL(answer);
    return 0;
}

/* Without one it hears that there is none. */
static int give_password(int gate, const ProtobufCBinaryData *password)
{
    Ipc__AnswerPassword answer = IPC__ANSWER_PASSWORD__INIT;
    Ipc__Message message = IPC_MESSAGE(ANSWER_PASSWORD, answer_password, &answer);

    if (password)
        answer.password = *password;
    return ipc_send_now(gate, &message, NULL, 0, PASSWORD_LIMIT_MS);
}

static int lending(struct job *job, int fd, int proof, int vault, struct detail *detail)
{
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    CLEANUP(fd_close) int gate = -1;
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    int r;

    connected.login = job->message->login;
    r = tell_gate(job, &connected, (const int[]){ fd, proof }, proof < 0 ? 1 : 2);
    if (r)
        return detail_fail(detail, r, "the gate did not take the connection");
    gate = STEAL_FD(job->gate); /* what it hears from here on is about the password */
    r = wait_for_gate(gate, detail);
    if (r)
        return r;
    r = ask_password(vault, &answer, detail);
    if (r) {
        (void)!give_password(gate, NULL);
        return r;
    }
    ProtobufCBinaryData *password = &answer->answer_password->password;
    r = give_password(gate, password);
    explicit_bzero(password->data, password->len);
    return r ? detail_fail(detail, r, "the gate did not take the password: %s", strerror(-r)) : 0;
}

/* ---- the whole ---- */

static int reach(struct job *job, int *ret_fd, struct detail *detail)
{
    int r = job_connect(job, ret_fd, detail);

    if (!r)
        job_keep_alive(*ret_fd);
    return r;
}

/* Where the host's key is certified it shows its certificate in a connection of its own, which is only made
 * here: who reads it has no secret. */
static int reach_both(struct job *job, int *ret_fd, int *ret_proof, struct detail *detail)
{
    int r = reach(job, ret_fd, detail);

    if (!r && job->target->n_host_cas > 0)
        r = reach(job, ret_proof, detail);
    alarm(0);
    return r;
}

static int log_in(struct job *job, uint8_t *secret, size_t secret_n, int vault, struct detail *detail)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    CLEANUP(fd_close) int fd = -1;
    CLEANUP(fd_close) int proof = -1;
    int r = 0;

    if (secret_n > 0)
        r = certificate_signer_again(secret, secret_n, &signer, detail);
    explicit_bzero(secret, secret_n);
    if (!r)
        r = reach_both(job, &fd, &proof, detail);
    if (r)
        return r;
    if (job->target->password_to_gate)
        return lending(job, fd, proof, vault, detail);
    return signer ? signing(job, fd, proof, signer, detail) : certified(job, fd, proof, vault, detail);
}

int host_run(struct job *job, uint8_t *secret, size_t secret_n, int vault)
{
    struct detail detail = { "" };
    int r = log_in(job, secret, secret_n, vault, &detail);

    tell_vault(vault, r == 0, r && !detail.text[0] ? strerror(-r) : detail.text);
    if (r && job->gate >= 0)
        refuse_gate(job, NULL);
    return r ? CONNECTOR_UNAVAILABLE : 0;
}
