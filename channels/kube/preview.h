/* What people are shown of a held request: a server-side dry run against what is there, or what a deletion
 * would delete. No I/O.
 *
 * Up to two requests of our own, one after another: what is there, and the request itself with `dryRun=All`,
 * by which the server checks and completes it without keeping anything. Answers are masked as the requester's
 * are. */
#pragma once
#include "channels/kube/exchange.h"
#include "channels/kube/veil.h"

enum {
    KUBE_PREVIEW_TEXT_MAX = 6 * 1024,          /* bytes of what is shown */
    KUBE_PREVIEW_ANSWER_MAX = 4 * 1024 * 1024, /* of one answer's body */
    KUBE_PREVIEW_NAMES = 100,                  /* objects that are named */
    KUBE_PREVIEW_LISTED = 500,                 /* that are asked for */
};

struct kube_preview;

/* Borrowed for as long as the preview lives: config, target, roles. Else copied. */
struct kube_preview_want {
    const struct exchange_question *question;
    const char *host; /* of the target, for Host */
    const Ipc__Config *config;
    const Ipc__Target *target;
    struct circumstances who;
    bool to_judge; /* the dry run's object alone, and nothing of it masked: for rules, never for people */
};

enum { KUBE_PREVIEW_NONE = 1 };
/* KUBE_PREVIEW_NONE: of such a request there is nothing to be shown. */
MUST_USE int kube_preview_new(const struct kube_preview_want *want, struct kube_preview **ret);
void kube_preview_free(struct kube_preview *preview);
DEFINE_CLEANUP(struct kube_preview *, kube_preview_free)

/* Frames for the connector; the caller consumes. */
struct buffer *kube_preview_out(struct kube_preview *preview);
enum { KUBE_PREVIEW_DONE = 1 };
/* Takes bytes of the server. KUBE_PREVIEW_DONE: all is here, or no more can be had. */
MUST_USE int kube_preview_take(struct kube_preview *preview, const void *bytes, size_t n, size_t *ret_taken);
/* Appends what there is to be shown, or why there is nothing. */
MUST_USE int kube_preview_words(struct kube_preview *preview, struct buffer *out);
/* Of one to judge: the object as the server would keep it, in JSON; NULL: there is none. Borrowed. */
const uint8_t *kube_preview_object(const struct kube_preview *preview, size_t *ret_n);
