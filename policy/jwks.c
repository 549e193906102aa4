/* Sets of public keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).
 *
 * A key that can't be used does not spoil the set (RFC 7517 §5); it is kept with the reason, for the person
 * whose token names it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "policy/token_parts.h"

static const char malformed[] = "is malformed";

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name)); /* NULL for what is no text */
}

/* ---- its numbers ---- */

/* -EBADMSG when the member is not there or not base64url. */
static int number_of(const json_t *json, const char *name, uint8_t **ret, size_t *ret_n)
{
    const char *text = text_of(json, name);

    return text ? token_from_base64url(text, strlen(text), ret, ret_n) : -EBADMSG;
}

static void strip_zeroes(uint8_t *bytes, size_t *n)
{
    size_t zeroes = 0;

    while (zeroes < *n && bytes[zeroes] == 0)
        zeroes++;
    memmove(bytes, bytes + zeroes, *n - zeroes);
    *n -= zeroes;
}

static size_t bits_of(const uint8_t *bytes, size_t n)
{
    size_t bits = n * 8;

    for (unsigned top = n ? bytes[0] : 0xff; top < 0x80; top <<= 1)
        bits--;
    return bits;
}

static int read_rsa(const json_t *json, struct jwk *jwk)
{
    int r = number_of(json, "n", &jwk->a, &jwk->a_n);
    size_t bits;

    if (!r)
        r = number_of(json, "e", &jwk->b, &jwk->b_n);
    if (r)
        return r;
    strip_zeroes(jwk->a, &jwk->a_n);
    strip_zeroes(jwk->b, &jwk->b_n);
    bits = bits_of(jwk->a, jwk->a_n);
    if (bits < TOKEN_RSA_BITS_MIN)
        jwk->unfit = "is an RSA key of less than 2048 bits";
    else if (bits > TOKEN_RSA_BITS_MAX)
        jwk->unfit = "is an RSA key of more than 16384 bits";
    else if (jwk->b_n == 0 || jwk->b_n > 8 || !(jwk->b[jwk->b_n - 1] & 1) || !(jwk->a[jwk->a_n - 1] & 1) ||
             (jwk->b_n == 1 && jwk->b[0] == 1))
        jwk->unfit = malformed;
    return 0;
}

static int read_ec(const json_t *json, size_t size, struct jwk *jwk)
{
    int r = number_of(json, "x", &jwk->a, &jwk->a_n);

    if (!r)
        r = number_of(json, "y", &jwk->b, &jwk->b_n);
    return r ? r : jwk->a_n == size && jwk->b_n == size ? 0 : -EBADMSG;
}

static int read_ed25519(const json_t *json, struct jwk *jwk)
{
    int r = number_of(json, "x", &jwk->a, &jwk->a_n);

    return r ? r : jwk->a_n == 32 ? 0 : -EBADMSG;
}

static int read_numbers(const json_t *json, struct jwk *jwk)
{
    static const struct {
        const char *kty, *crv;
        enum token_key_kind kind;
        size_t size;
    } kinds[] = {
        { "RSA", NULL, TOKEN_RSA, 0 },          { "EC", "P-256", TOKEN_P256, 32 },
        { "EC", "P-384", TOKEN_P384, 48 },      { "EC", "P-521", TOKEN_P521, 66 },
        { "OKP", "Ed25519", TOKEN_ED25519, 0 },
    };
    const char *kty = text_of(json, "kty"), *crv = text_of(json, "crv");

    for (size_t i = 0; kty && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].kty, kty) != 0 || (kinds[i].crv && (!crv || strcmp(kinds[i].crv, crv) != 0)))
            continue;
        jwk->kind = kinds[i].kind;
        return jwk->kind == TOKEN_RSA       ? read_rsa(json, jwk)
               : jwk->kind == TOKEN_ED25519 ? read_ed25519(json, jwk)
                                            : read_ec(json, kinds[i].size, jwk);
    }
    jwk->unfit = "is of a type that is not supported";
    return 0;
}

/* ---- what it is for ---- */

static bool may_verify(const json_t *json)
{
    const json_t *use = json_object_get(json, "use"), *operations = json_object_get(json, "key_ops");
    const char *text = json_string_value(use);

    if (use && (!text || strcmp(text, "sig") != 0))
        return false;
    if (!operations)
        return true;
    for (size_t i = 0; i < json_array_size(operations); i++) {
        text = json_string_value(json_array_get(operations, i));
        if (text && strcmp(text, "verify") == 0)
            return true;
    }
    return false;
}

/* RFC 8725 §3.1: a key is for one algorithm when it says so. */
static void read_purpose(const json_t *json, struct jwk *jwk)
{
    const json_t *alg = json_object_get(json, "alg");

    if (!may_verify(json)) {
        jwk->unfit = "is not for signatures";
        return;
    }
    if (!alg)
        return;
    jwk->only = json_is_string(alg) ? token_algorithm_of(json_string_value(alg)) : NULL;
    if (!jwk->only || jwk->only->kind != jwk->kind)
        jwk->unfit = "is for an algorithm that is not supported";
}

/* ---- a key ---- */

static bool is_private(const json_t *json)
{
    static const char *const members[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
    const char *kty = text_of(json, "kty");
    bool symmetric = kty && strcmp(kty, "oct") == 0; /* a secret too, and never used */

    for (size_t i = 0; !symmetric && i < sizeof(members) / sizeof(members[0]); i++)
        if (json_object_get(json, members[i]))
            return true;
    return false;
}

int jwk_read(const json_t *json, struct jwk *jwk, struct detail *detail)
{
    const json_t *kid = json_object_get(json, "kid");
    int r;

    *jwk = (struct jwk){ .unfit = malformed };
    if (!json_is_object(json) || (kid && !json_is_string(kid)))
        return 0;
    if (is_private(json))
        return detail_fail(detail, -EINVAL,
                           "it holds a private key, which somebody else may have read by now");
    if (kid) {
        jwk->kid = strdup(json_string_value(kid));
        if (!jwk->kid)
            return -ENOMEM;
    }
    jwk->unfit = NULL;
    r = read_numbers(json, jwk);
    if (r == -EBADMSG)
        jwk->unfit = malformed;
    else if (r)
        return r;
    if (!jwk->unfit)
        read_purpose(json, jwk);
    if (jwk->unfit)
        return 0;
    r = token_key_new(jwk->kind, jwk->a, jwk->a_n, jwk->b, jwk->b_n, &jwk->key);
    if (r == -EINVAL)
        jwk->unfit = malformed;
    return r == -EINVAL ? 0 : r;
}

void jwk_empty(struct jwk *jwk)
{
    free(jwk->kid);
    free(jwk->a);
    free(jwk->b);
    token_key_free(jwk->key);
    *jwk = (struct jwk){ .unfit = malformed };
}

bool jwk_fits(const struct jwk *jwk, const struct token_algorithm *algorithm)
{
    return !jwk->unfit && jwk->kind == algorithm->kind &&
           (!jwk->only || jwk->only == algorithm || jwk->kind == TOKEN_ED25519 /* which has two names */);
}

/* ---- a set ---- */

void jwks_free(struct jwks *jwks)
{
    if (!jwks)
        return;
    for (size_t i = 0; i < jwks->n; i++)
        jwk_empty(&jwks->keys[i]);
    free(jwks->keys);
    free(jwks);
}

static int read_keys(const json_t *list, struct jwks *jwks, struct detail *detail)
{
    const char *unfit = NULL;
    bool any = false;

    for (size_t i = 0; i < json_array_size(list) && i < TOKEN_KEYS_MAX; i++) {
        struct jwk *jwk = &jwks->keys[jwks->n++];
        int r = jwk_read(json_array_get(list, i), jwk, detail);

        if (r)
            return r;
        if (!jwk->unfit)
            any = true;
        else if (!unfit)
            unfit = jwk->unfit;
    }
    if (any)
        return 0;
    return unfit ? detail_fail(detail, -EINVAL, "it holds no key that can be used: the first %s", unfit)
                 : detail_fail(detail, -EINVAL, "it holds no key");
}

int jwks_parse(const char *json, size_t n, struct jwks **ret, struct detail *detail)
{
    CLEANUP(jwks_free) struct jwks *jwks = calloc(1, sizeof(*jwks));
    CLEANUP(json_decref) json_t *object = NULL;
    const json_t *list;
    int r;

    if (!jwks)
        return -ENOMEM;
    if (n > TOKEN_JWKS_MAX)
        return detail_fail(detail, -EINVAL, "it has more than %d bytes", TOKEN_JWKS_MAX);
    token_start();
    r = token_json(json, n, "it", &object, detail);
    if (r)
        return r < 0 ? r : -EINVAL;
    list = json_object_get(object, "keys");
    if (!json_is_array(list))
        return detail_fail(detail, -EINVAL, "it is no set of keys (JWKS): it has no list \"keys\"");
    jwks->keys = calloc(TOKEN_KEYS_MAX, sizeof(*jwks->keys));
    if (!jwks->keys)
        return -ENOMEM;
    r = read_keys(list, jwks, detail);
    if (r)
        return r;
    *ret = STEAL(jwks);
    return 0;
}
