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

enum { UPSTREAM_INPUT_MAX = 64 * 1024 }; /* bytes that a channel takes at once */

enum upstream_fault {
    UPSTREAM_LOST = 1,  /* the target went, or spoke something else than SSH */
    UPSTREAM_HOST_KEY,  /* it is another host than the one that the configuration pins */
    UPSTREAM_NOT_LET_IN /* the login was refused */
};

/* The gate's own key for one login, for which the vault makes a certificate. */
struct upstream_key;
/* *ret_public: its public half in wire form, malloc'ed. -EIO when none could be made. */
MUST_USE int upstream_key_new(struct upstream_key **ret, uint8_t **ret_public, size_t *ret_n);
void upstream_key_free(struct upstream_key *key);
DEFINE_CLEANUP(struct upstream_key *, upstream_key_free)

/* How to log in: by the key and its certificate, or by an agent. All borrowed for the call but the agent,
 * which is the upstream's from here on, also on failure. */
struct upstream_login {
    const Ipc__Target *target; /* for its host keys; outlives the upstream */
    const char *user;
    struct upstream_key *key;
    const uint8_t *certificate; /* wire form */
    size_t certificate_n;
    int agent; /* -1: none */
};

/* Called from upstream_settle(); each may free channels, and the upstream itself. */
struct upstream_calls {
    void (*ready)(void *owner);
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
/* After all of its channels. */
void upstream_free(struct upstream *upstream);
/* To be called, last, by whoever gave something to a channel: sends it, and serves all channels. Owners'
 * calls are made from here, so whoever calls this may be gone afterwards. */
void upstream_settle(struct upstream *upstream);
/* The same, from the loop: for callers that go on. */
void upstream_settle_later(struct upstream *upstream);
