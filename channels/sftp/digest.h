/* SHA-256 of a file as it goes by in pieces, which need not come in order. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    DIGEST_SIZE = 32,
    DIGEST_WINDOW_MAX = 1024 * 1024, /* bytes of pieces that wait for what comes before them */
    DIGEST_PIECES_MAX = 64,          /* of those */
};

struct digest;

/* Costs nothing until the first bytes come. */
MUST_USE int digest_new(struct digest **ret);
void digest_free(struct digest *digest);
/* Bytes of the file at this offset have gone by. The first piece says where the run begins. Pieces that lie
 * ahead wait, within the bounds above. What comes twice is not hashed twice, and makes the digest one of a
 * part. -ENOMEM. */
MUST_USE int digest_add(struct digest *digest, uint64_t offset, const void *bytes, size_t n);

struct digest_result {
    uint8_t sha256[DIGEST_SIZE]; /* of the `length` bytes at offset `from`, as they went by first */
    uint64_t from, length;
    uint64_t bytes; /* that went by in all */
    bool whole;     /* every one of them is in the digest, once */
};
/* Ends it: nothing may be added any more. Of nothing when nothing was. */
MUST_USE int digest_end(struct digest *digest, struct digest_result *ret);
