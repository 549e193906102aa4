/* The lists. A call whose tests fail goes on to the next entry, so that a kind can widen what common_calls
 * narrows. */
#include "base/jail_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* What an event loop over given descriptors needs, and no more: no opening, no connecting, no executable
 * memory. */
static const struct call common_calls[] = {
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(close),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(recvfrom),
    CALL(sendto),
    CALL(shutdown),
    CALL(fcntl),
    CALL(fstat),
    CALL_IF(newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
    CALL(ppoll),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(timerfd_create),
    CALL(timerfd_settime),
#ifdef SYS_poll
    CALL(poll),
    CALL(epoll_wait),
#endif
    CALL_IF2(mmap, 2, PROT_EXEC, 0, 3, MAP_ANONYMOUS, MAP_ANONYMOUS),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(brk),
    CALL_IF(mprotect, 2, PROT_EXEC, 0),
    CALL(futex),
    CALL(exit),
    CALL(exit_group),
    CALL(rt_sigreturn),
    CALL(rt_sigprocmask),
    CALL(rt_sigaction),
    CALL(sigaltstack),
    CALL(getpid),
    CALL(gettid),
    CALL(tgkill),
    CALL(getrandom),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(gettimeofday),
    CALL(restart_syscall),
    CALL(sched_yield),
    CALL(set_robust_list),
    CALL(pread64),
#ifdef SYS_time
    CALL(time),
#endif
};

static const struct call front_calls[] = {
    CALL_IF(socketpair, 0, EVERY_BIT, AF_UNIX),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
};

static const struct call gate_calls[] = {
    CALL(fdatasync),
    CALL(getsockopt),                           /* libssh asks what is wrong with its connection */
    CALL(memfd_create),                         /* what is to be approved, for the ledger */
    CALL_IF(socketpair, 0, EVERY_BIT, AF_UNIX), /* between TLS and what is inside of it */
    CALL(pipe2),                                /* of a forward, between the gate and its front */
    CALL_IF(ioctl, 1, EVERY_BIT, TIOCSWINSZ),
};

static const struct call vault_calls[] = {
    CALL_IF(socketpair, 0, EVERY_BIT, AF_UNIX),
    CALL(openat),
    CALL(lseek),
    CALL(newfstatat),
    CALL(flock),
    CALL(mlock),
    CALL(munlock),
    CALL(uname),
};

static const struct call connector_calls[] = {
    CALL(socket),
    CALL(connect),
    CALL(bind),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(sendmmsg),
    CALL(ioctl),
    CALL(openat),
    CALL(lseek),
    CALL(newfstatat),
    CALL(uname),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(mlock),
    CALL(munlock),
    CALL_IF(socketpair, 0, EVERY_BIT, AF_UNIX),
    CALL_IF(mmap, 2, PROT_EXEC, 0),
    CALL(memfd_create),                           /* libpq wants its CA certificates in a file */
    CALL(setitimer),                              /* for a resolver that hangs */
    CALL_IF(prctl, 0, EVERY_BIT, PR_SET_SECCOMP), /* jail_tighten */
#ifdef SYS_alarm
    CALL(alarm),
#endif
};

static const struct call ledger_calls[] = {
    CALL(openat),     CALL(lseek),     CALL(pwrite64),   CALL(newfstatat),
    CALL(mkdirat),    CALL(unlinkat),  CALL(renameat2),  CALL(ftruncate),
    CALL(fsync),      CALL(fdatasync), CALL(getdents64), CALL(memfd_create),
    CALL(flock),      CALL(fchmod),    CALL(fchown),     CALL(geteuid),
    CALL(getuid),     CALL(getcwd),    CALL(readlinkat), CALL(faccessat),
    CALL(faccessat2), CALL(fallocate), CALL(statfs),     CALL(fstatfs),
    CALL(mlock),      CALL(munlock),   CALL(uname),      CALL_IF(mmap, 2, PROT_EXEC, 0),
#ifdef SYS_open
    CALL(open),       CALL(stat),      CALL(lstat),      CALL(mkdir),
    CALL(unlink),     CALL(rename),    CALL(access),     CALL(readlink),
#endif
};

/* libcurl with a resolver in threads: sockets of the Internet families and of the kernel that orders
 * addresses (rtnetlink), files that name resolution and TLS read, threads but no processes. */
static const struct call courier_calls[] = {
    CALL_IF(socket, 0, EVERY_BIT, AF_INET),
    CALL_IF(socket, 0, EVERY_BIT, AF_INET6),
    CALL_IF(socket, 0, EVERY_BIT, AF_NETLINK),
    CALL_IF(socketpair, 0, EVERY_BIT, AF_UNIX),
    CALL(connect),
    CALL(bind),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(sendmmsg),
    CALL(eventfd2),
    CALL(pipe2),
    CALL_IF(ioctl, 1, EVERY_BIT, FIONREAD),
    CALL_IF(ioctl, 1, EVERY_BIT, FIONBIO),
    CALL(openat),
    CALL(lseek),
    CALL(newfstatat),
    CALL_IF(mmap, 2, PROT_EXEC, 0),
    CALL(memfd_create),
    CALL(uname),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL_IF(clone, 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD),
    CALL(rseq),
    CALL(sched_getaffinity),
};

/* Files: the list of what is revoked. No sockets but those that it is handed. */
static const struct call issuer_calls[] = {
    CALL(openat), CALL(newfstatat), CALL(lseek), CALL(fsync), CALL(ftruncate), CALL(memfd_create),
#ifdef SYS_open
    CALL(open),   CALL(stat),
#endif
};

/* What a zygote does besides: fork, reap, and seal its children. */
static const struct call zygote_calls[] = {
    CALL(clone),       CALL(wait4),     CALL(signalfd4),
    CALL(close_range), CALL(prlimit64), CALL_IF(prctl, 0, EVERY_BIT, PR_SET_SECCOMP),
#ifdef SYS_fork
    CALL(fork),
#endif
};

/* What no process of ours does, tools included, whatever else it may do: look into others, change the kernel
 * or the machine, leave its namespaces. The listener forbids it to itself, and so to all that it starts.
 * Not process_vm_writev: it is how the launcher answers its tools (docs/adr/0036). */
static const struct call never_calls[] = {
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(kcmp),
    CALL(pidfd_getfd),
    CALL(bpf),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
    CALL(reboot),
    CALL(syslog),
    CALL(mount),
    CALL(umount2),
    CALL(move_mount),
    CALL(fsopen),
    CALL(open_tree),
    CALL(pivot_root),
    CALL(chroot),
    CALL(setns),
    CALL(unshare),
    CALL(swapon),
    CALL(swapoff),
    CALL(acct),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(adjtimex),
    CALL(clock_adjtime),
    CALL(sethostname),
    CALL(setdomainname),
    CALL(keyctl),
    CALL(add_key),
    CALL(request_key),
    CALL(open_by_handle_at),
    CALL(name_to_handle_at),
    CALL(quotactl),
    CALL(fanotify_init),
    CALL(mknodat),
    CALL(personality),
    CALL(vhangup),
    CALL(move_pages),
    CALL(migrate_pages),
#ifdef SYS_iopl
    CALL(iopl),
    CALL(ioperm),
    CALL(modify_ldt),
    CALL(mknod),
#endif
};

#define LIST(array)                                                                                          \
    {                                                                                                        \
        (array), sizeof(array) / sizeof((array)[0])                                                          \
    }

const struct call_list common_list = LIST(common_calls), zygote_list = LIST(zygote_calls),
                       never_list = LIST(never_calls);

/* The launcher's tools inherit its filter, so its list is where their cage is: server/sandbox_filter.c. */
const struct call_list kind_lists[PROCESS_KINDS] = {
    [PROCESS_FRONT] = LIST(front_calls),     [PROCESS_GATE] = LIST(gate_calls),
    [PROCESS_VAULT] = LIST(vault_calls),     [PROCESS_CONNECTOR] = LIST(connector_calls),
    [PROCESS_LEDGER] = LIST(ledger_calls),   [PROCESS_ISSUER] = LIST(issuer_calls),
    [PROCESS_COURIER] = LIST(courier_calls),
};
