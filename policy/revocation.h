/* What is revoked: OpenSSH key revocation lists (PROTOCOL.krl) and lists of "serial:N" / "id:NAME" lines. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"

struct certificate;

enum {
    REVOCATION_FILE_MAX = 16 * 1024 * 1024, /* bytes of a file */
    REVOCATION_LIST_MAX = 64 * 1024 * 1024, /* bytes of a packed list */
    REVOCATION_ENTRIES_MAX = 1000 * 1000,   /* ranges, key ids and keys of one list */
};

/* Adds what a file says to the list (starts as IPC__REVOCATION_LIST__INIT). The format is recognised: a KRL
 * by its magic, else lines, where "#" begins a comment. -EINVAL: detail says where and what; the list is then
 * as before. */
MUST_USE int revocation_read(const uint8_t *bytes, size_t n, Ipc__RevocationList *list,
                             struct detail *detail);
/* Sorts, folds repeats and overlaps; after the last revocation_read. */
MUST_USE int revocation_seal(Ipc__RevocationList *list);
void revocation_free(Ipc__RevocationList *list); /* empties one that is embedded */
/* The line of a list for what an operator names: "serial:N" (or N-M), "key:SHA256:…", "id:NAME", or just an
 * identity's name. malloc'ed, without newline; the caller may append " # COMMENT". -EINVAL with detail when
 * it can't be one. */
MUST_USE int revocation_line(const char *what, char **ret, struct detail *detail);
/* Whether a sealed list (or NULL: nothing is revoked) has this certificate: its serial or key id under its
 * CA, its key, or its CA's key. detail, which may be NULL, tells its owner. */
bool revocation_hits(const Ipc__RevocationList *list, const struct certificate *certificate,
                     struct detail *detail);
/* The same for somebody who has none yet: "ISSUER/USERNAME" under our CA, and the key that is to be
 * certified. */
bool revocation_hits_identity(const Ipc__RevocationList *list, const Ipc__Config *config, const char *key_id,
                              const uint8_t *key, size_t n, struct detail *detail);
/* A sealed memfd with the packed list, and back; *ret is freed with ipc__revocation_list__free_unpacked. */
MUST_USE int revocation_pack(const Ipc__RevocationList *list, int *ret_fd);
MUST_USE int revocation_unpack(int fd, Ipc__RevocationList **ret);
