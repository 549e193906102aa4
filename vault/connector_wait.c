/* Time, and the one for whom the work is done. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "base/clock.h"
#include "vault/connector.h"

static int left_ms(uint64_t until_ms)
{
    uint64_t now = clock_ms();

    return until_ms > now ? (int)(until_ms - now) : 0;
}

int job_left_ms(const struct job *job)
{
    return left_ms(job->deadline_ms);
}

int job_wait(const struct job *job, int fd, short events, uint64_t until_ms)
{
    if (until_ms > job->deadline_ms)
        until_ms = job->deadline_ms;
    for (;;) {
        /* The gate says nothing here; poll reports its hang-up unasked, and ignores an fd of -1. */
        struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = job->gate } };
        int n = poll(fds, 2, left_ms(until_ms));

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -ETIMEDOUT;
        if (n > 0 && fds[1].revents)
            return -ECANCELED;
        if (n > 0)
            return 0;
    }
}

bool job_verifies(const struct job *job)
{
    return strcmp(job->target->tls, "verify-ca") == 0 || strcmp(job->target->tls, "verify-full") == 0;
}
