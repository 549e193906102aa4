/* What was given back is kept for a while, with nobody as its owner: who waits, or comes next, takes its
 * descriptor over. */
#include <string.h>

#include "base/io.h"
#include "channels/kube_link_parts.h"

bool kube_link_take_over(struct kube_link *link, struct kube_link *kept)
{
    struct gate *gate = link->gate;
    source_free(STEAL(kept->source));
    link->fd = STEAL_FD(kept->fd);
    link->stale_ms = kept->stale_ms;
    link->key_n = kept->key_n;
    memcpy(link->key, kept->key, sizeof link->key);
    link->used = true;
    link->waits = false;
    kube_link_free(kept);
    if (source_new(gate->loop, link->fd, LOOP_READ | LOOP_WRITE, kube_link_ready, link, &link->source)) {
        fd_close(STEAL_FD(link->fd));
        link->waits = true;
        return false;
    }
    timer_stop(link->timer);
    return true;
}

static bool is_good(const struct kube_link *link)
{
    return link->source && !link->ended && !kube_link_is_stale(link) && buffer_size(&link->in) == 0;
}

struct kube_link *kube_link_find_kept(const struct kube_link *link)
{
    for (struct kube_link *kept = link->gate->kube_links; kept; kept = kept->next)
        if (kept->kept && kept->target == link->target && is_good(kept))
            return kept;
    return NULL;
}

/* The oldest that waits and takes one that was used. */
static struct kube_link *find_waiting(const struct kube_link *kept)
{
    struct kube_link *oldest = NULL;
    for (struct kube_link *link = kept->gate->kube_links; link; link = link->next)
        if (link->waits && !link->fresh && link->target == kept->target)
            oldest = link;
    return oldest;
}

/* It was closed, or says what nobody has asked for. */
static void kept_moved(void *owner)
{
    struct kube_link *link = owner;
    if (!is_good(link))
        kube_link_free(link);
}

static void kept_refused(void *owner, const char *code, const char *reason)
{
    (void)code, (void)reason;
    kube_link_free(owner);
}

static size_t count_kept(const struct gate *gate)
{
    size_t n = 0;
    for (const struct kube_link *link = gate->kube_links; link; link = link->next)
        n += link->kept;
    return n;
}

void kube_link_give_back(struct kube_link *link)
{
    static const struct kube_link_calls calls = { kept_moved, kept_refused };
    if (!is_good(link) || buffer_size(link->out) > 0 || count_kept(link->gate) >= KUBE_LINKS_KEPT_MAX) {
        kube_link_free(link);
        return;
    }
    link->calls = &calls;
    link->owner = link;
    link->out = &link->none;
    link->kept = link->reads = true;
    struct kube_link *waiting = find_waiting(link);
    if (waiting) {
        (void)!kube_link_take_over(waiting, link); /* without room for it, it waits on */
        return;
    }
    source_interest(link->source, LOOP_READ);
    timer_set(link->timer, KUBE_LINK_KEPT_MS);
}

bool kube_link_is_used(const struct kube_link *link)
{
    return link->used;
}
