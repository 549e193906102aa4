/* What a target of kind kubernetes says. Private to policy/config*. */
#pragma once
#include "policy/config_sections.h"

/* map: of the target; what: how messages begin. */
void config_read_kube(struct config_reader *reader, const struct config_node *map, const char *what,
                      Ipc__Target *target);
