/* The one place that says what each kind of process may do. A system call that is not on a kind's list kills
 * the process: in a per-connection process that ends one session, and its zygote is replaced.
 *
 * seccomp filters are inherited and can only be tightened, so a zygote is not sealed itself: its children
 * are, right after fork. Under sanitizers the seccomp part is left out, because their run-time needs more. */
#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

/* One system call that is allowed; `tests` narrow it by arguments (low 32 bits), all of which must hold. */
struct call {
    int number;
    struct {
        uint32_t mask, value;
        uint8_t argument;
    } tests[2];
    uint8_t n_tests;
};

#define CALL(name)                                                                                           \
    {                                                                                                        \
        .number = SYS_##name                                                                                 \
    }
#define CALL_IF(name, arg, bits, is)                                                                         \
    {                                                                                                        \
        .number = SYS_##name, .n_tests = 1, .tests = { { bits, is, arg } }                                   \
    }
#define CALL_IF2(name, arg, bits, is, arg2, bits2, is2)                                                      \
    {                                                                                                        \
        .number = SYS_##name, .n_tests = 2, .tests = { { bits, is, arg }, { bits2, is2, arg2 } }             \
    }
#define EVERY_BIT 0xffffffffu

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

struct jail {
    const char *name;
    bool landlocked; /* no file system but the paths given */
    bool no_tcp;     /* Landlock: neither bind nor connect */
    bool sealed;     /* by the seccomp list: common_calls and `calls` */
    rlim_t files;    /* open descriptors */
    rlim_t data_mib; /* writable memory; 0: as it is */
    bool no_processes;
    const struct call *calls;
    size_t n_calls;
};

#define CALLS(list) .calls = (list), .n_calls = sizeof(list) / sizeof((list)[0])

static const struct jail jails[PROCESS_KINDS] = {
    /* The listener executes every other kind, which inherit what it is: it stays outside, and reads no client
       byte. */
    [PROCESS_LISTENER] = { .name = "listener", .files = 65536 },
    [PROCESS_FRONT] = { .name = "front",
                        .landlocked = true,
                        .no_tcp = true,
                        .sealed = true,
                        .files = 4096,
                        .data_mib = 512,
                        .no_processes = true,
                        CALLS(front_calls) },
    [PROCESS_GATE] = { .name = "gate",
                       .landlocked = true,
                       .no_tcp = true,
                       .sealed = true,
                       .files = 8192,
                       .data_mib = 2048,
                       .no_processes = true,
                       CALLS(gate_calls) },
    [PROCESS_VAULT] = { .name = "vault",
                        .landlocked = true,
                        .no_tcp = true,
                        .sealed = true,
                        .files = 65536,
                        .data_mib = 1024,
                        .no_processes = true,
                        CALLS(vault_calls) },
    [PROCESS_CONNECTOR] = { .name = "connector",
                            .landlocked = true,
                            .sealed = true,
                            .files = 256,
                            .data_mib = 256,
                            .no_processes = true,
                            CALLS(connector_calls) },
    [PROCESS_LEDGER] = { .name = "ledger",
                         .landlocked = true,
                         .no_tcp = true,
                         .sealed = true,
                         .files = 65536,
                         .data_mib = 2048,
                         CALLS(ledger_calls) },
    /* The launcher's tools inherit its filter, so their cage (server/sandbox.c) is where the lists are. */
    [PROCESS_LAUNCHER] = { .name = "launcher", .landlocked = true, .no_tcp = true, .files = 65536 },
    [PROCESS_ISSUER] = { .name = "issuer",
                         .landlocked = true,
                         .no_tcp = true,
                         .sealed = true,
                         .files = 1024 },
    [PROCESS_COURIER] = { .name = "courier", .landlocked = true, .sealed = true, .files = 1024 },
};

/* Not in any distribution's passwd; systemd's dynamic users end below. */
enum { FIRST_UID = 64710, SHARED_GID = 64710 };

const char *process_name(enum process_kind kind)
{
    return jails[kind].name;
}

uid_t process_uid(enum process_kind kind)
{
    return kind == PROCESS_LISTENER ? 0 : FIRST_UID + (uid_t)kind;
}

gid_t process_gid(void)
{
    return SHARED_GID;
}

/* ---- descriptors ---- */

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int jail_close_others(const int *keep, size_t n_keep)
{
    enum { KEEP_MAX = 64 };
    int sorted[KEEP_MAX];
    size_t n = 0;
    for (size_t i = 0; i < n_keep; i++) {
        if (n == KEEP_MAX)
            return -EINVAL;
        if (keep[i] > STDERR_FILENO)
            sorted[n++] = keep[i];
    }
    qsort(sorted, n, sizeof sorted[0], compare_fds);
    unsigned first = STDERR_FILENO + 1;
    for (size_t i = 0; i <= n; i++) {
        unsigned last = i < n ? (unsigned)sorted[i] - 1 : UINT_MAX;
        if ((i == n || (unsigned)sorted[i] > first) && syscall(SYS_close_range, first, last, 0) < 0)
            return -errno;
        if (i < n)
            first = (unsigned)sorted[i] + 1;
    }
    return 0;
}

/* ---- uid and limits ---- */

static int change_user(enum process_kind kind, struct detail *detail)
{
    uid_t uid = process_uid(kind);
    gid_t gid = process_gid();
    if (geteuid() != 0 || uid == 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return detail_fail(detail, -errno, "can't become uid %d: %s", (int)uid, strerror(errno));
    return 0;
}

static int limit(int what, rlim_t value, struct detail *detail)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now) < 0)
        return detail_fail(detail, -errno, "getrlimit %d: %s", what, strerror(errno));
    if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max)
        value = now.rlim_max;
    now.rlim_cur = now.rlim_max = value;
    if (setrlimit((__rlimit_resource_t)what, &now) < 0)
        return detail_fail(detail, -errno, "setrlimit %d: %s", what, strerror(errno));
    return 0;
}

static int set_limits(const struct jail *jail, struct detail *detail)
{
    int r = limit(RLIMIT_CORE, 0, detail);
    if (r == 0)
        r = limit(RLIMIT_NOFILE, jail->files, detail);
#ifndef GATEHOUSE_SANITIZE
    if (r == 0 && jail->data_mib)
        r = limit(RLIMIT_DATA, jail->data_mib << 20, detail);
#endif
    return r;
}

/* ---- Landlock (Documentation/userspace-api/landlock.rst) ---- */

/* Debian 12's header is of ABI 2: later fields and bits by their numbers. */
struct ruleset {
    uint64_t file_system, network, scoped;
};

enum {
    NET_BIND_AND_CONNECT = 3,      /* ABI 4 */
    SCOPE_ABSTRACT_AND_SIGNAL = 3, /* ABI 6 */
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define FS_FILE                                                                                              \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |             \
     FS_TRUNCATE | FS_IOCTL)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL    (UINT64_C(1) << 15)

static uint64_t all_of_file_system(long abi)
{
    uint64_t all = (UINT64_C(1) << 13) - 1;
    if (abi >= 2)
        all |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        all |= FS_TRUNCATE;
    if (abi >= 5)
        all |= FS_IOCTL;
    return all;
}

static int allow_path(int rules, uint64_t handled, const struct jail_path *path, struct detail *detail)
{
    CLEANUP(fd_close) int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : detail_fail(detail, -errno, "%s: %s", path->path, strerror(errno));
    uint64_t access = path->write ? handled : FS_READ;
    CLEANUP(fd_close) int directory = open(path->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        access &= FS_FILE; /* rights of directories are refused for a file */
    struct landlock_path_beneath_attr rule = { .allowed_access = access & handled, .parent_fd = fd };
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return detail_fail(detail, -errno, "Landlock rule for %s: %s", path->path, strerror(errno));
    return 0;
}

static int landlock(const struct jail *jail, const struct jail_path *paths, size_t n_paths,
                    bool *ret_landlock, struct detail *detail)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        *ret_landlock = false;
        return 0;
    }
    struct ruleset set = { .file_system = all_of_file_system(abi),
                           .network = abi >= 4 && jail->no_tcp ? NET_BIND_AND_CONNECT : 0,
                           .scoped = abi >= 6 ? SCOPE_ABSTRACT_AND_SIGNAL : 0 };
    size_t size = abi >= 6   ? sizeof set
                  : abi >= 4 ? offsetof(struct ruleset, scoped)
                             : offsetof(struct ruleset, network);
    CLEANUP(fd_close) int rules = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
    if (rules < 0)
        return detail_fail(detail, -errno, "Landlock ruleset: %s", strerror(errno));
    for (size_t i = 0; i < n_paths; i++) {
        int r = allow_path(rules, set.file_system, &paths[i], detail);
        if (r)
            return r;
    }
    if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        return detail_fail(detail, -errno, "Landlock: %s", strerror(errno));
    *ret_landlock = true;
    return 0;
}

int jail_prepare(enum process_kind kind, const struct jail_path *paths, size_t n_paths, bool *ret_landlock,
                 struct detail *detail)
{
    const struct jail *jail = &jails[kind];
    int r = change_user(kind, detail);
    if (r == 0)
        r = set_limits(jail, detail);
    if (r)
        return r;
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return detail_fail(detail, -errno, "PR_SET_DUMPABLE: %s", strerror(errno));
    *ret_landlock = true;
    if (kind == PROCESS_LISTENER)
        return 0; /* its children change their uid: no_new_privs is theirs to set */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return detail_fail(detail, -errno, "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
    return jail->landlocked ? landlock(jail, paths, n_paths, ret_landlock, detail) : 0;
}

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "add this architecture's AUDIT_ARCH number"
#endif

enum { PROGRAM_MAX = 1024 };

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short n;
};

static void emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (p->n < PROGRAM_MAX)
        p->code[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void emit_load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void emit_return(struct program *p, uint32_t action)
{
    emit(p, BPF_RET | BPF_K, 0, 0, action);
}

/* The number is in the accumulator. A call whose tests fail goes on to the next entry, so that a kind can
 * widen what common_calls narrows. */
static void emit_call(struct program *p, const struct call *call)
{
    uint8_t per_test = 3, body = (uint8_t)(call->n_tests * per_test + 1);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(body + (call->n_tests ? 1 : 0)), (uint32_t)call->number);
    for (uint8_t i = 0; i < call->n_tests; i++) {
        uint8_t rest = (uint8_t)((call->n_tests - 1 - i) * per_test + 1);
        emit_load(p, offsetof(struct seccomp_data, args) + call->tests[i].argument * sizeof(uint64_t));
        emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, call->tests[i].mask);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, rest, call->tests[i].value);
    }
    emit_return(p, SECCOMP_RET_ALLOW);
    if (call->n_tests)
        emit_load(p, offsetof(struct seccomp_data, nr));
}

static void build(struct program *p, const struct jail *jail)
{
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    emit_load(p, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof common_calls / sizeof common_calls[0]; i++)
        emit_call(p, &common_calls[i]);
    for (size_t i = 0; i < jail->n_calls; i++)
        emit_call(p, &jail->calls[i]);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
}

#ifndef GATEHOUSE_SANITIZE
static int install(const struct jail *jail, struct detail *detail)
{
    static struct program program; /* too large for small stacks */
    program.n = 0;
    build(&program, jail);
    if (program.n == PROGRAM_MAX)
        return detail_fail(detail, -E2BIG, "the system call list of %s is too long", jail->name);
    struct sock_fprog filter = { .len = program.n, .filter = program.code };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        return detail_fail(detail, -errno, "seccomp: %s", strerror(errno));
    return 0;
}
#endif

int jail_seal(enum process_kind kind, struct detail *detail)
{
    const struct jail *jail = &jails[kind];
    if (jail->no_processes && limit(RLIMIT_NPROC, 0, detail))
        return -EPERM;
#ifdef GATEHOUSE_SANITIZE
    (void)build;
    return 0;
#else
    return jail->sealed ? install(jail, detail) : 0;
#endif
}

int jail_tighten(struct detail *detail)
{
#ifdef GATEHOUSE_SANITIZE
    (void)detail;
    return 0;
#else
    static const struct jail tight = { .name = "tight" };
    return install(&tight, detail);
#endif
}

int jail_enter(enum process_kind kind, const struct jail_path *paths, size_t n_paths, bool *ret_landlock,
               struct detail *detail)
{
    int r = jail_prepare(kind, paths, n_paths, ret_landlock, detail);
    return r ? r : jail_seal(kind, detail);
}
