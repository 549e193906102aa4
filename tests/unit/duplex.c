/* base/duplex: two pipes behave as a socket does, but for how a hang-up is told. */
#include "base/duplex.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

struct ends {
    struct loop *loop;
    struct duplex here, there;
    int calls;
    uint32_t ready;
};

static void note(void *owner, uint32_t ready)
{
    struct ends *e = owner;
    e->calls++;
    e->ready = ready;
}

static void open_ends(struct ends *e, bool piped)
{
    int ours[2], theirs[2];
    *e = (struct ends){ .here = duplex_none(), .there = duplex_none() };
    assert_int_equal(loop_new(&e->loop), 0);
    if (piped) {
        assert_int_equal(duplex_pipes(ours, theirs), 0);
        e->here = duplex_of(ours[0], ours[1]);
        e->there = duplex_of(theirs[0], theirs[1]);
    } else {
        assert_int_equal(fd_pair(SOCK_STREAM, ours), 0);
        e->here = duplex_of_socket(ours[0]);
        e->there = duplex_of_socket(ours[1]);
        assert_int_equal(duplex_nonblock(&e->here), 0);
        assert_int_equal(duplex_nonblock(&e->there), 0);
    }
    assert_int_equal(duplex_watch(&e->here, e->loop, LOOP_READ, note, e), 0);
}

static void close_ends(struct ends *e)
{
    duplex_close(&e->here);
    duplex_close(&e->there);
    loop_free(e->loop);
}

/* What one round tells; 0: it told nothing. Two sources of one round are told as one. */
static uint32_t told(struct ends *e)
{
    e->calls = 0;
    e->ready = 0;
    assert_int_equal(loop_round(e->loop, 0), 0);
    return e->ready;
}

static void fill(const struct duplex *d)
{
    static const char zeros[64 * 1024];
    while (write(d->out, zeros, sizeof zeros) > 0)
        ;
    while (write(d->out, zeros, 1) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
}

static void empty(const struct duplex *d)
{
    char bytes[64 * 1024];
    while (read(d->in, bytes, sizeof bytes) > 0)
        ;
}

static void bytes_go_both_ways(bool piped)
{
    struct ends e;
    char byte;
    open_ends(&e, piped);
    assert_int_equal(told(&e), 0);
    assert_int_equal(write(e.there.out, "x", 1), 1);
    assert_int_equal(told(&e), LOOP_READ);
    assert_int_equal(read(e.here.in, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(told(&e), 0);
    assert_int_equal(write(e.here.out, "y", 1), 1);
    assert_int_equal(read(e.there.in, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_true(read(e.there.in, &byte, 1) < 0 && errno == EAGAIN);
    close_ends(&e);
}

static void room_is_told_to_who_waits_for_it(bool piped)
{
    struct ends e;
    open_ends(&e, piped);
    duplex_interest(&e.here, LOOP_WRITE);
    assert_int_equal(told(&e), LOOP_WRITE);
    fill(&e.here);
    assert_int_equal(told(&e), 0);
    empty(&e.there);
    assert_int_equal(told(&e), LOOP_WRITE);
    duplex_interest(&e.here, LOOP_READ);
    assert_int_equal(told(&e), 0);
    close_ends(&e);
}

static void one_way_may_end_alone(bool piped)
{
    struct ends e;
    char byte;
    open_ends(&e, piped);
    assert_int_equal(write(e.there.out, "x", 1), 1);
    duplex_end_output(&e.there);
    assert_false(duplex_at_end(&e.here));
    assert_int_equal(told(&e), LOOP_READ);
    assert_int_equal(read(e.here.in, &byte, 1), 1);
    assert_true(duplex_at_end(&e.here));
    assert_int_equal(told(&e), LOOP_READ);
    assert_int_equal(read(e.here.in, &byte, 1), 0);
    duplex_interest(&e.here, LOOP_HANGUP);
    assert_int_equal(told(&e), 0);
    assert_int_equal(write(e.here.out, "y", 1), 1);
    assert_false(duplex_at_end(&e.there));
    assert_int_equal(read(e.there.in, &byte, 1), 1);
    assert_true(duplex_is_open(&e.there));
    close_ends(&e);
    assert_false(duplex_is_open(&e.there));
}

static void a_hang_up_is_told_along_with_the_end(bool piped)
{
    struct ends e;
    char byte;
    open_ends(&e, piped);
    duplex_interest(&e.here, 0);
    duplex_close(&e.there);
    assert_int_equal(told(&e), 0); /* a pause */
    duplex_interest(&e.here, LOOP_READ);
    assert_true(told(&e) & (LOOP_READ | LOOP_HANGUP));
    assert_int_equal(told(&e), LOOP_READ | LOOP_HANGUP); /* of pipes the second time for sure */
    assert_int_equal(read(e.here.in, &byte, 1), 0);
    assert_true(write(e.here.out, "y", 1) < 0 && errno == EPIPE);
    close_ends(&e);
}

static void who_waits_for_room_hears_that_there_will_be_none(bool piped)
{
    struct ends e;
    open_ends(&e, piped);
    duplex_interest(&e.here, LOOP_WRITE);
    fill(&e.here);
    fill(&e.here); /* of a pipe that has grown meanwhile */
    assert_int_equal(told(&e), 0);
    duplex_close(&e.there);
    assert_int_equal(told(&e), LOOP_WRITE | LOOP_HANGUP);
    close_ends(&e);
}

static void who_wants_no_more_says_so(bool piped)
{
    struct ends e;
    char byte;
    open_ends(&e, piped);
    fill(&e.here);
    duplex_stop_input(&e.there);
    assert_true(write(e.here.out, "x", 1) < 0 && errno == EPIPE);
    assert_int_equal(write(e.there.out, "y", 1), 1); /* the other way goes on */
    assert_int_equal(read(e.here.in, &byte, 1), 1);
    close_ends(&e);
}

static void a_pipe_that_was_full_grows_once(void **state)
{
    struct ends e;
    (void)state;
    open_ends(&e, true);
    int before = fcntl(e.here.out, F_GETPIPE_SZ);
    duplex_interest(&e.here, LOOP_READ | LOOP_WRITE);
    int after = fcntl(e.here.out, F_GETPIPE_SZ);
    assert_true(before >= 64 * 1024 && after > before);
    duplex_interest(&e.here, LOOP_READ);
    duplex_interest(&e.here, LOOP_WRITE);
    assert_int_equal(fcntl(e.here.out, F_GETPIPE_SZ), after);
    close_ends(&e);
}

static void where_there_are_no_pipes_nothing_is_left_open(void **state)
{
    int ours[2], theirs[2], next = dup(0);
    struct rlimit old, three;
    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    three = old;
    three.rlim_cur = (rlim_t)next + 3; /* one pipe, and half of the other */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &three), 0);
    assert_int_equal(duplex_pipes(ours, theirs), -EMFILE);
    int again = dup(0);
    assert_int_equal(again, next);
    close(again);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

#define OF_BOTH(sentence)                                                                                    \
    static void sentence##_as_a_socket(void **state)                                                         \
    {                                                                                                        \
        (void)state;                                                                                         \
        sentence(false);                                                                                     \
    }                                                                                                        \
    static void sentence##_as_pipes(void **state)                                                            \
    {                                                                                                        \
        (void)state;                                                                                         \
        sentence(true);                                                                                      \
    }
#define BOTH(sentence) cmocka_unit_test(sentence##_as_a_socket), cmocka_unit_test(sentence##_as_pipes)

OF_BOTH(bytes_go_both_ways)
OF_BOTH(room_is_told_to_who_waits_for_it)
OF_BOTH(one_way_may_end_alone)
OF_BOTH(a_hang_up_is_told_along_with_the_end)
OF_BOTH(who_waits_for_room_hears_that_there_will_be_none)
OF_BOTH(who_wants_no_more_says_so)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(bytes_go_both_ways),
        BOTH(room_is_told_to_who_waits_for_it),
        BOTH(one_way_may_end_alone),
        BOTH(a_hang_up_is_told_along_with_the_end),
        BOTH(who_waits_for_room_hears_that_there_will_be_none),
        BOTH(who_wants_no_more_says_so),
        cmocka_unit_test(a_pipe_that_was_full_grows_once),
        cmocka_unit_test(where_there_are_no_pipes_nothing_is_left_open),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
