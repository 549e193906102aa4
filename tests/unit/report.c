/* base/report: what of an event's pairs the ledger is told. */
#include "base/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "check.h"

struct side {
    struct loop *loop;
    struct ipc_peer *ledger;
    int other; /* the ledger's end */
};

static void on_gone(void *owner, const char *reason)
{
    (void)owner;
    fail_msg("%s", reason);
}

static int set_up(void **state)
{
    struct side *side = calloc(1, sizeof *side);
    int fds[2];
    assert_int_equal(loop_new(&side->loop), 0);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, fds), 0);
    side->other = fds[1];
    assert_int_equal(ipc_peer_new(side->loop, fds[0], "ledger", NULL, 0, on_gone, side, &side->ledger), 0);
    *state = side;
    return 0;
}

static int tear_down(void **state)
{
    struct side *side = *state;
    ipc_peer_free(side->ledger);
    loop_free(side->loop);
    fd_close(side->other);
    free(side);
    return 0;
}

__attribute__((sentinel)) static int tell(struct ipc_peer *ledger, const char *event, ...)
{
    va_list pairs;
    va_start(pairs, event);
    int r = report_send(ledger, event, pairs);
    va_end(pairs);
    return r;
}

/* What the ledger got. */
static Ipc__Message *told(const struct side *side)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    assert_int_equal(ipc_receive_now(side->other, 10000, &message, fds, &n), 0);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_AUDIT);
    return message;
}

static void an_event_has_its_pairs_in_order(void **state)
{
    const struct side *side = *state;
    assert_int_equal(tell(side->ledger, "login", "who", "anna", "where", "web", NULL), 0);
    CLEANUP(ipc_message_free) Ipc__Message *message = told(side);
    assert_string_equal(message->audit->event, "login");
    assert_int_equal(message->audit->n_fields, 2);
    assert_string_equal(message->audit->fields[0]->name, "who");
    assert_string_equal(message->audit->fields[0]->value, "anna");
    assert_string_equal(message->audit->fields[1]->name, "where");
    assert_string_equal(message->audit->fields[1]->value, "web");
}

static void a_pair_without_a_value_is_left_out(void **state)
{
    const struct side *side = *state;
    assert_int_equal(tell(side->ledger, "login", "a", NULL, "b", "", "c", "there", NULL), 0);
    CLEANUP(ipc_message_free) Ipc__Message *message = told(side);
    assert_int_equal(message->audit->n_fields, 1);
    assert_string_equal(message->audit->fields[0]->name, "c");
}

static void a_long_value_is_cut(void **state)
{
    const struct side *side = *state;
    char fits[REPORT_VALUE_MAX], too_long[REPORT_VALUE_MAX + 1];
    memset(fits, 'x', sizeof fits - 1);
    memset(too_long, 'x', sizeof too_long - 1);
    fits[sizeof fits - 1] = too_long[sizeof too_long - 1] = '\0';
    assert_int_equal(tell(side->ledger, "login", "fits", fits, "long", too_long, NULL), 0);
    CLEANUP(ipc_message_free) Ipc__Message *message = told(side);
    assert_string_equal(message->audit->fields[0]->value, fits);
    assert_string_equal(message->audit->fields[1]->value, fits);
}

static void what_is_beyond_the_last_pair_is_left_out(void **state)
{
    const struct side *side = *state;
    assert_int_equal(tell(side->ledger, "many", "1", "v", "2", "v", "3", "v", "4", "v", "5", "v", "6", "v",
                          "7", "v", "8", "v", "9", "v", "10", "v", "11", "v", "12", "v", "13", "v", "14", "v",
                          NULL),
                     0);
    CLEANUP(ipc_message_free) Ipc__Message *message = told(side);
    assert_int_equal(message->audit->n_fields, REPORT_PAIRS_MAX);
    assert_string_equal(message->audit->fields[REPORT_PAIRS_MAX - 1]->name, "13");
}

static void without_a_ledger_nobody_is_told(void **state)
{
    (void)state;
    assert_int_equal(tell(NULL, "login", "who", "anna", NULL), -ENOTCONN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_has_its_pairs_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pair_without_a_value_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_value_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_beyond_the_last_pair_is_left_out, set_up, tear_down),
        cmocka_unit_test(without_a_ledger_nobody_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
