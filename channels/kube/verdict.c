/* See verdict.h. */
#include "channels/kube/verdict.h"

#include <errno.h>
#include <stdio.h>

#include "policy/kube_effects.h"

/* More fields than an effect may have are as many as are not known. */
static int add_fields(const struct kube_body *body, struct effect *effect)
{
    int r = kube_body_fields(body, effect);
    return r == -ENOBUFS ? 0 : r;
}

static int find_effects(const struct kube_judged *judged, struct effects *effects)
{
    CLEANUP(kube_body_free) struct kube_body *body = NULL;
    struct effect *effect = NULL;
    int r = kube_body_read(judged->type, judged->body, judged->body_n, &body);
    if (r)
        return r;
    bool whole = !judged->open_body && kube_body_is_whole(body);
    r = kube_effect(effects, judged->request, kube_body_name(body), whole, &effect);
    return r ? r : add_fields(body, effect);
}

int kube_verdict_of(const struct rulebook *rulebook, const struct circumstances *who,
                    const struct kube_judged *judged, struct kube_verdict *ret)
{
    struct effects effects = { 0 };
    *ret = (struct kube_verdict){ .effect = "" };
    int r = find_effects(judged, &effects);
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
