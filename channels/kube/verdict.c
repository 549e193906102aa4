/* See verdict.h. */
#include "channels/kube/verdict.h"

#include <stdio.h>

#include "policy/judge_kube.h"

int kube_verdict_of(const struct rulebook *rulebook, const struct circumstances *who,
                    const struct kube_judged *judged, struct kube_verdict *ret)
{
    struct effects effects = { 0 };
    *ret = (struct kube_verdict){ .effect = "" };
    int r =
        judge_kube(judged->request, judged->type, judged->body, judged->body_n, judged->open_body, &effects);
    if (r == 0) {
        ret->verdict = rulebook_decide(rulebook, who, &effects);
        if (ret->verdict.action == ACTION_HOLD)
            holders_add_statement(&ret->holders, rulebook, who, &effects);
        (void)effect_describe(&effects.items[0], ret->effect, sizeof ret->effect);
        (void)snprintf(ret->next, sizeof ret->next, "%s",
                       verdict_next(&ret->verdict, (char[KUBE_WORDS_MAX]){ 0 }, KUBE_WORDS_MAX));
    }
    effects_free(&effects);
    return r;
}
