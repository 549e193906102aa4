/* What a caged program sees of the file system: itself, its libraries, terminal descriptions and time zones.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

enum sandbox_access {
    SANDBOX_READ,
    SANDBOX_EXECUTE, /* and read */
    SANDBOX_DEVICE,  /* read, write, ioctl */
    SANDBOX_SCRATCH, /* a directory: everything below it */
};

struct sandbox_path {
    const char *path;
    enum sandbox_access access;
    bool required; /* its absence is a failure */
};

enum { SANDBOX_PATHS_MAX = 24 };

/* Fills in the table for `program`; returns how many. The strings live as long as the process and program do.
 */
size_t sandbox_files(const char *program, struct sandbox_path ret[SANDBOX_PATHS_MAX]);

/* A Landlock ruleset of these paths, for landlock_restrict_self. Everything else is closed: files, TCP, and
 * with newer kernels abstract sockets and signals beyond the cage. -ENOSYS when the kernel has no Landlock.
 */
MUST_USE int sandbox_files_ruleset(const struct sandbox_path *paths, size_t n, int *ret_fd,
                                   struct detail *detail);
