/* The words of approve, deny and revoke-grant. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "channels/words.h"

enum {
    DECISION_REASON_MAX = 1024, /* bytes */
    DECISION_DIGEST = 32,
};
#define DECISION_FOR_MAX_MS (UINT64_C(30) * 24 * 3600 * 1000)

struct decision_words {
    const char *id; /* as typed; borrowed */
    uint64_t for_ms;
    bool has_digest;
    bool has_signature;              /* --signature: it comes on stdin */
    uint8_t digest[DECISION_DIGEST]; /* --digest: of what the decider has seen */
    char reason[DECISION_REASON_MAX + 1];
};

enum decision_kind { DECISION_APPROVE, DECISION_DENY, DECISION_REVOKE_GRANT };

/* False: detail says what is wrong. ssh joins words with blanks, and the quotes around a reason are often
 * gone by here: it goes on to the next word with two dashes, or to the end of the line. */
MUST_USE bool decision_words_read(enum decision_kind kind, const struct words *words,
                                  struct decision_words *ret, struct detail *detail);
const char *decision_usage(enum decision_kind kind);
