/* The audit master key, and the keys that come from it (docs/recording-format.md §3). */
#pragma once
#include <stdint.h>
#include "base/chain.h"
#include "base/error.h"

struct keys; /* holds the master key in guarded memory */

/* Reads STATE/audit/key; initialises libsodium. Fails with detail when it is missing or is not 32 bytes. */
MUST_USE int keys_load(const char *state, struct keys **ret, struct detail *detail);
/* From 32 bytes, which are wiped. */
MUST_USE int keys_new(uint8_t master[CHAIN_KEY], struct keys **ret);
void keys_free(struct keys *keys);
DEFINE_CLEANUP(struct keys *, keys_free)

/* The first key of a recording. The caller wipes it: keys_wipe. */
void keys_recording(const struct keys *keys, const char *id, uint8_t ret[CHAIN_KEY]);
/* The first key of the audit chain. */
void keys_audit(const struct keys *keys, uint8_t ret[CHAIN_KEY]);
/* The MAC over STATE/audit/head. */
void keys_head_mac(const struct keys *keys, const void *bytes, size_t n, uint8_t ret[CHAIN_KEY]);
void keys_wipe(uint8_t key[CHAIN_KEY]);

/* Writes a new random key to STATE/audit/key (mode 0600); -EEXIST when there is one. For `gatehouse init`. */
MUST_USE int keys_create(const char *state, struct detail *detail);
