/* Listening sockets. */
#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

enum { BACKLOG = 4096 };

/* "127.0.0.1:2222" or "[::1]:2222". */
static int parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_n)
{
    char host[64];
    uint64_t port;
    const char *colon = strrchr(text, ':');
    bool six = text[0] == '[';
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (!colon || n >= sizeof host || !text_to_u64(colon + 1, 65535, &port))
        return -EINVAL;
    if (six && (n < 3 || text[n - 1] != ']'))
        return -EINVAL;
    (void)snprintf(host, sizeof host, "%.*s", (int)(six ? n - 2 : n), six ? text + 1 : text);
    memset(ret, 0, sizeof *ret);
    if (six) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)ret;
        *a = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        *ret_n = sizeof *a;
        return inet_pton(AF_INET6, host, &a->sin6_addr) == 1 ? 0 : -EINVAL;
    }
    struct sockaddr_in *a = (struct sockaddr_in *)ret;
    *a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    *ret_n = sizeof *a;
    return inet_pton(AF_INET, host, &a->sin_addr) == 1 ? 0 : -EINVAL;
}

static int bind_one(const char *text, int *ret_fd, struct detail *detail)
{
    struct sockaddr_storage address;
    socklen_t n;
    if (parse(text, &address, &n))
        return detail_fail(detail, -EINVAL, "listen: '%s' is not ADDRESS:PORT with a numeric address", text);
    CLEANUP(fd_close) int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return detail_fail(detail, -errno, "listen: %s: %s", text, strerror(errno));
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, n) < 0 || listen(fd, BACKLOG) < 0)
        return detail_fail(detail, -errno, "can't listen on %s: %s", text,
                           errno == EADDRINUSE ? "another program listens there already" : strerror(errno));
    *ret_fd = STEAL_FD(fd);
    return 0;
}

/* With the port that port 0 became. */
static void log_listening(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 16];
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return;
    bool six = a.ss_family == AF_INET6;
    const void *ip = six ? (const void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                         : (const void *)&((struct sockaddr_in *)&a)->sin_addr;
    unsigned port =
        ntohs(six ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
    (void)inet_ntop(a.ss_family, ip, host, sizeof host);
    (void)snprintf(text, sizeof text, six ? "[%s]:%u" : "%s:%u", host, port);
    log_event(LOG_INFO, "listening", "address", text, NULL);
}

static void ready(void *owner, uint32_t events)
{
    (void)events;
    listener_accept(owner);
}

static void close_address(struct address *a)
{
    if (a->source)
        source_free(STEAL(a->source));
    fd_close(STEAL_FD(a->fd));
    free(STEAL(a->text));
}

void listener_unbind(struct listener *l)
{
    for (size_t i = 0; i < l->n_addresses; i++)
        close_address(&l->addresses[i]);
    l->n_addresses = 0;
}

static struct address *find_old(struct listener *l, const char *text)
{
    for (size_t i = 0; i < l->n_addresses; i++)
        if (l->addresses[i].text && strcmp(l->addresses[i].text, text) == 0)
            return &l->addresses[i];
    return NULL;
}

static int bind_new(struct listener *l, const Ipc__Config *config, int *fds, struct detail *detail)
{
    for (size_t i = 0; i < config->n_listen; i++) {
        int r = find_old(l, config->listen[i]) ? 0 : bind_one(config->listen[i], &fds[i], detail);
        if (r == 0)
            continue;
        while (i-- > 0)
            fd_close(fds[i]);
        return r;
    }
    return 0;
}

int listener_bind(struct listener *l, const Ipc__Config *config, struct detail *detail)
{
    int fds[LISTENER_ADDRESSES_MAX];
    struct address fresh[LISTENER_ADDRESSES_MAX];
    size_t n = config->n_listen;
    if (n == 0 || n > LISTENER_ADDRESSES_MAX)
        return detail_fail(detail, -EINVAL, "listen: 1 to %d addresses", LISTENER_ADDRESSES_MAX);
    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    int r = bind_new(l, config, fds, detail);
    if (r)
        return r;
    for (size_t i = 0; i < n; i++) {
        struct address *old = find_old(l, config->listen[i]);
        fresh[i] = (struct address){ .fd = fds[i], .listener = l };
        if (old) {
            fresh[i].fd = STEAL_FD(old->fd);
            source_free(STEAL(old->source));
        } else {
            log_listening(fds[i]);
        }
    }
    for (size_t i = 0; i < n; i++)
        fresh[i].text = strdup(config->listen[i]);
    listener_unbind(l);
    memcpy(l->addresses, fresh, n * sizeof fresh[0]);
    l->n_addresses = n;
    for (size_t i = 0; i < n && r == 0; i++)
        r = source_new(l->loop, l->addresses[i].fd, l->announced ? LOOP_READ : 0, ready, &l->addresses[i],
                       &l->addresses[i].source);
    return r;
}
