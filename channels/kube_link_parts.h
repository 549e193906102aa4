/* The inside of a kube_link, shared by kube_link.c and kube_link_kept.c. */
#pragma once
#include "channels/kube_link.h"
#include "policy/mask_text.h"

struct kube_link {
    struct kube_link *next;
    struct gate *gate;
    const Ipc__Target *target;
    const char *purpose;
    char *recording;
    const struct kube_link_calls *calls;
    void *owner;
    bool waits;                 /* for its turn */
    uint32_t request;           /* to the vault; else 0 */
    struct ipc_peer *connector; /* until it has answered */
    struct timer *timer;        /* until it stands */
    int fd;
    struct source *source;
    struct buffer in, *out;
    bool ended, reads;
    bool fresh;         /* no other's connection is taken over */
    bool used;          /* its connection is one that was given back */
    bool kept;          /* nobody has it now */
    struct buffer none; /* what goes out then */
    uint64_t stale_ms;  /* monotonic; 0: never */
    uint8_t key[MASK_KEY];
    size_t key_n;
};

/* A kept one for such a link; or NULL. */
struct kube_link *kube_link_find_kept(const struct kube_link *link);
/* The link gets its connection; frees it. False: the link has none. */
bool kube_link_take_over(struct kube_link *link, struct kube_link *kept);
/* Handler of its source. */
void kube_link_ready(void *link, uint32_t ready);
