/* Logging in to a target whose key was found right: by key, by agent, or, where the configuration has the
 * vault give it to us (docs/adr/0033-a-password-for-a-gate.md), by password.
 *
 * A password is asked for as late as can be: when the host has said that it takes one (RFC 4252 section 8),
 * or has put one question whose answer is not to be shown (RFC 4256 section 3.2). It is used once, and wiped
 * here before the host's answer is acted upon; libssh wipes its own copies when it has sent them. */
#include "channels/ssh/upstream_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

enum {
    EMPTY_ROUNDS_MAX = 8, /* without a question: PAM has something to say, or is content */
    PROMPT_SHOWN = 80,    /* bytes of a question in the log */
};

static void wipe(struct upstream_password *password)
{
    if (password->text)
        explicit_bzero(password->text, password->n);
    free(STEAL(password->text));
    password->n = 0;
}

void upstream_login_free(struct upstream *u)
{
    ssh_key_free(STEAL(u->key));
    wipe(&u->password);
}

int upstream_login_set(struct upstream *u, int agent, bool by_password)
{
    if (by_password)
        u->password.step = PASSWORD_METHODS;
    if (agent < 0)
        return u->key || by_password ? 0 : -EINVAL;
    int r = fd_nonblock(agent, false); /* libssh would wait for it by poll() anyway */
    if (r == 0 && ssh_set_agent_socket(u->ssh, agent) == SSH_OK)
        return 0; /* closed with the session */
    fd_close(agent);
    return r ? r : -EIO;
}

int upstream_give_password(struct upstream *u, const uint8_t *bytes, size_t n)
{
    struct upstream_password *password = &u->password;
    if (u->phase != UPSTREAM_LOGIN || !password->wanted || n == 0 || n > UPSTREAM_PASSWORD_MAX ||
        memchr(bytes, '\0', n))
        return -EPROTO;
    password->text = malloc(n + 1);
    if (!password->text)
        return -ENOMEM;
    memcpy(password->text, bytes, n);
    password->text[n] = '\0';
    password->n = n;
    password->wanted = false;
    return 0;
}

bool upstream_used_password(const struct upstream *u)
{
    return u->password.used;
}

/* ---- by password: each step is an SSH_AUTH_*, AGAIN also when all is over ---- */

static int give_up(struct upstream *u, enum upstream_fault fault, const char *detail)
{
    upstream_lose(u, fault, detail);
    return SSH_AUTH_AGAIN;
}

static int want(struct upstream *u)
{
    u->password.wanted = true;
    u->calls->want_password(u->owner);
    return SSH_AUTH_AGAIN;
}

/* Which methods there are is in the answer to a request without any (RFC 4252 section 5.2). A host that lets
 * us in by that is logged in to. */
static int learn_methods(struct upstream *u)
{
    int r = ssh_userauth_none(u->ssh, NULL);
    if (r != SSH_AUTH_DENIED)
        return r;
    unsigned methods = (unsigned)ssh_userauth_list(u->ssh, NULL);
    if (methods & SSH_AUTH_METHOD_PASSWORD)
        u->password.step = PASSWORD_PLAIN;
    else if (methods & SSH_AUTH_METHOD_INTERACTIVE)
        u->password.step = PASSWORD_PROMPTS;
    else
        return give_up(u, UPSTREAM_NOT_LET_IN, "the host takes no passwords");
    return r;
}

static int send_plain(struct upstream *u)
{
    struct upstream_password *password = &u->password;
    if (!password->text)
        return want(u);
    password->used = true;
    int r = ssh_userauth_password(u->ssh, NULL, password->text);
    if (r != SSH_AUTH_AGAIN)
        wipe(password);
    return r;
}

static int take_prompts(struct upstream *u)
{
    char detail[2 * PROMPT_SHOWN], echo = 1;
    int n = ssh_userauth_kbdint_getnprompts(u->ssh);
    if (n == 0 && u->password.n_rounds++ < EMPTY_ROUNDS_MAX)
        return ssh_userauth_kbdint(u->ssh, NULL, NULL);
    const char *prompt = n > 0 ? ssh_userauth_kbdint_getprompt(u->ssh, 0, &echo) : NULL;
    if (n == 1 && prompt && !echo && !u->password.used)
        return want(u);
    (void)snprintf(detail, sizeof detail, "%s: %d at once, the first%s \"%.*s\"",
                   u->password.used ? "the host asks again after the password"
                                    : "the host asks for something else than one password",
                   n, echo ? ", to be shown," : "", PROMPT_SHOWN / 2, prompt ? prompt : "");
    return give_up(u, UPSTREAM_ASKS_ELSE, detail);
}

/* Again and again: between two questions, and once the password for the one that was put has come. */
static int answer_prompts(struct upstream *u)
{
    struct upstream_password *password = &u->password;
    if (password->text) {
        int r = ssh_userauth_kbdint_setanswer(u->ssh, 0, password->text);
        wipe(password);
        password->used = true;
        if (r < 0)
            return SSH_AUTH_ERROR;
    }
    int r = ssh_userauth_kbdint(u->ssh, NULL, NULL);
    while (r == SSH_AUTH_INFO)
        r = take_prompts(u);
    return r;
}

static int by_password(struct upstream *u)
{
    if (u->password.wanted)
        return SSH_AUTH_AGAIN;
    if (u->password.step == PASSWORD_METHODS) {
        int r = learn_methods(u);
        if (r != SSH_AUTH_DENIED)
            return r;
    }
    int r = u->password.step == PASSWORD_PLAIN ? send_plain(u) : answer_prompts(u);
    if (r == SSH_AUTH_DENIED)
        return give_up(u, UPSTREAM_NOT_LET_IN,
                       u->password.used ? "the host does not take the password"
                                        : "the host asks for no password, and refuses");
    return r;
}

/* ---- all ways ---- */

static void logged_in(struct upstream *u)
{
    u->event = ssh_event_new();
    upstream_login_free(u);
    if (!u->event || ssh_event_add_session(u->event, u->ssh) != SSH_OK) {
        upstream_lose(u, UPSTREAM_LOST, "out of memory");
        return;
    }
    u->phase = UPSTREAM_READY;
    u->touched = true;
    u->calls->ready(u->owner);
}

/* Whoever answers a password with something else than yes or no has not let us in either: another question
 * (a new password is wanted), or the end of the connection. */
static void failed(struct upstream *u)
{
    char detail[4 * PROMPT_SHOWN];
    if (!u->password.used) {
        upstream_lose(u, UPSTREAM_LOST, ssh_get_error(u->ssh));
        return;
    }
    (void)snprintf(detail, sizeof detail,
                   "the host did not answer the password by yes or no (does it want another one?): %s",
                   ssh_get_error(u->ssh));
    upstream_lose(u, UPSTREAM_NOT_LET_IN, detail);
}

/* libssh waits for ever for the answer of a host that has said what it does not take. */
static bool is_dead(const struct upstream *u)
{
    return (ssh_get_status(u->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0;
}

/* The owner has been told, or asked. */
static bool rests(const struct upstream *u)
{
    return u->phase == UPSTREAM_OVER || u->password.wanted;
}

void upstream_log_in(struct upstream *u)
{
    int r = u->password.step ? by_password(u)
            : u->key         ? ssh_userauth_publickey(u->ssh, NULL, u->key)
                             : ssh_userauth_agent(u->ssh, NULL);
    if (r == SSH_AUTH_AGAIN && (rests(u) || !is_dead(u)))
        return;
    if (r == SSH_AUTH_SUCCESS)
        logged_in(u);
    else if (r == SSH_AUTH_ERROR || r == SSH_AUTH_AGAIN)
        failed(u);
    else
        upstream_lose(u, UPSTREAM_NOT_LET_IN,
                      r == SSH_AUTH_PARTIAL ? "the target wants more than one kind of login"
                                            : ssh_get_error(u->ssh));
}
