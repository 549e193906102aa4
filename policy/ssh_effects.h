/* What is done on a host other than by a command line (policy/shell.h), as effects. */
#pragma once
#include "policy/effect.h"

enum file_operation {
    FILE_READ,
    FILE_WRITE, /* and create, truncate, append */
    FILE_REMOVE,
    FILE_RENAME, /* of both names; links too */
    FILE_SETSTAT,
    FILE_MKDIR,
    FILE_LIST, /* a directory's names, or what stat tells of one file */
};

/* A channel that is not looked into: "shell" or "forward" (of "exec" and "sftp" what is done in them is
 * judged, and nothing of their being opened). Whatever the channel, it also belongs into
 * circumstances.channel. */
MUST_USE int ssh_effect_channel(struct effects *effects, const char *channel);
/* path: absolute, without "." and "..", symbolic links followed by the target. Relative ones and ones with
 * ".." are taken as possibly any that ends so: rules that refuse match them, rules that allow don't. Paths
 * with an EFFECT_HOLE or beyond EFFECT_TEXT_MAX are unknown. */
MUST_USE int ssh_effect_file(struct effects *effects, enum file_operation operation, const char *path);
/* "read", … as in rules. */
const char *file_operation_name(enum file_operation operation);
