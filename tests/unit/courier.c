/* gatehouse-courier with a real TLS server: where it goes, whom it trusts, and what a hostile server costs.
 */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/io.h"
#include "policy/token.h"
#include "courier_fixture.h"

static void expect_refusal(struct fetched fetched, const char *words)
{
    if (fetched.status != 0 || !strstr(fetched.error, words))
        fail_msg("status %u, error \"%s\" instead of \"%s\"", fetched.status, fetched.error, words);
    fetched_free(&fetched);
}

static void a_document_comes_with_its_age_and_type(void **state)
{
    struct fetched fetched = fetch("corp", "https://localhost:@/json", "good");
    (void)state;
    assert_int_equal(fetched.status, 200);
    assert_string_equal((char *)fetched.body, "{\"hello\":1}");
    assert_string_equal(fetched.type, "application/json");
    assert_int_equal(fetched.max_age_s, 500); /* 600, of which 100 were spent in a cache */
    fetched_free(&fetched);
}

static void a_status_that_is_no_success_comes_with_its_body(void **state)
{
    struct fetched fetched = fetch("corp", "https://localhost:@/status/400", "good");
    (void)state;
    assert_int_equal(fetched.status, 400);
    assert_string_equal((char *)fetched.body, "{\"error\":\"authorization_pending\"}");
    fetched_free(&fetched);
    fetched = fetch("corp", "https://localhost:@/empty", "good");
    assert_int_equal(fetched.status, 200);
    assert_int_equal(fetched.n, 0);
    fetched_free(&fetched);
}

static void a_form_is_posted(void **state)
{
    Ipc__Variable fields[2] = { IPC__VARIABLE__INIT, IPC__VARIABLE__INIT };
    Ipc__Variable *form[2] = { &fields[0], &fields[1] };
    char url[128];
    (void)state;
    fields[0].name = (char *)"grant_type";
    fields[0].value = (char *)"urn:ietf:params:oauth:grant-type:device_code";
    fields[1].name = (char *)"device code";
    fields[1].value = (char *)"a&b=c \xc3\xa9+%";
    snprintf(url, sizeof url, "https://localhost:%u/echo?x=1#fragment", courier_port("good"));
    ask_form(courier, 9, "corp", url, form, 2);
    struct fetched fetched = wait_fetched(courier);
    assert_int_equal(fetched.status, 200);
    assert_string_equal((char *)fetched.body,
                        "POST\n/echo?x=1\napplication/x-www-form-urlencoded\n\napplication/json\n"
                        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&"
                        "device%20code=a%26b%3Dc%20%C3%A9%2B%25");
    fetched_free(&fetched);
}

static void cookies_are_not_sent_back(void **state)
{
    struct fetched fetched = fetch("corp", "https://localhost:@/json", "good");
    (void)state;
    fetched_free(&fetched);
    fetched = fetch("corp", "https://localhost:@/echo", "good");
    assert_string_equal((char *)fetched.body, "GET\n/echo\n\n\napplication/json\n");
    fetched_free(&fetched);
}

static void other_places_are_refused(void **state)
{
    static const struct {
        const char *issuer, *url, *port, *words;
    } cases[] = {
        { "corp", "http://localhost:@/json", "good", "not an https URL" },
        { "corp", "http://localhost:@/json", "plain", "not an https URL" },
        { "corp", "https://localhost:@/json", "expired", "does not name for issuer corp" },
        { "corp", "https://127.0.0.1:@/json", "good", "does not name for issuer corp" },
        { "corp", "HTTPS://localhost.:@/json", "good", "does not name for issuer corp" },
        { "corp", "https://nowhere.example:@/json", "closed", "does not name for issuer corp" },
        { "corp", "https://localhost:@.example/json", "good", "no URL that can be used" },
        { "corp", "https://example:word@localhost/json", "good", "no URL that can be used" },
        { "corp", "https://localhost:@\\.evil.example/", "good", "" },
        { "corp", "https://evil.example/\xe2\x80\xae:@", "good", "no URL that can be used" },
        { "corp", "https://localhost:@/a b", "good", "no URL that can be used" },
        { "corp", "file:///etc/passwd?@", "good", "not an https URL" },
        { "corp", "gopher://localhost:@/", "good", "not an https URL" },
        { "corp", "@", "good", "" },
        { "nobody", "https://localhost:@/json", "good", "no such issuer" },
        { "", "https://localhost:@/json", "good", "no such issuer" },
        { "expired", "https://localhost:@/json", "good", "does not name for issuer expired" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refusal(fetch(cases[i].issuer, cases[i].url, cases[i].port), cases[i].words);
    char *url = calloc(1, 3000);
    assert_non_null(url);
    int n = snprintf(url, 3000, "https://localhost:%u/", courier_port("good"));
    memset(url + n, 'x', 2900 - (size_t)n);
    ask(courier, 1, "corp", url, 0);
    expect_refusal(wait_fetched(courier), "no URL that can be used");
    free(url);
    ask(courier, 2, "corp", "", 0);
    expect_refusal(wait_fetched(courier), "no URL that can be used");
}

static void hosts_of_the_configuration_are_reached_too(void **state)
{
    struct fetched fetched = fetch("corp", "https://[::1]:@/json", "six");
    (void)state;
    assert_int_equal(fetched.status, 200);
    fetched_free(&fetched);
    fetched = fetch("corp", "HTTPS://LocalHost:@/json", "good");
    assert_int_equal(fetched.status, 200);
    fetched_free(&fetched);
}

static void certificates_that_are_not_trusted_are_refused(void **state)
{
    (void)state;
    expect_refusal(fetch("expired", "https://localhost:@/json", "expired"), "certificate has expired");
    expect_refusal(fetch("misnamed", "https://localhost:@/json", "misnamed"), "certificate is not trusted");
    expect_refusal(fetch("foreign", "https://localhost:@/json", "good"), "certificate is not trusted");
    expect_refusal(fetch("system", "https://localhost:@/json", "good"), "certificate is not trusted");
}

static void old_tls_is_refused(void **state)
{
    (void)state;
    expect_refusal(fetch("old", "https://localhost:@/json", "old"), "the TLS connection failed");
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    expect_refusal(fetch("corp", "https://localhost:@/redirect", "good"),
                   "a redirect (HTTP 302), which is not followed");
}

static void an_answer_may_be_large_but_not_larger(void **state)
{
    char url[128];
    (void)state;
    snprintf(url, sizeof url, "https://localhost:@/exact/%d", TOKEN_JWKS_MAX);
    struct fetched fetched = fetch("corp", url, "good");
    assert_int_equal(fetched.status, 200);
    assert_int_equal(fetched.n, TOKEN_JWKS_MAX);
    fetched_free(&fetched);
    snprintf(url, sizeof url, "https://localhost:@/exact/%d", TOKEN_JWKS_MAX + 1);
    expect_refusal(fetch("corp", url, "good"), "larger than 512 KiB");
    expect_refusal(fetch("corp", "https://localhost:@/announced", "good"), "larger than 512 KiB");
    expect_refusal(fetch("corp", "https://localhost:@/endless", "good"), "larger than 512 KiB");
    expect_refusal(fetch("corp", "https://localhost:@/chunks", "good"), "larger than 512 KiB");
}

static void endless_headers_end(void **state)
{
    (void)state;
    expect_refusal(fetch("corp", "https://localhost:@/headers", "good"), "header is larger than 64 KiB");
    expect_refusal(fetch("corp", "https://localhost:@/continue", "good"), "header is larger than 64 KiB");
    struct fetched fetched = fetch("corp", "https://localhost:@/line", "good");
    assert_int_equal(fetched.status, 0);
}

static void a_silent_server_costs_its_time_limit(void **state)
{
    char url[128];
    (void)state;
    snprintf(url, sizeof url, "https://localhost:%u/silent", courier_port("good"));
    ask(courier, 5, "corp", url, 300);
    expect_refusal(wait_fetched(courier), "timed out after 0.3 s");
}

static void what_breaks_is_named(void **state)
{
    (void)state;
    expect_refusal(fetch("corp", "https://localhost:@/json", "closed"), "connection refused");
    expect_refusal(fetch("corp", "https://localhost:@/half", "good"), "the connection was lost");
    expect_refusal(fetch("corp", "https://localhost:@/reset", "good"), "the connection was lost");
    expect_refusal(fetch("corp", "https://localhost:@/garbage", "good"), "");
    expect_refusal(fetch("away", "https://nowhere.example:@/", "closed"), "can't be resolved");
}

static void fifty_are_under_way_at_once(void **state)
{
    enum { PARALLEL = 50 }; /* the server answers none before it has all */
    bool seen[PARALLEL] = { false };
    char url[128];
    (void)state;
    snprintf(url, sizeof url, "https://localhost:%u/together", courier_port("good"));
    for (uint32_t i = 0; i < PARALLEL; i++)
        ask(courier, i, "corp", url, 0);
    for (size_t i = 0; i < PARALLEL; i++) {
        struct fetched fetched = wait_fetched(courier);
        assert_int_equal(fetched.status, 200);
        assert_string_equal((char *)fetched.body, "all of us");
        assert_in_range(fetched.request, 0, PARALLEL - 1);
        assert_false(seen[fetched.request]);
        seen[fetched.request] = true;
        fetched_free(&fetched);
    }
}

static void one_provider_that_hangs_leaves_room_for_others(void **state)
{
    enum { PER_ISSUER = 64, MORE = 3 };
    size_t refused = 0, timed_out = 0;
    char silent[128], good[128];
    int link = courier_link("issuer");
    (void)state;
    snprintf(silent, sizeof silent, "https://localhost:%u/silent", courier_port("good"));
    snprintf(good, sizeof good, "https://localhost:%u/json", courier_port("expired"));
    for (uint32_t i = 0; i < PER_ISSUER + MORE; i++)
        ask(courier, i, "corp", silent, 3000);
    ask(link, 1, "expired", good, 0);
    expect_refusal(wait_fetched(link), "certificate has expired"); /* so it got there */
    for (size_t i = 0; i < PER_ISSUER + MORE; i++) {
        struct fetched fetched = wait_fetched(courier);
        refused += strstr(fetched.error, "too many transfers at a time") != NULL;
        timed_out += strstr(fetched.error, "timed out after 3 s") != NULL;
    }
    assert_int_equal(refused, MORE);
    assert_int_equal(timed_out, PER_ISSUER);
    close(link);
}

static void transfers_end_with_the_one_who_asked(void **state)
{
    char silent[128];
    (void)state;
    snprintf(silent, sizeof silent, "https://localhost:%u/silent", courier_port("good"));
    for (int i = 0; i < 3; i++) {
        int link = courier_link("issuer");
        for (uint32_t k = 0; k < 40; k++) /* more than would fit if they stayed */
            ask(link, k, "corp", silent, 30000);
        close(link);
    }
    struct fetched fetched = { 0 };
    for (int tries = 0; tries < 500 && fetched.status == 0; tries++) {
        fetched =
            fetch("corp", "https://localhost:@/json", "good"); /* before the courier has seen the ends? */
        if (fetched.status == 0)
            usleep(20 * 1000);
    }
    assert_int_equal(fetched.status, 200); /* long before the 30 s are over */
    fetched_free(&fetched);
}

static void only_services_that_may_ask_get_a_link(void **state)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int link = courier_link("gate");
    (void)state;
    assert_int_equal(ipc_receive_now(link, FETCH_LIMIT_MS, &message, fds, &n), -EPIPE);
    close(link);
}

static void a_link_that_breaks_the_rules_ends_alone(void **state)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message wrong = IPC_MESSAGE(READY, ready, &ready), *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int link = courier_link("issuer");
    (void)state;
    assert_int_equal(ipc_send_now(link, &wrong, NULL, 0, 1000), 0);
    assert_int_equal(ipc_receive_now(link, FETCH_LIMIT_MS, &message, fds, &n), -EPIPE);
    close(link);
    struct fetched fetched = fetch("corp", "https://localhost:@/json", "good");
    assert_int_equal(fetched.status, 200);
    fetched_free(&fetched);
}

static void a_reload_changes_where_it_goes(void **state)
{
    int garbage = -1;
    (void)state;
    courier_reload(true);
    expect_refusal(fetch("corp", "https://localhost:@/json", "good"), "does not name for issuer corp");
    expect_refusal(fetch("corp", "https://[::1]:@/json", "six"), "does not name for issuer corp");
    courier_reload(false);
    struct fetched fetched = fetch("corp", "https://localhost:@/json", "good");
    assert_int_equal(fetched.status, 200);
    fetched_free(&fetched);
    assert_int_equal(fd_of_bytes("config", "\xff\xff\xff", 3, &garbage), 0);
    courier_send_config(garbage);
    fetched = fetch("corp", "https://localhost:@/json", "good"); /* the one before stays */
    assert_int_equal(fetched.status, 200);
    fetched_free(&fetched);
}

/* What transfers opened is closed again; what a resolver's thread still has may take a moment. */
static void nothing_is_left_open(void **state)
{
    size_t before = courier_descriptors(), after = 0;
    (void)state;
    if (before == 0)
        skip(); /* not ours to look at without root */
    for (int i = 0; i < 30; i++) {
        struct fetched fetched =
            fetch("corp", i % 2 ? "https://localhost:@/json" : "https://localhost:@/half", "good");
        fetched_free(&fetched);
    }
    for (int tries = 0; tries < 500; tries++) {
        after = courier_descriptors();
        if (after <= before)
            break;
        usleep(20 * 1000);
    }
    assert_in_range(after, 1, before);
}

static void it_outlived_all_of_that(void **state)
{
    (void)state;
    assert_true(courier_lives());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_comes_with_its_age_and_type),
        cmocka_unit_test(a_status_that_is_no_success_comes_with_its_body),
        cmocka_unit_test(a_form_is_posted),
        cmocka_unit_test(cookies_are_not_sent_back),
        cmocka_unit_test(other_places_are_refused),
        cmocka_unit_test(hosts_of_the_configuration_are_reached_too),
        cmocka_unit_test(certificates_that_are_not_trusted_are_refused),
        cmocka_unit_test(old_tls_is_refused),
        cmocka_unit_test(a_redirect_is_not_followed),
        cmocka_unit_test(an_answer_may_be_large_but_not_larger),
        cmocka_unit_test(endless_headers_end),
        cmocka_unit_test(a_silent_server_costs_its_time_limit),
        cmocka_unit_test(what_breaks_is_named),
        cmocka_unit_test(fifty_are_under_way_at_once),
        cmocka_unit_test(one_provider_that_hangs_leaves_room_for_others),
        cmocka_unit_test(transfers_end_with_the_one_who_asked),
        cmocka_unit_test(only_services_that_may_ask_get_a_link),
        cmocka_unit_test(a_link_that_breaks_the_rules_ends_alone),
        cmocka_unit_test(a_reload_changes_where_it_goes),
        cmocka_unit_test(nothing_is_left_open),
        cmocka_unit_test(it_outlived_all_of_that),
    };
    return cmocka_run_group_tests(tests, courier_start, courier_stop);
}
