/* See io.h. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

void fd_close(int fd)
{
    if (fd < 0)
        return;
    int saved = errno;
    (void)close(fd);
    errno = saved;
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0)
        return -errno;
    int wanted = on ? flags | flag : flags & ~flag;
    if (wanted != flags && fcntl(fd, set, wanted) < 0)
        return -errno;
    return 0;
}

int fd_nonblock(int fd, bool on)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_cloexec(int fd, bool on)
{
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

void fd_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int fd_pair(int type, int ret_fds[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

int fd_dup(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

int fd_wait(int fd, short events, int timeout_ms)
{
    uint64_t deadline = clock_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
    for (;;) {
        struct pollfd p = { .fd = fd, .events = events };
        int n = poll(&p, 1, timeout_ms);
        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
        if (timeout_ms > 0) {
            uint64_t now = clock_ms();
            timeout_ms = now < deadline ? (int)(deadline - now) : 0;
        }
    }
}

int fd_write_all(int fd, const void *bytes, size_t n, int timeout_ms)
{
    const uint8_t *next = bytes;
    while (n > 0) {
        ssize_t put = write(fd, next, n);
        if (put >= 0) {
            next += put;
            n -= (size_t)put;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        int r = fd_wait(fd, POLLOUT, timeout_ms);
        if (r)
            return r;
    }
    return 0;
}

int fd_read_all(int fd, void *bytes, size_t n, int timeout_ms)
{
    uint8_t *next = bytes;
    while (n > 0) {
        int r = timeout_ms < 0 ? 0 : fd_wait(fd, POLLIN, timeout_ms);
        if (r)
            return r;
        ssize_t got = read(fd, next, n);
        if (got == 0)
            return -EPIPE;
        if (got < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            return -errno;
        }
        next += got;
        n -= (size_t)got;
    }
    return 0;
}

int fd_of_bytes(const char *name, const void *bytes, size_t n, int *ret_fd)
{
    CLEANUP(fd_close) int fd = -1;
    int r = fd_of_content(name, bytes, n, &fd);
    if (r)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    *ret_fd = STEAL_FD(fd);
    return 0;
}

int fd_of_content(const char *name, const void *bytes, size_t n, int *ret_fd)
{
    CLEANUP(fd_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = fd_write_all(fd, bytes, n, -1);
    if (r)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    *ret_fd = STEAL_FD(fd);
    return 0;
}

int fd_contents(int fd, size_t max, uint8_t **ret, size_t *ret_n)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    if (about.st_size < 0 || (uint64_t)about.st_size > max)
        return -EFBIG;
    size_t size = (size_t)about.st_size;
    CLEANUP(free) uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        return -ENOMEM;
    size_t have = 0;
    while (have < size) {
        ssize_t got = pread(fd, bytes + have, size - have, (off_t)have);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break; /* it shrank: what is there counts */
        if (got > 0)
            have += (size_t)got;
    }
    bytes[have] = 0;
    *ret = STEAL(bytes);
    *ret_n = have;
    return 0;
}
