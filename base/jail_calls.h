/* Which system calls each kind of process may make. Private to base/jail*. */
#pragma once
#include "base/jail.h"
#include "base/jail_filter.h"

/* Every kind; on top of it one kind; on top of that its zygote; and what nobody does. */
extern const struct call_list common_list, zygote_list, never_list;
extern const struct call_list kind_lists[PROCESS_KINDS];
