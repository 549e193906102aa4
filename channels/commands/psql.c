/* psql TARGET …: the real client, run by the launcher. */
#include "channels/commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "channels/tool.h"

static void start(struct channel *channel)
{
    tool_start(channel, IPC__TOOL__TOOL_PSQL, channel->words.items + 2, channel->words.count - 2, NULL, 0);
}

void command_psql(struct channel *channel)
{
    char reason[DETAIL_MAX];
    if (channel->words.count < 2) {
        command_usage(channel, "psql needs a target: psql TARGET [psql options]");
        return;
    }
    const char *name = channel->words.items[1];
    channel->target = gate_target(channel->gate, name);
    if (!channel->target) {
        (void)snprintf(reason, sizeof reason, "no target \"%.100s\" for you", name);
        channel_refuse(channel, &(struct refusal){ .code = "denied",
                                                   .reason = reason,
                                                   .next = "`targets` lists what you may reach" });
        return;
    }
    if (strcmp(channel->target->kind, "postgres") != 0) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" is no database", name);
        channel_refuse(channel, &(struct refusal){ .code = "usage",
                                                   .reason = reason,
                                                   .next = "`targets` lists how each is reached" });
        return;
    }
    channel_record(channel, start);
}
