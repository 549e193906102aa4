/* All of a configuration's providers. A reload makes those anew whose configuration changed in any way, and
 * leaves the others, with their keys and whoever waits for them, as they are. */
#include "server/issuer_provider_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A courier came: what failed for want of one is tried again at once. */
static void linked(void *owner)
{
    struct providers *all = owner;
    for (size_t i = 0; i < all->n; i++)
        provider_prefetch(all->list[i], true);
}

int providers_new(struct loop *loop, struct fetcher *fetcher, struct providers **ret)
{
    struct providers *all = calloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    token_start();
    all->loop = loop;
    all->fetcher = fetcher;
    fetcher_on_link(fetcher, linked, all);
    *ret = all;
    return 0;
}

void providers_free(struct providers *all)
{
    if (!all)
        return;
    fetcher_on_link(all->fetcher, NULL, NULL);
    for (size_t i = 0; i < all->n; i++)
        provider_free(all->list[i]);
    free(all->list);
    free(all);
}

static struct provider *find_same(const struct providers *all, const struct provider *p)
{
    for (size_t i = 0; i < all->n; i++) {
        struct provider *old = all->list[i];
        if (old->packed_n == p->packed_n && memcmp(old->packed, p->packed, p->packed_n) == 0)
            return old;
    }
    return NULL;
}

/* Those of the new configuration, none of them in use yet; on failure none is left. */
static int make_list(struct providers *all, const Ipc__Config *config, struct provider ***ret,
                     struct detail *detail)
{
    struct provider **list = calloc(config->n_issuers + 1, sizeof(struct provider *));
    int r = list ? 0 : -ENOMEM;
    for (size_t i = 0; i < config->n_issuers && r == 0; i++)
        r = provider_new(all, config->issuers[i], &list[i], detail);
    if (r == 0) {
        *ret = list;
        return 0;
    }
    for (size_t i = 0; list && i < config->n_issuers; i++)
        provider_free(list[i]);
    free(list);
    return r;
}

int providers_take(struct providers *all, const Ipc__Config *config, struct detail *detail)
{
    struct provider **list = NULL;
    int r = make_list(all, config, &list, detail);
    if (r)
        return r;
    for (size_t i = 0; i < config->n_issuers; i++) {
        struct provider *old = find_same(all, list[i]);
        if (!old || old->kept)
            continue;
        old->kept = true;
        provider_free(list[i]);
        list[i] = old;
    }
    struct provider **before = all->list;
    size_t n = all->n;
    all->list = list;
    all->n = config->n_issuers;
    for (size_t i = 0; i < n; i++)
        if (!before[i]->kept)
            provider_retire(before[i]);
    free(before);
    for (size_t i = 0; i < all->n; i++) {
        all->list[i]->kept = false;
        provider_prefetch(all->list[i], false);
    }
    return 0;
}

struct provider *providers_find(struct providers *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->list[i]->issuer->name, name) == 0)
            return all->list[i];
    return NULL;
}

struct provider *providers_at(struct providers *all, size_t i)
{
    return i < all->n ? all->list[i] : NULL;
}
