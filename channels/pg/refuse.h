/* Refusals inside a running session: the server fails in our place, our words go out in the place of its own.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "channels/pg/wire.h"
#include "policy/rules.h"

enum {
    REFUSALS_MAX = 256,     /* that may wait for the server's answer; of older ones only the number is told */
    REFUSAL_NONCE = 16,     /* hexadecimal digits */
    REFUSAL_TEXT_MAX = 256, /* bytes of a substitute statement */
    REFUSAL_MESSAGE_MAX = 2048, /* bytes of our MESSAGE or DETAIL */
};

/* Embedded by its owner. */
struct refusals {
    char nonce[REFUSAL_NONCE + 1];
    struct {
        uint64_t number;
        struct buffer answer;
    } waiting[REFUSALS_MAX]; /* a ring */
    size_t first, count;
};

/* -EIO when the system gives no random bytes. */
MUST_USE int refusals_init(struct refusals *refusals);
void refusals_free(struct refusals *refusals);

/* The statement that is sent instead of request `number`: the server can't but fail on its first word. ASCII.
 */
void refusals_substitute(const struct refusals *refusals, uint64_t number, const char *rule,
                         char out[REFUSAL_TEXT_MAX]);
/* Remembers what to answer when the server has failed on it. */
MUST_USE int refusals_expect(struct refusals *refusals, uint64_t number, const struct pg_error *answer);

enum { REFUSAL_ANSWERED = 1 };
/* Looks at an ErrorResponse of the server. REFUSAL_ANSWERED: it is the answer to a substitute, and ours has
 * been appended to out. 0: it is not. */
MUST_USE int refusals_answer(struct refusals *refusals, struct reader error, struct buffer *out);

/* The words for a verdict (contract.md §3). subject: the effect that decided, or NULL. ascii_only: the client
 * does not read UTF-8. The strings of *ret point into words or are static. */
struct refusal_words {
    char message[REFUSAL_MESSAGE_MAX], detail[REFUSAL_MESSAGE_MAX], hint[REFUSAL_MESSAGE_MAX];
};
struct pg_error refusal_error(const struct verdict *verdict, const char *subject, uint64_t number,
                              bool ascii_only, struct refusal_words *words);
/* Words of ours that are no refusal; detail and hint may be NULL. */
struct pg_error refusal_notice(const char *message, const char *detail, const char *hint, bool ascii_only,
                               struct refusal_words *words);
/* The last words of a session that ends; code: contract.md §3. message is borrowed. */
struct pg_error refusal_fatal(const char *code, const char *message, struct refusal_words *words);
