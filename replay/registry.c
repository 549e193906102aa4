/* A hash table with linear probing; entries are removed by shifting back, so that no tombstones gather. */
#include "replay/registry.h"

#include <errno.h>
#include <string.h>

enum { FIRST_SLOTS = 256 };

struct registry {
    struct registered *slots; /* free ones have an empty id */
    size_t n_slots, used;     /* n_slots is a power of two */
};

static const char *const state_names[] = {
    [SEAL_NONE] = "live", [SEAL_COMPLETE] = "complete", [SEAL_INTERRUPTED] = "interrupted",
    [SEAL_CUT] = "cut",   [SEAL_DAMAGED] = "damaged",   [SEAL_MISSING] = "missing",
};

const char *seal_state_name(enum seal_state state)
{
    return state_names[state];
}

static enum seal_state state_of(const char *name)
{
    for (size_t i = SEAL_COMPLETE; i < sizeof state_names / sizeof *state_names; i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum seal_state)i;
    return SEAL_DAMAGED; /* of a later version: at least look closely */
}

int registry_new(struct registry **ret)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (registry)
        registry->slots = calloc(FIRST_SLOTS, sizeof *registry->slots);
    if (!registry || !registry->slots) {
        free(registry);
        return -ENOMEM;
    }
    registry->n_slots = FIRST_SLOTS;
    *ret = registry;
    return 0;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    free(registry->slots);
    free(registry);
}

static size_t home_of(const struct registry *registry, const char *id)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *id; id++)
        h = (h ^ (uint8_t)*id) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32) & (registry->n_slots - 1);
}

/* The slot of the id, or the free one where it would be. */
static struct registered *slot_of(struct registry *registry, const char *id)
{
    size_t at = home_of(registry, id);
    while (registry->slots[at].id[0] && strcmp(registry->slots[at].id, id) != 0)
        at = (at + 1) & (registry->n_slots - 1);
    return &registry->slots[at];
}

static int grow(struct registry *registry)
{
    struct registered *old = registry->slots;
    size_t n = registry->n_slots;
    struct registered *slots = calloc(n * 2, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    registry->slots = slots;
    registry->n_slots = n * 2;
    for (size_t i = 0; i < n; i++)
        if (old[i].id[0])
            *slot_of(registry, old[i].id) = old[i];
    free(old);
    return 0;
}

struct registered *registry_find(struct registry *registry, const char *id)
{
    struct registered *slot = slot_of(registry, id);
    return slot->id[0] ? slot : NULL;
}

static void forget(struct registry *registry, struct registered *one)
{
    size_t mask = registry->n_slots - 1, hole = (size_t)(one - registry->slots);
    for (size_t at = (hole + 1) & mask; registry->slots[at].id[0]; at = (at + 1) & mask) {
        size_t home = home_of(registry, registry->slots[at].id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            registry->slots[hole] = registry->slots[at];
            hole = at;
        }
    }
    registry->slots[hole].id[0] = 0;
    registry->used--;
}

static int add(struct registry *registry, const char *id, struct registered **ret)
{
    if (registry->used * 2 >= registry->n_slots) {
        int r = grow(registry);
        if (r)
            return r;
    }
    struct registered *slot = slot_of(registry, id);
    if (!slot->id[0]) {
        *slot = (struct registered){ 0 };
        memcpy(slot->id, id, RECORDING_ID);
        registry->used++;
    }
    *ret = slot;
    return 0;
}

static void take_seal(struct registered *one, const Ipc__Seal *seal)
{
    one->seal = state_of(seal->state);
    one->entries = seal->entries;
    one->size = seal->size;
    one->tail = seal->tail;
    memset(one->tag, 0, sizeof one->tag);
    if (seal->tag.len == CHAIN_TAG)
        memcpy(one->tag, seal->tag.data, CHAIN_TAG);
}

int registry_take(struct registry *registry, const Ipc__AuditEvent *event, bool only_open)
{
    if (!recording_id_valid(event->recording))
        return 0;
    bool sealed = strcmp(event->event, "session_seal") == 0 && event->seal;
    bool expired = strcmp(event->event, "expired") == 0;
    if (!sealed && !expired && strcmp(event->event, "session_start") != 0)
        return 0;
    struct registered *one = NULL;
    int r = add(registry, event->recording, &one);
    if (r)
        return r;
    if (sealed)
        take_seal(one, event->seal);
    one->expired |= expired;
    if (only_open && (sealed || expired))
        forget(registry, one);
    return 0;
}

int registry_each(struct registry *registry, registry_visit *visit, void *owner)
{
    for (size_t i = 0; i < registry->n_slots; i++) {
        int r = registry->slots[i].id[0] ? visit(owner, &registry->slots[i]) : 0;
        if (r)
            return r;
    }
    return 0;
}
