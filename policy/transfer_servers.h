/* What a command line at a host serves files with, where rules look at files. */
#pragma once
#include "policy/rules.h"
#include "policy/transfer_command.h"

/* Why a file is refused that has to be looked through for secrets. */
#define TRANSFER_NO_DETECTORS                                                                                \
    "it has to be looked through, and no mask names detectors for you on this target"
#define TRANSFER_NOT_LOOKED_INTO                                                                             \
    "sensitive: deny has files looked through, which can't be done with rsync and git: use sftp or scp"

/* Adds an effect `unknown` when rules look at files and some command among the effects serves them, but is
 * not the whole line: then it is not taken apart (policy/transfer_command.h). line: NULL: one of a guarded
 * shell, where none is. Negative: out of memory. */
MUST_USE int transfer_servers_add(const struct rulebook *rulebook, const struct circumstances *who,
                                  const char *line, struct effects *effects);
