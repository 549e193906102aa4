/* `kubectl auth can-i`: what Gatehouse would say is put beside what the cluster says. No I/O. */
#pragma once
#include "base/buffer.h"
#include "policy/kube_request.h"
#include "policy/rules.h"

enum { ACCESS_MAX = 256 * 1024, ACCESS_WORDS_MAX = 1024 }; /* bytes of a review; of a verdict in words */

enum access_kind {
    ACCESS_NONE,
    ACCESS_REVIEW, /* SelfSubjectAccessReview: may I do this one thing? */
    ACCESS_RULES,  /* SelfSubjectRulesReview: what may I do in this namespace? */
};

/* Whether a request asks that of the cluster. */
enum access_kind access_kind_of(const struct kube_request *request);

struct access_verdict {
    enum action action;
    char words[ACCESS_WORDS_MAX]; /* "denied by rule "no-drop": no" */
};
enum { ACCESS_UNREADABLE = 1 };
/* What the rules say to what a SelfSubjectAccessReview asks for. */
MUST_USE int access_judge(const struct rulebook *rulebook, const struct circumstances *who, const void *body,
                          size_t n, struct access_verdict *ret);

/* The cluster's answer with both verdicts in it: allowed is what both allow. ACCESS_UNREADABLE: it is none,
 * and goes on as it is. */
MUST_USE int access_answer_review(const void *answer, size_t n, const struct access_verdict *verdict,
                                  struct buffer *out);
/* Without what the rules deny for certain, and marked as incomplete: they look at more than such a list can
 * say. space: the namespace that was asked about. */
MUST_USE int access_answer_rules(const struct rulebook *rulebook, const struct circumstances *who,
                                 const char *space, const void *answer, size_t n, struct buffer *out);
/* That of a SelfSubjectRulesReview, in out; "" when there is none. */
char *access_space(const void *body, size_t n, char *out, size_t size);
