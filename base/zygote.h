/* A process that is ready to be many: forks a child per Spawn message, no exec. */
#pragma once
#include "base/ipc.h"
#include "base/jail.h"

/* Runs in the forked child; the return value is its exit status. `spawn` and fds are the child's. */
typedef int zygote_child(void *owner, const Ipc__Spawn *spawn, int *fds, size_t n_fds);
/* A newer list of what is revoked: a memfd, borrowed. Runs in the zygote; children born from then on have
 * what it leaves in memory. */
typedef void zygote_revocations(void *owner, int fd);

/* Serves `control` until it closes, or until Retire came and the last child is gone. Tells the other
 * side ChildExited for each child. Between fork and child(): control is closed, signals are as at
 * exec, the jail is sealed for `kind`. The caller has done jail_prepare(). revoked may be NULL: Revocations
 * are then not expected. Returns the exit status. */
int zygote_run(int control, enum process_kind kind, zygote_child *child, zygote_revocations *revoked,
               void *owner);
