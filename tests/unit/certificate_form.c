/* The wire form of certificates and CA files: what is not exactly one of them is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy/certificate_parts.h"
#include "keygen.h"

#define SOURCE "192.0.2.7"

static char directory[KEYGEN_PATH];

static int make_keys(void **state)
{
    (void)state;
    keygen_directory(directory);
    keygen_key(directory, "ca-ed25519", "ed25519", NULL);
    keygen_key(directory, "ca-ecdsa384", "ecdsa", "384");
    keygen_key(directory, "ca-rsa1024", "rsa", "1024");
    keygen_key(directory, "key-rsa2048", "rsa", "2048");
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    keygen_remove(directory);
    return 0;
}

static uint8_t *good(size_t *ret_n)
{
    return keygen_certify(directory, "key-rsa2048", "ca-ed25519",
                          (const char *const[]){ "-I", "anna", "-n", "agent,dba", NULL }, ret_n);
}

static void a_truncated_certificate_is_malformed_at_every_length(void **state)
{
    size_t n;
    CLEANUP(free) uint8_t *blob = good(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct certificate *certificate = NULL;
        /* A copy of its own, so that a sanitizer sees each byte read beyond. */
        CLEANUP(free) uint8_t *cut = malloc(i ? i : 1);

        memcpy(cut, blob, i);
        assert_int_equal(certificate_parse(cut, i, &certificate, NULL), CERTIFICATE_MALFORMED);
        assert_null(certificate);
    }
}

static void trailing_bytes_are_refused(void **state)
{
    struct certificate *certificate = NULL;
    size_t n;
    CLEANUP(free) uint8_t *blob = good(&n);
    CLEANUP(free) uint8_t *longer = calloc(1, n + 1);

    (void)state;
    memcpy(longer, blob, n);
    assert_int_equal(certificate_parse(longer, n + 1, &certificate, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(certificate_parse(longer, n, &certificate, NULL), 0);
    certificate_free(certificate);
}

static void a_plain_key_is_not_a_certificate(void **state)
{
    struct certificate *certificate = NULL;
    struct detail detail;
    size_t n;
    CLEANUP(free) uint8_t *blob = keygen_blob(directory, "key-rsa2048.pub", &n);

    (void)state;
    assert_int_equal(certificate_parse(blob, n, &certificate, &detail), CERTIFICATE_MALFORMED);
    assert_non_null(strstr(detail.text, "plain key"));
}

static void an_oversized_certificate_is_refused_unread(void **state)
{
    struct certificate *certificate = NULL;
    CLEANUP(free) uint8_t *blob = calloc(1, CERTIFICATE_MAX + 1);

    (void)state;
    assert_int_equal(certificate_parse(blob, CERTIFICATE_MAX + 1, &certificate, NULL), CERTIFICATE_MALFORMED);
}

static void a_list_that_is_not_one_of_networks_refuses_everybody(void **state)
{
    static const char *const lists[] = {
        "",
        ",",
        "192.0.2.7,",
        "192.0.2.7/",
        "192.0.2.7/33",
        "192.0.2.7/-1",
        "192.0.2.7/24",
        "192.0.2.7 ",
        "192.0.2.7/32/32",
        "2001:db8::/129",
        "2001:db8::1/64",
        "anywhere",
        "!192.0.2.8",
        "192.0.2.7,nonsense",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (source_match(lists[i], SOURCE, NULL) != CERTIFICATE_MALFORMED)
            fail_msg("\"%s\" was taken", lists[i]);
    assert_int_equal(source_match("::ffff:192.0.2.0/120", SOURCE, NULL), 0);
    assert_int_equal(source_match("::ffff:192.0.3.0/120", SOURCE, NULL), CERTIFICATE_WRONG_SOURCE);
}

/* What ssh-keygen itself refuses to write is spliced into a certificate: decoding comes before the signature.
 */
static int parse_spliced(const char *key_id, const struct buffer *principals, const struct buffer *critical)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    size_t ca_n;
    CLEANUP(free) uint8_t *ca = keygen_blob(directory, "ca-ed25519.pub", &ca_n);
    const uint8_t zero[32] = { 0 };
    struct buffer b;
    int r;

    buffer_init(&b, (size_t)4 * CERTIFICATE_MAX);
    assert_int_equal(buffer_put_string(&b, "ssh-ed25519-cert-v01@openssh.com", 32), 0);
    assert_int_equal(buffer_put_string(&b, zero, sizeof(zero)), 0);
    assert_int_equal(buffer_put_string(&b, zero, sizeof(zero)), 0);
    assert_int_equal(buffer_put_u64(&b, 1), 0);
    assert_int_equal(buffer_put_u32(&b, 1), 0);
    assert_int_equal(buffer_put_string(&b, key_id, strlen(key_id)), 0);
    assert_int_equal(buffer_put_string(&b, buffer_head(principals), buffer_size(principals)), 0);
    assert_int_equal(buffer_put_u64(&b, 0), 0);
    assert_int_equal(buffer_put_u64(&b, UINT64_MAX), 0);
    assert_int_equal(buffer_put_string(&b, buffer_head(critical), buffer_size(critical)), 0);
    assert_int_equal(buffer_put_string(&b, "", 0), 0);
    assert_int_equal(buffer_put_string(&b, "", 0), 0);
    assert_int_equal(buffer_put_string(&b, ca, ca_n), 0);
    assert_int_equal(buffer_put_string(&b, "signature", 9), 0);
    r = certificate_parse(buffer_head(&b), buffer_size(&b), &certificate, NULL);
    buffer_free(&b);
    return r;
}

static int parse_with_principals(size_t count, const void *name, size_t name_n)
{
    struct buffer principals, none;
    int r;

    buffer_init(&principals, CERTIFICATE_MAX);
    buffer_init(&none, 1);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer_put_string(&principals, name, name_n), 0);
    r = parse_spliced("anna", &principals, &none);
    buffer_free(&principals);
    return r;
}

static void principals_are_bounded_and_clean(void **state)
{
    CLEANUP(free) char *longest = malloc(257);

    (void)state;
    memset(longest, 'x', 257);
    assert_int_equal(parse_with_principals(CERTIFICATE_PRINCIPALS_MAX, "agent", 5), 0);
    assert_int_equal(parse_with_principals(CERTIFICATE_PRINCIPALS_MAX + 1, "agent", 5),
                     CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(1, longest, 256), 0);
    assert_int_equal(parse_with_principals(1, longest, 257), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(64, longest, 256), CERTIFICATE_MALFORMED); /* 16 KiB together */
    assert_int_equal(parse_with_principals(1, "", 0), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(1, "age\0nt", 6), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(1, "\xff", 1), CERTIFICATE_MALFORMED);
}

static void a_key_id_is_needed_and_bounded(void **state)
{
    struct buffer none;
    char longest[514];

    (void)state;
    buffer_init(&none, 1);
    memset(longest, 'x', sizeof(longest));
    longest[513] = '\0';
    assert_int_equal(parse_spliced("", &none, &none), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_spliced(longest, &none, &none), CERTIFICATE_MALFORMED);
    longest[512] = '\0';
    assert_int_equal(parse_spliced(longest, &none, &none), 0);
}

static int parse_with_options(size_t count, bool repeat)
{
    struct buffer options, none;
    int r;

    buffer_init(&options, CERTIFICATE_MAX);
    buffer_init(&none, 1);
    for (size_t i = 0; i < count; i++) {
        char name[24];

        snprintf(name, sizeof(name), "o%03zu", repeat ? 0 : i);
        assert_int_equal(buffer_put_string(&options, name, strlen(name)), 0);
        assert_int_equal(buffer_put_string(&options, "", 0), 0);
    }
    r = parse_spliced("anna", &none, &options);
    buffer_free(&options);
    return r;
}

static void options_are_bounded_and_not_repeated(void **state)
{
    (void)state;
    assert_int_equal(parse_with_options(CERTIFICATE_OPTIONS_MAX, false), 0);
    assert_int_equal(parse_with_options(CERTIFICATE_OPTIONS_MAX + 1, false), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_options(2, true), CERTIFICATE_MALFORMED);
}

static void a_ca_file_is_one_plain_key(void **state)
{
    size_t n, expected_n;
    CLEANUP(free) uint8_t *expected = keygen_blob(directory, "ca-ecdsa384.pub", &expected_n);
    CLEANUP(free) char *line = keygen_read(directory, "ca-ecdsa384.pub", NULL);
    CLEANUP(free) char *weak = keygen_read(directory, "ca-rsa1024.pub", NULL);
    CLEANUP(free) uint8_t *blob = NULL;
    char text[4096];

    (void)state;
    snprintf(text, sizeof(text), "# our CA\n\n%s\n", line);
    assert_int_equal(public_key_parse(text, &blob, &n, NULL), 0);
    assert_int_equal(n, expected_n);
    assert_memory_equal(blob, expected, n);
    free(STEAL(blob));

    snprintf(text, sizeof(text), "%s%s", line, line);
    assert_int_equal(public_key_parse(text, &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("", &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("ssh-ed25519", &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("ssh-ed25519 AAAA", &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("ssh-dss AAAA", &blob, &n, NULL), CERTIFICATE_WEAK);
    assert_int_equal(public_key_parse(weak, &blob, &n, NULL), CERTIFICATE_WEAK);
    snprintf(text, sizeof(text), "ssh-ed25519 %s", strchr(line, ' ') + 1);
    assert_int_equal(public_key_parse(text, &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_null(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_truncated_certificate_is_malformed_at_every_length),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(a_plain_key_is_not_a_certificate),
        cmocka_unit_test(an_oversized_certificate_is_refused_unread),
        cmocka_unit_test(a_list_that_is_not_one_of_networks_refuses_everybody),
        cmocka_unit_test(principals_are_bounded_and_clean),
        cmocka_unit_test(a_key_id_is_needed_and_bounded),
        cmocka_unit_test(options_are_bounded_and_not_repeated),
        cmocka_unit_test(a_ca_file_is_one_plain_key),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
