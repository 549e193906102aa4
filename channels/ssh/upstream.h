/* One SSH connection to a target, as its client; sessions run in channels of it (upstream_channel.h).
 *
 * libssh runs callbacks inside of its own calls (facts.md), so it is polled here and nowhere else, without
 * waiting, and what those callbacks find is acted upon by upstream_settle(), when libssh has returned. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ipc.h"
#include "base/loop.h"

struct upstream;

enum {
    UPSTREAM_INPUT_MAX = 64 * 1024, /* bytes that a channel takes at once */
    UPSTREAM_PASSWORD_MAX = 512,    /* so that libssh's buffer does not move while it is in there */
};

enum upstream_fault {
    UPSTREAM_LOST = 1,   /* the target went, or spoke something else than SSH */
    UPSTREAM_HOST_KEY,   /* it is another host than the one that the configuration pins */
    UPSTREAM_NOT_LET_IN, /* the login was refused */
    UPSTREAM_ASKS_ELSE   /* it put questions that a password does not answer */
};

/* The gate's own key for one login, for which the vault makes a certificate. */
struct upstream_key;
/* *ret_public: its public half in wire form, malloc'ed. -EIO when none could be made. */
MUST_USE int upstream_key_new(struct upstream_key **ret, uint8_t **ret_public, size_t *ret_n);
void upstream_key_free(struct upstream_key *key);
DEFINE_CLEANUP(struct upstream_key *, upstream_key_free)

/* How to log in: by the key and its certificate, by an agent, or by a password. All borrowed for the call but
 * the agent, which is the upstream's from here on, also on failure. */
struct upstream_login {
    const Ipc__Target *target; /* for its host keys; outlives the upstream */
    const char *user;
    struct upstream_key *key;
    const uint8_t *certificate; /* wire form */
    size_t certificate_n;
    int agent; /* -1: none */
    bool by_password;
};

/* Called from upstream_settle(); each may free channels, and the upstream itself. */
struct upstream_calls {
    void (*ready)(void *owner);
    /* by_password, at most once: the host is the right one, and asks for it. To be answered by
     * upstream_give_password(), later. */
    void (*want_password)(void *owner);
    /* Once, also long after ready(): nothing moves any more. detail is for the log: it may hold the target's
     * words. */
    void (*lost)(void *owner, enum upstream_fault fault, const char *detail);
};

/* Once per process, before its jail: libssh and OpenSSL read files when they start. -EIO. */
MUST_USE int upstream_start(void);

/* fd: a connected stream socket on which nothing was said yet; the upstream's from here on, also on failure.
 */
MUST_USE int upstream_new(struct loop *loop, int fd, const struct upstream_login *login,
                          const struct upstream_calls *calls, void *owner, struct upstream **ret);
/* After want_password(): 1 to UPSTREAM_PASSWORD_MAX bytes without NUL, of which it keeps a copy until they
 * are used. upstream_settle() is to follow. -EPROTO when it was not asked for, or can't be one. */
MUST_USE int upstream_give_password(struct upstream *upstream, const uint8_t *bytes, size_t n);
/* Whether a password was used to log in. */
bool upstream_used_password(const struct upstream *upstream);
/* After all of its channels. */
void upstream_free(struct upstream *upstream);
/* To be called, last, by whoever gave something to a channel: sends it, and serves all channels. Owners'
 * calls are made from here, so whoever calls this may be gone afterwards. */
void upstream_settle(struct upstream *upstream);
/* The same, from the loop: for callers that go on. */
void upstream_settle_later(struct upstream *upstream);
