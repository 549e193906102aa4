/* What a user of psql may try to get out of the sandbox: each attempt fails, with a message, and the session
 * goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "launcher_house.h"

static struct house *house;
enum { LIMIT = 20000 };

struct attempt {
    const char *typed;
    const char *complaint; /* what psql says; "" when it says nothing */
    const char *leak;      /* what must not come out; or NULL */
};

/* clang-format off */
static const struct attempt attempts[] = {
    /* programs; psql 15 is silent about \! */
    { "\\! id", "", "uid=" },
    { "\\!", "", NULL },
    { "\\set x `id`\n\\echo <:x>", "Cannot allocate memory", "uid=" },
    { "\\echo `cat /etc/passwd`", "Cannot allocate memory", "root:" },
    { "\\o |cat\nselect 'o-' || 'pipe';\n\\o", "|cat: ", "o-pipe\n\n" },
    { "select 1 as g \\g |cat", "|cat: ", NULL },
    { "select 1 as g \\gx |cat", "|cat: ", NULL },
    { "\\w |cat", "|cat: ", NULL },
    { "\\copy t to program 'id'", "could not execute command \"id\"", "uid=" },
    { "\\copy t from program 'id'", "could not execute command \"id\"", "uid=" },
    { "\\copy (select 1) to program 'cat > /tmp/gatehouse-escape'", "could not execute command", NULL },
    { "\\e", "could not open temporary file", NULL },
    { "select 1\n\\e", "could not open temporary file", NULL },
    { "\\ef", "could not open temporary file", NULL },
    { "\\ev", "could not open temporary file", NULL },
    { "\\setenv EDITOR 'sh -c id'\n\\e", "could not open temporary file", "uid=" },
    { "\\setenv PSQL_EDITOR /bin/sh\n\\e", "could not open temporary file", NULL },
    { "\\setenv SHELL /bin/echo\n\\! id", "", "uid=" },
    { "\\setenv PATH /bin:/usr/bin\n\\! id", "", "uid=" },
    { "\\setenv COMSPEC id\n\\!", "", NULL },
    /* files to read */
    { "\\i /etc/passwd", "/etc/passwd: Permission denied", "root:" },
    { "\\ir /etc/hosts", "/etc/hosts: Permission denied", NULL },
    { "\\include /proc/self/environ", "/proc/self/environ: Permission denied", "PGHOST" },
    { "\\include_relative ../../../etc/passwd", "Permission denied", "root:" },
    { "\\i /proc/self/cmdline", "Permission denied", NULL },
    { "\\i /proc/1/cmdline", "Permission denied", NULL },
    { "\\i /etc/shadow", "Permission denied", NULL },
    { "\\i ~root/.bashrc", "~root/.bashrc: ", NULL },
    { "\\copy t from '/etc/passwd'", "/etc/passwd: Permission denied", NULL },
    { "\\copy t from '/proc/self/environ'", "/proc/self/environ: Permission denied", NULL },
    { "\\lo_import /etc/passwd", "could not open file \"/etc/passwd\"", NULL },
    /* files to write */
    { "\\o /tmp/gatehouse-escape\nselect 1;\n\\o", "/tmp/gatehouse-escape: Permission denied", NULL },
    { "\\o /dev/shm/gatehouse-escape", "/dev/shm/gatehouse-escape: Permission denied", NULL },
    { "\\o /dev/pts/0", "/dev/pts/0: ", NULL },
    { "select 1 \\g /tmp/gatehouse-escape", "/tmp/gatehouse-escape: Permission denied", NULL },
    { "\\copy (select 1) to '/tmp/gatehouse-escape'", "/tmp/gatehouse-escape: Permission denied", NULL },
    { "select 1\n\\w /tmp/gatehouse-escape", "/tmp/gatehouse-escape: Permission denied", NULL },
    { "select 1;\n\\s /tmp/gatehouse-escape", "", NULL },
    { "\\lo_export 1 /tmp/gatehouse-escape", "large object", NULL },
    { "\\setenv TMPDIR /dev/shm\n\\e", "could not open temporary file \"/dev/shm/", NULL },
    { "\\cd /root", "could not change directory to \"/root\"", NULL },
    { "\\cd /tmp\n\\o gatehouse-escape", "gatehouse-escape: Permission denied", NULL },
    { "\\cd /proc/self\n\\i environ", "environ: Permission denied", "PGHOST" },
    /* other servers */
    { "\\c \"host=127.0.0.1 port=5432 dbname=orders\"", "could not create socket: Permission denied", NULL },
    { "\\c \"host=::1 port=5432 dbname=orders\"", "could not create socket: Permission denied", NULL },
    { "\\c \"hostaddr=127.0.0.1 port=22 dbname=orders\"", "could not create socket: Permission denied", NULL },
    { "\\c \"host=localhost dbname=orders\"", "could not translate host name", NULL },
    { "\\c - - 127.0.0.1 22", "could not create socket: Permission denied", NULL },
    { "\\c postgres://127.0.0.1:5432/orders", "could not create socket: Permission denied", NULL },
    { "\\c \"service=x\"", "service file", NULL },
    { "\\setenv PGPASSFILE /etc/passwd\n\\c \"host=127.0.0.1 dbname=orders\"", "could not create socket", NULL },
    { "\\setenv PGSERVICEFILE /etc/passwd\n\\c \"service=root\"", "service file", NULL },
    { "\\setenv PGSSLMODE require\n\\c \"host=127.0.0.1 dbname=orders sslmode=require sslrootcert=/etc/passwd\"",
      "could not create socket", NULL },
};
/* clang-format on */
enum { ATTEMPTS = sizeof attempts / sizeof attempts[0] };

static void one_fails(const struct attempt *attempt)
{
    struct run run = { .words = { "-f", "-" } };
    house_run(house, &run);
    house_type(&run, attempt->typed);
    house_type(&run, "\n\\r\n\\o\nselect 'the session ' || 'goes on';\n");
    house_end_input(&run);
    if (!house_ends(house, &run, LIMIT))
        fail_msg("%s: does not end", attempt->typed);
    const char *errors = run.errors.bytes ? run.errors.bytes : "",
               *output = run.output.bytes ? run.output.bytes : "";
    if (!strstr(errors, attempt->complaint))
        fail_msg("%s: says '%s%s' and not '%s'", attempt->typed, errors, output, attempt->complaint);
    if (attempt->leak && (strstr(output, attempt->leak) || strstr(errors, attempt->leak)))
        fail_msg("%s: lets out '%s'", attempt->typed, output);
    run_free(&run);
}

static void every_attempt_fails_with_a_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < ATTEMPTS; i++)
        one_fails(&attempts[i]);
    assert_true(access("/tmp/gatehouse-escape", F_OK) < 0);
    assert_true(access("/dev/shm/gatehouse-escape", F_OK) < 0);
}

static void after_an_attempt_the_session_goes_on(void **state)
{
    (void)state;
    static const char *const typed[] = { "\\! id\n", "\\i /etc/passwd\n", "\\o /tmp/gatehouse-escape\n",
                                         "\\e\n" };
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        struct run run = { .words = { "-f", "-" } };
        house_run(house, &run);
        house_type(&run, typed[i]);
        house_type(&run, "select 'the session ' || 'goes on';\n");
        house_end_input(&run);
        assert_true(house_ends(house, &run, LIMIT));
        assert_non_null(strstr(run.output.bytes, "the session goes on"));
        run_free(&run);
    }
}

static void every_unix_socket_ends_at_the_gate(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-f", "-" } };
    house_run(house, &run);
    house_type(&run, "\\c \"host=/run/postgresql port=5432 dbname=orders user=tester\"\n\\c \"host=@abstract "
                     "dbname=orders "
                     "user=tester\"\nselect current_setting('port');\n");
    house_end_input(&run);
    assert_true(house_ends(house, &run, LIMIT));
    assert_int_equal(house->connects, 3);
    assert_non_null(strstr(run.output.bytes, "21300\n")); /* the house's server, not that of the path */
    run_free(&run);
}

static void a_pager_that_is_set_later_is_not_started(void **state)
{
    (void)state;
    struct run run = { .pty = true };
    house_run(house, &run);
    assert_true(house_sees(house, &run, 0, "orders=#", LIMIT));
    house_type(&run, "\\setenv PAGER 'sh -c id'\r\\setenv PSQL_PAGER 'sh -c id'\r\\pset pager always\r"
                     "select generate_series(1, 100);\r");
    assert_true(house_sees(house, &run, 0, "(100 rows)", LIMIT));
    assert_null(strstr(run.output.bytes, "uid="));
    house_type(&run, "\\q\r");
    assert_true(house_ends(house, &run, LIMIT));
    run_free(&run);
}

static void completion_lists_no_files(void **state)
{
    (void)state;
    struct run run = { .pty = true };
    house_run(house, &run);
    assert_true(house_sees(house, &run, 0, "orders=#", LIMIT));
    house_type(&run, "\\i /etc/pass\t\t");
    house_pump(house, 500);
    assert_null(strstr(run.output.bytes, "/etc/passwd"));
    house_type(&run, "\x03");
    house_pump(house, 200);
    house_type(&run, "\\q\r");
    assert_true(house_ends(house, &run, LIMIT));
    run_free(&run);
}

/* The list is in sandbox_probe.c: processes, files, sockets, the kernel's corners. */
static void a_program_that_makes_any_call_it_likes_gets_nowhere(void **state)
{
    (void)state;
    struct run run = { .player = true, .words = { "escapes" } };
    house_run(house, &run);
    assert_true(house_ends(house, &run, LIMIT));
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.output.bytes, "signal_self=done\nend of attempts\n"));
    size_t tried = 0;
    for (char *line = strtok(run.output.bytes, "\n"); line; line = strtok(NULL, "\n")) {
        const char *result = strchr(line, '=');
        tried += result != NULL;
        if (result && strcmp(result, "=done") == 0 && strcmp(line, "signal_self=done") != 0)
            fail_msg("%s", line);
    }
    assert_true(tried >= 80);
    run_free(&run);
}

static int open_house(void **state)
{
    (void)state;
    house = house_open(PROBE);
    house_sql(house, "orders", "create table t(line text)");
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_close(house);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attempt_fails_with_a_message),
        cmocka_unit_test(after_an_attempt_the_session_goes_on),
        cmocka_unit_test(every_unix_socket_ends_at_the_gate),
        cmocka_unit_test(a_pager_that_is_set_later_is_not_started),
        cmocka_unit_test(completion_lists_no_files),
        cmocka_unit_test(a_program_that_makes_any_call_it_likes_gets_nowhere),
    };
    return cmocka_run_group_tests_name("launcher_escapes", tests, open_house, close_house);
}
