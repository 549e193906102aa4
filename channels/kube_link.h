/* One connection to the API server of a Kubernetes target: the vault is asked, and the connector stays
 * between (its framing: channels/kube/frame.h). */
#pragma once
#include "base/buffer.h"
#include "channels/gate.h"

enum {
    KUBE_LINK_WAIT_MS = 90 * 1000, /* for the connection; the connector gives up earlier */
    KUBE_LINKS_ASKED_MAX = 4,      /* of one gate; the vault takes 16, other logins included */
    KUBE_LINKS_KEPT_MAX = 8,       /* of one gate, that nobody uses now, */
    KUBE_LINK_KEPT_MS = 15 * 1000, /* and for how long */
    KUBE_LINK_IN_MAX = 64 * 1024,  /* bytes that wait to be taken */
};

struct kube_link;

/* Each may free the link; none is called from inside of a call to it. */
struct kube_link_calls {
    /* It stands; or bytes have come, some have gone out, or it has ended. */
    void (*moved)(void *owner);
    /* There is none. code: contract.md §3. */
    void (*refused)(void *owner, const char *code, const char *reason);
};

struct kube_link_want {
    const Ipc__Target *target;
    const char *recording; /* id; or "" */
    const char *purpose;   /* for the audit, static; NULL: what its name says */
    struct buffer *out;    /* frames: what goes out; outlives the link */
    bool fresh;            /* of which nobody has made use yet */
};

/* Negative errno: nobody can be asked. want is borrowed for the call. */
MUST_USE int kube_link_new(struct gate *gate, const struct kube_link_want *want,
                           const struct kube_link_calls *calls, void *owner, struct kube_link **ret);
void kube_link_free(struct kube_link *link);
/* The same after a whole request and its answer: the connection is kept for the next who wants one, as far as
 * that may be. */
void kube_link_give_back(struct kube_link *link);
/* Whether somebody had it before: then the server may close it any moment. */
bool kube_link_is_used(const struct kube_link *link);
/* What has come; the caller consumes. */
struct buffer *kube_link_in(struct kube_link *link);
/* Whether it stands; whether nothing more comes than what kube_link_in() has. */
bool kube_link_stands(const struct kube_link *link);
bool kube_link_ended(const struct kube_link *link);
/* Whether no further request may begin on it (Connected.usable_ms). */
bool kube_link_is_stale(const struct kube_link *link);
/* The vault's key for `with: hash`, MASK_KEY bytes, or none. */
const uint8_t *kube_link_mask_key(const struct kube_link *link, size_t *ret_n);
/* Writes what goes out now, and waits for what is next; after every change of either buffer. reads: whether
 * more is wanted. */
void kube_link_go_on(struct kube_link *link, bool reads);

/* Vault AnswerLogin: false when it is not to a link's question. */
bool kube_links_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds);
/* Those that wait for the vault are refused. */
void kube_links_vault_gone(struct gate *gate);
