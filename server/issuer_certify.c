/* What a token says is believed by now; here it becomes roles, and roles a certificate.
 *
 * The certificate names every role that the claims hold, and each login checks again that they do. Nothing is
 * issued that the audit chain would not know of. */
#include "server/issuer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/report.h"
#include "base/text.h"
#include "policy/certificate.h"
#include "policy/claims.h"
#include "policy/revocation.h"

enum { FINGERPRINT_BYTES = 64 };

/* ---- the audit chain ---- */

__attribute__((sentinel)) static int report(const struct issuer *issuer, const char *event, ...)
{
    va_list pairs;
    va_start(pairs, event);
    int r = report_send(issuer->ledger, event, pairs);
    va_end(pairs);
    return r;
}

static void fingerprint_of(const struct issuer_request *request, char out[FINGERPRINT_BYTES])
{
    out[0] = '\0';
    if (request->key_n > 0 &&
        public_key_fingerprint(request->key, request->key_n, out, FINGERPRINT_BYTES) != 0)
        out[0] = '\0';
}

void issuer_report_refusal(struct issuer *issuer, const struct issuer_request *request, const char *code,
                           const char *reason)
{
    char fingerprint[FINGERPRINT_BYTES];
    fingerprint_of(request, fingerprint);
    log_event(LOG_WARNING, "certificate_refused", "connection", U64(request->connection), "source",
              request->source, "how", request->how, "code", code, "reason", reason, NULL);
    if (report(issuer, "certificate_refused", "connection", U64(request->connection), "source_address",
               request->source, "how", request->how, "key", fingerprint, "code", code, "reason", reason,
               NULL))
        return; /* logged at least; the link's end is logged by itself */
}

/* ---- roles ---- */

struct roles {
    char **names; /* borrowed from the configuration */
    size_t n;
    bool pty, forwarding;
    char text[REPORT_VALUE_MAX]; /* joined by commas, perhaps cut */
};

static void roles_empty(struct roles *roles)
{
    free(roles->names);
}

static void add_extensions(struct roles *roles, const Ipc__Role *role)
{
    for (size_t i = 0; i < role->n_extensions; i++) {
        roles->pty = roles->pty || strcmp(role->extensions[i], "permit-pty") == 0;
        roles->forwarding = roles->forwarding || strcmp(role->extensions[i], "permit-port-forwarding") == 0;
    }
}

static int find_roles(const Ipc__Config *config, const Ipc__Claims *claims, struct roles *roles)
{
    size_t at = 0;
    roles->names = calloc(config->n_roles + 1, sizeof *roles->names);
    if (!roles->names)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];
        if (!claims_hold_role(claims, role))
            continue;
        roles->names[roles->n++] = role->name;
        add_extensions(roles, role);
        int more = snprintf(roles->text + at, sizeof roles->text - at, "%s%s", at ? "," : "", role->name);
        at = more > 0 && at + (size_t)more < sizeof roles->text ? at + (size_t)more : sizeof roles->text - 1;
    }
    return 0;
}

/* ---- the certificate ---- */

static uint64_t random_serial(void)
{
    uint64_t serial = 0;
    while (serial == 0) /* which would mean that there is none */
        if (getrandom(&serial, sizeof serial, 0) != (ssize_t)sizeof serial)
            serial = 0;
    return serial;
}

/* "192.0.2.7" of "::ffff:192.0.2.7", as logins by certificate are seen. */
static const char *plain_address(const char *address)
{
    static const char mapped[] = "::ffff:";
    return strncmp(address, mapped, sizeof mapped - 1) == 0 && strchr(address, '.')
               ? address + sizeof mapped - 1
               : address;
}

static int set_times(const Ipc__Config *config, uint64_t expires, struct certificate_grant *grant,
                     struct detail *detail)
{
    uint64_t now = clock_unix_ms() / 1000;
    grant->valid_after = now - ISSUER_BACKDATE_S;
    grant->valid_before = now + config->certificate_lifetime_ms / 1000;
    if (!config->lifetime_beyond_token && expires < grant->valid_before)
        grant->valid_before = expires;
    return grant->valid_before > now
               ? 0
               : detail_fail(
                     detail, TOKEN_EXPIRED,
                     "the token has just expired, and no certificate outlives its token: get a new one");
}

static int report_issue(const struct issuer *issuer, const struct issuer_request *request,
                        const Ipc__Claims *claims, const struct roles *roles,
                        const struct certificate_grant *grant)
{
    char fingerprint[FINGERPRINT_BYTES], until[32];
    fingerprint_of(request, fingerprint);
    return report(issuer, "certificate_issued", "connection", U64(request->connection), "source_address",
                  request->source, "identity", grant->key_id, "serial", U64(grant->serial), "roles",
                  roles->text, "key", fingerprint, "valid_before",
                  text_time(until, grant->valid_before * 1000), "how", request->how, "subject",
                  claims->subject, "token_id", claims->token_id, "actor", claims->actor, "authorized_party",
                  claims->authorized_party, NULL);
}

static int sign(struct issuer *issuer, const struct issuer_request *request, const Ipc__Claims *claims,
                const struct roles *roles, uint64_t expires, struct issuer_grant *ret, struct detail *detail)
{
    struct certificate_grant grant = { .key = request->key,
                                       .key_n = request->key_n,
                                       .key_id = ret->identity,
                                       .serial = random_serial(),
                                       .principals = roles->names,
                                       .n_principals = roles->n,
                                       .pty = roles->pty,
                                       .forwarding = roles->forwarding,
                                       .claims = claims };
    if (issuer->config->bind_source_address)
        grant.source_address = plain_address(request->source);
    int r = set_times(issuer->config, expires, &grant, detail);
    if (r == 0)
        r = certificate_issue(issuer->signer, &grant, &ret->certificate, &ret->certificate_n, detail);
    if (r)
        return r;
    ret->valid_before = grant.valid_before;
    /* First the report: what nobody would know of is not handed out. */
    if (report_issue(issuer, request, claims, roles, &grant)) {
        free(STEAL(ret->certificate));
        return detail_fail(detail, -ENOTCONN, "the ledger is not available: nothing is issued unrecorded");
    }
    log_event(LOG_INFO, "certificate_issued", "connection", U64(request->connection), "source",
              request->source, "how", request->how, "identity", grant.key_id, "serial", U64(grant.serial),
              "roles", roles->text, "actor", claims->actor[0] ? claims->actor : NULL, NULL);
    return 0;
}

int issuer_certify(struct issuer *issuer, const struct issuer_request *request, const Ipc__Claims *claims,
                   uint64_t expires, struct issuer_grant *ret, struct detail *detail)
{
    struct issuer_grant grant = { .certificate = NULL };
    struct roles roles = { .names = NULL };
    int n = snprintf(grant.identity, sizeof grant.identity, "%s/%s", claims->issuer, claims->username);
    if (n < 0 || (size_t)n >= sizeof grant.identity)
        return detail_fail(detail, -ENAMETOOLONG, "your name is too long");
    if (!issuer->signer || !issuer->ledger)
        return detail_fail(detail, -ENOTCONN,
                           issuer->ledger ? "no certificates are issued here"
                                          : "the ledger is not available: nothing is issued unrecorded");
    if (revocation_hits_identity(revoked_list(issuer->revoked), issuer->config, grant.identity, request->key,
                                 request->key_n, detail))
        return -EACCES;
    int r = find_roles(issuer->config, claims, &roles);
    if (r == 0 && roles.n == 0)
        r = detail_fail(
            detail, -EACCES,
            "the token is good, but no role here is for what it says of %s: ask whoever runs this "
            "bastion",
            grant.identity);
    if (r == 0)
        r = sign(issuer, request, claims, &roles, expires, &grant, detail);
    roles_empty(&roles);
    if (r == 0)
        *ret = grant;
    return r;
}
