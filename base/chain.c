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

enum {
    PREFIX = 6,  /* u32 size, u16 head size */
    SMALL = 2048 /* bytes of an entry without its tag */
};

static void put_prefix(uint8_t prefix[PREFIX], size_t head_n, size_t body_n)
{
    uint32_t size = (uint32_t)(2 + head_n + body_n + CHAIN_TAG);
    for (int i = 0; i < 4; i++)
        prefix[i] = (uint8_t)(size >> (24 - 8 * i));
    prefix[4] = (uint8_t)(head_n >> 8);
    prefix[5] = (uint8_t)head_n;
}

/* What an entry leads to: its tag, and the key of the next one. */
struct proof {
    uint8_t tag[CHAIN_TAG], next[CHAIN_KEY];
};
_Static_assert(sizeof(struct proof) == CHAIN_TAG + CHAIN_KEY, "what BLAKE2b-384 gives");

/* The key that version 1 derives by a hash of its own; from version 2 on it is the rest of the tag's. */
static void derive_next(const struct chain *chain, struct proof *ret)
{
    static const uint8_t label[] = "gatehouse chain next";
    if (chain->version == CHAIN_V1)
        (void)crypto_generichash(ret->next, CHAIN_KEY, label, sizeof label - 1, chain->key, CHAIN_KEY);
}

static size_t hash_size(const struct chain *chain)
{
    return chain->version == CHAIN_V1 ? CHAIN_TAG : sizeof(struct proof);
}

static void prove(const struct chain *chain, const uint8_t prefix[PREFIX], const void *head, size_t head_n,
                  const void *body, size_t body_n, struct proof *ret)
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, chain->key, CHAIN_KEY, hash_size(chain));
    (void)crypto_generichash_update(&state, chain->last, CHAIN_TAG);
    (void)crypto_generichash_update(&state, prefix, PREFIX);
    (void)crypto_generichash_update(&state, head, head_n);
    if (body_n > 0)
        (void)crypto_generichash_update(&state, body, body_n);
    (void)crypto_generichash_final(&state, (uint8_t *)ret, hash_size(chain));
    derive_next(chain, ret);
}

static void move_on(struct chain *chain, struct proof *proof)
{
    memcpy(chain->key, proof->next, CHAIN_KEY);
    memcpy(chain->last, proof->tag, CHAIN_TAG);
    sodium_memzero(proof, sizeof *proof);
    chain->entries++;
}

void chain_start(struct chain *chain, enum chain_version version, const uint8_t key[CHAIN_KEY])
{
    /* Once is enough, and again does no harm; without it BLAKE2b runs in its portable, slow form. It fails
     * only where the system gives no random bytes, and there nothing of ours may run. */
    if (sodium_init() < 0)
        abort();
    *chain = (struct chain){ .version = version };
    memcpy(chain->key, key, CHAIN_KEY);
}

void chain_wipe(struct chain *chain)
{
    sodium_memzero(chain, sizeof *chain);
}

/* A short write is a full disk or a limit; the torn entry is told apart by its missing tag. */
static int written(ssize_t put, size_t size)
{
    if (put < 0)
        return -errno;
    return (size_t)put == size ? 0 : -ENOSPC;
}

/* Most entries are small: as one piece they are hashed and written faster than as four. */
static int append_small(struct chain *chain, int fd, const void *head, size_t head_n, const void *body,
                        size_t body_n)
{
    uint8_t bytes[CHAIN_TAG + SMALL + CHAIN_TAG], *entry = bytes + CHAIN_TAG;
    size_t n = PREFIX + head_n + body_n;
    struct proof proof;
    memcpy(bytes, chain->last, CHAIN_TAG);
    put_prefix(entry, head_n, body_n);
    memcpy(entry + PREFIX, head, head_n);
    if (body_n > 0)
        memcpy(entry + PREFIX + head_n, body, body_n);
    (void)crypto_generichash((uint8_t *)&proof, hash_size(chain), bytes, CHAIN_TAG + n, chain->key,
                             CHAIN_KEY);
    derive_next(chain, &proof);
    memcpy(entry + n, proof.tag, CHAIN_TAG);
    int r = written(write(fd, entry, n + CHAIN_TAG), n + CHAIN_TAG);
    if (r)
        return r;
    move_on(chain, &proof);
    return 0;
}

int chain_append(struct chain *chain, int fd, const void *head, size_t head_n, const void *body,
                 size_t body_n)
{
    if (head_n > CHAIN_HEAD_MAX || body_n > CHAIN_BODY_MAX)
        return -EMSGSIZE;
    if (PREFIX + head_n + body_n <= SMALL)
        return append_small(chain, fd, head, head_n, body, body_n);
    uint8_t prefix[PREFIX];
    struct proof proof;
    put_prefix(prefix, head_n, body_n);
    prove(chain, prefix, head, head_n, body, body_n, &proof);
    const struct iovec parts[] = {
        { prefix, PREFIX },
        { (void *)(uintptr_t)head, head_n },
        { (void *)(uintptr_t)body, body_n },
        { proof.tag, CHAIN_TAG },
    };
    int r = written(writev(fd, parts, 4), PREFIX + head_n + body_n + CHAIN_TAG);
    if (r)
        return r;
    move_on(chain, &proof);
    return 0;
}

int chain_check(struct chain *chain, const struct chain_entry *entry)
{
    uint8_t prefix[PREFIX];
    struct proof proof;
    put_prefix(prefix, entry->head_n, entry->body_n);
    prove(chain, prefix, entry->head, entry->head_n, entry->body, entry->body_n, &proof);
    if (sodium_memcmp(proof.tag, entry->tag, CHAIN_TAG) != 0)
        return CHAIN_FORGED;
    move_on(chain, &proof);
    return 0;
}
