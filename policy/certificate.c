/* Decoding of certificates (PROTOCOL.certkeys, "New public key formats").
 *
 *   string type | string nonce | key fields | uint64 serial | uint32 kind | string key id | string principals
 *   uint64 valid after | uint64 valid before | string critical options | string extensions | string reserved
 *   string signature key | string signature
 *
 * The signature covers everything up to and including the signature key. Decoding trusts nothing and checks
 * no signature; what a field means for a login is certificate_admit.c's matter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "policy/certificate_parts.h"

static int malformed(struct detail *detail)
{
    return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate is malformed");
}

static int read_key(struct reader *r, struct certificate *certificate, struct detail *detail)
{
    struct span name, nonce;
    const struct key_type *type;
    const uint8_t *start;
    int fault;

    if (!span_read(r, &name))
        return malformed(detail);
    type = key_type_of(name, true);
    if (!type && key_type_of(name, false))
        return detail_fail(detail, CERTIFICATE_MALFORMED, "this is a plain key, not a certificate");
    if (!type)
        return detail_fail(detail, CERTIFICATE_WEAK, "your certificate is of a type that is not supported");
    if (!span_read(r, &nonce))
        return malformed(detail);
    start = r->next;
    fault = key_read(type, r, &certificate->key, detail);
    if (!fault)
        certificate->key_fields = (struct span){ start, (size_t)(r->next - start) };
    return fault;
}

static int read_principals(struct span list, struct certificate *certificate, struct detail *detail)
{
    struct reader r = reader_of(list.bytes, list.n);
    int fault;

    if (list.n > CERTIFICATE_PRINCIPALS_BYTES)
        return detail_fail(detail, CERTIFICATE_MALFORMED,
                           "your certificate's principals are longer than %d bytes",
                           CERTIFICATE_PRINCIPALS_BYTES);
    certificate->principals = calloc(CERTIFICATE_PRINCIPALS_MAX, sizeof(char *));
    if (!certificate->principals)
        return -ENOMEM;
    while (reader_left(&r) > 0) {
        struct span name;

        if (certificate->n_principals == CERTIFICATE_PRINCIPALS_MAX)
            return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate has more than %d principals",
                               CERTIFICATE_PRINCIPALS_MAX);
        if (!span_read(&r, &name))
            return malformed(detail);
        fault = span_text(name, "principal", CERTIFICATE_PRINCIPAL_MAX,
                          &certificate->principals[certificate->n_principals], detail);
        if (fault)
            return fault;
        certificate->n_principals++;
    }
    return 0;
}

static int read_fields(struct reader *r, struct certificate *certificate, struct detail *detail)
{
    struct span key_id, principals, critical, extensions, reserved;
    int fault;

    if (!reader_u64(r, &certificate->serial) || !reader_u32(r, &certificate->kind) ||
        !span_read(r, &key_id) || !span_read(r, &principals) || !reader_u64(r, &certificate->valid_after) ||
        !reader_u64(r, &certificate->valid_before) || !span_read(r, &critical) ||
        !span_read(r, &extensions) || !span_read(r, &reserved) || !span_read(r, &certificate->ca))
        return malformed(detail);
    certificate->to_sign = (struct span){ certificate->blob, (size_t)(r->next - certificate->blob) };
    if (!span_read(r, &certificate->signature) || !reader_done(r))
        return malformed(detail);

    fault = span_text(key_id, "key id", CERTIFICATE_KEY_ID_MAX, &certificate->key_id, detail);
    if (!fault)
        fault = read_principals(principals, certificate, detail);
    if (!fault)
        fault = options_read_critical(critical, certificate, detail);
    if (!fault)
        fault = options_read_extensions(extensions, certificate, detail);
    return fault;
}

int certificate_parse(const uint8_t *blob, size_t n, struct certificate **ret, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct reader r;
    int fault;

    if (n == 0 || n > CERTIFICATE_MAX)
        return detail_fail(detail, CERTIFICATE_MALFORMED,
                           "your certificate has %zu bytes: 1 to %d are accepted", n, CERTIFICATE_MAX);
    certificate = calloc(1, sizeof(*certificate));
    if (!certificate)
        return -ENOMEM;
    certificate->blob = malloc(n);
    if (!certificate->blob)
        return -ENOMEM;
    memcpy(certificate->blob, blob, n);
    certificate->n = n;
    r = reader_of(certificate->blob, n);
    fault = read_key(&r, certificate, detail);
    if (!fault)
        fault = read_fields(&r, certificate, detail);
    if (!fault)
        *ret = STEAL(certificate);
    return fault;
}

void certificate_free(struct certificate *certificate)
{
    if (!certificate)
        return;
    for (size_t i = 0; i < certificate->n_principals; i++)
        free(certificate->principals[i]);
    free(certificate->principals);
    free(certificate->key_id);
    free(certificate->source_address);
    free(certificate->force_command);
    free(certificate->unknown_option);
    free(certificate->blob);
    free(certificate);
}
