/* The user authenticates, by certificate only; but enroll@, who is about to get one, by a plain key.
 *
 * libssh has checked the user's signature when it says VALID, and nothing of the certificate: the gate and
 * the vault judge that.
 *
 * Stock ssh offers the plain key before the certificate that lies next to it, and gives up at the last
 * refusal without reading on: how to enrol must be told with the refusal, when nobody knows yet whether a
 * certificate will follow. So it is told for keys that have never been followed by one, which the listener
 * remembers; who has a certificate reads it once at most (and never with CertificateFile in ssh_config, which
 * is offered first). */
#include "server/front.h"

#include <errno.h>
#include <libssh/server.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "server/front_exit.h"

/* Deprecated in favour of callbacks, which can't put off an answer and forbid putting off any other. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static const char enroll_user[] = "enroll";

enum { CERTIFICATE_MAX = 64 * 1024, USER_MAX = 256, TELL_MAX = 1024 };

static void tell(struct front *front, const char *text)
{
    char line[TELL_MAX + 2];
    (void)text_escape(line, TELL_MAX, text, strlen(text), true);
    (void)strcat(line, "\n");
    ssh_string banner = ssh_string_from_char(line);
    if (banner)
        (void)ssh_send_issue_banner(front->ssh, banner);
    ssh_string_free(banner);
    front->wrote = true;
}

static void refuse(struct front *front, ssh_message message)
{
    (void)ssh_message_reply_default(message);
    front->wrote = true;
}

/* Whether the key would be certified, its gate says. */
static bool may_be_certified(ssh_key key)
{
    switch (ssh_key_type(key)) {
    case SSH_KEYTYPE_ED25519:
    case SSH_KEYTYPE_ECDSA_P256:
    case SSH_KEYTYPE_ECDSA_P384:
    case SSH_KEYTYPE_ECDSA_P521:
    case SSH_KEYTYPE_RSA:
    case SSH_KEYTYPE_SK_ECDSA:
    case SSH_KEYTYPE_SK_ED25519:
        return true;
    default:
        return false;
    }
}

static bool is_certificate(ssh_key key)
{
    switch (ssh_key_type(key)) {
    case SSH_KEYTYPE_ED25519_CERT01:
    case SSH_KEYTYPE_ECDSA_P256_CERT01:
    case SSH_KEYTYPE_ECDSA_P384_CERT01:
    case SSH_KEYTYPE_ECDSA_P521_CERT01:
    case SSH_KEYTYPE_RSA_CERT01:
    case SSH_KEYTYPE_SK_ECDSA_CERT01:
    case SSH_KEYTYPE_SK_ED25519_CERT01:
        return true;
    default:
        return false;
    }
}

/* The key, or certificate, in its wire form, malloc'ed. */
static int export_key(ssh_key key, uint8_t **ret, size_t *ret_n)
{
    char *text = NULL;
    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
        return -EINVAL;
    size_t n = strlen(text);
    CLEANUP(free) uint8_t *bytes = n <= CERTIFICATE_MAX ? malloc(n + 1) : NULL;
    int r = bytes && text_from_base64(text, n, bytes, n + 1, ret_n) ? 0 : -EINVAL;
    ssh_string_free_char(text);
    if (r == 0)
        *ret = STEAL(bytes);
    return r;
}

/* ---- asking a gate; nothing else happens on this connection meanwhile ---- */

/* A message that must be `expected`, with at most `most` fds. */
static int receive(int fd, int timeout_ms, Ipc__Message__BodyCase expected, size_t most, Ipc__Message **ret,
                   int fds[IPC_FDS_MAX])
{
    CLEANUP(ipc_message_free) Ipc__Message *message = NULL;
    size_t n_fds = 0;
    int r = ipc_receive_now(fd, timeout_ms, &message, fds, &n_fds);
    if (r)
        return r;
    if (message->body_case != expected || n_fds > most) {
        for (size_t i = 0; i < n_fds; i++)
            fd_close(fds[i]);
        return -EPROTO;
    }
    *ret = STEAL(message);
    return 0;
}

enum { NO_GATE = 1 }; /* the user was told why */

/* 0, NO_GATE, or negative. */
static int ask_for_gate(struct front *front, bool enrol, int *ret_gate)
{
    Ipc__WantGate want = IPC__WANT_GATE__INIT;
    want.enrol = enrol;
    Ipc__Message question = IPC_MESSAGE(WANT_GATE, want_gate, &want);
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    int fds[IPC_FDS_MAX];
    int r = ipc_send_now(front->control, &question, NULL, 0, FRONT_GATE_WAIT_MS);
    if (r == 0)
        r = receive(front->control, FRONT_GATE_WAIT_MS, IPC__MESSAGE__BODY_GATE_GIVEN, 1, &answer, fds);
    if (r)
        return r;
    *ret_gate = fds[0];
    if (fds[0] >= 0)
        return 0;
    tell(front, answer->gate_given->refused);
    return NO_GATE;
}

static int ask_verdict(struct front *front, int gate, const char *user, uint8_t *certificate, size_t n,
                       Ipc__Message **ret)
{
    const char *version = ssh_get_clientbanner(front->ssh);
    Ipc__Login login = IPC__LOGIN__INIT;
    login.user = (char *)(uintptr_t)user;
    login.certificate.data = certificate;
    login.certificate.len = n;
    if (version)
        login.client_version = (char *)(uintptr_t)version;
    Ipc__Message question = IPC_MESSAGE(LOGIN, login, &login);
    int fds[IPC_FDS_MAX];
    int r = ipc_send_now(gate, &question, NULL, 0, FRONT_GATE_WAIT_MS);
    return r ? r : receive(gate, FRONT_VERDICT_WAIT_MS, IPC__MESSAGE__BODY_LOGIN_VERDICT, 0, ret, fds);
}

static void report_known_keys(struct front *front)
{
    Ipc__KnownKeys known = IPC__KNOWN_KEYS__INIT;
    known.keys = front->plain_keys;
    known.n_keys = front->n_plain_keys;
    Ipc__Message message = IPC_MESSAGE(KNOWN_KEYS, known_keys, &known);
    if (front->n_plain_keys)
        (void)!ipc_send_now(front->control, &message, NULL, 0, FRONT_GATE_WAIT_MS);
}

static int admit(struct front *front, const Ipc__LoginVerdict *verdict, int gate, ssh_message message)
{
    front->pty_allowed = verdict->pty_allowed;
    front->forwarding_allowed = verdict->forwarding_allowed;
    report_known_keys(front);
    int r = front_gate_new(front, gate);
    if (r)
        return r;
    front->phase = FRONT_SESSION;
    front->wrote = true;
    timer_stop(front->grace);
    return ssh_message_auth_reply_success(message, 0) == SSH_ERROR ? -EIO : 0;
}

/* The signature is good: a gate decides on the certificate, or on the key of who enrols. */
static void judge(struct front *front, ssh_message message, bool enrol)
{
    const char *user = ssh_message_auth_user(message);
    CLEANUP(free) uint8_t *certificate = NULL;
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    CLEANUP(fd_close) int gate = -1;
    size_t n = 0;
    if (!user || strlen(user) > USER_MAX || export_key(ssh_message_auth_pubkey(message), &certificate, &n)) {
        refuse(front, message);
        return;
    }
    int r = ask_for_gate(front, enrol, &gate);
    if (r == NO_GATE) {
        refuse(front, message);
        return;
    }
    if (r == 0)
        r = ask_verdict(front, gate, user, certificate, n, &answer);
    if (r == 0 && answer->login_verdict->admitted)
        r = admit(front, answer->login_verdict, STEAL_FD(gate), message);
    else if (r == 0) {
        tell(front, answer->login_verdict->message);
        refuse(front, message);
    }
    if (r)
        front_end(front, FRONT_EXIT_FAILED, "gatehouse can't log anybody in at the moment, try again later");
}

/* ---- what clients ask ---- */

/* A number that stands for a public key; not secret, and no harm if two keys share it. */
static uint64_t key_number(ssh_key key)
{
    unsigned char *hash = NULL;
    size_t n = 0;
    uint64_t number = 0;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == 0 && n >= sizeof number)
        memcpy(&number, hash, sizeof number);
    ssh_clean_pubkey_hash(&hash);
    return number;
}

static bool is_known(struct front *front, uint64_t key)
{
    Ipc__AskKey ask = IPC__ASK_KEY__INIT;
    ask.key = key;
    Ipc__Message question = IPC_MESSAGE(ASK_KEY, ask_key, &ask);
    CLEANUP(ipc_message_free) Ipc__Message *answer = NULL;
    int fds[IPC_FDS_MAX];
    return ipc_send_now(front->control, &question, NULL, 0, FRONT_GATE_WAIT_MS) == 0 &&
           receive(front->control, FRONT_GATE_WAIT_MS, IPC__MESSAGE__BODY_ANSWER_KEY, 0, &answer, fds) == 0 &&
           answer->answer_key->known;
}

static void plain_key(struct front *front, ssh_message message)
{
    uint64_t key = key_number(ssh_message_auth_pubkey(message));
    front->plain_key_seen = true;
    if (front->n_plain_keys < FRONT_PLAIN_KEYS_MAX)
        front->plain_keys[front->n_plain_keys++] = key;
    if (!front->enrol_told && !front->certificate_seen && !is_known(front, key)) {
        front->enrol_told = true;
        tell(front, front->settings->banner_plain_key);
    }
    refuse(front, message);
}

static bool is_enroll(ssh_message message)
{
    const char *user = ssh_message_auth_user(message);
    return user && strcmp(user, enroll_user) == 0;
}

/* RFC 4252 section 5 lets a client change the user in between. Nobody needs it, and the listener's account of
 * who enrols depends on it. */
static void public_key(struct front *front, ssh_message message)
{
    ssh_key key = ssh_message_auth_pubkey(message);
    bool enrol = is_enroll(message);
    if (enrol != front->enrols && front->signatures > 0) {
        front_end(front, FRONT_EXIT_LOGIN_FAILED, "the user can't be changed on one connection");
        return;
    }
    front->enrols = enrol;
    if (!is_certificate(key) && !(enrol && may_be_certified(key))) {
        plain_key(front, message);
        return;
    }
    front->certificate_seen = front->certificate_seen || !enrol;
    front->plain_key_seen = front->plain_key_seen || enrol;
    switch (ssh_message_auth_publickey_state(message)) {
    case SSH_PUBLICKEY_STATE_NONE:
        (void)ssh_message_auth_reply_pk_ok_simple(message);
        front->wrote = true;
        return;
    case SSH_PUBLICKEY_STATE_VALID:
        if (front->signatures++ < front->settings->auth_tries_max)
            judge(front, message, enrol);
        else
            front_end(front, FRONT_EXIT_LOGIN_FAILED, "too many attempts to log in");
        return;
    default:
        refuse(front, message);
    }
}

void front_login_message(struct front *front, ssh_message message)
{
    if (++front->probes > FRONT_PROBES_MAX) {
        front_end(front, FRONT_EXIT_LOGIN_FAILED, "too many attempts to log in");
        return;
    }
    int method = ssh_message_type(message) == SSH_REQUEST_AUTH ? ssh_message_subtype(message) : 0;
    if (method == SSH_AUTH_METHOD_PUBLICKEY)
        public_key(front, message);
    else
        refuse(front, message); /* which accepts the ssh-userauth service */
}
