/* The file system of a caged program, by Landlock.
 *
 * The libraries are found by where our own C library was loaded from: psql is built for the same architecture
 * and distribution, so no list of multiarch directories is needed. Landlock decides on opening, executing and
 * changing; it does not hide that a path exists (stat), which seccomp can't tell apart from fstat either. */
#include "server/sandbox_files.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/io.h"

/* Beyond ABI 2, which is what the headers of Debian 12 know. */
enum {
    FS_TRUNCATE_BIT = 14,  /* ABI 3 */
    FS_IOCTL_DEV_BIT = 15, /* ABI 5 */
    NET_TCP_BOTH = 3,      /* ABI 4: bind and connect */
    SCOPE_BOTH = 3,        /* ABI 6: abstract Unix sockets and signals */
};
#define FS_ALL_OF_ABI_1 ((UINT64_C(1) << 13) - 1)
#define FS_TRUNCATE     (UINT64_C(1) << FS_TRUNCATE_BIT)
#define FS_IOCTL_DEV    (UINT64_C(1) << FS_IOCTL_DEV_BIT)

struct ruleset_of_abi_6 {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

static const struct sandbox_path common[] = {
    { "/etc/ld.so.cache", SANDBOX_READ, false }, { "/usr/share/terminfo", SANDBOX_READ, false },
    { "/lib/terminfo", SANDBOX_READ, false },    { "/etc/terminfo", SANDBOX_READ, false },
    { "/usr/lib/locale", SANDBOX_READ, false },  { "/usr/share/zoneinfo", SANDBOX_READ, false },
    { "/etc/localtime", SANDBOX_READ, false },   { "/dev/null", SANDBOX_DEVICE, true },
    { "/dev/tty", SANDBOX_DEVICE, false },       { "/dev/urandom", SANDBOX_READ, false },
};

/* Where the dynamic linker and the C library of this process are. */
struct loaded {
    char linker[PATH_MAX];
    char libraries[PATH_MAX];
};

static int note_object(struct dl_phdr_info *info, size_t size, void *owner)
{
    (void)size;
    struct loaded *loaded = owner;
    const char *slash = strrchr(info->dlpi_name, '/');
    if (!slash || strlen(info->dlpi_name) >= PATH_MAX)
        return 0;
    if (strncmp(slash, "/libc.so", 8) == 0)
        (void)snprintf(loaded->libraries, PATH_MAX, "%.*s", (int)(slash - info->dlpi_name), info->dlpi_name);
    if (strncmp(slash, "/ld-", 4) == 0 || strncmp(slash, "/ld.so", 6) == 0)
        (void)snprintf(loaded->linker, PATH_MAX, "%s", info->dlpi_name);
    return 0;
}

size_t sandbox_files(const char *program, struct sandbox_path ret[SANDBOX_PATHS_MAX])
{
    static struct loaded loaded; /* the strings that are handed out */
    if (!loaded.linker[0])
        dl_iterate_phdr(note_object, &loaded);
    size_t n = 0;
    ret[n++] = (struct sandbox_path){ program, SANDBOX_EXECUTE, true };
    ret[n++] = (struct sandbox_path){ loaded.linker, SANDBOX_EXECUTE, true };
    ret[n++] = (struct sandbox_path){ loaded.libraries, SANDBOX_READ, true };
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        ret[n++] = common[i];
    return n;
}

static uint64_t handled_by(long abi)
{
    uint64_t all = FS_ALL_OF_ABI_1;
    if (abi >= 2)
        all |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        all |= FS_TRUNCATE;
    if (abi >= 5)
        all |= FS_IOCTL_DEV;
    return all;
}

static uint64_t rights_of(enum sandbox_access access)
{
    switch (access) {
    case SANDBOX_EXECUTE:
        return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
    case SANDBOX_DEVICE:
        return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_IOCTL_DEV;
    case SANDBOX_SCRATCH:
        return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
               LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
               LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE;
    case SANDBOX_READ:
        break;
    }
    return LANDLOCK_ACCESS_FS_READ_FILE;
}

static int add_path(int ruleset, uint64_t handled, const struct sandbox_path *path, struct detail *detail)
{
    CLEANUP(fd_close) int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0 && !path->required)
        return 0;
    if (fd < 0)
        return detail_fail(detail, -errno, "%s: %s", path->path, strerror(errno));
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights_of(path->access) & handled,
        .parent_fd = fd,
    };
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return detail_fail(detail, -errno, "Landlock does not take %s: %s", path->path, strerror(errno));
    return 0;
}

int sandbox_files_ruleset(const struct sandbox_path *paths, size_t n, int *ret_fd, struct detail *detail)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return detail_fail(detail, -ENOSYS, "the kernel has no Landlock, or it is switched off");
    struct ruleset_of_abi_6 wanted = { .handled_access_fs = handled_by(abi) };
    size_t size = sizeof wanted.handled_access_fs;
    if (abi >= 4) {
        wanted.handled_access_net = NET_TCP_BOTH;
        size += sizeof wanted.handled_access_net;
    }
    if (abi >= 6) {
        wanted.scoped = SCOPE_BOTH;
        size += sizeof wanted.scoped;
    }
    CLEANUP(fd_close) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, size, 0);
    if (ruleset < 0)
        return detail_fail(detail, -errno, "Landlock: %s", strerror(errno));
    for (size_t i = 0; i < n; i++) {
        int r = add_path(ruleset, wanted.handled_access_fs, &paths[i], detail);
        if (r < 0)
            return r;
    }
    *ret_fd = STEAL_FD(ruleset);
    return 0;
}
