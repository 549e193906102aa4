/* sessions and replay: the ledger decides what this identity may see. */
#include "channels/commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "channels/tool.h"

enum { LIST_MAX = 16 * 1024 * 1024 }; /* bytes of a list of sessions */

static const struct refusal ledger_lost = { .code = "recording_unavailable",
                                            .reason = "the recordings can't be read" };

/* ---- sessions ---- */

static bool read_options(struct channel *channel, Ipc__AskSessions *ask)
{
    char **word = channel->words.items + 1;
    for (; *word; word++) {
        uint64_t since;
        if (strcmp(*word, "--json") == 0)
            ask->json = true;
        else if (!word[1])
            return false;
        else if (strcmp(*word, "--target") == 0)
            ask->target = *++word;
        else if (strcmp(*word, "--identity") == 0)
            ask->identity = *++word;
        else if (strcmp(*word, "--grep") == 0)
            ask->grep = *++word;
        else if (strcmp(*word, "--since") == 0 && text_to_duration(word[1], &since))
            ask->since_ms = clock_unix_ms() - since, word++;
        else
            return false;
    }
    return true;
}

void command_sessions(struct channel *channel)
{
    struct gate *gate = channel->gate;
    Ipc__AskSessions ask = IPC__ASK_SESSIONS__INIT;
    if (!read_options(channel, &ask)) {
        command_usage(channel, "sessions [--json] [--target T] [--identity I] [--since 1h] [--grep TEXT]");
        return;
    }
    if (!gate->ledger) {
        channel_refuse(channel, &ledger_lost);
        return;
    }
    ask.request = channel->request = gate_request(gate);
    Ipc__Message message = IPC_MESSAGE(ASK_SESSIONS, ask_sessions, &ask);
    (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
}

void sessions_answered(struct channel *channel, const Ipc__Refusal *refusal, int fd)
{
    CLEANUP(free) uint8_t *list = NULL;
    size_t n = 0;
    if (refusal || fd < 0 || fd_contents(fd, LIST_MAX, &list, &n)) {
        struct refusal why = refusal ? refusal_of(refusal) : ledger_lost;
        channel_refuse(channel, &why);
        return;
    }
    channel_print(channel, list, n);
    channel_exit(channel, 0);
}

/* ---- replay ---- */

static void ask_recording(struct channel *channel, bool watch)
{
    struct gate *gate = channel->gate;
    if (!gate->ledger) {
        channel_refuse(channel, &ledger_lost);
        return;
    }
    Ipc__AskReplay ask = IPC__ASK_REPLAY__INIT;
    ask.request = channel->request = gate_request(gate);
    ask.id = channel->words.items[1];
    ask.watch = watch;
    Ipc__Message message = IPC_MESSAGE(ASK_REPLAY, ask_replay, &ask);
    (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
}

void command_replay(struct channel *channel)
{
    if (channel->words.count < 2)
        command_usage(channel, "replay needs an id: `sessions` lists them");
    else
        ask_recording(channel, false);
}

/* What has been so far at once, then as it comes. */
void command_watch(struct channel *channel)
{
    if (channel->words.count != 2)
        command_usage(channel, "watch ID");
    else
        ask_recording(channel, true);
}

static void play(struct channel *channel, int fd)
{
    static char follow[] = "--follow", at_once[] = "--at-once";
    char *live[] = { follow, at_once };
    bool watch = strcmp(channel->words.items[0], "watch") == 0;
    tool_start(channel, IPC__TOOL__TOOL_PLAYER, watch ? live : channel->words.items + 2,
               watch ? 2 : channel->words.count - 2, &fd, 1);
}

void replay_answered(struct channel *channel, const Ipc__Refusal *refusal, int fd)
{
    if (refusal || fd < 0) {
        struct refusal why = refusal ? refusal_of(refusal) : ledger_lost;
        why.next = "`sessions` lists the recordings that you may see";
        channel_refuse(channel, &why);
    } else {
        play(channel, fd);
    }
    fd_close(fd);
}
