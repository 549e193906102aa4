/* Both ends compress with one stream for all blocks of a connection, so a block that can't be read makes all
 * later ones unreadable. What comes out of the decompressor is bounded before it is kept. */
#include "channels/kube/spdy_headers.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

/* Of the compressor: names and values are a few dozen bytes. The dictionary has to fit into the window. */
enum { WINDOW_BITS = 11, MEMORY_LEVEL = 2, PACK_ROOM = 256 };

const char *spdy_header(const struct spdy_headers *headers, const char *name)
{
    for (size_t i = 0; i < headers->n; i++)
        if (strcmp(headers->pairs[i].name, name) == 0)
            return headers->pairs[i].value;
    return NULL;
}

/* ---- unpacking ---- */

struct spdy_unpacker {
    z_stream zlib;
    struct buffer text; /* of the last block: names and values, each ended by a NUL */
    uint8_t block[SPDY_HEADERS_MAX];
    bool broken;
};

int spdy_unpacker_new(struct spdy_unpacker **ret)
{
    struct spdy_unpacker *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    buffer_init(&u->text, SPDY_HEADERS_MAX + 2 * SPDY_PAIRS_MAX);
    if (inflateInit(&u->zlib) != Z_OK) {
        free(u);
        return -ENOMEM;
    }
    *ret = u;
    return 0;
}

void spdy_unpacker_free(struct spdy_unpacker *u)
{
    if (!u)
        return;
    (void)inflateEnd(&u->zlib);
    buffer_free(&u->text);
    free(u);
}

/* Into block. NULL, or what is wrong. */
static const char *inflate_block(struct spdy_unpacker *u, const void *bytes, size_t n, size_t *ret_n)
{
    z_stream *z = &u->zlib;
    z->next_in = (uint8_t *)(uintptr_t)bytes;
    z->avail_in = (unsigned)n;
    z->next_out = u->block;
    z->avail_out = sizeof u->block;
    int r = inflate(z, Z_SYNC_FLUSH);
    if (r == Z_NEED_DICT) {
        if (inflateSetDictionary(z, spdy_dictionary, spdy_dictionary_size) != Z_OK)
            return "another dictionary than SPDY/3's";
        r = inflate(z, Z_SYNC_FLUSH);
    }
    if (r != Z_OK && r != Z_BUF_ERROR)
        return "it can't be decompressed";
    if (z->avail_in > 0 || z->avail_out == 0)
        return "it is too long";
    *ret_n = sizeof u->block - z->avail_out;
    return NULL;
}

static bool is_name(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] <= ' ' || bytes[i] >= 0x7f || (bytes[i] >= 'A' && bytes[i] <= 'Z'))
            return false;
    return n > 0;
}

static bool is_value(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 0x7f)
            return false;
    return true;
}

static bool read_text(struct reader *in, const uint8_t **ret, size_t *ret_n)
{
    uint32_t n = 0;
    if (!reader_u32(in, &n) || !reader_bytes(in, n, ret))
        return false;
    *ret_n = n;
    return true;
}

static int keep(struct buffer *text, const uint8_t *bytes, size_t n)
{
    int r = n ? buffer_append(text, bytes, n) : 0;
    return r ? r : buffer_put_u8(text, 0);
}

/* Copies its texts; 0, SPDY_HEADERS_MALFORMED or -ENOMEM. */
static int read_pairs(struct spdy_unpacker *u, struct reader in, size_t *ret_n)
{
    uint32_t n = 0;
    if (!reader_u32(&in, &n) || n > SPDY_PAIRS_MAX)
        return SPDY_HEADERS_MALFORMED;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *name = NULL, *value = NULL;
        size_t name_n = 0, value_n = 0;
        if (!read_text(&in, &name, &name_n) || !read_text(&in, &value, &value_n) || !is_name(name, name_n) ||
            !is_value(value, value_n))
            return SPDY_HEADERS_MALFORMED;
        int r = keep(&u->text, name, name_n);
        r = r ? r : keep(&u->text, value, value_n);
        if (r)
            return r == -ENOBUFS ? SPDY_HEADERS_MALFORMED : r;
    }
    *ret_n = n;
    return reader_done(&in) ? 0 : SPDY_HEADERS_MALFORMED;
}

static int list(const struct spdy_unpacker *u, size_t n, struct spdy_headers *ret)
{
    const char *at = (const char *)buffer_head(&u->text);
    *ret = (struct spdy_headers){ .n = 0 };
    for (size_t i = 0; i < n; i++) {
        const char *value = at + strlen(at) + 1;
        if (spdy_header(ret, at))
            return SPDY_HEADERS_MALFORMED;
        ret->pairs[ret->n++] = (struct spdy_pair){ at, value };
        at = value + strlen(value) + 1;
    }
    return 0;
}

int spdy_unpack(struct spdy_unpacker *u, const void *bytes, size_t n, struct spdy_headers *ret,
                struct detail *detail)
{
    size_t size = 0, pairs = 0;
    const char *why = u->broken ? "an earlier one could not be read" : inflate_block(u, bytes, n, &size);
    u->broken = true;
    if (why)
        return detail_fail(detail, SPDY_HEADERS_MALFORMED, "a header block: %s", why);
    buffer_consume(&u->text, buffer_size(&u->text));
    int r = read_pairs(u, reader_of(u->block, size), &pairs);
    r = r ? r : list(u, pairs, ret);
    if (r == SPDY_HEADERS_MALFORMED)
        return detail_fail(detail, r, "a header block: it is not one, or has too much in it");
    u->broken = r != 0;
    return r;
}

/* ---- packing ---- */

struct spdy_packer {
    z_stream zlib;
};

int spdy_packer_new(struct spdy_packer **ret)
{
    struct spdy_packer *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    if (deflateInit2(&p->zlib, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        free(p);
        return -ENOMEM;
    }
    if (deflateSetDictionary(&p->zlib, spdy_dictionary, spdy_dictionary_size) != Z_OK) {
        spdy_packer_free(p);
        return -ENOMEM;
    }
    *ret = p;
    return 0;
}

void spdy_packer_free(struct spdy_packer *p)
{
    if (!p)
        return;
    (void)deflateEnd(&p->zlib);
    free(p);
}

static int write_pairs(const struct spdy_headers *headers, struct buffer *block)
{
    int r = buffer_put_u32(block, (uint32_t)headers->n);
    for (size_t i = 0; r == 0 && i < headers->n; i++) {
        const struct spdy_pair *pair = &headers->pairs[i];
        r = buffer_put_string(block, pair->name, strlen(pair->name));
        r = r ? r : buffer_put_string(block, pair->value, strlen(pair->value));
    }
    return r;
}

int spdy_pack(struct spdy_packer *p, const struct spdy_headers *headers, struct buffer *out)
{
    struct buffer block;
    uint8_t *space = NULL;
    buffer_init(&block, SPDY_HEADERS_MAX);
    int r = write_pairs(headers, &block);
    size_t room = buffer_size(&block) + buffer_size(&block) / 8 + PACK_ROOM;
    r = r ? r : buffer_reserve(out, room, &space);
    if (r == 0) {
        p->zlib.next_in = (uint8_t *)(uintptr_t)buffer_head(&block);
        p->zlib.avail_in = (unsigned)buffer_size(&block);
        p->zlib.next_out = space;
        p->zlib.avail_out = (unsigned)room;
        r = deflate(&p->zlib, Z_SYNC_FLUSH) == Z_OK && p->zlib.avail_in == 0 && p->zlib.avail_out > 0 ? 0
                                                                                                      : -EIO;
    }
    if (r == 0)
        buffer_commit(out, room - p->zlib.avail_out);
    buffer_free(&block);
    return r;
}
