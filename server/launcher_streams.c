/* See launcher_streams.h. */
#include "server/launcher_streams.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/io.h"
#include "server/launcher_terminal.h"

struct streams streams_none(void)
{
    return (struct streams){ .gates = { -1, -1, -1 }, .tools = { -1, -1, -1 }, .offered = -1 };
}

int streams_terminal(const Ipc__Pty *wanted, struct streams *ret)
{
    int r = terminal_open(wanted, &ret->gates[0], &ret->tools[0]);
    if (r < 0)
        return r;
    ret->n = 1;
    for (int i = 1; i < STREAMS_MAX; i++) {
        ret->tools[i] = fd_dup(ret->tools[0]);
        if (ret->tools[i] < 0)
            return ret->tools[i];
    }
    return 0;
}

static int open_pipe(struct streams *ret, int i)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    bool input = i == STDIN_FILENO;
    ret->tools[i] = pair[input ? 0 : 1];
    ret->gates[i] = pair[input ? 1 : 0];
    return fd_nonblock(ret->gates[i], true);
}

int streams_pipes(struct streams *ret)
{
    int r = 0;
    for (int i = 0; i < STREAMS_MAX && r == 0; i++)
        r = open_pipe(ret, i);
    ret->n = STREAMS_MAX;
    return r;
}

/* Its own input is at its end at once. */
int streams_connection(struct streams *ret)
{
    int pair[2];
    int r = streams_pipes(ret);
    if (r == 0)
        r = fd_pair(SOCK_STREAM, pair);
    if (r < 0)
        return r;
    fd_close(ret->gates[0]);
    ret->gates[0] = pair[0];
    ret->offered = pair[1];
    return fd_nonblock(ret->gates[0], true);
}

static void close_all(int fds[STREAMS_MAX])
{
    for (int i = 0; i < STREAMS_MAX; i++)
        fd_close(STEAL_FD(fds[i]));
}

void streams_close_tools(struct streams *streams)
{
    close_all(streams->tools);
}

void streams_close(struct streams *streams)
{
    close_all(streams->tools);
    close_all(streams->gates);
    streams->n = 0;
    fd_close(STEAL_FD(streams->offered));
}
