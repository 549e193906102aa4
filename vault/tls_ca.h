/* The CA of this bastion for TLS on forwarded ports (docs/kubernetes.md): made from the vault's key, so that
 * it needs no file, and stays the same as long as that key. It signs server certificates for one gate each.
 */
#pragma once
#include "base/buffer.h"
#include "base/secret.h"

enum {
    TLS_CA_SEED = 32,                  /* bytes */
    TLS_CERTIFICATE_S = 12 * 60 * 60,  /* how long a server certificate is good */
    TLS_CERTIFICATE_BEFORE_S = 5 * 60, /* and since when before now, for clocks that differ */
    TLS_TEXT_MAX = 8 * 1024,           /* of one certificate or key, PEM */
};

struct tls_ca;

/* What OpenSSL loads at the first use, while files can be read. */
MUST_USE int tls_ca_start(void);
MUST_USE int tls_ca_new(const struct secret *seed, struct tls_ca **ret);
void tls_ca_free(struct tls_ca *ca);
DEFINE_CLEANUP(struct tls_ca *, tls_ca_free)

/* The CA's own certificate, PEM. Its bytes differ from call to call (ECDSA is random), its key and name do
 * not. */
MUST_USE int tls_ca_certificate(const struct tls_ca *ca, struct buffer *out);
/* A new key and a certificate for localhost, 127.0.0.1, ::1 and `name`, both PEM. */
MUST_USE int tls_ca_issue(const struct tls_ca *ca, const char *name, uint64_t now_s,
                          struct buffer *certificate, struct secret **ret_key);
