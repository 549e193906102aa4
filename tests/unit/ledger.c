/* replay/ledger: the real process, spoken to as listener and gates do. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "check.h"
#include "ledger_fixture.h"
#include "policy/ticket.h"

static void a_finished_recording_is_sealed_and_listed(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    struct findings f;
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &pen, "psql orders"));
    int flags = fcntl(pen.fd, F_GETFL);
    assert_int_equal(flags & O_ACCMODE, O_WRONLY);
    assert_true(flags & O_APPEND);
    pen_request(&pen, "SELECT 42 AS answer", "allow", "r");
    pen_request(&pen, "DROP TABLE x", "deny", "no-drop");
    pen_end(&pen, 3);
    pen_close(&pen);
    gate_finish(gate, &pen);
    assert_true(wait_for_finding(&bench, pen.id, "4 entries, complete"));
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    CLEANUP(free) char *lines = gate_sessions(gate, "", "");
    assert_non_null(strstr(lines, pen.id));
    assert_non_null(strstr(lines, "\"state\":\"complete\""));
    assert_non_null(strstr(lines, "\"requests\":2,\"denied\":1"));
    assert_non_null(strstr(lines, "\"status\":3"));
    assert_non_null(strstr(lines, "\"identity\":\"agent-1\""));
    CLEANUP(free) char *found = gate_sessions(gate, "", "as ANSWER");
    assert_non_null(strstr(found, pen.id));
    CLEANUP(free) char *none = gate_sessions(gate, "", "as_answer");
    assert_string_equal(none, "");
    CLEANUP(free) char *table = gate_table(gate);
    assert_memory_equal(table, "ID ", 3);
    assert_non_null(strstr(table, pen.id));
    bench_close(&bench);
}

static void a_gate_that_dies_leaves_an_interrupted_recording(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen, cut;
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &pen, "a"));
    pen_request(&pen, "SELECT 1", "allow", "r");
    pen_close(&pen);
    assert_true(gate_record(gate, &cut, "b"));
    pen_request(&cut, "SELECT 2", "allow", "r");
    /* killed in the middle of the next write */
    assert_int_equal(write(cut.fd, "\0\0\1\0\0", 5), 5);
    pen_close(&cut);
    gate_close(&bench, gate);
    assert_true(wait_for_finding(&bench, pen.id, "2 entries, interrupted"));
    assert_true(wait_for_finding(&bench, cut.id, "2 entries, cut: 5 bytes"));
    bench_close(&bench);
}

static void what_a_killed_ledger_left_is_sealed_at_the_next_start(void **state)
{
    (void)state;
    struct bench bench;
    struct pen done, cut;
    struct findings f;
    char path[128];
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &done, "a"));
    assert_true(gate_record(gate, &cut, "b"));
    pen_end(&done, 0);
    bench_kill(&bench);
    assert_true(gate_is_dropped(gate));
    gate_close(&bench, gate);
    pen_close(&done);
    pen_close(&cut);
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    /* as if the kill had come in the middle of an audit entry */
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", bench.house.state);
    int chain = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(chain, "\0\0\0", 3), 3);
    close(chain);
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    assert_non_null(strstr(f.notes, "the next one was never finished"));
    bench_start(&bench);
    assert_true(wait_for_finding(&bench, done.id, "2 entries, complete"));
    assert_true(wait_for_finding(&bench, cut.id, "1 entries, interrupted"));
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    bench_close(&bench);
}

static void a_lost_or_broken_index_is_filled_again(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    char path[128];
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &pen, "a"));
    pen_request(&pen, "SELECT 'needle'", "allow", "r");
    pen_end(&pen, 0);
    pen_close(&pen);
    gate_finish(gate, &pen);
    assert_true(wait_for_finding(&bench, pen.id, "complete"));
    gate_close(&bench, gate);
    assert_int_equal(bench_stop(&bench), 0);
    (void)snprintf(path, sizeof path, "%s/index/sessions.db", bench.house.state);
    for (int broken = 0; broken < 2; broken++) {
        if (broken)
            spill(path, "this is no database, whatever its name says, and never was one; see for yourself",
                  80);
        else
            assert_int_equal(unlink(path), 0);
        assert_int_equal(chmod(path, 0666) == 0, broken);
        bench_start(&bench);
        gate = gate_new(&bench, 2, "agent-1", NULL);
        bool found = false;
        for (int i = 0; i < 100 && !found; i++) {
            CLEANUP(free) char *lines = gate_sessions(gate, "", "needle");
            assert_non_null(lines);
            found = strstr(lines, pen.id) && strstr(lines, "\"state\":\"complete\"");
            usleep(20000);
        }
        assert_true(found);
        gate_close(&bench, gate);
        assert_int_equal(bench_stop(&bench), 0);
    }
    bench_close(&bench);
}

static void others_recordings_look_as_if_they_were_not_there(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    bench_open(&bench);
    int owner = gate_new(&bench, 1, "agent-1", NULL);
    int other = gate_new(&bench, 2, "agent-2", NULL);
    int auditor = gate_new(&bench, 3, "auditor", "replay");
    assert_true(gate_record(owner, &pen, "a"));
    pen_close(&pen);
    assert_int_equal(gate_replay(other, pen.id), -1);
    assert_int_equal(gate_replay(other, "000000000000"), -1);
    assert_int_equal(gate_replay(owner, "../../audit/key"), -1);
    CLEANUP(free) char *nothing = gate_sessions(other, "", "");
    assert_string_equal(nothing, "");
    CLEANUP(free) char *still_nothing = gate_sessions(other, "agent-1", "");
    assert_string_equal(still_nothing, "");
    CLEANUP(free) char *all = gate_sessions(auditor, "", "");
    assert_non_null(strstr(all, pen.id));
    CLEANUP(fd_close) int mine = gate_replay(owner, pen.id);
    CLEANUP(fd_close) int theirs = gate_replay(auditor, pen.id);
    assert_true(mine >= 0 && theirs >= 0);
    assert_int_equal(fcntl(mine, F_GETFL) & O_ACCMODE, O_RDONLY);
    bench_close(&bench);
}

static void who_has_not_shown_a_ticket_gets_nothing(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    bench_open(&bench);
    int nobody = gate_new(&bench, 1, NULL, NULL);
    assert_false(gate_record(nobody, &pen, "a"));
    bench.ticket_key[0] ^= 1;
    int forger = gate_new(&bench, 2, "agent-1", "replay");
    assert_true(gate_is_dropped(forger));
    bench.ticket_key[0] ^= 1;
    bench_close(&bench);
}

static void a_ticket_of_another_connection_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    Ipc__Identity identity = IPC__IDENTITY__INIT;
    identity.name = (char[]){ "agent-1" };
    identity.connection = 1;
    Ipc__Introduce body = IPC__INTRODUCE__INIT;
    assert_int_equal(ticket_issue(bench.ticket_key, &identity, &body.ticket), 0);
    Ipc__Message message = IPC_MESSAGE(INTRODUCE, introduce, &body);
    int thief = gate_new(&bench, 2, NULL, NULL);
    gate_send(thief, &message);
    assert_true(gate_is_dropped(thief));
    int twice = gate_new(&bench, 1, "agent-1", NULL);
    gate_send(twice, &message);
    assert_true(gate_is_dropped(twice));
    ipc__ticket__free_unpacked(body.ticket, NULL);
    bench_close(&bench);
}

static void a_gate_can_finish_only_its_own_recordings(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    bench_open(&bench);
    int owner = gate_new(&bench, 1, "agent-1", NULL);
    int other = gate_new(&bench, 2, "agent-2", NULL);
    assert_true(gate_record(owner, &pen, "a"));
    pen_close(&pen);
    gate_finish(other, &pen);
    assert_true(gate_is_dropped(other));
    gate_finish(owner, &pen);
    assert_true(wait_for_finding(&bench, pen.id, "1 entries, interrupted"));
    bench_close(&bench);
}

static void send_audit(int gate, const char *event)
{
    Ipc__Audit audit = IPC__AUDIT__INIT;
    audit.event = (char *)(uintptr_t)event;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    gate_send(gate, &message);
}

static void a_reported_event_is_entered_but_none_of_the_ledgers_own(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    size_t n;
    char path[128];
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    send_audit(gate, "vault_access");
    assert_true(gate_record(gate, &pen, "a")); /* still there */
    pen_close(&pen);
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", bench.house.state);
    CLEANUP(free) uint8_t *chain = slurp(path, &n);
    assert_non_null(memmem(chain, n, "vault_access", 12));
    send_audit(gate, "session_seal");
    assert_true(gate_is_dropped(gate));
    bench_close(&bench);
}

static void an_idle_gate_does_not_hold_up_the_end(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    free(gate_table(gate));
    close(STEAL_FD(bench.control)); /* first the listener, then the gates */
    usleep(100000);
    gate_close(&bench, gate);
    uint64_t before = clock_ms();
    assert_int_equal(bench_stop(&bench), 0);
    assert_true(clock_ms() - before < 2000);
    bench_close(&bench);
}

static void an_orderly_end_seals_everything_first(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    struct findings f;
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &pen, "a"));
    pen_end(&pen, 0);
    pen_close(&pen);
    gate_close(&bench, gate);
    assert_int_equal(bench_stop(&bench), 0);
    assert_int_equal(verify_house(&bench.house, pen.id, &f), 0);
    assert_non_null(strstr(f.notes, "2 entries, complete"));
    bench_close(&bench);
}

static void a_removed_recording_is_sealed_as_missing(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    char path[256];
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &pen, "a"));
    pen_close(&pen);
    place_of(&bench.house, pen.id, path);
    assert_int_equal(unlink(path), 0);
    gate_finish(gate, &pen);
    assert_true(wait_for_finding(&bench, pen.id, "its file is gone"));
    bench_close(&bench);
}

static void report(int gate, size_t bytes)
{
    char filler[1024] = "";
    Ipc__Variable field = IPC__VARIABLE__INIT;
    Ipc__Variable *fields[] = { &field };
    Ipc__Audit audit = IPC__AUDIT__INIT;
    memset(filler, 'x', bytes);
    field.value = filler;
    audit.event = (char[]){ "filler" };
    audit.fields = fields;
    audit.n_fields = 1;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    gate_send(gate, &message);
}

/* A file size limit stands in for a full disk: what fits is written, as on a disk, and the rest is not. */
static void a_full_disk_refuses_recordings_and_leaves_nothing_behind(void **state)
{
    (void)state;
    enum { FILE_LIMIT = 64 * 1024, REPORT = 1000 };
    struct bench bench;
    struct pen first, refused, second;
    struct findings f;
    bench_prepare(&bench);
    bench.file_limit = FILE_LIMIT;
    bench_start(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &first, "a"));
    pen_end(&first, 0);
    pen_close(&first);
    for (int i = 0; i <= FILE_LIMIT / REPORT; i++)
        report(gate, REPORT);
    while (gate_record(gate, &refused, "b"))
        pen_close(&refused);   /* small entries may still fit */
    gate_finish(gate, &first); /* its seal can't be entered */
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    assert_false(wait_for_finding(&bench, first.id, "complete"));
    bench_kill(&bench);
    bench.file_limit = 0;
    bench_start(&bench);
    assert_true(wait_for_finding(&bench, first.id, "2 entries, complete"));
    gate = gate_new(&bench, 2, "agent-1", NULL);
    assert_true(gate_record(gate, &second, "c"));
    pen_close(&second);
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    bench_close(&bench);
}

static void retention_removes_what_is_old_and_sealed(void **state)
{
    (void)state;
    struct bench bench;
    struct pen old, unsealed, young;
    struct findings f;
    char path[256];
    bench_prepare(&bench);
    pen_open(&bench.house, &old, 1, false); /* of 2023 */
    pen_end(&old, 0);
    pen_close(&old);
    pen_seal(&bench.house, &old, "complete", 0);
    pen_open(&bench.house, &unsealed, 2, false);
    pen_close(&unsealed);
    bench.retention_ms = 24 * 60 * 60 * 1000;
    bench_start(&bench);
    int gate = gate_new(&bench, 1, "agent-1", NULL);
    assert_true(gate_record(gate, &young, "a"));
    pen_close(&young);
    assert_true(wait_for_finding(&bench, old.id, "removed by retention"));
    place_of(&bench.house, old.id, path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(verify_house(&bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    assert_non_null(strstr(f.notes, young.id));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_recording_is_sealed_and_listed),
        cmocka_unit_test(a_gate_that_dies_leaves_an_interrupted_recording),
        cmocka_unit_test(what_a_killed_ledger_left_is_sealed_at_the_next_start),
        cmocka_unit_test(a_lost_or_broken_index_is_filled_again),
        cmocka_unit_test(others_recordings_look_as_if_they_were_not_there),
        cmocka_unit_test(who_has_not_shown_a_ticket_gets_nothing),
        cmocka_unit_test(a_ticket_of_another_connection_is_refused),
        cmocka_unit_test(a_gate_can_finish_only_its_own_recordings),
        cmocka_unit_test(a_reported_event_is_entered_but_none_of_the_ledgers_own),
        cmocka_unit_test(an_idle_gate_does_not_hold_up_the_end),
        cmocka_unit_test(an_orderly_end_seals_everything_first),
        cmocka_unit_test(a_removed_recording_is_sealed_as_missing),
        cmocka_unit_test(retention_removes_what_is_old_and_sealed),
        cmocka_unit_test(a_full_disk_refuses_recordings_and_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
