/* What a tool may ask of the kernel.
 *
 * An allow-list. What is not on it fails with ENOSYS, so that the C library falls back and psql prints an
 * ordinary error; nothing is killed, since `\!` is a thing that users try, not an attack. Three calls are
 * more than a number:
 *
 * - execve is asked of the supervisor. It lets the first one pass, which is our own code in the forked child;
 * after that the answer is no. The kernel reads the arguments again after the supervisor's answer
 * (seccomp(2)), which does not matter for the first, whose process runs nothing but our code, nor for the
 * others.
 * - socket is asked of the supervisor, which answers with a socket that is connected already. connect() then
 * "succeeds" without doing anything. So there never is a socket that could be connected, bound or sent
 * elsewhere.
 * - kill and tgkill reach the process itself alone: tools share a uid with the launcher. The filter is
 * compiled with a number in place of the pid, which is filled in after fork.
 *
 * A program with threads may clone itself as a thread, never as a process. clone3 hides its flags in memory:
 * to such a program it is missing (ENOSYS), and it takes clone instead. Options that it sets on a socket, it
 * believes to be set.
 *
 * Landlock (sandbox_files.c) decides about files. Calls that change them are left out here all the same, but
 * for programs that have a scratch directory. */
#include "server/sandbox_filter.h"
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "server/sandbox.h"

enum {
    SELF = 0x5e1f5e1f,         /* stands for the pid until it is known; above pid_max */
    INSTRUCTIONS_MAX = 4096,   /* the kernel's BPF_MAXINSNS */
    API_WITH_NOTIFICATION = 5, /* seccomp_api_get(3) */
};

struct sandbox_filter {
    struct sock_filter *code;
    unsigned short count;
    unsigned short selves[16]; /* where code compares with the pid */
    size_t n_selves;
};

/* clang-format off */
static const char *const allowed[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "close", "lseek", "sendfile",
    "open", "openat", "fstat", "stat", "lstat", "newfstatat", "statx", "fstatfs", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "getdents64", "umask", "chdir",
    "dup", "dup2", "dup3", "pipe", "pipe2", "poll", "ppoll", "select", "pselect6",
    "mmap", "mprotect", "munmap", "mremap", "madvise", "brk",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigpending", "sigaltstack",
    "rt_sigtimedwait",                                /* \watch waits by it */
    "restart_syscall", "setitimer", "getitimer", "alarm", "pause", "wait4", "waitid",
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getpgrp", "getpgid", "getsid",
    "uname", "sysinfo", "getrusage", "times", "getrandom", "sched_getaffinity", "sched_yield",
    "gettimeofday", "time", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "set_tid_address", "set_robust_list", "rseq", "futex", "arch_prctl", "getrlimit",
    "exit", "exit_group",
    "getpeername", "getsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "shutdown",
};

/* Refused with an error that makes a good message: "Operation not permitted" for programs, … */
static const struct { const char *name; int error; } refused[] = {
    { "fork", EPERM }, { "vfork", EPERM }, { "execveat", EPERM },
    { "fchdir", EACCES }, { "unlink", EACCES }, { "rename", EACCES }, { "mkdir", EACCES },
    { "truncate", EACCES }, { "chmod", EACCES }, { "link", EACCES }, { "symlink", EACCES },
    { "ptrace", EPERM }, { "process_vm_readv", EPERM }, { "process_vm_writev", EPERM }, { "tkill", EPERM },
    { "setrlimit", EPERM }, { "socketpair", EACCES },
};

/* Of programs that have a scratch directory; of others refused. */
static const char *const changing[] = {
    "unlinkat", "renameat", "renameat2", "mkdirat", "fchmodat", "fchmod", "ftruncate", "fsync",
};

/* Of programs with threads. */
static const char *const threading[] = { "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "mincore" };

/* Of a terminal. Not TIOCSTI (typing for the user), not TIOCSCTTY, not FIOSETOWN (signals to others). */
static const unsigned ioctls[] = {
    TCGETS, TCSETS, TCSETSW, TCSETSF, TCSBRK, TCXONC, TCFLSH, TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP, TIOCOUTQ,
    FIONREAD, FIONBIO, FIOCLEX, FIONCLEX,
};

/* Not F_SETOWN, F_SETSIG: the kernel would send signals to others on the tool's behalf. */
static const int fcntls[] = {
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_GETPIPE_SZ,
};
/* What a supervisor needs beyond that: an event loop, making cages, starting and ending tools. */
static const char *const supervisor_allowed[] = {
    "timerfd_create", "timerfd_settime", "signalfd4", "ioctl", "fcntl", "kill", "tgkill",
    "clone", "execve", "setsid", "close_range", "prlimit64", "setrlimit", "seccomp", "landlock_create_ruleset",
    "landlock_add_rule", "landlock_restrict_self", "getsockname",
    "accept4",           /* it has nothing that listens, but its tools may ask for it */
    "process_vm_writev", /* Landlock leaves it its own tools */
};
static const int supervisor_prctls[] = { PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS };
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Adds a rule for a system call that this architecture may not have. */
static int add(scmp_filter_ctx context, uint32_t action, const char *name, unsigned n,
               const struct scmp_arg_cmp *conditions)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0)
        return 0;
    return seccomp_rule_add_array(context, action, number, n, conditions);
}

static int add_list(scmp_filter_ctx context, const char *const *names, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add(context, SCMP_ACT_ALLOW, names[i], 0, NULL);
    return r;
}

static int add_commands(scmp_filter_ctx context)
{
    int r = 0;
    for (size_t i = 0; i < COUNT(ioctls) && r == 0; i++)
        r = add(context, SCMP_ACT_ALLOW, "ioctl", 1, &SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i]));
    for (size_t i = 0; i < COUNT(fcntls) && r == 0; i++)
        r = add(context, SCMP_ACT_ALLOW, "fcntl", 1,
                &SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)fcntls[i]));
    return r;
}

static int add_signals(scmp_filter_ctx context)
{
    const struct scmp_arg_cmp self = SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, SELF);
    int r = add(context, SCMP_ACT_ALLOW, "kill", 1, &self);
    return r ? r : add(context, SCMP_ACT_ALLOW, "tgkill", 1, &self);
}

static int add_sockets(scmp_filter_ctx context, int family)
{
    const struct scmp_arg_cmp stream[2] = {
        SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)family),
        SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM), /* the rest are SOCK_NONBLOCK and SOCK_CLOEXEC */
    };
    const struct scmp_arg_cmp other_family = SCMP_A0_64(SCMP_CMP_NE, (scmp_datum_t)family, 0);
    if (!family) {
        int r = add(context, SCMP_ACT_ERRNO(EACCES), "socket", 0, NULL);
        return r ? r : add(context, SCMP_ACT_ERRNO(EACCES), "connect", 0, NULL);
    }
    int r = add(context, SCMP_ACT_NOTIFY, "socket", 2, stream);
    if (r == 0)
        r = add(context, SCMP_ACT_ERRNO(EACCES), "socket", 1, &other_family);
    return r ? r : add(context, SCMP_ACT_ERRNO(0), "connect", 0, NULL);
}

/* To a program that listens it looks as if it did. */
static int add_listening(scmp_filter_ctx context, bool listens)
{
    uint32_t ignored = SCMP_ACT_ERRNO(listens ? 0 : EACCES);
    int r = add(context, ignored, "bind", 0, NULL);
    if (r == 0)
        r = add(context, ignored, "listen", 0, NULL);
    if (r == 0 && listens)
        r = add(context, SCMP_ACT_NOTIFY, "accept4", 0, NULL);
    return r ? r : add(context, listens ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW, "getsockname", 0, NULL);
}

static int add_limits(scmp_filter_ctx context)
{
    /* Reading its own limits; other pids share our uid. */
    const struct scmp_arg_cmp own[2] = { SCMP_A0_64(SCMP_CMP_EQ, 0, 0), SCMP_A2_64(SCMP_CMP_EQ, 0, 0) };
    return add(context, SCMP_ACT_ALLOW, "prlimit64", 2, own);
}

static int add_threads(scmp_filter_ctx context, bool threads)
{
    const struct scmp_arg_cmp thread =
        SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    const struct scmp_arg_cmp process = SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    if (!threads) {
        int r = add(context, SCMP_ACT_ERRNO(EPERM), "clone", 0, NULL);
        return r ? r : add(context, SCMP_ACT_ERRNO(EPERM), "clone3", 0, NULL);
    }
    int r = add_list(context, threading, COUNT(threading));
    if (r == 0)
        r = add(context, SCMP_ACT_ALLOW, "clone", 1, &thread);
    if (r == 0)
        r = add(context, SCMP_ACT_ERRNO(EPERM), "clone", 1, &process);
    return r ? r : add(context, SCMP_ACT_ERRNO(0), "setsockopt", 0, NULL);
}

static int add_changing(scmp_filter_ctx context, bool scratch)
{
    int r = 0;
    for (size_t i = 0; i < COUNT(changing) && r == 0; i++)
        r = add(context, scratch ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES), changing[i], 0, NULL);
    return r;
}

static int add_rules(scmp_filter_ctx context, const struct sandbox_needs *needs)
{
    int r = add_list(context, allowed, COUNT(allowed));
    if (r == 0)
        r = add_threads(context, needs->threads);
    if (r == 0)
        r = add_changing(context, needs->scratch);
    for (size_t i = 0; i < COUNT(refused) && r == 0; i++)
        r = add(context, SCMP_ACT_ERRNO((uint16_t)refused[i].error), refused[i].name, 0, NULL);
    if (r == 0)
        r = add_commands(context);
    if (r == 0)
        r = add_signals(context);
    if (r == 0)
        r = add_limits(context);
    if (r == 0)
        r = add_listening(context, needs->listens);
    if (r == 0)
        r = add(context, SCMP_ACT_NOTIFY, "execve", 0, NULL);
    return r ? r : add_sockets(context, needs->sockets);
}

/* The compiled program out of libseccomp, which knows only how to write it to a file. */
static int take_code(scmp_filter_ctx context, struct sandbox_filter *filter)
{
    CLEANUP(fd_close) int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = seccomp_export_bpf(context, fd);
    if (r < 0)
        return r;
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size % (off_t)sizeof(struct sock_filter) != 0 ||
        size > (off_t)(INSTRUCTIONS_MAX * sizeof(struct sock_filter)))
        return -EFBIG;
    filter->code = malloc((size_t)size);
    if (!filter->code)
        return -ENOMEM;
    if (pread(fd, filter->code, (size_t)size, 0) != size)
        return -EIO;
    filter->count = (unsigned short)((size_t)size / sizeof(struct sock_filter));
    return 0;
}

static int find_selves(struct sandbox_filter *filter)
{
    for (unsigned short i = 0; i < filter->count; i++) {
        const struct sock_filter *step = &filter->code[i];
        if (step->k != SELF)
            continue;
        if (step->code != (BPF_JMP | BPF_JEQ | BPF_K) || filter->n_selves == COUNT(filter->selves))
            return -EPROTO;
        filter->selves[filter->n_selves++] = i;
    }
    return filter->n_selves ? 0 : -EPROTO;
}

static int compile(scmp_filter_ctx context, const struct sandbox_needs *needs, struct sandbox_filter *filter)
{
    int r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    if (r == 0)
        r = add_rules(context, needs);
    if (r == 0)
        r = take_code(context, filter);
    return r ? r : find_selves(filter);
}

int sandbox_filter_new(const struct sandbox_needs *needs, struct sandbox_filter **ret, struct detail *detail)
{
    if (seccomp_api_get() < API_WITH_NOTIFICATION)
        return detail_fail(detail, -ENOSYS, "the kernel has no seccomp user notification (Linux 5.14 has)");
    CLEANUP(sandbox_filter_free) struct sandbox_filter *filter = calloc(1, sizeof *filter);
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter || !context) {
        seccomp_release(context);
        return detail_fail(detail, -ENOMEM, "out of memory");
    }
    int r = compile(context, needs, filter);
    seccomp_release(context);
    if (r < 0)
        return detail_fail(detail, r, "the seccomp filter can't be compiled: %s", strerror(-r));
    *ret = STEAL(filter);
    return 0;
}

void sandbox_filter_free(struct sandbox_filter *filter)
{
    if (!filter)
        return;
    free(filter->code);
    free(filter);
}

struct sock_fprog sandbox_filter_for(struct sandbox_filter *filter, pid_t self)
{
    for (size_t i = 0; i < filter->n_selves; i++)
        filter->code[filter->selves[i]].k = (uint32_t)self;
    return (struct sock_fprog){ .len = filter->count, .filter = filter->code };
}

static int add_supervisor(scmp_filter_ctx context)
{
    const struct scmp_arg_cmp local = SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX);
    const struct scmp_arg_cmp internet = SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_INET);
    int r = add_list(context, allowed, COUNT(allowed));
    if (r == 0)
        r = add_list(context, supervisor_allowed, COUNT(supervisor_allowed));
    if (r == 0)
        r = add_list(context, threading, COUNT(threading));
    if (r == 0)
        r = add_changing(context, true);
    for (size_t i = 0; i < COUNT(supervisor_prctls) && r == 0; i++)
        r = add(context, SCMP_ACT_ALLOW, "prctl", 1,
                &SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)supervisor_prctls[i]));
    if (r == 0)
        r = add(context, SCMP_ACT_ALLOW, "socketpair", 1, &local);
    /* Tools ask for sockets; without connect() and bind(), which are not here, one of AF_UNIX is of no use.
     * One of the Internet would be (MSG_FASTOPEN): RET_TRACE fails with ENOSYS where nobody traces, and where
     * a tool's own filter asks the supervisor, that comes before it (seccomp(2), precedence). */
    if (r == 0)
        r = add(context, SCMP_ACT_ALLOW, "socket", 1, &local);
    return r ? r : add(context, SCMP_ACT_TRACE(0), "socket", 1, &internet);
}

int sandbox_filter_supervisor(struct detail *detail)
{
#ifdef GATEHOUSE_SANITIZE
    (void)add_supervisor;
    (void)detail;
    return 0;
#else
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!context)
        return detail_fail(detail, -ENOMEM, "out of memory");
    int r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = add_supervisor(context);
    if (r == 0)
        r = seccomp_load(context);
    seccomp_release(context);
    return r < 0 ? detail_fail(detail, r, "the launcher's seccomp filter: %s", strerror(-r)) : 0;
#endif
}
