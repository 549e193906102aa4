/* See verdict.h. */
#include "channels/kube/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/judge_kube.h"
#include "policy/kube_exec.h"

void kube_verdict_clear(struct kube_verdict *v)
{
    for (size_t i = 0; i < v->n_effects; i++)
        free(v->effects[i]);
    v->n_effects = 0;
}

static int describe(const struct effects *effects, struct kube_verdict *v)
{
    char words[KUBE_DESCRIBED_MAX];
    for (size_t i = 0; i < effects->count && v->n_effects < KUBE_EFFECTS_SHOWN; i++) {
        v->effects[v->n_effects] = strdup(effect_describe(&effects->items[i], words, sizeof words));
        if (!v->effects[v->n_effects])
            return -ENOMEM;
        v->n_effects++;
    }
    return 0;
}

/* Where there is more than one thing in it, what the rule is about is named. */
static void put_words(const struct effects *effects, struct kube_verdict *v)
{
    char about[KUBE_WORDS_MAX] = "";
    if (v->verdict.action != ACTION_ALLOW && effects->count > 1 && v->verdict.effect < effects->count)
        (void)effect_describe(&effects->items[v->verdict.effect], about, sizeof about);
    (void)snprintf(v->reason, sizeof v->reason, "%.*s%s%s%s", KUBE_WORDS_MAX, v->verdict.reason,
                   about[0] ? " (" : "", about, about[0] ? ")" : "");
    (void)snprintf(v->next, sizeof v->next, "%s",
                   verdict_next(&v->verdict, (char[KUBE_WORDS_MAX]){ 0 }, KUBE_WORDS_MAX));
}

int kube_verdict_of(const struct rulebook *rulebook, const struct circumstances *who,
                    const struct kube_judged *judged, struct kube_verdict *ret)
{
    struct effects effects = { 0 };
    struct circumstances where = *who;
    *ret = (struct kube_verdict){ .n_effects = 0 };
    where.channel = kube_exec_runs(judged->request) ? "exec" : NULL;
    int r =
        judge_kube(judged->request, judged->type, judged->body, judged->body_n, judged->open_body, &effects);
    r = r ? r : kube_exec_effects(judged->request, &effects);
    if (r == 0) {
        ret->verdict = rulebook_decide(rulebook, &where, &effects);
        if (ret->verdict.action == ACTION_HOLD)
            holders_add_statement(&ret->holders, rulebook, &where, &effects);
        put_words(&effects, ret);
        r = describe(&effects, ret);
    }
    effects_free(&effects);
    if (r)
        kube_verdict_clear(ret);
    return r;
}
