/* A client certificate as the vault's entries of that type hold it: PEM with the certificate, whatever is
 * between it and its root, and its private key. The text is the caller's, to be wiped. */
#pragma once
#include <stddef.h>
#include <openssl/x509.h>
#include "base/cleanup.h"
#include "base/error.h"

enum { CLIENT_CERT_CHAIN_MAX = 16 }; /* certificates between the first and the root */

struct client_cert {
    X509 *leaf;
    STACK_OF(X509) * chain; /* without it; may be empty */
    EVP_PKEY *key;
};

/* -EBADMSG for text that holds no such thing, -EKEYEXPIRED for one whose time is over, with detail in words
 * for an operator. */
MUST_USE int client_cert_read(const void *pem, size_t n, struct client_cert **ret, struct detail *detail);
void client_cert_free(struct client_cert *cert);
DEFINE_CLEANUP(struct client_cert *, client_cert_free)
