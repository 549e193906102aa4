/* The canonical encoding. Everything that has no fixed size is preceded by it, and every list by its count,
 * so no two requests have the same bytes; nothing is left out when it is empty. The ABNF is in
 * docs/approvals.md. */
#include "policy/approval_digest.h"
#include <errno.h>
#include <stdlib.h>

#include <sodium.h>
#include <string.h>

_Static_assert(APPROVAL_DIGEST == crypto_hash_sha256_BYTES, "the digest is SHA-256");

static const char magic[] = "gatehouse approval 1"; /* with its NUL */

static void put_u32(crypto_hash_sha256_state *hash, size_t v)
{
    const uint8_t bytes[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    crypto_hash_sha256_update(hash, bytes, sizeof bytes);
}

static void put_bytes(crypto_hash_sha256_state *hash, const void *bytes, size_t n)
{
    put_u32(hash, n);
    if (n)
        crypto_hash_sha256_update(hash, bytes, n);
}

static void put_text(crypto_hash_sha256_state *hash, const char *text)
{
    put_bytes(hash, text, strlen(text));
}

static void put_value(crypto_hash_sha256_state *hash, const Ipc__ApprovalValue *value)
{
    put_u32(hash, value->null ? 1 : 0);
    put_u32(hash, value->type);
    put_u32(hash, value->format);
    put_bytes(hash, value->value.data, value->value.len);
}

void approval_digest(const struct approval_subject *subject, const Ipc__ApprovalContent *content,
                     uint8_t ret[APPROVAL_DIGEST])
{
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, (const uint8_t *)magic, sizeof magic);
    put_text(&hash, subject->kind);
    put_text(&hash, subject->identity);
    put_text(&hash, subject->actor);
    put_text(&hash, subject->target);
    put_text(&hash, subject->login);
    put_text(&hash, subject->policy);
    put_bytes(&hash, content->statement.data, content->statement.len);
    put_u32(&hash, content->n_values);
    for (size_t i = 0; i < content->n_values; i++)
        put_value(&hash, content->values[i]);
    put_u32(&hash, content->n_effects);
    for (size_t i = 0; i < content->n_effects; i++)
        put_text(&hash, content->effects[i]);
    put_u32(&hash, content->n_context);
    for (size_t i = 0; i < content->n_context; i++) {
        put_text(&hash, content->context[i]->name);
        put_text(&hash, content->context[i]->value);
    }
    crypto_hash_sha256_final(&hash, ret);
}

char *approval_digest_text(const uint8_t digest[APPROVAL_DIGEST], char out[2 * APPROVAL_DIGEST + 1])
{
    return sodium_bin2hex(out, 2 * APPROVAL_DIGEST + 1, digest, APPROVAL_DIGEST);
}

int approval_pack(const Ipc__ApprovalContent *content, uint8_t **ret, size_t *ret_n)
{
    size_t n = ipc__approval_content__get_packed_size(content);
    if (n > APPROVAL_CONTENT_MAX)
        return APPROVAL_TOO_LARGE;
    uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return -ENOMEM;
    (void)ipc__approval_content__pack(content, bytes);
    *ret = bytes;
    *ret_n = n;
    return 0;
}
