/* How sessions get to SSH targets: by the user name before the @, or by a command. */
#pragma once
#include "channels/channel.h"

/* Begins the session if the connection's user name chose an SSH target; false: it did not, and nothing has
 * happened. */
MUST_USE bool ssh_entry_begin(struct channel *channel);
/* `ssh [LOGIN+]TARGET [COMMAND]`, and with shell `shell [LOGIN+]TARGET`: the channel's command line. */
void ssh_entry_command(struct channel *channel, bool shell);
