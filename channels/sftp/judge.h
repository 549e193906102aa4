/* Decides on files by the rules, and writes into the recording: what a transfer_host needs. */
#pragma once
#include "channels/recorder.h"
#include "channels/sftp/transfer.h"
#include "policy/rules.h"

enum { FILE_COMPLAINTS_MAX = 100 }; /* refusals of one session that are said on stderr as well */

/* Embedded by whoever runs a transfer; everything is borrowed. */
struct file_judge {
    const struct rulebook *rulebook;
    struct circumstances who;
    struct recorder *recorder;
    bool has_detectors; /* else what a rule wants to be looked through is refused */
    /* SFTP clients say "Permission denied" and not why: so the text goes to stderr as well. May be NULL. */
    void (*complain)(void *owner, const char *text);
    void *owner;
    size_t complaints;
};

struct transfer_host file_judge_host(struct file_judge *judge);
