/* What issuer_provider.c (one provider) and issuer_providers.c (all of a configuration's) share; nobody else
 * includes this. */
#pragma once
#include <stdbool.h>
#include "server/issuer_document.h"
#include "server/issuer_provider.h"

/* How old a document is, and may be. */
struct age {
    bool there;
    uint64_t since_ms, fresh_ms;
};

enum want { WANT_KEYS, WANT_ENDPOINTS };
enum phase { PHASE_IDLE, PHASE_DISCOVERY, PHASE_JWKS };

struct provider_wait {
    struct provider *provider;
    struct provider_wait *next;
    enum want want;
    bool due;     /* is told in this round */
    bool refresh; /* older keys than those that are being fetched are of no use */
    provider_keys_handler *keys;
    provider_endpoints_handler *endpoints;
    void *owner;
};

struct provider {
    struct providers *all;
    Ipc__Issuer *issuer; /* our copy */
    uint8_t *packed;     /* the same, to compare with */
    size_t packed_n;
    struct jwks *own;  /* of Issuer.jwks: never fetched */
    struct jwks *keys; /* fetched */
    struct discovery discovery;
    struct age keys_age, discovery_age;
    enum phase phase;
    struct fetch *fetch;
    uint64_t started_ms; /* when it began */
    struct timer *patience;
    bool wants_keys;       /* the fetch goes on to the JWKS */
    bool failed;           /* the last fetch */
    uint64_t tried_ms;     /* when that was over */
    bool refreshed;        /* because of an unknown kid, at all */
    uint64_t refreshed_ms; /* when that last began */
    struct detail why;     /* of the failure */
    bool kept;             /* by the configuration that is being taken over */
    struct provider_wait *waits, **last_wait;
};

struct providers {
    struct loop *loop;
    struct fetcher *fetcher;
    struct provider **list;
    size_t n;
};

MUST_USE int provider_new(struct providers *all, const Ipc__Issuer *issuer, struct provider **ret,
                          struct detail *detail);
void provider_free(struct provider *provider); /* its waits are forgotten */
DEFINE_CLEANUP(struct provider *, provider_free)
/* Fetches ahead of the first login what is missing; anew: whatever became of the last try. */
void provider_prefetch(struct provider *provider, bool anew);
/* It is not of the configuration any more: tells those who wait, then frees it. */
void provider_retire(struct provider *provider);
