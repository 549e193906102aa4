/* What the vault's ticket says of somebody. */
#pragma once
#include <stdbool.h>
#include <string.h>
#include "base/ipc.h"

/* Whether a role of theirs has this word in its `may`: "replay", "watch", "revoke", "kill". */
static inline bool identity_may(const Ipc__Identity *who, const char *what)
{
    for (size_t i = 0; i < who->n_may; i++)
        if (strcmp(who->may[i], what) == 0)
            return true;
    return false;
}
