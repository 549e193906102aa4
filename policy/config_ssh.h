/* Targets of kind ssh. Private to policy/config*. */
#pragma once
#include "policy/config_reader.h"

/* The keys that such a target may have, and its parts into the target; `what` begins messages. */
void config_read_ssh(struct config_reader *reader, const struct config_node *map, const char *what,
                     Ipc__Target *target);
