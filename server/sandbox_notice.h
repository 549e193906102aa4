/* What a caged program asks of its supervisor: seccomp user notification. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"

enum sandbox_wish {
    SANDBOX_WISH_EXEC,
    SANDBOX_WISH_SOCKET,
    SANDBOX_WISH_NAME,   /* getsockname(), of a program that listens */
    SANDBOX_WISH_ACCEPT, /* accept4() */
    SANDBOX_WISH_OTHER,  /* the filter asks about nothing else; refuse it */
};

struct sandbox_notice {
    uint64_t id;
    enum sandbox_wish wish;
    bool nonblock, cloexec;   /* of the socket */
    uint64_t address, length; /* where in the program's memory the socket's address and its size go; or 0 */
};

/* The next one. -ENOENT when it went away (a signal came); never blocks once the fd is readable. */
MUST_USE int sandbox_notice_take(int fd, struct sandbox_notice *ret);
/* Each answers once; -ENOENT when the asker is gone, in which case nothing has happened. */
MUST_USE int sandbox_notice_continue(int fd, const struct sandbox_notice *notice);
MUST_USE int sandbox_notice_refuse(int fd, const struct sandbox_notice *notice, int error);
/* The call has succeeded and returns 0. */
MUST_USE int sandbox_notice_done(int fd, const struct sandbox_notice *notice);
/* Puts 127.0.0.1 and port 0 where the address goes, before the answer. pid: the program, not reaped yet.
 * -EPERM where the kernel keeps us from writing (Yama). */
MUST_USE int sandbox_notice_address(const struct sandbox_notice *notice, pid_t pid);
/* Puts a copy of `give` into the program and returns its number there as the call's result, in one step. */
MUST_USE int sandbox_notice_give(int fd, const struct sandbox_notice *notice, int give);
