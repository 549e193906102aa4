/* SFTP in the middle: each conversation that passes has a twin that does not. Ids of the target are indices
 * from 0. */
#include <stdio.h>
#include <string.h>
#include "sftp_talk.h"

/* ---- packets ---- */

static void each_request_is_read_and_its_twin_is_not(void **state)
{
    static const struct {
        const char *good, *bad;
    } twins[] = {
        { "03 00000001 \"/a\" 00000001 00000000", "03 00000001 \"/a\" 00000001 00000001" },
        { "03 00000001 \"/a\" 00000001 00000000", "03 00000001 \"/a\" 00000001 00000000 00" },
        { "03 00000001 \"/a\" 00000001 00000000", "03 00000001 00000003 2f0061 00000001 00000000" },
        { "03 00000001 \"/a\" 00000001 00000000", "03 00000001 00000003 '/a' 00000001 00000000" },
        { "09 00000001 \"/a\" 00000004 000001a4", "09 00000001 \"/a\" 00000010 000001a4" },
        { "09 00000001 \"/a\" 80000000 00000001 \"n\" \"v\"",
          "09 00000001 \"/a\" 80000000 00000002 \"n\" \"v\"" },
        { "05 00000001 \"h\" 0000000000000000 00000010", "05 00000001 \"h\" 0000000000000000" },
        { "12 00000001 \"/a\" \"/b\"", "12 00000001 \"/a\" \"/b\" \"/c\"" },
        { "c8 00000001 \"statvfs@openssh.com\" \"/a\"", "c8 00000001 \"statvfs@openssh.com\"" },
        { "04 00000001 \"h\"", "04 000001" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++) {
        struct sftp_request q;
        uint8_t bytes[512];
        size_t size = 0, n = talk_packet(twins[i].good, bytes, sizeof bytes);
        assert_int_equal(sftp_read_request(bytes, n, &q, &size), 0);
        assert_int_equal(size, n);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(sftp_read_request(bytes, cut, &q, &size), SFTP_SHORT);
        n = talk_packet(twins[i].bad, bytes, sizeof bytes);
        if (sftp_read_request(bytes, n, &q, &size) != SFTP_MALFORMED)
            fail_msg("%s was read", twins[i].bad);
    }
}

static void a_request_is_written_as_it_was_read(void **state)
{
    static const char *const packets[] = {
        "03 00000001 \"/a\" 00000001 00000000",
        "0a 00000001 \"handle\" 0000000d 0000000000000001 000001a4 00000001 00000002",
        "c8 00000001 \"copy-data\" \"h\" 0000000000000000 0000000000000001 \"i\" 0000000000000002",
        "c8 00000001 \"limits@openssh.com\"",
        "c8 00000001 \"users-groups-by-id@openssh.com\" \"0000\" \"\"",
        "14 00000001 \"a\" \"b\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        struct sftp_request q;
        uint8_t bytes[512];
        struct buffer out;
        size_t size = 0, n = talk_packet(packets[i], bytes, sizeof bytes);
        buffer_init(&out, 1024);
        assert_int_equal(sftp_read_request(bytes, n, &q, &size), 0);
        assert_int_equal(sftp_put_request(&out, &q, 1, NULL, NULL), 0);
        assert_int_equal(buffer_size(&out), n);
        assert_memory_equal(buffer_head(&out), bytes, n);
        buffer_free(&out);
    }
}

static void data_has_to_be_the_rest_of_a_write(void **state)
{
    struct sftp_request q;
    uint8_t bytes[512];
    size_t size = 0;
    (void)state;
    size_t n = talk_packet("06 00000001 \"h\" 0000000000000000 \"data\"", bytes, sizeof bytes);
    assert_int_equal(sftp_read_request(bytes, n - 4, &q, &size), 0);
    assert_int_equal(size, n - 4);
    assert_int_equal(q.data, 4);
    n = talk_packet("06 00000001 \"h\" 0000000000000000 00000005 'data'", bytes, sizeof bytes);
    assert_int_equal(sftp_read_request(bytes, n, &q, &size), SFTP_MALFORMED);
    n = talk_packet("06 00000001 \"h\" 0000000000000000 \"data\" 00", bytes, sizeof bytes);
    assert_int_equal(sftp_read_request(bytes, n, &q, &size), SFTP_MALFORMED);
}

/* ---- paths ---- */

static void paths_are_normalised_and_split(void **state)
{
    static const char *const cases[][2] = {
        { "/a/b", "/a/b" },
        { "/a//b/", "/a/b" },
        { "/a/./b/.", "/a/b" },
        { "/a/../b", "/b" },
        { "/../../a", "/a" },
        { "/", "/" },
        { "", "." },
        { "a/..", "." },
        { "../a", "../a" },
        { "a/../../b", "../b" },
        { "../../a", "../../a" },
        { "/a/b/../..", "/" },
        { "a/b/..", "a" },
        { "/..a/...", "/..a/..." },
    };
    char out[PATH_TEXT_MAX], directory[PATH_TEXT_MAX];
    const char *name = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(path_normalise(cases[i][0], out), 0);
        assert_string_equal(out, cases[i][1]);
    }
    assert_true(path_split("/a", directory, &name));
    assert_string_equal(directory, "/");
    assert_true(path_split("a//b/", directory, &name));
    assert_string_equal(directory, "a");
    assert_string_equal(name, "b/");
    assert_true(path_split("a", directory, &name));
    assert_string_equal(directory, ".");
    assert_false(path_split("/", directory, &name));
    assert_false(path_split("a/..", directory, &name));
    assert_false(path_split("", directory, &name));
    assert_true(path_is_name("a") && !path_is_name("..") && !path_is_name("a/b") && !path_is_name(""));
}

/* ---- digests ---- */

static struct digest_result digest_of(const char *const pieces[][2], size_t n)
{
    struct digest *d = NULL;
    struct digest_result result;
    assert_int_equal(digest_new(&d), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            digest_add(d, (uint64_t)strtoul(pieces[i][0], NULL, 10), pieces[i][1], strlen(pieces[i][1])), 0);
    assert_int_equal(digest_end(d, &result), 0);
    digest_free(d);
    return result;
}

static void pieces_are_put_in_order(void **state)
{
    static const char *const in_order[][2] = { { "0", "abcdef" } };
    static const char *const mixed[][2] = { { "0", "ab" }, { "4", "ef" }, { "2", "cd" } };
    static const char *const twice[][2] = { { "0", "abcd" }, { "2", "cdef" } };
    static const char *const hole[][2] = { { "0", "abcdef" }, { "7", "g" } };
    static const char *const before[][2] = { { "3", "abcdef" }, { "0", "xyz" } };
    (void)state;
    struct digest_result a = digest_of(in_order, 1), b = digest_of(mixed, 3), c = digest_of(twice, 2),
                         d = digest_of(hole, 2), e = digest_of(before, 2);
    assert_memory_equal(a.sha256, b.sha256, DIGEST_SIZE);
    assert_memory_equal(a.sha256, c.sha256, DIGEST_SIZE);
    assert_memory_equal(a.sha256, d.sha256, DIGEST_SIZE);
    assert_memory_equal(a.sha256, e.sha256, DIGEST_SIZE);
    assert_true(a.whole && b.whole);
    assert_false(c.whole || d.whole || e.whole);
    assert_int_equal(d.length, 6);
    assert_int_equal(d.bytes, 7);
    assert_int_equal(e.from, 3);
}

static void what_waits_for_its_turn_is_bounded(void **state)
{
    struct digest *d = NULL;
    struct digest_result result;
    (void)state;
    assert_int_equal(digest_new(&d), 0);
    assert_int_equal(digest_add(d, 0, "a", 1), 0);
    for (uint64_t i = 0; i < DIGEST_PIECES_MAX + 1; i++)
        assert_int_equal(digest_add(d, 10 + 2 * i, "b", 1), 0);
    assert_int_equal(digest_end(d, &result), 0);
    assert_int_equal(result.length, 1);
    assert_int_equal(result.bytes, DIGEST_PIECES_MAX + 2);
    assert_false(result.whole);
    digest_free(d);
}

/* ---- conversations ---- */

static void only_what_is_handled_is_announced(void **state)
{
    struct talk t;
    (void)state;
    talk_begin(&t, false);
    assert_int_equal(talk_client(&t, "01 00000006 \"x\" \"y\""), 0);
    talk_expect_target(&t, "01 00000003");
    assert_int_equal(talk_target(&t, "02 00000003 \"new@example.com\" \"1\" \"statvfs@openssh.com\" \"2\""
                                     " \"fsync@openssh.com\" \"9\""),
                     0);
    talk_expect_client(&t, "02 00000003 \"statvfs@openssh.com\" \"2\"");
    talk_end(&t);
}

static void unknown_requests_are_unsupported_and_nothing_of_them_passes(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    assert_int_equal(talk_client(&t, "c8 00000007 \"new@example.com\" \"/etc/passwd\""), 0);
    talk_expect_status(&t, 7, SFTP_OP_UNSUPPORTED);
    assert_int_equal(talk_client(&t, "15 00000008 \"/a\""), 0);
    talk_expect_status(&t, 8, SFTP_OP_UNSUPPORTED);
    talk_expect_target(&t, "");
    talk_end(&t);
}

static void bytes_that_are_not_sftp_end_the_session(void **state)
{
    struct talk t;
    (void)state;
    talk_begin(&t, false);
    assert_int_equal(talk_client(&t, "03 00000001 \"/a\" 00000001 00000000"), TRANSFER_CLIENT);
    talk_end(&t);
    talk_begin(&t, false);
    assert_int_equal(talk_client(&t, "01 00000002"), TRANSFER_CLIENT);
    talk_end(&t);
    talk_greet(&t, false, true);
    assert_int_equal(talk_client(&t, "03 00000001 \"/a\" 00000001"), TRANSFER_CLIENT);
    talk_expect_target(&t, "");
    talk_end(&t);
}

static void a_file_is_read_by_a_handle_of_ours(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 00000001 00000000"), 0);
    talk_expect_target(&t, "10 00000000 \"/a\"");
    talk_expect_target(&t, "03 00000001 \"/a\" 00000001 00000000");
    assert_int_equal(talk_target(&t, "66 00000001 \"theirs\""), 0);
    talk_expect_client(&t, "66 00000063 00000008 00000000 00000001");
    assert_int_equal(talk_client(&t, "05 00000005 00000008 00000000 00000001 0000000000000000 00000004"), 0);
    talk_expect_target(&t, "05 00000001 \"theirs\" 0000000000000000 00000004");
    assert_int_equal(talk_target(&t, "67 00000001 \"data\""), 0);
    talk_expect_client(&t, "67 00000005 \"data\"");
    assert_int_equal(talk_client(&t, "04 00000006 00000008 00000000 00000001"), 0);
    talk_expect_target(&t, "04 00000001 \"theirs\"");
    assert_int_equal(talk_target(&t, "65 00000001 00000000 \"ok\" \"\""), 0);
    talk_expect_status(&t, 6, SFTP_OK);
    assert_int_equal(talk_target(&t, "65 00000000 00000004 \"no\" \"\""), 0);
    assert_int_equal(t.told, 1);
    assert_int_equal(t.bytes, 4);
    assert_string_equal(t.state, "complete");
    talk_end(&t);
}

static void handles_that_were_not_given_are_no_handles(void **state)
{
    static const char *const handles[] = { "\"theirs\"",
                                           "00000008 00000000 00000002",
                                           "00000008 00000001 00000001",
                                           "00000008 ffffffff 00000001",
                                           "00000000",
                                           "00000009 00000000 00000001 00" };
    struct talk t;
    char packet[256];
    (void)state;
    talk_greet(&t, true, true);
    assert_int_equal(talk_client(&t, "0b 00000063 \"/a\""), 0);
    talk_expect_target(&t, "10 00000000 \"/a\"");
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/a\" \"\" 00000000"), 0);
    talk_expect_target(&t, "0b 00000000 \"/a\"");
    talk_expect_target(&t, "10 00000001 \"/a\"");
    assert_int_equal(talk_target(&t, "66 00000000 \"theirs\""), 0);
    talk_expect_client(&t, "");
    assert_int_equal(talk_target(&t, "68 00000001 00000001 \"/a\" \"\" 00000000"), 0);
    talk_expect_client(&t, "66 00000063 00000008 00000000 00000001");
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        (void)snprintf(packet, sizeof packet, "0c 00000005 %s", handles[i]);
        assert_int_equal(talk_client(&t, packet), 0);
        talk_expect_status(&t, 5, SFTP_FAILURE);
        talk_expect_target(&t, "");
    }
    talk_end(&t);
}

static void where_rules_look_at_paths_the_target_is_asked_first(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, true, true);
    t.denied = "secret";
    assert_int_equal(talk_client(&t, "03 00000001 \"/link\" 00000001 00000000"), 0);
    assert_int_equal(talk_client(&t, "0d 00000002 \"/b\""), 0);
    talk_expect_target(&t, "10 00000000 \"/link\"");
    talk_expect_target(&t, ""); /* the second waits for the first */
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/secret\" \"\" 00000000"), 0);
    talk_expect_status(&t, 1, SFTP_PERMISSION_DENIED);
    assert_string_equal(t.last, "open /secret [asked: /link] (read)");
    talk_expect_target(&t, "10 00000000 \"/\"");
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/\" \"\" 00000000"), 0);
    talk_expect_target(&t, "0d 00000000 \"/b\"");
    talk_end(&t);
}

static void what_was_decided_on_is_what_is_opened(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, true, true);
    assert_int_equal(talk_client(&t, "03 00000001 \"/link\" 00000001 00000000"), 0);
    talk_expect_target(&t, "10 00000000 \"/link\"");
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/fine\" \"\" 00000000"), 0);
    talk_expect_target(&t, "03 00000000 \"/fine\" 00000001 00000000");
    talk_expect_target(&t, "10 00000001 \"/fine\"");
    assert_int_equal(talk_target(&t, "66 00000000 \"h\""), 0);
    assert_int_equal(talk_target(&t, "68 00000001 00000001 \"/other\" \"\" 00000000"), 0);
    talk_expect_target(&t, "04 00000001 \"h\"");
    talk_expect_status(&t, 1, SFTP_PERMISSION_DENIED);
    assert_string_equal(t.state, "refused");
    talk_end(&t);
}

static void a_link_to_nowhere_is_not_taken_for_an_absent_file(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, true, true);
    assert_int_equal(talk_client(&t, "03 00000001 \"/d/new\" 0000001a 00000000"), 0);
    talk_expect_target(&t, "10 00000000 \"/d/new\"");
    assert_int_equal(talk_target(&t, "65 00000000 00000002 \"\" \"\""), 0);
    talk_expect_target(&t, "10 00000000 \"/d\"");
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/e\" \"\" 00000000"), 0);
    talk_expect_target(&t, "07 00000000 \"/e/new\"");
    assert_int_equal(talk_target(&t, "69 00000000 00000000"), 0);
    talk_expect_status(&t, 1, SFTP_PERMISSION_DENIED);
    talk_expect_target(&t, "");
    /* its twin: nothing is there */
    assert_int_equal(talk_client(&t, "03 00000001 \"/d/new\" 0000001a 00000000"), 0);
    assert_int_equal(talk_target(&t, "65 00000000 00000002 \"\" \"\""), 0);
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/e\" \"\" 00000000"), 0);
    buffer_consume(&t.transfer->to_target, buffer_size(&t.transfer->to_target));
    assert_int_equal(talk_target(&t, "65 00000000 00000002 \"\" \"\""), 0);
    talk_expect_target(&t, "03 00000000 \"/e/new\" 0000001a 00000000");
    talk_end(&t);
}

static void answers_that_were_not_asked_for_end_the_session(void **state)
{
    static const char *const answers[] = {
        "65 00000009 00000000 \"\" \"\"", "66 00000000 \"h\"", "69 00000000 00000000", "67 00000000 \"x\"",
        "6a 00000000 00000000",           "65 0000",           "66 00000001 \"h\" 00",
    };
    struct talk t;
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        talk_greet(&t, false, true);
        assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 00000001 00000000"), 0);
        int r = talk_target(&t, answers[i]);
        if (r != TRANSFER_TARGET)
            fail_msg("%s: %d", answers[i], r);
        talk_end(&t);
    }
}

static void more_data_than_was_asked_for_ends_the_session(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 00000001 00000000"), 0);
    assert_int_equal(talk_target(&t, "66 00000001 \"h\""), 0);
    assert_int_equal(talk_client(&t, "05 00000005 00000008 00000000 00000001 0000000000000000 00000003"), 0);
    assert_int_equal(talk_target(&t, "67 00000001 \"data\""), TRANSFER_TARGET);
    talk_end(&t);
}

/* The order of SYMLINK's paths is OpenSSH's, or not known: then either may be the new name. */
static void links_are_judged_by_both_paths(void **state)
{
    struct talk t;
    (void)state;
    for (int openssh = 0; openssh < 2; openssh++) {
        talk_greet(&t, false, openssh);
        t.denied = "/a";
        assert_int_equal(talk_client(&t, "14 00000001 \"/a\" \"/b\""), 0);
        talk_expect_status(&t, 1, SFTP_PERMISSION_DENIED);
        assert_int_equal(talk_client(&t, "14 00000001 \"/b\" \"/a\""), 0);
        talk_expect_status(&t, 1, SFTP_PERMISSION_DENIED);
        assert_int_equal(talk_client(&t, "14 00000001 \"/b\" \"/c\""), 0);
        talk_expect_target(&t, "14 00000000 \"/b\" \"/c\"");
        talk_end(&t);
    }
}

static void what_is_not_recorded_does_not_happen(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    t.broken = true;
    assert_int_equal(talk_client(&t, "0d 00000001 \"/a\""), TRANSFER_UNRECORDED);
    talk_expect_target(&t, "");
    talk_end(&t);
}

static void files_that_are_still_open_at_the_end_are_told_of(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 0000001a 00000000"), 0);
    assert_int_equal(talk_target(&t, "66 00000001 \"h\""), 0);
    assert_int_equal(talk_client(&t, "06 00000005 00000008 00000000 00000001 0000000000000000 \"data\""), 0);
    assert_int_equal(transfer_end(t.transfer), 0);
    assert_int_equal(t.told, 1);
    assert_int_equal(t.bytes, 4);
    assert_string_equal(t.state, "cut");
    talk_end(&t);
}

static int give_bytes(struct talk *t, bool client, const char *packet, size_t from, size_t to)
{
    uint8_t bytes[512];
    size_t n = talk_packet(packet, bytes, sizeof bytes);
    struct buffer *in = client ? &t->transfer->from_client : &t->transfer->from_target;
    assert_int_equal(buffer_append(in, bytes + from, (to ? to : n) - from), 0);
    return transfer_run(t->transfer);
}

static void nothing_falls_into_the_middle_of_what_streams(void **state)
{
    static const char data[] = "67 00000001 \"data\"",
                      write[] = "06 00000007 00000008 00000000 00000001 0000000000000000 \"data\"";
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    t.denied = "secret";
    assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 00000003 00000000"), 0);
    assert_int_equal(talk_target(&t, "66 00000001 \"h\""), 0);
    assert_int_equal(talk_client(&t, "05 00000005 00000008 00000000 00000001 0000000000000000 00000004"), 0);
    buffer_consume(&t.transfer->to_client, buffer_size(&t.transfer->to_client));
    buffer_consume(&t.transfer->to_target, buffer_size(&t.transfer->to_target));
    assert_int_equal(give_bytes(&t, false, data, 0, 15), 0);
    assert_int_equal(talk_client(&t, "0d 00000006 \"/secret\""), 0);
    assert_int_equal(give_bytes(&t, false, data, 15, 0), 0);
    talk_expect_client(&t, "67 00000005 \"data\"");
    talk_expect_status(&t, 6, SFTP_PERMISSION_DENIED);
    talk_end(&t);
    /* and the other way around: a CLOSE of ours while a WRITE is under way */
    talk_greet(&t, true, true);
    assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 00000002 00000000"), 0);
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/a\" \"\" 00000000"), 0);
    assert_int_equal(talk_target(&t, "66 00000000 \"h\""), 0);
    assert_int_equal(talk_target(&t, "68 00000001 00000001 \"/a\" \"\" 00000000"), 0);
    assert_int_equal(talk_client(&t, "03 00000063 \"/a\" 00000002 00000000"), 0);
    assert_int_equal(talk_target(&t, "68 00000001 00000001 \"/a\" \"\" 00000000"), 0);
    assert_int_equal(talk_target(&t, "66 00000001 \"h\""), 0);
    buffer_consume(&t.transfer->to_target, buffer_size(&t.transfer->to_target));
    assert_int_equal(give_bytes(&t, true, write, 0, 35), 0);
    assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/b\" \"\" 00000000"), 0);
    assert_int_equal(give_bytes(&t, true, write, 35, 0), 0);
    talk_expect_target(&t, "06 00000001 \"h\" 0000000000000000 \"data\"");
    talk_expect_target(&t, "04 00000000 \"h\"");
    talk_end(&t);
}

/* ---- bounds ---- */

static void too_many_files_are_refused(void **state)
{
    struct talk t;
    char packet[64];
    (void)state;
    talk_greet(&t, false, true);
    for (unsigned i = 0; i < SFTP_FILES_MAX; i++) {
        assert_int_equal(talk_client(&t, "0b 00000001 \"/a\""), 0);
        assert_int_equal(talk_target(&t, "66 00000000 \"h\""), 0);
        (void)snprintf(packet, sizeof packet, "66 00000001 00000008 %08x %08x", i, i + 1);
        talk_expect_client(&t, packet);
    }
    buffer_consume(&t.transfer->to_target, buffer_size(&t.transfer->to_target));
    assert_int_equal(talk_client(&t, "0b 00000001 \"/a\""), 0);
    talk_expect_status(&t, 1, SFTP_FAILURE);
    talk_expect_target(&t, "");
    talk_end(&t);
}

static void a_client_waits_when_too_much_is_unanswered(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    for (unsigned i = 0; i < 2 * SFTP_PENDING_MAX; i++)
        assert_int_equal(talk_client(&t, "0d 00000001 \"/a\""), 0);
    assert_false(transfer_wants_client(t.transfer));
    assert_true(t.decided < SFTP_PENDING_MAX);
    size_t before = t.decided;
    assert_int_equal(talk_target(&t, "65 00000000 00000000 \"\" \"\""), 0);
    assert_int_equal(t.decided, before + 1);
    talk_end(&t);
}

/* Refusals are answers that cost the client nothing: who does not read them is not read either. */
static void a_client_that_does_not_read_is_not_read(void **state)
{
    struct talk t;
    unsigned n = 0;
    (void)state;
    talk_greet(&t, false, true);
    t.denied = "/a";
    while (transfer_wants_client(t.transfer) && n++ < 1000 * 1000)
        assert_int_equal(talk_client(&t, "0d 00000001 \"/a\""), 0);
    assert_true(n < 1000 * 1000);
    assert_true(buffer_size(&t.transfer->to_client) < TRANSFER_HIGH + 4096);
    talk_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_is_read_and_its_twin_is_not),
        cmocka_unit_test(a_request_is_written_as_it_was_read),
        cmocka_unit_test(data_has_to_be_the_rest_of_a_write),
        cmocka_unit_test(paths_are_normalised_and_split),
        cmocka_unit_test(pieces_are_put_in_order),
        cmocka_unit_test(what_waits_for_its_turn_is_bounded),
        cmocka_unit_test(only_what_is_handled_is_announced),
        cmocka_unit_test(unknown_requests_are_unsupported_and_nothing_of_them_passes),
        cmocka_unit_test(bytes_that_are_not_sftp_end_the_session),
        cmocka_unit_test(a_file_is_read_by_a_handle_of_ours),
        cmocka_unit_test(handles_that_were_not_given_are_no_handles),
        cmocka_unit_test(where_rules_look_at_paths_the_target_is_asked_first),
        cmocka_unit_test(what_was_decided_on_is_what_is_opened),
        cmocka_unit_test(a_link_to_nowhere_is_not_taken_for_an_absent_file),
        cmocka_unit_test(answers_that_were_not_asked_for_end_the_session),
        cmocka_unit_test(more_data_than_was_asked_for_ends_the_session),
        cmocka_unit_test(links_are_judged_by_both_paths),
        cmocka_unit_test(what_is_not_recorded_does_not_happen),
        cmocka_unit_test(files_that_are_still_open_at_the_end_are_told_of),
        cmocka_unit_test(nothing_falls_into_the_middle_of_what_streams),
        cmocka_unit_test(too_many_files_are_refused),
        cmocka_unit_test(a_client_waits_when_too_much_is_unanswered),
        cmocka_unit_test(a_client_that_does_not_read_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
