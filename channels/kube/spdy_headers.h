/* Header blocks of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00 §2.6.10): name and value pairs, compressed over
 * the whole connection. The one user of zlib. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

enum {
    SPDY_HEADERS_MAX = 16 * 1024, /* bytes of a block, unpacked */
    SPDY_PAIRS_MAX = 32,
};

struct spdy_pair {
    const char *name, *value;
};
/* Borrowed from whoever read it, until the next block. */
struct spdy_headers {
    struct spdy_pair pairs[SPDY_PAIRS_MAX];
    size_t n;
};
/* NULL when there is none. */
const char *spdy_header(const struct spdy_headers *headers, const char *name);

/* The compressor's and the decompressor's dictionary (§2.6.10.1). */
extern const uint8_t spdy_dictionary[];
extern const unsigned spdy_dictionary_size;

enum { SPDY_HEADERS_MALFORMED = 1 };

struct spdy_unpacker;
MUST_USE int spdy_unpacker_new(struct spdy_unpacker **ret);
void spdy_unpacker_free(struct spdy_unpacker *unpacker);
DEFINE_CLEANUP(struct spdy_unpacker *, spdy_unpacker_free)
/* The whole block. SPDY_HEADERS_MALFORMED: also for too long ones, names that are there twice or not in lower
 * case, and values with bytes that are no text; no later block can be read. -ENOMEM. */
MUST_USE int spdy_unpack(struct spdy_unpacker *unpacker, const void *bytes, size_t n,
                         struct spdy_headers *ret, struct detail *detail);

struct spdy_packer;
MUST_USE int spdy_packer_new(struct spdy_packer **ret);
void spdy_packer_free(struct spdy_packer *packer);
DEFINE_CLEANUP(struct spdy_packer *, spdy_packer_free)
/* Appends it; -ENOBUFS, -ENOMEM: no later block can be written. */
MUST_USE int spdy_pack(struct spdy_packer *packer, const struct spdy_headers *headers, struct buffer *out);
