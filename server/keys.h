/* New SSH key pairs, in OpenSSH's formats. */
#pragma once
#include "base/error.h"

/* Makes PATH (private, 0600, no passphrase) and PATH.pub with the comment, Ed25519. Refuses to overwrite. */
MUST_USE int keys_generate(const char *path, const char *comment, struct detail *detail);
