/* A target that an identity may not reach is as one that is not there: its name before the @ then leads to
 * the command surface, as any other. Whoever is bound to one command (force-command) has chosen nothing by a
 * user name. */
#include "channels/ssh/entry.h"

#include <stdio.h>
#include <string.h>

#include "channels/ssh/task.h"

static const Ipc__Target *find(const struct gate *gate, const char *name)
{
    const Ipc__Target *target = gate_target(gate, name);
    return target && strcmp(target->kind, "ssh") == 0 ? target : NULL;
}

static void refuse_target(struct channel *channel, const char *name)
{
    char reason[DETAIL_MAX];
    (void)snprintf(reason, sizeof reason, "no SSH target \"%.100s\" for you", name);
    channel_refuse(channel, &(struct refusal){ .code = "denied",
                                               .reason = reason,
                                               .next = "`targets` lists what you may reach" });
}

bool ssh_entry_begin(struct channel *channel)
{
    const struct gate *gate = channel->gate;
    const struct route *route = &gate->route;
    if (!route->target[0] || gate->identity->force_command[0])
        return false;
    const Ipc__Target *target = find(gate, route->target);
    if (!target && !route->login[0] && !gate->outer)
        return false;
    if (!target)
        refuse_target(channel, route->target);
    else if (channel->open->what_case == IPC__OPEN__WHAT_SUBSYSTEM)
        ssh_task_begin(channel, target, route->login, SSH_SUBSYSTEM, channel->command);
    else if (channel->open->what_case == IPC__OPEN__WHAT_EXEC)
        ssh_task_begin(channel, target, route->login, SSH_EXEC, channel->command);
    else
        ssh_task_begin(channel, target, route->login, SSH_SHELL, "");
    return true;
}

void ssh_entry_command(struct channel *channel, bool shell)
{
    struct route_line line;
    struct route route;
    if (!route_line_read(channel->command, &line) || line.route[0] == '-' ||
        !route_read(line.route, line.route_n, &route) || (shell && line.rest[0])) {
        channel_refuse(channel, &(struct refusal){
                                    .code = "usage",
                                    .reason = shell ? "shell needs a target and nothing else: shell TARGET"
                                                    : "ssh needs a target: ssh TARGET [COMMAND]" });
        return;
    }
    const Ipc__Target *target = find(channel->gate, route.target);
    if (!target)
        refuse_target(channel, route.target);
    else if (line.rest[0])
        ssh_task_begin(channel, target, route.login, SSH_EXEC, line.rest);
    else
        ssh_task_begin(channel, target, route.login, SSH_SHELL, "");
}
