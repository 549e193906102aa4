/* Keys of the identity section: the one that certificates are signed with, and those of issuers that are not
 * fetched. Whoever verifies tokens gets public keys and nothing else: a private or a symmetric key in a JWKS
 * is refused here, since all processes that get the Config would have it. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "policy/certificate_signer.h"
#include "policy/config_file.h"
#include "policy/token.h"
#include "policy/mint.h"

static void json_free(json_t *json)
{
    json_decref(json);
}
DEFINE_CLEANUP(json_t *, json_free)

void config_file_signer(struct config_reader *reader, const struct config_node *place, const char *path,
                        const Ipc__Ca *public)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    CLEANUP(free) uint8_t *bytes = NULL;
    struct detail detail = { "" };
    size_t n = 0, public_n = 0;

    if (!config_file_contents(reader, place, path, CONFIG_PRIVATE_KEY, &bytes, &n))
        return;
    int r = certificate_signer_new(bytes, n, &signer, &detail);
    explicit_bzero(bytes, n);
    if (r) {
        if (r == -ENOMEM)
            reader->no_memory = true;
        else
            config_fault(reader, place, "%.300s: %.200s", path, detail.text);
        return;
    }
    const uint8_t *half = signer_public(signer, &public_n);
    if (public->blob.len && (public->blob.len != public_n || memcmp(public->blob.data, half, public_n) != 0))
        config_fault(reader, place, "%.300s.pub: this is another key's public half", path);
}

/* RFC 7518 §6: what only the owner of a key may know. */
static const char *private_fault(const json_t *key)
{
    static const char *const members[] = { "d", "p", "q", "dp", "dq", "qi", "oth" };
    const char *type = json_string_value(json_object_get(key, "kty"));

    if (!type)
        return "holds a key without \"kty\"";
    if (!strcmp(type, "oct") || json_object_get(key, "k"))
        return "holds a symmetric key: everybody who checks with it could sign with it";
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(key, members[i]))
            return "holds a private key: publish its public half alone";
    return NULL;
}

/* NULL, or what is wrong (static). */
static const char *jwks_fault(const json_t *jwks)
{
    const json_t *keys = json_object_get(jwks, "keys");
    size_t n = json_array_size(keys);

    if (!json_is_array(keys))
        return "this is no JWK set: {\"keys\":[…]} (RFC 7517)";
    if (n == 0)
        return "the JWK set holds no keys";
    if (n > TOKEN_KEYS_MAX)
        return "the JWK set holds too many keys";
    for (size_t i = 0; i < n; i++) {
        const char *wrong = private_fault(json_array_get(keys, i));
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* As the process will read it that verifies tokens. */
static bool is_read_by_issuer(struct config_reader *reader, const struct config_node *place, const char *path,
                              const uint8_t *bytes, size_t n)
{
    CLEANUP(jwks_free) struct jwks *keys = NULL;
    struct detail detail = { "" };

    int r = jwks_parse((const char *)bytes, n, &keys, &detail);
    if (r == -ENOMEM)
        reader->no_memory = true;
    else if (r)
        config_fault(reader, place, "%.300s: %.200s", path, detail.text);
    return r == 0;
}

void config_file_jwks(struct config_reader *reader, const struct config_node *place, const char *path,
                      Ipc__Issuer *issuer)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    json_error_t error;
    size_t n = 0;

    if (!config_file_contents(reader, place, path, CONFIG_OPEN_TEXT, &bytes, &n))
        return;
    if (n > TOKEN_JWKS_MAX) {
        config_fault(reader, place, "%.300s: more than %d KiB of keys", path, TOKEN_JWKS_MAX / 1024);
        return;
    }
    CLEANUP(json_free) json_t *jwks = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, &error);
    if (!jwks) {
        config_fault(reader, place, "%.300s: line %d: this is no JSON: %.100s", path, error.line, error.text);
        return;
    }
    const char *wrong = jwks_fault(jwks);
    if (wrong)
        config_fault(reader, place, "%.300s: %s", path, wrong);
    else if (is_read_by_issuer(reader, place, path, bytes, n))
        config_set(reader, &issuer->jwks, (const char *)bytes);
}

void config_file_issuer_key(struct config_reader *reader, const struct config_node *place, const char *path,
                            Ipc__Issuer *issuer)
{
    CLEANUP(mint_free) struct mint *mint = NULL;
    CLEANUP(free) uint8_t *bytes = NULL;
    struct detail detail = { "" };
    size_t n = 0;

    if (!config_file_contents(reader, place, path, CONFIG_PRIVATE_KEY, &bytes, &n))
        return;
    int r = mint_new(bytes, n, &mint, &detail);
    explicit_bzero(bytes, n);
    if (r == -ENOMEM)
        reader->no_memory = true;
    else if (r)
        config_fault(reader, place, "%.300s: %.200s", path, detail.text);
    else
        config_set(reader, &issuer->jwks, mint_jwks(mint));
}
