/* Several effects of one statement may be allowed by several rules: then the limits of all of them hold. A
 * harmless call that no rule was asked about has none. */
#include "policy/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void budget_clear(struct budget *budget)
{
    free(budget->uses);
    *budget = (struct budget){ .rows = 0 };
}

static void narrow(uint64_t *limit, const char **rule, uint64_t other, const char *others_rule)
{
    if (other == 0 || (*limit != 0 && *limit <= other))
        return;
    *limit = other;
    *rule = others_rule;
}

void budget_narrow(struct budget *budget, const struct budget *other)
{
    narrow(&budget->rows, &budget->rows_rule, other->rows, other->rows_rule);
    narrow(&budget->bytes, &budget->bytes_rule, other->bytes, other->bytes_rule);
}

static struct budget_use *find_use(const struct budget *budget, const Ipc__Rule *rule)
{
    for (size_t i = 0; i < budget->n_uses; i++)
        if (budget->uses[i].rule == rule)
            return &budget->uses[i];
    return NULL;
}

static int add_use(struct budget *budget, const Ipc__Rule *rule, uint32_t statements)
{
    struct budget_use *known = find_use(budget, rule);
    if (known) {
        known->statements += statements;
        return 0;
    }
    struct budget_use *wider = reallocarray(budget->uses, budget->n_uses + 1, sizeof *wider);
    if (!wider)
        return -ENOMEM;
    budget->uses = wider;
    budget->uses[budget->n_uses++] = (struct budget_use){ rule, statements };
    return 0;
}

int budget_add(struct budget *budget, const struct budget *other, uint32_t at_most)
{
    int r = 0;
    budget_narrow(budget, other);
    for (size_t i = 0; r == 0 && i < other->n_uses; i++) {
        uint32_t n = other->uses[i].statements;
        r = add_use(budget, other->uses[i].rule, n < at_most ? n : at_most);
    }
    return r;
}

static int add_rule(struct budget *budget, const Ipc__Rule *rule)
{
    const Ipc__Limits *limits = rule->limits;
    narrow(&budget->rows, &budget->rows_rule, limits->rows, rule->name);
    narrow(&budget->bytes, &budget->bytes_rule, limits->bytes, rule->name);
    return limits->statements_per_minute && !find_use(budget, rule) ? add_use(budget, rule, 1) : 0;
}

int budget_add_statement(struct budget *budget, const struct rulebook *rulebook,
                         const struct circumstances *who, const struct effects *effects)
{
    struct budget one = { .rows = 0 };
    int r = 0;
    for (size_t i = 0; r == 0 && i < effects->count; i++) {
        const Ipc__Rule *rule = rulebook_decide_effect(rulebook, who, &effects->items[i]).by;
        if (rule && rule->limits)
            r = add_rule(&one, rule);
    }
    r = r ? r : budget_add(budget, &one, 1);
    budget_clear(&one);
    return r;
}

const char *budget_ended_by_rows(const struct budget *budget, char out[BUDGET_ENDED_MAX])
{
    (void)snprintf(out, BUDGET_ENDED_MAX, "the result has more than %" PRIu64 " row%s", budget->rows,
                   budget->rows == 1 ? "" : "s");
    return out;
}

const char *budget_ended_by_bytes(const struct budget *budget, char out[BUDGET_ENDED_MAX])
{
    (void)snprintf(out, BUDGET_ENDED_MAX, "the result has more than %" PRIu64 " bytes", budget->bytes);
    return out;
}
