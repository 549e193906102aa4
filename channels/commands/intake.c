/* See intake.h. */
#include "channels/commands/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "channels/channel.h"

enum { CHUNK = 4096 };

struct intake {
    int fd;
    struct source *source;
    bool over;
    intake_handler *handler;
    void *owner;
};

static void ready(void *owner, uint32_t events)
{
    struct intake *intake = owner;
    uint8_t bytes[CHUNK];
    ssize_t n = intake->over ? 0 : read(intake->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        intake->handler(intake->owner, INTAKE_BYTES, bytes, (size_t)n);
        return;
    }
    bool gone = n < 0 || (intake->over && (events & LOOP_HANGUP));
    intake->over = true;
    source_interest(intake->source, gone ? 0 : LOOP_HANGUP);
    intake->handler(intake->owner, gone ? INTAKE_GONE : INTAKE_END, NULL, 0);
}

int intake_new(struct channel *channel, intake_handler *handler, void *owner, struct intake **ret)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return -ENOMEM;
    *intake = (struct intake){ .fd = fd_dup(channel->data_fd), .handler = handler, .owner = owner };
    int r = intake->fd < 0 ? intake->fd : fd_nonblock(intake->fd, true);
    if (r == 0)
        r = source_new(channel->gate->loop, intake->fd, LOOP_READ, ready, intake, &intake->source);
    if (r) {
        intake_free(intake);
        return r;
    }
    *ret = intake;
    return 0;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    source_free(intake->source);
    fd_close(intake->fd);
    free(intake);
}

void intake_on(struct intake *intake, bool on)
{
    if (!intake->over)
        source_interest(intake->source, on ? LOOP_READ : 0);
}
