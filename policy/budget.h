/* What the rules that allowed a statement still want of it: how much of its result is shown, and how many a
 * minute run. */
#pragma once
#include "policy/rules.h"

/* Statements that count for one rule. Borrowed from the rulebook. */
struct budget_use {
    const Ipc__Rule *rule; /* limits->statements_per_minute is not 0 */
    uint32_t statements;
};

/* Zeroed is a good one: no limits at all. */
struct budget {
    uint64_t rows, bytes;               /* of one result; 0: no limit */
    const char *rows_rule, *bytes_rule; /* whose; borrowed; NULL: nobody's */
    struct budget_use *uses;            /* each rule once */
    size_t n_uses;
};

void budget_clear(struct budget *budget);
/* Another statement, with these effects, all of them allowed: the smallest of each limit counts. -ENOMEM. */
MUST_USE int budget_add_statement(struct budget *budget, const struct rulebook *rulebook,
                                  const struct circumstances *who, const struct effects *effects);
/* What holds for `other` holds for this one too, and what it uses is used again: as often, but at_most that
 * often. -ENOMEM. */
MUST_USE int budget_add(struct budget *budget, const struct budget *other, uint32_t at_most);
/* The same for the limits of a result alone. */
void budget_narrow(struct budget *budget, const struct budget *other);
static inline bool budget_limits_results(const struct budget *budget)
{
    return budget->rows > 0 || budget->bytes > 0;
}

enum { BUDGET_ENDED_MAX = 160 };
/* Why a result was ended, for people: `the result has more than 10000 rows`. Returns out. */
const char *budget_ended_by_rows(const struct budget *budget, char out[BUDGET_ENDED_MAX]);
const char *budget_ended_by_bytes(const struct budget *budget, char out[BUDGET_ENDED_MAX]);
