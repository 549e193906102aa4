/* See openpubkey.h. What has to hold together:
 *
 *   the provider signed      header1.payload       payload: iss, aud, exp, nonce = B64(SHA3-256(header2)), …
 *   the user's key signed    header2.payload       header2: typ CIC, alg, upk (the key, a JWK), rz (random)
 *   the certificate is for   upk
 *
 * So the provider, without knowing it, has signed who the key belongs to. Signatures of other kinds (GQ256,
 * which hides the provider's; tokens bound by dpop) are not supported, and are refused by name. */
#include "policy/openpubkey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/evp.h>

#include "base/buffer.h"
#include "policy/token_parts.h"

enum {
    PIECES_MAX = 9, /* payload, and header and signature of provider, client, cosigner, and one more */
    HASH_BYTES = 32,
    KEY_MAX = 8 * 1024, /* bytes of a plain key */
};

struct openpubkey {
    struct token *id;     /* the provider's */
    struct token *client; /* the client's */
    struct jwk key;       /* upk */
};

void openpubkey_free(struct openpubkey *packet)
{
    if (!packet)
        return;
    token_free(packet->id);
    token_free(packet->client);
    jwk_empty(&packet->key);
    free(packet);
}

const struct token *openpubkey_token(const struct openpubkey *packet)
{
    return packet->id;
}

bool openpubkey_may_hold(const struct token *token)
{
    return json_object_get(token->claims, "nonce") != NULL;
}

/* ---- taking apart ---- */

struct piece {
    const char *text;
    size_t n;
};

static int malformed(struct detail *detail)
{
    return detail_fail(detail, TOKEN_MALFORMED, "the OpenPubkey token in your certificate is malformed");
}

/* "…:…:…", up to a "." with a refreshed ID token behind it. 0 pieces when there are too many. */
static size_t split(const char *text, size_t n, struct piece pieces[PIECES_MAX])
{
    const char *dot = memchr(text, '.', n), *end = dot ? dot : text + n;
    size_t count = 0;

    for (;;) {
        const char *colon = memchr(text, ':', (size_t)(end - text));
        const char *stop = colon ? colon : end;

        if (count == PIECES_MAX)
            return 0;
        pieces[count++] = (struct piece){ text, (size_t)(stop - text) };
        if (!colon)
            return count;
        text = colon + 1;
    }
}

/* As an ordinary token: "header.payload.signature". */
static char *join(const struct piece *header, const struct piece *payload, const struct piece *signature,
                  size_t *ret_n)
{
    size_t n = header->n + payload->n + signature->n + 2;
    char *text = malloc(n + 1);

    if (!text)
        return NULL;
    memcpy(text, header->text, header->n);
    text[header->n] = '.';
    memcpy(text + header->n + 1, payload->text, payload->n);
    text[header->n + 1 + payload->n] = '.';
    memcpy(text + header->n + payload->n + 2, signature->text, signature->n);
    text[n] = '\0';
    *ret_n = n;
    return text;
}

enum role { ROLE_ID, ROLE_CLIENT, ROLE_OTHER };

static int role_of(const struct piece *header, enum role *ret, struct detail *detail)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    CLEANUP(json_decref) json_t *json = NULL;
    const char *typ, *alg;
    size_t n = 0;
    int r = token_from_base64url(header->text, header->n, &bytes, &n);

    if (!r)
        r = token_json((const char *)bytes, n, "a header of your OpenPubkey token", &json, detail);
    if (r)
        return r == -EBADMSG ? malformed(detail) : r;
    typ = json_string_value(json_object_get(json, "typ"));
    alg = json_string_value(json_object_get(json, "alg"));
    if (alg && strncmp(alg, "GQ", 2) == 0)
        return detail_fail(
            detail, TOKEN_ALGORITHM,
            "your OpenPubkey token has a GQ signature, which is not supported: make it with the "
            "provider's own signature");
    *ret = !typ || strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "at+jwt") == 0 ? ROLE_ID
           : strcmp(typ, "CIC") == 0                                             ? ROLE_CLIENT
                                                                                 : ROLE_OTHER;
    if (*ret == ROLE_OTHER && strcmp(typ, "COS") != 0)
        return detail_fail(detail, TOKEN_CLAIMS,
                           "your OpenPubkey token has a signature of a kind that is not supported");
    return 0;
}

static int take_part(struct openpubkey *packet, const struct piece *header, const struct piece *payload,
                     const struct piece *signature, struct detail *detail)
{
    static const char *const client_types[] = { "cic", NULL };
    CLEANUP(free) char *text = NULL;
    enum role role = ROLE_OTHER;
    size_t n = 0;
    int r = role_of(header, &role, detail);

    if (r || role == ROLE_OTHER)
        return r;
    if (role == ROLE_ID ? packet->id != NULL : packet->client != NULL)
        return malformed(detail);
    text = join(header, payload, signature, &n);
    if (!text)
        return -ENOMEM;
    r = role == ROLE_ID ? token_parse(text, n, &packet->id, detail)
                        : token_take(text, n, client_types, true, &packet->client, detail);
    explicit_bzero(text, n);
    return r;
}

/* The client's header: whose key it is. */
static int take_key(struct openpubkey *packet, struct detail *detail)
{
    const json_t *header = packet->client->header, *upk = json_object_get(header, "upk");
    struct detail unused;
    int r;

    if (!json_is_string(json_object_get(header, "rz")) || !json_is_object(upk))
        return malformed(detail);
    r = jwk_read(upk, &packet->key, &unused);
    if (r == -ENOMEM)
        return r;
    if (r || packet->key.unfit)
        return detail_fail(detail, TOKEN_CLAIMS, "the key in your OpenPubkey token %s",
                           r ? "is a private one" : packet->key.unfit);
    if (!jwk_fits(&packet->key, packet->client->algorithm))
        return detail_fail(detail, TOKEN_ALGORITHM,
                           "the key in your OpenPubkey token is not for the algorithm that it signed with");
    return 0;
}

int openpubkey_parse(const uint8_t *bytes, size_t n, struct openpubkey **ret, struct detail *detail)
{
    CLEANUP(openpubkey_free) struct openpubkey *packet = calloc(1, sizeof(*packet));
    struct piece pieces[PIECES_MAX];
    size_t count;
    int r = 0;

    if (!packet)
        return -ENOMEM;
    if (n == 0 || n > OPENPUBKEY_MAX)
        return malformed(detail);
    token_start();
    count = split((const char *)bytes, n, pieces);
    if (count < 5 || count % 2 == 0)
        return malformed(detail);
    for (size_t i = 1; i < count && !r; i += 2)
        r = take_part(packet, &pieces[i], &pieces[0], &pieces[i + 1], detail);
    if (!r && (!packet->id || !packet->client))
        r = malformed(detail);
    if (!r)
        r = take_key(packet, detail);
    if (r)
        return r;
    *ret = STEAL(packet);
    return 0;
}

/* ---- whether it holds ---- */

static bool hash_is(const void *bytes, size_t n, const char *nonce)
{
    CLEANUP(free) uint8_t *wanted = NULL;
    uint8_t hash[HASH_BYTES];
    size_t wanted_n = 0;

    return token_from_base64url(nonce, strlen(nonce), &wanted, &wanted_n) == 0 && wanted_n == HASH_BYTES &&
           EVP_Digest(bytes, n, hash, NULL, EVP_sha3_256(), NULL) == 1 &&
           memcmp(hash, wanted, HASH_BYTES) == 0;
}

/* The hash is of the header as JSON, its members in order (clientinstance/claims.go): that is also how it is
 * sent, but a library that puts them in another order has signed the same thing. */
static int check_nonce(const struct openpubkey *packet, struct detail *detail)
{
    const char *nonce = json_string_value(json_object_get(packet->id->claims, "nonce"));
    const char *header = packet->client->text;
    CLEANUP(free) uint8_t *bytes = NULL;
    char *sorted;
    size_t n = 0;
    bool good = false;
    int r = token_from_base64url(header, strcspn(header, "."), &bytes, &n);

    if (r)
        return r == -EBADMSG ? malformed(detail) : r;
    if (nonce)
        good = hash_is(bytes, n, nonce);
    if (nonce && !good) {
        sorted = json_dumps(packet->client->header, JSON_COMPACT | JSON_SORT_KEYS);
        if (!sorted)
            return -ENOMEM;
        good = hash_is(sorted, strlen(sorted), nonce);
        free(sorted);
    }
    return good ? 0
                : detail_fail(detail, TOKEN_CLAIMS,
                              "the ID token in your certificate was not made for its key (nonce)");
}

static int put_mpint(struct buffer *out, const uint8_t *bytes, size_t n)
{
    bool high = n > 0 && bytes[0] & 0x80;
    int r = buffer_put_u32(out, (uint32_t)(n + high));

    if (!r && high)
        r = buffer_put_u8(out, 0);
    return r ? r : buffer_append(out, bytes, n);
}

static int put_text(struct buffer *out, const char *text)
{
    return buffer_put_string(out, text, strlen(text));
}

/* SEC 1 §2.3.3, uncompressed. */
static int put_point(struct buffer *out, const struct jwk *key)
{
    int r = buffer_put_u32(out, (uint32_t)(1 + key->a_n + key->b_n));

    if (!r)
        r = buffer_put_u8(out, 4);
    if (!r)
        r = buffer_append(out, key->a, key->a_n);
    return r ? r : buffer_append(out, key->b, key->b_n);
}

static int put_ec(struct buffer *out, const char *name, const struct jwk *key)
{
    int r = put_text(out, name);

    if (!r)
        r = put_text(out, strrchr(name, '-') + 1);
    return r ? r : put_point(out, key);
}

/* RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4. */
static int put_key(struct buffer *out, const struct jwk *key)
{
    int r;

    switch (key->kind) {
    case TOKEN_P256:
        return put_ec(out, "ecdsa-sha2-nistp256", key);
    case TOKEN_P384:
        return put_ec(out, "ecdsa-sha2-nistp384", key);
    case TOKEN_P521:
        return put_ec(out, "ecdsa-sha2-nistp521", key);
    case TOKEN_ED25519:
        r = put_text(out, "ssh-ed25519");
        return r ? r : buffer_put_string(out, key->a, key->a_n);
    case TOKEN_RSA:
        break;
    }
    r = put_text(out, "ssh-rsa");
    if (!r)
        r = put_mpint(out, key->b, key->b_n);
    return r ? r : put_mpint(out, key->a, key->a_n);
}

static int check_key(const struct openpubkey *packet, const uint8_t *key, size_t key_n, struct detail *detail)
{
    struct buffer wire;
    bool same;
    int r;

    buffer_init(&wire, KEY_MAX);
    r = put_key(&wire, &packet->key);
    same = !r && buffer_size(&wire) == key_n && memcmp(buffer_head(&wire), key, key_n) == 0;
    buffer_free(&wire);
    if (r)
        return r;
    return same ? 0
                : detail_fail(detail, TOKEN_CLAIMS,
                              "the ID token in your certificate was made for another key (upk)");
}

int openpubkey_verify(const struct openpubkey *packet, const Ipc__Issuer *issuer, const struct jwks *keys,
                      uint64_t now_unix, const uint8_t *key, size_t key_n, struct detail *detail)
{
    int r = token_verify(packet->id, issuer, keys, now_unix, detail);

    if (!r)
        r = check_nonce(packet, detail);
    if (!r && !token_key_signed(packet->key.key, packet->client))
        r = detail_fail(detail, TOKEN_BAD_SIGNATURE,
                        "your own key's signature in the OpenPubkey token is wrong (cic)");
    return r ? r : check_key(packet, key, key_n, detail);
}
