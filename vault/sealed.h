/* The sealed form of the vault's entries: bytes in, entries out, and back. No files here: see store.h.
 * Specified in docs/vault.md. */
#pragma once
#include "base/buffer.h"
#include "base/secret.h"

enum {
    SEALED_KEY = 32,               /* bytes of the vault key */
    SEALED_NAME_MAX = 128,         /* bytes of an entry's name */
    SEALED_SECRET_MAX = 64 * 1024, /* bytes of one secret */
    SEALED_ENTRIES_MAX = 4096,
    SEALED_FILE_MAX = 16 * 1024 * 1024, /* bytes of all entries together */
    SEALED_NONCE = 24,
    SEALED_TAG = 16,
};

enum sealed_type { SEALED_PASSWORD, SEALED_TOKEN, SEALED_SSH_KEY, SEALED_CLIENT_CERT, SEALED_TYPES };

enum sealed_fault {
    SEALED_MALFORMED = 1, /* not a store, or of a later version */
    SEALED_WRONG_KEY,     /* sealed with another key, or changed by somebody */
};

struct sealed_entry {
    char name[SEALED_NAME_MAX + 1];
    enum sealed_type type;
    uint64_t created_ms, updated_ms; /* unix */
    uint8_t nonce[SEALED_NONCE];
    uint8_t *box; /* the encrypted secret, with its tag */
    size_t box_n;
};

/* All entries, in order of their names; secrets stay encrypted in it. */
struct sealed {
    struct sealed_entry *entries;
    size_t count;
};

/* "password", "token", "ssh-key", "client-cert". */
const char *sealed_type_name(enum sealed_type type);
MUST_USE bool sealed_type_of(const char *name, enum sealed_type *ret);
/* Letters, digits and . _ - + @ / ; 1 to SEALED_NAME_MAX bytes; begins with a letter or digit. */
MUST_USE bool sealed_name_is_valid(const char *name);

MUST_USE int sealed_new(struct sealed **ret);
void sealed_free(struct sealed *sealed);
DEFINE_CLEANUP(struct sealed *, sealed_free)

/* Checks the whole and takes it apart. 0, a sealed_fault, or negative. */
MUST_USE int sealed_read(const uint8_t *bytes, size_t n, const struct secret *key, struct sealed **ret);
/* Appends the whole to out. */
MUST_USE int sealed_write(const struct sealed *sealed, const struct secret *key, struct buffer *out);

/* NULL when there is none of that name. */
const struct sealed_entry *sealed_find(const struct sealed *sealed, const char *name);
/* Adds, or replaces (created stays). -ENOSPC beyond SEALED_ENTRIES_MAX, -EINVAL for a bad name or length. */
MUST_USE int sealed_put(struct sealed *sealed, const struct secret *key, const char *name,
                        enum sealed_type type, const struct secret *value, uint64_t now_ms);
/* False when there was none. */
MUST_USE bool sealed_remove(struct sealed *sealed, const char *name);
/* Decrypts one. 0, SEALED_WRONG_KEY, or negative. */
MUST_USE int sealed_open(const struct sealed_entry *entry, const struct secret *key, struct secret **ret);
/* Encrypts every entry anew; unchanged on failure. */
MUST_USE int sealed_rekey(struct sealed *sealed, const struct secret *from, const struct secret *to);
/* The key by which one target's masked values are hashed (`with: hash`): SEALED_KEY bytes, the same as long
 * as the vault key is. */
MUST_USE int sealed_mask_key(const struct secret *key, const char *target, struct secret **ret);
/* What the CA of this bastion's TLS certificates is made from (vault/tls_ca.h): SEALED_KEY bytes, likewise.
 */
MUST_USE int sealed_tls_seed(const struct secret *key, struct secret **ret);
