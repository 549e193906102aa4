/* The words of `approvals`. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "channels/words.h"

struct approvals_words {
    const char *id, *target; /* borrowed; "" when there is none */
    bool json, follow, all, grants;
    bool message;    /* what an approver signs, */
    uint64_t for_ms; /* with that */
};

extern const char approvals_usage[];

/* False: they mean nothing. */
MUST_USE bool approvals_words_read(const struct words *words, struct approvals_words *ret);
