/* A hash table of sources. An entry exists while something is counted or a penalty runs; entries whose
 * penalty is over go when their chain is walked for a change. */
#include "server/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

struct source_of {
    struct source_of *next;
    struct limits_key key;
    unsigned counts[LIMITS_COUNTS];
    uint64_t penalty_until;
    bool out; /* the least penalty was reached, and is not over */
};

struct limits {
    struct source_of *buckets[BUCKETS];
    size_t sources;
};

struct limits_key limits_key_of(const struct sockaddr_storage *address)
{
    struct limits_key key = { .family = AF_INET };
    if (address->ss_family == AF_INET) {
        memcpy(key.bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return key;
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six)) {
        memcpy(key.bytes, &six->s6_addr[12], 4);
        return key;
    }
    key.family = AF_INET6;
    memcpy(key.bytes, six->s6_addr, 8);
    return key;
}

bool limits_is_exempt(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

int limits_new(struct limits **ret)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}

void limits_free(struct limits *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (limits->buckets[i]) {
            struct source_of *next = limits->buckets[i]->next;
            free(limits->buckets[i]);
            limits->buckets[i] = next;
        }
    }
    free(limits);
}

/* Whoever chose addresses to fall into one bucket would need that many addresses: FNV is enough. */
static size_t bucket_of(const struct limits_key *key)
{
    uint32_t hash = 2166136261u ^ key->family;
    for (size_t i = 0; i < sizeof key->bytes; i++)
        hash = (hash ^ key->bytes[i]) * 16777619u;
    return hash % BUCKETS;
}

static bool same_key(const struct limits_key *a, const struct limits_key *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static struct source_of *find(const struct limits *limits, const struct limits_key *key)
{
    struct source_of *source = limits->buckets[bucket_of(key)];
    while (source && !same_key(&source->key, key))
        source = source->next;
    return source;
}

static bool is_idle(const struct source_of *source, uint64_t now)
{
    for (size_t i = 0; i < LIMITS_COUNTS; i++)
        if (source->counts[i])
            return false;
    return source->penalty_until <= now;
}

static void drop_idle(struct limits *limits, size_t bucket, uint64_t now)
{
    for (struct source_of **slot = &limits->buckets[bucket]; *slot;) {
        struct source_of *source = *slot;
        if (!is_idle(source, now)) {
            slot = &source->next;
            continue;
        }
        *slot = source->next;
        limits->sources--;
        free(source);
    }
}

static struct source_of *find_or_add(struct limits *limits, const struct limits_key *key)
{
    struct source_of *source = find(limits, key);
    if (source || limits->sources >= LIMIT_SOURCES)
        return source;
    source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    size_t bucket = bucket_of(key);
    source->key = *key;
    source->next = limits->buckets[bucket];
    limits->buckets[bucket] = source;
    limits->sources++;
    return source;
}

bool limits_is_out(struct limits *limits, const struct limits_key *key, uint64_t now)
{
    drop_idle(limits, bucket_of(key), now);
    struct source_of *source = find(limits, key);
    if (source && source->penalty_until <= now)
        source->out = false;
    return source && source->out;
}

void limits_penalise(struct limits *limits, const struct limits_key *key, uint64_t ms, uint64_t now)
{
    drop_idle(limits, bucket_of(key), now);
    struct source_of *source = find_or_add(limits, key);
    if (!source)
        return;
    if (source->penalty_until < now) {
        source->penalty_until = now;
        source->out = false;
    }
    source->penalty_until += ms;
    if (source->penalty_until > now + PENALTY_MOST_MS)
        source->penalty_until = now + PENALTY_MOST_MS;
    if (source->penalty_until - now >= PENALTY_LEAST_MS)
        source->out = true;
}

void limits_count(struct limits *limits, const struct limits_key *key, enum limits_count which, int change)
{
    struct source_of *source = change > 0 ? find_or_add(limits, key) : find(limits, key);
    if (!source)
        return;
    if (change > 0)
        source->counts[which]++;
    else if (source->counts[which] > 0)
        source->counts[which]--;
    if (change < 0)
        drop_idle(limits, bucket_of(key), 0);
}

unsigned limits_counted(const struct limits *limits, const struct limits_key *key, enum limits_count which)
{
    const struct source_of *source = find(limits, key);
    return source ? source->counts[which] : 0;
}

bool limits_greatest(const struct limits *limits, enum limits_count which, struct limits_key *ret)
{
    unsigned most = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct source_of *source = limits->buckets[i]; source; source = source->next) {
            if (source->counts[which] > most) {
                most = source->counts[which];
                *ret = source->key;
            }
        }
    }
    return most > 0;
}
