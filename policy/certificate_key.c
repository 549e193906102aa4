/* Key types: their names, their fields on the wire, their fingerprints.
 *
 * RFC 4253 §6.6 (RSA), RFC 5656 §3.1 (ECDSA), RFC 8709 §4 (Ed25519), OpenSSH PROTOCOL.u2f (sk-…). FIDO keys
 * may be certified but may not sign certificates: nothing would say whether somebody touched the
 * authenticator. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "base/text.h"
#include "policy/certificate_parts.h"

static const struct key_type key_types[] = {
    { .plain = "ssh-ed25519", .certified = "ssh-ed25519-cert-v01@openssh.com", .family = KEY_ED25519 },
    { .plain = "ecdsa-sha2-nistp256",
      .certified = "ecdsa-sha2-nistp256-cert-v01@openssh.com",
      .family = KEY_ECDSA,
      .curve = "nistp256",
      .group = "P-256",
      .point = 65,
      .digest = "SHA256" },
    { .plain = "ecdsa-sha2-nistp384",
      .certified = "ecdsa-sha2-nistp384-cert-v01@openssh.com",
      .family = KEY_ECDSA,
      .curve = "nistp384",
      .group = "P-384",
      .point = 97,
      .digest = "SHA384" },
    { .plain = "ecdsa-sha2-nistp521",
      .certified = "ecdsa-sha2-nistp521-cert-v01@openssh.com",
      .family = KEY_ECDSA,
      .curve = "nistp521",
      .group = "P-521",
      .point = 133,
      .digest = "SHA512" },
    { .plain = "ssh-rsa", .certified = "ssh-rsa-cert-v01@openssh.com", .family = KEY_RSA },
    { .plain = "sk-ssh-ed25519@openssh.com",
      .certified = "sk-ssh-ed25519-cert-v01@openssh.com",
      .family = KEY_ED25519,
      .hardware = true },
    { .plain = "sk-ecdsa-sha2-nistp256@openssh.com",
      .certified = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
      .family = KEY_ECDSA,
      .hardware = true,
      .curve = "nistp256",
      .group = "P-256",
      .point = 65,
      .digest = "SHA256" },
};

enum {
    ED25519_BYTES = 32,
    POINT_UNCOMPRESSED = 4, /* SEC 1 §2.3.3: the only form that OpenSSH takes */
    FINGERPRINT_BYTES = 32,
};

bool span_is(struct span span, const char *text)
{
    return span.n == strlen(text) && memcmp(span.bytes, text, span.n) == 0;
}

bool span_read(struct reader *r, struct span *ret)
{
    struct reader inner;

    if (!reader_string(r, &inner))
        return false;
    *ret = (struct span){ inner.next, reader_left(&inner) };
    return true;
}

bool mpint_read(struct reader *r, struct span *ret)
{
    struct span span;

    if (!span_read(r, &span) || span.n == 0 || (span.bytes[0] & 0x80))
        return false;
    if (span.bytes[0] == 0) {
        if (span.n == 1 || !(span.bytes[1] & 0x80))
            return false;
        span.bytes++;
        span.n--;
    }
    *ret = span;
    return true;
}

const struct key_type *key_type_of(struct span name, bool certified)
{
    for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++)
        if (span_is(name, certified ? key_types[i].certified : key_types[i].plain))
            return &key_types[i];
    return NULL;
}

static int malformed_key(const struct key_type *type, struct detail *detail)
{
    return detail_fail(detail, CERTIFICATE_MALFORMED, "the %s key is malformed", type->plain);
}

static size_t magnitude_bits(struct span magnitude)
{
    size_t bits = magnitude.n * 8;

    for (unsigned top = magnitude.bytes[0]; top < 0x80; top <<= 1)
        bits--;
    return bits;
}

static int read_rsa(const struct key_type *type, struct reader *r, struct public_key *key,
                    struct detail *detail)
{
    size_t bits;

    if (!mpint_read(r, &key->exponent) || !mpint_read(r, &key->modulus))
        return malformed_key(type, detail);
    bits = magnitude_bits(key->modulus);
    /* With e = 1 anybody could sign. */
    if (!(key->exponent.bytes[key->exponent.n - 1] & 1) ||
        (key->exponent.n == 1 && key->exponent.bytes[0] == 1))
        return malformed_key(type, detail);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return detail_fail(detail, CERTIFICATE_WEAK, "an RSA key of %zu bits is not accepted: %d to %d are",
                           bits, RSA_BITS_MIN, RSA_BITS_MAX);
    return 0;
}

int key_read(const struct key_type *type, struct reader *r, struct public_key *ret, struct detail *detail)
{
    struct public_key key = { .type = type };
    struct span curve;
    int fault = 0;

    switch (type->family) {
    case KEY_ED25519:
        if (!span_read(r, &key.point) || key.point.n != ED25519_BYTES)
            fault = malformed_key(type, detail);
        break;
    case KEY_ECDSA:
        if (!span_read(r, &curve) || !span_is(curve, type->curve) || !span_read(r, &key.point) ||
            key.point.n != type->point || key.point.bytes[0] != POINT_UNCOMPRESSED)
            fault = malformed_key(type, detail);
        break;
    case KEY_RSA:
        fault = read_rsa(type, r, &key, detail);
        break;
    }
    if (!fault && type->hardware && !span_read(r, &key.application))
        fault = malformed_key(type, detail);
    if (!fault)
        *ret = key;
    return fault;
}

int key_read_plain(struct span blob, struct public_key *ret, struct detail *detail)
{
    struct reader r = reader_of(blob.bytes, blob.n);
    const struct key_type *type;
    struct public_key key;
    struct span name;
    int fault;

    if (!span_read(&r, &name))
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the public key is malformed");
    type = key_type_of(name, false);
    if (!type)
        return detail_fail(detail, CERTIFICATE_WEAK, "the public key is of a type that is not supported");
    fault = key_read(type, &r, &key, detail);
    if (fault)
        return fault;
    if (!reader_done(&r))
        return malformed_key(type, detail);
    *ret = key;
    return 0;
}

/* No configuration file: it could load code, and a jailed process can't read it. */
void start_openssl(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

int key_fingerprint(const void *blob, size_t n, char *out, size_t size)
{
    static const char prefix[] = "SHA256:";
    uint8_t digest[FINGERPRINT_BYTES];
    char text[4 * ((FINGERPRINT_BYTES + 2) / 3) + 1];
    char *padding;

    start_openssl();
    if (EVP_Digest(blob, n, digest, NULL, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    text_base64(text, digest, sizeof(digest));
    padding = strchr(text, '=');
    if (padding)
        *padding = '\0';
    if (sizeof(prefix) + strlen(text) > size)
        return -ENOBUFS;
    memcpy(out, prefix, sizeof(prefix) - 1);
    memcpy(out + sizeof(prefix) - 1, text, strlen(text) + 1);
    return 0;
}

int key_plain(const struct certificate *certificate, struct buffer *out)
{
    const char *name = certificate->key.type->plain;
    int r = buffer_put_string(out, name, strlen(name));

    return r ? r : buffer_append(out, certificate->key_fields.bytes, certificate->key_fields.n);
}

/* As ssh-keygen -l: of the plain key inside the certificate. */
int certificate_fingerprint(const struct certificate *certificate, char *out, size_t size)
{
    struct buffer plain;
    int r;

    buffer_init(&plain, CERTIFICATE_MAX);
    r = key_plain(certificate, &plain);
    if (!r)
        r = key_fingerprint(buffer_head(&plain), buffer_size(&plain), out, size);
    buffer_free(&plain);
    return r;
}

int public_key_fingerprint(const uint8_t *key, size_t n, char *out, size_t size)
{
    return key_fingerprint(key, n, out, size);
}

/* The first word that starts at *text; moves *text behind it. */
static struct span word_take(const char **text)
{
    static const char blank[] = " \t";
    const char *start = *text + strspn(*text, blank);
    size_t n = strcspn(start, " \t\r\n");

    *text = start + n;
    return (struct span){ (const uint8_t *)start, n };
}

/* The one line that is neither blank nor a comment; NULL when there is none or more than one. */
static const char *only_line(const char *text)
{
    const char *found = NULL;

    while (*text) {
        const char *start = text + strspn(text, " \t\r\n");

        text = start + strcspn(start, "\n");
        if (*start == '\0' || *start == '#')
            continue;
        if (found)
            return NULL;
        found = start;
    }
    return found;
}

int public_key_parse(const char *line, uint8_t **ret_blob, size_t *ret_n, struct detail *detail)
{
    CLEANUP(free) uint8_t *blob = NULL;
    struct span name, base64, inner;
    struct public_key key;
    struct reader r;
    size_t n = 0;
    int fault;

    line = only_line(line);
    if (!line)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "expected exactly one public key");
    name = word_take(&line);
    base64 = word_take(&line);
    if (!key_type_of(name, false) || key_type_of(name, false)->hardware)
        return detail_fail(
            detail, CERTIFICATE_WEAK,
            "expected a public key of type ssh-ed25519, ecdsa-sha2-nistp256, -384, -521 or ssh-rsa");
    if (base64.n == 0 || base64.n > CERTIFICATE_MAX)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the public key is malformed");
    blob = malloc(base64.n);
    if (!blob)
        return -ENOMEM;
    if (!text_from_base64((const char *)base64.bytes, base64.n, blob, base64.n, &n))
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the public key is not valid base64");
    fault = key_read_plain((struct span){ blob, n }, &key, detail);
    if (fault)
        return fault;
    r = reader_of(blob, n);
    if (!span_read(&r, &inner) || inner.n != name.n || memcmp(inner.bytes, name.bytes, name.n) != 0)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the public key is of another type than it says");
    *ret_blob = STEAL(blob);
    *ret_n = n;
    return 0;
}
