/* Where an issuer's keys come from: its own jwks, or discovery and JWKS fetched by the courier and kept. */
#pragma once
#include "base/ipc.h"
#include "policy/token.h"
#include "server/issuer_fetch.h"

enum {
    PROVIDER_FETCH_MS = 10 * 1000, /* for one document */
    PROVIDER_AGE_MS =
        60 * 60 * 1000, /* after which a document is fetched anew, unless max-age says otherwise */
    PROVIDER_AGE_MIN_MS = 60 * 1000, /* whatever max-age says */
    PROVIDER_AGE_MAX_MS = 24 * 3600 * 1000,
    PROVIDER_STALE_MS = 24 * 3600 * 1000, /* beyond its age: for which a document serves on while the provider
                                             can't be reached */
    PROVIDER_REFRESH_MS = 10 * 1000, /* between two fetches because of an unknown kid, or after a failure */
    PROVIDER_PATIENCE_MS = 3 * 1000, /* for which newer keys are waited for while older ones are of use */
    PROVIDER_WAIT_MS = 2 * (PROVIDER_FETCH_MS + FETCH_GRACE_MS), /* the longest that a wait lasts */
};

struct providers; /* all of a configuration's */
struct provider;  /* one per Config.issuers */
struct provider_wait;

/* ---- all of them ---- */

/* fetcher is borrowed. Starts without any provider. */
MUST_USE int providers_new(struct loop *loop, struct fetcher *fetcher, struct providers **ret);
/* Waits that are open are forgotten. */
void providers_free(struct providers *providers);
DEFINE_CLEANUP(struct providers *, providers_free)
/* At the start and at each reload. Copies what it needs. Providers whose configuration did not change keep
 * their keys; waits for one that is gone are told so. Then fetches, ahead of the first login, what is missing
 * (as soon as the courier is there; this returns at once). -EINVAL with detail: some jwks is none; everything
 * is then as before. */
MUST_USE int providers_take(struct providers *providers, const Ipc__Config *config, struct detail *detail);
/* By Issuer.name; NULL when there is none. Valid until the next providers_take(). */
struct provider *providers_find(struct providers *providers, const char *name);
/* In the configuration's order; NULL behind the last. */
struct provider *providers_at(struct providers *providers, size_t i);

/* ---- one ---- */

/* keys: borrowed until the handler returns; NULL: there are none, and why tells the person. */
typedef void provider_keys_handler(void *owner, const struct jwks *keys, const char *why);

/* Calls the handler, perhaps at once, with the keys. refresh: those that were given before did not have the
 * kid, so newer ones are wanted, if it isn't too soon. *ret_wait (NULL when the handler was called already)
 * is for provider_forget when the owner goes first. */
void provider_keys(struct provider *provider, bool refresh, provider_keys_handler *handler, void *owner,
                   struct provider_wait **ret_wait);
/* Instead of being called. NULL is taken. */
void provider_forget(struct provider_wait *wait);

/* What device logins need to know of a provider; borrowed until the handler returns. */
struct provider_endpoints {
    const char *device_authorization;
    const char *token;
};
/* endpoints: NULL, and why, when discovery failed or names none. As provider_keys(). */
typedef void provider_endpoints_handler(void *owner, const struct provider_endpoints *endpoints,
                                        const char *why);
void provider_endpoints(struct provider *provider, provider_endpoints_handler *handler, void *owner,
                        struct provider_wait **ret_wait);
/* Its configuration, as long as the provider itself. */
const Ipc__Issuer *provider_issuer(const struct provider *provider);
