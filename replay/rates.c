/* A slot for each second of the last minute and the one that runs: no minute, wherever it begins, has more
 * statements than the rule allows, and each costs the same few bytes however many there are. The running
 * second counts as a whole, so the window is up to a second longer than a minute. */
#include "replay/rates.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = RATES_SECONDS + 1 };

struct rate {
    char *key; /* identity, target and rule, each with its NUL */
    size_t key_n;
    uint64_t last_s;       /* what the newest slot stands for */
    uint32_t slots[SLOTS]; /* by second modulo SLOTS */
};

struct rates {
    void *tree; /* of struct rate, by key */
    size_t count;
    uint64_t swept_s;
};

static int compare(const void *a, const void *b)
{
    const struct rate *x = a, *y = b;
    size_t n = x->key_n < y->key_n ? x->key_n : y->key_n;
    int r = memcmp(x->key, y->key, n);
    return r != 0 ? r : (x->key_n > y->key_n) - (x->key_n < y->key_n);
}

static void rate_free(void *entry)
{
    struct rate *rate = entry;
    if (rate)
        free(rate->key);
    free(rate);
}

int rates_new(struct rates **ret)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}

void rates_free(struct rates *rates)
{
    if (rates)
        tdestroy(rates->tree, rate_free);
    free(rates);
}

static int make_key(const char *identity, const char *target, const char *rule, struct rate *ret)
{
    const char *const parts[] = { identity, target, rule };
    size_t n = 0;
    for (size_t i = 0; i < 3; i++)
        n += strlen(parts[i]) + 1;
    char *at = ret->key = malloc(n);
    if (!at)
        return -ENOMEM;
    ret->key_n = n;
    for (size_t i = 0; i < 3; i++)
        at = stpcpy(at, parts[i]) + 1;
    return 0;
}

/* ---- what is a minute old is forgotten ---- */

struct sweep {
    uint64_t now_s;
    struct rate *old;
};

static void find_old(const void *node, VISIT visit, void *owner)
{
    struct sweep *sweep = owner;
    struct rate *rate = *(struct rate *const *)node;
    if ((visit == postorder || visit == leaf) && !sweep->old && rate->last_s + SLOTS <= sweep->now_s)
        sweep->old = rate;
}

/* Where all places are taken, once in a second at most. */
static void make_room(struct rates *rates, uint64_t now_s)
{
    enum { AT_ONCE = 64 };
    if (rates->count < RATES_MAX || rates->swept_s == now_s)
        return;
    rates->swept_s = now_s;
    for (int i = 0; i < AT_ONCE; i++) {
        struct sweep sweep = { now_s, NULL };
        twalk_r(rates->tree, find_old, &sweep);
        if (!sweep.old)
            return;
        tdelete(sweep.old, &rates->tree, compare);
        rate_free(sweep.old);
        rates->count--;
    }
}

/* NULL without memory, or (*ret_full) without a place. */
static struct rate *find_or_make(struct rates *rates, const char *identity, const char *target,
                                 const char *rule, uint64_t now_s, bool *ret_full)
{
    struct rate *rate = calloc(1, sizeof *rate);
    *ret_full = false;
    if (!rate || make_key(identity, target, rule, rate)) {
        free(rate);
        return NULL;
    }
    struct rate *const *found = tfind(rate, &rates->tree, compare);
    if (!found) {
        make_room(rates, now_s);
        *ret_full = rates->count >= RATES_MAX;
        found = *ret_full ? NULL : tsearch(rate, &rates->tree, compare);
        if (found)
            rates->count++;
    }
    struct rate *known = found ? *found : NULL;
    if (known != rate)
        rate_free(rate);
    return known;
}

/* ---- counting ---- */

static void move_on(struct rate *rate, uint64_t now_s)
{
    if (now_s - rate->last_s >= SLOTS)
        memset(rate->slots, 0, sizeof rate->slots);
    for (uint64_t s = rate->last_s + 1; s <= now_s && now_s - rate->last_s < SLOTS; s++)
        rate->slots[s % SLOTS] = 0;
    rate->last_s = now_s;
}

/* Seconds until there is room; 0: now. */
static uint32_t wait_of(const struct rate *rate, const Ipc__StatementUse *use)
{
    uint64_t sum = use->statements;
    for (size_t i = 0; i < SLOTS; i++)
        sum += rate->slots[i];
    /* The oldest slot is the one behind the newest, and the first to go. */
    uint32_t wait = 0;
    for (; sum > use->per_minute && wait < SLOTS; wait++)
        sum -= rate->slots[(rate->last_s + 1 + wait) % SLOTS];
    return wait;
}

int rates_take(struct rates *rates, const char *identity, const Ipc__AskStatements *ask, uint64_t now_s,
               const char **ret_rule, uint32_t *ret_wait_s)
{
    struct rate *taken[RATES_USES_MAX];
    *ret_wait_s = 0;
    for (size_t i = 0; i < ask->n_uses && i < RATES_USES_MAX; i++) {
        bool full = false;
        taken[i] = find_or_make(rates, identity, ask->target, ask->uses[i]->rule, now_s, &full);
        if (!taken[i] && !full)
            return -ENOMEM;
        if (taken[i])
            move_on(taken[i], now_s);
        uint32_t wait = full ? RATES_SECONDS : wait_of(taken[i], ask->uses[i]);
        if (wait > *ret_wait_s) {
            *ret_wait_s = wait;
            *ret_rule = ask->uses[i]->rule;
        }
    }
    for (size_t i = 0; *ret_wait_s == 0 && i < ask->n_uses && i < RATES_USES_MAX; i++)
        taken[i]->slots[now_s % SLOTS] += ask->uses[i]->statements;
    return *ret_wait_s ? RATES_FULL : 0;
}
