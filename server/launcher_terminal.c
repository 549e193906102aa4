/* See launcher_terminal.h. */
#include "server/launcher_terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "base/io.h"

static unsigned short side(uint32_t n)
{
    return (unsigned short)(n > TERMINAL_SIDE_MAX ? TERMINAL_SIDE_MAX : n);
}

/* A width of 0 would make psql and readline guess. */
static struct winsize size_of(const Ipc__Pty *wanted)
{
    return (struct winsize){
        .ws_col = wanted->columns ? side(wanted->columns) : 80,
        .ws_row = wanted->rows ? side(wanted->rows) : 24,
        .ws_xpixel = (unsigned short)(wanted->width & 0xffff),
        .ws_ypixel = (unsigned short)(wanted->height & 0xffff),
    };
}

/* Erasing a character takes all of its bytes. */
static int set_utf8(int slave)
{
    struct termios modes;
    if (tcgetattr(slave, &modes) < 0)
        return -errno;
    modes.c_iflag |= IUTF8;
    return tcsetattr(slave, TCSANOW, &modes) < 0 ? -errno : 0;
}

int terminal_open(const Ipc__Pty *wanted, int *ret_master, int *ret_slave)
{
    CLEANUP(fd_close) int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0 || unlockpt(master) < 0)
        return -errno;
    char name[64];
    if (ptsname_r(master, name, sizeof name) != 0)
        return -errno;
    CLEANUP(fd_close) int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return -errno;
    struct winsize size = size_of(wanted);
    if (ioctl(slave, TIOCSWINSZ, &size) < 0)
        return -errno;
    int r = set_utf8(slave);
    if (r < 0)
        return r;
    *ret_master = STEAL_FD(master);
    *ret_slave = STEAL_FD(slave);
    return 0;
}
