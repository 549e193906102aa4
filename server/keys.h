/* New keys. Nothing is overwritten. */
#pragma once
#include "base/error.h"

/* Makes PATH (private, 0600, no passphrase) and PATH.pub with the comment, Ed25519, in OpenSSH's formats. */
MUST_USE int keys_generate(const char *path, const char *comment, struct detail *detail);
/* Makes PATH (private, 0600, no passphrase), Ed25519, in PEM form (PKCS#8), as libraries for tokens want it.
 */
MUST_USE int keys_generate_pem(const char *path, struct detail *detail);
