/* What is revoked: the file of the configuration, and the list that `ssh bastion revoke` adds to. Both are
 * watched; everybody gets both together. */
#pragma once
#include "base/ipc.h"
#include "base/jail.h"
#include "base/loop.h"

enum {
    REVOKED_POLL_MS = 400, /* a change is read once it has stayed the same for one of these */
    REVOKED_PATHS_MAX = 3,
};

/* STATE/revoked.list */
#define REVOKED_OWN_LIST "revoked.list"

struct revoked;

struct revoked_handlers {
    /* The list has changed, or is there for the first time: a sealed memfd, borrowed. */
    void (*publish)(void *owner, int fd);
    /* A file was replaced by another, which the jail does not let us read: only a new process can. */
    void (*replaced)(void *owner, const char *path);
};

/* Before the jail: makes STATE/revoked.list when it is missing and, as root, hands it to the issuer's uid.
 * configured: Config.revoked, "" for none. */
MUST_USE int revoked_new(struct loop *loop, const char *state, const char *configured,
                         const struct revoked_handlers *handlers, void *owner, struct revoked **ret,
                         struct detail *detail);
void revoked_free(struct revoked *revoked);
/* What the jail must leave reachable; borrowed. Returns how many. */
size_t revoked_paths(const struct revoked *revoked, struct jail_path out[REVOKED_PATHS_MAX]);
/* The list of the process before us, as the listener keeps it: stands in for files that can't be read. fd is
 * taken over. */
void revoked_inherit(struct revoked *revoked, int fd);
/* Reads, publishes and watches. -EINVAL: a file can't be read and nothing was inherited; detail says which,
 * and it may be tried again. */
MUST_USE int revoked_start(struct revoked *revoked, struct detail *detail);
/* Sealed. */
const Ipc__RevocationList *revoked_list(const struct revoked *revoked);
/* Adds to our own list: on the disk and published when it returns. what: "IDENTITY", "serial:N", …; -EINVAL:
 * it is none of these. Other faults: it may be revoked or not; detail says why. */
MUST_USE int revoked_add(struct revoked *revoked, const char *what, const char *by, const char *reason,
                         struct detail *detail);
