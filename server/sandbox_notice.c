/* Answers to a caged program.
 *
 * Nothing here reads the program's memory, and nothing is done on behalf of an argument that it could change
 * meanwhile: of socket() only its register arguments count. A program that listens is told an address, for
 * which its memory is written to: where that goes is its own affair, and no other process can be hit, since
 * its pid is ours until it is reaped. SECCOMP_ADDFD_FLAG_SEND installs the descriptor and ends the call in
 * one step, so an asker that died in between gets nothing and leaves nothing; SECCOMP_IOCTL_NOTIF_ID_VALID is
 * for supervisors that look into the process. */
#include "server/sandbox_notice.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static enum sandbox_wish wish_of(int number)
{
    if (number == SYS_execve)
        return SANDBOX_WISH_EXEC;
    if (number == SYS_getsockname)
        return SANDBOX_WISH_NAME;
    if (number == SYS_accept4)
        return SANDBOX_WISH_ACCEPT;
    return number == SYS_socket ? SANDBOX_WISH_SOCKET : SANDBOX_WISH_OTHER;
}

int sandbox_notice_take(int fd, struct sandbox_notice *ret)
{
    struct seccomp_notif notif;
    memset(&notif, 0, sizeof notif); /* the kernel wants zeroes */
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
        return errno == EINTR ? -ENOENT : -errno;
    enum sandbox_wish wish = wish_of(notif.data.nr);
    bool named = wish == SANDBOX_WISH_NAME || wish == SANDBOX_WISH_ACCEPT;
    int type = (int)notif.data.args[wish == SANDBOX_WISH_ACCEPT ? 3 : 1];
    *ret = (struct sandbox_notice){
        .id = notif.id,
        .wish = wish,
        .address = named ? notif.data.args[1] : 0,
        .length = named ? notif.data.args[2] : 0,
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

int sandbox_notice_done(int fd, const struct sandbox_notice *notice)
{
    return answer(fd, &(struct seccomp_notif_resp){ .id = notice->id });
}

int sandbox_notice_address(const struct sandbox_notice *notice, pid_t pid)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!notice->address)
        return 0;
    struct iovec ours[] = { { &address, sizeof address }, { &length, sizeof length } };
    struct iovec theirs[] = { { (void *)(uintptr_t)notice->address, sizeof address },
                              { (void *)(uintptr_t)notice->length, sizeof length } };
    ssize_t n = process_vm_writev(pid, ours, 2, theirs, 2, 0);
    if (n < 0)
        return -errno;
    return (size_t)n == sizeof address + sizeof length ? 0 : -EFAULT;
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
