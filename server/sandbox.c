/* The cage, in the order in which the child closes it: session and terminal, descriptors, limits, Landlock,
 * seccomp, execve. What can be made beforehand (Landlock ruleset, filter) is made once by sandbox_new, so
 * that a run costs one fork of a small process, about ten system calls, and the program's own start.
 *
 * All tools share the launcher's uid: without root there is no other. What keeps them apart is the filter (no
 * ptrace, signals to itself only), Landlock (no /proc; signals stay inside with ABI 6), and that none has
 * anything to hide from the kernel: no secret is ever in a tool. */
#include "server/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/io.h"
#include "server/sandbox_files.h"
#include "server/sandbox_filter.h"

enum {
    EXTRA_FD = 3,
    SETUP_FD = 4, /* in the child; closed by execve */
    FIRST_OTHER_FD = 5,
    EXIT_NOT_STARTED = 126,
};

/* Which files the ruleset was made for: it holds inodes, and an upgrade of psql or libc brings new ones. */
struct stamp {
    dev_t device;
    ino_t inode;
};

struct sandbox {
    char *program;
    struct sandbox_path paths[SANDBOX_PATHS_MAX];
    size_t n_paths;
    struct stamp stamps[SANDBOX_PATHS_MAX];
    int ruleset;
    struct sandbox_filter *filter;
    struct sandbox_needs needs;
};

/* What the child says through the setup socket; a descriptor rides with the first. */
struct word {
    int32_t error; /* 0: caged */
    char what[60];
};

/* Makes the ruleset when there is none, or when a program has changed since. */
static int refresh(struct sandbox *sandbox, struct detail *detail)
{
    bool stale = sandbox->ruleset < 0;
    for (size_t i = 0; i < sandbox->n_paths; i++) {
        struct stat now;
        if (sandbox->paths[i].access != SANDBOX_EXECUTE || stat(sandbox->paths[i].path, &now) < 0)
            continue;
        struct stamp stamp = { now.st_dev, now.st_ino };
        stale = stale || stamp.device != sandbox->stamps[i].device || stamp.inode != sandbox->stamps[i].inode;
        sandbox->stamps[i] = stamp;
    }
    if (!stale)
        return 0;
    int ruleset;
    int r = sandbox_files_ruleset(sandbox->paths, sandbox->n_paths, &ruleset, detail);
    if (r < 0)
        return r;
    fd_close(sandbox->ruleset);
    sandbox->ruleset = ruleset;
    return 0;
}

int sandbox_new(const char *program, struct sandbox_needs needs, struct sandbox **ret, struct detail *detail)
{
    CLEANUP(sandbox_free) struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox)
        return -ENOMEM;
    sandbox->ruleset = -1;
    sandbox->needs = needs;
    sandbox->program = strdup(program);
    if (!sandbox->program)
        return -ENOMEM;
    sandbox->n_paths = sandbox_files(sandbox->program, sandbox->paths);
    int r = refresh(sandbox, detail);
    if (r == 0)
        r = sandbox_filter_new(&needs, &sandbox->filter, detail);
    if (r < 0)
        return r;
    *ret = STEAL(sandbox);
    return 0;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    fd_close(sandbox->ruleset);
    sandbox_filter_free(sandbox->filter);
    free(sandbox->program);
    free(sandbox);
}

const char *sandbox_program(const struct sandbox *sandbox)
{
    return sandbox->program;
}

/* ---- in the child ---- */

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static int say(int setup, const struct word *word, int fd)
{
    union control control = { { 0 } };
    struct iovec part = { (void *)(uintptr_t)word, sizeof *word };
    struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&packet);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(setup, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

__attribute__((noreturn)) static void give_up(int setup, const char *what)
{
    struct word word = { .error = errno ? errno : EPROTO };
    (void)snprintf(word.what, sizeof word.what, "%s", what);
    (void)!say(setup, &word, -1);
    _exit(EXIT_NOT_STARTED);
}

/* The launcher ignores and blocks signals; a program expects none of that. */
static void reset_signals(void)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &standard, NULL); /* KILL, STOP and libc's own refuse */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A session of its own: the terminal's signals are the program's alone, and Ctrl-Z stops nothing, since no
 * shell is there to continue it (an orphaned process group ignores SIGTSTP). Dies with the launcher. */
static void begin_session(int setup, const struct sandbox_run *run, pid_t launcher)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        give_up(setup, "PR_SET_PDEATHSIG");
    if (getppid() != launcher)
        _exit(EXIT_NOT_STARTED);
    if (setsid() < 0)
        give_up(setup, "setsid");
    if (run->terminal && ioctl(run->standard[0], TIOCSCTTY, 0) < 0)
        give_up(setup, "TIOCSCTTY");
}

/* 0 to 3 are the program's, SETUP_FD is ours; no other survives. The sources may have any number, so all of
 * them first go above the numbers that are to be filled. */
static void place_descriptors(int setup, const struct sandbox_run *run)
{
    const int sources[SETUP_FD + 1] = { run->standard[0], run->standard[1], run->standard[2], run->extra,
                                        setup };
    int moved[SETUP_FD + 1];
    for (int i = 0; i <= SETUP_FD; i++) {
        moved[i] = sources[i] < 0 ? -1 : fcntl(sources[i], F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        if (sources[i] >= 0 && moved[i] < 0)
            give_up(setup, "descriptors");
    }
    for (int i = 0; i <= SETUP_FD; i++) {
        if (moved[i] < 0)
            (void)close(i);
        else if (dup3(moved[i], i, i == SETUP_FD ? O_CLOEXEC : 0) < 0)
            give_up(setup, "descriptors");
    }
    if (close_range(FIRST_OTHER_FD, ~0U, 0) < 0)
        give_up(SETUP_FD, "close_range");
}

static void limit(int what, rlim_t most)
{
    struct rlimit value = { most, most };
    if (setrlimit((__rlimit_resource_t)what, &value) < 0)
        give_up(SETUP_FD, "setrlimit");
}

/* No RLIMIT_FSIZE: some kernels apply it to pipes of the standard output. RLIMIT_NPROC counts threads too,
 * those of every tool with this uid. */
static void set_limits(const struct sandbox_needs *needs)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, SANDBOX_CPU_SECONDS);
    limit(RLIMIT_NOFILE, needs->threads ? SANDBOX_GO_FILES : SANDBOX_FILES);
    limit(RLIMIT_MEMLOCK, 0);
    limit(RLIMIT_MSGQUEUE, 0);
    if (!needs->threads)
        limit(RLIMIT_NPROC, 0);
#ifndef GATEHOUSE_SANITIZE /* AddressSanitizer maps terabytes */
    if (needs->threads)
        limit(RLIMIT_DATA, (rlim_t)SANDBOX_GO_DATA_MIB << 20);
    else
        limit(RLIMIT_AS, (rlim_t)SANDBOX_MEMORY_MIB << 20);
#endif
}

static int install_filter(struct sandbox *sandbox)
{
    struct sock_fprog program = sandbox_filter_for(sandbox->filter, getpid());
    int notices =
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (notices < 0)
        give_up(SETUP_FD, errno == EBUSY ? "seccomp: somebody else listens already (a container's profile)"
                                         : "seccomp");
    return notices;
}

__attribute__((noreturn)) static void become(struct sandbox *sandbox, const struct sandbox_run *run,
                                             int ruleset, int setup, pid_t launcher)
{
    reset_signals();
    begin_session(setup, run, launcher);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        give_up(setup, "PR_SET_NO_NEW_PRIVS");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        give_up(setup, "Landlock");
    place_descriptors(setup, run);
    if (chdir("/") < 0)
        give_up(SETUP_FD, "chdir");
    (void)umask(077);
    set_limits(&sandbox->needs);
    int notices = install_filter(sandbox);
    const struct word caged = { .what = "caged" };
    if (say(SETUP_FD, &caged, notices) < 0)
        _exit(EXIT_NOT_STARTED);
    (void)close(notices);
    (void)execve(sandbox->program, run->arguments, run->environment);
    give_up(SETUP_FD, "execve");
}

/* ---- in the supervisor ---- */

/* A ruleset of this run's own: the program's files and its scratch directory. */
static int ruleset_with(const struct sandbox *sandbox, const char *scratch, int *ret)
{
    struct sandbox_path paths[SANDBOX_PATHS_MAX];
    if (sandbox->n_paths == SANDBOX_PATHS_MAX)
        return -E2BIG;
    memcpy(paths, sandbox->paths, sandbox->n_paths * sizeof paths[0]);
    paths[sandbox->n_paths] = (struct sandbox_path){ scratch, SANDBOX_SCRATCH, true };
    return sandbox_files_ruleset(paths, sandbox->n_paths + 1, ret, NULL);
}

int sandbox_start(struct sandbox *sandbox, const struct sandbox_run *run, pid_t *ret_pid, int *ret_setup)
{
    int pair[2];
    CLEANUP(fd_close) int own = -1;
    if (sandbox->needs.scratch != (run->scratch != NULL))
        return -EINVAL;
    int r = refresh(sandbox, NULL);
    if (r == 0 && run->scratch)
        r = ruleset_with(sandbox, run->scratch, &own);
    if (r == 0)
        r = fd_pair(SOCK_SEQPACKET, pair);
    if (r < 0)
        return r;
    CLEANUP(fd_close) int ours = pair[0];
    CLEANUP(fd_close) int childs = pair[1];
    r = fd_nonblock(ours, true);
    if (r < 0)
        return r;
    pid_t launcher = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(sandbox, run, own >= 0 ? own : sandbox->ruleset, childs, launcher);
    *ret_pid = pid;
    *ret_setup = STEAL_FD(ours);
    return 0;
}

static int descriptor_of(struct msghdr *packet)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(packet);
    int fd = -1;
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

int sandbox_step(int setup, int *ret_notices, struct detail *detail)
{
    struct word word;
    union control control;
    struct iovec part = { &word, sizeof word };
    struct msghdr packet = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t n = recvmsg(setup, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return -EAGAIN;
    if (n <= 0)
        return SANDBOX_SILENT;
    CLEANUP(fd_close) int notices = descriptor_of(&packet);
    if ((size_t)n == sizeof word && word.error == 0 && notices >= 0) {
        *ret_notices = STEAL_FD(notices);
        return SANDBOX_CAGED;
    }
    word.what[sizeof word.what - 1] = '\0';
    detail_set(detail, "%s: %s", word.what, word.error ? strerror(word.error) : "not a word of ours");
    return SANDBOX_FAILED;
}
