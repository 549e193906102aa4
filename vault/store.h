/* The store's files, STATE/vault/{store,key,lock}: read by the vault process, written by `gatehouse vault`.
 */
#pragma once
#include "base/error.h"
#include "vault/sealed.h"

struct store;

enum store_fault {
    STORE_SEALED = 1, /* no key, a wrong key, or a damaged store */
    STORE_NO_ENTRY,
    STORE_WRONG_TYPE,
    STORE_BUSY, /* somebody else is writing */
};

/* Opens the directory STATE/vault, which must exist; reads nothing yet. */
MUST_USE int store_new(const char *state, struct store **ret, struct detail *detail);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free)

/* As root: hands directory and files to the vault's own uid, whoever made them. */
MUST_USE int store_claim(const struct store *store);
/* Reads the files unless they are the ones read last. A store that is not there yet is empty. 0, STORE_SEALED
 * or negative; after a failure nothing is held. */
MUST_USE int store_refresh(struct store *store, struct detail *detail);
/* Refreshes, and decrypts one entry. 0, a store_fault or negative. */
MUST_USE int store_get(struct store *store, const char *name, enum sealed_type type, struct secret **ret,
                       struct detail *detail);
/* Refreshes, and says of which type an entry is. 0, STORE_SEALED, STORE_NO_ENTRY or negative. */
MUST_USE int store_type(struct store *store, const char *name, enum sealed_type *ret, struct detail *detail);
/* Refreshes, and derives the key for one target's masks (sealed_mask_key). */
MUST_USE int store_mask_key(struct store *store, const char *target, struct secret **ret,
                            struct detail *detail);
/* Refreshes, and derives what the TLS CA is made from (sealed_tls_seed). */
MUST_USE int store_tls_seed(struct store *store, struct secret **ret, struct detail *detail);

/* ---- for the one who writes ---- */

/* Makes STATE/vault, a new key and an empty store; -EEXIST when there is a key already. */
MUST_USE int store_create(const char *state, struct detail *detail);
/* Keeps other writers out until store_free(); waits 5 s at most, then STORE_BUSY. Refreshes. */
MUST_USE int store_lock(struct store *store, struct detail *detail);
/* What store_refresh() read; the caller may change it while it holds the lock. */
struct sealed *store_sealed(struct store *store);
const struct secret *store_key(const struct store *store);
/* Replaces the file: after a crash the old or the new one is there, whole. */
MUST_USE int store_save(struct store *store, struct detail *detail);
/* A new key, and every entry sealed anew with it; at each moment the key file opens the store. */
MUST_USE int store_rekey(struct store *store, struct detail *detail);
