/* What the courier reads: header lines of servers, and URLs that it may go to. */
#include "check.h"
#include <errno.h>
#include <string.h>
#include "server/courier_header.h"
#include "server/courier_place.h"

static uint64_t fresh_of(const char *const *lines)
{
    struct header header = { 0 };
    for (; *lines; lines++)
        header_line(&header, *lines, strlen(*lines));
    return header_fresh_s(&header);
}

static void max_age_is_read_as_rfc_9111_has_it(void **state)
{
    static const struct {
        const char *lines[4];
        uint64_t fresh_s; /* 0: not said */
    } cases[] = {
        { { "Content-Length: 5\r\n", NULL }, 0 },
        { { "Cache-Control: max-age=60\r\n", NULL }, 60 },
        { { "cache-control:public , MAX-AGE = 60 ,immutable", NULL }, 60 },
        { { "Cache-Control: max-age=\"60\"", NULL }, 60 },
        { { "Cache-Control: max-age=60", "Age: 20", NULL }, 40 },
        { { "Age: 20", "Cache-Control: max-age=60", NULL }, 40 },
        { { "Cache-Control: max-age=60", "Age: 60", NULL }, 1 },
        { { "Cache-Control: max-age=0", NULL }, 1 },
        { { "Cache-Control: no-store", NULL }, 1 },
        { { "Cache-Control: max-age=60, no-cache", NULL }, 1 },
        { { "Cache-Control: no-store", "Cache-Control: max-age=60", NULL }, 1 },
        { { "Cache-Control: s-maxage=60", NULL }, 0 },
        { { "Cache-Control: max-age=", NULL }, 0 },
        { { "Cache-Control: max-age=-5", NULL }, 0 },
        { { "Cache-Control: max-age=6 0", NULL }, 0 },
        { { "Cache-Control: max-age", NULL }, 0 },
        { { "Cache-Control: max-age=99999999999999999999999999", NULL }, HEADER_AGE_MAX_S },
        { { "X-Cache-Control: max-age=60", NULL }, 0 },
        { { "max-age=60", NULL }, 0 },
        { { "", NULL }, 0 },
        /* a later answer on the same connection starts over */
        { { "HTTP/1.1 103 Early Hints", "Cache-Control: max-age=60", "HTTP/1.1 200 OK", NULL }, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (fresh_of(cases[i].lines) != cases[i].fresh_s)
            fail_msg("case %zu: %llu", i, (unsigned long long)fresh_of(cases[i].lines));
}

static void a_media_type_comes_without_what_follows(void **state)
{
    static const struct {
        const char *line, *type;
    } cases[] = {
        { "Content-Type: application/json; charset=utf-8\r\n", "application/json" },
        { "content-type:application/jwk-set+json", "application/jwk-set+json" },
        { "Content-Type: text/html\x1b[2J", "" },
        { "Content-Type: a b", "" },
        { "Content-Type:", "" },
        { "Content-Type: "
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct header header = { .content_type = "before" };
        header_line(&header, cases[i].line, strlen(cases[i].line));
        assert_string_equal(header.content_type, cases[i].type);
    }
    struct header header = { 0 };
    header_line(&header, "Content-Type: a\0b", 17);
    assert_string_equal(header.content_type, "");
}

static void places_are_the_issuers_own_and_those_of_hosts(void **state)
{
    static const struct {
        const char *url;
        int result;
    } cases[] = {
        { "https://idp.example.com/.well-known/openid-configuration", 0 },
        { "https://IDP.example.com:443/jwks?a=b#c", 0 },
        { "https://keys.example.com/jwks", 0 },
        { "https://keys.example.com:444/jwks", -EACCES },
        { "https://other.example.com:8443/", 0 },
        { "https://other.example.com/", -EACCES },
        { "https://[2001:db8::1]/", 0 },
        { "https://[2001:DB8:0::1]:443/", 0 },
        { "https://[2001:db8::2]/", -EACCES },
        { "https://[2001:db8::1%25eth0]/", -EACCES },
        { "https://idp.example.com:8443/", -EACCES },
        { "https://idp.example.com.evil.example/", -EACCES },
        { "https://evil.example/idp.example.com", -EACCES },
        { "https://idp.example.com%2eevil.example/", -EACCES },
        { "https://idp.example.com%00.evil.example/", -EINVAL },
        { "https://idp.example.com@evil.example/", -EINVAL },
        { "https://example:b@idp.example.com/", -EINVAL },
        { "http://idp.example.com/", -EACCES },
        { "ftp://idp.example.com/", -EACCES },
        { "file://idp.example.com/etc/passwd", -EINVAL },
        { "//idp.example.com/", -EINVAL },
        { "idp.example.com", -EINVAL },
        { "/jwks", -EINVAL },
        { "", -EINVAL },
        { "https://", -EINVAL },
        { "https:// idp.example.com/", -EINVAL },
        { "https://idp.example.com/\n", -EINVAL },
        { "https://\xc3\xa4.example/", -EINVAL },
        { "https://idp.example.com:0443/", 0 },
        { "https://idp.example.com:99999/", -EINVAL },
    };
    char *hosts[] = { (char *)"keys.example.com", (char *)"other.example.com:8443",
                      (char *)"[2001:db8::1]",    (char *)"",
                      (char *)"odd host/",        (char *)"user@evil.example" };
    Ipc__Issuer issuer = IPC__ISSUER__INIT;
    issuer.name = (char *)"corp";
    issuer.issuer = (char *)"https://idp.example.com/tenant/";
    issuer.hosts = hosts;
    issuer.n_hosts = sizeof hosts / sizeof hosts[0];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CURLU *place = NULL;
        struct detail detail = { "" };
        int r = place_judge(&issuer, cases[i].url, &place, &detail);
        if (r != cases[i].result)
            fail_msg("%s: %d (%s)", cases[i].url, r, detail.text);
        assert_int_equal(r == 0, place != NULL);
        assert_int_equal(r != 0, detail.text[0] != 0);
        curl_url_cleanup(place);
    }
}

static void an_issuer_that_is_no_url_is_no_place(void **state)
{
    static const char *const names[] = { "urn:gatehouse:local", "", "http://idp.example.com", "local" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        Ipc__Issuer issuer = IPC__ISSUER__INIT;
        CURLU *place = NULL;
        issuer.issuer = (char *)(uintptr_t)names[i];
        assert_int_equal(place_judge(&issuer, "https://idp.example.com/", &place, NULL), -EACCES);
        assert_null(place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_age_is_read_as_rfc_9111_has_it),
        cmocka_unit_test(a_media_type_comes_without_what_follows),
        cmocka_unit_test(places_are_the_issuers_own_and_those_of_hosts),
        cmocka_unit_test(an_issuer_that_is_no_url_is_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
