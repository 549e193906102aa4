/* An append-only file of entries, each authenticated by a key that moves on.
 *
 * entry = u32 size | u16 head size | head | body | tag[CHAIN_TAG]   (big-endian; size counts what follows it)
 * tag_i | key_{i+1} = BLAKE2b-keyed(key_i, tag_{i-1} | size | head size | head | body), tag_{-1} is all
 * zeroes; then key_i is wiped. In version 1 key_{i+1} = BLAKE2b-keyed(key_i, "gatehouse chain next").
 * Specified in docs/recording-format.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    CHAIN_KEY = 32,
    CHAIN_TAG = 16,
    CHAIN_HEAD_MAX = 60 * 1024,      /* bytes of one entry's head */
    CHAIN_BODY_MAX = 4 * 1024 * 1024 /* bytes of one entry's body; longer ones are split by the caller */
};

/* How keys move on. Files say which (docs/recording-format.md). */
enum chain_version { CHAIN_V1 = 1, CHAIN_V2 };

/* The moving end of a chain; embedded. */
struct chain {
    enum chain_version version;
    uint8_t key[CHAIN_KEY];
    uint8_t last[CHAIN_TAG];
    uint64_t entries; /* appended or checked so far */
};

/* Starts at entry 0 with the key that the ledger derived. The caller wipes its copy of the key. */
void chain_start(struct chain *chain, enum chain_version version, const uint8_t key[CHAIN_KEY]);
void chain_wipe(struct chain *chain);

/* Writes one entry to fd (O_APPEND) by one system call. Negative errno when not all of it was written:
 * the session must then stop. */
MUST_USE int chain_append(struct chain *chain, int fd, const void *head, size_t head_n, const void *body,
                          size_t body_n);

enum chain_fault {
    CHAIN_CUT = 1, /* the bytes end inside an entry */
    CHAIN_FORGED,  /* a size is impossible or a tag does not match */
};

/* What one entry holds; points into the bytes given. */
struct chain_entry {
    const uint8_t *head, *body;
    size_t head_n, body_n, size; /* size: bytes of the whole entry in the file */
    uint8_t tag[CHAIN_TAG];
};

/* Splits off the first entry, without checking its tag. 0 or a chain_fault. */
MUST_USE int chain_parse(const uint8_t *bytes, size_t n, struct chain_entry *ret);
/* Checks that the entry is the chain's next one, and moves on. 0 or CHAIN_FORGED. */
MUST_USE int chain_check(struct chain *chain, const struct chain_entry *entry);
