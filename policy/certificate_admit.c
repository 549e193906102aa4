/* Who a certificate is, here and now.
 *
 * First what authenticates the rest: is the CA one of ours, does its signature hold. Only then is anything
 * said about the content, so that messages about dates and principals are never about forged ones. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/certificate_parts.h"
#include "policy/claims.h"
#include "policy/revocation.h"

enum { FINGERPRINT_SIZE = 64, AGE_SIZE = 48 };

#define VALID_FOREVER UINT64_MAX

static bool ca_is_known(const Ipc__Config *config, struct span blob)
{
    if (ca_is(config->user_ca_public, blob))
        return true;
    for (size_t i = 0; i < config->n_trusted_cas; i++)
        if (ca_is(config->trusted_cas[i], blob))
            return true;
    return false;
}

static int check_ca(const struct certificate *certificate, const Ipc__Config *config, struct detail *detail)
{
    char fingerprint[FINGERPRINT_SIZE];
    int r;

    if (ca_is_known(config, certificate->ca))
        return certificate_verify(certificate, detail);
    if (certificate_is_packet(certificate))
        return detail_fail(detail, CERTIFICATE_TO_EXCHANGE,
                           "your certificate is of OpenPubkey, which is not accepted here");
    r = key_fingerprint(certificate->ca.bytes, certificate->ca.n, fingerprint, sizeof(fingerprint));
    if (r)
        return r;
    return detail_fail(detail, CERTIFICATE_UNKNOWN_CA,
                       "your certificate was signed by a CA that is not trusted here (%s)", fingerprint);
}

/* "12 minutes": the largest unit that gives at least 2, or seconds. */
static const char *age_text(uint64_t seconds, char out[AGE_SIZE])
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = { { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" } };
    uint64_t count = seconds;
    const char *name = seconds == 1 ? "second" : "seconds";

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (seconds >= 2 * units[i].seconds) {
            count = seconds / units[i].seconds;
            name = units[i].name;
            break;
        }
    snprintf(out, AGE_SIZE, "%" PRIu64 " %s", count, name);
    return out;
}

/* RFC 3339 without the milliseconds. */
static const char *moment_text(uint64_t unix_seconds, char out[32])
{
    char *fraction;

    if (unix_seconds > UINT64_C(253402300799)) /* the end of year 9999 */
        return "a date beyond the year 9999";
    text_time(out, unix_seconds * 1000);
    fraction = strchr(out, '.');
    if (fraction)
        memcpy(fraction, "Z", 2);
    return out;
}

static int check_validity(const struct certificate *certificate, uint64_t now, struct detail *detail)
{
    char age[AGE_SIZE], moment[32];

    if (now < certificate->valid_after)
        return detail_fail(
            detail, CERTIFICATE_NOT_YET_VALID,
            "your certificate is not valid before %s, which is in %s; check the clocks of both sides",
            moment_text(certificate->valid_after, moment), age_text(certificate->valid_after - now, age));
    if (certificate->valid_before != VALID_FOREVER && now >= certificate->valid_before)
        return detail_fail(detail, CERTIFICATE_EXPIRED,
                           "your certificate expired %s ago at %s; get a new one from where you got this one",
                           age_text(now - certificate->valid_before, age),
                           moment_text(certificate->valid_before, moment));
    return 0;
}

/* What holds for the certificate whoever signed it. */
static int check_content(const struct certificate *certificate, const Ipc__RevocationList *revoked,
                         uint64_t now, const char *source_address, struct detail *detail)
{
    int fault;

    if (revocation_hits(revoked, certificate, detail))
        return CERTIFICATE_REVOKED;
    if (certificate->kind != CERTIFICATE_KIND_USER)
        return detail_fail(
            detail, CERTIFICATE_NOT_USER, "your certificate is %s: a user certificate is needed",
            certificate->kind == CERTIFICATE_KIND_HOST ? "a host certificate" : "of an unknown kind");
    fault = check_validity(certificate, now, detail);
    if (fault)
        return fault;
    if (certificate->unknown_option)
        return detail_fail(detail, CERTIFICATE_UNKNOWN_OPTION,
                           "your certificate has the critical option \"%s\", which is not supported here",
                           certificate->unknown_option);
    if (certificate->source_address)
        return source_match(certificate->source_address, source_address, detail);
    return 0;
}

/* The claims count only when our own issuer wrote them: anybody may put an extension of this name into a
 * certificate of another CA. */
static int fill_claims(Ipc__Identity *identity, const struct certificate *certificate,
                       const Ipc__Config *config, struct detail *detail)
{
    struct reader r = reader_of(certificate->claims.bytes, certificate->claims.n);
    struct span packed;

    if (certificate->claims.n == 0 || !ca_is(config->user_ca_public, certificate->ca))
        return 0;
    if (!span_read(&r, &packed) || !reader_done(&r) ||
        claims_unpack(packed.bytes, packed.n, &identity->claims) != 0)
        return detail_fail(detail, CERTIFICATE_MALFORMED,
                           "your certificate's extension " CLAIMS_EXTENSION " is malformed");
    return 0;
}

/* Replaces an empty protobuf string by a copy. */
static int text_put(char **field, const char *text)
{
    char *copy = strdup(text ? text : "");

    if (!copy)
        return -ENOMEM;
    *field = copy;
    return 0;
}

static int fill(Ipc__Identity *identity, const struct certificate *certificate, const char *source_address)
{
    char fingerprint[FINGERPRINT_SIZE], ca[FINGERPRINT_SIZE];
    int r = certificate_fingerprint(certificate, fingerprint, sizeof(fingerprint));

    if (!r)
        r = key_fingerprint(certificate->ca.bytes, certificate->ca.n, ca, sizeof(ca));
    if (!r)
        r = text_put(&identity->fingerprint, fingerprint);
    if (!r)
        r = text_put(&identity->ca_fingerprint, ca);
    if (!r)
        r = text_put(&identity->name, certificate->key_id);
    if (!r)
        r = text_put(&identity->source_address, source_address);
    if (!r)
        r = text_put(&identity->force_command, certificate->force_command);
    for (size_t i = 0; !r && i < certificate->n_principals; i++)
        r = texts_add(&identity->principals, &identity->n_principals, certificate->principals[i]);
    identity->serial = certificate->serial;
    identity->valid_after = certificate->valid_after;
    identity->valid_before = certificate->valid_before;
    identity->pty = certificate->pty;
    identity->forwarding = certificate->forwarding;
    identity->hardware = certificate->key.type->hardware && !certificate->no_touch;
    return r;
}

static void identity_free(Ipc__Identity *identity)
{
    if (identity)
        ipc__identity__free_unpacked(identity, NULL);
}
DEFINE_CLEANUP(Ipc__Identity *, identity_free)

int certificate_admit(const struct certificate *certificate, const Ipc__Config *config,
                      const Ipc__RevocationList *revoked, uint64_t now_unix, const char *source_address,
                      Ipc__Identity **ret_identity, struct detail *detail)
{
    CLEANUP(identity_free) Ipc__Identity *identity = NULL;
    int fault;

    fault = check_ca(certificate, config, detail);
    if (!fault)
        fault = check_content(certificate, revoked, now_unix, source_address, detail);
    if (fault)
        return fault;
    if (certificate->n_principals == 0) /* to OpenSSH it would mean everybody */
        return detail_fail(detail, CERTIFICATE_NO_PRINCIPALS, "your certificate names no principals");
    identity = malloc(sizeof(*identity));
    if (!identity)
        return -ENOMEM;
    ipc__identity__init(identity);
    fault = fill(identity, certificate, source_address);
    if (!fault)
        fault = fill_claims(identity, certificate, config, detail);
    if (!fault)
        fault = roles_fill(identity, certificate->ca, config);
    if (fault)
        return fault;
    if (identity->n_roles == 0)
        return roles_none(identity, certificate->ca, config, detail);
    *ret_identity = STEAL(identity);
    return 0;
}

/* ---- OpenPubkey ---- */

bool certificate_packet(const struct certificate *certificate, const uint8_t **ret, size_t *ret_n)
{
    if (certificate->packet.n == 0)
        return false;
    *ret = certificate->packet.bytes;
    *ret_n = certificate->packet.n;
    return true;
}

bool certificate_is_packet(const struct certificate *certificate)
{
    struct buffer plain;
    bool self_signed;

    if (certificate->packet.n == 0)
        return false;
    buffer_init(&plain, CERTIFICATE_MAX);
    self_signed = key_plain(certificate, &plain) == 0 && buffer_size(&plain) == certificate->ca.n &&
                  memcmp(buffer_head(&plain), certificate->ca.bytes, certificate->ca.n) == 0;
    buffer_free(&plain);
    return self_signed;
}

int certificate_check_packet(const struct certificate *certificate, const Ipc__RevocationList *revoked,
                             uint64_t now_unix, const char *source_address, struct detail *detail)
{
    int fault = certificate_verify(certificate, detail);

    return fault ? fault : check_content(certificate, revoked, now_unix, source_address, detail);
}
