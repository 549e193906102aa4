/* Whatever somebody sends as a token, a provider as its keys, or a client inside of an OpenPubkey
 * certificate.
 *
 * The first byte says what the rest is. Parts are given as plain text between NUL bytes and encoded here, so
 * that most inputs get past base64url; the text itself is tried as well. */
#include <stdlib.h>
#include <string.h>
#include "policy/claims.h"
#include "policy/openpubkey.h"
#include "policy/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { PARTS_MAX = 5, PART_MAX = 8 * 1024, NOW = 1700000000 };

static const char keys_text[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"cvqyUFNs1OUdRcDSmzJfS7ynuTHAjlDqoeinCZy_r1Q\","
    "\"y\":\"Whl5jJUIz7ujFvlB5Hzhaz6DIlpyWQmIIA3J7VMj53o\"}]}";

static Ipc__Config config = IPC__CONFIG__INIT;
static Ipc__Issuer issuer = IPC__ISSUER__INIT;
static struct jwks *keys;

static void configure(void)
{
    static char *audiences[] = { (char *)"g" }, *globs[] = { (char *)"*" };
    static Ipc__Issuer *issuers[] = { &issuer };
    static Ipc__ClaimMatch match = IPC__CLAIM_MATCH__INIT, scope = IPC__CLAIM_MATCH__INIT;
    static Ipc__ClaimMatch *matches[] = { &match, &scope };
    static Ipc__Role role = IPC__ROLE__INIT;
    static Ipc__Role *roles[] = { &role };
    struct detail detail;

    if (keys)
        return;
    issuer.name = (char *)"i";
    issuer.issuer = (char *)"i";
    issuer.audiences = audiences;
    issuer.n_audiences = 1;
    issuer.username_claim = (char *)"sub";
    issuer.groups_claim = (char *)"r.g";
    match.name = (char *)"c";
    scope.name = (char *)"scope";
    match.values = scope.values = role.groups = globs;
    match.n_values = scope.n_values = role.n_groups = 1;
    role.claims = matches;
    role.n_claims = 2;
    config.issuers = issuers;
    config.roles = roles;
    config.n_issuers = config.n_roles = 1;
    if (jwks_parse(keys_text, sizeof(keys_text) - 1, &keys, &detail))
        abort();
}

/* Appends the base64url form. */
static size_t encode(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t at = 0;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (i + 2 < n ? bytes[i + 2] : 0);

        for (size_t k = 0; k < 4 && k < n - i + 1; k++)
            out[at++] = digits[three >> (18 - 6 * k) & 63];
    }
    return at;
}

/* Encodes each part, with a separator between. */
static size_t join(char *out, const uint8_t *bytes, size_t n, char separator)
{
    size_t at = 0;

    for (size_t part = 0; part < PARTS_MAX; part++) {
        const uint8_t *end = memchr(bytes, '\0', n);
        size_t length = end ? (size_t)(end - bytes) : n;

        at += encode(out + at, bytes, length);
        if (!end)
            break;
        out[at++] = separator;
        bytes += length + 1;
        n -= length + 1;
    }
    return at;
}

/* What it claims is looked at as if it had been verified. */
static void look_at_token(const char *text, size_t n)
{
    CLEANUP(token_free) struct token *token = NULL;
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };

    if (token_parse(text, n, &token, &detail) != 0) {
        if (!detail.text[0])
            abort();
        return;
    }
    if (token_issuer(token, &config, &detail) && token_verify(token, &issuer, keys, NOW, &detail) == 0)
        abort(); /* nobody has these private keys */
    if (token_claims(token, &issuer, &config, &claims, &detail))
        return;
    if (!claims_are_fit(claims) || ipc__claims__get_packed_size(claims) > CLAIMS_MAX || !claims->username[0])
        abort();
    ipc__claims__free_unpacked(claims, NULL);
}

static void look_at_packet(const char *text, size_t n)
{
    CLEANUP(openpubkey_free) struct openpubkey *packet = NULL;
    struct detail detail = { "" };

    if (openpubkey_parse((const uint8_t *)text, n, &packet, &detail) == 0 &&
        openpubkey_verify(packet, &issuer, keys, NOW, (const uint8_t *)text, n, &detail) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(free) char *text = malloc(2 * PART_MAX);
    CLEANUP(jwks_free) struct jwks *others = NULL;
    struct detail detail = { "" };
    size_t length;

    if (n == 0 || n > PART_MAX || !text)
        return 0;
    configure();
    switch (bytes[0] % 5) {
    case 0:
        look_at_token((const char *)bytes + 1, n - 1);
        break;
    case 1:
        length = join(text, bytes + 1, n - 1, '.');
        look_at_token(text, length);
        break;
    case 2:
        if (jwks_parse((const char *)bytes + 1, n - 1, &others, &detail) && !detail.text[0])
            abort();
        break;
    case 3:
        look_at_packet((const char *)bytes + 1, n - 1);
        break;
    default:
        length = join(text, bytes + 1, n - 1, ':');
        look_at_packet(text, length);
        break;
    }
    return 0;
}
