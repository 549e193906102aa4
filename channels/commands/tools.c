/* psql TARGET …, kubectl TARGET …: the real clients, run by the launcher. */
#include "channels/commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "channels/tool.h"

struct client {
    const char *name;
    const char *kind, *is; /* of the targets that it is for */
    channel_recorded *start;
};

static void start(struct channel *channel, Ipc__Tool tool)
{
    tool_start(channel, tool, channel->words.items + 2, channel->words.count - 2, NULL, 0);
}

static void start_psql(struct channel *channel)
{
    start(channel, IPC__TOOL__TOOL_PSQL);
}

static void start_kubectl(struct channel *channel)
{
    start(channel, IPC__TOOL__TOOL_KUBECTL);
}

static void run(struct channel *channel, const struct client *client)
{
    char reason[DETAIL_MAX];
    if (channel->words.count < 2) {
        (void)snprintf(reason, sizeof reason, "%s needs a target: %s TARGET [%s options]", client->name,
                       client->name, client->name);
        command_usage(channel, reason);
        return;
    }
    const char *name = channel->words.items[1];
    const Ipc__Target *target = gate_target(channel->gate, name);
    if (!target) {
        (void)snprintf(reason, sizeof reason, "no target \"%.100s\" for you", name);
        channel_refuse(channel, &(struct refusal){ .code = "denied",
                                                   .reason = reason,
                                                   .next = "`targets` lists what you may reach" });
    } else if (strcmp(target->kind, client->kind) != 0) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" is no %s", name, client->is);
        channel_refuse(channel, &(struct refusal){ .code = "usage",
                                                   .reason = reason,
                                                   .next = "`targets` lists how each is reached" });
    } else {
        channel->target = target;
        channel_record(channel, client->start);
    }
}

void command_psql(struct channel *channel)
{
    run(channel, &(struct client){ "psql", "postgres", "database", start_psql });
}

void command_kubectl(struct channel *channel)
{
    run(channel, &(struct client){ "kubectl", "kubernetes", "cluster", start_kubectl });
}
