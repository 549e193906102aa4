/* Where an issuer's keys come from: its own jwks, or discovery and JWKS fetched by the courier and kept. */
#pragma once
#include "base/ipc.h"
#include "policy/token.h"

enum {
    PROVIDER_FETCH_MS = 10 * 1000,        /* for one document */
    PROVIDER_AGE_MS = 60 * 60 * 1000,     /* after which keys are fetched anew, unless max-age says sooner */
    PROVIDER_STALE_MS = 24 * 3600 * 1000, /* for which keys serve on while the provider can't be reached */
    PROVIDER_REFRESH_MS = 10 * 1000,      /* between two fetches because of an unknown kid */
};

struct issuer;   /* server/issuer.h: the process */
struct provider; /* one per Config.issuers */
struct provider_wait;

/* keys: borrowed until the handler returns; NULL: there are none, and why tells the person. */
typedef void provider_keys_handler(void *owner, const struct jwks *keys, const char *why);

/* Calls the handler, perhaps at once, with the keys. refresh: those that were given before did not have the
 * kid, so newer ones are wanted, if it isn't too soon. *ret_wait (may be set to NULL) is for provider_forget
 * when the owner goes first. */
void provider_keys(struct provider *provider, bool refresh, provider_keys_handler *handler, void *owner,
                   struct provider_wait **ret_wait);
void provider_forget(struct provider_wait *wait);
