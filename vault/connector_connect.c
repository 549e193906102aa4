/* A connection to the target: its socket, or the first of its addresses that answers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/clock.h"
#include "base/io.h"
#include "vault/connector.h"

enum {
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 15,
    KEEPALIVE_COUNT = 4,
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static socklen_t local_address(const char *path, union address *ret)
{
    *ret = (union address){ .local.sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(ret->local.sun_path))
        return 0;
    memcpy(ret->local.sun_path, path, strlen(path) + 1);
    return sizeof(ret->local);
}

static socklen_t inet_address(const char *text, uint32_t port, union address *ret)
{
    *ret = (union address){ .any.sa_family = AF_UNSPEC };
    if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        return sizeof(ret->v4);
    }
    if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        return sizeof(ret->v6);
    }
    return 0;
}

static int connect_one(const struct job *job, const union address *address, socklen_t n, uint64_t until_ms,
                       int *ret)
{
    CLEANUP(fd_close) int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0, r;
    socklen_t error_n = sizeof(error);

    if (n == 0)
        return -EINVAL;
    if (fd < 0)
        return -errno;
    if (connect(fd, &address->any, n) < 0 && errno != EINPROGRESS)
        return -errno;
    r = job_wait(job, fd, POLLOUT, until_ms);
    if (r)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_n) < 0 || error)
        return error ? -error : -errno;
    *ret = STEAL_FD(fd);
    return 0;
}

int job_connect(const struct job *job, int *ret, struct detail *detail)
{
    struct addresses addresses = { .count = 0 };
    union address address;
    int r;

    if (job->target->socket[0]) {
        socklen_t n = local_address(job->target->socket, &address);
        r = connect_one(job, &address, n, job->deadline_ms, ret);
        return r ? detail_fail(detail, r, "%s: %s", job->target->socket, strerror(-r)) : 0;
    }
    r = addresses_of(job->target->host, &addresses, detail);
    if (r)
        return r;
    for (size_t i = 0; i < addresses.count; i++) {
        socklen_t n = inet_address(addresses.text[i], job->target->port, &address);
        uint64_t share = (uint64_t)job_left_ms(job) / (addresses.count - i);

        r = connect_one(job, &address, n, clock_ms() + share, ret);
        if (r == 0)
            return 0;
    }
    return detail_fail(detail, r, "%s port %u: %s", job->target->host, (unsigned)job->target->port,
                       strerror(-r));
}

void job_keep_alive(int fd)
{
    const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, count = KEEPALIVE_COUNT;

    fd_nodelay(fd);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}
