/* Signatures of `ssh-keygen -Y sign` (OpenSSH PROTOCOL.sshsig): Ed25519, ECDSA, RSA with SHA-2, and security
 * keys. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "policy/sshsig_form.h"

struct certificate;

/* Why a signature does not count; each with a detail for whoever made it. */
enum sshsig_fault {
    SSHSIG_MALFORMED = 1,
    SSHSIG_OTHER_NAMESPACE, /* made for something else (-n) */
    SSHSIG_OTHER_KEY,       /* not by the key that the certificate is for */
    SSHSIG_UNTOUCHED,       /* by a security key that nobody touched */
    SSHSIG_WRONG,           /* of another message, or broken */
};

/* Whether the blob is a signature over the message, for that namespace, by the key of the certificate. It may
 * carry that key or any certificate for it. 0, an sshsig_fault, or negative. */
MUST_USE int sshsig_verify(const uint8_t *blob, size_t n, const char *name_space, const void *message,
                           size_t message_n, const struct certificate *certificate, struct detail *detail);
