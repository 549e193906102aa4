/* Host certificates: which key a host has, by the word of a CA (OpenSSH PROTOCOL.certkeys, ssh-keygen -h). */
#pragma once
#include "policy/certificate.h"

/* Everything that must hold now for a host that is asked for as target: signed by one of its host_cas, for
 * hosts, valid, without critical options (a host has none), for the target's name or the host of its address.
 * *ret: the plain key that it certifies, wire form, malloc'ed: whoever shows the certificate has yet to prove
 * that key. 0; positive: refused, with words for the log; negative. */
MUST_USE int certificate_host_key(const uint8_t *blob, size_t n, const Ipc__Target *target, uint64_t now_unix,
                                  uint8_t **ret, size_t *ret_n, struct detail *detail);
