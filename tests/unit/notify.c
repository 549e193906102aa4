/* Webhooks' queues with a courier that this test plays, and a clock that it moves. */
#include "replay/notify.h"
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "replay/notify_limits.h"

enum { ROUNDS = 20, LIMIT_MS = 1000, DAY_MS = 24 * 60 * 60 * 1000 };

#define ONE "https://one.example.com/hook"
#define TWO "https://two.example.com/hook"

static struct loop *loop;
static struct notifier *notifier;
static int courier = -1;
static char state_path[] = "/tmp/gatehouse-notify-XXXXXX";
static char *events[] = { (char *)"approval_requested", (char *)"approval_decided" };

/* ---- the clock (linked with --wrap=clock_ms) ---- */

static uint64_t skew_ms;
uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);

uint64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() + skew_ms;
}

static void settle(void)
{
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(loop_round(loop, 0), 0);
}

static void pass_ms(uint64_t ms)
{
    skew_ms += ms;
    settle();
}

/* ---- the configuration ---- */

static Ipc__Config config;
static Ipc__Notify webhooks[2], *pointers[2] = { &webhooks[0], &webhooks[1] };

static Ipc__Notify *set_up(size_t n)
{
    static const char *const urls[] = { ONE, TWO };
    ipc__config__init(&config);
    for (size_t i = 0; i < 2; i++) {
        ipc__notify__init(&webhooks[i]);
        webhooks[i].webhook = (char *)(uintptr_t)urls[i];
        webhooks[i].form = (char *)"json";
        webhooks[i].events = events;
        webhooks[i].n_events = 2;
    }
    config.state = state_path;
    config.notify = pointers;
    config.n_notify = n;
    return webhooks;
}

static void begin(void)
{
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(notifier_new(loop, &config, &notifier), 0);
}

static void link_courier(void)
{
    int pair[2];
    fd_close(STEAL_FD(courier));
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    courier = pair[1];
    notifier_link(notifier, pair[0]);
    settle();
}

static void finish(void)
{
    notifier_free(STEAL(notifier));
    loop_free(STEAL(loop));
    fd_close(STEAL_FD(courier));
}

/* ---- both sides ---- */

static void tell(const char *event, const char *request)
{
    notify_event(notifier, &(struct notification){ .event = event, .request = request, .target = "orders" });
    settle();
}

static Ipc__Message *receive(void)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(courier, 0, &message, fds, &n);
    if (r)
        return NULL;
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_POST);
    assert_int_equal(n, 0);
    return message;
}

/* The next Post, to this URL and about this request; its number. */
static uint32_t expect_post(const char *url, const char *request)
{
    Ipc__Message *message = receive();
    char body[4096], words[64];
    if (!message)
        fail_msg("nothing was posted about %s", request);
    const Ipc__Post *post = message->post;
    assert_string_equal(post->url, url);
    assert_true(post->body.len < sizeof body);
    memcpy(body, post->body.data, post->body.len);
    body[post->body.len] = '\0';
    snprintf(words, sizeof words, "\"request\":\"%s\"", request);
    if (!strstr(body, words))
        fail_msg("%s instead of %s", body, request);
    uint32_t number = post->request;
    ipc_message_free(message);
    return number;
}

static void expect_no_post(void)
{
    Ipc__Message *message = receive();
    if (message)
        fail_msg("%.*s was posted", (int)message->post->body.len, (char *)message->post->body.data);
}

static void answer(uint32_t number, uint32_t status)
{
    Ipc__Posted posted = IPC__POSTED__INIT;
    Ipc__Message message = IPC_MESSAGE(POSTED, posted, &posted);
    posted.request = number;
    posted.status = status;
    posted.error = (char *)(uintptr_t)(status ? "" : "connection refused");
    assert_int_equal(ipc_send_now(courier, &message, NULL, 0, LIMIT_MS), 0);
    settle();
}

/* ---- the way of a message ---- */

static void an_event_goes_to_every_webhook_that_wants_it(void **state)
{
    Ipc__Notify *two = set_up(2);
    char *prod[] = { (char *)"prod*" };
    (void)state;
    two[1].n_events = 1; /* requested */
    begin();
    link_courier();
    tell("approval_decided", "A1");
    answer(expect_post(ONE, "A1"), 200);
    expect_no_post();
    tell("approval_requested", "A2");
    (void)expect_post(ONE, "A2");
    (void)expect_post(TWO, "A2");
    finish();
    two[1].targets = prod;
    two[1].n_targets = 1;
    begin();
    link_courier();
    tell("approval_requested", "A3");
    (void)expect_post(ONE, "A3");
    expect_no_post();
    notify_event(notifier, &(struct notification){
                               .event = "approval_requested", .request = "A4", .target = "prod-eu" });
    settle();
    (void)expect_post(TWO, "A4");
    finish();
}

static void an_unknown_event_goes_nowhere(void **state)
{
    (void)state;
    set_up(1);
    begin();
    link_courier();
    tell("approval_request", "A1");
    expect_no_post();
    finish();
}

static void messages_of_a_webhook_keep_their_order(void **state)
{
    (void)state;
    set_up(2);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    tell("approval_decided", "A1b");
    uint32_t one = expect_post(ONE, "A1"), two = expect_post(TWO, "A1");
    expect_no_post(); /* one at a time */
    answer(two, 204);
    answer(expect_post(TWO, "A1b"), 200); /* and one webhook does not wait for another */
    answer(one, 503);
    expect_no_post();
    pass_ms(NOTIFY_REST_MIN_MS + 1);
    answer(expect_post(ONE, "A1"), 200);
    answer(expect_post(ONE, "A1b"), 200);
    expect_no_post();
    finish();
}

static void it_rests_longer_each_time_but_not_for_ever(void **state)
{
    uint64_t longest = NOTIFY_REST_MIN_MS;
    (void)state;
    set_up(1);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    for (int i = 0; i < 40; i++) {
        answer(expect_post(ONE, "A1"), 0);
        pass_ms(longest / 2 - 100);
        expect_no_post();
        pass_ms(longest / 2 + 200);
        longest = 2 * longest < NOTIFY_REST_MAX_MS ? 2 * longest : NOTIFY_REST_MAX_MS;
    }
    answer(expect_post(ONE, "A1"), 200);
    finish();
}

static void a_message_is_the_same_at_every_try(void **state)
{
    (void)state;
    set_up(1);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    Ipc__Message *first = receive();
    assert_non_null(first);
    answer(first->post->request, 500);
    pass_ms(NOTIFY_REST_MIN_MS + 1);
    Ipc__Message *second = receive();
    assert_non_null(second);
    assert_int_equal(first->post->body.len, second->post->body.len);
    assert_memory_equal(first->post->body.data, second->post->body.data, first->post->body.len);
    assert_int_equal(first->post->n_headers, 2);
    assert_string_equal(first->post->headers[0]->name, "Gatehouse-Event");
    assert_string_equal(first->post->headers[0]->value, "approval_requested");
    assert_string_equal(first->post->headers[1]->name, "Gatehouse-Delivery");
    assert_int_equal(strlen(first->post->headers[1]->value), 32);
    assert_string_equal(first->post->headers[1]->value, second->post->headers[1]->value);
    assert_int_not_equal(first->post->request, second->post->request);
    ipc_message_free(first);
    ipc_message_free(second);
    finish();
}

static void tries(uint32_t status, int times)
{
    set_up(1);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    tell("approval_requested", "A2");
    for (int i = 0; i < times; i++) {
        answer(expect_post(ONE, "A1"), status);
        if (i + 1 < times)
            pass_ms(NOTIFY_REST_MAX_MS + 1);
    }
    answer(expect_post(ONE, "A2"), 200);
    expect_no_post();
    finish();
}

static void what_the_server_does_not_want_is_given_up(void **state)
{
    (void)state;
    tries(404, NOTIFY_REFUSED_TRIES);
    tries(302, NOTIFY_REFUSED_TRIES);
    tries(429, NOTIFY_ANSWERED_TRIES);
    tries(500, NOTIFY_ANSWERED_TRIES);
}

static void what_is_too_old_is_given_up(void **state)
{
    (void)state;
    set_up(1);
    begin();
    tell("approval_requested", "A1");
    pass_ms(DAY_MS / 2);
    tell("approval_requested", "A2");
    pass_ms(DAY_MS / 2 + 1);
    link_courier();
    answer(expect_post(ONE, "A2"), 200);
    expect_no_post();
    finish();
}

static void of_too_many_the_oldest_are_given_up(void **state)
{
    char name[16];
    (void)state;
    set_up(1);
    begin();
    link_courier();
    for (int i = 0; i < NOTIFY_WAITING_MAX + 5; i++) {
        snprintf(name, sizeof name, "A%d", i);
        tell("approval_requested", name);
    }
    answer(expect_post(ONE, "A0"), 200); /* it was with the courier */
    for (int i = 6; i < NOTIFY_WAITING_MAX + 5; i++) {
        snprintf(name, sizeof name, "A%d", i);
        answer(expect_post(ONE, name), 200);
    }
    expect_no_post();
    finish();
}

static void all_of_it_has_a_bound_in_bytes(void **state)
{
    enum { STATEMENT = 8 * 1024 };
    uint8_t *statement = calloc(1, STATEMENT); /* \u0000 each */
    struct notification what = {
        .event = "approval_requested", .request = "A", .statement = statement, .statement_n = STATEMENT
    };
    size_t bytes = 0, n = 0;
    (void)state;
    assert_non_null(statement);
    set_up(1)->include_statement = true;
    begin();
    for (int i = 0; i < NOTIFY_WAITING_MAX; i++)
        notify_event(notifier, &what);
    link_courier();
    for (Ipc__Message *message; (message = receive()); n++) {
        uint32_t number = message->post->request;
        bytes += message->post->body.len;
        ipc_message_free(message);
        answer(number, 200);
    }
    assert_in_range(bytes, NOTIFY_BYTES_MAX - 64 * 1024, NOTIFY_BYTES_MAX);
    assert_in_range(n, 100, NOTIFY_WAITING_MAX - 1);
    free(statement);
    finish();
}

/* ---- the courier ---- */

static void without_a_courier_messages_wait(void **state)
{
    (void)state;
    set_up(1);
    begin();
    tell("approval_requested", "A1");
    pass_ms(60 * 1000);
    link_courier();
    answer(expect_post(ONE, "A1"), 200);
    expect_no_post();
    finish();
}

static void a_courier_that_dies_has_lost_nothing(void **state)
{
    (void)state;
    set_up(1);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    (void)expect_post(ONE, "A1");
    fd_close(STEAL_FD(courier));
    settle();
    pass_ms(NOTIFY_REST_MAX_MS);
    link_courier();
    (void)expect_post(ONE, "A1");
    link_courier(); /* another one in its place */
    expect_no_post();
    pass_ms(NOTIFY_REST_MAX_MS);
    answer(expect_post(ONE, "A1"), 200);
    expect_no_post();
    finish();
}

static void a_courier_that_says_nothing_is_not_waited_for(void **state)
{
    (void)state;
    set_up(1);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    uint32_t lost = expect_post(ONE, "A1");
    pass_ms(NOTIFY_POST_MS + NOTIFY_GRACE_MS + 1);
    pass_ms(NOTIFY_REST_MIN_MS + 1);
    uint32_t again = expect_post(ONE, "A1");
    answer(lost, 200); /* too late: it is nobody's */
    expect_no_post();
    answer(again, 200);
    expect_no_post();
    finish();
}

static void a_courier_that_breaks_the_rules_ends(void **state)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready), *none = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    (void)state;
    set_up(1);
    begin();
    link_courier();
    assert_int_equal(ipc_send_now(courier, &message, NULL, 0, LIMIT_MS), 0);
    settle();
    assert_int_equal(ipc_receive_now(courier, LIMIT_MS, &none, fds, &n), -EPIPE);
    tell("approval_requested", "A1");
    link_courier();
    answer(expect_post(ONE, "A1"), 200);
    finish();
}

/* ---- the configuration changes ---- */

static void what_waits_for_a_webhook_that_stays_goes_on(void **state)
{
    (void)state;
    set_up(2);
    begin();
    link_courier();
    tell("approval_requested", "A1");
    tell("approval_requested", "A2");
    uint32_t one = expect_post(ONE, "A1");
    uint32_t two = expect_post(TWO, "A1");
    /* TWO comes first, ONE is gone */
    static Ipc__Notify *only[1];
    Ipc__Config next = config;
    only[0] = &webhooks[1];
    next.notify = only;
    next.n_notify = 1;
    notifier_config(notifier, &next);
    answer(one, 200);
    expect_no_post();
    answer(two, 200);
    answer(expect_post(TWO, "A2"), 200);
    expect_no_post();
    finish();
}

/* ---- signatures ---- */

static void write_key(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/notify/key", state_path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void what_should_be_signed_waits_for_its_key(void **state)
{
    char path[128];
    (void)state;
    set_up(1)->secret = (char *)"key";
    begin();
    link_courier();
    tell("approval_requested", "A1");
    expect_no_post();
    write_key("0123456789abcde\n"); /* too short */
    pass_ms(NOTIFY_KEY_MS + 1);
    expect_no_post();
    write_key("0123456789abcdef\n");
    pass_ms(NOTIFY_KEY_MS + 1);
    Ipc__Message *message = receive();
    assert_non_null(message);
    assert_int_equal(message->post->n_headers, 3);
    assert_string_equal(message->post->headers[2]->name, "Gatehouse-Signature");
    assert_memory_equal(message->post->headers[2]->value, "t=", 2);
    ipc_message_free(message);
    finish();
    snprintf(path, sizeof path, "%s/notify/key", state_path);
    assert_int_equal(unlink(path), 0);
}

static int make_state(void **state)
{
    char path[128];
    (void)state;
    assert_non_null(mkdtemp(state_path));
    snprintf(path, sizeof path, "%s/notify", state_path);
    return mkdir(path, 0700);
}

static int remove_state(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/notify", state_path);
    return rmdir(path) || rmdir(state_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_goes_to_every_webhook_that_wants_it),
        cmocka_unit_test(an_unknown_event_goes_nowhere),
        cmocka_unit_test(messages_of_a_webhook_keep_their_order),
        cmocka_unit_test(it_rests_longer_each_time_but_not_for_ever),
        cmocka_unit_test(a_message_is_the_same_at_every_try),
        cmocka_unit_test(what_the_server_does_not_want_is_given_up),
        cmocka_unit_test(what_is_too_old_is_given_up),
        cmocka_unit_test(of_too_many_the_oldest_are_given_up),
        cmocka_unit_test(all_of_it_has_a_bound_in_bytes),
        cmocka_unit_test(without_a_courier_messages_wait),
        cmocka_unit_test(a_courier_that_dies_has_lost_nothing),
        cmocka_unit_test(a_courier_that_says_nothing_is_not_waited_for),
        cmocka_unit_test(a_courier_that_breaks_the_rules_ends),
        cmocka_unit_test(what_waits_for_a_webhook_that_stays_goes_on),
        cmocka_unit_test(what_should_be_signed_waits_for_its_key),
    };
    return cmocka_run_group_tests(tests, make_state, remove_state);
}
