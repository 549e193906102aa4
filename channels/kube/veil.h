/* What of the objects in a cluster's answers a client gets to see. No I/O.
 *
 * The data of Secrets, tokens that are made for service accounts, and whatever masks name by `columns` is
 * replaced while the answer passes through: single objects, lists, Tables and watches are JSON in which every
 * object is looked at, in constant memory, however large it is. */
#pragma once
#include "base/ipc.h"
#include "policy/kube_request.h"
#include "policy/mask_text.h"
#include "policy/rules.h"

enum {
    KUBE_VEIL_DEPTH_MAX = 256, /* lists and objects inside each other */
    KUBE_VEIL_HOLD_MAX =
        64 *
        1024, /* bytes of a value that is masked by what it is (partial, hash): longer ones are redacted */
    KUBE_VEIL_RULES_MAX = 256, /* patterns that are about one resource */
    KUBE_VEIL_GROWTH = 256,    /* for each byte that is fed at most so many come out, besides a held value */
};

/* What is masked in the answer to one request. */
struct kube_plan;

/* NULL in *ret: nothing, and the answer may pass unread. Keeps pointers into config and target. key: MASK_KEY
 * bytes for `with: hash`, borrowed, or NULL: it redacts. who: of the session. -E2BIG beyond
 * KUBE_VEIL_RULES_MAX, -ENOMEM: nothing is to be shown. */
MUST_USE int kube_plan_new(const Ipc__Config *config, const Ipc__Target *target,
                           const struct circumstances *who, const struct kube_request *request,
                           const uint8_t *key, struct kube_plan **ret);
void kube_plan_free(struct kube_plan *plan);
DEFINE_CLEANUP(struct kube_plan *, kube_plan_free)
/* Before the answer to an update or a patch is looked at, where it is a failure: the server's words about
 * objects quote them whole, old and new, so they are not told; which fields they are about is. -E2BIG,
 * -ENOMEM. */
MUST_USE int kube_plan_hide_words(struct kube_plan *plan, const char *method, unsigned status);
/* Whether the answer may be a Table: its cells show nothing that is masked. Otherwise Accept has to say plain
 * JSON. */
bool kube_plan_allows_tables(const struct kube_plan *plan);

enum kube_plan_fault {
    KUBE_PLAN_SENDS_MASK = 1, /* code "denied": it would overwrite what is masked by the mask */
    KUBE_PLAN_ASKS,           /* "masked_predicate": the answer would tell what is masked */
    KUBE_PLAN_UNREADABLE,     /* "unparsable": not JSON, so nobody can see what it holds */
};
/* Whether the request may be sent on, whose plan this is: 0, or a kube_plan_fault and a detail for the
 * client. type: its Content-Type or NULL; bytes: its whole body, which may be empty. */
MUST_USE int kube_plan_check(const struct kube_plan *plan, const struct kube_request *request,
                             const char *type, const void *bytes, size_t n, struct detail *detail);

/* One answer, on its way. */
struct kube_veil;

enum { KUBE_VEIL_UNREADABLE = 1 };

/* The plan is borrowed. */
MUST_USE int kube_veil_new(const struct kube_plan *plan, struct kube_veil **ret);
void kube_veil_free(struct kube_veil *veil);
DEFINE_CLEANUP(struct kube_veil *, kube_veil_free)
/* Appends what may be seen. KUBE_VEIL_UNREADABLE: it is no JSON, or too deep; what was appended may be shown,
 * nothing more. The same holds after -ENOBUFS and -ENOMEM. */
MUST_USE int kube_veil_bytes(struct kube_veil *veil, const void *bytes, size_t n, struct buffer *out);
/* Nothing follows: KUBE_VEIL_UNREADABLE when something is missing. */
MUST_USE int kube_veil_end(struct kube_veil *veil);
/* How many values have been masked. */
uint64_t kube_veil_masked(const struct kube_veil *veil);
