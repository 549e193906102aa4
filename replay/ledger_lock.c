/* See ledger_lock.h. */
#include "replay/ledger_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "replay/ledger.h"

enum { LOCK_RETRY_MS = 20 };

/* 0, or -EBUSY after the limit. */
static int wait_for(int fd)
{
    uint64_t deadline = clock_ms() + LEDGER_LOCK_MS;
    bool told = false;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_ms() > deadline)
            return -EBUSY;
        if (!told)
            log_event(LOG_INFO, "waiting", "for", "the ledger of an earlier start", NULL);
        told = true;
        (void)usleep(LOCK_RETRY_MS * 1000);
    }
    return 0;
}

int ledger_lock(const char *state, int *ret_fd, struct detail *detail)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/audit/lock", state) >= (int)sizeof path)
        return detail_fail(detail, -ENAMETOOLONG, "the state directory's name is too long");
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    int r = wait_for(fd);
    if (r == -EBUSY)
        return detail_fail(detail, r,
                           "%s is in use: stop the other 'gatehouse serve' of this state directory", state);
    if (r)
        return detail_fail(detail, r, "%s: %s", path, strerror(-r));
    *ret_fd = STEAL_FD(fd);
    return 0;
}
