/* The private directories of tools: STATE/scratch/CONNECTION/TARGET. One lives as long as the connection, so
 * that what kubectl has found out of an API server is not asked again by the next command, and no other
 * connection sees it. */
#pragma once
#include <stdint.h>
#include "base/error.h"

enum {
    SCRATCH_PATH_MAX = 4096,
    SCRATCH_DEPTH_MAX = 16, /* directories in each other that are removed again */
};

/* Empties STATE/scratch, which must be there and ours (command_serve.c makes it); -ENOENT when it is not. */
MUST_USE int scratch_begin(const char *state, char ret_root[SCRATCH_PATH_MAX]);
/* Makes one, or finds it. target is one word without "/" that does not begin with a dot. */
MUST_USE int scratch_make(const char *root, uint64_t connection, const char *target,
                          char ret[SCRATCH_PATH_MAX]);
/* Writes a small file in it anew. */
MUST_USE int scratch_write(const char *directory, const char *name, const char *text);
/* All of a connection's. */
void scratch_remove(const char *root, uint64_t connection);
