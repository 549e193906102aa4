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
    if (!grant)
        return;
    buffer_free(&grant->headers);
    free(grant->user);
    free(grant);
}

/* The value of the first line, for the log. */
static char *user_of(const struct buffer *headers)
{
    const char *line = (const char *)buffer_head(headers);
    const char *value = memchr(line, ' ', buffer_size(headers));
    const char *end = memchr(line, '\r', buffer_size(headers));

    return value && end && value < end ? strndup(value + 1, (size_t)(end - value - 1)) : NULL;
}

static int impersonate(const Ipc__Target *target, const Ipc__Identity *identity, struct kube_grant *grant,
                       struct detail *detail)
{
    int r = impersonate_lines(target->impersonate, identity, &grant->headers, detail);

    if (r)
        return r;
    grant->user = user_of(&grant->headers);
    return grant->user ? 0 : -ENOMEM;
}

int kube_grant_new(struct vault *vault, const Ipc__Target *target, const Ipc__AskLogin *asked,
                   const Ipc__Identity *identity, struct kube_grant **ret, struct detail *detail)
{
    CLEANUP(kube_grant_free) struct kube_grant *grant = NULL;
    int r = 0;

    if (asked->n_options > 0 || asked->login[0] || asked->command[0] || asked->ssh_public_key.len > 0)
        return detail_fail(detail, -EPROTO, "a login at an API server has no settings");
    grant = calloc(1, sizeof(*grant));
    if (!grant)
        return -ENOMEM;
    grant->type = vault_kube_type(vault, target->credential);
    buffer_init(&grant->headers, IMPERSONATE_BYTES_MAX);
    if (target->impersonate)
        r = impersonate(target, identity, grant, detail);
    if (!r)
        *ret = STEAL(grant);
    return r;
}
