/* Providers' keys: fetched once for all who wait, kept, kept on in need, and never fetched too often. */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "provider_fixture.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* One who waits for keys. */
struct login {
    struct provider_wait *wait;
    unsigned answers;
    const struct jwks *keys;
    char why[512];
};

static void keys_came(void *owner, const struct jwks *keys, const char *why)
{
    struct login *login = owner;
    login->wait = NULL;
    login->answers++;
    login->keys = keys;
    snprintf(login->why, sizeof login->why, "%s", why ? why : "");
    assert_true(!keys == (why && why[0]));
}

static void ask_keys(struct login *login, bool refresh)
{
    struct provider *corp = providers_find(providers, "corp");
    assert_non_null(corp);
    *login = (struct login){ 0 };
    struct provider_wait *wait = NULL;
    provider_keys(corp, refresh, keys_came, login, &wait);
    assert_true(!wait == (login->answers > 0));
    login->wait = wait;
}

static const struct jwks *keys_at_once(bool refresh)
{
    struct login login;
    ask_keys(&login, refresh);
    assert_int_equal(login.answers, 1);
    if (!login.keys)
        fail_msg("no keys: %s", login.why);
    return login.keys;
}

static void expect_why(const struct login *login, const char *words)
{
    assert_int_equal(login->answers, 1);
    if (login->keys || !strstr(login->why, words))
        fail_msg("\"%s\" instead of \"%s\"", login->why, words);
}

static void keys_are_fetched_before_the_first_login(void **state)
{
    (void)state;
    serve_keys(0);
    assert_int_equal(last_timeout_ms, PROVIDER_FETCH_MS);
    assert_string_equal(last_form, "");
    assert_non_null(keys_at_once(false));
    expect_no_fetch();
}

static void an_issuer_with_keys_of_its_own_fetches_nothing(void **state)
{
    static const struct setting settings[] = { { "corp", "urn:gatehouse:local", NULL, JWKS, NULL } };
    (void)state;
    serve_keys(0);
    take(settings, 1);
    assert_non_null(keys_at_once(false));
    assert_ptr_equal(keys_at_once(true), keys_at_once(false));
    pass_ms(30ULL * DAY);
    assert_non_null(keys_at_once(false));
    expect_no_fetch();
}

static void all_who_wait_share_one_fetch(void **state)
{
    struct login logins[20];
    (void)state;
    for (size_t i = 0; i < 20; i++)
        ask_keys(&logins[i], i % 2);
    answer_fetch(expect_fetch(CORP_WELL), 200, DISCOVERY, 0);
    assert_int_equal(logins[0].answers, 0);
    uint32_t jwks = expect_fetch(CORP_JWKS);
    expect_no_fetch();
    answer_fetch(jwks, 200, JWKS, 0);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(logins[i].answers, 1);
        assert_ptr_equal(logins[i].keys, logins[0].keys);
    }
    assert_non_null(logins[0].keys);
    expect_no_fetch();
}

static void one_who_left_is_not_called(void **state)
{
    struct login gone, stays;
    (void)state;
    ask_keys(&gone, false);
    ask_keys(&stays, false);
    provider_forget(gone.wait);
    provider_forget(NULL);
    serve_keys(0);
    assert_int_equal(gone.answers, 0);
    assert_int_equal(stays.answers, 1);
}

static void keys_age_by_max_age_within_bounds(void **state)
{
    static const struct {
        uint64_t max_age_s, fresh_ms;
    } cases[] = {
        { 0, PROVIDER_AGE_MS }, { 1, MINUTE },       { 600, 600 * SECOND },
        { 30ULL * 86400, DAY }, { UINT64_MAX, DAY },
    };
    (void)state;
    serve_keys(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct login login;
        pass_ms(DAY + MINUTE); /* too old, but of use */
        ask_keys(&login, false);
        assert_int_equal(login.answers, 0);
        serve_keys(cases[i].max_age_s);
        assert_non_null(login.keys);
        pass_ms(cases[i].fresh_ms - 5 * SECOND);
        assert_ptr_equal(keys_at_once(false), login.keys);
        expect_no_fetch();
        pass_ms(6 * SECOND);
        ask_keys(&login, false);
        assert_int_equal(login.answers, 0);
        serve_keys(cases[i].max_age_s);
        assert_int_equal(login.answers, 1);
    }
}

static void an_unknown_key_fetches_anew_but_not_too_often(void **state)
{
    struct login login;
    (void)state;
    serve_keys(0);
    const struct jwks *first = keys_at_once(false);
    ask_keys(&login, true); /* they may have changed since */
    assert_int_equal(login.answers, 0);
    answer_fetch(expect_fetch(CORP_JWKS), 200, JWKS, 0); /* discovery is fresh */
    assert_int_equal(login.answers, 1);
    assert_ptr_not_equal(login.keys, first);
    for (int i = 0; i < 9; i++) {
        assert_ptr_equal(keys_at_once(true), login.keys);
        pass_ms(SECOND);
    }
    expect_no_fetch();
    pass_ms(SECOND);
    ask_keys(&login, true);
    assert_int_equal(login.answers, 0);
    answer_fetch(expect_fetch(CORP_JWKS), 200, JWKS, 0);
    assert_non_null(login.keys);
}

static void old_keys_serve_while_the_provider_is_away(void **state)
{
    struct login login;
    (void)state;
    serve_keys(3600);
    const struct jwks *first = keys_at_once(false);
    pass_ms(HOUR + SECOND);
    ask_keys(&login, false);
    fail_fetch(expect_fetch(CORP_WELL), "connection refused");
    assert_ptr_equal(login.keys, first);
    assert_ptr_equal(keys_at_once(false), first); /* and nobody else waits for it soon */
    expect_no_fetch();
    pass_ms(DAY - 2 * MINUTE);
    ask_keys(&login, false);
    assert_int_equal(login.answers, 0);
    fail_fetch(expect_fetch(CORP_WELL), "connection refused");
    assert_ptr_equal(login.keys, first);
    pass_ms(2 * MINUTE);
    ask_keys(&login, false);
    fail_fetch(expect_fetch(CORP_WELL), "connection refused");
    expect_why(&login, "provider corp can't be reached for its discovery document: connection refused");
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, false);
    serve_keys(3600);
    assert_non_null(login.keys);
}

static void a_provider_that_hangs_holds_up_nobody_whose_key_is_known(void **state)
{
    struct login login, needy, later;
    (void)state;
    serve_keys(3600);
    const struct jwks *first = keys_at_once(false);
    pass_ms(HOUR + SECOND);
    ask_keys(&login, false);
    ask_keys(&needy, true);
    uint32_t request = expect_fetch(CORP_WELL);
    pass_ms(PROVIDER_PATIENCE_MS - SECOND / 2);
    assert_int_equal(login.answers, 0);
    pass_ms(SECOND);
    assert_int_equal(login.answers, 1);
    assert_ptr_equal(login.keys, first);
    assert_ptr_equal(keys_at_once(false), first); /* nor those who come now */
    assert_int_equal(needy.answers, 0);
    expect_no_fetch();
    answer_fetch(request, 200, DISCOVERY, 0);
    ask_keys(&later, true);
    answer_fetch(expect_fetch(CORP_JWKS), 200, JWKS, 0);
    assert_int_equal(needy.answers, 1);
    assert_ptr_not_equal(needy.keys, first);
    assert_ptr_equal(later.keys, needy.keys);
    assert_ptr_equal(keys_at_once(false), needy.keys);
    assert_int_equal(login.answers, 1);
}

static void an_unknown_key_while_the_provider_is_away_is_said_so(void **state)
{
    struct login login;
    (void)state;
    serve_keys(0);
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, true);
    fail_fetch(expect_fetch(CORP_JWKS), "timed out after 10 s");
    expect_why(&login, "provider corp can't be reached for its keys: timed out after 10 s");
    ask_keys(&login, true);
    expect_why(&login, "timed out after 10 s");
    expect_no_fetch();
    assert_non_null(keys_at_once(false)); /* whose keys are known get in */
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, true);
    serve_keys(0); /* the keys may have moved: discovery comes first again */
    assert_non_null(login.keys);
}

static void a_failure_is_told_at_once_to_those_who_come_soon(void **state)
{
    struct login login;
    (void)state;
    answer_fetch(expect_fetch(CORP_WELL), 404, "not here", 0);
    ask_keys(&login, false);
    expect_why(&login, "provider corp answered HTTP status 404 for its discovery document");
    expect_no_fetch();
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, false);
    assert_int_equal(login.answers, 0);
    serve_keys(0);
    assert_non_null(login.keys);
}

static void an_answer_that_comes_without_its_body_or_with_too_much_is_none(void **state)
{
    struct login login;
    char *much = calloc(1, TOKEN_JWKS_MAX + 2);
    (void)state;
    assert_non_null(much);
    memset(much, ' ', TOKEN_JWKS_MAX + 1);
    ask_keys(&login, false);
    answer_fetch(expect_fetch(CORP_WELL), 200, NULL, 0);
    expect_why(&login, "no JSON object");
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, false);
    answer_fetch(expect_fetch(CORP_WELL), 200, much, 0);
    expect_why(&login, "the courier's answer can't be read");
    free(much);
}

static void documents_that_are_wrong_are_refused(void **state)
{
    static const struct {
        const char *discovery, *jwks, *words;
    } cases[] = {
        { "", NULL, "no JSON object" },
        { "[]", NULL, "no JSON object" },
        { "{\"issuer\":", NULL, "no JSON object" },
        { "{\"issuer\":\"" CORP "\",\"issuer\":\"" CORP "\"}", NULL, "no JSON object" },
        { "{}", NULL, "calls itself \"\"" },
        { "{\"issuer\":7}", NULL, "calls itself \"\"" },
        { DISCOVERY_OF("https://idp.example.com/tenant"), NULL, "not \"" CORP "\" as configured" },
        { DISCOVERY_OF("https://evil.example/\\u001b[2J"), NULL, "https://evil.example/\\x1b[2J" },
        { "{\"issuer\":\"" CORP "\"}", NULL, "names no jwks_uri" },
        { "{\"issuer\":\"" CORP "\",\"jwks_uri\":null}", NULL, "names no jwks_uri" },
        { "{\"issuer\":\"" CORP "\",\"jwks_uri\":[]}", NULL, "jwks_uri that is not an https URL" },
        { "{\"issuer\":\"" CORP "\",\"jwks_uri\":\"http://idp.example.com/jwks\"}", NULL,
          "jwks_uri that is not an https URL" },
        { "{\"issuer\":\"" CORP "\",\"jwks_uri\":\"https://example b\"}", NULL, "is not an https URL" },
        { "{\"issuer\":\"" CORP "\",\"jwks_uri\":\"" CORP_JWKS "\",\"token_endpoint\":\"http://x\"}", NULL,
          "token_endpoint that is not an https URL" },
        { DISCOVERY, "", "gave no usable keys" },
        { DISCOVERY, "{\"keys\":{}}", "gave no usable keys" },
        { DISCOVERY, "{\"keys\":[]}", "gave no usable keys" },
    };
    struct login login;
    (void)state;
    serve_keys(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pass_ms(4ULL * DAY); /* nothing that was kept is of use any more */
        ask_keys(&login, false);
        answer_fetch(expect_fetch(CORP_WELL), 200, cases[i].discovery, 0);
        if (cases[i].jwks)
            answer_fetch(expect_fetch(CORP_JWKS), 200, cases[i].jwks, 0);
        expect_why(&login, cases[i].words);
        expect_no_fetch();
    }
}

static void without_a_courier_there_is_an_answer_too(void **state)
{
    struct login login, later;
    (void)state;
    (void)expect_fetch(CORP_WELL);
    lose_courier();
    ask_keys(&login, false); /* the fetch ahead was lost a moment ago */
    expect_why(&login, "the courier was lost");
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, false);
    ask_keys(&later, true);
    assert_int_equal(login.answers, 0);
    pass_ms(PROVIDER_FETCH_MS + FETCH_GRACE_MS);
    expect_why(&login, "the courier is not there");
    expect_why(&later, "the courier is not there");
    link_courier();
    serve_keys(0); /* at once, and by itself */
    assert_non_null(keys_at_once(false));
}

static void what_was_asked_before_the_courier_came_is_sent_then(void **state)
{
    struct login login;
    (void)state;
    (void)expect_fetch(CORP_WELL);
    lose_courier();
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, false);
    pass_ms(5 * SECOND);
    link_courier();
    serve_keys(0);
    assert_non_null(login.keys);
    expect_no_fetch();
}

static void a_courier_that_does_not_answer_has_a_limit(void **state)
{
    struct login login;
    (void)state;
    uint32_t request = expect_fetch(CORP_WELL);
    ask_keys(&login, false);
    pass_ms(PROVIDER_FETCH_MS + FETCH_GRACE_MS - SECOND);
    assert_int_equal(login.answers, 0);
    pass_ms(2 * SECOND);
    expect_why(&login, "the courier did not answer");
    answer_fetch(request, 200, DISCOVERY, 0); /* too late: nobody wants it */
    expect_no_fetch();
    assert_int_equal(login.answers, 1);
}

static void a_new_courier_in_place_of_the_old_one_starts_over(void **state)
{
    struct login login;
    (void)state;
    (void)expect_fetch(CORP_WELL);
    ask_keys(&login, false);
    link_courier();
    expect_why(&login, "the courier was lost");
    serve_keys(0);
    assert_non_null(keys_at_once(false));
}

static void a_reload_keeps_the_keys_of_those_that_did_not_change(void **state)
{
    static const struct setting same[] = { { "local", "urn:x", NULL, JWKS, NULL },
                                           { "corp", CORP, "gatehouse-cli", NULL, NULL } };
    static const struct setting other[] = { { "corp", CORP, "another-client", NULL, NULL } };
    struct login login;
    (void)state;
    serve_keys(0);
    const struct jwks *first = keys_at_once(false);
    take(same, 2);
    assert_ptr_equal(keys_at_once(false), first);
    assert_ptr_equal(providers_at(providers, 1), providers_find(providers, "corp"));
    assert_null(providers_at(providers, 2));
    assert_null(providers_find(providers, "nobody"));
    expect_no_fetch();
    take(other, 1);
    ask_keys(&login, false);
    assert_int_equal(login.answers, 0);
    serve_keys(0);
    assert_non_null(login.keys);
}

static void a_reload_tells_those_who_wait_for_what_is_gone(void **state)
{
    static const struct setting same[] = { { "corp", CORP, "gatehouse-cli", NULL, NULL } };
    static const struct setting other[] = { { "corp", CORP, "another-client", NULL, NULL } };
    struct login kept, told;
    (void)state;
    uint32_t request = expect_fetch(CORP_WELL);
    ask_keys(&kept, false);
    take(same, 1);
    answer_fetch(request, 200, DISCOVERY, 0);
    request = expect_fetch(CORP_JWKS);
    ask_keys(&told, false);
    assert_int_equal(kept.answers, 0);
    take(other, 1);
    expect_why(&kept, "has just changed; try again");
    expect_why(&told, "has just changed; try again");
    answer_fetch(request, 200, JWKS, 0);
    serve_keys(0); /* of the new one; the old one's late answer moved nothing */
}

static void a_reload_with_a_bad_jwks_changes_nothing(void **state)
{
    static const struct setting bad[] = { { "corp", "urn:x", NULL, JWKS, NULL },
                                          { "local", "urn:y", NULL, "{\"keys\":", NULL } };
    struct detail detail = { "" };
    (void)state;
    serve_keys(0);
    const struct jwks *first = keys_at_once(false);
    assert_true(try_to_take(bad, 2, &detail) < 0);
    assert_non_null(strstr(detail.text, "issuer local: the JWKS"));
    assert_ptr_equal(keys_at_once(false), first);
}

static void an_issuer_without_an_https_url_is_not_fetched(void **state)
{
    static const struct setting settings[] = { { "corp", "urn:gatehouse:local", NULL, NULL, NULL } };
    struct login login;
    (void)state;
    serve_keys(0);
    take(settings, 1);
    ask_keys(&login, false);
    expect_why(&login, "no https URL");
    pass_ms(PROVIDER_REFRESH_MS);
    ask_keys(&login, false);
    expect_why(&login, "no https URL");
    expect_no_fetch();
}

/* As one does who finds no key of that name among those that come. */
static void ask_again(void *owner, const struct jwks *keys, const char *why)
{
    struct login *login = owner;
    (void)keys, (void)why;
    login->wait = NULL;
    if (login->answers++ < 3) {
        struct provider_wait *wait = NULL;
        provider_keys(providers_find(providers, "corp"), true, ask_again, login, &wait);
        if (wait)
            login->wait = wait;
    }
}

static void asking_again_from_the_answer_fetches_once_more_and_ends(void **state)
{
    struct login login = { 0 }, other;
    (void)state;
    provider_keys(providers_find(providers, "corp"), false, ask_again, &login, &login.wait);
    ask_keys(&other, false);
    serve_keys(0);
    assert_int_equal(login.answers,
                     1); /* it waits for the fetch that it caused, not for the one that is over */
    assert_int_equal(other.answers, 1);
    assert_non_null(login.wait);
    answer_fetch(expect_fetch(CORP_JWKS), 200, JWKS, 0);
    assert_int_equal(login.answers, 4);
    expect_no_fetch();
}

static void too_many_at_a_time_are_refused(void **state)
{
    struct fetch *fetches[FETCH_WAITING_MAX], *one = NULL;
    struct fetch_what what = { .issuer = "corp", .url = CORP_WELL, .timeout_ms = 1000 };
    size_t n = 0;
    (void)state;
    lose_courier();
    while (n < FETCH_WAITING_MAX && fetch_new(fetcher, &what, NULL, NULL, &fetches[n]) == 0)
        n++;
    assert_int_equal(n, FETCH_WAITING_MAX);
    assert_int_equal(fetch_new(fetcher, &what, NULL, NULL, &one), -ENOBUFS);
    assert_null(one);
    while (n > 0)
        fetch_free(fetches[--n]);
    fetch_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_fetched_before_the_first_login),
        TEST(an_issuer_with_keys_of_its_own_fetches_nothing),
        TEST(all_who_wait_share_one_fetch),
        TEST(one_who_left_is_not_called),
        TEST(keys_age_by_max_age_within_bounds),
        TEST(an_unknown_key_fetches_anew_but_not_too_often),
        TEST(old_keys_serve_while_the_provider_is_away),
        TEST(a_provider_that_hangs_holds_up_nobody_whose_key_is_known),
        TEST(an_unknown_key_while_the_provider_is_away_is_said_so),
        TEST(a_failure_is_told_at_once_to_those_who_come_soon),
        TEST(an_answer_that_comes_without_its_body_or_with_too_much_is_none),
        TEST(documents_that_are_wrong_are_refused),
        TEST(without_a_courier_there_is_an_answer_too),
        TEST(what_was_asked_before_the_courier_came_is_sent_then),
        TEST(a_courier_that_does_not_answer_has_a_limit),
        TEST(a_new_courier_in_place_of_the_old_one_starts_over),
        TEST(a_reload_keeps_the_keys_of_those_that_did_not_change),
        TEST(a_reload_tells_those_who_wait_for_what_is_gone),
        TEST(a_reload_with_a_bad_jwks_changes_nothing),
        TEST(an_issuer_without_an_https_url_is_not_fetched),
        TEST(asking_again_from_the_answer_fetches_once_more_and_ends),
        TEST(too_many_at_a_time_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
