/* How many statements ran in the last minute: per identity, target and rule, whichever connection they came
 * over. In memory only: a new ledger begins to count anew. */
#pragma once
#include <stdint.h>
#include "base/ipc.h"

enum {
    RATES_MAX = 16384, /* identity, target and rule at one time; more are refused until one is a minute old */
    RATES_USES_MAX = 256, /* rules of one question */
    RATES_SECONDS = 60,
};

struct rates;

MUST_USE int rates_new(struct rates **ret);
void rates_free(struct rates *rates);
DEFINE_CLEANUP(struct rates *, rates_free)

/* Counts the statements when all rules have room for them, else none. now_s: of a clock that does not jump.
 * 0: go. RATES_FULL: *ret_rule (the caller's; borrowed from ask) has none for *ret_wait_s seconds. -ENOMEM.
 */
enum { RATES_FULL = 1 };
MUST_USE int rates_take(struct rates *rates, const char *identity, const Ipc__AskStatements *ask,
                        uint64_t now_s, const char **ret_rule, uint32_t *ret_wait_s);
