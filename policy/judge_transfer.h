/* What `policy explain` and `policy test` make of a line that is one end of a transfer: as a gate
 * (channels/sftp/), but for what only the target knows: where a path leads, and which files there are. */
#pragma once
#include "policy/rules.h"
#include "policy/transfer_command.h"

struct transfer_judgement {
    enum transfer_program program; /* PROGRAM_OTHER: it is none, and the rest says nothing */
    struct effects files;          /* those that the line names for sure */
    struct verdict verdict;        /* on them, besides the line's as a command; `effect` is one of theirs */
    const char *note;              /* when a gate decides on them, and by what; static */
    bool relative;                 /* where one of them leads matters, and only the target knows it */
};

/* config: the rulebook's. The verdict's strings are the rulebook's or static. Negative: out of memory. */
MUST_USE int judge_transfer(const Ipc__Config *config, const struct rulebook *rulebook,
                            const struct circumstances *who, const char *line,
                            struct transfer_judgement *ret);
void transfer_judgement_free(struct transfer_judgement *judgement); /* empties it */
static inline void transfer_judgement_free_ptr(struct transfer_judgement *judgement)
{
    transfer_judgement_free(judgement);
}
