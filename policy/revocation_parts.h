/* What the revocation_*.c files that read share; nobody else includes this. */
#pragma once
#include "policy/certificate_parts.h"
#include "policy/revocation.h"

/* A list as it is being read. */
struct reading {
    Ipc__RevocationList list;
    size_t entries;
    struct detail *detail;
};

/* ---- revocation_list.c ---- */
/* All return 0, -EINVAL with the detail set when a bound is met, or -ENOMEM. */
/* The part for a CA, which is made when there is none; no bytes: for every CA. */
MUST_USE int reading_ca(struct reading *reading, struct span ca, Ipc__RevokedCertificates **ret);
/* first may not be 0, which means "no serial" in a certificate. */
MUST_USE int reading_add_serials(struct reading *reading, Ipc__RevokedCertificates *part, uint64_t first,
                                 uint64_t last);
MUST_USE int reading_add(struct reading *reading, Ipc__ByteSet **set, struct span bytes);

/* ---- revocation_krl.c ---- */
bool krl_is(struct span file);
MUST_USE int krl_read(struct span file, struct reading *reading);
