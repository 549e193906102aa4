/* The sealed form.
 *
 *   store = "gatehouse vault1" | u32 count | entry × count | tag[32]
 *   entry = string name | string type | u64 created | u64 updated | nonce[24] | string box
 *
 * box is XChaCha20-Poly1305 over the secret, with everything before the nonce as additional data: an entry's
 * secret can't be moved under another name or type. tag is keyed BLAKE2b over all that is before it: no entry
 * can be dropped, added or swapped for an older one of itself. The two keys are derived from the vault key.
 * Nonces are random, 192 bits: no counter to get wrong. Not prevented: putting back a whole older file
 * (docs/vault.md). */
#include "vault/sealed.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC = 16,
    FILE_TAG = 32,
    KDF_BOXES = 1,
    KDF_FILE = 2,
    KDF_MASKS = 3,
    KDF_TLS = 4,
    NAME_MAX_ON_WIRE = SEALED_NAME_MAX,
};

static const char magic[MAGIC + 1] = "gatehouse vault1";
static const char kdf_context[crypto_kdf_CONTEXTBYTES + 1] = "ghvault1";

_Static_assert(SEALED_KEY == crypto_kdf_KEYBYTES, "keys are derived from the vault key");
_Static_assert(SEALED_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(SEALED_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");

static const char *const type_names[SEALED_TYPES] = {
    [SEALED_PASSWORD] = "password",
    [SEALED_TOKEN] = "token",
    [SEALED_SSH_KEY] = "ssh-key",
    [SEALED_CLIENT_CERT] = "client-cert",
};

const char *sealed_type_name(enum sealed_type type)
{
    return type_names[type];
}

bool sealed_type_of(const char *name, enum sealed_type *ret)
{
    for (int i = 0; i < SEALED_TYPES; i++)
        if (strcmp(name, type_names[i]) == 0) {
            *ret = (enum sealed_type)i;
            return true;
        }
    return false;
}

bool sealed_name_is_valid(const char *name)
{
    static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@/";
    size_t n = strlen(name);

    return n > 0 && n <= SEALED_NAME_MAX && strspn(name, alphanumeric) > 0 && strspn(name, all) == n;
}

int sealed_new(struct sealed **ret)
{
    if (sodium_init() < 0)
        return -EIO;
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

void sealed_free(struct sealed *sealed)
{
    if (!sealed)
        return;
    for (size_t i = 0; i < sealed->count; i++)
        free(sealed->entries[i].box);
    free(sealed->entries);
    free(sealed);
}

static int derive(const struct secret *key, uint64_t number, struct secret **ret)
{
    CLEANUP(secret_free) struct secret *derived = NULL;
    int r;

    if (secret_size(key) != SEALED_KEY)
        return -EINVAL;
    r = secret_new(SEALED_KEY, &derived);
    if (r)
        return r;
    if (crypto_kdf_derive_from_key(secret_bytes(derived), SEALED_KEY, number, kdf_context,
                                   secret_bytes(key)) != 0)
        return -EINVAL;
    *ret = STEAL(derived);
    return 0;
}

static int file_tag(const uint8_t *bytes, size_t n, const struct secret *key, uint8_t out[FILE_TAG])
{
    CLEANUP(secret_free) struct secret *derived = NULL;
    int r = derive(key, KDF_FILE, &derived);

    if (r)
        return r;
    return crypto_generichash(out, FILE_TAG, bytes, n, secret_bytes(derived), SEALED_KEY) == 0 ? 0 : -EIO;
}

int sealed_mask_key(const struct secret *key, const char *target, struct secret **ret)
{
    CLEANUP(secret_free) struct secret *derived = NULL, *of_target = NULL;
    int r = derive(key, KDF_MASKS, &derived);

    if (!r)
        r = secret_new(SEALED_KEY, &of_target);
    if (r)
        return r;
    if (crypto_generichash(secret_bytes(of_target), SEALED_KEY, (const unsigned char *)target, strlen(target),
                           secret_bytes(derived), SEALED_KEY) != 0)
        return -EIO;
    *ret = STEAL(of_target);
    return 0;
}

int sealed_tls_seed(const struct secret *key, struct secret **ret)
{
    return derive(key, KDF_TLS, ret);
}

/* What an entry's box is bound to, as it stands in the file. */
static int put_head(const struct sealed_entry *entry, struct buffer *out)
{
    const char *type = type_names[entry->type];
    int r = buffer_put_string(out, entry->name, strlen(entry->name));

    if (!r)
        r = buffer_put_string(out, type, strlen(type));
    if (!r)
        r = buffer_put_u64(out, entry->created_ms);
    if (!r)
        r = buffer_put_u64(out, entry->updated_ms);
    return r;
}

/* ---- reading ---- */

static bool read_text(struct reader *r, char *out, size_t max)
{
    struct reader text;
    size_t n;

    if (!reader_string(r, &text))
        return false;
    n = reader_left(&text);
    if (n > max || memchr(text.next, '\0', n))
        return false;
    memcpy(out, text.next, n);
    out[n] = '\0';
    return true;
}

static bool read_entry(struct reader *r, struct sealed_entry *entry)
{
    char type[16];
    struct reader box;
    const uint8_t *nonce;

    if (!read_text(r, entry->name, NAME_MAX_ON_WIRE) || !sealed_name_is_valid(entry->name) ||
        !read_text(r, type, sizeof(type) - 1) || !sealed_type_of(type, &entry->type) ||
        !reader_u64(r, &entry->created_ms) || !reader_u64(r, &entry->updated_ms) ||
        !reader_bytes(r, SEALED_NONCE, &nonce) || !reader_string(r, &box))
        return false;
    memcpy(entry->nonce, nonce, SEALED_NONCE);
    entry->box_n = reader_left(&box);
    if (entry->box_n <= SEALED_TAG || entry->box_n > SEALED_SECRET_MAX + SEALED_TAG)
        return false;
    entry->box = malloc(entry->box_n);
    if (entry->box)
        memcpy(entry->box, box.next, entry->box_n);
    return entry->box != NULL;
}

static int read_entries(struct reader *r, struct sealed *sealed)
{
    uint32_t count;

    if (!reader_u32(r, &count) || count > SEALED_ENTRIES_MAX)
        return SEALED_MALFORMED;
    sealed->entries = calloc(count ? count : 1, sizeof(struct sealed_entry));
    if (!sealed->entries)
        return -ENOMEM;
    while (sealed->count < count) {
        struct sealed_entry *entry = &sealed->entries[sealed->count];

        if (!read_entry(r, entry))
            return SEALED_MALFORMED;
        sealed->count++;
        if (entry > sealed->entries && strcmp(entry[-1].name, entry->name) >= 0)
            return SEALED_MALFORMED;
    }
    return reader_done(r) ? 0 : SEALED_MALFORMED;
}

int sealed_read(const uint8_t *bytes, size_t n, const struct secret *key, struct sealed **ret)
{
    CLEANUP(sealed_free) struct sealed *sealed = NULL;
    uint8_t tag[FILE_TAG];
    struct reader r;
    int fault;

    if (n < MAGIC + FILE_TAG || n > SEALED_FILE_MAX || memcmp(bytes, magic, MAGIC) != 0)
        return SEALED_MALFORMED;
    fault = sealed_new(&sealed);
    if (!fault)
        fault = file_tag(bytes, n - FILE_TAG, key, tag);
    if (fault)
        return fault;
    if (sodium_memcmp(tag, bytes + n - FILE_TAG, FILE_TAG) != 0)
        return SEALED_WRONG_KEY;
    r = reader_of(bytes + MAGIC, n - MAGIC - FILE_TAG);
    fault = read_entries(&r, sealed);
    if (!fault)
        *ret = STEAL(sealed);
    return fault;
}

/* ---- writing ---- */

static int put_entry(const struct sealed_entry *entry, struct buffer *out)
{
    int r = put_head(entry, out);

    if (!r)
        r = buffer_append(out, entry->nonce, SEALED_NONCE);
    if (!r)
        r = buffer_put_string(out, entry->box, entry->box_n);
    return r;
}

int sealed_write(const struct sealed *sealed, const struct secret *key, struct buffer *out)
{
    uint8_t tag[FILE_TAG];
    size_t before = buffer_size(out);
    int r = buffer_append(out, magic, MAGIC);

    if (!r)
        r = buffer_put_u32(out, (uint32_t)sealed->count);
    for (size_t i = 0; !r && i < sealed->count; i++)
        r = put_entry(&sealed->entries[i], out);
    if (!r)
        r = file_tag(buffer_head(out) + before, buffer_size(out) - before, key, tag);
    return r ? r : buffer_append(out, tag, sizeof(tag));
}

/* ---- entries ---- */

/* Where the name is, or would be. */
static size_t place_of(const struct sealed *sealed, const char *name, bool *ret_found)
{
    size_t i = 0;

    while (i < sealed->count && strcmp(sealed->entries[i].name, name) < 0)
        i++;
    *ret_found = i < sealed->count && strcmp(sealed->entries[i].name, name) == 0;
    return i;
}

const struct sealed_entry *sealed_find(const struct sealed *sealed, const char *name)
{
    bool found;
    size_t place = place_of(sealed, name, &found);

    return found ? &sealed->entries[place] : NULL;
}

/* Encrypts value into entry->box under a new nonce. */
static int close_box(struct sealed_entry *entry, const struct secret *key, const struct secret *value)
{
    CLEANUP(secret_free) struct secret *derived = NULL;
    struct buffer head;
    uint8_t *box = NULL;
    int r = derive(key, KDF_BOXES, &derived);

    buffer_init(&head, 2 * SEALED_NAME_MAX);
    if (!r)
        r = put_head(entry, &head);
    if (!r) {
        box = malloc(secret_size(value) + SEALED_TAG);
        r = box ? 0 : -ENOMEM;
    }
    if (!r) {
        randombytes_buf(entry->nonce, SEALED_NONCE);
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, secret_bytes(value), secret_size(value),
                                                         buffer_head(&head), buffer_size(&head), NULL,
                                                         entry->nonce, secret_bytes(derived));
        free(entry->box);
        entry->box = box;
        entry->box_n = secret_size(value) + SEALED_TAG;
    }
    buffer_free(&head);
    return r;
}

int sealed_open(const struct sealed_entry *entry, const struct secret *key, struct secret **ret)
{
    CLEANUP(secret_free) struct secret *derived = NULL;
    CLEANUP(secret_free) struct secret *value = NULL;
    struct buffer head;
    int r = derive(key, KDF_BOXES, &derived);

    buffer_init(&head, 2 * SEALED_NAME_MAX);
    if (!r)
        r = put_head(entry, &head);
    if (!r)
        r = secret_new(entry->box_n - SEALED_TAG, &value);
    if (!r && crypto_aead_xchacha20poly1305_ietf_decrypt(secret_bytes(value), NULL, NULL, entry->box,
                                                         entry->box_n, buffer_head(&head), buffer_size(&head),
                                                         entry->nonce, secret_bytes(derived)) != 0)
        r = SEALED_WRONG_KEY;
    buffer_free(&head);
    if (!r)
        *ret = STEAL(value);
    return r;
}

/* Makes room for a new entry at the place. */
static int insert(struct sealed *sealed, size_t place, const struct sealed_entry *entry)
{
    struct sealed_entry *longer;

    if (sealed->count == SEALED_ENTRIES_MAX)
        return -ENOSPC;
    longer = reallocarray(sealed->entries, sealed->count + 1, sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    sealed->entries = longer;
    memmove(longer + place + 1, longer + place, (sealed->count - place) * sizeof(*longer));
    longer[place] = *entry;
    sealed->count++;
    return 0;
}

int sealed_put(struct sealed *sealed, const struct secret *key, const char *name, enum sealed_type type,
               const struct secret *value, uint64_t now_ms)
{
    struct sealed_entry entry = { .type = type, .created_ms = now_ms, .updated_ms = now_ms };
    bool found;
    size_t place;
    int r;

    if (!sealed_name_is_valid(name) || secret_size(value) == 0 || secret_size(value) > SEALED_SECRET_MAX)
        return -EINVAL;
    place = place_of(sealed, name, &found);
    memcpy(entry.name, name, strlen(name) + 1);
    if (found)
        entry.created_ms = sealed->entries[place].created_ms;
    r = close_box(&entry, key, value);
    if (!r && found) {
        free(sealed->entries[place].box);
        sealed->entries[place] = entry;
        return 0;
    }
    if (!r)
        r = insert(sealed, place, &entry);
    if (r)
        free(entry.box);
    return r;
}

bool sealed_remove(struct sealed *sealed, const char *name)
{
    bool found;
    size_t place = place_of(sealed, name, &found);

    if (!found)
        return false;
    free(sealed->entries[place].box);
    sealed->count--;
    memmove(sealed->entries + place, sealed->entries + place + 1,
            (sealed->count - place) * sizeof(struct sealed_entry));
    return true;
}

static int reseal(struct sealed_entry *entry, const struct sealed_entry *old, const struct secret *from,
                  const struct secret *to)
{
    CLEANUP(secret_free) struct secret *value = NULL;
    int r = sealed_open(old, from, &value);

    *entry = *old;
    entry->box = NULL;
    return r ? r : close_box(entry, to, value);
}

int sealed_rekey(struct sealed *sealed, const struct secret *from, const struct secret *to)
{
    CLEANUP(sealed_free) struct sealed *fresh = NULL;
    struct sealed swap;
    int r = sealed_new(&fresh);

    if (r)
        return r;
    fresh->entries = calloc(sealed->count ? sealed->count : 1, sizeof(struct sealed_entry));
    if (!fresh->entries)
        return -ENOMEM;
    for (; !r && fresh->count < sealed->count; fresh->count++)
        r = reseal(&fresh->entries[fresh->count], &sealed->entries[fresh->count], from, to);
    if (r)
        return r;
    swap = *sealed;
    *sealed = *fresh;
    *fresh = swap;
    return 0;
}
