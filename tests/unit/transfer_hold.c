/* File operations that people decide on: one stands aside or waits, nothing of it reaches the target before,
 * and where it leads is asked once more afterwards. */
#include <stdio.h>
#include <string.h>
#include "channels/sftp/opaque.h"
#include "channels/sftp/scp.h"
#include "sftp_talk.h"

static void decide(struct talk *t, uint64_t number, bool allowed)
{
    const struct file_verdict verdict = { .allowed = allowed, .number = number, .message = "denied: no" };
    transfer_decided(t->transfer, &verdict);
    assert_int_equal(transfer_run(t->transfer), 0);
}

/* ---- SFTP ---- */

static void a_held_request_stands_aside_and_later_ones_go_on(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    t.held = "/old";
    assert_int_equal(talk_client(&t, "0d 00000007 \"/old\""), 0);
    talk_expect_target(&t, "");
    assert_int_equal(talk_client(&t, "0d 00000008 \"/new\""), 0);
    talk_expect_target(&t, "0d 00000000 \"/new\"");
    decide(&t, 1, true);
    talk_expect_target(&t, "0d 00000001 \"/old\"");
    assert_int_equal(talk_target(&t, "65 00000001 00000000 \"ok\" \"\""), 0);
    talk_expect_status(&t, 7, SFTP_OK);
    assert_int_equal(t.decided, 2); /* and not once more */
    talk_end(&t);
}

static void a_held_request_that_is_refused_reaches_nobody(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    t.held = "/old";
    assert_int_equal(talk_client(&t, "03 00000007 \"/old\" 0000001a 00000000"), 0);
    decide(&t, 2, true); /* of another one */
    talk_expect_target(&t, "");
    decide(&t, 1, false);
    talk_expect_target(&t, "");
    talk_expect_status(&t, 7, SFTP_PERMISSION_DENIED);
    decide(&t, 1, true); /* too late */
    talk_expect_target(&t, "");
    talk_end(&t);
}

static void where_a_held_path_leads_is_asked_again(void **state)
{
    static const char *const answers[] = { "/fine", "/secret" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk t;
        char answer[128];
        talk_greet(&t, true, true);
        t.held = "remove";
        assert_int_equal(talk_client(&t, "0d 00000007 \"/link/x\""), 0);
        talk_expect_target(&t, "10 00000000 \"/link\"");
        assert_int_equal(talk_target(&t, "68 00000000 00000001 \"/fine\" \"\" 00000000"), 0);
        assert_string_equal(t.last, "remove /fine/x [asked: /link/x]");
        talk_expect_target(&t, "");
        decide(&t, 1, true);
        talk_expect_target(&t, "10 00000000 \"/link\"");
        assert_int_equal(talk_client(&t, "0d 00000008 \"/b\""), 0);
        talk_expect_target(&t, ""); /* one question at a time */
        (void)snprintf(answer, sizeof answer, "68 00000000 00000001 \"%s\" \"\" 00000000", answers[i]);
        assert_int_equal(talk_target(&t, answer), 0);
        if (i == 0)
            talk_expect_target(&t, "0d 00000000 \"/fine/x\"");
        else
            talk_expect_status(&t, 7, SFTP_PERMISSION_DENIED);
        talk_expect_target(&t, i == 0 ? "10 00000001 \"/\"" : "10 00000000 \"/\"");
        talk_end(&t);
    }
}

static void so_many_are_held_and_the_next_one_waits(void **state)
{
    struct talk t;
    char packet[64];
    (void)state;
    talk_greet(&t, false, true);
    t.held = "/old";
    for (unsigned i = 0; i < FILE_HELD_MAX; i++) {
        (void)snprintf(packet, sizeof packet, "0d %08x \"/old%u\"", i, i);
        assert_int_equal(talk_client(&t, packet), 0);
    }
    assert_false(transfer_wants_client(t.transfer));
    assert_int_equal(talk_client(&t, "0d 00000063 \"/new\""), 0);
    talk_expect_target(&t, "");
    decide(&t, 3, true);
    talk_expect_target(&t, "0d 00000000 \"/old2\"");
    talk_expect_target(&t, "0d 00000001 \"/new\"");
    talk_end(&t);
}

static void what_is_held_at_the_end_is_forgotten(void **state)
{
    struct talk t;
    (void)state;
    talk_greet(&t, false, true);
    t.held = "/old";
    assert_int_equal(talk_client(&t, "0d 00000007 \"/old\""), 0);
    assert_int_equal(transfer_end(t.transfer), 0);
    talk_expect_target(&t, "");
    talk_end(&t);
}

/* ---- scp, rsync ---- */

/* Where paths lead: "/link" to `leads`. */
static const char *leads;

static void resolve(void *owner, const char *path)
{
    struct talk *t = owner;
    const struct resolved_path answer = { .path = strcmp(path, "/link") == 0 ? leads : path };
    transfer_resolved(t->transfer, &answer);
}

static void begin(struct talk *t, const char *line, bool asks_paths)
{
    struct transfer_command command;
    struct transfer_host host;
    talk_begin(t, asks_paths);
    host = t->transfer->host;
    talk_end(t);
    host.resolve = resolve;
    assert_int_equal(transfer_command_read(line, &command), 0);
    assert_int_equal(command.program == PROGRAM_SCP
                         ? scp_transfer_new(&host, &command, &t->transfer)
                         : opaque_transfer_new(&host, &command, line, &t->transfer),
                     0);
    leads = "/fine";
}

static void give(struct talk *t, struct buffer *to, const char *text, size_t n)
{
    assert_int_equal(buffer_append(to, text, n), 0);
    assert_int_equal(transfer_run(t->transfer), 0);
}

static void expect(struct buffer *out, const char *text, size_t n)
{
    assert_int_equal(buffer_size(out), n);
    assert_memory_equal(buffer_head(out), text, n);
    buffer_consume(out, n);
}

static void a_line_of_scp_waits_and_then_passes(void **state)
{
    (void)state;
    for (int asks = 0; asks < 2; asks++) {
        struct talk t;
        begin(&t, "scp -t /srv/a", asks);
        t.held = "/srv/a";
        give(&t, &t.transfer->from_target, "\0", 1);
        expect(&t.transfer->to_client, "\0", 1);
        give(&t, &t.transfer->from_client, "C0644 2 a\n", 10);
        expect(&t.transfer->to_target, "", 0);
        decide(&t, 1, true);
        expect(&t.transfer->to_target, "C0644 2 a\n", 10);
        assert_int_equal(t.decided, 1);
        talk_end(&t);
    }
}

static void a_refused_line_of_scp_goes_no_further_and_the_next_one_does(void **state)
{
    struct talk t;
    (void)state;
    begin(&t, "scp -d -t /srv", false);
    t.held = "/srv/a";
    give(&t, &t.transfer->from_target, "\0", 1);
    give(&t, &t.transfer->from_client, "C0644 2 a\n", 10);
    decide(&t, 1, false);
    expect(&t.transfer->to_target, "", 0);
    expect(&t.transfer->to_client, "\0\1gatehouse: denied: no\n", 24);
    give(&t, &t.transfer->from_client, "C0644 2 b\n", 10);
    expect(&t.transfer->to_target, "C0644 2 b\n", 10);
    talk_end(&t);
}

static void a_line_of_scp_that_leads_elsewhere_by_now_is_refused(void **state)
{
    struct talk t;
    (void)state;
    begin(&t, "scp -t /link", true);
    t.held = "/fine";
    give(&t, &t.transfer->from_target, "\0", 1);
    give(&t, &t.transfer->from_client, "C0644 2 a\n", 10);
    assert_string_equal(t.last, "copy to /fine [asked: /link]");
    leads = "/secret";
    decide(&t, 1, true);
    expect(&t.transfer->to_target, "", 0);
    assert_int_equal(buffer_size(&t.transfer->to_client) > 10, 1);
    talk_end(&t);
}

static void rsync_waits_before_it_runs(void **state)
{
    static const char line[] = "rsync --server -logDtpre.iLsfxCIvu . /link";
    struct talk t;
    (void)state;
    for (int i = 0; i < 3; i++) {
        begin(&t, line, true);
        t.held = "rsync";
        assert_int_equal(transfer_run(t.transfer), 0);
        assert_int_equal(t.transfer->stage, TRANSFER_WAITS);
        leads = i == 1 ? "/secret" : "/fine";
        decide(&t, 1, i != 2);
        assert_int_equal(t.transfer->stage, i == 0 ? TRANSFER_GOES : TRANSFER_REFUSED);
        talk_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_request_stands_aside_and_later_ones_go_on),
        cmocka_unit_test(a_held_request_that_is_refused_reaches_nobody),
        cmocka_unit_test(where_a_held_path_leads_is_asked_again),
        cmocka_unit_test(so_many_are_held_and_the_next_one_waits),
        cmocka_unit_test(what_is_held_at_the_end_is_forgotten),
        cmocka_unit_test(a_line_of_scp_waits_and_then_passes),
        cmocka_unit_test(a_refused_line_of_scp_goes_no_further_and_the_next_one_does),
        cmocka_unit_test(a_line_of_scp_that_leads_elsewhere_by_now_is_refused),
        cmocka_unit_test(rsync_waits_before_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
