/* kill ID [--reason TEXT]: the ledger checks whether this identity may, and tells the gate that has the
 * session. */
#include "channels/commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "channels/recorder.h"
#include "channels/shared_recording.h"

enum { REASON_MAX = 256 };

void command_kill(struct channel *channel)
{
    struct gate *gate = channel->gate;
    char reason[REASON_MAX];
    if (channel->words.count < 2 || !command_reason(channel, reason, sizeof reason)) {
        command_usage(channel, "kill ID [--reason TEXT]");
        return;
    }
    if (!gate->ledger) {
        channel_refuse(channel, &(struct refusal){ .code = "recording_unavailable",
                                                   .reason = "it can't be entered who ends what" });
        return;
    }
    Ipc__AskKill ask = IPC__ASK_KILL__INIT;
    ask.request = channel->request = gate_request(gate);
    ask.id = channel->words.items[1];
    ask.reason = reason;
    Ipc__Message message = IPC_MESSAGE(ASK_KILL, ask_kill, &ask);
    (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
}

void kill_answered(struct channel *channel, const Ipc__Refusal *refusal, const char *whose)
{
    char text[512], name[256];
    if (refusal) {
        struct refusal why = refusal_of(refusal);
        why.next = "`sessions` lists what there is";
        channel_refuse(channel, &why);
        return;
    }
    (void)text_escape(name, sizeof name, whose, strlen(whose), false);
    (void)snprintf(text, sizeof text, "ended: %s of %s\n", channel->words.items[1], name);
    channel_print(channel, text, strlen(text));
    channel_exit(channel, 0);
}

/* The first of these channels that does. */
static struct channel *writes_to(struct channel *channel, const char *recording)
{
    while (channel && !(channel->recorder && strcmp(recorder_id(channel->recorder), recording) == 0))
        channel = channel->next;
    return channel;
}

int kill_told(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__Kill *kill = message->kill;
    char words[REASON_MAX + 256], reason[2 * sizeof words];
    (void)fds;
    (void)n_fds;
    struct channel *channel = writes_to(gate->channels, kill->id);
    if (!channel)
        return 0; /* it has ended meanwhile */
    (void)snprintf(words, sizeof words, "this session was ended by %s%s%s", kill->by,
                   kill->reason[0] ? ": " : "", kill->reason);
    (void)text_escape(reason, sizeof reason, words, strlen(words), false);
    (void)!recorder_note(channel->recorder, reason);
    shared_recording_close(channel);
    for (struct channel *next; channel; channel = next) {
        next = writes_to(channel->next, kill->id);
        channel_stop(channel, &(struct refusal){ .code = "killed", .reason = reason });
    }
    return 0;
}
