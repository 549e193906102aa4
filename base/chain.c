/* The key of an entry is gone once the entry is written: whoever takes over the process later can append, but
 * can't change or remove what stands before without it showing (a forward-secure MAC chain, as in
 * Schneier and Kelsey, "Secure Audit Logs to Support Computer Forensics"). */
#include "base/chain.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PREFIX = 6 }; /* u32 size, u16 head size */

static void put_prefix(uint8_t prefix[PREFIX], size_t head_n, size_t body_n)
{
    uint32_t size = (uint32_t)(2 + head_n + body_n + CHAIN_TAG);
    for (int i = 0; i < 4; i++)
        prefix[i] = (uint8_t)(size >> (24 - 8 * i));
    prefix[4] = (uint8_t)(head_n >> 8);
    prefix[5] = (uint8_t)head_n;
}

static void compute_tag(const struct chain *chain, const uint8_t prefix[PREFIX], const void *head,
                        size_t head_n, const void *body, size_t body_n, uint8_t tag[CHAIN_TAG])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, chain->key, CHAIN_KEY, CHAIN_TAG);
    (void)crypto_generichash_update(&state, chain->last, CHAIN_TAG);
    (void)crypto_generichash_update(&state, prefix, PREFIX);
    (void)crypto_generichash_update(&state, head, head_n);
    if (body_n > 0)
        (void)crypto_generichash_update(&state, body, body_n);
    (void)crypto_generichash_final(&state, tag, CHAIN_TAG);
}

static void move_on(struct chain *chain, const uint8_t tag[CHAIN_TAG])
{
    static const uint8_t label[] = "gatehouse chain next";
    uint8_t next[CHAIN_KEY];
    (void)crypto_generichash(next, sizeof next, label, sizeof label - 1, chain->key, CHAIN_KEY);
    memcpy(chain->key, next, CHAIN_KEY);
    sodium_memzero(next, sizeof next);
    memcpy(chain->last, tag, CHAIN_TAG);
    chain->entries++;
}

void chain_start(struct chain *chain, const uint8_t key[CHAIN_KEY])
{
    /* Once is enough, and again does no harm; without it BLAKE2b runs in its portable, slow form. It fails
     * only where the system gives no random bytes, and there nothing of ours may run. */
    if (sodium_init() < 0)
        abort();
    *chain = (struct chain){ .entries = 0 };
    memcpy(chain->key, key, CHAIN_KEY);
}

void chain_wipe(struct chain *chain)
{
    sodium_memzero(chain, sizeof *chain);
}

int chain_append(struct chain *chain, int fd, const void *head, size_t head_n, const void *body,
                 size_t body_n)
{
    if (head_n > CHAIN_HEAD_MAX || body_n > CHAIN_BODY_MAX)
        return -EMSGSIZE;
    uint8_t prefix[PREFIX], tag[CHAIN_TAG];
    put_prefix(prefix, head_n, body_n);
    compute_tag(chain, prefix, head, head_n, body, body_n, tag);
    const struct iovec parts[] = {
        { prefix, PREFIX },
        { (void *)(uintptr_t)head, head_n },
        { (void *)(uintptr_t)body, body_n },
        { tag, CHAIN_TAG },
    };
    ssize_t put = writev(fd, parts, 4);
    if (put < 0)
        return -errno;
    /* A short write is a full disk or a limit; the torn entry is told apart by its missing tag. */
    if ((size_t)put != PREFIX + head_n + body_n + CHAIN_TAG)
        return -ENOSPC;
    move_on(chain, tag);
    return 0;
}

int chain_check(struct chain *chain, const struct chain_entry *entry)
{
    uint8_t prefix[PREFIX], tag[CHAIN_TAG];
    put_prefix(prefix, entry->head_n, entry->body_n);
    compute_tag(chain, prefix, entry->head, entry->head_n, entry->body, entry->body_n, tag);
    if (sodium_memcmp(tag, entry->tag, CHAIN_TAG) != 0)
        return CHAIN_FORGED;
    move_on(chain, tag);
    return 0;
}
