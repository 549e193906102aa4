/* Bounded tokens: what the credential of a Kubernetes target gets from its API server (TokenRequest), so that
 * sessions never have the credential itself, not even in their connectors. Kept in memory, one for each
 * target. */
#pragma once
#include "vault/vault.h"

enum {
    BOUNDED_PERCENT = 80,        /* of its lifetime, in which it may begin requests */
    BOUNDED_LEAST_MS = 5 * 1000, /* with less left it is not given to a new connection */
};

struct bounded;
struct kube_grant;

/* What is there for the target now, made when it is not. credential: the stored secret, of that type; another
 * one than the token was made with, or another configuration, makes the token useless. When there is no token
 * (bounded_token() is NULL) one is being fetched in the name of that connection. Negative: no connector could
 * be sent; -EBUSY: try again. */
MUST_USE int bounded_get(struct vault *vault, const Ipc__Target *target, const struct secret *credential,
                         enum sealed_type type, uint64_t connection, struct bounded **ret);
/* NULL while it is fetched. *ret_usable_ms: for how long it may begin requests. */
const struct secret *bounded_token(const struct bounded *bounded, uint64_t *ret_usable_ms);
/* The errand waits: errand_go_on() or errand_give_up() ends that. */
void bounded_wait(struct bounded *bounded, struct errand *errand);
/* It does not any more. bounded may be NULL. */
void bounded_forget(struct bounded *bounded, struct errand *errand);
/* The configuration is another one: no token of before is used again. */
void bounded_renew(struct vault *vault);
void bounded_free_all(struct vault *vault);
