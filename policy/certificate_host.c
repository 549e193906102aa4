/* As strict as OpenSSH's client, and stricter in one thing: a certificate without principals would be good
 * for every host of its CA, and is good for none here. Principals may be patterns with * and ?, as there. */
#include "policy/certificate_host.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "policy/certificate_parts.h"

static bool is_trusted(const struct certificate *certificate, const Ipc__Target *target)
{
    for (size_t i = 0; i < target->n_host_cas; i++)
        if (target->host_cas[i].len == certificate->ca.n &&
            memcmp(target->host_cas[i].data, certificate->ca.bytes, certificate->ca.n) == 0)
            return true;
    return false;
}

/* Names of hosts don't differ by case; brackets are no pattern. */
static bool covers(const char *pattern, const char *name)
{
    return !strpbrk(pattern, "[]\\") && fnmatch(pattern, name, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

static bool is_for(const struct certificate *certificate, const Ipc__Target *target)
{
    for (size_t i = 0; i < certificate->n_principals; i++)
        if (covers(certificate->principals[i], target->name) ||
            covers(certificate->principals[i], target->host))
            return true;
    return false;
}

static int check(const struct certificate *certificate, const Ipc__Target *target, uint64_t now_unix,
                 struct detail *detail)
{
    if (certificate->kind != CERTIFICATE_KIND_HOST)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "the host shows a certificate of a user");
    if (!is_trusted(certificate, target))
        return detail_fail(detail, CERTIFICATE_UNKNOWN_CA,
                           "the host's certificate is signed by a CA that is not among its host_ca");
    if (certificate_verify(certificate, detail) != 0)
        return detail_fail(detail, CERTIFICATE_BAD_SIGNATURE,
                           "the signature of the host's certificate is not valid");
    if (now_unix < certificate->valid_after)
        return detail_fail(detail, CERTIFICATE_NOT_YET_VALID, "the host's certificate is not valid yet");
    if (now_unix >= certificate->valid_before)
        return detail_fail(detail, CERTIFICATE_EXPIRED, "the host's certificate has expired");
    if (certificate->source_address || certificate->force_command || certificate->unknown_option)
        return detail_fail(detail, CERTIFICATE_UNKNOWN_OPTION,
                           "the host's certificate has critical options, which hosts don't");
    if (!is_for(certificate, target))
        return detail_fail(detail, CERTIFICATE_NO_PRINCIPALS,
                           "the host's certificate (\"%.100s\") is not for \"%.100s\" or \"%.100s\"",
                           certificate->key_id, target->name, target->host);
    return 0;
}

static int copy_key(const struct certificate *certificate, uint8_t **ret, size_t *ret_n)
{
    struct buffer plain;
    uint8_t *copy = NULL;

    buffer_init(&plain, CERTIFICATE_MAX);
    int r = key_plain(certificate, &plain);
    if (!r && !(copy = malloc(buffer_size(&plain))))
        r = -ENOMEM;
    if (!r) {
        memcpy(copy, buffer_head(&plain), buffer_size(&plain));
        *ret = copy;
        *ret_n = buffer_size(&plain);
    }
    buffer_free(&plain);
    return r;
}

int certificate_host_key(const uint8_t *blob, size_t n, const Ipc__Target *target, uint64_t now_unix,
                         uint8_t **ret, size_t *ret_n, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    int r = certificate_parse(blob, n, &certificate, detail);

    if (r > 0)
        return detail_fail(detail, r, "the host's certificate does not add up");
    r = r ? r : check(certificate, target, now_unix, detail);
    return r ? r : copy_key(certificate, ret, ret_n);
}
