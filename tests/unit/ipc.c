/* base/ipc: only what the table allows gets through; the rest ends the peer. */
#include "base/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"

struct side {
    struct loop *loop;
    struct ipc_peer *peer;
    int other; /* the far end, used bare */
    int readies, opens, gone;
    int kept_fd;
    char reason[128];
    bool free_in_handler;
};

static int on_ready(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct side *side = owner;
    (void)fds;
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_READY);
    assert_int_equal(n_fds, 0);
    side->readies++;
    if (side->free_in_handler)
        ipc_peer_free(STEAL(side->peer));
    return 0;
}

static int on_peer(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct side *side = owner;
    assert_string_equal(message->peer->source_address, "127.0.0.1");
    assert_int_equal(n_fds, 1);
    side->opens++;
    side->kept_fd = STEAL_FD(fds[0]);
    return 0;
}

static int refuse(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)owner;
    (void)message;
    (void)fds;
    (void)n_fds;
    return 1;
}

static void on_gone(void *owner, const char *reason)
{
    struct side *side = owner;
    side->gone++;
    (void)strncpy(side->reason, reason, sizeof side->reason - 1);
    ipc_peer_free(STEAL(side->peer));
}

static const struct ipc_rule rules[] = {
    { IPC__MESSAGE__BODY_READY, 1 | 2, false, 0, 0, on_ready },
    { IPC__MESSAGE__BODY_PEER, 2, true, 1, 1, on_peer },
    { IPC__MESSAGE__BODY_RETIRE, 1, false, 0, 0, refuse },
};

static int set_up(void **state)
{
    struct side *side = calloc(1, sizeof *side);
    int fds[2];
    side->kept_fd = -1;
    assert_int_equal(loop_new(&side->loop), 0);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, fds), 0);
    side->other = fds[1];
    assert_int_equal(ipc_peer_new(side->loop, fds[0], "other", rules, 3, on_gone, side, &side->peer), 0);
    *state = side;
    return 0;
}

static int tear_down(void **state)
{
    struct side *side = *state;
    ipc_peer_free(side->peer);
    loop_free(side->loop);
    fd_close(side->other);
    fd_close(side->kept_fd);
    free(side);
    return 0;
}

static void say_ready(const struct side *side)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message m = IPC_MESSAGE(READY, ready, &ready);
    assert_int_equal(ipc_send_now(side->other, &m, NULL, 0, 100), 0);
}

static void say_retire(const struct side *side)
{
    Ipc__Retire retire = IPC__RETIRE__INIT;
    Ipc__Message m = IPC_MESSAGE(RETIRE, retire, &retire);
    assert_int_equal(ipc_send_now(side->other, &m, NULL, 0, 100), 0);
}

static void say_peer(const struct side *side, const int *fds, size_t n)
{
    Ipc__Peer peer = IPC__PEER__INIT;
    peer.source_address = (char[]){ "127.0.0.1" };
    Ipc__Message m = IPC_MESSAGE(PEER, peer, &peer);
    assert_int_equal(ipc_send_now(side->other, &m, fds, n, 100), 0);
}

static void run(const struct side *side)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_round(side->loop, 0), 0);
}

static void an_allowed_message_reaches_its_handler(void **state)
{
    struct side *side = *state;
    say_ready(side);
    say_ready(side);
    run(side);
    assert_int_equal(side->readies, 2);
    assert_int_equal(side->gone, 0);
}

static void a_message_in_the_wrong_state_ends_the_peer(void **state)
{
    struct side *side = *state;
    int fd = open("/dev/null", O_RDONLY);
    say_peer(side, &fd, 1);
    run(side);
    assert_int_equal(side->opens, 0);
    assert_int_equal(side->gone, 1);
    assert_non_null(strstr(side->reason, "not allowed now"));
    close(fd);
}

static void descriptors_ride_along_once(void **state)
{
    struct side *side = *state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    ipc_peer_state(side->peer, 2);
    say_peer(side, &pipe_fds[1], 1);
    run(side);
    assert_int_equal(side->opens, 1);
    assert_true(side->kept_fd >= 0);
    assert_int_equal(fcntl(side->kept_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(write(side->kept_fd, "x", 1), 1);
    char c = 0;
    assert_int_equal(read(pipe_fds[0], &c, 1), 1);
    assert_int_equal(c, 'x');
    say_peer(side, &pipe_fds[1], 1); /* `once` */
    run(side);
    assert_int_equal(side->opens, 1);
    assert_int_equal(side->gone, 1);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void the_wrong_number_of_descriptors_ends_the_peer(void **state)
{
    struct side *side = *state;
    ipc_peer_state(side->peer, 2);
    say_peer(side, NULL, 0);
    run(side);
    assert_int_equal(side->gone, 1);
}

static void garbage_and_refused_messages_end_the_peer(void **state)
{
    struct side *side = *state;
    assert_int_equal(send(side->other, "\xff\xff\xff\xff", 4, 0), 4);
    run(side);
    assert_int_equal(side->gone, 1);
}

static void a_refused_message_ends_the_peer(void **state)
{
    struct side *side = *state;
    say_retire(side);
    run(side);
    assert_int_equal(side->gone, 1);
    assert_non_null(strstr(side->reason, "not accepted"));
}

static void a_closed_peer_is_told_after_its_last_message(void **state)
{
    struct side *side = *state;
    say_ready(side);
    close(STEAL_FD(side->other));
    run(side);
    assert_int_equal(side->readies, 1);
    assert_int_equal(side->gone, 1);
    assert_string_equal(side->reason, "closed");
}

static void a_handler_may_free_its_peer(void **state)
{
    struct side *side = *state;
    side->free_in_handler = true;
    say_ready(side);
    say_ready(side);
    run(side);
    assert_int_equal(side->readies, 1);
}

static void a_slow_peer_gets_all_messages_in_order(void **state)
{
    struct side *side = *state;
    enum { MESSAGES = 600 };
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        Ipc__OpenRefused body = IPC__OPEN_REFUSED__INIT;
        body.channel = i;
        body.message = text;
        Ipc__Message m = IPC_MESSAGE(OPEN_REFUSED, open_refused, &body);
        assert_int_equal(ipc_peer_send(side->peer, &m, NULL, 0), 0);
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        CLEANUP(ipc_message_free) Ipc__Message *m = NULL;
        int fds[IPC_FDS_MAX];
        size_t n;
        run(side);
        assert_int_equal(ipc_receive_now(side->other, 1000, &m, fds, &n), 0);
        assert_int_equal(m->open_refused->channel, i);
    }
}

static void a_peer_that_never_reads_is_gone_at_the_bound(void **state)
{
    struct side *side = *state;
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message m = IPC_MESSAGE(READY, ready, &ready);
    int r = 0;
    for (int i = 0; i < 100000 && r == 0; i++)
        r = ipc_peer_send(side->peer, &m, NULL, 0);
    assert_true(r < 0);
    run(side);
    assert_int_equal(side->gone, 1);
    assert_non_null(strstr(side->reason, "sending failed"));
}

static void a_message_beyond_the_limit_is_not_sent(void **state)
{
    struct side *side = *state;
    char *text = malloc(IPC_MESSAGE_MAX + 1);
    memset(text, 'x', IPC_MESSAGE_MAX);
    text[IPC_MESSAGE_MAX] = 0;
    Ipc__Disconnect body = IPC__DISCONNECT__INIT;
    body.message = text;
    Ipc__Message m = IPC_MESSAGE(DISCONNECT, disconnect, &body);
    assert_true(ipc_send_now(side->other, &m, NULL, 0, 100) < 0);
    free(text);
}

static void waiting_for_a_message_has_a_limit(void **state)
{
    struct side *side = *state;
    Ipc__Message *m = NULL;
    int fds[IPC_FDS_MAX];
    size_t n;
    assert_int_equal(ipc_receive_now(side->other, 20, &m, fds, &n), -ETIMEDOUT);
    assert_null(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_allowed_message_reaches_its_handler),
        TEST(a_message_in_the_wrong_state_ends_the_peer),
        TEST(descriptors_ride_along_once),
        TEST(the_wrong_number_of_descriptors_ends_the_peer),
        TEST(garbage_and_refused_messages_end_the_peer),
        TEST(a_refused_message_ends_the_peer),
        TEST(a_closed_peer_is_told_after_its_last_message),
        TEST(a_handler_may_free_its_peer),
        TEST(a_slow_peer_gets_all_messages_in_order),
        TEST(a_peer_that_never_reads_is_gone_at_the_bound),
        TEST(a_message_beyond_the_limit_is_not_sent),
        TEST(waiting_for_a_message_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
