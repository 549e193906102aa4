/* The one place that says what each kind of process may do. A system call that is not on a kind's list kills
 * the process: in a per-connection process that ends one session, and its zygote is replaced.
 *
 * seccomp filters are inherited and can only be tightened: a zygote may do what its children may, and fork;
 * they are sealed for good right after fork. Under sanitizers the seccomp part is left out, because their
 * run-time needs more. */
#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/jail_calls.h"

struct jail {
    const char *name;
    bool landlocked; /* no file system but the paths given */
    bool no_tcp;     /* Landlock: neither bind nor connect */
    bool sealed;     /* by the seccomp list: base/jail_calls.c */
    rlim_t files;    /* open descriptors */
    rlim_t data_mib; /* writable memory; 0: as it is */
    bool no_processes;
};

static const struct jail jails[PROCESS_KINDS] = {
    /* The listener executes every other kind, which inherit what it is: what it forbids itself is the floor
       of all (never_calls). It reads no client byte. */
    [PROCESS_LISTENER] = { .name = "listener", .files = 65536 },
    [PROCESS_FRONT] = { .name = "front",
                        .landlocked = true,
                        .no_tcp = true,
                        .sealed = true,
                        .files = 4096,
                        .data_mib = 512,
                        .no_processes = true },
    [PROCESS_GATE] = { .name = "gate",
                       .landlocked = true,
                       .no_tcp = true,
                       .sealed = true,
                       .files = 8192,
                       .data_mib = 2048,
                       .no_processes = true },
    [PROCESS_VAULT] = { .name = "vault",
                        .landlocked = true,
                        .no_tcp = true,
                        .sealed = true,
                        .files = 65536,
                        .data_mib = 1024,
                        .no_processes = true },
    [PROCESS_CONNECTOR] = { .name = "connector",
                            .landlocked = true,
                            .sealed = true,
                            .files = 256,
                            .data_mib = 256,
                            .no_processes = true },
    [PROCESS_LEDGER] = { .name = "ledger",
                         .landlocked = true,
                         .no_tcp = true,
                         .sealed = true,
                         .files = 65536,
                         .data_mib = 2048 },
    /* The launcher's tools inherit its filter, so their cage (server/sandbox.c) is where the lists are. */
    [PROCESS_LAUNCHER] = { .name = "launcher", .landlocked = true, .no_tcp = true, .files = 65536 },
    [PROCESS_ISSUER] = { .name = "issuer",
                         .landlocked = true,
                         .no_tcp = true,
                         .sealed = true,
                         .files = 1024,
                         .data_mib = 1024,
                         .no_processes = true },
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
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return detail_fail(detail, -errno, "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
    return jail->landlocked ? landlock(jail, paths, n_paths, ret_landlock, detail) : 0;
}

/* ---- seccomp ---- */

int jail_seal(enum process_kind kind, struct detail *detail)
{
    const struct jail *jail = &jails[kind];
    if (kind == PROCESS_LISTENER)
        return filter_forbid(&never_list, jail->name, detail);
    if (jail->no_processes && limit(RLIMIT_NPROC, 0, detail))
        return -EPERM;
    const struct call_list lists[FILTER_LISTS] = { common_list, kind_lists[kind] };
    return jail->sealed ? filter_allow_only(lists, jail->name, detail) : 0;
}

int jail_seal_zygote(enum process_kind kind, struct detail *detail)
{
    const struct call_list lists[FILTER_LISTS] = { common_list, kind_lists[kind], zygote_list };
    return jails[kind].sealed ? filter_allow_only(lists, jails[kind].name, detail) : 0;
}

int jail_tighten(struct detail *detail)
{
    const struct call_list lists[FILTER_LISTS] = { common_list };
    return filter_allow_only(lists, "tightened process", detail);
}

int jail_enter(enum process_kind kind, const struct jail_path *paths, size_t n_paths, bool *ret_landlock,
               struct detail *detail)
{
    int r = jail_prepare(kind, paths, n_paths, ret_landlock, detail);
    return r ? r : jail_seal(kind, detail);
}
