/* See kube.h. */
#include "vault/kube.h"

#include <errno.h>
#include <string.h>

bool target_is_kube(const Ipc__Target *target)
{
    return strcmp(target->kind, "kubernetes") == 0;
}

void kube_grant_free(struct kube_grant *grant)
{
    buffer_free(&grant->headers);
}

int kube_grant_new(struct vault *vault, const Ipc__Target *target, const Ipc__AskLogin *asked,
                   const Ipc__Identity *identity, struct kube_grant *ret, struct detail *detail)
{
    struct kube_grant grant = { .type = vault_kube_type(vault, target->credential) };
    int r = 0;

    if (asked->n_options > 0 || asked->login[0] || asked->command[0] || asked->ssh_public_key.len > 0)
        return detail_fail(detail, -EPROTO, "a login at an API server has no settings");
    buffer_init(&grant.headers, IMPERSONATE_BYTES_MAX);
    if (target->impersonate)
        r = impersonate_lines(target->impersonate, identity, &grant.headers, detail);
    if (r)
        kube_grant_free(&grant);
    else
        *ret = grant;
    return r;
}
