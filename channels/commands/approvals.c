/* approvals: what waits for a decision. The ledger decides what this identity may see. */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "channels/commands/commands.h"
#include "channels/commands/desk.h"

enum { LIST_MAX = 16 * 1024 * 1024 }; /* bytes of a list */

static const char usage[] = "approvals [ID] [--json] [--all] [--grants] [--target T]";

/* ---- the list, and one ---- */

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct channel *channel = owner;
    CLEANUP(free) uint8_t *list = NULL;
    size_t n = 0;
    struct refusal why = { .code = "recording_unavailable", .reason = "approvals can't be read" };
    if (refusal || fd < 0 || fd_contents(fd, LIST_MAX, &list, &n)) {
        if (refusal)
            why = refusal_of(refusal);
        channel_refuse(channel, &why);
        return;
    }
    channel_print(channel, list, n);
    channel_exit(channel, 0);
}

static const struct desk_kind listing = { .listed = on_listed };

static bool read_options(const struct channel *channel, Ipc__AskApprovals *ask)
{
    ask->form = (char *)(uintptr_t) "table";
    for (char **word = channel->words.items + 1; *word; word++) {
        if (strcmp(*word, "--json") == 0)
            ask->form = (char *)(uintptr_t) "json";
        else if (strcmp(*word, "--all") == 0)
            ask->closed = true;
        else if (strcmp(*word, "--grants") == 0)
            ask->grants = true;
        else if (strcmp(*word, "--target") == 0 && word[1])
            ask->target = *++word;
        else if (**word == '-' || ask->id[0])
            return false;
        else
            ask->id = *word;
    }
    return true;
}

void command_approvals(struct channel *channel)
{
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    if (!read_options(channel, &ask)) {
        command_usage(channel, usage);
        return;
    }
    if (desk_new(channel, &listing, channel) || !desk_ask(channel, &ask))
        return;
}
