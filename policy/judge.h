/* A string of SQL judged on its own, as a gate judges it within a session. */
#pragma once
#include "policy/rules.h"
#include "policy/sql.h"

struct judgement {
    struct sql_request *request;
    struct verdict *verdicts; /* one for each statement */
    struct verdict verdict;   /* the strictest: the request's */
    size_t statement;         /* whose it is */
};

/* An EXECUTE gets the effects of the PREPARE before it in the same string; without one it is unknown. A
 * statement that moves the search_path counts for those after it. The verdicts' strings are the rulebook's.
 * Negative errno: out of memory. */
MUST_USE int judge_sql(const struct rulebook *rulebook, const struct circumstances *who, const char *sql,
                       struct judgement *ret);
void judgement_free(struct judgement *judgement); /* empties it */
static inline void judgement_free_ptr(struct judgement *judgement)
{
    judgement_free(judgement);
}
