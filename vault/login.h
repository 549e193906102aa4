/* Sends the connector for a login that a gate asked for. */
#pragma once
#include "vault/client.h"

struct refusal {
    const char *code; /* contract.md §3; NULL: not refused */
    struct detail message, log;
};

/* The gate's end of the connector in *ret_gate; or 0 with a refusal. Negative: no sane gate asks for that.
 * The client may reach the target: that was checked. */
MUST_USE int login_begin(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                         const Ipc__Identity *identity, struct refusal *refused, int *ret_gate);
