/* The CA's signature over a certificate. */
#include "policy/certificate_parts.h"

int certificate_verify(const struct certificate *certificate, struct detail *detail)
{
    struct public_key ca;
    int fault = key_read_plain(certificate->ca, &ca, detail);

    if (fault)
        return fault;
    if (ca.type->hardware)
        return detail_fail(detail, CERTIFICATE_WEAK,
                           "your certificate's CA is a security key: not supported");
    fault = key_verify(&ca, certificate->signature, certificate->to_sign, NULL);
    if (fault == CERTIFICATE_WEAK)
        return detail_fail(
            detail, fault,
            "your certificate is signed with SHA-1 (ssh-rsa): have it signed with -t rsa-sha2-512");
    if (fault == CERTIFICATE_BAD_SIGNATURE)
        return detail_fail(detail, fault, "your certificate's signature is not valid");
    return fault;
}
