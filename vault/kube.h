/* Logins at Kubernetes API servers: what a gate may ask for, and what is said of its user there. */
#pragma once
#include "base/buffer.h"
#include "vault/impersonate.h"
#include "vault/vault.h"

/* What a connector adds to each request. */
struct kube_grant {
    struct buffer headers; /* Impersonate-*; empty when the target impersonates nobody */
    char *user;            /* of Impersonate-User; NULL: nobody */
    enum sealed_type type; /* of the vault's entry */
};

bool target_is_kube(const Ipc__Target *target);

/* 0 when this may be asked for, with *ret. -EACCES: what the certificate says can't be told to the target,
 * with words for the person in detail; -EPROTO: no sane gate says that. */
MUST_USE int kube_grant_new(struct vault *vault, const Ipc__Target *target, const Ipc__AskLogin *asked,
                            const Ipc__Identity *identity, struct kube_grant **ret, struct detail *detail);
void kube_grant_free(struct kube_grant *grant);
DEFINE_CLEANUP(struct kube_grant *, kube_grant_free)
