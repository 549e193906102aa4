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

enum { FINGERPRINT_SIZE = 64, AGE_SIZE = 48 };

#define VALID_FOREVER UINT64_MAX

static bool is_ca(const Ipc__Ca *ca, struct span blob)
{
    return ca && ca->blob.len == blob.n && blob.n > 0 && memcmp(ca->blob.data, blob.bytes, blob.n) == 0;
}

static bool ca_is_known(const Ipc__Config *config, struct span blob)
{
    if (is_ca(config->user_ca_public, blob))
        return true;
    for (size_t i = 0; i < config->n_trusted_cas; i++)
        if (is_ca(config->trusted_cas[i], blob))
            return true;
    return false;
}

static int check_ca(const struct certificate *certificate, const Ipc__Config *config, struct detail *detail)
{
    char fingerprint[FINGERPRINT_SIZE];
    int r;

    if (ca_is_known(config, certificate->ca))
        return certificate_verify(certificate, detail);
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

static int check_content(const struct certificate *certificate, uint64_t now, const char *source_address,
                         struct detail *detail)
{
    int fault;

    if (certificate->kind != CERTIFICATE_KIND_USER)
        return detail_fail(
            detail, CERTIFICATE_NOT_USER, "your certificate is %s: a user certificate is needed",
            certificate->kind == CERTIFICATE_KIND_HOST ? "a host certificate" : "of an unknown kind");
    fault = check_validity(certificate, now, detail);
    if (fault)
        return fault;
    if (certificate->n_principals == 0) /* to OpenSSH it would mean everybody */
        return detail_fail(detail, CERTIFICATE_NO_PRINCIPALS, "your certificate names no principals");
    if (certificate->unknown_option)
        return detail_fail(detail, CERTIFICATE_UNKNOWN_OPTION,
                           "your certificate has the critical option \"%s\", which is not supported here",
                           certificate->unknown_option);
    if (certificate->source_address)
        return source_match(certificate->source_address, source_address, detail);
    return 0;
}

static bool has_principal(const struct certificate *certificate, const char *name)
{
    for (size_t i = 0; i < certificate->n_principals; i++)
        if (strcmp(certificate->principals[i], name) == 0)
            return true;
    return false;
}

/* The role's CA is this certificate's CA. Several entries may hold the same key under different names. */
static bool role_is_of_ca(const Ipc__Config *config, const Ipc__Role *role, struct span blob)
{
    for (size_t i = 0; i < config->n_trusted_cas; i++)
        if (is_ca(config->trusted_cas[i], blob) && strcmp(config->trusted_cas[i]->name, role->ca) == 0)
            return true;
    return false;
}

static bool role_is_held(const struct certificate *certificate, const Ipc__Config *config,
                         const Ipc__Role *role)
{
    if (role->ca[0] == '\0')
        return is_ca(config->user_ca_public, certificate->ca) && has_principal(certificate, role->name);
    if (!role_is_of_ca(config, role, certificate->ca))
        return false;
    for (size_t i = 0; i < role->n_principals; i++)
        if (has_principal(certificate, role->principals[i]))
            return true;
    return false;
}

/* Appends a copy of text unless it is there already. */
static int list_add(char ***list, size_t *count, const char *text)
{
    char **longer;

    for (size_t i = 0; i < *count; i++)
        if (strcmp((*list)[i], text) == 0)
            return 0;
    longer = realloc(*list, (*count + 1) * sizeof(char *));
    if (!longer)
        return -ENOMEM;
    *list = longer;
    longer[*count] = strdup(text);
    if (!longer[*count])
        return -ENOMEM;
    (*count)++;
    return 0;
}

static int fill_roles(Ipc__Identity *identity, const struct certificate *certificate,
                      const Ipc__Config *config)
{
    int r = 0;

    for (size_t i = 0; !r && i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];

        if (!role_is_held(certificate, config, role))
            continue;
        r = list_add(&identity->roles, &identity->n_roles, role->name);
        for (size_t k = 0; !r && k < role->n_may; k++)
            r = list_add(&identity->may, &identity->n_may, role->may[k]);
    }
    return r;
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

static int fill(Ipc__Identity *identity, const struct certificate *certificate, const Ipc__Config *config,
                const char *source_address)
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
        r = list_add(&identity->principals, &identity->n_principals, certificate->principals[i]);
    if (!r)
        r = fill_roles(identity, certificate, config);
    identity->serial = certificate->serial;
    identity->valid_after = certificate->valid_after;
    identity->valid_before = certificate->valid_before;
    identity->pty = certificate->pty;
    identity->forwarding = certificate->forwarding;
    return r;
}

static void identity_free(Ipc__Identity *identity)
{
    if (identity)
        ipc__identity__free_unpacked(identity, NULL);
}
DEFINE_CLEANUP(Ipc__Identity *, identity_free)

int certificate_admit(const struct certificate *certificate, const Ipc__Config *config, uint64_t now_unix,
                      const char *source_address, Ipc__Identity **ret_identity, struct detail *detail)
{
    CLEANUP(identity_free) Ipc__Identity *identity = NULL;
    int fault;

    fault = check_ca(certificate, config, detail);
    if (!fault)
        fault = check_content(certificate, now_unix, source_address, detail);
    if (fault)
        return fault;
    identity = malloc(sizeof(*identity));
    if (!identity)
        return -ENOMEM;
    ipc__identity__init(identity);
    fault = fill(identity, certificate, config, source_address);
    if (fault)
        return fault;
    if (identity->n_roles == 0)
        return detail_fail(detail, CERTIFICATE_NO_ROLE,
                           "your certificate is valid, but none of its principals is a role here");
    *ret_identity = STEAL(identity);
    return 0;
}
