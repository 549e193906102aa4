/* See init.h. The key stays with whoever made it (root, or the one user that runs everything): the ledger
 * reads it once at its start. */
#include "replay/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jail.h"
#include "replay/keys.h"

enum { WALK_FDS = 8 };

/* nftw has no argument for its callback; the ids are constants of the installation. */
static int hand_over(const char *path, const struct stat *about, int type, struct FTW *where)
{
    static const char key[] = "/audit/key";
    size_t n = strlen(path);
    (void)about, (void)where;
    if (type == FTW_F && n >= sizeof key - 1 && strcmp(path + n - (sizeof key - 1), key) == 0)
        return 0;
    return lchown(path, process_uid(PROCESS_LEDGER), process_gid()) < 0 && errno != ENOENT ? -1 : 0;
}

static int give(const char *path, struct detail *detail)
{
    if (nftw(path, hand_over, WALK_FDS, FTW_PHYS) != 0)
        return detail_fail(detail, -EACCES, "%s can't be given to the ledger: %s", path, strerror(errno));
    return 0;
}

/* There may be very many recordings: a day is gone through only when its directory is somebody else's. */
static int give_days(const char *path, struct detail *detail)
{
    DIR *directory = opendir(path);
    struct dirent *day;
    int r = directory ? 0 : detail_fail(detail, -errno, "%s can't be read: %s", path, strerror(errno));
    while (r == 0 && (day = readdir(directory))) {
        struct stat about;
        char name[PATH_MAX];
        if (strcmp(day->d_name, "..") == 0 ||
            fstatat(dirfd(directory), day->d_name, &about, AT_SYMLINK_NOFOLLOW) < 0 ||
            about.st_uid == process_uid(PROCESS_LEDGER))
            continue;
        if (snprintf(name, sizeof name, "%s/%s", path, day->d_name) < (int)sizeof name)
            r = give(name, detail);
    }
    if (directory)
        (void)closedir(directory);
    return r;
}

static int make_one(const char *path, bool days, struct detail *detail)
{
    struct stat about;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return detail_fail(detail, -errno, "%s can't be made: %s", path, strerror(errno));
    if (lstat(path, &about) < 0 || !S_ISDIR(about.st_mode))
        return detail_fail(detail, -ENOTDIR, "%s is not a directory", path);
    if (geteuid() != 0)
        return 0;
    return days ? give_days(path, detail) : give(path, detail);
}

int replay_directories(const char *state, struct detail *detail)
{
    static const char *const names[] = { "recordings", "audit", "index", "approvals", "notify" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", state, names[i]) >= (int)sizeof path)
            return detail_fail(detail, -ENAMETOOLONG, "the state directory's name is too long");
        int r = make_one(path, i == 0, detail);
        if (r)
            return r;
    }
    return 0;
}

int replay_init(const char *state, struct detail *detail)
{
    int r = replay_directories(state, detail);
    return r ? r : keys_create(state, detail);
}
