/* The session with a target; how it is logged in to is upstream_login.c's. A poll of libssh's one socket runs
 * its callbacks, which set flags; what follows from them happens in upstream_settle(). No configuration, no
 * known_hosts, no key of a file: a jailed process could not open them, and libssh is told not to try (it
 * looks for known hosts only when it knows a host name, so it is told none). */
#include "channels/ssh/upstream.h"

#include <errno.h>
#include <libssh/server.h> /* ssh_set_message_callback */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/text.h"
#include "channels/ssh/host_key.h"
#include "channels/ssh/upstream_parts.h"

/* What libssh does not know of these lists it leaves out. No group exchange: whoever broke into the target
 * could choose the group. AES-GCM first, for it is the fastest. */
static const char key_exchanges[] =
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,"
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256";
static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
                              "aes256-ctr,aes192-ctr,aes128-ctr";
static const char macs[] =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";

int upstream_start(void)
{
    ssh_key key = NULL;
    if (ssh_init() != SSH_OK || ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK)
        return -EIO;
    ssh_key_free(key);
    return 0;
}

/* ---- the gate's own key ---- */

struct upstream_key {
    ssh_key key;
};

void upstream_key_free(struct upstream_key *key)
{
    if (key)
        ssh_key_free(key->key);
    free(key);
}

/* The wire form, malloc'ed. */
static int export_key(ssh_key key, uint8_t **ret, size_t *ret_n)
{
    char *text = NULL;
    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
        return -EIO;
    size_t n = strlen(text);
    CLEANUP(free) uint8_t *bytes = malloc(n + 1);
    int r = bytes && text_from_base64(text, n, bytes, n + 1, ret_n) ? 0 : -EIO;
    ssh_string_free_char(text);
    if (r == 0)
        *ret = STEAL(bytes);
    return r;
}

int upstream_key_new(struct upstream_key **ret, uint8_t **ret_public, size_t *ret_n)
{
    CLEANUP(upstream_key_free) struct upstream_key *key = calloc(1, sizeof *key);
    if (!key)
        return -ENOMEM;
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key->key) != SSH_OK)
        return -EIO;
    int r = export_key(key->key, ret_public, ret_n);
    if (r == 0)
        *ret = STEAL(key);
    return r;
}

/* Takes the key out of login->key. */
static int join_certificate(const struct upstream_login *login, ssh_key *ret)
{
    CLEANUP(free) char *text = malloc(4 * ((login->certificate_n + 2) / 3) + 1);
    ssh_key certificate = NULL;
    if (!text)
        return -ENOMEM;
    (void)text_base64(text, login->certificate, login->certificate_n);
    int r = -EINVAL;
    if (ssh_pki_import_cert_base64(text, SSH_KEYTYPE_ED25519_CERT01, &certificate) == SSH_OK &&
        ssh_pki_copy_cert_to_privkey(certificate, login->key->key) == SSH_OK) {
        *ret = STEAL(login->key->key);
        r = 0;
    }
    ssh_key_free(certificate);
    return r;
}

/* ---- life ---- */

static void target_ready(void *owner, uint32_t ready)
{
    (void)ready;
    upstream_settle(owner);
}

static void again(void *owner)
{
    upstream_settle(owner);
}

/* Channels that a target opens, and its global requests. */
static int refuse_message(ssh_session ssh, ssh_message message, void *owner)
{
    (void)ssh;
    (void)message;
    (void)owner;
    return 1;
}

static int set_options(struct upstream *u, int *fd, const char *user)
{
    const bool no = false;
    char algorithms[HOST_KEY_ALGORITHMS_MAX];
    host_key_algorithms(u->target, algorithms);
    if (!algorithms[0])
        return -EINVAL;
    const struct {
        enum ssh_options_e option;
        const void *value;
    } options[] = {
        { SSH_OPTIONS_PROCESS_CONFIG, &no },
        { SSH_OPTIONS_SSH_DIR, "/nonexistent" },
        { SSH_OPTIONS_USER, user },
        { SSH_OPTIONS_FD, fd },
        { SSH_OPTIONS_HOSTKEYS, algorithms },
        { SSH_OPTIONS_KEY_EXCHANGE, key_exchanges },
        { SSH_OPTIONS_CIPHERS_C_S, ciphers },
        { SSH_OPTIONS_CIPHERS_S_C, ciphers },
        { SSH_OPTIONS_HMAC_C_S, macs },
        { SSH_OPTIONS_HMAC_S_C, macs },
        { SSH_OPTIONS_COMPRESSION_C_S, "none" },
        { SSH_OPTIONS_COMPRESSION_S_C, "none" },
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (ssh_options_set(u->ssh, options[i].option, options[i].value) != SSH_OK)
            return -EINVAL;
    }
    ssh_set_blocking(u->ssh, 0);
    ssh_set_counters(u->ssh, NULL, &u->packets);
    ssh_set_message_callback(u->ssh, refuse_message, u);
    return 0;
}

/* Until ssh_connect() the socket is the caller's; from there on libssh closes it. */
static int open_session(struct upstream *u, int *fd, const struct upstream_login *login)
{
    int r = fd_nonblock(*fd, true);
    u->fd = r ? -1 : fd_dup(*fd);
    u->ssh = u->fd < 0 ? NULL : ssh_new();
    if (!u->ssh)
        return r ? r : -ENOMEM;
    r = set_options(u, fd, login->user);
    if (r == 0 && login->key)
        r = join_certificate(login, &u->key);
    if (r)
        return r;
    (void)ssh_connect(u->ssh);
    *fd = -1;
    return 0;
}

static void destroy(struct upstream *u)
{
    source_free(u->source);
    timer_free(u->again);
    ssh_event_free(u->event);
    ssh_free(u->ssh);
    upstream_login_free(u);
    fd_close(u->fd);
    if (u->chunk)
        (void)munmap(u->chunk, UPSTREAM_CHUNK);
    free(u);
}

void upstream_free(struct upstream *u)
{
    if (!u)
        return;
    u->phase = UPSTREAM_OVER;
    u->freed = true;
    if (!u->busy)
        destroy(u);
}

static inline void destroy_ptr(struct upstream **slot)
{
    if (*slot)
        destroy(*slot);
}

static int make_upstream(struct loop *loop, int *fd, int *agent, const struct upstream_login *login,
                         const struct upstream_calls *calls, void *owner, struct upstream **ret)
{
    CLEANUP(destroy) struct upstream *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    *u = (struct upstream){ .loop = loop, .calls = calls, .owner = owner, .target = login->target, .fd = -1 };
    u->chunk = mmap(NULL, UPSTREAM_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (u->chunk == MAP_FAILED) {
        u->chunk = NULL;
        return -ENOMEM;
    }
    int r = open_session(u, fd, login);
    if (r == 0)
        r = upstream_login_set(u, STEAL_FD(*agent), login->by_password);
    if (r == 0)
        r = source_new(loop, u->fd, LOOP_READ | LOOP_WRITE, target_ready, u, &u->source);
    if (r == 0)
        r = timer_new(loop, again, u, &u->again);
    if (r == 0)
        *ret = STEAL(u);
    return r;
}

int upstream_new(struct loop *loop, int fd, const struct upstream_login *login,
                 const struct upstream_calls *calls, void *owner, struct upstream **ret)
{
    int agent = login->agent;
    int r = make_upstream(loop, &fd, &agent, login, calls, owner, ret);
    fd_close(fd);
    fd_close(agent);
    return r;
}

/* ---- the right host ---- */

void upstream_lose(struct upstream *u, enum upstream_fault fault, const char *detail)
{
    if (u->phase == UPSTREAM_OVER)
        return;
    u->phase = UPSTREAM_OVER;
    source_interest(u->source, 0);
    u->calls->lost(u->owner, fault, detail);
}

/* Both fingerprints, for whoever has to find out whether the host was changed or somebody is in between. */
static bool is_right_host(struct upstream *u, char *detail, size_t size)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    ssh_key key = NULL;
    bool right = ssh_get_server_publickey(u->ssh, &key) == SSH_OK && export_key(key, &bytes, &n) == 0 &&
                 host_key_is_pinned(u->target, bytes, n);
    ssh_key_free(key);
    if (right)
        return true;
    char shown[HOST_KEY_WORDS_MAX], pinned[HOST_KEY_WORDS_MAX];
    const ProtobufCBinaryData offered = { .len = n, .data = bytes };
    host_key_words(&offered, bytes ? 1 : 0, shown);
    host_key_words(u->target->host_keys, u->target->n_host_keys, pinned);
    (void)snprintf(detail, size, "shown: %s; pinned: %s", shown, pinned);
    return false;
}

static void exchange_keys(struct upstream *u)
{
    char detail[2 * HOST_KEY_WORDS_MAX + 32];
    int r = ssh_connect(u->ssh);
    if (r == SSH_ERROR)
        upstream_lose(u, UPSTREAM_LOST, ssh_get_error(u->ssh));
    else if (r == SSH_OK && is_right_host(u, detail, sizeof detail))
        u->phase = UPSTREAM_LOGIN;
    else if (r == SSH_OK)
        upstream_lose(u, UPSTREAM_HOST_KEY, detail);
}

/* ---- polling ---- */

static bool holds_bytes(const struct upstream *u)
{
    return (ssh_get_status(u->ssh) & SSH_WRITE_PENDING) != 0;
}

/* After each write libssh wants to hear that the socket is writable before it sends again. */
static bool wants_poll(const struct upstream *u)
{
    return (ssh_get_poll_flags(u->ssh) & SSH_WRITE_PENDING) != 0;
}

bool upstream_can_send(struct upstream *u)
{
    if (u->phase != UPSTREAM_READY || holds_bytes(u))
        return false;
    if (!wants_poll(u))
        return true;
    (void)ssh_event_dopoll(u->event, 0);
    u->wrote = true;
    u->target_is_full = wants_poll(u);
    return !u->target_is_full && ssh_is_connected(u->ssh);
}

static void watch(struct upstream *u)
{
    if (u->password.wanted) { /* what the host says meanwhile waits */
        source_interest(u->source, 0);
        return;
    }
    u->target_is_full = u->target_is_full && wants_poll(u);
    bool pending = u->phase == UPSTREAM_READY ? holds_bytes(u) || u->target_is_full : wants_poll(u);
    source_interest(u->source, LOOP_READ | (pending ? LOOP_WRITE : 0));
    if (pending == u->write_pending)
        return;
    u->write_pending = pending;
    u->touched = u->touched || !pending; /* whoever starves is served again */
}

/* Callbacks of owners may free any channel: each time the first that is to be served is looked for anew. */
static void serve_channels(struct upstream *u)
{
    if (!u->touched)
        return;
    u->touched = false;
    for (struct upstream_channel *c = u->channels; c; c = c->next)
        c->touched = c->touched || upstream_channel_waits(c);
    struct upstream_channel *c = u->channels;
    while (c && !u->freed && u->phase != UPSTREAM_OVER) {
        if (c->touched) {
            c->touched = false;
            upstream_channel_serve(c);
            c = u->channels;
        } else {
            c = c->next;
        }
    }
}

/* What a channel waits for may have come with any poll, also with one inside of another channel's call; no
 * event tells of it again. */
static bool has_news(const struct upstream *u)
{
    return u->packets.in_packets != u->heard;
}

/* True when there may be more to do at once. */
static bool one_round(struct upstream *u)
{
    bool polled = false;
    u->wrote = false;
    if (u->phase == UPSTREAM_KEY_EXCHANGE) {
        exchange_keys(u);
        return u->phase == UPSTREAM_LOGIN;
    }
    if (u->phase == UPSTREAM_LOGIN) {
        upstream_log_in(u);
        return u->phase == UPSTREAM_READY;
    }
    polled = ssh_event_dopoll(u->event, 0) == SSH_OK;
    u->touched = u->touched || polled || has_news(u);
    u->heard = u->packets.in_packets;
    serve_channels(u);
    if (u->freed || u->phase != UPSTREAM_READY)
        return false;
    if (u->broken)
        upstream_lose(u, UPSTREAM_LOST, u->broken);
    else if (!ssh_is_connected(u->ssh) || (ssh_get_status(u->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR)))
        upstream_lose(u, UPSTREAM_LOST, ssh_get_error(u->ssh));
    return polled || u->touched || has_news(u) || (u->wrote && holds_bytes(u));
}

void upstream_settle(struct upstream *u)
{
    if (u->busy || u->phase == UPSTREAM_OVER) {
        u->touched = true; /* the round that is under way goes on */
        return;
    }
    u->busy = true;
    int rounds = 0;
    while (!u->freed && u->phase != UPSTREAM_OVER && rounds < UPSTREAM_ROUNDS_MAX && one_round(u)) {
        rounds++;
        if (!u->freed && u->phase != UPSTREAM_OVER)
            watch(u);
    }
    u->busy = false;
    if (u->freed) {
        destroy(u);
        return;
    }
    if (u->phase == UPSTREAM_OVER)
        return;
    watch(u);
    if (rounds == UPSTREAM_ROUNDS_MAX || (u->touched && u->phase == UPSTREAM_READY))
        timer_set(u->again, 0);
}

void upstream_settle_later(struct upstream *u)
{
    if (!u->busy && u->phase != UPSTREAM_OVER)
        timer_set(u->again, 0);
}
