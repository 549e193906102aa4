/* Recordings as the gate asks the ledger for them, and gives them back. */
#pragma once
#include "channels/gate.h"
#include "channels/recorder.h"
#include "channels/refusal.h"

struct recording_about {
    const char *kind; /* "exec", "forward", "shell" … (docs/recording-format.md) */
    const Ipc__Target *target;
    const char *login, *command;
    Ipc__Pty *pty; /* or NULL */
};

/* The number of the question, which AnswerRecording has; 0: there is no ledger to ask. */
MUST_USE uint32_t recording_ask(struct gate *gate, const struct recording_about *about);
/* Takes the answer's descriptor. NULL: none could be begun, and *why says so. */
MUST_USE struct recorder *recording_begin(struct gate *gate, Ipc__AnswerRecording *answer, int *fds,
                                          size_t n_fds, struct refusal *why);
/* Its end: requests for approval that write to it are withdrawn, the ledger is told, the recorder is freed.
 */
void recording_finish(struct gate *gate, struct recorder *recorder, uint32_t status, const char *reason);
