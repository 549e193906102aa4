/* See init.h. The key stays with whoever made it (root, or the one user that runs everything): the ledger
 * reads it once at its start. */
#include "replay/init.h"

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

/* What is in recordings/ may be very much: it is walked only when the directory itself is somebody else's. */
static const struct {
    const char *name;
    bool walk_always;
} directories[] = { { "recordings", false }, { "audit", true }, { "index", true } };

/* nftw has no argument for its callback; the ids are constants of the installation. */
static int hand_over(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about;
    if (type == FTW_F && strcmp(path + where->base, "key") == 0)
        return 0;
    return lchown(path, process_uid(PROCESS_LEDGER), process_gid()) < 0 && errno != ENOENT ? -1 : 0;
}

static int make_one(const char *path, bool walk_always, struct detail *detail)
{
    struct stat about;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return detail_fail(detail, -errno, "%s can't be made: %s", path, strerror(errno));
    if (lstat(path, &about) < 0 || !S_ISDIR(about.st_mode))
        return detail_fail(detail, -ENOTDIR, "%s is not a directory", path);
    bool walk = geteuid() == 0 && (walk_always || about.st_uid != process_uid(PROCESS_LEDGER));
    if (walk && nftw(path, hand_over, WALK_FDS, FTW_PHYS) != 0)
        return detail_fail(detail, -EACCES, "%s can't be given to the ledger: %s", path, strerror(errno));
    return 0;
}

int replay_directories(const char *state, struct detail *detail)
{
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", state, directories[i].name) >= (int)sizeof path)
            return detail_fail(detail, -ENAMETOOLONG, "the state directory's name is too long");
        int r = make_one(path, directories[i].walk_always, detail);
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
