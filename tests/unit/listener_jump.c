/* server/listener_jump: a forwarded channel becomes one more incoming connection, or is refused with a
 * reason. This test is the gate that asks, and the listener's other files. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "server/listener.h"

enum { WAIT_MS = 5000 };

struct scene {
    struct listener listener;
    struct connection outer, inner;
    struct part gate;
    int end;  /* the gate's */
    int mine; /* the client's end of the channel that is handed over */
    unsigned made, watched;
    bool no_memory;
};
static struct scene *scene;

/* ---- the listener's other files ---- */

struct connection *connection_new_inner(struct connection *outer, int fd, const uint8_t *says, size_t n)
{
    assert_ptr_equal(outer, &scene->outer);
    assert_int_equal(n, 5);
    assert_memory_equal(says, "hello", 5);
    if (scene->no_memory) {
        close(fd);
        return NULL;
    }
    scene->made++;
    scene->inner.fd = fd;
    return &scene->inner;
}

void listener_watch(struct connection *c)
{
    assert_ptr_equal(c, &scene->inner);
    scene->watched++;
}

static void gone(void *owner, const char *reason)
{
    (void)owner, (void)reason;
}

static void scene_open(struct scene *s)
{
    int pair[2];
    memset(s, 0, sizeof *s);
    scene = s;
    assert_int_equal(loop_new(&s->listener.loop), 0);
    s->listener.phase = LISTENER_RUNNING;
    s->outer.listener = &s->listener;
    s->outer.phase = CONNECTION_ADMITTED;
    s->outer.id = 7;
    s->inner.id = 8;
    s->inner.fd = -1;
    s->gate.connection = &s->outer;
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    s->end = pair[0];
    assert_int_equal(ipc_peer_new(s->listener.loop, pair[1], "gate", NULL, 0, gone, s, &s->gate.peer), 0);
}

static void scene_close(struct scene *s)
{
    ipc_peer_free(s->gate.peer);
    fd_close(s->end);
    fd_close(s->mine);
    fd_close(s->inner.fd);
    loop_free(s->listener.loop);
}

static int ask(struct scene *s, const char *says, size_t n)
{
    Ipc__Jump jump = IPC__JUMP__INIT;
    Ipc__Message message = IPC_MESSAGE(JUMP, jump, &jump);
    int pair[2];
    jump.channel = 3;
    jump.outer = (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)says };
    assert_int_equal(fd_pair(SOCK_STREAM, pair), 0);
    s->mine = pair[0];
    int r = jump_asked(&s->gate, &message, &pair[1], 1);
    fd_close(pair[1]); /* what nobody took */
    return r;
}

/* The gate is told; refused: words of the reason, or NULL. */
static void expect_answer(struct scene *s, const char *refused)
{
    CLEANUP(ipc_message_free) Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    assert_int_equal(ipc_receive_now(s->end, WAIT_MS, &message, fds, &n), 0);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_JUMP_TAKEN);
    assert_int_equal(message->jump_taken->channel, 3);
    assert_int_equal(message->jump_taken->connection, refused ? 0 : 8);
    if (refused)
        assert_non_null(strstr(message->jump_taken->refused, refused));
    else
        assert_string_equal(message->jump_taken->refused, "");
    assert_int_equal(s->made, refused ? 0 : 1);
    assert_int_equal(s->watched, refused ? 0 : 1);
}

/* The channel's other end sees that nobody has it. */
static bool is_closed(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 0;
}

static void a_channel_becomes_a_connection(void **state)
{
    struct scene s;
    char byte = 0;
    (void)state;
    scene_open(&s);
    assert_int_equal(ask(&s, "hello", 5), 0);
    expect_answer(&s, NULL);
    assert_int_equal(write(s.inner.fd, "x", 1), 1); /* it is the same socket */
    assert_int_equal(read(s.mine, &byte, 1), 1);
    scene_close(&s);
}

static void there_is_none_inside_of_one(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    s.outer.outer = 6;
    assert_int_equal(ask(&s, "hello", 5), 0);
    expect_answer(&s, "from within a jump");
    assert_true(is_closed(s.mine));
    scene_close(&s);
}

static void so_many_are_open_inside_of_one_and_no_more(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    s.outer.inner = LIMIT_JUMPS;
    assert_int_equal(ask(&s, "hello", 5), 0);
    expect_answer(&s, "too many");
    assert_true(is_closed(s.mine));
    scene_close(&s);
    scene_open(&s);
    s.outer.inner = LIMIT_JUMPS - 1;
    assert_int_equal(ask(&s, "hello", 5), 0);
    expect_answer(&s, NULL);
    scene_close(&s);
}

static void a_listener_that_ends_or_has_no_memory_says_so(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    s.listener.phase = LISTENER_DRAINING;
    assert_int_equal(ask(&s, "hello", 5), 0);
    expect_answer(&s, "shutting down");
    scene_close(&s);
    scene_open(&s);
    s.no_memory = true;
    assert_int_equal(ask(&s, "hello", 5), 0);
    expect_answer(&s, "out of memory");
    assert_true(is_closed(s.mine));
    scene_close(&s);
}

static void a_gate_that_may_not_ask_or_says_too_much_is_no_gate(void **state)
{
    struct scene s;
    static char much[LISTENER_OUTER_MAX + 1];
    (void)state;
    scene_open(&s);
    s.outer.phase = CONNECTION_ENROLLING;
    assert_int_equal(ask(&s, "hello", 5), -EPROTO);
    fd_close(s.mine);
    s.outer.phase = CONNECTION_ADMITTED;
    assert_int_equal(ask(&s, "", 0), -EPROTO);
    fd_close(s.mine);
    assert_int_equal(ask(&s, much, sizeof much), -EPROTO);
    assert_int_equal(s.made, 0);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_becomes_a_connection),
        cmocka_unit_test(there_is_none_inside_of_one),
        cmocka_unit_test(so_many_are_open_inside_of_one_and_no_more),
        cmocka_unit_test(a_listener_that_ends_or_has_no_memory_says_so),
        cmocka_unit_test(a_gate_that_may_not_ask_or_says_too_much_is_no_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
