/* Lists made byte by byte: their form, their limits, and their order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "certificate_craft.h"
#include "check.h"
#include "policy/byte_set.h"
#include "policy/certificate.h"
#include "policy/revocation.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HEAD     "SSHKRL\n\0\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\0\x65\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4note"
#define U64(low) "\0\0\0\0\0\0\0" low

/* The certificates' section for every CA with one part: its kind and its length, both as one byte. */
#define CERTIFICATES(section_n, kind, n, content)                                                            \
    HEAD "\1\0\0\0" section_n "\0\0\0\0\0\0\0\0" kind "\0\0\0" n content

static int read_bytes(const void *bytes, size_t n, Ipc__RevocationList *list, struct detail *detail)
{
    int r = revocation_read(bytes, n, list, detail);

    if (r == 0)
        assert_int_equal(revocation_seal(list), 0);
    return r;
}

/* Whether a certificate with this serial and key id is hit. */
static bool hits(const Ipc__RevocationList *list, uint64_t serial, const char *key_id)
{
    static const uint8_t ca[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20"
                                "01234567890123456789012345678901";
    const struct craft craft = { .ca = { ca, sizeof(ca) - 1 },
                                 .serial = serial ? serial : CRAFT_ZERO,
                                 .key_id = { key_id, strlen(key_id) },
                                 .signature = BYTES("none") };
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    size_t n;
    CLEANUP(free) uint8_t *blob = craft_make(&craft, NULL, &n);

    assert_int_equal(certificate_parse(blob, n, &certificate, NULL), 0);
    return revocation_hits(list, certificate, NULL);
}

static const struct {
    struct bytes krl;
    const char *message; /* NULL: it is good */
} krls[] = {
    { BYTES(HEAD), NULL },
    { BYTES("SSHKRL\n\0"), "the KRL is damaged: its head is cut off" },
    { BYTES("SSHKRL\n\0\0\0\0\2"), "the KRL is of the unknown format 2" },
    { BYTES("SSHKRL\n\0\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\0\x65\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4not"),
      "the KRL is damaged: its head is cut off" },
    { BYTES(HEAD "\1"), "the KRL is damaged: a section is cut off" },
    { BYTES(HEAD "\1\0\0\0\1"), "the KRL is damaged: a section is cut off" },
    { BYTES(HEAD "\1\xff\xff\xff\xff"), "the KRL is damaged: a section is cut off" },
    { BYTES(HEAD "\1\0\0\0\4\0\0\0\0"), "the KRL is damaged: a section on certificates is cut off" },
    { BYTES(HEAD "\1\0\0\0\x0a\0\0\0\2ca\0\0\0\0"), "the KRL is damaged: a CA's key is none" },
    { BYTES(HEAD "\1\0\0\0\x0f\0\0\0\7\0\0\0\3dsa\0\0\0\0"), NULL }, /* of a type that we don't know */
    { BYTES(HEAD "\1\0\0\0\x08\0\0\0\0\0\0\0\0"), NULL },
    { BYTES(HEAD "\1\0\0\0\x09\0\0\0\0\0\0\0\0\x20"),
      "the KRL is damaged: a section on certificates is cut off" },
    { BYTES(HEAD "\6\0\0\0\0"), "the KRL has a section of the unknown kind 6" },
    { BYTES(HEAD "\0\0\0\0\0"), "the KRL has a section of the unknown kind 0" },
    { BYTES(HEAD "\4\0\0\0\0\0\0\0\0"), "the KRL is signed, which is not supported" },
    { BYTES(HEAD "\xff\0\0\0\x0a\0\0\0\1x\0\0\0\0\0"), NULL },
    { BYTES(HEAD "\xff\0\0\0\x0a\0\0\0\1x\1\0\0\0\0"),
      "the KRL has the critical extension \"x\", which is not supported" },
    { BYTES(HEAD "\xff\0\0\0\x0a\0\0\0\1\x1b\2\0\0\0\0"),
      "the KRL has the critical extension \"\\x1b\", which is not supported" },
    { BYTES(HEAD "\xff\0\0\0\x09\0\0\0\1x\0\0\0\0"), "the KRL is damaged: an extension is cut off" },
    { BYTES(HEAD "\xff\0\0\0\x0b\0\0\0\1x\0\0\0\0\0y"), "the KRL is damaged: an extension is cut off" },
    { BYTES(HEAD "\2\0\0\0\5\0\0\0\1k"), NULL },
    { BYTES(HEAD "\2\0\0\0\4\0\0\0\0"), "the KRL is damaged: a key or its hash is cut off" },
    { BYTES(HEAD "\2\0\0\0\5\0\0\0\2k"), "the KRL is damaged: a key or its hash is cut off" },
    { BYTES(HEAD "\3\0\0\0\x18\0\0\0\x14"
                 "01234567890123456789"),
      NULL },
    { BYTES(HEAD "\3\0\0\0\x17\0\0\0\x13"
                 "0123456789012345678"),
      "the KRL is damaged: a key or its hash is cut off" },
    { BYTES(HEAD "\5\0\0\0\x18\0\0\0\x14"
                 "01234567890123456789"),
      "the KRL is damaged: a key or its hash is cut off" },
    { BYTES(HEAD "\5\0\0\0\x24\0\0\0\x20"
                 "01234567890123456789012345678901"),
      NULL },
    { BYTES(CERTIFICATES("\x15", "\x20", "\x08", U64("\5"))), NULL },
    { BYTES(CERTIFICATES("\x15", "\x20", "\x08", U64("\0"))),
      "serial 0 can't be revoked: it means that there is none" },
    { BYTES(CERTIFICATES("\x14", "\x20", "\x07", "\0\0\0\0\0\0\5")),
      "the KRL is damaged: a list of serials is cut off" },
    { BYTES(CERTIFICATES("\x1d", "\x21", "\x10", U64("\5") U64("\7"))), NULL },
    { BYTES(CERTIFICATES("\x1d", "\x21", "\x10", U64("\7") U64("\5"))),
      "the KRL is damaged: a range of serials is none" },
    { BYTES(CERTIFICATES("\x1d", "\x21", "\x10", U64("\0") U64("\5"))),
      "serial 0 can't be revoked: it means that there is none" },
    { BYTES(CERTIFICATES("\x15", "\x21", "\x08", U64("\5"))),
      "the KRL is damaged: a range of serials is none" },
    { BYTES(CERTIFICATES("\x1a", "\x22", "\x0d", U64("\5") "\0\0\0\1\5")), NULL },
    { BYTES(CERTIFICATES("\x1a", "\x22", "\x0d", U64("\5") "\0\0\0\1\x80")),
      "the KRL is damaged: a bitmap of serials is none" },
    { BYTES(CERTIFICATES("\x1a", "\x22", "\x0d", U64("\0") "\0\0\0\1\1")),
      "serial 0 can't be revoked: it means that there is none" },
    { BYTES(CERTIFICATES("\x1a", "\x22", "\x0d",
                         "\xff\xff\xff\xff\xff\xff\xff\xff"
                         "\0\0\0\1\1")),
      NULL },
    { BYTES(CERTIFICATES("\x1a", "\x22", "\x0d",
                         "\xff\xff\xff\xff\xff\xff\xff\xff"
                         "\0\0\0\1\2")),
      "the KRL is damaged: a bitmap of serials goes beyond the last one" },
    { BYTES(CERTIFICATES("\x1a", "\x22", "\x0d", U64("\5") "\0\0\0\2\1")),
      "the KRL is damaged: a bitmap of serials is none" },
    { BYTES(CERTIFICATES("\x12", "\x23", "\x05", "\0\0\0\1x")), NULL },
    { BYTES(CERTIFICATES("\x12", "\x23", "\x05", "\0\0\0\1\0")), "the KRL is damaged: a key id is cut off" },
    { BYTES(CERTIFICATES("\x12", "\x23", "\x05", "\0\0\0\2x")), "the KRL is damaged: a key id is cut off" },
    { BYTES(CERTIFICATES("\x0d", "\x24", "\0", "")),
      "the KRL has a section on certificates of the unknown kind 36" },
    { BYTES(CERTIFICATES("\x17", "\x39", "\x0a", "\0\0\0\1x\0\0\0\0\0")), NULL },
    { BYTES(CERTIFICATES("\x17", "\x39", "\x0a", "\0\0\0\1x\1\0\0\0\0")),
      "the KRL has the critical extension \"x\", which is not supported" },
};

static void a_krl_is_understood_wholly_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(krls); i++) {
        Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
        struct detail detail = { "" };
        int r = read_bytes(krls[i].krl.at, krls[i].krl.n, &list, &detail);

        if (r != (krls[i].message ? -EINVAL : 0) ||
            strcmp(detail.text, krls[i].message ? krls[i].message : "") != 0)
            fail_msg("KRL %zu: %d, %s", i, r, detail.text);
        if (r != 0)
            assert_true(list.n_certificates == 0 && !list.keys && !list.key_sha1 && !list.key_sha256);
        revocation_free(&list);
    }
}

static void a_bitmap_counts_from_its_last_bit(void **state)
{
    /* 0x05 0x81 at 100: bits 0, 7, 8 and 10. */
    static const struct bytes krl = BYTES(CERTIFICATES("\x1b", "\x22", "\x0e", U64("\x64") "\0\0\0\2\5\x81"));
    static const bool expected[12] = { [0] = true, [7] = true, [8] = true, [10] = true };
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;

    (void)state;
    assert_int_equal(read_bytes(krl.at, krl.n, &list, NULL), 0);
    assert_false(hits(&list, 99, "x"));
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_int_equal(hits(&list, 100 + i, "x"), expected[i]);
    revocation_free(&list);
}

/* A KRL with one bitmap of n bytes that are all the same. */
static uint8_t *bitmap_krl(size_t n, int byte, size_t *ret_n)
{
    static const struct bytes head = BYTES(HEAD);
    struct buffer b;
    uint8_t *bitmap = malloc(n), *krl;

    assert_non_null(bitmap);
    memset(bitmap, byte, n);
    bitmap[0] &= 0x7f;
    buffer_init(&b, n + 4096);
    assert_int_equal(buffer_append(&b, head.at, head.n), 0);
    assert_int_equal(buffer_put_u8(&b, 1), 0);
    assert_int_equal(buffer_put_u32(&b, (uint32_t)n + 8 + 5 + 12), 0);
    assert_int_equal(buffer_put_u64(&b, 0), 0);
    assert_int_equal(buffer_put_u8(&b, 0x22), 0);
    assert_int_equal(buffer_put_u32(&b, (uint32_t)n + 12), 0);
    assert_int_equal(buffer_put_u64(&b, 1), 0);
    assert_int_equal(buffer_put_string(&b, bitmap, n), 0);
    free(bitmap);
    *ret_n = buffer_size(&b);
    krl = malloc(*ret_n);
    assert_non_null(krl);
    memcpy(krl, buffer_head(&b), *ret_n);
    buffer_free(&b);
    return krl;
}

static void bitmaps_are_bounded(void **state)
{
    static const struct {
        size_t n;
        int byte, expected;
    } cases[] = {
        { 1 << 21, 0xff, 0 },             /* one range */
        { (1 << 21) + 1, 0xff, -EINVAL }, /* too long */
        { 200 * 1000, 0x55, 0 },          /* 800,000 ranges */
        { 1 << 21, 0x55, -EINVAL },       /* too many */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
        size_t n;
        CLEANUP(free) uint8_t *krl = bitmap_krl(cases[i].n, cases[i].byte, &n);

        assert_int_equal(read_bytes(krl, n, &list, NULL), cases[i].expected);
        if (cases[i].expected == 0)
            assert_true(hits(&list, 1, "x"));
        revocation_free(&list);
    }
}

static void ranges_that_overlap_or_touch_are_one(void **state)
{
    static const char lines[] =
        "serial:10-19\nserial:15-25\nserial:26\nserial:28-30\nserial:5-12\nserial:29\n"
        "serial:18446744073709551615\nserial:100-18446744073709551615\nserial:200\n";
    static const uint64_t first[] = { 5, 28, 100 }, last[] = { 26, 30, UINT64_MAX };
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;

    (void)state;
    assert_int_equal(read_bytes(lines, sizeof(lines) - 1, &list, NULL), 0);
    assert_int_equal(list.n_certificates, 1);
    assert_int_equal(list.certificates[0]->n_first, 3);
    assert_int_equal(list.certificates[0]->n_last, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.certificates[0]->first[i], first[i]);
        assert_int_equal(list.certificates[0]->last[i], last[i]);
    }
    revocation_free(&list);
}

/* Always the same numbers. */
static uint32_t next_number(uint32_t *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16;
}

static void lookups_agree_with_a_plain_table(void **state)
{
    enum { SERIALS = 3000, RANGES = 200 };
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    bool table[SERIALS] = { false };
    struct buffer lines;
    uint32_t seed = 7;

    (void)state;
    buffer_init(&lines, 64 * 1024);
    for (size_t i = 0; i < RANGES; i++) {
        uint32_t first = 1 + next_number(&seed) % (SERIALS - 20), n = next_number(&seed) % 12;

        assert_int_equal(buffer_printf(&lines, "serial:%u-%u\n", first, first + n), 0);
        memset(table + first, true, n + 1);
    }
    assert_int_equal(read_bytes(buffer_head(&lines), buffer_size(&lines), &list, NULL), 0);
    for (uint32_t serial = 0; serial < SERIALS; serial++)
        assert_int_equal(hits(&list, serial, "x"), table[serial]);
    revocation_free(&list);
    buffer_free(&lines);
}

static void a_set_holds_what_was_added_and_nothing_else(void **state)
{
    static const char *const added[] = { "b", "", "ab", "a", "abc", "b", "\x80", "a" };
    static const char *const absent[] = { "c", "abcd", "aa", "\x7f", "ba" };
    Ipc__ByteSet *set = NULL;

    (void)state;
    assert_false(byte_set_has(NULL, "a", 1));
    assert_int_equal(byte_set_seal(NULL), 0);
    for (size_t i = 0; i < COUNT(added); i++)
        assert_int_equal(byte_set_add(&set, added[i], strlen(added[i])), 0);
    assert_false(byte_set_is_sealed(set));
    assert_int_equal(byte_set_seal(set), 0);
    assert_true(byte_set_is_sealed(set));
    assert_int_equal(byte_set_count(set), 6);
    for (size_t i = 0; i < COUNT(added); i++)
        assert_true(byte_set_has(set, added[i], strlen(added[i])));
    for (size_t i = 0; i < COUNT(absent); i++)
        assert_false(byte_set_has(set, absent[i], strlen(absent[i])));
    byte_set_free(set);
}

/* A million key ids go the whole way; one more does not. */
static void a_list_has_a_million_entries_and_no_more(void **state)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT, *arrived = NULL;
    struct detail detail = { "" };
    struct buffer lines;
    int fd = -1;

    (void)state;
    buffer_init(&lines, REVOCATION_FILE_MAX);
    for (unsigned i = 0; i < REVOCATION_ENTRIES_MAX; i++)
        assert_int_equal(buffer_printf(&lines, "id:c/%06x\n", (i * 4001U) % REVOCATION_ENTRIES_MAX), 0);
    assert_int_equal(read_bytes(buffer_head(&lines), buffer_size(&lines), &list, NULL), 0);
    assert_int_equal(revocation_pack(&list, &fd), 0);
    assert_int_equal(revocation_unpack(fd, &arrived), 0);
    assert_true(hits(arrived, 0, "c/000000"));
    assert_true(hits(arrived, 0, "c/0f423f"));
    assert_false(hits(arrived, 0, "c/0f4240"));
    ipc__revocation_list__free_unpacked(arrived, NULL);
    fd_close(fd);
    assert_int_equal(revocation_read((const uint8_t *)"serial:1", 8, &list, &detail), -EINVAL);
    assert_string_equal(detail.text, "line 1: there are more than 1000000 entries");
    assert_true(hits(&list, 0, "c/000000"));
    revocation_free(&list);
    buffer_free(&lines);
}

static void a_file_that_is_too_long_is_not_read(void **state)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    CLEANUP(free) uint8_t *bytes = malloc(REVOCATION_FILE_MAX + 1);
    struct detail detail = { "" };

    (void)state;
    assert_non_null(bytes);
    memset(bytes, '\n', REVOCATION_FILE_MAX + 1);
    assert_int_equal(revocation_read(bytes, REVOCATION_FILE_MAX, &list, &detail), 0);
    assert_int_equal(revocation_read(bytes, REVOCATION_FILE_MAX + 1, &list, &detail), -EINVAL);
    assert_string_equal(detail.text, "the list is longer than 16777216 bytes");
    revocation_free(&list);
}

static int unpack_bytes(const void *bytes, size_t n)
{
    Ipc__RevocationList *list = NULL;
    int fd = -1, r;

    assert_int_equal(fd_of_bytes("test", bytes, n, &fd), 0);
    r = revocation_unpack(fd, &list);
    assert_true((r == 0) == (list != NULL));
    if (list)
        ipc__revocation_list__free_unpacked(list, NULL);
    fd_close(fd);
    return r;
}

/* Packs what a test has put together by hand. */
static int travels(const Ipc__RevocationList *list)
{
    size_t n = ipc__revocation_list__get_packed_size(list);
    CLEANUP(free) uint8_t *packed = malloc(n + 1);

    assert_non_null(packed);
    assert_int_equal(ipc__revocation_list__pack(list, packed), n);
    return unpack_bytes(packed, n);
}

static void a_list_out_of_order_is_not_taken_over(void **state)
{
    static const struct {
        uint64_t first[2], last[2];
        size_t n_first, n_last;
        int expected;
    } ranges[] = {
        { { 1, 5 }, { 2, 6 }, 2, 2, 0 },        { { 5, 1 }, { 6, 2 }, 2, 2, -EBADMSG },
        { { 1, 2 }, { 2, 3 }, 2, 2, -EBADMSG }, { { 2, 5 }, { 1, 6 }, 2, 2, -EBADMSG },
        { { 1, 5 }, { 2, 6 }, 2, 1, -EBADMSG }, { { 1, 5 }, { 2, 6 }, 1, 2, -EBADMSG },
    };
    static const struct {
        uint32_t ends[2];
        int expected;
    } sets[] = {
        { { 1, 2 }, 0 },        { { 2, 1 }, -EBADMSG }, { { 1, 3 }, -EBADMSG },
        { { 0, 0 }, -EBADMSG }, { { 3, 3 }, -EBADMSG },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ranges); i++) {
        Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
        Ipc__RevokedCertificates part = IPC__REVOKED_CERTIFICATES__INIT, *parts[] = { &part };

        part.first = (uint64_t *)(uintptr_t)ranges[i].first;
        part.last = (uint64_t *)(uintptr_t)ranges[i].last;
        part.n_first = ranges[i].n_first;
        part.n_last = ranges[i].n_last;
        list.certificates = parts;
        list.n_certificates = 1;
        assert_int_equal(travels(&list), ranges[i].expected);
    }
    for (size_t i = 0; i < COUNT(sets); i++) {
        Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
        Ipc__ByteSet set = IPC__BYTE_SET__INIT;

        set.pool.data = (uint8_t *)(uintptr_t) "ab";
        set.pool.len = 2;
        set.ends = (uint32_t *)(uintptr_t)sets[i].ends;
        set.n_ends = 2;
        list.keys = &set;
        assert_int_equal(travels(&list), sets[i].expected);
    }
    assert_int_equal(unpack_bytes("", 0), 0);
    assert_int_equal(unpack_bytes("\x0a", 1), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_krl_is_understood_wholly_or_refused),
        cmocka_unit_test(a_bitmap_counts_from_its_last_bit),
        cmocka_unit_test(bitmaps_are_bounded),
        cmocka_unit_test(ranges_that_overlap_or_touch_are_one),
        cmocka_unit_test(lookups_agree_with_a_plain_table),
        cmocka_unit_test(a_set_holds_what_was_added_and_nothing_else),
        cmocka_unit_test(a_list_has_a_million_entries_and_no_more),
        cmocka_unit_test(a_file_that_is_too_long_is_not_read),
        cmocka_unit_test(a_list_out_of_order_is_not_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
