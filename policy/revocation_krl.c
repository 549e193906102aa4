/* OpenSSH's key revocation lists (PROTOCOL.krl), complete:
 *
 *   uint64 magic | uint32 format | uint64 number | uint64 date | uint64 flags | string reserved | string
 * comment then sections: byte kind | string data
 *
 * Whatever is not understood refuses the list: half a list would let somebody in. So do signature sections,
 * which OpenSSH has dropped: nobody would check them. */
#include <errno.h>
#include <string.h>
#include "base/text.h"
#include "policy/revocation_parts.h"

enum { KRL_FORMAT = 1, BITMAP_BYTES = 1 << 21, SHA1_BYTES = 20, SHA256_BYTES = 32 };

#define KRL_MAGIC UINT64_C(0x5353484b524c0a00) /* "SSHKRL\n\0" */

enum section {
    SECTION_CERTIFICATES = 1,
    SECTION_KEYS = 2,
    SECTION_SHA1 = 3,
    SECTION_SIGNATURE = 4,
    SECTION_SHA256 = 5,
    SECTION_EXTENSION = 255,
    /* within SECTION_CERTIFICATES */
    SECTION_SERIAL_LIST = 0x20,
    SECTION_SERIAL_RANGE = 0x21,
    SECTION_SERIAL_BITMAP = 0x22,
    SECTION_KEY_ID = 0x23,
    SECTION_CERTIFICATE_EXTENSION = 0x39,
};

bool krl_is(struct span file)
{
    struct reader r = reader_of(file.bytes, file.n);
    uint64_t magic;

    return reader_u64(&r, &magic) && magic == KRL_MAGIC;
}

static int malformed(const struct reading *reading, const char *what)
{
    return detail_fail(reading->detail, -EINVAL, "the KRL is damaged: %s", what);
}

/* ---- serials ---- */

static int read_serial_list(struct reading *reading, Ipc__RevokedCertificates *part, struct reader *r)
{
    uint64_t serial;
    int fault = 0;

    while (!fault && reader_left(r) > 0) {
        if (!reader_u64(r, &serial))
            return malformed(reading, "a list of serials is cut off");
        fault = reading_add_serials(reading, part, serial, serial);
    }
    return fault;
}

static int read_serial_range(struct reading *reading, Ipc__RevokedCertificates *part, struct reader *r)
{
    uint64_t first, last;

    if (!reader_u64(r, &first) || !reader_u64(r, &last) || !reader_done(r) || first > last)
        return malformed(reading, "a range of serials is none");
    return reading_add_serials(reading, part, first, last);
}

/* Bit i counts from the end: the bytes are those of a big-endian number. */
static bool bit_is_set(struct span bitmap, size_t i)
{
    return (bitmap.bytes[bitmap.n - 1 - i / 8] >> (i % 8)) & 1;
}

static int read_serial_bitmap(struct reading *reading, Ipc__RevokedCertificates *part, struct reader *r)
{
    struct span bitmap;
    uint64_t offset;
    size_t bits, first;
    int fault = 0;

    if (!reader_u64(r, &offset) || !span_read(r, &bitmap) || !reader_done(r) ||
        (bitmap.n > 0 && (bitmap.bytes[0] & 0x80)))
        return malformed(reading, "a bitmap of serials is none");
    for (; bitmap.n > 0 && bitmap.bytes[0] == 0; bitmap.bytes++)
        bitmap.n--;
    if (bitmap.n > BITMAP_BYTES)
        return malformed(reading, "a bitmap of serials is too long");
    bits = bitmap.n * 8;
    while (bits > 0 && !bit_is_set(bitmap, bits - 1))
        bits--;
    if (bits > 0 && offset + (bits - 1) < offset)
        return malformed(reading, "a bitmap of serials goes beyond the last one");
    for (size_t i = 0; !fault && i < bits; i++) {
        if (!bit_is_set(bitmap, i))
            continue;
        for (first = i; i + 1 < bits && bit_is_set(bitmap, i + 1);)
            i++;
        fault = reading_add_serials(reading, part, offset + first, offset + i);
    }
    return fault;
}

/* ---- sections ---- */

static int read_extension(const struct reading *reading, struct reader *r)
{
    struct span name, content;
    char shown[64];
    uint8_t critical;

    if (!span_read(r, &name) || !reader_u8(r, &critical) || !span_read(r, &content) || !reader_done(r))
        return malformed(reading, "an extension is cut off");
    if (!critical)
        return 0;
    text_escape(shown, sizeof(shown), name.bytes, name.n, false);
    return detail_fail(reading->detail, -EINVAL,
                       "the KRL has the critical extension \"%s\", which is not supported", shown);
}

static int read_key_ids(struct reading *reading, Ipc__RevokedCertificates *part, struct reader *r)
{
    struct span key_id;
    int fault = 0;

    while (!fault && reader_left(r) > 0) {
        if (!span_read(r, &key_id) || memchr(key_id.bytes, 0, key_id.n))
            return malformed(reading, "a key id is cut off");
        fault = reading_add(reading, &part->key_ids, key_id);
    }
    return fault;
}

/* Keys or their hashes; size: of each, 0 for any. */
static int read_blobs(struct reading *reading, Ipc__ByteSet **set, size_t size, struct reader *r)
{
    struct span blob;
    int fault = 0;

    while (!fault && reader_left(r) > 0) {
        if (!span_read(r, &blob) || blob.n == 0 || (size && blob.n != size))
            return malformed(reading, "a key or its hash is cut off");
        fault = reading_add(reading, set, blob);
    }
    return fault;
}

static int read_part(struct reading *reading, Ipc__RevokedCertificates *part, uint8_t kind, struct reader *r)
{
    switch (kind) {
    case SECTION_SERIAL_LIST:
        return read_serial_list(reading, part, r);
    case SECTION_SERIAL_RANGE:
        return read_serial_range(reading, part, r);
    case SECTION_SERIAL_BITMAP:
        return read_serial_bitmap(reading, part, r);
    case SECTION_KEY_ID:
        return read_key_ids(reading, part, r);
    case SECTION_CERTIFICATE_EXTENSION:
        return read_extension(reading, r);
    default:
        return detail_fail(reading->detail, -EINVAL,
                           "the KRL has a section on certificates of the unknown kind %u", kind);
    }
}

static int read_certificates(struct reading *reading, struct reader *r)
{
    Ipc__RevokedCertificates *part;
    struct span ca, reserved;
    struct public_key key;
    int fault;

    if (!span_read(r, &ca) || !span_read(r, &reserved))
        return malformed(reading, "a section on certificates is cut off");
    /* A CA's key of a type that we do not support does no harm; what is no key was meant to be another. */
    if (ca.n > 0 && key_read_plain(ca, &key, NULL) == CERTIFICATE_MALFORMED)
        return malformed(reading, "a CA's key is none");
    fault = reading_ca(reading, ca, &part);
    while (!fault && reader_left(r) > 0) {
        struct reader inner;
        uint8_t kind;

        if (!reader_u8(r, &kind) || !reader_string(r, &inner))
            return malformed(reading, "a section on certificates is cut off");
        fault = read_part(reading, part, kind, &inner);
    }
    return fault;
}

static int read_section(struct reading *reading, uint8_t kind, struct reader *r)
{
    Ipc__RevocationList *list = &reading->list;

    switch (kind) {
    case SECTION_CERTIFICATES:
        return read_certificates(reading, r);
    case SECTION_KEYS:
        return read_blobs(reading, &list->keys, 0, r);
    case SECTION_SHA1:
        return read_blobs(reading, &list->key_sha1, SHA1_BYTES, r);
    case SECTION_SHA256:
        return read_blobs(reading, &list->key_sha256, SHA256_BYTES, r);
    case SECTION_EXTENSION:
        return read_extension(reading, r);
    case SECTION_SIGNATURE:
        return detail_fail(reading->detail, -EINVAL, "the KRL is signed, which is not supported");
    default:
        return detail_fail(reading->detail, -EINVAL, "the KRL has a section of the unknown kind %u", kind);
    }
}

int krl_read(struct span file, struct reading *reading)
{
    struct reader r = reader_of(file.bytes, file.n);
    uint64_t magic, number, date, flags;
    struct span reserved, comment;
    uint32_t format;
    int fault = 0;

    if (!reader_u64(&r, &magic) || magic != KRL_MAGIC || !reader_u32(&r, &format))
        return malformed(reading, "its head is cut off");
    if (format != KRL_FORMAT)
        return detail_fail(reading->detail, -EINVAL, "the KRL is of the unknown format %u", format);
    if (!reader_u64(&r, &number) || !reader_u64(&r, &date) || !reader_u64(&r, &flags) ||
        !span_read(&r, &reserved) || !span_read(&r, &comment))
        return malformed(reading, "its head is cut off");
    while (!fault && reader_left(&r) > 0) {
        struct reader section;
        uint8_t kind;

        if (!reader_u8(&r, &kind) || !reader_string(&r, &section))
            return malformed(reading, "a section is cut off");
        fault = read_section(reading, kind, &section);
    }
    return fault;
}
