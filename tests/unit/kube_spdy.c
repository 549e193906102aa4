/* SPDY/3.1 frames: what is read, whole and byte by byte; what is written is read as it was. */
#include "said.h"
#include "channels/kube/spdy.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* "S1{a:b}", "R1{}", "x1=5", "p7", "g3=0", "d1(abc)", each with "." for a FIN; "!why" for a fault. */
static void say_event(struct said *said, const struct spdy_event *event)
{
    static const char kinds[] = { [SPDY_GOT_STREAM] = 'S', [SPDY_GOT_REPLY] = 'R',  [SPDY_GOT_RESET] = 'x',
                                  [SPDY_GOT_PING] = 'p',   [SPDY_GOT_GOAWAY] = 'g', [SPDY_GOT_DATA] = 'd' };
    if (event->kind == SPDY_GOT_NOTHING)
        return;
    say(said, "%c%u", kinds[event->kind], event->kind == SPDY_GOT_PING ? event->id : event->stream);
    if (event->kind == SPDY_GOT_RESET || event->kind == SPDY_GOT_GOAWAY)
        say(said, "=%u", event->status);
    if (event->kind == SPDY_GOT_DATA)
        say(said, "(%.*s)", (int)event->n, (const char *)event->bytes);
    for (size_t i = 0; event->headers && i < event->headers->n; i++)
        say(said, "{%s:%s}", event->headers->pairs[i].name, event->headers->pairs[i].value);
    say(said, "%s", event->fin ? "." : "");
}

static void read_all(const void *bytes, size_t n, size_t step, struct said *said)
{
    CLEANUP(spdy_reader_free) struct spdy_reader *reader = NULL;
    struct spdy_event event;
    struct detail detail;
    *said = (struct said){ .n = 0 };
    assert_int_equal(spdy_reader_new(&reader), 0);
    for (size_t at = 0, taken = 0; at < n; at += taken) {
        size_t there = n - at < step ? n - at : step;
        int r = spdy_reader_next(reader, (const char *)bytes + at, there, &taken, &event, &detail);
        if (r) {
            assert_int_equal(r, SPDY_MALFORMED);
            say(said, "!%s", detail.text);
            return;
        }
        assert_true(taken == there || event.kind != SPDY_GOT_NOTHING);
        say_event(said, &event);
    }
}

#define EXPECT(bytes, wanted) expect(bytes, sizeof(bytes) - 1, wanted)

static void expect(const char *bytes, size_t n, const char *wanted)
{
    struct said whole;
    read_all(bytes, n, SIZE_MAX, &whole);
    bool fault = strchr(wanted, '!') != NULL;
    if (fault ? strncmp(whole.text, wanted, strlen(wanted)) != 0 : strcmp(whole.text, wanted) != 0)
        fail_msg("\"%s\" instead of \"%s\"", whole.text, wanted);
    if (fault) {
        struct said split;
        read_all(bytes, n, 1, &split);
        assert_string_equal(split.text, whole.text);
    }
}

/* Python's zlib, level 9, with the dictionary of golang.org/x/net's SPDY. */
static const char two_streams[] =
    "\x80\x03\x00\x01\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x78\xf9\xe3\xc6\xa7\xc2\x02"
    "\xa6\x23\x46\x70\x3a\x2b\x29\x4a\x4d\xcc\x85\x16\x25\xac\xa9\xa0\x80\x06\x00\x00\x00\xff\xff"
    "\x80\x03\x00\x01\x00\x00\x00\x19\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\xc2\x2a\x05\x4c\xcc\x29\xf9"
    "\xa5\x25\x00\x00\x00\x00\xff\xff";

static void others_streams_are_read(void **state)
{
    (void)state;
    struct said split;
    EXPECT(two_streams, "S1{streamtype:error}S3{streamtype:stdout}");
    read_all(two_streams, sizeof two_streams - 1, 1, &split);
    assert_string_equal(split.text, "S1{streamtype:error}S3{streamtype:stdout}");
}

static void frames_are_read(void **state)
{
    (void)state;
    struct said split;
    static const char frames[] =
        "\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x05"
        "\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x07"
        "\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x00"
        "\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x09"
        "\x80\x03\x00\x04\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x07\x00\x01\x00\x00"
        "\x00\x00\x00\x01\x00\x00\x00\x03"
        "abc"
        "\x00\x00\x00\x01\x01\x00\x00\x00";
    EXPECT(frames, "x5=5p7g3=0d1(abc)d1().");
    read_all(frames, sizeof frames - 1, 1, &split);
    assert_string_equal(split.text, "x5=5p7g3=0d1(a)d1(b)d1(c)d1().");
}

static void what_breaks_the_protocol_is_refused(void **state)
{
    (void)state;
    EXPECT("\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x07", "!this is no SPDY/3.1: another version");
    EXPECT("\x80\x03\x00\x06\x00\x00\x80\x01\x00", "!this is no SPDY/3.1: a control frame is too long");
    EXPECT("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x00", "!this is no SPDY/3.1: a PING");
    EXPECT("\x80\x03\x00\x06\x01\x00\x00\x04\x00\x00\x00\x01", "!this is no SPDY/3.1: a PING");
    EXPECT("\x80\x03\x00\x06\x00\x00\x00\x05\x00\x00\x00\x01\x00", "!this is no SPDY/3.1: a PING");
    EXPECT("\x80\x03\x00\x06\x00\x00\x00\x00", "!this is no SPDY/3.1: a PING");
    EXPECT("\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x00",
           "!this is no SPDY/3.1: a RST_STREAM");
    EXPECT("\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x01", "!this is no SPDY/3.1: a SETTINGS");
    EXPECT("\x80\x03\x00\x08\x00\x00\x00\x04\x00\x00\x00\x01", "!a SPDY frame of type 8");
    EXPECT("\x80\x03\x00\x0a\x00\x00\x00\x00", "!a SPDY frame of type 10");
    EXPECT("\x00\x00\x00\x00\x00\x00\x00\x00", "!this is no SPDY/3.1: data of no stream");
    EXPECT("\x00\x00\x00\x01\x02\x00\x00\x00", "!this is no SPDY/3.1: unknown flags");
    /* a stream without an id; one that is compressed with nothing */
    EXPECT("\x80\x03\x00\x01\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
           "!this is no SPDY/3.1: a SYN_STREAM");
    EXPECT("\x80\x03\x00\x01\x00\x00\x00\x0e\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
           "!this is no SPDY/3.1: a SYN_STREAM frame: a header block: it can't be decompressed");
}

static void what_is_written_is_read_as_it_was(void **state)
{
    (void)state;
    CLEANUP(spdy_packer_free) struct spdy_packer *packer = NULL;
    const struct spdy_headers headers = {
        { { "streamtype", "data" }, { "port", "8080" }, { "requestid", "0" } }, 3
    };
    const struct spdy_headers none = { .n = 0 };
    struct said said;
    struct buffer out;
    buffer_init(&out, 10000);
    assert_int_equal(spdy_packer_new(&packer), 0);
    for (uint32_t i = 1; i < 6; i += 2)
        assert_int_equal(spdy_put_stream(packer, &out, i, i == 3, &headers), 0);
    assert_int_equal(spdy_put_reply(packer, &out, 1, false, &none), 0);
    assert_int_equal(spdy_put_data(&out, 1, false, "abc", 3), 0);
    assert_int_equal(spdy_put_data(&out, 1, true, NULL, 0), 0);
    assert_int_equal(spdy_put_reset(&out, 3, SPDY_CANCEL), 0);
    assert_int_equal(spdy_put_ping(&out, 9), 0);
    assert_int_equal(spdy_put_goaway(&out, 5, SPDY_GOAWAY_OK), 0);
    read_all(buffer_head(&out), buffer_size(&out), SIZE_MAX, &said);
    assert_string_equal(
        said.text, "S1{streamtype:data}{port:8080}{requestid:0}S3{streamtype:data}{port:8080}{requestid:0}."
                   "S5{streamtype:data}{port:8080}{requestid:0}R1d1(abc)d1().x3=5p9g5=0");
    buffer_free(&out);
}

/* A block as another would write it. */
static size_t pack(const void *block, size_t n, uint8_t *out, size_t size)
{
    z_stream z = { .next_in = (uint8_t *)(uintptr_t)block,
                   .avail_in = (unsigned)n,
                   .next_out = out,
                   .avail_out = (unsigned)size };
    assert_int_equal(deflateInit(&z, Z_BEST_COMPRESSION), Z_OK);
    assert_int_equal(deflateSetDictionary(&z, spdy_dictionary, spdy_dictionary_size), Z_OK);
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    size_t written = size - z.avail_out;
    (void)deflateEnd(&z);
    return written;
}

static void unpack_fails(const void *block, size_t n)
{
    CLEANUP(spdy_unpacker_free) struct spdy_unpacker *unpacker = NULL;
    static uint8_t packed[64 * 1024];
    struct spdy_headers headers;
    struct detail detail;
    size_t length = pack(block, n, packed, sizeof packed);
    assert_int_equal(spdy_unpacker_new(&unpacker), 0);
    assert_int_equal(spdy_unpack(unpacker, packed, length, &headers, &detail), SPDY_HEADERS_MALFORMED);
    assert_int_equal(spdy_unpack(unpacker, packed, length, &headers, &detail), SPDY_HEADERS_MALFORMED);
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    static const char upper[] = "\0\0\0\1\0\0\0\1A\0\0\0\1b";
    static const char twice[] = "\0\0\0\2\0\0\0\1a\0\0\0\1b\0\0\0\1a\0\0\0\1c";
    static const char nul[] = "\0\0\0\1\0\0\0\1a\0\0\0\3b\0c";
    static const char nameless[] = "\0\0\0\1\0\0\0\0\0\0\0\1b";
    static const char cut[] = "\0\0\0\1\0\0\0\1a\0\0\0\2b";
    static const char more[] = "\0\0\0\1\0\0\0\1a\0\0\0\1bc";
    unpack_fails(upper, sizeof upper - 1);
    unpack_fails(twice, sizeof twice - 1);
    unpack_fails(nul, sizeof nul - 1);
    unpack_fails(nameless, sizeof nameless - 1);
    unpack_fails(cut, sizeof cut - 1);
    unpack_fails(more, sizeof more - 1);
}

/* A few bytes that become a lot are not unpacked; nor are too many pairs. */
static void the_size_of_headers_is_bounded(void **state)
{
    (void)state;
    static char large[4 + 9 + SPDY_HEADERS_MAX];
    memcpy(large, "\0\0\0\1\0\0\0\1a\0\0\x40\0", 13);
    memset(large + 13, 'x', sizeof large - 13);
    unpack_fails(large, sizeof large);
    struct buffer block;
    buffer_init(&block, 4096);
    assert_int_equal(buffer_put_u32(&block, SPDY_PAIRS_MAX + 1), 0);
    for (unsigned i = 0; i < SPDY_PAIRS_MAX + 1; i++) {
        assert_int_equal(buffer_printf(&block, "%c%c%c%cn%02u", 0, 0, 0, 3, i), 0);
        assert_int_equal(buffer_put_u32(&block, 0), 0);
    }
    unpack_fails(buffer_head(&block), buffer_size(&block));
    buffer_free(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_streams_are_read),
        cmocka_unit_test(frames_are_read),
        cmocka_unit_test(what_breaks_the_protocol_is_refused),
        cmocka_unit_test(what_is_written_is_read_as_it_was),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(the_size_of_headers_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
