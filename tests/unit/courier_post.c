/* gatehouse-courier posts to webhooks: only to those of its configuration, and the status is all that counts.
 */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"
#include "courier_fixture.h"
#include "server/courier_post.h"
#include "server/courier_web.h"

static int ledger = -1;

struct posted {
    uint32_t status;
    char error[512];
};

static struct posted wait_posted(int link, uint32_t request)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    struct posted posted = { 0 };
    int r = ipc_receive_now(link, FETCH_LIMIT_MS, &message, fds, &n_fds);
    if (r)
        fail_msg("nothing came back: %s", strerror(-r));
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_POSTED);
    assert_int_equal(message->posted->request, request);
    assert_int_equal(n_fds, 0);
    posted.status = message->posted->status;
    snprintf(posted.error, sizeof posted.error, "%s", message->posted->error);
    assert_int_equal(posted.status == 0, posted.error[0] != 0);
    ipc_message_free(message);
    return posted;
}

static struct posted post_with(const char *url, const char *body, size_t n, const char *name,
                               const char *value)
{
    static uint32_t request;
    Ipc__Variable variable = IPC__VARIABLE__INIT, *variables[POST_HEADERS_MAX + 1];
    Ipc__Post post = IPC__POST__INIT;
    Ipc__Message message = IPC_MESSAGE(POST, post, &post);
    post.request = ++request;
    post.url = (char *)(uintptr_t)url;
    post.body.data = (uint8_t *)(uintptr_t)body;
    post.body.len = n;
    post.timeout_ms = 1500;
    variable.name = (char *)(uintptr_t)name;
    variable.value = (char *)(uintptr_t)value;
    for (size_t i = 0; i <= POST_HEADERS_MAX; i++)
        variables[i] = &variable;
    post.headers = variables;
    post.n_headers = name ? strcmp(value, "nine") == 0 ? POST_HEADERS_MAX + 1 : 1 : 0;
    assert_int_equal(ipc_send_now(ledger, &message, NULL, 0, FETCH_LIMIT_MS), 0);
    return wait_posted(ledger, request);
}

static struct posted post(const char *path, const char *port)
{
    char url[COURIER_URL_MAX];
    return post_with(courier_hook(url, path, port), "{}", 2, NULL, NULL);
}

static void expect_error(struct posted posted, const char *words)
{
    if (posted.status != 0 || !strstr(posted.error, words))
        fail_msg("status %u, error \"%s\" instead of \"%s\"", posted.status, posted.error, words);
    char *file = courier_take_file("posted", &(size_t){ 0 });
    assert_null(file);
}

static void expect_status(struct posted posted, uint32_t status)
{
    size_t n = 0;
    if (posted.status != status)
        fail_msg("status %u, error \"%s\" instead of %u", posted.status, posted.error, status);
    free(courier_take_file("posted", &n));
}

/* ---- what goes out ---- */

static void the_document_arrives_as_it_is_with_its_headers(void **state)
{
    static const char body[] = "{\"a\":\"\xc3\xa9 b&c=d\"}";
    char url[COURIER_URL_MAX];
    size_t n = 0;
    (void)state;
    struct posted posted = post_with(courier_hook(url, "/hook/204/plain?key=a%20b", "good"), body,
                                     sizeof body - 1, "Gatehouse-Signature", "t=1,v1=00ff");
    assert_int_equal(posted.status, 204);
    char *file = courier_take_file("posted", &n);
    assert_non_null(file);
    assert_string_equal(file, "POST /hook/204/plain?key=a%20b\n"
                              "accept: application/json\n"
                              "content-length: 16\n"
                              "content-type: application/json\n"
                              "gatehouse-signature: t=1,v1=00ff\n"
                              "\n"
                              "{\"a\":\"\xc3\xa9 b&c=d\"}");
    free(file);
}

static void a_large_document_arrives_whole(void **state)
{
    char *body = malloc(WEB_POST_MAX);
    char url[COURIER_URL_MAX];
    size_t n = 0;
    (void)state;
    assert_non_null(body);
    memset(body, 'x', WEB_POST_MAX);
    struct posted posted =
        post_with(courier_hook(url, "/hook/200/plain", "good"), body, WEB_POST_MAX, NULL, NULL);
    assert_int_equal(posted.status, 200);
    char *file = courier_take_file("posted", &n);
    assert_non_null(file);
    const char *arrived = strstr(file, "\n\n");
    assert_non_null(arrived);
    assert_int_equal(strlen(arrived + 2), WEB_POST_MAX);
    free(file);
    free(body);
}

static void a_document_that_is_too_large_is_refused(void **state)
{
    char *body = calloc(1, WEB_POST_MAX + 1);
    char url[COURIER_URL_MAX];
    (void)state;
    assert_non_null(body);
    expect_error(post_with(courier_hook(url, "/hook/200/plain", "good"), body, WEB_POST_MAX + 1, NULL, NULL),
                 "more than can be posted");
    free(body);
}

static void headers_that_are_not_ours_are_refused(void **state)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        { "Host", "evil.example" },
        { "Content-Length", "0" },
        { "gatehouse-signature", "a" },
        { "Gatehouse-", "a" },
        { "Gatehouse-A:", "a" },
        { "Gatehouse-A\r\nHost", "a" },
        { "Gatehouse-A", "" },
        { "Gatehouse-A", " a" },
        { "Gatehouse-A", "a\r\nHost: evil.example" },
        { "Gatehouse-A", "\xc3\xa9" },
        { "", "a" },
    };
    char url[COURIER_URL_MAX];
    (void)state;
    courier_hook(url, "/hook/200/plain", "good");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        expect_error(post_with(url, "{}", 2, headers[i].name, headers[i].value),
                     "a header that can't be sent");
    expect_error(post_with(url, "{}", 2, "Gatehouse-A", "nine"), "too many headers");
}

/* ---- where to ---- */

static void only_urls_of_the_configuration_are_posted_to(void **state)
{
    static const char *const paths[] = {
        "/hook/200/plain/", "/hook/200/plain#", "/hook/200/plain?", "/hook/200", "/json", ""
    };
    char url[COURIER_URL_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_error(post(paths[i], "good"), "has no such webhook");
    snprintf(url, sizeof url, "http://localhost:%u/hook/200/plain", courier_port("good"));
    expect_error(post_with(url, "{}", 2, NULL, NULL), "has no such webhook");
    expect_error(post_with("", "{}", 2, NULL, NULL), "has no such webhook");
}

static void a_reload_takes_webhooks_away(void **state)
{
    (void)state;
    courier_reload(true);
    expect_error(post("/hook/200/plain", "good"), "has no such webhook");
    courier_reload(false);
    expect_status(post("/hook/200/plain", "good"), 200);
}

static void each_webhook_has_its_own_trust(void **state)
{
    (void)state;
    expect_error(post("/hook/200/plain", "expired"), "certificate has expired");
    expect_error(post("/hook/200/plain?other", "good"), "certificate is not trusted");
}

/* ---- what comes back ---- */

static void a_status_is_handed_on_whatever_it_is(void **state)
{
    (void)state;
    expect_status(post("/hook/429/plain", "good"), 429);
    expect_status(post("/hook/302/moved", "good"), 302); /* and nobody went there */
}

static void a_body_that_never_ends_does_not_matter(void **state)
{
    (void)state;
    expect_status(post("/hook/200/announced", "good"), 200);
    expect_status(post("/hook/200/endless", "good"), 200);
    expect_status(post("/hook/200/half", "good"), 200);
}

static void what_is_no_answer_is_an_error(void **state)
{
    (void)state;
    expect_error(post("/silent", "good"), "timed out after 1.5 s");
    expect_error(post("/hook/200/plain", "closed"), "connection refused");
    expect_error(post("/garbage", "good"), "");
    expect_error(post("/continue", "good"), "header is larger"); /* 100s are no answer */
}

/* ---- who may ---- */

static void the_ledger_may_not_fetch_nor_the_issuer_post(void **state)
{
    Ipc__Post post = IPC__POST__INIT;
    Ipc__Message message = IPC_MESSAGE(POST, post, &post), *answer = NULL;
    int fds[IPC_FDS_MAX], issuer = courier_link("issuer"), other = courier_link("ledger");
    size_t n = 0;
    (void)state;
    assert_int_equal(ipc_send_now(issuer, &message, NULL, 0, 1000), 0);
    assert_int_equal(ipc_receive_now(issuer, FETCH_LIMIT_MS, &answer, fds, &n), -EPIPE);
    ask(other, 1, "corp", "https://localhost/json", 0);
    assert_int_equal(ipc_receive_now(other, FETCH_LIMIT_MS, &answer, fds, &n), -EPIPE);
    close(issuer);
    close(other);
    assert_true(courier_lives());
}

static int start(void **state)
{
    int r = courier_start(state);
    ledger = courier_link("ledger");
    return r;
}

static int stop(void **state)
{
    close(ledger);
    return courier_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_arrives_as_it_is_with_its_headers),
        cmocka_unit_test(a_large_document_arrives_whole),
        cmocka_unit_test(a_document_that_is_too_large_is_refused),
        cmocka_unit_test(headers_that_are_not_ours_are_refused),
        cmocka_unit_test(only_urls_of_the_configuration_are_posted_to),
        cmocka_unit_test(a_reload_takes_webhooks_away),
        cmocka_unit_test(each_webhook_has_its_own_trust),
        cmocka_unit_test(a_status_is_handed_on_whatever_it_is),
        cmocka_unit_test(a_body_that_never_ends_does_not_matter),
        cmocka_unit_test(what_is_no_answer_is_an_error),
        cmocka_unit_test(the_ledger_may_not_fetch_nor_the_issuer_post),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
