/* The store's decoder, behind its tag: the bytes are given the right one, so that what is inside gets read.
 */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "vault/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { TAG = 32 };

static const struct secret *fixed_key(void)
{
    static struct secret *key;

    if (!key && secret_new(SEALED_KEY, &key) != 0)
        abort();
    return key;
}

/* As docs/vault.md says. */
static void put_tag(uint8_t *bytes, size_t n)
{
    uint8_t derived[32];

    crypto_kdf_derive_from_key(derived, sizeof(derived), 2, "ghvault1", secret_bytes(fixed_key()));
    crypto_generichash(bytes + n, TAG, bytes, n, derived, sizeof(derived));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(sealed_free) struct sealed *sealed = NULL;
    CLEANUP(free) uint8_t *copy = malloc(n + TAG);
    struct secret *value = NULL;
    struct buffer again;

    if (!copy)
        return 0;
    memcpy(copy, bytes, n);
    put_tag(copy, n);
    if (sealed_read(copy, n + TAG, fixed_key(), &sealed) != 0)
        return 0;
    for (size_t i = 0; i < sealed->count; i++)
        if (sealed_open(&sealed->entries[i], fixed_key(), &value) == 0)
            secret_free(STEAL(value));
    /* What reads must write back as it was: there is one form of everything. */
    buffer_init(&again, SEALED_FILE_MAX);
    if (sealed_write(sealed, fixed_key(), &again) != 0 || buffer_size(&again) != n + TAG ||
        memcmp(buffer_head(&again), copy, n + TAG) != 0)
        abort();
    buffer_free(&again);
    return 0;
}
