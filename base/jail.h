/* What each kind of process may do: limits, uid, file system, system calls. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/error.h"

enum process_kind {
    PROCESS_LISTENER,
    PROCESS_FRONT,
    PROCESS_GATE,
    PROCESS_VAULT,
    PROCESS_CONNECTOR,
    PROCESS_LEDGER,
    PROCESS_LAUNCHER,
    PROCESS_ISSUER,
    PROCESS_COURIER,
    PROCESS_KINDS
};

/* "front", "gate", …; the executable is libexec/gatehouse/gatehouse-NAME. */
const char *process_name(enum process_kind kind);

/* When started as root every kind runs under a uid of its own; all share one gid, by which
 * they may pass through the state directory. */
uid_t process_uid(enum process_kind kind);
gid_t process_gid(void);

/* A place in the file system that stays reachable inside the jail. */
struct jail_path {
    const char *path;
    bool write; /* create, write, rename and remove below it too */
};

/* Closes every fd but 0 to 2 and the `keep` given ones, so that nothing rides into a process unasked. */
MUST_USE int jail_close_others(const int *keep, size_t n_keep);

/* Zygotes enter in two steps, since forking and reaping are not what their children may do:
 * jail_prepare: not dumpable, uid and gid, rlimits, no_new_privs, Landlock;
 * jail_seal: the seccomp allow-list. jail_enter does both. All are one-way. A failure is fatal: the
 * process must end, unless the kernel lacks Landlock, which is logged by the caller (*ret_landlock false). */
MUST_USE int jail_prepare(enum process_kind kind, const struct jail_path *paths, size_t n_paths,
                          bool *ret_landlock, struct detail *detail);
MUST_USE int jail_seal(enum process_kind kind, struct detail *detail);
/* The kind's list and what a zygote needs to fork, reap and seal its children. */
MUST_USE int jail_seal_zygote(enum process_kind kind, struct detail *detail);
/* Once sealed, a kind whose list has it can be left with only what an event loop over open descriptors needs.
 */
MUST_USE int jail_tighten(struct detail *detail);
MUST_USE int jail_enter(enum process_kind kind, const struct jail_path *paths, size_t n_paths,
                        bool *ret_landlock, struct detail *detail);
