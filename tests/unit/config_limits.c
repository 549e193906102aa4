/* What no case file can hold: files that cannot be read, everything at its limit and beyond, addresses and
 * hints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config_fixture.h"
#include "policy/config_address.h"
#include "policy/config_parse.h"
#include "policy/config_file.h"
#include "policy/token.h"

#define SMALLEST "listen: [\"127.0.0.1:2222\"]\nstate: state\n"
#define TARGET                                                                                               \
    "targets:\n  - { name: orders, kind: postgres, database: shop, login: app, credential: orders-app, "

static void release(Ipc__Config *config)
{
    ipc__config__free_unpacked(config, NULL);
}

/* The one fault of a file that config_load() reads itself. */
static void assert_load_fault(const char *name, const char *message)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char path[512], line[1024], expected[1024];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(config_load(path, &config, &faults), 1);
    assert_null(config);
    assert_int_equal(faults.count, 1);
    snprintf(expected, sizeof expected, "%s: error: %s", path, message);
    assert_string_equal(config_fault_line(&faults.items[0], path, line, sizeof line), expected);
    config_faults_free(&faults);
}

static void a_file_that_cannot_be_read_is_one_fault_without_a_line(void **state)
{
    (void)state;
    assert_load_fault("gone.yaml", "No such file or directory");
    assert_load_fault("state", "not a file");
    assert_load_fault("state/fifo", "not a file");
}

static void a_file_beyond_the_limit_is_refused_and_one_at_it_is_read(void **state)
{
    (void)state;
    char *big = malloc(CONFIG_FILE_MAX + 1);
    char path[512];
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;

    assert_non_null(big);
    memset(big, '\n', CONFIG_FILE_MAX + 1);
    memcpy(big, SMALLEST, strlen(SMALLEST));
    fixture_write(directory, "big.yaml", 0600, big, CONFIG_FILE_MAX + 1);
    assert_load_fault("big.yaml", "the file is larger than 4 MiB");
    fixture_write(directory, "big.yaml", 0600, big, CONFIG_FILE_MAX);
    snprintf(path, sizeof path, "%s/big.yaml", directory);
    assert_int_equal(config_load(path, &config, &faults), 0);
    release(config);
    free(big);
}

/* "<head>" n times "<item>" "<tail>" as a configuration; the number of faults, and the first one's message.
 */
static size_t faults_of_many(const char *head, const char *item, size_t n, const char *tail, char *ret_first,
                             size_t size)
{
    size_t item_n = strlen(item), head_n = strlen(head);
    char *text = malloc(head_n + n * item_n + strlen(tail) + 1);
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;

    assert_non_null(text);
    strcpy(text, head);
    for (size_t i = 0; i < n; i++)
        memcpy(text + head_n + i * item_n, item, item_n);
    strcpy(text + head_n + n * item_n, tail);
    int r =
        config_parse("/nowhere/gatehouse.yaml", (const uint8_t *)text, strlen(text), false, &config, &faults);
    assert_int_equal(r, faults.count ? 1 : 0);
    if (faults.count)
        snprintf(ret_first, size, "%s", faults.items[0].message);
    size_t total = faults.count + faults.unreported;
    config_faults_free(&faults);
    if (config)
        release(config);
    free(text);
    return total;
}

static void a_file_of_certificates_rides_in_the_config_up_to_its_limit(void **state)
{
    (void)state;
    static const char text[] = SMALLEST TARGET "address: db:5432, tls_ca: big.crt }\n";
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char path[512];
    char *pem = malloc(CONFIG_CERTIFICATES_MAX + 1);

    assert_non_null(pem);
    snprintf(path, sizeof path, "%s/gatehouse.yaml", directory);
    memset(pem, '\n', CONFIG_CERTIFICATES_MAX + 1);
    memcpy(pem, begin, strlen(begin));
    fixture_write(directory, "state/big.crt", 0644, pem, CONFIG_CERTIFICATES_MAX);
    assert_int_equal(config_parse(path, (const uint8_t *)text, strlen(text), true, &config, &faults), 0);
    release(config);
    config = NULL;
    fixture_write(directory, "state/big.crt", 0644, pem, CONFIG_CERTIFICATES_MAX + 1);
    assert_int_equal(config_parse(path, (const uint8_t *)text, strlen(text), true, &config, &faults), 1);
    assert_null(config);
    assert_int_equal(faults.count, 1);
    assert_non_null(strstr(faults.items[0].message, "big.crt: more than 64 KiB of certificates"));
    config_faults_free(&faults);
    free(pem);
}

#define KNOWN_KEYS                                                                                           \
    SMALLEST "identity: { issuers: [{ name: a, issuer: \"urn:a\", audience: g, jwks_file: big.json }] }\n"

/* What is said about a JWKS of so many keys, padded with blanks to so many bytes; "" when it is good. */
static void read_jwks(size_t keys, size_t bytes, char *first, size_t size)
{
    static const char key[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                              "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char path[512], *text = calloc(1, bytes + keys * sizeof key + 64), *at = text;

    assert_non_null(text);
    snprintf(path, sizeof path, "%s/gatehouse.yaml", directory);
    at += sprintf(at, "{\"keys\":[");
    for (size_t i = 0; i < keys; i++)
        at += sprintf(at, "%s%s", i ? "," : "", key);
    at += sprintf(at, "]}");
    while ((size_t)(at - text) < bytes)
        *at++ = ' ';
    fixture_write(directory, "state/big.json", 0644, text, (size_t)(at - text));
    int r = config_parse(path, (const uint8_t *)KNOWN_KEYS, strlen(KNOWN_KEYS), true, &config, &faults);
    assert_int_equal(r, faults.count ? 1 : 0);
    assert_true(faults.count <= 1);
    snprintf(first, size, "%s", faults.count ? faults.items[0].message : "");
    if (config)
        release(config);
    config_faults_free(&faults);
    free(text);
}

static void a_file_of_keys_has_at_most_so_many_keys_and_bytes(void **state)
{
    (void)state;
    char first[1024] = "";

    read_jwks(TOKEN_KEYS_MAX, 0, first, sizeof first);
    assert_string_equal(first, "");
    read_jwks(TOKEN_KEYS_MAX + 1, 0, first, sizeof first);
    assert_non_null(strstr(first, "big.json: the JWK set holds too many keys"));
    read_jwks(1, TOKEN_JWKS_MAX, first, sizeof first);
    assert_string_equal(first, "");
    read_jwks(1, TOKEN_JWKS_MAX + 1, first, sizeof first);
    assert_non_null(strstr(first, "big.json: more than 512 KiB of keys"));
}

/* The first fault of a role that asks for so many claims, or "". */
static void read_claims(size_t n, char *first, size_t size)
{
    static const char head[] = SMALLEST "identity: { issuers: [{ name: a, issuer: \"https://a.example.com\", "
                                        "audience: g }] }\nroles: [{ name: r, match: { claims: { ";
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char *text = calloc(1, sizeof head + n * 16 + 16), *at = text;

    assert_non_null(text);
    at += sprintf(at, "%s", head);
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "c%zu: x, ", i);
    at += sprintf(at, "} } }]\n");
    int r = config_parse("/etc/g.yaml", (const uint8_t *)text, (size_t)(at - text), false, &config, &faults);
    assert_int_equal(r, faults.count ? 1 : 0);
    snprintf(first, size, "%s", faults.count ? faults.items[0].message : "");
    if (config) {
        assert_int_equal(config->roles[0]->n_claims, n);
        release(config);
    }
    config_faults_free(&faults);
    free(text);
}

static void a_role_asks_for_at_most_so_many_claims(void **state)
{
    (void)state;
    char first[1024] = "";

    read_claims(CONFIG_ENTRIES_MAX, first, sizeof first);
    assert_string_equal(first, "");
    read_claims(CONFIG_ENTRIES_MAX + 1, first, sizeof first);
    assert_string_equal(first, "\"claims\" has more than 64 entries");
}

static void a_list_has_at_most_so_many_items(void **state)
{
    (void)state;
    char first[1024] = "";
    static const char tail[] = "1] }\n";

    assert_int_equal(faults_of_many(SMALLEST "identity: { trusted_cas: [", "\"\",", CONFIG_LIST_MAX, tail,
                                    first, sizeof first),
                     1);
    assert_string_equal(first, "\"trusted_cas\" has more than 2048 items");
    assert_int_equal(faults_of_many(SMALLEST "identity: { trusted_cas: [", "\"\",", CONFIG_LIST_MAX - 1, tail,
                                    first, sizeof first),
                     CONFIG_LIST_MAX - 1);
    assert_string_equal(first, "an item of \"trusted_cas\" is empty");
}

static void a_file_has_at_most_so_many_values(void **state)
{
    (void)state;
    char first[1024] = "";

    assert_int_equal(
        faults_of_many(SMALLEST "rules: [", "1,", CONFIG_NODES_MAX + 1, "1]\n", first, sizeof first), 1);
    assert_string_equal(first, "the file holds too many values");
}

static void lists_are_nested_as_deeply_as_the_limit_and_no_deeper(void **state)
{
    (void)state;
    char first[1024] = "";

    /* the root map is the first level; what is not closed is a fault of YAML */
    faults_of_many(SMALLEST "rules: ", "[", CONFIG_DEPTH_MAX - 1, "", first, sizeof first);
    assert_non_null(strstr(first, "YAML: "));
    faults_of_many(SMALLEST "rules: ", "[", CONFIG_DEPTH_MAX, "", first, sizeof first);
    assert_string_equal(first, "lists and maps are nested too deeply");
}

static void faults_beyond_the_limit_are_counted_and_said_so(void **state)
{
    (void)state;
    struct config_faults faults = { 0 };
    char *said = NULL;
    size_t n = 0;

    for (unsigned i = 0; i < CONFIG_FAULTS_MAX + 7; i++)
        config_faults_add(&faults, CONFIG_FAULTS_MAX - i % CONFIG_FAULTS_MAX, 1, "number %u", i);
    assert_int_equal(faults.count, CONFIG_FAULTS_MAX);
    assert_int_equal(faults.unreported, 7);
    config_faults_sort(&faults);
    FILE *out = open_memstream(&said, &n);
    assert_non_null(out);
    config_faults_print(&faults, "g.yaml", out);
    fclose(out);
    assert_memory_equal(said, "g.yaml:1:1: error: number 99\n", 29);
    assert_non_null(strstr(said, "\ng.yaml: error: 7 more faults are not shown\n"));
    free(said);
    config_faults_free(&faults);
}

static void a_hint_names_the_nearest_word_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *word, *known, *hint;
    } cases[] = {
        { "mtach", "match", "; did you mean \"match\"?" },
        { "MATCH", "match", "; did you mean \"match\"?" },
        { "host-keys", "host_keys", "; did you mean \"host_keys\"?" },
        { "batch_size", "match", "" },
        { "a", "b", "" },
        { "", "match", "" },
    };
    char out[CONFIG_HINT_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config_hint hint = { .word = cases[i].word };
        config_hint_try(&hint, "something_else_entirely");
        config_hint_try(&hint, cases[i].known);
        assert_string_equal(config_hint_text(&hint, out), cases[i].hint);
    }
}

static void a_host_without_a_port_gets_the_one_that_is_meant(void **state)
{
    (void)state;
    struct config_address address;
    char longest[CONFIG_HOST_MAX + 2];

    assert_null(config_host_parse("idp.example.com", 443, &address));
    assert_string_equal(address.host, "idp.example.com");
    assert_int_equal(address.port, 443);
    assert_null(config_host_parse("idp.example.com:8443", 443, &address));
    assert_int_equal(address.port, 8443);
    assert_null(config_host_parse("[::1]", 443, &address));
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 443);
    assert_null(config_host_parse("[::1]:8443", 443, &address));
    assert_int_equal(address.port, 8443);
    assert_non_null(config_host_parse("::1", 443, &address));
    assert_non_null(config_host_parse("", 443, &address));
    assert_non_null(config_host_parse("idp.example.com/", 443, &address));
    memset(longest, 'a', sizeof longest);
    longest[CONFIG_HOST_MAX] = '\0';
    assert_null(config_host_parse(longest, 443, &address));
    longest[CONFIG_HOST_MAX] = 'a';
    longest[CONFIG_HOST_MAX + 1] = '\0';
    assert_string_equal(config_host_parse(longest, 443, &address), "the host name is too long");
}

static void an_address_with_one_byte_changed_is_none(void **state)
{
    (void)state;
    static const char *const good[] = { "127.0.0.1:5432", "[::1]:1", "db-1.example.com:65535",
                                        "localhost:80" };
    static const char *const bad[] = { "127.0.0.1;5432",
                                       "127.0.0.:5432",
                                       "[::1:1",
                                       "[::g]:1",
                                       "[::1]1",
                                       "[]:1",
                                       "db 1.example.com:1",
                                       "db..com:1",
                                       "db:65536",
                                       "db:-1",
                                       "db:+1",
                                       "db: 1",
                                       "db:1 ",
                                       "db:",
                                       ":",
                                       "",
                                       "[",
                                       "]:1",
                                       "[::1]:1:1" };
    struct config_address address;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(config_address_parse(good[i], &address));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!config_address_parse(bad[i], &address))
            fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_cannot_be_read_is_one_fault_without_a_line),
        cmocka_unit_test(a_file_beyond_the_limit_is_refused_and_one_at_it_is_read),
        cmocka_unit_test(a_file_of_certificates_rides_in_the_config_up_to_its_limit),
        cmocka_unit_test(a_file_of_keys_has_at_most_so_many_keys_and_bytes),
        cmocka_unit_test(a_role_asks_for_at_most_so_many_claims),
        cmocka_unit_test(a_list_has_at_most_so_many_items),
        cmocka_unit_test(a_file_has_at_most_so_many_values),
        cmocka_unit_test(lists_are_nested_as_deeply_as_the_limit_and_no_deeper),
        cmocka_unit_test(faults_beyond_the_limit_are_counted_and_said_so),
        cmocka_unit_test(a_hint_names_the_nearest_word_or_none),
        cmocka_unit_test(a_host_without_a_port_gets_the_one_that_is_meant),
        cmocka_unit_test(an_address_with_one_byte_changed_is_none),
    };

    return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
