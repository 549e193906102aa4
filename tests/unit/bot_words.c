/* channels/commands/bot_words, feed: what programs say, and what waits to be told to those who follow. */
#include "channels/commands/bot_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/commands/feed.h"
#include "check.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int read(const char *line, struct json_object *object, struct bot_request *ret)
{
    struct detail detail = { "" };
    int r = bot_request_read(line, strlen(line), object, ret, &detail);
    assert_true(r == 0 || r == -EBADMSG);
    assert_true((r == 0) == (detail.text[0] == 0));
    return r;
}

static void a_decision_is_read_whole(void **state)
{
    (void)state;
    CLEANUP(json_object_free) struct json_object object = { 0 };
    struct bot_request request;
    assert_int_equal(read("{\"id\":7,\"do\":\"approve\",\"request\":\"a7k2mq\",\"digest\":\"" DIGEST
                          "\",\"reason\":\"it\\nis \\u00e9\",\"for\":\"30m\",\"signature\":\"S\"}",
                          &object, &request),
                     0);
    assert_int_equal(request.what, BOT_APPROVE);
    assert_string_equal(request.id, "7");
    assert_string_equal(request.request, "a7k2mq");
    assert_string_equal(request.words.reason, "it\nis é");
    assert_int_equal(request.words.for_ms, 1800000);
    assert_true(request.words.has_digest);
    assert_int_equal(request.words.digest[31], 0xff);
    assert_string_equal(request.signature, "S");
}

static void the_programs_id_comes_back_as_it_came(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        { "{\"do\":\"ping\"}", "null" },
        { "{\"do\":\"ping\",\"id\":1.5e3}", "1.5e3" },
        { "{\"do\":\"ping\",\"id\":\"a b\xc3\xa9\"}", "\"a b\xc3\xa9\"" },
        { "{\"do\":\"dance\",\"id\":\"x\"}", "\"x\"" },
        { "{\"do\":\"ping\",\"id\":true}", "null" },
        { "{\"do\":\"ping\",\"id\":\"a\\\"b\"}", "null" },
        { "{\"do\":\"ping\",\"id\":\"0123456789012345678901234567890123456789012345678901234567890123456\"}",
          "null" },
        { "nonsense", "null" },
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CLEANUP(json_object_free) struct json_object object = { 0 };
        struct bot_request request;
        (void)!read(lines[i][0], &object, &request);
        assert_string_equal(request.id, lines[i][1]);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"do\":1}",
        "{\"do\":\"approve\",\"request\":\"A\"}",
        "{\"do\":\"deny\",\"request\":\"A\"}",
        "{\"do\":\"deny\",\"digest\":\"" DIGEST "\"}",
        "{\"do\":\"deny\",\"request\":\"A\",\"digest\":\"00\"}",
        "{\"do\":\"deny\",\"request\":\"A\",\"digest\":\"" DIGEST "00\"}",
        "{\"do\":\"deny\",\"request\":\"A\",\"digest\":\"" DIGEST "\",\"for\":\"1h\"}",
        "{\"do\":\"deny\",\"request\":\"A\",\"digest\":\"" DIGEST "\",\"signature\":\"x\"}",
        "{\"do\":\"approve\",\"request\":\"A\",\"digest\":\"" DIGEST "\",\"for\":\"0s\"}",
        "{\"do\":\"approve\",\"request\":\"A\",\"digest\":\"" DIGEST "\",\"for\":\"31d\"}",
        "{\"do\":\"approve\",\"request\":\"A\",\"digest\":\"" DIGEST "\",\"for\":30}",
        "{\"do\":\"revoke-grant\"}",
        "{\"do\":\"revoke-grant\",\"request\":\"A\",\"digest\":\"" DIGEST "\"}",
        "{\"do\":\"show\"}",
        "{\"do\":\"show\",\"request\":\"0123456789012345678901234567890123456789\"}",
        "{\"do\":\"list\",\"request\":\"A\"}",
        "{\"do\":\"list\",\"what\":\"A\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CLEANUP(json_object_free) struct json_object object = { 0 };
        struct bot_request request;
        assert_int_equal(read(bad[i], &object, &request), -EBADMSG);
    }
}

static void a_reason_has_a_limit(void **state)
{
    (void)state;
    char line[DECISION_REASON_MAX + 128];
    for (int n = DECISION_REASON_MAX; n <= DECISION_REASON_MAX + 1; n++) {
        CLEANUP(json_object_free) struct json_object object = { 0 };
        struct bot_request request;
        (void)snprintf(line, sizeof line, "{\"do\":\"revoke-grant\",\"request\":\"A\",\"reason\":\"%0*d\"}",
                       n, 0);
        assert_int_equal(read(line, &object, &request), n > DECISION_REASON_MAX ? -EBADMSG : 0);
    }
}

/* ---- the feed ---- */

static int add(struct feed *feed, const char *id, Ipc__Approval *approval, Ipc__Grant *grant)
{
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    news.id = (char *)(uintptr_t)id;
    news.approval = approval;
    news.grant = grant;
    return feed_add(feed, &news);
}

static void what_changes_often_waits_once(void **state)
{
    (void)state;
    struct feed feed = { 0 };
    Ipc__Approval approval = IPC__APPROVAL__INIT;
    Ipc__Grant grant = IPC__GRANT__INIT;
    Ipc__Person who = IPC__PERSON__INIT;
    grant.id = (char *)(uintptr_t) "A7K2MQ";
    grant.requester = &who;
    assert_int_equal(add(&feed, "A7K2MQ", &approval, NULL), 0);
    assert_int_equal(add(&feed, "B7K2MQ", &approval, NULL), 0);
    assert_int_equal(add(&feed, "A7K2MQ", &approval, NULL), 0);
    assert_int_equal(add(&feed, "C7K2MQ", NULL, NULL), 0); /* of one's own statement */
    assert_int_equal(add(&feed, "A7K2MQ", NULL, &grant), 0);
    assert_int_equal(add(&feed, "A7K2MQ", NULL, &grant), 0); /* made and revoked are two things */
    static const char *const expected[] = { "A7K2MQ", "B7K2MQ", "A7K2MQ", "A7K2MQ" };
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(feed_item_free) struct feed_item *item = feed_take(&feed);
        assert_non_null(item);
        assert_string_equal(item->id, expected[i]);
        assert_true((item->grant != NULL) == (i >= 2));
        assert_true(!item->grant || strncmp(item->grant, "{\"grant\":\"A7K2MQ\"", 17) == 0);
    }
    assert_null(feed_take(&feed));
}

static void the_feed_has_a_limit(void **state)
{
    (void)state;
    struct feed feed = { 0 };
    Ipc__Approval approval = IPC__APPROVAL__INIT;
    char id[16];
    for (int i = 0; i < FEED_MAX; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        assert_int_equal(add(&feed, id, &approval, NULL), 0);
    }
    assert_int_equal(add(&feed, "one more", &approval, NULL), -ENOBUFS);
    assert_int_equal(add(&feed, "17", &approval, NULL), 0); /* waits already */
    feed_free(&feed);
    assert_int_equal(feed.n, 0);
    assert_int_equal(add(&feed, "one more", &approval, NULL), 0);
    feed_free(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_read_whole),
        cmocka_unit_test(the_programs_id_comes_back_as_it_came),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_reason_has_a_limit),
        cmocka_unit_test(what_changes_often_waits_once),
        cmocka_unit_test(the_feed_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
