/* The real gatehouse-issuer: what is revoked, by files and by operators. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "base/clock.h"
#include "base/io.h"
#include "policy/certificate.h"
#include "policy/revocation.h"
#include "issuer_fixture.h"
#include "keygen.h"
#include "token_fixture.h"

static void a_revoked_identity_and_a_revoked_key_get_no_certificate(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *alice = token_of(ALICE, 300);
    CLEANUP(free) char *bob = token_of("\"sub\":\"bob\",\"groups\":[\"agents\"]", 300);

    (void)unused;
    write_file(revoked_path, "id:corp/alice\n");
    start_issuer(&variant);
    expect_refusal(alice, "denied", "the identity \"corp/alice\" has been revoked");
    Ipc__Message *message = ask(bob);
    assert_null(message->certified->refusal);
    Ipc__Identity *identity = NULL;
    struct detail detail;
    assert_int_equal(admit(message->certified, &variant, SOURCE, &identity, &detail), 0);
    CLEANUP(free) char *line = fixture_format("key:%s\n", identity->fingerprint);
    ipc__identity__free_unpacked(identity, NULL);
    ipc_message_free(message);
    write_file(revoked_path, line);
    ipc__revocation_list__free_unpacked(take_list(SOON_MS), NULL);
    expect_refusal(bob, "denied", "your key has been revoked");
    end_issuer();
}

static void changes_of_the_file_are_published_within_a_second(void **unused)
{
    const struct variant variant = { .bind = false };
    uint64_t before;

    (void)unused;
    start_issuer(&variant);
    before = clock_ms();
    write_file(revoked_path, "id:corp/dora # left\n");
    expect_list("corp/dora", "corp/alice");
    assert_in_range(clock_ms() - before, 0, SOON_MS);
    write_file(revoked_path, "id:corp/alice\n");
    expect_list("corp/alice", "corp/dora");
    end_issuer();
}

static void a_file_that_was_replaced_is_read_too(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *other = fixture_format("%s/new", lists);

    (void)unused;
    start_issuer(&variant);
    write_file(other, "id:corp/emil\n");
    assert_int_equal(rename(other, revoked_path), 0);
    expect_list("corp/emil", NULL);
    end_issuer();
}

static void a_garbled_file_changes_nothing_and_is_logged(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(revoked_path, "id:corp/fred\n");
    start_issuer(&variant);
    write_file(revoked_path, "id:corp/fred\nnonsense\n");
    uint64_t until = clock_ms() + ANSWER_MS;
    while (!log_has("revoked_unreadable") && clock_ms() < until)
        usleep(10000);
    assert_true(log_has("line 2"));
    CLEANUP(free) char *fred = token_of("\"sub\":\"fred\",\"groups\":[\"agents\"]", 300);
    expect_refusal(fred, "denied", "has been revoked");
    write_file(revoked_path, "id:corp/gerd\n");
    expect_list("corp/gerd", "corp/fred");
    assert_true(log_has("revoked_readable"));
    assert_int_equal(unlink(revoked_path), 0);
    until = clock_ms() + ANSWER_MS;
    while (!log_has("No such file") && clock_ms() < until)
        usleep(10000);
    CLEANUP(free) char *gerd = token_of("\"sub\":\"gerd\",\"groups\":[\"agents\"]", 300);
    expect_refusal(gerd, "denied", "has been revoked");
    end_issuer();
}

static void operator_revokes(const char *what, const char *reason, const char *error)
{
    static uint64_t number;
    Ipc__Revoke body = IPC__REVOKE__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOKE, revoke, &body);

    body.request = ++number;
    body.what = (char *)(uintptr_t)what;
    body.by = (char *)"corp/dba-1";
    body.reason = (char *)(uintptr_t)reason;
    assert_int_equal(ipc_send_now(ledger, &message, NULL, 0, ANSWER_MS), 0);
    Ipc__Message *done = expect(ledger, IPC__MESSAGE__BODY_REVOKE_DONE, ANSWER_MS, NULL);
    assert_int_equal(done->revoke_done->request, number);
    if (!error && done->revoke_done->error[0])
        fail_msg("%s", done->revoke_done->error);
    if (error)
        assert_non_null(strstr(done->revoke_done->error, error));
    ipc_message_free(done);
}

static void an_operators_revocation_is_published_and_survives_a_restart(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(revoked_path, "id:corp/from-file\n");
    start_issuer(&variant);
    operator_revokes("corp/hugo", "left the\ncompany # really", NULL);
    expect_list("corp/hugo", NULL);
    operator_revokes("serial:77", "", NULL);
    Ipc__RevocationList *list = take_list(ANSWER_MS);
    assert_int_equal(list->n_certificates, 1);
    assert_int_equal(list->certificates[0]->n_first, 1);
    assert_int_equal(list->certificates[0]->first[0], 77);
    ipc__revocation_list__free_unpacked(list, NULL);
    operator_revokes("serial:x", "", "a serial is a decimal number");
    operator_revokes("a\nserial:1", "", "control characters");
    end_issuer();

    CLEANUP(free) char *text = read_text(own_path);
    assert_non_null(strstr(text, "id:corp/hugo # "));
    assert_non_null(strstr(text, " by corp/dba-1: left the\\x0acompany"));
    struct stat about;
    assert_int_equal(stat(own_path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);

    launch(&variant);
    list = take_list(ANSWER_MS);
    assert_true(list_has_id(list, "corp/hugo"));
    assert_true(list_has_id(list, "corp/from-file"));
    ipc__revocation_list__free_unpacked(list, NULL);
    ipc_message_free(expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    ledger = -1;
    end_issuer();
}

static void a_line_that_was_never_ended_is_not_added_to(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(own_path, "id:corp/ida");
    start_issuer(&variant);
    operator_revokes("corp/jan", "", NULL);
    Ipc__RevocationList *list = take_list(ANSWER_MS);
    assert_true(list_has_id(list, "corp/ida"));
    assert_true(list_has_id(list, "corp/jan"));
    ipc__revocation_list__free_unpacked(list, NULL);
    end_issuer();
}

static void a_garbled_file_at_the_start_is_fatal_when_there_was_no_list_before(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(revoked_path, "nonsense\n");
    launch(&variant);
    int status = 0;
    assert_int_equal(waitpid(issuer.pid, &status, 0), issuer.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 78);
    fd_close(STEAL_FD(issuer.control));
    assert_true(log_has("start_failed"));
    assert_true(log_has("line 1"));
}

static void a_restarted_issuer_goes_on_with_the_list_of_the_one_before(void **unused)
{
    const struct variant variant = { .bind = false };
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);

    (void)unused;
    write_file(revoked_path, "id:corp/kurt\n");
    start_issuer(&variant);
    end_issuer(); /* `newest` is what the listener keeps */
    write_file(revoked_path, "nonsense\n");
    launch(&variant);
    assert_int_equal(ipc_send_now(issuer.control, &message, &newest, 1, ANSWER_MS), 0);
    expect_list("corp/kurt", NULL);
    ipc_message_free(expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    give_link("ledger", &ledger);
    operator_revokes("corp/lena", "", NULL);
    Ipc__RevocationList *list = take_list(ANSWER_MS);
    assert_true(list_has_id(list, "corp/kurt"));
    assert_true(list_has_id(list, "corp/lena"));
    ipc__revocation_list__free_unpacked(list, NULL);
    write_file(revoked_path, "id:corp/mona\n");
    expect_list("corp/mona", "corp/kurt");
    end_issuer();
}

/* A list beside the secrets of the state directory: the jail lets through the file, not its directory. */
static void a_replaced_file_among_secrets_is_for_a_new_process(void **unused)
{
    CLEANUP(free) char *inside = fixture_format("%s/inside.revoked", state);
    CLEANUP(free) char *other = fixture_format("%s/other.revoked", state);
    const struct variant variant = { .revoked = inside };

    (void)unused;
    write_file(inside, "");
    start_issuer(&variant);
    write_file(inside, "id:corp/nora\n");
    expect_list("corp/nora", NULL);
    write_file(other, "id:corp/otto\n");
    assert_int_equal(rename(other, inside), 0);
    /* Without Landlock in the kernel it is simply read. */
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(issuer.control, ANSWER_MS, &message, fds, &n);
    if (r == 0) {
        assert_true(log_has("no_landlock"));
        close(fds[0]);
        ipc_message_free(message);
    } else {
        assert_int_equal(r, -EPIPE);
        if (!log_has("was replaced by another file")) {
            CLEANUP(free) char *log = read_text(log_path);
            fail_msg("%s", log);
        }
    }
    end_issuer();
    launch(&variant);
    expect_list("corp/otto", "corp/nora");
    ipc_message_free(expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    ledger = -1;
    end_issuer();
    (void)unlink(inside);
}

#define CASE(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_revoked_identity_and_a_revoked_key_get_no_certificate),
        CASE(changes_of_the_file_are_published_within_a_second),
        CASE(a_file_that_was_replaced_is_read_too),
        CASE(a_garbled_file_changes_nothing_and_is_logged),
        CASE(an_operators_revocation_is_published_and_survives_a_restart),
        CASE(a_line_that_was_never_ended_is_not_added_to),
        CASE(a_garbled_file_at_the_start_is_fatal_when_there_was_no_list_before),
        CASE(a_restarted_issuer_goes_on_with_the_list_of_the_one_before),
        CASE(a_replaced_file_among_secrets_is_for_a_new_process),
    };

    return cmocka_run_group_tests(tests, issuer_set_up, issuer_tear_down);
}
