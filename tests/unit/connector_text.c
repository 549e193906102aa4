/* What the connector makes of a client's settings, and of libpq's trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vault/connector_options.h"
#include "vault/connector_trace.h"

static int fold(const char *name, const char *value, char out[256])
{
    Ipc__Variable item = IPC__VARIABLE__INIT, *items[] = { &item };
    struct options options = { 0 };

    item.name = (char *)(uintptr_t)name;
    item.value = (char *)(uintptr_t)value;
    int r = options_fold(items, 1, &options, NULL);

    if (!r)
        snprintf(out, 256, "%s|%s|%s", options.application_name ? options.application_name : "",
                 options.client_encoding, options.folded);
    options_free(&options);
    return r;
}

static void settings_are_folded_and_checked(void **state)
{
    static const char *const refused[][2] = {
        { "replication", "database" },
        { "Role", "postgres" },
        { "session_authorization", "x" },
        { "options", "-c x=y" },
        { "user", "x" },
        { "a b", "x" },
        { "", "x" },
        { "x=y", "z" },
        { "client_encoding", "SJIS" },
        { "client_encoding", "Big-5" },
        { "client_encoding", "GBK" },
        { "client_encoding", "windows-949" },
        { "client_encoding", "WIN936" },
        { "client_encoding", "nonsense" },
        { "client_encoding", "johab" },
        { "standard_conforming_strings", "off" },
        { "-c", "x" },
    };
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (fold(refused[i][0], refused[i][1], out) == 0)
            fail_msg("%s=%s was taken", refused[i][0], refused[i][1]);
    assert_int_equal(fold("work_mem", "1 MB\\", out), 0);
    assert_string_equal(out, "|UTF8|-c work_mem=1\\ MB\\\\ -c standard_conforming_strings=on");
    assert_int_equal(fold("application_name", "a b", out), 0);
    assert_string_equal(out, "a b|UTF8|-c standard_conforming_strings=on");
    assert_int_equal(fold("client_encoding", "iso-8859-15", out), 0);
    assert_string_equal(out, "|iso-8859-15|-c standard_conforming_strings=on");
}

static void settings_are_bounded(void **state)
{
    Ipc__Variable item = IPC__VARIABLE__INIT, *items[OPTIONS_MAX + 1];
    CLEANUP(free) char *longest = calloc(1, OPTION_VALUE_MAX + 2);
    struct options options = { 0 };
    char out[256];

    (void)state;
    item.name = (char *)"geqo";
    item.value = (char *)"on";
    for (size_t i = 0; i <= OPTIONS_MAX; i++)
        items[i] = &item;
    assert_int_equal(options_fold(items, OPTIONS_MAX, &options, NULL), 0);
    options_free(&options);
    assert_int_not_equal(options_fold(items, OPTIONS_MAX + 1, &options, NULL), 0);
    memset(longest, 'x', OPTION_VALUE_MAX + 1);
    assert_int_not_equal(fold("geqo", longest, out), 0);
    item.value = longest;
    longest[OPTION_VALUE_MAX] = '\0';
    assert_int_not_equal(options_fold(items, OPTIONS_MAX, &options, NULL), 0);
}

static void a_trace_gives_names_and_the_key_of_our_pid(void **state)
{
    static const char text[] =
        "2026-11-23 03:00:00.000000\tF\t8\tSSLRequest\n"
        "2026-11-23 03:00:00.000001\tB\t23\tParameterStatus\t \"is_superuser\" \"off\"\n"
        "2026-11-23 03:00:00.000001\tB\t30\tParameterStatus\t \"application_name\" \"a\n"
        "x\tB\t12\tBackendKeyData\t 1 2\"\n"
        "2026-11-23 03:00:00.000001\tB\t12\tBackendKeyData\t 4711 -2\n"
        "2026-11-23 03:00:00.000001\tB\t12\tBackendKeyData\t 4711 5\n";
    struct trace trace;

    (void)state;
    assert_int_equal(trace_read(text, 4711, &trace), 0);
    assert_int_equal(trace.n_names, 2);
    assert_string_equal(trace.names[0], "is_superuser");
    assert_string_equal(trace.names[1], "application_name");
    assert_memory_equal(trace.key, "\xff\xff\xff\xfe", 4);
    assert_int_not_equal(trace_read(text, 4712, &trace), 0);
    assert_int_not_equal(trace_read("", 1, &trace), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_folded_and_checked),
        cmocka_unit_test(settings_are_bounded),
        cmocka_unit_test(a_trace_gives_names_and_the_key_of_our_pid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
