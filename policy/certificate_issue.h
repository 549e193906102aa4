/* Makes OpenSSH user certificates: what the issuer signs with the user CA, and the vault with a target's.
 * Format: OpenSSH PROTOCOL.certkeys. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"

struct certificate_signer;

/* What the certificate says. Everything is borrowed. */
struct certificate_grant {
    const uint8_t *key; /* the plain public key's wire form, of an accepted type */
    size_t key_n;
    const char *key_id;
    uint64_t serial;
    uint64_t valid_after, valid_before; /* unix seconds */
    char *const *principals;
    size_t n_principals;
    const char *force_command, *source_address; /* critical options, or NULL */
    bool pty, forwarding;                       /* extensions */
    const Ipc__Claims *claims;                  /* extension claims@gatehouse, or NULL */
};

/* The CA's private key, OpenSSH or PEM form, without a passphrase: Ed25519, ECDSA or RSA (signs
 * rsa-sha2-512). bytes are the caller's to wipe. */
MUST_USE int certificate_signer_new(const uint8_t *bytes, size_t n, struct certificate_signer **ret,
                                    struct detail *detail);
/* The same of bytes that certificate_signer_new() has taken before: whether both halves belong together isn't
 * looked at again, for which RSA needs 40 to 260 ms. */
MUST_USE int certificate_signer_again(const uint8_t *bytes, size_t n, struct certificate_signer **ret,
                                      struct detail *detail);
void certificate_signer_free(struct certificate_signer *signer);
DEFINE_CLEANUP(struct certificate_signer *, certificate_signer_free)
/* Whether a plain public key in wire form is of an accepted type and strength; detail tells a person why not.
 * 0, a certificate_fault, or negative. */
MUST_USE int certificate_key_check(const uint8_t *key, size_t n, struct detail *detail);
/* The plain key inside of a certificate, or the plain key itself; malloc'ed. */
MUST_USE int certificate_plain_key(const uint8_t *blob, size_t n, uint8_t **ret_key, size_t *ret_n,
                                   struct detail *detail);
/* *ret is the certificate's wire form, malloc'ed. 0, or -EINVAL with detail, or -ENOMEM. */
MUST_USE int certificate_issue(const struct certificate_signer *signer, const struct certificate_grant *grant,
                               uint8_t **ret, size_t *ret_n, struct detail *detail);
