/* ssh TARGET and shell TARGET: what `ssh TARGET@bastion` does, for whoever can't choose the user name. */
#include "channels/commands/commands.h"
#include "channels/ssh/entry.h"

void command_ssh(struct channel *channel)
{
    ssh_entry_command(channel, false);
}

void command_shell(struct channel *channel)
{
    ssh_entry_command(channel, true);
}
