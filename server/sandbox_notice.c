/* Answers to a caged program.
 *
 * Nothing here reads the program's memory, and nothing is done on behalf of an argument that it could change
 * meanwhile: of socket() only its register arguments count. SECCOMP_ADDFD_FLAG_SEND installs the descriptor
 * and ends the call in one step, so an asker that died in between gets nothing and leaves nothing;
 * SECCOMP_IOCTL_NOTIF_ID_VALID is for supervisors that look into the process. */
#include "server/sandbox_notice.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum sandbox_wish wish_of(int number)
{
    if (number == SYS_execve)
        return SANDBOX_WISH_EXEC;
    return number == SYS_socket ? SANDBOX_WISH_SOCKET : SANDBOX_WISH_OTHER;
}

int sandbox_notice_take(int fd, struct sandbox_notice *ret)
{
    struct seccomp_notif notif;
    memset(&notif, 0, sizeof notif); /* the kernel wants zeroes */
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
        return errno == EINTR ? -ENOENT : -errno;
    int type = (int)notif.data.args[1];
    *ret = (struct sandbox_notice){
        .id = notif.id,
        .wish = wish_of(notif.data.nr),
        .nonblock = (type & SOCK_NONBLOCK) != 0,
        .cloexec = (type & SOCK_CLOEXEC) != 0,
    };
    return 0;
}

static int answer(int fd, const struct seccomp_notif_resp *response)
{
    struct seccomp_notif_resp copy = *response;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &copy) < 0 ? -errno : 0;
}

int sandbox_notice_continue(int fd, const struct sandbox_notice *notice)
{
    return answer(
        fd, &(struct seccomp_notif_resp){ .id = notice->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE });
}

int sandbox_notice_refuse(int fd, const struct sandbox_notice *notice, int error)
{
    return answer(fd, &(struct seccomp_notif_resp){ .id = notice->id, .error = -error });
}

int sandbox_notice_give(int fd, const struct sandbox_notice *notice, int give)
{
    struct seccomp_notif_addfd request = {
        .id = notice->id,
        .flags = SECCOMP_ADDFD_FLAG_SEND,
        .srcfd = (uint32_t)give,
        .newfd_flags = notice->cloexec ? O_CLOEXEC : 0,
    };
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &request) < 0 ? -errno : 0;
}
