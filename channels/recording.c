/* See recording.h. */
#include "channels/recording.h"

#include <string.h>

#include "base/io.h"
#include "channels/approval.h"

uint32_t recording_ask(struct gate *gate, const struct recording_about *about)
{
    if (!gate->ledger)
        return 0;
    Ipc__AskRecording ask = IPC__ASK_RECORDING__INIT;
    ask.request = gate_request(gate);
    ask.kind = (char *)(uintptr_t)about->kind;
    ask.target = about->target->name;
    ask.target_kind = about->target->kind;
    ask.login = (char *)(uintptr_t)about->login;
    ask.command = (char *)(uintptr_t)about->command;
    ask.pty = about->pty;
    Ipc__Message message = IPC_MESSAGE(ASK_RECORDING, ask_recording, &ask);
    (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
    return ask.request;
}

struct recorder *recording_begin(struct gate *gate, Ipc__AnswerRecording *answer, int *fds, size_t n_fds,
                                 struct refusal *why)
{
    const Ipc__Recording *settings = gate->config->recording;
    bool synced = settings && strcmp(settings->durability, "synced") == 0;
    struct recorder *recorder = NULL;
    *why = (struct refusal){ .code = "recording_unavailable", .reason = "no recording could be started" };
    if (answer->refusal)
        *why = refusal_of(answer->refusal);
    if (answer->refusal || n_fds != 1)
        return NULL;
    why->reason = "the recording can't be written";
    if (recorder_new(STEAL_FD(fds[0]), answer, settings ? settings->output_limit : 0, synced, &recorder))
        return NULL;
    return recorder;
}

void recording_finish(struct gate *gate, struct recorder *recorder, uint32_t status, const char *reason)
{
    approvals_end_recording(gate, recorder);
    (void)!recorder_end(recorder, status, reason);
    Ipc__Finished finished = IPC__FINISHED__INIT;
    finished.id = (char *)(uintptr_t)recorder_id(recorder);
    finished.status = status;
    finished.reason = (char *)(uintptr_t)reason;
    finished.entries = recorder_entries(recorder);
    Ipc__Message message = IPC_MESSAGE(FINISHED, finished, &finished);
    if (gate->ledger)
        (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
    recorder_free(recorder);
}
