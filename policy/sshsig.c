/* What is signed is not the message but
 *
 *     "SSHSIG" string namespace, string reserved, string hash algorithm, string H(message)
 *
 * and what comes is "SSHSIG", version 1, the signer's public key, the same three strings, and a signature as
 * SSH has them. */
#include "policy/sshsig.h"

#include <errno.h>
#include <string.h>
#include <openssl/evp.h>

#include "policy/certificate_parts.h"

enum { VERSION = 1, HASH_MAX = 64 };

static const char magic[6] = { 'S', 'S', 'H', 'S', 'I', 'G' };

/* Borrows from the blob. */
struct sshsig {
    struct span key, name_space, reserved, hash, signature;
};

static bool read_blob(const uint8_t *blob, size_t n, struct sshsig *ret)
{
    struct reader r = reader_of(blob, n);
    const uint8_t *start;
    uint32_t version;
    return reader_bytes(&r, sizeof magic, &start) && memcmp(start, magic, sizeof magic) == 0 &&
           reader_u32(&r, &version) && version == VERSION && span_read(&r, &ret->key) &&
           span_read(&r, &ret->name_space) && span_read(&r, &ret->reserved) && span_read(&r, &ret->hash) &&
           span_read(&r, &ret->signature) && reader_done(&r);
}

/* ---- whose it is ---- */

/* The plain key that it names: itself, or the one in a certificate. */
static int plain_key(struct span named, struct buffer *out)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct reader r = reader_of(named.bytes, named.n);
    struct span type;
    if (!span_read(&r, &type))
        return SSHSIG_MALFORMED;
    if (!key_type_of(type, true))
        return buffer_append(out, named.bytes, named.n);
    int fault = certificate_parse(named.bytes, named.n, &certificate, NULL);
    if (fault)
        return fault < 0 ? fault : SSHSIG_MALFORMED;
    return key_plain(certificate, out);
}

static int check_key(struct span named, const struct certificate *certificate, struct detail *detail)
{
    struct buffer theirs, ours;
    buffer_init(&theirs, CERTIFICATE_MAX);
    buffer_init(&ours, CERTIFICATE_MAX);
    int fault = plain_key(named, &theirs);
    if (!fault)
        fault = key_plain(certificate, &ours);
    if (!fault && (buffer_size(&theirs) != buffer_size(&ours) ||
                   memcmp(buffer_head(&theirs), buffer_head(&ours), buffer_size(&ours)) != 0))
        fault = SSHSIG_OTHER_KEY;
    buffer_free(&theirs);
    buffer_free(&ours);
    if (fault == SSHSIG_OTHER_KEY)
        detail_set(detail, "it is signed by another key than the one that you are connected with");
    return fault;
}

/* ---- what it says ---- */

static const EVP_MD *hash_of(struct span name)
{
    return span_is(name, "sha512") ? EVP_sha512() : span_is(name, "sha256") ? EVP_sha256() : NULL;
}

static int put_signed(const struct sshsig *sig, const void *message, size_t n, struct buffer *out)
{
    uint8_t hash[HASH_MAX];
    unsigned size = 0;
    if (EVP_Digest(message, n, hash, &size, hash_of(sig->hash), NULL) != 1)
        return -ENOMEM;
    int r = buffer_append(out, magic, sizeof magic);
    if (r == 0)
        r = buffer_put_string(out, sig->name_space.bytes, sig->name_space.n);
    if (r == 0)
        r = buffer_put_string(out, sig->reserved.bytes, sig->reserved.n);
    if (r == 0)
        r = buffer_put_string(out, sig->hash.bytes, sig->hash.n);
    return r ? r : buffer_put_string(out, hash, size);
}

static int check_signature(const struct sshsig *sig, const void *message, size_t n,
                           const struct public_key *key, struct detail *detail)
{
    struct buffer to_sign;
    bool touched = false;
    buffer_init(&to_sign, SSHSIG_MAX);
    int fault = put_signed(sig, message, n, &to_sign);
    if (!fault)
        fault = key_verify(key, sig->signature, (struct span){ buffer_head(&to_sign), buffer_size(&to_sign) },
                           &touched);
    buffer_free(&to_sign);
    if (fault < 0)
        return fault;
    if (fault)
        return detail_fail(detail, SSHSIG_WRONG, "it is not a signature over this");
    if (key->type->hardware && !touched)
        return detail_fail(detail, SSHSIG_UNTOUCHED, "nobody touched the security key for it");
    return 0;
}

int sshsig_verify(const uint8_t *blob, size_t n, const char *name_space, const void *message,
                  size_t message_n, const struct certificate *certificate, struct detail *detail)
{
    struct sshsig sig;
    start_openssl();
    if (n > SSHSIG_MAX || !read_blob(blob, n, &sig) || !hash_of(sig.hash))
        return detail_fail(detail, SSHSIG_MALFORMED, "it is not a signature as ssh-keygen -Y sign makes it");
    if (!span_is(sig.name_space, name_space))
        return detail_fail(detail, SSHSIG_OTHER_NAMESPACE, "it is made for another purpose: sign with -n %s",
                           name_space);
    int fault = check_key(sig.key, certificate, detail);
    if (fault == SSHSIG_MALFORMED)
        detail_set(detail, "the key that it names is not readable");
    return fault ? fault : check_signature(&sig, message, message_n, &certificate->key, detail);
}
