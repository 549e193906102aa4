/* Decides on files by the rules, and writes into the recording: what a transfer_host needs. */
#pragma once
#include "channels/recorder.h"
#include "channels/sftp/transfer.h"
#include "policy/holders.h"
#include "policy/rules.h"

enum { FILE_COMPLAINTS_MAX = 100 }; /* refusals of one session that are said on stderr as well */

/* What people are asked; borrowed. */
struct file_question {
    const char *text;           /* what the client wants, in words; all of it is approved */
    const char *const *effects; /* in words */
    size_t n_effects;
    uint64_t number; /* of the request in the recording */
    const struct holders *holders;
};

/* Embedded by whoever runs a transfer; everything is borrowed. */
struct file_judge {
    const struct rulebook *rulebook;
    struct circumstances who;
    struct recorder *recorder;
    bool has_detectors; /* else what a rule wants to be looked through is refused */
    /* SFTP clients say "Permission denied" and not why: so the text goes to stderr as well. May be NULL. */
    void (*complain)(void *owner, const char *text);
    /* Asks people: transfer_decided() follows, not from inside of this. 0; positive: it can't be asked, and
     * is refused. NULL: nobody can. */
    int (*ask)(void *owner, const struct file_question *question);
    void *owner;
    size_t complaints;
};

/* What was decided otherwise than by decide(): a refusal is said as well. subject: what it is about. */
void file_judge_complain(struct file_judge *judge, const struct file_verdict *verdict, const char *subject);
/* The text of a refusal, as clients get it. */
void file_refusal(struct file_verdict *ret, const char *code, const char *reason, const char *rule);

struct transfer_host file_judge_host(struct file_judge *judge);
