/* Command lines at a target that are one end of a transfer: scp's, rsync's and git's server sides. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "base/error.h"
#include "policy/ssh_effects.h"

enum transfer_program { PROGRAM_OTHER, PROGRAM_SCP, PROGRAM_RSYNC, PROGRAM_GIT };

enum { COMMAND_WORDS_MAX = 256, COMMAND_FILES_MAX = 256 };

struct command_file {
    enum file_operation operation;
    char *path; /* as the program is given it. With an EFFECT_HOLE where its shell puts in what is not known
                   here */
};

struct transfer_command {
    enum transfer_program program;
    bool upload;    /* what the client sends is written at the target */
    bool directory; /* scp -d: the path is a directory for sure */
    bool tree;      /* scp -r: it may be one, with all that is in it */
    struct command_file files[COMMAND_FILES_MAX];
    size_t n_files; /* of scp: one, the path */
};

/* PROGRAM_OTHER for everything that is not surely one of them, by itself, alone on the line: that is decided
 * on as any command is. Negative: out of memory. */
MUST_USE int transfer_command_read(const char *line, struct transfer_command *ret);
void transfer_command_clear(struct transfer_command *command);
static inline void transfer_command_clear_ptr(struct transfer_command *command)
{
    transfer_command_clear(command);
}
/* Whether a command is, or may be, one of them; words: as `exact` of its effect has them. Not as strict as
 * the above: also with options that are not known here, and with words that are not. */
bool transfer_command_serves(const char *words);
const char *transfer_program_name(enum transfer_program program); /* "scp" … */
