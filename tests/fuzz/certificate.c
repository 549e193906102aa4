/* Whatever bytes a client calls a certificate, and whatever text somebody calls a CA. */
#include <stdlib.h>
#include <string.h>
#include "policy/certificate.h"
#include "policy/certificate_issue.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Admits with a CA that is the one inside the certificate, so that signatures are looked at too. */
static void admit(const struct certificate *certificate, uint8_t *ca, size_t ca_n)
{
    Ipc__Ca known = IPC__CA__INIT;
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Identity *identity = NULL;
    struct detail detail;

    known.blob.data = ca;
    known.blob.len = ca_n;
    config.user_ca_public = &known;
    if (certificate_is_packet(certificate))
        (void)!certificate_check_packet(certificate, NULL, 1, "192.0.2.7", &detail);
    if (certificate_admit(certificate, &config, NULL, 1, "192.0.2.7", &identity, &detail) == 0)
        ipc__identity__free_unpacked(identity, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    /* The first byte says how long the CA's key at the end is. */
    size_t ca_n = n > 0 ? bytes[0] : 0;
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    CLEANUP(free) char *line = malloc(n + 1);
    CLEANUP(free) uint8_t *ca = malloc(256);
    uint8_t *blob = NULL;
    size_t blob_n;
    struct detail detail;
    char fingerprint[64];

    if (n == 0 || !line || !ca)
        return 0;
    if (certificate_parse(bytes + 1, n - 1, &certificate, &detail) == 0) {
        const uint8_t *key = ca_n + 87 < n ? bytes + n - ca_n - 87 : NULL;

        if (certificate_fingerprint(certificate, fingerprint, sizeof(fingerprint)) != 0)
            abort();
        if (key)
            memcpy(ca, key, ca_n);
        admit(certificate, ca, key ? ca_n : 0);
    }
    if (certificate_plain_key(bytes + 1, n - 1, &blob, &blob_n, &detail) == 0) {
        if (certificate_key_check(blob, blob_n, &detail) < 0)
            abort();
        free(STEAL(blob));
    }
    memcpy(line, bytes, n);
    line[n] = '\0';
    if (public_key_parse(line, &blob, &n, &detail) == 0)
        free(blob);
    return 0;
}
