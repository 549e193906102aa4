/* What an API server may answer to a TokenRequest, and what becomes of it; whole and cut off at each byte. */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "vault/bearer.h"
#include "vault/token_answer.h"

#define SECRET "st0red"
#define GOOD                                                                                                 \
    "{\"kind\":\"TokenRequest\",\"spec\":{\"expirationSeconds\":600},\"status\":{\"token\":\"abc.def\"}}"

static int read_it(const char *text, bool ended, struct token_answer *ret, struct detail *detail)
{
    *ret = (struct token_answer){ .token = NULL };
    *detail = (struct detail){ "" };
    return token_answer_read(text, strlen(text), ended, SECRET, strlen(SECRET), ret, detail);
}

static void expect_token(const char *text, bool ended)
{
    struct token_answer answer;
    struct detail detail;

    if (read_it(text, ended, &answer, &detail))
        fail_msg("%s", detail.text);
    assert_string_equal(answer.token, "abc.def");
    assert_int_equal(answer.lifetime_s, 600);
    token_answer_free(&answer);
}

/* What has not come yet is waited for, and missed when nothing more comes. */
static void expect_wait(const char *text, size_t n)
{
    struct token_answer answer;
    struct detail detail;
    CLEANUP(free) char *cut = strndup(text, n);

    assert_int_equal(read_it(cut, false, &answer, &detail), -EAGAIN);
    assert_int_equal(read_it(cut, true, &answer, &detail), -EPROTO);
    assert_null(answer.token);
}

static void a_token_is_found_however_it_is_framed(void **state)
{
    char counted[512];

    (void)state;
    snprintf(counted, sizeof counted, "HTTP/1.1 201 Created\r\ncontent-length: %zu \r\nX: y\r\n\r\n%s",
             strlen(GOOD), GOOD);
    expect_token(counted, false);
    expect_token(counted, true);
    for (size_t n = 0; n < strlen(counted); n++)
        expect_wait(counted, n);
    snprintf(counted, sizeof counted,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n%zx\r\n%s\r\n0\r\n\r\n",
             strlen(GOOD) - 1, GOOD + 1);
    expect_token(counted, false);
    for (size_t n = 0; n < strlen(counted); n++)
        expect_wait(counted, n);
    expect_token("HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n" GOOD, true);
}

static void an_answer_without_a_frame_ends_with_the_connection(void **state)
{
    struct token_answer answer;
    struct detail detail;

    (void)state;
    assert_int_equal(read_it("HTTP/1.1 201 Created\r\n\r\n" GOOD, false, &answer, &detail), -EAGAIN);
}

static void what_is_no_such_answer_is_refused(void **state)
{
#define HEAD "HTTP/1.1 201 Created\r\nConnection: close\r\n"
    static const struct {
        const char *text, *fault;
        int code;
    } cases[] = {
        { "HTTP/1.0 201 Created\r\n\r\n" GOOD, "no HTTP/1.1 response", -EPROTO },
        { "HTTP/1.1 2x1 Created\r\n\r\n" GOOD, "no HTTP/1.1 response", -EPROTO },
        { "\r\n\r\n", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Content-Length: 3\r\nContent-Length: 3\r\n\r\n{}x", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{}x", "no HTTP/1.1 response",
          -EPROTO },
        { HEAD "Content-Length: -1\r\n\r\n{}x", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Content-Length: 65537\r\n\r\n{}x", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Content-Length: 99999999999999999999999999\r\n\r\n{}x", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Transfer-Encoding: gzip\r\n\r\n{}x", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Transfer-Encoding: chunked\r\n\r\n2;x\r\n{}\r\n0\r\n\r\n", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Transfer-Encoding: chunked\r\n\r\n\r\n", "no HTTP/1.1 response", -EPROTO },
        { HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", "no HTTP/1.1 response", -EPROTO },
        { HEAD "\r\n", "not JSON", -EPROTO },
        { HEAD "\r\n<html>", "not JSON", -EPROTO },
        { HEAD "\r\n" GOOD "x", "not JSON", -EPROTO },
        { HEAD "\r\n[]", "no token", -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":7},\"spec\":{\"expirationSeconds\":600}}", "no token", -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":\"\"},\"spec\":{\"expirationSeconds\":600}}", "no token",
          -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":\"a\\r\\nb\"},\"spec\":{\"expirationSeconds\":600}}", "no token",
          -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":\"a\",\"token\":\"b\"},\"spec\":{\"expirationSeconds\":600}}",
          "not JSON", -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":\"a\"}}", "how long", -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":\"a\"},\"spec\":{\"expirationSeconds\":0}}", "how long", -EPROTO },
        { HEAD "\r\n{\"status\":{\"token\":\"a\"},\"spec\":{\"expirationSeconds\":\"600\"}}", "how long",
          -EPROTO },
        { "HTTP/1.1 403 Forbidden\r\n\r\n{\"reason\":\"Forbidden\",\"message\":\"no\\nway\"}",
          "answered 403 Forbidden: no\\x0away", -EACCES },
        { "HTTP/1.1 403 Forbidden\r\n\r\n{\"reason\":\"\\u001b[m\"}", "answered 403 \\x1b[m: ", -EACCES },
        { "HTTP/1.1 403 Forbidden\r\n\r\n{\"reason\":\"Forbidden\",\"message\":\"with st0red?\"}", "left out",
          -EACCES },
        { "HTTP/1.1 403 Forbidden\r\n\r\n{\"reason\":\"xst0red\",\"message\":\"?\"}", "left out", -EACCES },
        { "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", "answered 502", -EACCES },
        { "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n", "answered 302", -EACCES },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct token_answer answer;
        struct detail detail;
        int r = read_it(cases[i].text, true, &answer, &detail);

        if (r != cases[i].code || !strstr(detail.text, cases[i].fault))
            fail_msg("%zu: %d \"%s\" without \"%s\"", i, r, detail.text, cases[i].fault);
        assert_null(answer.token);
        assert_null(strstr(detail.text, SECRET));
    }
}

static void an_answer_has_a_limit(void **state)
{
    CLEANUP(free) char *text = malloc(TOKEN_ANSWER_MAX + 2);
    static const char head[] = "HTTP/1.1 201 Created\r\n\r\n";

    (void)state;
    memset(text, ' ', TOKEN_ANSWER_MAX + 1);
    memcpy(text, head, strlen(head));
    memcpy(text + strlen(head), GOOD, strlen(GOOD));
    text[TOKEN_ANSWER_MAX] = '\0';
    expect_token(text, true);
    for (int ended = 0; ended < 2; ended++) {
        struct token_answer answer;
        struct detail detail;

        assert_int_equal(
            token_answer_read(text, TOKEN_ANSWER_MAX + (size_t)ended, ended, SECRET, 6, &answer, &detail),
            -EPROTO);
        assert_non_null(strstr(detail.text, "longer than any"));
    }
}

static void a_token_has_a_limit(void **state)
{
    CLEANUP(free) char *token = malloc(BEARER_MAX + 1);

    (void)state;
    memset(token, 'x', BEARER_MAX + 1);
    assert_true(bearer_is_one(token, BEARER_MAX));
    assert_false(bearer_is_one(token, BEARER_MAX + 1));
    assert_false(bearer_is_one(token, 0));
    for (int c = 0; c < 256; c++) {
        token[1] = (char)c;
        assert_int_equal(bearer_is_one(token, 3), c > ' ' && c < 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_however_it_is_framed),
        cmocka_unit_test(an_answer_without_a_frame_ends_with_the_connection),
        cmocka_unit_test(what_is_no_such_answer_is_refused),
        cmocka_unit_test(an_answer_has_a_limit),
        cmocka_unit_test(a_token_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
