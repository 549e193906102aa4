/* See launcher_scratch.h. Removing follows no symbolic links, and goes by descriptors: a tool may still be
 * moving things about. */
#include "server/launcher_scratch.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/io.h"

enum { ROUNDS_MAX = 3 }; /* what a tool that is being killed has made meanwhile */

static void directory_close(DIR *directory)
{
    if (directory)
        (void)closedir(directory);
}
DEFINE_CLEANUP(DIR *, directory_close)

static void empty(int at, const char *name, unsigned depth)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(directory_close) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        fd_close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || depth == SCRATCH_DEPTH_MAX)
            continue;
        empty(fd, entry->d_name, depth + 1);
        (void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
}

int scratch_begin(const char *state, char ret_root[SCRATCH_PATH_MAX])
{
    char root[SCRATCH_PATH_MAX];
    if (snprintf(root, sizeof root, "%s/scratch", state) >= (int)sizeof root)
        return -ENAMETOOLONG;
    if (access(root, R_OK | W_OK | X_OK) < 0)
        return -errno;
    empty(AT_FDCWD, root, 0);
    memcpy(ret_root, root, sizeof root);
    return 0;
}

static int make(const char *path)
{
    return mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int scratch_make(const char *root, uint64_t connection, const char *target, char ret[SCRATCH_PATH_MAX])
{
    char path[SCRATCH_PATH_MAX];
    if (!*target || target[0] == '.' || strchr(target, '/'))
        return -EINVAL;
    if (snprintf(path, sizeof path, "%s/%" PRIu64, root, connection) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int r = make(path);
    if (r == 0 &&
        snprintf(path, sizeof path, "%s/%" PRIu64 "/%s", root, connection, target) >= (int)sizeof path)
        r = -ENAMETOOLONG;
    if (r == 0)
        r = make(path);
    if (r == 0)
        memcpy(ret, path, sizeof path);
    return r;
}

int scratch_write(const char *directory, const char *name, const char *text)
{
    CLEANUP(fd_close) int at = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0)
        return -errno;
    if (unlinkat(at, name, 0) < 0 && errno != ENOENT)
        return -errno;
    CLEANUP(fd_close) int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    size_t n = strlen(text);
    return write(fd, text, n) == (ssize_t)n ? 0 : -EIO;
}

void scratch_remove(const char *root, uint64_t connection)
{
    char path[SCRATCH_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%" PRIu64, root, connection) >= (int)sizeof path)
        return;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        empty(AT_FDCWD, path, 0);
        if (unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return;
    }
}
