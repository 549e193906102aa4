/* The real gatehouse-launcher, the real psql, a real PostgreSQL; launcher_house.c plays listener, gate and
 * network. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/io.h"
#include "base/ipc.h"
#include "launcher_house.h"
#include "server/launcher.h"

static struct house *house;
enum { LIMIT = 20000 };

#define PROMPT "orders=#"

static void ends_with(struct run *run, uint32_t status)
{
    if (!house_ends(house, run, LIMIT))
        fail_msg("it does not end; output so far: %s", run->output.bytes);
    if (run->status != status || run->signal[0])
        fail_msg("status %u signal %s: %s", run->status, run->signal, run->errors.bytes);
}

static void sees(struct run *run, size_t from, const char *text)
{
    if (!house_sees(house, run, from, text, LIMIT))
        fail_msg("'%s' does not come; output since: %s", text,
                 run->output.bytes ? run->output.bytes + from : "nothing");
}

/* What it prints after `text` is typed, up to `until`. */
static void answers(struct run *run, const char *typed, const char *until)
{
    size_t from = run->output.n;
    house_type(run, typed);
    sees(run, from, until);
}

/* Until readline waits: what is typed before that may be lost when it changes the terminal's mode. */
static void is_at_prompt(struct run *run)
{
    static const char prompt[] = PROMPT " ";
    for (int ms = 0; ms < LIMIT; ms += 20) {
        size_t n = run->output.n;
        if (n >= strlen(prompt) && strcmp(run->output.bytes + n - strlen(prompt), prompt) == 0)
            return;
        house_pump(house, 20);
    }
    fail_msg("no prompt at the end of: %s", run->output.bytes);
}

static void at_prompt_answers(struct run *run, const char *typed, const char *until)
{
    is_at_prompt(run);
    answers(run, typed, until);
}

static void leaves(struct run *run, const char *typed)
{
    is_at_prompt(run);
    house_type(run, typed);
    ends_with(run, 0);
}

/* ---- queries ---- */

static void a_query_runs_and_its_result_comes_out(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-c", "select 6 * 7" } };
    house_run(house, &run);
    ends_with(&run, 0);
    assert_string_equal(run.output.bytes, "42\n");
    assert_null(run.errors.bytes);
    assert_int_equal(house->connects, 1);
    run_free(&run);
}

static void standard_input_is_a_script(void **state)
{
    (void)state;
    struct run run = { .words = { "-At" } };
    house_run(house, &run);
    house_type(&run, "create table customers(id int primary key, email text);\n"
                     "insert into customers values (1, 'ann@example.com');\nselect email from customers;\n");
    house_end_input(&run);
    ends_with(&run, 0);
    assert_non_null(strstr(run.output.bytes, "ann@example.com\n"));
    run_free(&run);
}

static void a_file_named_minus_is_standard_input(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-f", "-" } };
    house_run(house, &run);
    house_type(&run,
               "select 'from ' || 'f';\n\\copy customers(id, email) from pstdin\n2\tbob@example.com\n\\.\n"
               "\\copy customers to pstdout\n");
    house_end_input(&run);
    ends_with(&run, 0);
    assert_non_null(strstr(run.output.bytes, "from f\n"));
    assert_non_null(strstr(run.output.bytes, "2\tbob@example.com\n"));
    run_free(&run);
}

static void describing_a_table_works(void **state)
{
    (void)state;
    struct run run = { .words = { "-c", "\\d customers" } };
    house_run(house, &run);
    ends_with(&run, 0);
    assert_non_null(strstr(run.output.bytes, "customers_pkey"));
    run_free(&run);
}

static void gexec_and_variables_work(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-v", "n=5", "-f", "-" } };
    house_run(house, &run);
    house_type(&run, "select 'select ' || :n || ' + 1' \\gexec\n\\gset\n");
    house_end_input(&run);
    ends_with(&run, 0);
    assert_string_equal(run.output.bytes, "6\n");
    run_free(&run);
}

static void psqls_own_exit_statuses_come_through(void **state)
{
    (void)state;
    struct run bad_query = { .words = { "-c", "select 1/0" } };
    house_run(house, &bad_query);
    ends_with(&bad_query, 1);
    assert_non_null(strstr(bad_query.errors.bytes, "division by zero"));
    run_free(&bad_query);

    struct run bad_script = { .words = { "-v", "ON_ERROR_STOP=1", "-f", "-" } };
    house_run(house, &bad_script);
    house_type(&bad_script, "select 1/0;\n");
    house_end_input(&bad_script);
    ends_with(&bad_script, 3);
    run_free(&bad_script);
}

static void help_and_version_work_without_a_server(void **state)
{
    (void)state;
    static const char *const words[] = { "--help", "--version" };
    for (size_t i = 0; i < 2; i++) {
        struct run run = { .words = { words[i] } };
        house_run(house, &run);
        ends_with(&run, 0);
        assert_non_null(strstr(run.output.bytes, i ? "psql (PostgreSQL)" : "--single-transaction"));
        assert_int_equal(house->connects, 0);
        run_free(&run);
    }
}

static void the_users_application_name_reaches_the_server(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-c", "show application_name" },
                       .environment = { "PGAPPNAME", "nightly" } };
    house_run(house, &run);
    ends_with(&run, 0);
    assert_string_equal(run.output.bytes, "nightly\n");
    run_free(&run);
}

static void other_variables_of_the_user_are_dropped(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-c", "\\getenv h PGHOST", "-c", "\\echo :h" },
                       .environment = { "PGHOST", "127.0.0.1" } };
    house_run(house, &run);
    ends_with(&run, 0);
    assert_string_equal(run.output.bytes, "/gatehouse\n");
    run_free(&run);
}

static void a_large_result_arrives_whole(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-c", "copy (select generate_series(1, 1000000)) to stdout" } };
    house_run(house, &run);
    ends_with(&run, 0);
    assert_int_equal(run.output.n, 6888896);
    assert_string_equal(run.output.bytes + run.output.n - 8, "1000000\n");
    run_free(&run);
}

static void a_reader_that_sleeps_loses_nothing(void **state)
{
    (void)state;
    struct run run = { .words = { "-At", "-c", "copy (select generate_series(1, 200000)) to stdout" },
                       .deaf = true };
    house_run(house, &run);
    house_pump(house, 700);
    assert_false(run.exited);
    run.deaf = false;
    ends_with(&run, 0);
    assert_string_equal(run.output.bytes + run.output.n - 7, "200000\n");
    run_free(&run);
}

/* ---- signals ---- */

static void int_cancels_the_query_by_a_second_connection(void **state)
{
    (void)state;
    struct run run = { .words = { "-c", "select pg_sleep(60)" } };
    house_run(house, &run);
    house_pump(house, 500);
    house_signal(house, &run, "INT");
    ends_with(&run, 1);
    assert_non_null(strstr(run.errors.bytes, "canceling statement due to user request"));
    assert_int_equal(house->connects, 2);
    run_free(&run);
}

static void int_ends_watch(void **state)
{
    (void)state;
    struct run run = { .words = { "-At" } };
    house_run(house, &run);
    house_type(&run, "select 'tick' \\watch 0.1\n");
    sees(&run, 0, "tick");
    house_pump(house, 300);
    house_signal(house, &run, "INT");
    house_pump(house, 300);
    house_end_input(&run);
    assert_true(house_ends(house, &run, LIMIT));
    assert_true(run.status == 0 || run.status == 3); /* as elsewhere: 3 when a query was under way */
    run_free(&run);
}

static void a_tool_that_a_signal_ends_is_reported_so(void **state)
{
    (void)state;
    static const char *const names[] = { "TERM", "KILL", "HUP", "QUIT" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct run run = { .words = { "-c", "select pg_sleep(60)" } };
        house_run(house, &run);
        house_pump(house, 200);
        house_signal(house, &run, "NONSENSE");
        house_signal(house, &run, names[i]);
        assert_true(house_ends(house, &run, LIMIT));
        assert_string_equal(run.signal, names[i]);
        run_free(&run);
    }
}

/* ---- at a terminal ---- */

static void a_terminal_session_feels_like_psql(void **state)
{
    (void)state;
    struct run run = { .pty = true };
    house_run(house, &run);
    at_prompt_answers(&run, "select email from cust\t", "omers"); /* completed by a query of psql */
    answers(&run, "where id = 1;\r", "ann@example.com");
    at_prompt_answers(&run, "\x10", "select email from customers"); /* history */
    answers(&run, "\x03", PROMPT);
    at_prompt_answers(&run, "select generate_series(1, 300);\r", "(300 rows)");
    at_prompt_answers(&run, "\\prompt 'na''me? ' x\r", "na'me? ");
    answers(&run, "x1\r", PROMPT);
    at_prompt_answers(&run, "\\echo <:x>\r", "<x1>");
    at_prompt_answers(&run, "\\conninfo\r", "connected to database \"orders\" as user \"tester\"");
    leaves(&run, "\\q\r");
    run_free(&run);
}

static void control_c_at_a_terminal_cancels(void **state)
{
    (void)state;
    struct run run = { .pty = true };
    house_run(house, &run);
    is_at_prompt(&run);
    house_type(&run, "select pg_sleep(60);\r");
    house_pump(house, 400);
    answers(&run, "\x03", "canceling statement due to user request");
    at_prompt_answers(&run, "select 'tick' \\watch 0.1\r", "(every 0.1s)");
    house_pump(house, 400);
    answers(&run, "\x03", PROMPT);
    at_prompt_answers(&run, "select 'still ' || 'here';\r", "still here");
    leaves(&run, "\x04");
    run_free(&run);
}

static void control_z_stops_nothing(void **state)
{
    (void)state;
    struct run run = { .pty = true };
    house_run(house, &run);
    is_at_prompt(&run);
    house_type(&run, "\x1a");
    house_pump(house, 200);
    answers(&run, "\rselect 'not ' || 'stopped';\r", "not stopped");
    is_at_prompt(&run);
    house_type(&run, "select 'slept ' || pg_sleep(1);\r");
    house_pump(house, 300);
    answers(&run, "\x1a", "slept ");
    at_prompt_answers(&run, "select 'goes ' || 'on';\r", "goes on");
    leaves(&run, "\\q\r");
    run_free(&run);
}

static void a_password_is_asked_for_without_echo(void **state)
{
    (void)state;
    struct run run = { .pty = true };
    house_run(house, &run);
    at_prompt_answers(&run, "\\password tester\r", "Enter new password for user \"tester\":");
    answers(&run, "hunter22\r", "Enter it again:");
    answers(&run, "hunter22\r", PROMPT);
    assert_null(strstr(run.output.bytes, "hunter22"));
    leaves(&run, "\\q\r");
    run_free(&run);
}

static void the_terminals_size_is_set_and_changes(void **state)
{
    (void)state;
    struct run run = { .pty = true, .player = true, .words = { "size" } };
    house_run(house, &run);
    sees(&run, 0, "size 120x40");
    house_resize(&run, 33, 12);
    sees(&run, 0, "size 33x12");
    house_signal(house, &run, "KILL");
    assert_true(house_ends(house, &run, LIMIT));
    run_free(&run);
}

static void a_strange_terminal_type_is_no_path(void **state)
{
    (void)state;
    struct run run = { .pty = true, .term = "../../etc/passwd" };
    house_run(house, &run);
    at_prompt_answers(&run, "\\getenv t TERM\r", PROMPT);
    at_prompt_answers(&run, "\\echo <:t>\r", "<dumb>");
    leaves(&run, "\\q\r");
    run_free(&run);
}

/* ---- what is refused before it starts ---- */

static void is_refused(struct run *run, const char *code, const char *message)
{
    house_run(house, run);
    assert_string_equal(run->code, code);
    if (!strstr(run->message, message))
        fail_msg("'%s' does not say '%s'", run->message, message);
    assert_true(run->in < 0);
    house->run = NULL;
}

static void options_that_the_target_decides_are_refused(void **state)
{
    (void)state;
    is_refused(&(struct run){ .words = { "-h", "10.0.0.1" } }, "denied", "the target decides");
    is_refused(&(struct run){ .words = { "otherdb" } }, "denied", "otherdb");
    is_refused(&(struct run){ .words = { "-o", "/tmp/x" } }, "denied", "redirect its output");
    is_refused(&(struct run){ .words = { "--nonsense" } }, "usage", "--nonsense");
}

/* Whether the launcher still holds the gate's socket. */
static bool gate_is_open(void)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n;
    int r = ipc_receive_now(house->gate, 500, &message, fds, &n);
    ipc_message_free(message);
    return r == -ETIMEDOUT;
}

static void send_raw(const Ipc__Message *message)
{
    assert_int_equal(ipc_send_now(house->gate, message, NULL, 0, LIMIT), 0);
}

static void a_gate_without_a_ticket_gets_nothing(void **state)
{
    (void)state;
    uint8_t mac[32] = { 1 };
    Ipc__Ticket ticket = IPC__TICKET__INIT;
    ticket.mac = (ProtobufCBinaryData){ sizeof mac, mac };
    Ipc__Introduce introduce = IPC__INTRODUCE__INIT;
    introduce.ticket = &ticket;
    Ipc__AskRun ask = IPC__ASK_RUN__INIT;
    Ipc__Message forged = IPC_MESSAGE(INTRODUCE, introduce, &introduce),
                 early = IPC_MESSAGE(ASK_RUN, ask_run, &ask);
    const Ipc__Message *const messages[] = { &forged, &early };
    for (size_t i = 0; i < 2; i++) {
        house_drop_gate(house);
        int pair[2];
        assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
        Ipc__Peer peer = IPC__PEER__INIT;
        Ipc__Message born = IPC_MESSAGE(PEER, peer, &peer);
        assert_int_equal(ipc_send_now(house->control, &born, &pair[1], 1, LIMIT), 0);
        (void)close(pair[1]);
        house->gate = pair[0];
        assert_true(gate_is_open());
        send_raw(messages[i]);
        assert_false(gate_is_open());
    }
    house_new_gate(house);
    assert_true(gate_is_open());
}

static void a_second_introduction_ends_the_gate(void **state)
{
    (void)state;
    Ipc__Introduce introduce = IPC__INTRODUCE__INIT;
    Ipc__Message again = IPC_MESSAGE(INTRODUCE, introduce, &introduce);
    send_raw(&again);
    assert_false(gate_is_open());
    house_new_gate(house);
}

static void one_gate_runs_so_many_tools_and_no_more(void **state)
{
    (void)state;
    struct run runs[LAUNCHER_TOOLS_PER_GATE_MAX + 1];
    memset(runs, 0, sizeof runs);
    for (size_t i = 0; i < LAUNCHER_TOOLS_PER_GATE_MAX; i++) {
        runs[i].player = true;
        runs[i].words[0] = "stubborn";
        house_run(house, &runs[i]);
        sees(&runs[i], 0, "here");
    }
    is_refused(&runs[LAUNCHER_TOOLS_PER_GATE_MAX], "limit", "too many tools");
    assert_int_equal(house_tools(house), LAUNCHER_TOOLS_PER_GATE_MAX);
    house_new_gate(house);
    house_pump(house, LAUNCHER_HANGUP_MS / 2);
    assert_int_equal(house_tools(house), LAUNCHER_TOOLS_PER_GATE_MAX); /* they ignore SIGHUP … */
    house_pump(house, LAUNCHER_HANGUP_MS);
    assert_int_equal(house_tools(house), 0); /* … but not SIGKILL */
    for (size_t i = 0; i < LAUNCHER_TOOLS_PER_GATE_MAX; i++) {
        fd_close(runs[i].in);
        fd_close(runs[i].out);
        fd_close(runs[i].err);
        run_free(&runs[i]);
    }
}

static void a_dead_gates_psql_ends(void **state)
{
    (void)state;
    struct run run = { .words = { "-c", "select pg_sleep(60)" } };
    house_run(house, &run);
    house_pump(house, 300);
    assert_int_equal(house_tools(house), 1);
    house_new_gate(house);
    house_pump(house, 500);
    assert_int_equal(house_tools(house), 0);
    fd_close(run.in);
    fd_close(run.out);
    fd_close(run.err);
    run_free(&run);
}

static void sockets_are_given_at_a_bounded_rate(void **state)
{
    (void)state;
    struct run run = { .words = { "-q", "-f", "-" } };
    house_run(house, &run);
    for (int i = 0; i < 3 * LAUNCHER_SOCKETS_PER_SECOND; i++)
        house_type(&run, "\\c -\n");
    house_end_input(&run);
    assert_true(house_ends(house, &run, LIMIT));
    assert_non_null(strstr(run.errors.bytes, "could not create socket"));
    run_free(&run);
}

static void a_kernel_that_cannot_cage_runs_no_tools(void **state)
{
    (void)state;
    static const struct {
        int call;
        const char *says;
    } missing[] = { { SYS_landlock_create_ruleset, "no Landlock" },
                    { SYS_seccomp, "no seccomp user notification" } };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        house_relaunch(house, missing[i].call);
        is_refused(&(struct run){ .words = { "-c", "select 1" } }, "target_unavailable", missing[i].says);
        is_refused(&(struct run){ .player = true, .words = { "exit" } }, "target_unavailable",
                   missing[i].says);
    }
    house_relaunch(house, -1);
}

/* ---- the player ---- */

static void the_player_has_its_recording_and_nothing_else(void **state)
{
    (void)state;
    struct run run = { .player = true, .words = { "recording" } };
    house_run(house, &run);
    ends_with(&run, 0);
    assert_string_equal(run.output.bytes, "fd 3: 0 bytes\nfd 4: closed\n");
    run_free(&run);
}

static void an_exit_status_comes_through(void **state)
{
    (void)state;
    struct run run = { .player = true, .words = { "exit", "75" } };
    house_run(house, &run);
    ends_with(&run, 75);
    run_free(&run);
}

/* ---- the whole of it ---- */

static void a_start_costs_milliseconds(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    double start = 0, whole = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct run run = { .words = { "-At", "-c", "select 1" } };
        uint64_t began = clock_us();
        house_run(house, &run);
        ends_with(&run, 0);
        start += run.started_ms / ROUNDS;
        whole += (double)(clock_us() - began) / 1000.0 / ROUNDS;
        run_free(&run);
    }
    print_message("asked to running %.2f ms, to the end of 'select 1' %.1f ms\n", start, whole);
    assert_true(start < 100);
}

static void the_launcher_takes_its_tools_with_it(void **state)
{
    (void)state;
    struct run run = { .player = true, .words = { "stubborn" } };
    house_run(house, &run);
    sees(&run, 0, "here");
    (void)close(house->control);
    house->control = -1;
    uint64_t end = clock_ms() + LIMIT;
    char byte;
    ssize_t n = -1;
    while (clock_ms() < end && (n = read(run.out, &byte, 1)) < 0) /* end of file: the tool is gone */
        (void)usleep(10000);
    assert_int_equal(n, 0);
    fd_close(run.in);
    fd_close(run.out);
    fd_close(run.err);
    run_free(&run);
}

static int open_house(void **state)
{
    (void)state;
    house = house_open(PROBE);
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
        cmocka_unit_test(a_query_runs_and_its_result_comes_out),
        cmocka_unit_test(standard_input_is_a_script),
        cmocka_unit_test(a_file_named_minus_is_standard_input),
        cmocka_unit_test(describing_a_table_works),
        cmocka_unit_test(gexec_and_variables_work),
        cmocka_unit_test(psqls_own_exit_statuses_come_through),
        cmocka_unit_test(help_and_version_work_without_a_server),
        cmocka_unit_test(the_users_application_name_reaches_the_server),
        cmocka_unit_test(other_variables_of_the_user_are_dropped),
        cmocka_unit_test(a_large_result_arrives_whole),
        cmocka_unit_test(a_reader_that_sleeps_loses_nothing),
        cmocka_unit_test(int_cancels_the_query_by_a_second_connection),
        cmocka_unit_test(int_ends_watch),
        cmocka_unit_test(a_tool_that_a_signal_ends_is_reported_so),
        cmocka_unit_test(a_terminal_session_feels_like_psql),
        cmocka_unit_test(control_c_at_a_terminal_cancels),
        cmocka_unit_test(control_z_stops_nothing),
        cmocka_unit_test(a_password_is_asked_for_without_echo),
        cmocka_unit_test(the_terminals_size_is_set_and_changes),
        cmocka_unit_test(a_strange_terminal_type_is_no_path),
        cmocka_unit_test(options_that_the_target_decides_are_refused),
        cmocka_unit_test(a_gate_without_a_ticket_gets_nothing),
        cmocka_unit_test(a_second_introduction_ends_the_gate),
        cmocka_unit_test(one_gate_runs_so_many_tools_and_no_more),
        cmocka_unit_test(a_dead_gates_psql_ends),
        cmocka_unit_test(sockets_are_given_at_a_bounded_rate),
        cmocka_unit_test(a_kernel_that_cannot_cage_runs_no_tools),
        cmocka_unit_test(the_player_has_its_recording_and_nothing_else),
        cmocka_unit_test(an_exit_status_comes_through),
        cmocka_unit_test(a_start_costs_milliseconds),
        cmocka_unit_test(the_launcher_takes_its_tools_with_it),
    };
    return cmocka_run_group_tests_name("launcher_tools", tests, open_house, close_house);
}
