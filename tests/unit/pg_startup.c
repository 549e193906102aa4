/* Startup packets: what may come, what is refused with a word, what is closed without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "channels/pg/settings.h"
#include "channels/pg/startup.h"

#define BYTES(text) (text), sizeof(text) - 1
#define V3          "\0\3\0\0"

struct packet {
    uint8_t bytes[STARTUP_PACKET_MAX + 16];
    size_t n;
};

/* The length, then what is given. */
static struct packet packet_of(const char *rest, size_t n)
{
    struct packet p = { .n = n + 4 };
    p.bytes[2] = (uint8_t)(p.n >> 8);
    p.bytes[3] = (uint8_t)p.n;
    memcpy(p.bytes + 4, rest, n);
    return p;
}

static int read_it(const char *rest, size_t n, struct startup *startup, struct detail *detail)
{
    struct packet p = packet_of(rest, n);
    return startup_read(p.bytes, p.n, startup, detail);
}

static const char *option(const struct startup *startup, const char *name)
{
    for (size_t i = 0; i < startup->n_options; i++) {
        if (strcmp(startup->options[i]->name, name) == 0)
            return startup->options[i]->value;
    }
    return NULL;
}

static void settings_of_the_list_are_kept_and_user_and_database_are_not(void **state)
{
    struct startup s;
    (void)state;
    assert_int_equal(
        read_it(BYTES(V3 "user\0u\0database\0d\0application_name\0a b\0TimeZone\0UTC\0\0"), &s, NULL), 0);
    assert_int_equal(s.kind, STARTUP_SESSION);
    assert_string_equal(option(&s, "application_name"), "a b");
    assert_string_equal(option(&s, "TimeZone"), "UTC");
    assert_string_equal(option(&s, "standard_conforming_strings"), "on");
    assert_null(option(&s, "user"));
    assert_null(option(&s, "database"));
    assert_int_equal(s.n_options, 3);
    assert_false(s.negotiate);
    startup_free(&s);
}

static void options_are_taken_apart_as_the_server_does(void **state)
{
    struct startup s;
    (void)state;
    assert_int_equal(
        read_it(BYTES(V3 "user\0u\0geqo\0off\0options\0 -c search_path=a,\\ b --statement-timeout=5s  "
                         "-clock_timeout=1 -c geqo=on\0\0"),
                &s, NULL),
        0);
    assert_string_equal(option(&s, "search_path"), "a, b");
    assert_string_equal(option(&s, "statement_timeout"), "5s");
    assert_string_equal(option(&s, "lock_timeout"), "1");
    assert_string_equal(option(&s, "geqo"), "off"); /* the packet's own word wins */
    startup_free(&s);
}

static void newer_minors_and_extensions_are_noted(void **state)
{
    struct startup s;
    (void)state;
    assert_int_equal(read_it(BYTES("\0\3\0\2user\0u\0_pq_.x\0001\0\0"), &s, NULL), 0);
    assert_true(s.negotiate);
    assert_int_equal(s.n_unknown, 1);
    assert_string_equal(s.unknown[0], "_pq_.x");
    startup_free(&s);
}

static void a_cancel_request_carries_a_key_of_any_length_up_to_256(void **state)
{
    struct startup s;
    char long_key[8 + 257] = "\x04\xd2\x16\x2e\0\0\0\7";
    (void)state;
    assert_int_equal(read_it(BYTES("\x04\xd2\x16\x2e\0\0\0\7key!"), &s, NULL), 0);
    assert_int_equal(s.kind, STARTUP_CANCEL);
    assert_int_equal(s.cancel_pid, 7);
    assert_int_equal(s.cancel_key_n, 4);
    assert_memory_equal(s.cancel_key, "key!", 4);
    assert_int_equal(read_it(long_key, 8 + 256, &s, NULL), 0);
    assert_int_equal(read_it(long_key, 8 + 257, &s, NULL), STARTUP_FOREIGN);
    assert_int_equal(read_it(long_key, 8, &s, NULL), STARTUP_FOREIGN);
}

static void encryption_requests_are_exactly_eight_bytes(void **state)
{
    struct startup s;
    (void)state;
    assert_int_equal(read_it(BYTES("\x04\xd2\x16\x2f"), &s, NULL), 0);
    assert_int_equal(s.kind, STARTUP_ENCRYPTION);
    assert_int_equal(s.size, 8);
    assert_int_equal(read_it(BYTES("\x04\xd2\x16\x30"), &s, NULL), 0);
    assert_int_equal(read_it(BYTES("\x04\xd2\x16\x2f!"), &s, NULL), STARTUP_FOREIGN);
}

static void what_can_not_be_honoured_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *rest;
        size_t n;
        const char *word;
    } cases[] = {
        { BYTES(V3 "user\0u\0work_mem\0001GB\0\0"), "work_mem" },
        { BYTES(V3 "user\0u\0replication\0database\0\0"), "replication" },
        { BYTES(V3 "user\0u\0client_encoding\0SJIS\0\0"), "SJIS" },
        { BYTES(V3 "user\0u\0Standard_Conforming_Strings\0off\0\0"), "stay on" },
        { BYTES(V3 "user\0u\0options\0-c standard-conforming-strings=off\0\0"), "stay on" },
        { BYTES(V3 "user\0u\0options\0-c role=x\0\0"), "role" },
        { BYTES(V3 "user\0u\0options\0-f file\0\0"), "NAME=VALUE" },
        { BYTES(V3 "user\0u\0options\0-c\0\0"), "NAME=VALUE" },
        { BYTES(V3 "user\0u\0options\0\0options\0\0\0"), "only once" },
        { BYTES(V3 "user\0u\0application_name\0\xff\0\0"), "UTF-8" },
        { BYTES(V3 "database\0d\0\0"), "user name" },
        { BYTES(V3 "user\0\0\0"), "user name" },
        { BYTES(V3 "user\0u\0"), "layout" },
        { BYTES(V3 "user\0u\0\0more"), "layout" },
        { BYTES(V3 "user\0u"), "layout" },
        { BYTES(V3), "layout" },
        { BYTES("\0\2\0\0user\0u\0\0"), "2.0" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct startup s;
        struct detail detail = { "" };
        assert_int_equal(read_it(cases[i].rest, cases[i].n, &s, &detail), STARTUP_REFUSED);
        assert_non_null(strstr(detail.text, cases[i].word));
    }
}

static void more_settings_than_the_limit_are_refused(void **state)
{
    struct packet p = packet_of(BYTES(V3));
    struct startup s;
    struct detail detail = { "" };
    (void)state;
    for (int i = 0; i <= STARTUP_OPTIONS_MAX; i++)
        p.n += (size_t)snprintf((char *)p.bytes + p.n, 32, "_pq_.%d%c1", i, 0) + 1;
    memcpy(p.bytes + p.n, "user\0u\0", 8);
    p.n += 8;
    p.bytes[2] = (uint8_t)(p.n >> 8);
    p.bytes[3] = (uint8_t)p.n;
    assert_int_equal(startup_read(p.bytes, p.n, &s, &detail), STARTUP_REFUSED);
    assert_non_null(strstr(detail.text, "limit 64"));
}

static void other_protocols_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *word;
    } cases[] = {
        { BYTES("\x16\x03\x01\x02"), "TLS" },   { BYTES("SSH-2.0-x"), "SSH" },
        { BYTES("GET / H"), "HTTP" },           { BYTES("\x05\x01\x00"), "SOCKS" },
        { BYTES("\x04\x01\x00\x50"), "SOCKS" }, { BYTES("\x7f\xff\xff\xff"), "claims" },
        { BYTES("\0\0\0\7"), "claims" },        { BYTES("\0\0\x27\x11"), "claims" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct startup s;
        struct detail detail = { "" };
        assert_int_equal(startup_read((const uint8_t *)cases[i].bytes, cases[i].n, &s, &detail),
                         STARTUP_FOREIGN);
        assert_non_null(strstr(detail.text, cases[i].word));
    }
}

static void every_beginning_of_a_packet_waits_for_more(void **state)
{
    struct packet p = packet_of(BYTES(V3 "user\0u\0application_name\0x\0\0"));
    struct startup s;
    (void)state;
    for (size_t n = 0; n < p.n; n++)
        assert_int_equal(startup_read(p.bytes, n, &s, NULL), STARTUP_SHORT);
    assert_int_equal(startup_read(p.bytes, p.n, &s, NULL), 0);
    startup_free(&s);
}

static void encodings_are_safe_ascii_or_refused(void **state)
{
    (void)state;
    assert_int_equal(setting_encoding("UTF8"), TEXT_UTF8);
    assert_int_equal(setting_encoding("'utf-8'"), TEXT_UTF8);
    assert_int_equal(setting_encoding("SQL_ASCII"), TEXT_UTF8);
    assert_int_equal(setting_encoding("LATIN1"), TEXT_ASCII);
    assert_int_equal(setting_encoding("WIN1252"), TEXT_ASCII);
    assert_int_equal(setting_encoding("SJIS"), TEXT_UNSAFE);
    assert_int_equal(setting_encoding("GB18030"), TEXT_UNSAFE);
    assert_int_equal(setting_encoding("EUC_JP"), TEXT_UNSAFE);
    assert_int_equal(setting_encoding(""), TEXT_UNSAFE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_the_list_are_kept_and_user_and_database_are_not),
        cmocka_unit_test(options_are_taken_apart_as_the_server_does),
        cmocka_unit_test(newer_minors_and_extensions_are_noted),
        cmocka_unit_test(a_cancel_request_carries_a_key_of_any_length_up_to_256),
        cmocka_unit_test(encryption_requests_are_exactly_eight_bytes),
        cmocka_unit_test(what_can_not_be_honoured_is_refused_by_its_name),
        cmocka_unit_test(more_settings_than_the_limit_are_refused),
        cmocka_unit_test(other_protocols_are_named),
        cmocka_unit_test(every_beginning_of_a_packet_waits_for_more),
        cmocka_unit_test(encodings_are_safe_ascii_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
