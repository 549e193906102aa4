/* See connector_tell.h. */
#include "vault/connector_tell.h"

#include <stdio.h>

enum { ANSWER_LIMIT_MS = 5000 }; /* for gate and vault to take an answer */

void tell_vault(int vault, bool ok, const char *text)
{
    Ipc__JobDone done = IPC__JOB_DONE__INIT;

    done.ok = ok;
    done.detail = (char *)(uintptr_t)text;
    tell_vault_all(vault, &done);
}

void tell_vault_all(int vault, Ipc__JobDone *done)
{
    Ipc__Message message = IPC_MESSAGE(JOB_DONE, job_done, done);

    (void)!ipc_send_now(vault, &message, NULL, 0, ANSWER_LIMIT_MS);
}

int tell_gate(const struct job *job, Ipc__Connected *connected, const int *fds, size_t n_fds)
{
    Ipc__Message message = IPC_MESSAGE(CONNECTED, connected, connected);

    return ipc_send_now(job->gate, &message, fds, n_fds, ANSWER_LIMIT_MS);
}

void refuse_gate(const struct job *job, const char *option)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    char text[DETAIL_MAX];

    if (option)
        snprintf(text, sizeof(text), "target \"%s\" does not take the setting \"%s\" of your connection",
                 job->target->name, option);
    else
        snprintf(text, sizeof(text),
                 "target \"%s\" is unavailable; try again later, or ask an operator: the log says why",
                 job->target->name);
    refusal.code = (char *)(uintptr_t) "target_unavailable";
    refusal.message = text;
    connected.refusal = &refusal;
    if (job->gate >= 0)
        (void)!tell_gate(job, &connected, NULL, 0);
}
