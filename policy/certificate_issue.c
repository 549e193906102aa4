/* Certificates of our own (PROTOCOL.certkeys; policy/certificate.c has the layout). What was made is read
 * back as a login would read it before anybody gets it, so that nothing is issued that would then be refused
 * for its form, and the limits stand in one place. */
#include "policy/certificate_issue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "policy/certificate_parts.h"
#include "policy/certificate_signer.h"
#include "policy/claims.h"

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

enum { NONCE_BYTES = 32 };

static int put_text(struct buffer *out, const char *text)
{
    return buffer_put_string(out, text, strlen(text));
}

/* ---- keys ---- */

int certificate_key_check(const uint8_t *blob, size_t n, struct detail *detail)
{
    CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
    struct public_key key;
    int fault;

    start_openssl();
    if (n > CERTIFICATE_MAX)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the public key is longer than %d bytes",
                           CERTIFICATE_MAX);
    fault = key_read_plain((struct span){ blob, n }, &key, detail);
    if (fault)
        return fault;
    pkey = key_open(&key); /* the point is on its curve */
    ERR_clear_error();
    if (!pkey)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the %s key is malformed", key.type->plain);
    return 0;
}

static int copy_bytes(const uint8_t *bytes, size_t n, uint8_t **ret, size_t *ret_n)
{
    uint8_t *copy = malloc(n + 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, bytes, n);
    *ret = copy;
    *ret_n = n;
    return 0;
}

int certificate_plain_key(const uint8_t *blob, size_t n, uint8_t **ret_key, size_t *ret_n,
                          struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct reader reader = reader_of(blob, n);
    struct public_key key;
    struct buffer plain;
    struct span name;
    int r;

    if (!span_read(&reader, &name) || !key_type_of(name, true)) {
        r = key_read_plain((struct span){ blob, n }, &key, detail);
        return r ? r : copy_bytes(blob, n, ret_key, ret_n);
    }
    r = certificate_parse(blob, n, &certificate, detail);
    if (r)
        return r;
    buffer_init(&plain, CERTIFICATE_MAX);
    r = key_plain(certificate, &plain);
    if (!r)
        r = copy_bytes(buffer_head(&plain), buffer_size(&plain), ret_key, ret_n);
    buffer_free(&plain);
    return r;
}

/* ---- the parts ---- */

static int put_key(const struct certificate_grant *grant, struct buffer *out)
{
    struct reader reader = reader_of(grant->key, grant->key_n);
    const struct key_type *type;
    uint8_t nonce[NONCE_BYTES];
    struct span name;
    int r;

    if (!span_read(&reader, &name) || !(type = key_type_of(name, false)))
        return -EINVAL;
    if (RAND_bytes(nonce, sizeof(nonce)) != 1)
        return -EIO;
    r = put_text(out, type->certified);
    if (!r)
        r = buffer_put_string(out, nonce, sizeof(nonce));
    return r ? r : buffer_append(out, reader.next, reader_left(&reader));
}

static int put_principals(const struct certificate_grant *grant, struct buffer *out)
{
    struct buffer list;
    int r = 0;

    buffer_init(&list, CERTIFICATE_MAX);
    for (size_t i = 0; !r && i < grant->n_principals; i++)
        r = put_text(&list, grant->principals[i]);
    if (!r)
        r = buffer_put_string(out, buffer_head(&list), buffer_size(&list));
    buffer_free(&list);
    return r;
}

/* A name and its value, which is a string within a string; no value: an empty string. */
static int put_option(struct buffer *out, const char *name, const void *value, size_t n)
{
    int r = put_text(out, name);

    if (!r)
        r = buffer_put_u32(out, value ? (uint32_t)(n + 4) : 0);
    return r || !value ? r : buffer_put_string(out, value, n);
}

static int put_critical(const struct certificate_grant *grant, struct buffer *out)
{
    struct buffer list;
    int r = 0;

    buffer_init(&list, CERTIFICATE_MAX);
    if (grant->force_command)
        r = put_option(&list, "force-command", grant->force_command, strlen(grant->force_command));
    if (!r && grant->source_address)
        r = put_option(&list, "source-address", grant->source_address, strlen(grant->source_address));
    if (!r)
        r = buffer_put_string(out, buffer_head(&list), buffer_size(&list));
    buffer_free(&list);
    return r;
}

static int put_claims(const Ipc__Claims *claims, struct buffer *out)
{
    CLEANUP(free) uint8_t *packed = NULL;
    size_t n = ipc__claims__get_packed_size(claims);

    if (n == 0 || n > CLAIMS_MAX || !claims_are_fit(claims))
        return -EINVAL;
    packed = malloc(n);
    if (!packed)
        return -ENOMEM;
    (void)ipc__claims__pack(claims, packed);
    return put_option(out, CLAIMS_EXTENSION, packed, n);
}

/* In the order of their names, as the format asks. */
static int put_extensions(const struct certificate_grant *grant, struct buffer *out)
{
    struct buffer list;
    int r = 0;

    buffer_init(&list, CERTIFICATE_MAX);
    if (grant->claims)
        r = put_claims(grant->claims, &list);
    if (!r && grant->forwarding)
        r = put_option(&list, "permit-port-forwarding", NULL, 0);
    if (!r && grant->pty)
        r = put_option(&list, "permit-pty", NULL, 0);
    if (!r)
        r = buffer_put_string(out, buffer_head(&list), buffer_size(&list));
    buffer_free(&list);
    return r;
}

static int put_certificate(const struct certificate_signer *signer, const struct certificate_grant *grant,
                           struct buffer *out)
{
    size_t ca_n;
    const uint8_t *ca = signer_public(signer, &ca_n);
    int r = put_key(grant, out);

    if (!r)
        r = buffer_put_u64(out, grant->serial);
    if (!r)
        r = buffer_put_u32(out, CERTIFICATE_KIND_USER);
    if (!r)
        r = put_text(out, grant->key_id);
    if (!r)
        r = put_principals(grant, out);
    if (!r)
        r = buffer_put_u64(out, grant->valid_after);
    if (!r)
        r = buffer_put_u64(out, grant->valid_before);
    if (!r)
        r = put_critical(grant, out);
    if (!r)
        r = put_extensions(grant, out);
    if (!r)
        r = put_text(out, ""); /* reserved */
    if (!r)
        r = buffer_put_string(out, ca, ca_n);
    return r ? r : signer_sign(signer, NULL, buffer_head(out), buffer_size(out), out);
}

/* ---- the whole ---- */

static int check_grant(const struct certificate_grant *grant, struct detail *detail)
{
    int fault = certificate_key_check(grant->key, grant->key_n, detail);

    if (fault)
        return fault < 0 ? fault : -EINVAL;
    if (grant->serial == 0)
        return detail_fail(detail, -EINVAL, "a certificate with serial 0 could not be revoked");
    if (grant->n_principals == 0)
        return detail_fail(detail, -EINVAL, "the certificate would name no principals");
    if (grant->valid_after >= grant->valid_before)
        return detail_fail(detail, -EINVAL, "the certificate would never be valid");
    if (grant->claims && !claims_are_fit(grant->claims))
        return detail_fail(detail, -EINVAL, "the claims are too long, or hold unfit characters");
    if (grant->source_address && !certificate_source_is_valid(grant->source_address))
        return detail_fail(detail, -EINVAL,
                           "the certificate's source-address would not be a list of networks");
    return 0;
}

static int read_back(const struct buffer *made, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    int fault = certificate_parse(buffer_head(made), buffer_size(made), &certificate, detail);

    return fault > 0 ? -EINVAL : fault;
}

int certificate_issue(const struct certificate_signer *signer, const struct certificate_grant *grant,
                      uint8_t **ret, size_t *ret_n, struct detail *detail)
{
    struct buffer made;
    int r = check_grant(grant, detail);

    if (r)
        return r;
    buffer_init(&made, CERTIFICATE_MAX);
    r = put_certificate(signer, grant, &made);
    if (r == -ENOBUFS || r == -EINVAL)
        r = detail_fail(detail, -EINVAL, "the certificate would be too long");
    else if (r)
        detail_set(detail, "the certificate could not be signed");
    else
        r = read_back(&made, detail);
    if (!r)
        r = copy_bytes(buffer_head(&made), buffer_size(&made), ret, ret_n);
    buffer_free(&made);
    return r;
}
