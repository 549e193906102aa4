/* What the rules say to a request at a Kubernetes API, in the form that recordings and refusals need. No I/O.
 */
#pragma once
#include "policy/holders.h"
#include "policy/kube_body.h"
#include "policy/kube_request.h"
#include "policy/rules.h"

enum { KUBE_WORDS_MAX = 512, KUBE_DESCRIBED_MAX = 2048, KUBE_EFFECTS_SHOWN = 64 };

struct kube_verdict {
    struct verdict verdict;
    char *
        effects[KUBE_EFFECTS_SHOWN]; /* in words: the request's own, then those of the command that it runs */
    size_t n_effects;
    char reason[KUBE_DESCRIBED_MAX]; /* the rule's; and which effect of a command it is about */
    struct holders holders;          /* who has to agree, when it is held */
    char next[KUBE_WORDS_MAX];
};

/* Borrowed. */
struct kube_judged {
    const struct kube_request *request;
    const char *type; /* of the body; or NULL */
    const uint8_t *body;
    size_t body_n;
    bool open_body; /* what is in the body is not known */
};

/* Negative: out of memory. */
MUST_USE int kube_verdict_of(const struct rulebook *rulebook, const struct circumstances *who,
                             const struct kube_judged *judged, struct kube_verdict *ret);
void kube_verdict_clear(struct kube_verdict *verdict);
