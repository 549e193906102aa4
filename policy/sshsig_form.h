/* The armour around signatures of `ssh-keygen -Y sign` (OpenSSH PROTOCOL.sshsig, "Armored format"). */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    SSHSIG_MAX = 4 * 1024,       /* bytes of a signature, out of its armour */
    SSHSIG_ARMOUR_MAX = 6 * 1024 /* bytes of one in it */
};

/* malloc'ed. Line ends may be of any kind, and blanks may stand around it. -EBADMSG: it is none; -EFBIG. */
MUST_USE int sshsig_from_armour(const void *text, size_t n, uint8_t **ret, size_t *ret_n);
/* malloc'ed, as ssh-keygen writes it; NULL: no memory, or too large. */
char *sshsig_armour(const void *blob, size_t n);
