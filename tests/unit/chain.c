/* base/chain: an entry that was changed, dropped, doubled or moved does not pass. */
#include "base/chain.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"

#include "check.h"

static const uint8_t key[CHAIN_KEY] = "0123456789abcdef0123456789abcde";
static enum chain_version version; /* everything holds for each of them */

/* Three entries in memory; returns their bytes. */
static size_t write_three(uint8_t *bytes, size_t size, size_t offsets[4])
{
    char path[] = "/tmp/gatehouse-chain-XXXXXX";
    int fd = mkostemp(path, O_APPEND);
    assert_true(fd >= 0);
    unlink(path);
    struct chain chain;
    chain_start(&chain, version, key);
    static const char *const bodies[] = { "first body", "", "third body" };
    for (int i = 0; i < 3; i++) {
        offsets[i] = (size_t)lseek(fd, 0, SEEK_END);
        assert_int_equal(chain_append(&chain, fd, "head", 4, bodies[i], strlen(bodies[i])), 0);
    }
    assert_int_equal(chain.entries, 3);
    ssize_t n = pread(fd, bytes, size, 0);
    assert_true(n > 0);
    offsets[3] = (size_t)n;
    close(fd);
    return (size_t)n;
}

/* How many entries pass from the start. */
static unsigned count_good(const uint8_t *bytes, size_t n)
{
    struct chain chain;
    chain_start(&chain, version, key);
    unsigned good = 0;
    struct chain_entry entry;
    while (n > 0 && chain_parse(bytes, n, &entry) == 0 && chain_check(&chain, &entry) == 0) {
        bytes += entry.size;
        n -= entry.size;
        good++;
    }
    return good;
}

static void what_was_written_passes(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t offsets[4], n = write_three(bytes, sizeof bytes, offsets);
    assert_int_equal(count_good(bytes, n), 3);
    struct chain_entry entry;
    assert_int_equal(chain_parse(bytes, n, &entry), 0);
    assert_memory_equal(entry.head, "head", 4);
    assert_int_equal(entry.body_n, 10);
    assert_memory_equal(entry.body, "first body", 10);
}

/* Made by another program from docs/recording-format.md: what was written once must be readable for ever. */
static void tags_are_those_of_the_format(void **state)
{
    static const uint8_t third[][CHAIN_TAG] = {
        [CHAIN_V1] = { 0x0b, 0xf7, 0xa8, 0xac, 0x7c, 0x76, 0x81, 0xec, 0xb2, 0x73, 0x3e, 0x53, 0x07, 0xe7,
                       0x00, 0xd2 },
        [CHAIN_V2] = { 0x27, 0x0d, 0x8d, 0x66, 0xa7, 0x6a, 0x22, 0xdb, 0xa6, 0x81, 0xc1, 0x85, 0xb4, 0x02,
                       0x88, 0x51 },
    };
    (void)state;
    uint8_t bytes[1024];
    size_t offsets[4], n = write_three(bytes, sizeof bytes, offsets);
    assert_memory_equal(bytes + n - CHAIN_TAG, third[version], CHAIN_TAG);
}

static void another_version_does_not_pass(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t offsets[4], n = write_three(bytes, sizeof bytes, offsets);
    version = version == CHAIN_V1 ? CHAIN_V2 : CHAIN_V1;
    assert_int_equal(count_good(bytes, n), 0);
    version = version == CHAIN_V1 ? CHAIN_V2 : CHAIN_V1;
}

/* Around the size from which on parts are written one by one. */
static void entries_of_every_size_pass(void **state)
{
    enum { MOST = 2200 };
    static uint8_t body[MOST], bytes[MOST + 64];
    (void)state;
    memset(body, 'b', sizeof body);
    for (size_t size = 0; size < MOST; size += size < 1900 || size > 2100 ? 97 : 1) {
        CLEANUP(fd_close) int fd = memfd_create("chain", MFD_CLOEXEC);
        struct chain chain;
        chain_start(&chain, version, key);
        assert_int_equal(chain_append(&chain, fd, "head", 4, body, size), 0);
        ssize_t n = pread(fd, bytes, sizeof bytes, 0);
        assert_int_equal(n, 4 + 2 + 4 + size + CHAIN_TAG);
        assert_int_equal(count_good(bytes, (size_t)n), 1);
    }
}

static void no_changed_byte_passes(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t offsets[4], n = write_three(bytes, sizeof bytes, offsets);
    for (size_t i = 0; i < n; i++) {
        unsigned entry = i >= offsets[2] ? 2 : i >= offsets[1] ? 1 : 0;
        bytes[i] ^= 0x40;
        assert_int_equal(count_good(bytes, n), entry);
        bytes[i] ^= 0x40;
    }
}

static void dropped_doubled_and_swapped_entries_do_not_pass(void **state)
{
    (void)state;
    uint8_t bytes[1024], other[1024];
    size_t offsets[4], n = write_three(bytes, sizeof bytes, offsets);
    size_t first = offsets[1], second = offsets[2] - offsets[1];
    memcpy(other, bytes, first);
    memcpy(other + first, bytes + offsets[2], n - offsets[2]);
    assert_int_equal(count_good(other, n - second), 1); /* second dropped */
    memcpy(other + first, bytes, first);
    assert_int_equal(count_good(other, 2 * first), 1); /* first doubled */
    memcpy(other, bytes + first, second);
    memcpy(other + second, bytes, first);
    assert_int_equal(count_good(other, first + second), 0); /* swapped */
}

static void every_cut_is_told_from_a_forgery(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t offsets[4];
    (void)write_three(bytes, sizeof bytes, offsets);
    struct chain_entry entry;
    for (size_t n = 0; n < offsets[1]; n++)
        assert_int_equal(chain_parse(bytes, n, &entry), CHAIN_CUT);
    memset(bytes, 0xff, 8);
    assert_int_equal(chain_parse(bytes, sizeof bytes, &entry), CHAIN_FORGED);
    memset(bytes, 0, 8);
    assert_int_equal(chain_parse(bytes, sizeof bytes, &entry), CHAIN_FORGED);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    struct chain chain;
    chain_start(&chain, version, key);
    assert_true(chain_append(&chain, fd, "h", 1, "b", 1) < 0);
    assert_int_equal(chain.entries, 0);
    close(fd);
}

static void too_large_parts_are_refused(void **state)
{
    (void)state;
    struct chain chain;
    chain_start(&chain, version, key);
    static uint8_t head[CHAIN_HEAD_MAX + 1];
    assert_true(chain_append(&chain, 1, head, sizeof head, NULL, 0) < 0);
    assert_true(chain_append(&chain, 1, head, 1, head, CHAIN_BODY_MAX + (size_t)1) < 0);
    assert_int_equal(chain.entries, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_passes),
        cmocka_unit_test(tags_are_those_of_the_format),
        cmocka_unit_test(another_version_does_not_pass),
        cmocka_unit_test(entries_of_every_size_pass),
        cmocka_unit_test(no_changed_byte_passes),
        cmocka_unit_test(dropped_doubled_and_swapped_entries_do_not_pass),
        cmocka_unit_test(every_cut_is_told_from_a_forgery),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(too_large_parts_are_refused),
    };
    version = CHAIN_V1;
    int failed = cmocka_run_group_tests_name("version 1", tests, NULL, NULL);
    version = CHAIN_V2;
    return failed + cmocka_run_group_tests_name("version 2", tests, NULL, NULL);
}
