/* The device flow (RFC 8628): what is shown, when it is asked, and every way to its end. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "provider_fixture.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

#define CODE(more)                                                                                           \
    "{\"device_code\":\"dev-secret\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":"                      \
    "\"https://idp.example.com/go\"" more "}"
#define PENDING   "{\"error\":\"authorization_pending\"}"
#define SLOW_DOWN "{\"error\":\"slow_down\",\"error_description\":\"easy\"}"

/* One who logs in. */
struct person {
    struct device *device;
    unsigned codes, tokens, failures;
    bool leaves; /* frees the device from inside of whatever is called */
    char uri[128], code[64], complete_uri[128], issuer[32], token[64], why_code[32], why[512];
    uint32_t expires_s;
};

static void leave(struct person *person)
{
    if (person->leaves)
        device_free(STEAL(person->device));
}

static void on_code(void *owner, const Ipc__DeviceCode *code)
{
    struct person *person = owner;
    person->codes++;
    snprintf(person->uri, sizeof person->uri, "%s", code->uri);
    snprintf(person->code, sizeof person->code, "%s", code->code);
    snprintf(person->complete_uri, sizeof person->complete_uri, "%s", code->complete_uri);
    snprintf(person->issuer, sizeof person->issuer, "%s", code->issuer);
    person->expires_s = code->expires_s;
    leave(person);
}

static void on_token(void *owner, const char *issuer, const char *id_token, size_t n)
{
    struct person *person = owner;
    person->tokens++;
    assert_int_equal(strlen(id_token), n);
    snprintf(person->issuer, sizeof person->issuer, "%s", issuer);
    snprintf(person->token, sizeof person->token, "%s", id_token);
    device_free(STEAL(person->device));
}

static void on_failed(void *owner, const char *code, const char *message)
{
    struct person *person = owner;
    person->failures++;
    snprintf(person->why_code, sizeof person->why_code, "%s", code);
    snprintf(person->why, sizeof person->why, "%s", message);
    device_free(STEAL(person->device));
}

static const struct device_handlers handlers = { on_code, on_token, on_failed };

static int begin(struct person *person, const char *issuer, struct detail *detail)
{
    bool leaves = person->leaves;
    *person = (struct person){ .leaves = leaves };
    return device_start(loop, fetcher, providers, issuer, &handlers, person, &person->device, detail);
}

/* Discovery and keys are there already; the device request is under way. */
static uint32_t begin_well(struct person *person)
{
    struct detail detail = { "" };
    serve_keys(0);
    if (begin(person, "", &detail))
        fail_msg("refused: %s", detail.text);
    assert_int_equal(person->failures + person->codes, 0);
    settle();
    return expect_fetch(CORP_DEVICE);
}

static void show(struct person *person, const char *answer)
{
    answer_fetch(begin_well(person), 200, answer, 0);
    if (person->codes != 1)
        fail_msg("no code: %s", person->why);
}

static void expect_failure(const struct person *person, const char *code, const char *words)
{
    assert_int_equal(person->failures, 1);
    assert_int_equal(person->tokens, 0);
    assert_null(person->device);
    if (strcmp(person->why_code, code) != 0 || !strstr(person->why, words))
        fail_msg("%s: \"%s\" instead of %s: \"%s\"", person->why_code, person->why, code, words);
    expect_no_fetch();
}

/* Nothing before that time, a poll then. */
static uint32_t expect_poll_after(uint64_t ms)
{
    pass_ms(ms - 500);
    expect_no_fetch();
    pass_ms(600);
    return expect_fetch(CORP_TOKEN);
}

static void a_login_shows_a_code_and_brings_the_id_token(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"verification_uri_complete\":\"https://idp.example.com/go?c=WDJB-MJHT\","
                       "\"expires_in\":600,\"interval\":7"));
    assert_string_equal(last_form, "client_id=gatehouse-cli\nscope=openid profile email\n");
    assert_string_equal(person.uri, "https://idp.example.com/go");
    assert_string_equal(person.complete_uri, "https://idp.example.com/go?c=WDJB-MJHT");
    assert_string_equal(person.code, "WDJB-MJHT");
    assert_string_equal(person.issuer, "corp");
    assert_int_equal(person.expires_s, 600);
    uint32_t poll = expect_poll_after(7 * SECOND);
    assert_string_equal(last_form, "grant_type=urn:ietf:params:oauth:grant-type:device_code\n"
                                   "device_code=dev-secret\nclient_id=gatehouse-cli\n");
    answer_fetch(poll, 400, PENDING, 0);
    answer_fetch(expect_poll_after(7 * SECOND), 200,
                 "{\"access_token\":\"acc\",\"refresh_token\":\"ref\",\"id_token\":\"a.b.c\","
                 "\"token_type\":\"Bearer\"}",
                 0);
    assert_int_equal(person.tokens, 1);
    assert_int_equal(person.codes, 1);
    assert_string_equal(person.token, "a.b.c");
    assert_string_equal(person.issuer, "corp");
    pass_ms(MINUTE);
    expect_no_fetch();
}

static void five_seconds_are_the_interval_when_nothing_is_said(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"expires_in\":\"600\",\"interval\":null"));
    for (int i = 0; i < 3; i++)
        answer_fetch(expect_poll_after(5 * SECOND), 400, PENDING, 0);
    device_free(person.device);
}

static void slow_down_adds_five_seconds_each_time(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"expires_in\":600,\"interval\":1"));
    answer_fetch(expect_poll_after(1 * SECOND), 400, SLOW_DOWN, 0);
    answer_fetch(expect_poll_after(6 * SECOND), 400, SLOW_DOWN, 0);
    answer_fetch(expect_poll_after(11 * SECOND), 400, PENDING, 0);
    answer_fetch(expect_poll_after(11 * SECOND), 429, "slow", 0);
    answer_fetch(expect_poll_after(16 * SECOND), 400, PENDING, 0);
    (void)expect_poll_after(16 * SECOND);
    device_free(person.device);
}

static void lost_connections_are_retried_half_as_often(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"expires_in\":900,\"interval\":5"));
    fail_fetch(expect_poll_after(5 * SECOND), "connection refused");
    answer_fetch(expect_poll_after(10 * SECOND), 503, "<html>", 0);
    fail_fetch(expect_poll_after(20 * SECOND), "timed out after 10 s");
    fail_fetch(expect_poll_after(40 * SECOND), "timed out after 10 s");
    fail_fetch(expect_poll_after(60 * SECOND), "timed out after 10 s");
    answer_fetch(expect_poll_after(60 * SECOND), 200, "{\"id_token\":\"a.b.c\"}", 0);
    assert_string_equal(person.token, "a.b.c");
}

static void another_courier_goes_on_for_one_that_was_lost(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"expires_in\":900,\"interval\":5"));
    (void)expect_poll_after(5 * SECOND);
    lose_courier();
    pass_ms(11 * SECOND); /* the next poll is due, and waits for a courier */
    link_courier();
    settle();
    answer_fetch(expect_fetch(CORP_TOKEN), 200, "{\"id_token\":\"a.b.c\"}", 0);
    assert_string_equal(person.token, "a.b.c");
}

static void a_refusal_is_the_end(void **state)
{
    static const struct {
        unsigned status;
        const char *answer, *code, *words;
    } cases[] = {
        { 400, "{\"error\":\"access_denied\"}", "denied", "the login was refused at the provider" },
        { 400, "{\"error\":\"expired_token\"}", "denied", "the code has expired" },
        { 401, "{\"error\":\"invalid_client\",\"error_description\":\"no\\u001b[31m such\"}", "denied",
          "(invalid_client: no\\x1b[31m such)" },
        { 200, "{\"access_token\":\"acc\"}", "provider_unavailable", "no usable ID token" },
        { 200, "{\"id_token\":\"\"}", "provider_unavailable", "no usable ID token" },
        { 200, "{\"id_token\":\"a b\"}", "provider_unavailable", "no usable ID token" },
        { 200, "{\"id_token\":[\"a.b.c\"]}", "provider_unavailable", "no usable ID token" },
        { 200, "", "provider_unavailable", "no JSON object" },
        { 404, "<html>", "provider_unavailable", "no JSON object" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct person person = { 0 };
        show(&person, CODE(",\"expires_in\":600"));
        answer_fetch(expect_poll_after(5 * SECOND), cases[i].status, cases[i].answer, 0);
        expect_failure(&person, cases[i].code, cases[i].words);
        pass_ms(2ULL * 3600 * SECOND); /* so that the next one begins with discovery */
        struct provider_wait *wait = NULL;
        provider_keys(providers_find(providers, "corp"), false, NULL, NULL, &wait);
        provider_forget(wait);
    }
    serve_keys(0);
}

static void the_code_expires(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"expires_in\":12,\"interval\":5"));
    answer_fetch(expect_poll_after(5 * SECOND), 400, PENDING, 0);
    answer_fetch(expect_poll_after(5 * SECOND), 400, PENDING, 0);
    pass_ms(3 * SECOND);
    expect_failure(&person, "denied", "the code has expired before anybody logged in");
}

static void fifteen_minutes_are_the_most(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"expires_in\":86400,\"interval\":100000"));
    assert_int_equal(person.expires_s, 900);
    answer_fetch(expect_poll_after(300 * SECOND), 400, PENDING, 0);
    answer_fetch(expect_poll_after(300 * SECOND), 400, PENDING, 0);
    pass_ms(301 * SECOND);
    expect_failure(&person, "denied", "the code has expired");
}

static void answers_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        unsigned status;
        const char *answer, *words;
    } cases[] = {
        { 200, "", "no JSON object" },
        { 200, "null", "no JSON object" },
        { 200, "{}", "no usable device_code" },
        { 200, "{\"device_code\":\"a b\"}", "no usable device_code" },
        { 200, "{\"device_code\":\"a\",\"user_code\":\"\\u202e\"}", "no usable user_code" },
        { 200, "{\"device_code\":\"a\",\"user_code\":7}", "no usable user_code" },
        { 200, "{\"device_code\":\"a\",\"user_code\":\"b\"}", "no usable verification_uri" },
        { 200, "{\"device_code\":\"a\",\"user_code\":\"b\",\"verification_uri\":\"javascript:x\"}",
          "no usable verification_uri" },
        { 200, CODE(""), "no usable expires_in" },
        { 200, CODE(",\"expires_in\":0"), "no usable expires_in" },
        { 200, CODE(",\"expires_in\":-5"), "no usable expires_in" },
        { 200, CODE(",\"expires_in\":\"soon\""), "no usable expires_in" },
        { 200, CODE(",\"expires_in\":1e300"), "no usable expires_in" },
        { 200, CODE(",\"expires_in\":60,\"interval\":[]"), "no usable interval" },
        { 400, "{\"error\":\"unauthorized_client\"}", "refuses device logins (unauthorized_client)" },
        { 500, "<html>", "answered HTTP status 500 to a device login" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct person person = { 0 };
        struct detail detail = { "" };
        if (i == 0)
            serve_keys(86400);
        assert_int_equal(begin(&person, "corp", &detail), 0);
        settle();
        answer_fetch(expect_fetch(CORP_DEVICE), cases[i].status, cases[i].answer, 0);
        assert_int_equal(person.codes, 0);
        expect_failure(&person, "provider_unavailable", cases[i].words);
    }
}

static void an_odd_complete_uri_is_left_out(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, CODE(",\"verification_uri_complete\":\"\\u001b]0;x\",\"expires_in\":60"));
    assert_string_equal(person.complete_uri, "");
    device_free(person.device);
}

static void a_drafts_name_for_the_uri_is_understood(void **state)
{
    struct person person = { 0 };
    (void)state;
    show(&person, "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_url\":\"https://a.example/\","
                  "\"expires_in\":60}");
    assert_string_equal(person.uri, "https://a.example/");
    device_free(person.device);
}

static void leaving_stops_everything(void **state)
{
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    uint32_t request = begin_well(&person); /* while the code is asked for */
    device_free(person.device);
    answer_fetch(request, 200, CODE(",\"expires_in\":60"), 0);
    assert_int_equal(person.codes, 0);
    assert_int_equal(begin(&person, "", &detail), 0); /* before anything */
    device_free(person.device);
    settle();
    expect_no_fetch();
    assert_int_equal(begin(&person, "", &detail), 0); /* between two polls */
    settle();
    answer_fetch(expect_fetch(CORP_DEVICE), 200, CODE(",\"expires_in\":60"), 0);
    device_free(person.device);
    pass_ms(MINUTE);
    expect_no_fetch();
    assert_int_equal(begin(&person, "", &detail), 0); /* while it polls */
    settle();
    answer_fetch(expect_fetch(CORP_DEVICE), 200, CODE(",\"expires_in\":60"), 0);
    request = expect_poll_after(5 * SECOND);
    device_free(person.device);
    answer_fetch(request, 200, "{\"id_token\":\"a.b.c\"}", 0);
    assert_int_equal(person.tokens + person.failures, 0);
    device_free(NULL);
}

static void leaving_when_the_code_is_shown_is_fine(void **state)
{
    struct person person = { .leaves = true };
    (void)state;
    show(&person, CODE(",\"expires_in\":60"));
    assert_null(person.device);
    pass_ms(MINUTE);
    expect_no_fetch();
}

static void discovery_comes_first_when_it_has_to(void **state)
{
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    fail_fetch(expect_fetch(CORP_WELL), "connection refused");
    assert_int_equal(begin(&person, "", &detail), 0);
    settle();
    expect_failure(&person, "provider_unavailable", "connection refused");
    pass_ms(PROVIDER_REFRESH_MS);
    assert_int_equal(begin(&person, "", &detail), 0);
    settle();
    answer_fetch(expect_fetch(CORP_WELL), 200, DISCOVERY, 0);
    answer_fetch(expect_fetch(CORP_DEVICE), 200, CODE(",\"expires_in\":60"), 0);
    assert_int_equal(person.codes, 1);
    expect_no_fetch(); /* the keys are not needed yet */
    device_free(person.device);
    struct provider_wait *wait = NULL;
    provider_keys(providers_find(providers, "corp"), false, NULL, NULL, &wait);
    assert_non_null(wait);
    (void)expect_fetch(CORP_JWKS); /* at once, though discovery was a moment ago */
    provider_forget(wait);
}

static void a_login_during_the_fetch_ahead_does_not_wait_for_the_keys(void **state)
{
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    uint32_t discovery = expect_fetch(CORP_WELL);
    assert_int_equal(begin(&person, "", &detail), 0);
    settle();
    answer_fetch(discovery, 200, DISCOVERY, 0);
    (void)expect_fetch(CORP_DEVICE);
    (void)expect_fetch(CORP_JWKS);
    expect_no_fetch();
    device_free(person.device);
}

static void a_provider_without_device_logins_is_named(void **state)
{
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    answer_fetch(
        expect_fetch(CORP_WELL), 200,
        "{\"issuer\":\"" CORP "\",\"jwks_uri\":\"" CORP_JWKS "\",\"token_endpoint\":\"" CORP_TOKEN "\"}", 0);
    assert_int_equal(begin(&person, "", &detail), 0);
    answer_fetch(expect_fetch(CORP_JWKS), 200, JWKS, 0);
    expect_failure(&person, "provider_unavailable", "offers no device login");
}

static void a_reload_before_the_login_began_is_told(void **state)
{
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    serve_keys(0);
    assert_int_equal(begin(&person, "", &detail), 0);
    take(NULL, 0);
    settle();
    expect_failure(&person, "provider_unavailable", "has just changed; try again");
}

static void the_issuer_is_chosen_by_name_or_for_want_of_others(void **state)
{
    static const struct setting none[] = { { "local", "urn:x", NULL, JWKS, NULL } };
    static const struct setting two[] = { { "corp", CORP, "gatehouse-cli", NULL, "openid groups" },
                                          { "other", "https://b.example", "id", NULL, NULL },
                                          { "local", "urn:x", NULL, JWKS, NULL } };
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    serve_keys(0);
    assert_true(begin(&person, "local", &detail) < 0);
    assert_string_equal(detail.text, "no issuer \"local\" offers logins in a browser; name one of: corp");
    take(two, 3);
    (void)expect_fetch(CORP_WELL);
    assert_true(begin(&person, "", &detail) < 0);
    assert_string_equal(detail.text, "there are several ways to log in; name one of: corp, other");
    assert_true(begin(&person, "x\x1b[2J", &detail) < 0);
    assert_string_equal(detail.text,
                        "no issuer \"x\\x1b[2J\" offers logins in a browser; name one of: corp, other");
    take(none, 1);
    assert_true(begin(&person, "", &detail) < 0);
    assert_non_null(strstr(detail.text, "no issuer here offers logins in a browser"));
    assert_null(person.device);
}

static void scopes_are_those_of_the_configuration(void **state)
{
    static const struct setting settings[] = { { "corp", CORP, "id", NULL, "openid groups" } };
    struct person person = { 0 };
    struct detail detail = { "" };
    (void)state;
    serve_keys(0);
    take(settings, 1);
    serve_keys(0);
    assert_int_equal(begin(&person, "corp", &detail), 0);
    settle();
    (void)expect_fetch(CORP_DEVICE);
    assert_string_equal(last_form, "client_id=id\nscope=openid groups\n");
    device_free(person.device);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_login_shows_a_code_and_brings_the_id_token),
        TEST(five_seconds_are_the_interval_when_nothing_is_said),
        TEST(slow_down_adds_five_seconds_each_time),
        TEST(lost_connections_are_retried_half_as_often),
        TEST(another_courier_goes_on_for_one_that_was_lost),
        TEST(a_refusal_is_the_end),
        TEST(the_code_expires),
        TEST(fifteen_minutes_are_the_most),
        TEST(answers_that_make_no_sense_are_refused),
        TEST(an_odd_complete_uri_is_left_out),
        TEST(a_drafts_name_for_the_uri_is_understood),
        TEST(leaving_stops_everything),
        TEST(leaving_when_the_code_is_shown_is_fine),
        TEST(discovery_comes_first_when_it_has_to),
        TEST(a_login_during_the_fetch_ahead_does_not_wait_for_the_keys),
        TEST(a_provider_without_device_logins_is_named),
        TEST(a_reload_before_the_login_began_is_told),
        TEST(the_issuer_is_chosen_by_name_or_for_want_of_others),
        TEST(scopes_are_those_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
