/* Splitting a chain into its entries needs no key and no cryptography: who only reads links libc. */
#include "base/chain.h"

#include <string.h>

enum { PREFIX = 6 }; /* u32 size, u16 head size */

int chain_parse(const uint8_t *bytes, size_t n, struct chain_entry *ret)
{
    if (n < PREFIX)
        return CHAIN_CUT;
    size_t size = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    size_t head_n = (size_t)bytes[4] << 8 | bytes[5];
    if (size < 2 + head_n + CHAIN_TAG || size > 2 + CHAIN_HEAD_MAX + CHAIN_BODY_MAX + CHAIN_TAG)
        return CHAIN_FORGED;
    if (n - 4 < size)
        return CHAIN_CUT;
    size_t body_n = size - 2 - head_n - CHAIN_TAG;
    *ret = (struct chain_entry){
        .head = bytes + PREFIX,
        .head_n = head_n,
        .body = bytes + PREFIX + head_n,
        .body_n = body_n,
        .size = 4 + size,
    };
    memcpy(ret->tag, bytes + 4 + size - CHAIN_TAG, CHAIN_TAG);
    return 0;
}
