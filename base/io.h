/* File descriptors: ownership, flags, sockets, whole reads and writes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

void fd_close(int fd); /* -1 is taken; errno stays */
static inline void fd_close_ptr(int *slot)
{
    fd_close(*slot);
}

MUST_USE int fd_nonblock(int fd, bool on);
MUST_USE int fd_cloexec(int fd, bool on);
/* TCP_NODELAY; other sockets are left as they are. */
void fd_nodelay(int fd);
/* Both ends close-on-exec. type: SOCK_STREAM or SOCK_SEQPACKET, | SOCK_NONBLOCK. */
MUST_USE int fd_pair(int type, int ret_fds[2]);
/* A duplicate, close-on-exec, or negative errno. */
MUST_USE int fd_dup(int fd);

/* All n bytes or an error; -ETIMEDOUT after timeout_ms (negative: none). */
MUST_USE int fd_write_all(int fd, const void *bytes, size_t n, int timeout_ms);
/* Exactly n bytes; -EPIPE when the peer closes before. */
MUST_USE int fd_read_all(int fd, void *bytes, size_t n, int timeout_ms);
/* Waits for POLLIN or POLLOUT; 0 or -ETIMEDOUT. */
MUST_USE int fd_wait(int fd, short events, int timeout_ms);

/* A read-only memfd, sealed against every change, positioned at its start. */
MUST_USE int fd_of_bytes(const char *name, const void *bytes, size_t n, int *ret_fd);
/* The same, positioned at its end, by processes that may not move in files: for fd_contents(). */
MUST_USE int fd_of_content(const char *name, const void *bytes, size_t n, int *ret_fd);
/* The whole content of a regular file or memfd, NUL-terminated, malloc'ed. -EFBIG beyond max. */
MUST_USE int fd_contents(int fd, size_t max, uint8_t **ret, size_t *ret_n);
