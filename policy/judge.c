/* What `policy explain` and `policy test` have in common with a gate. */
#include "policy/judge.h"

#include <errno.h>
#include <string.h>

void judgement_free(struct judgement *judgement)
{
    sql_request_free(judgement->request);
    free(judgement->verdicts);
    *judgement = (struct judgement){ 0 };
}

/* The last PREPARE of this name among the first `count`; NULL when there is none. */
static const struct sql_statement *find_prepared(const struct sql_request *request, size_t count,
                                                 const char *name)
{
    while (count-- > 0) {
        const struct sql_statement *s = &request->statements[count];
        if (s->role == SQL_PREPARE && strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

static int add_executed(struct sql_request *request, size_t i)
{
    struct sql_statement *s = &request->statements[i];
    if (s->role != SQL_EXECUTE)
        return 0;
    const struct sql_statement *prepared = find_prepared(request, i, s->name);
    if (prepared)
        return effects_append(&s->effects, &prepared->effects);
    return effects_add_why(&s->effects, EFFECT_UNKNOWN,
                           "it runs a prepared statement that is not shown here");
}

int judge_sql(const struct rulebook *rulebook, const struct circumstances *who, const char *sql,
              struct judgement *ret)
{
    CLEANUP(judgement_free) struct judgement j = { 0 };
    int r = sql_parse(sql, &j.request);
    if (r < 0)
        return r;
    j.verdicts = calloc(j.request->count + 1, sizeof *j.verdicts);
    if (!j.verdicts)
        return -ENOMEM;
    struct circumstances now = *who;
    j.verdict = rulebook_decide(rulebook, &now, &(const struct effects){ 0 });
    for (size_t i = 0; i < j.request->count; i++) {
        if ((r = add_executed(j.request, i)) < 0)
            return r;
        const struct effects *effects = &j.request->statements[i].effects;
        j.verdicts[i] = rulebook_decide(rulebook, &now, effects);
        now.search_path_set |= effects_may_set_search_path(effects);
        if (i == 0 || j.verdicts[i].action > j.verdict.action) {
            j.verdict = j.verdicts[i];
            j.statement = i;
        }
    }
    *ret = j;
    j = (struct judgement){ 0 };
    return 0;
}
