/* base/loop: sources, timers, and freeing from inside handlers. */
#include "base/loop.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "check.h"

struct seen {
    struct loop *loop;
    struct source *own, *other;
    int calls;
    uint32_t ready;
};

static void note(void *owner, uint32_t ready)
{
    struct seen *seen = owner;
    seen->calls++;
    seen->ready = ready;
}

static void free_both(void *owner, uint32_t ready)
{
    struct seen *seen = owner;
    seen->calls++;
    (void)ready;
    source_free(seen->own);
    source_free(seen->other);
}

static void a_source_tells_what_is_ready(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    int fds[2];
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(fd_pair(1, fds), 0);
    struct seen seen = { .loop = loop };
    assert_int_equal(source_new(loop, fds[0], LOOP_READ, note, &seen, &seen.own), 0);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.ready, LOOP_READ);
    source_interest(seen.own, LOOP_WRITE);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.ready, LOOP_WRITE);
    source_free(seen.own);
    close(fds[0]);
    close(fds[1]);
}

static void a_paused_source_says_nothing_even_when_hung_up(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    int fds[2];
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(fd_pair(1, fds), 0);
    struct seen seen = { .loop = loop };
    assert_int_equal(source_new(loop, fds[0], 0, note, &seen, &seen.own), 0);
    close(fds[1]);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 0);
    source_interest(seen.own, LOOP_HANGUP);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.ready, LOOP_HANGUP);
    source_free(seen.own);
    close(fds[0]);
}

static void a_freed_source_of_the_same_round_stays_silent(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    int a[2], b[2];
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(fd_pair(1, a), 0);
    assert_int_equal(fd_pair(1, b), 0);
    struct seen seen = { .loop = loop };
    assert_int_equal(source_new(loop, a[0], LOOP_WRITE, free_both, &seen, &seen.own), 0);
    assert_int_equal(source_new(loop, b[0], LOOP_WRITE, free_both, &seen, &seen.other), 0);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 1);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static int order[8], n_order;

static void note_order(void *owner)
{
    order[n_order++] = *(int *)owner;
}

static void timers_fire_in_order_of_time(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    assert_int_equal(loop_new(&loop), 0);
    int names[] = { 0, 1, 2, 3, 4 };
    static const uint64_t delays[] = { 30, 10, 20, 5, 40 };
    struct timer *timers[5];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(timer_new(loop, note_order, &names[i], &timers[i]), 0);
        timer_set(timers[i], delays[i]);
    }
    timer_stop(timers[2]);
    timer_set(timers[4], 1); /* moved to the front */
    n_order = 0;
    uint64_t limit = clock_ms() + 5000;
    while (n_order < 4 && clock_ms() < limit)
        assert_int_equal(loop_round(loop, 100), 0);
    assert_int_equal(n_order, 4);
    static const int expected[] = { 4, 3, 1, 0 };
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], expected[i]);
    for (int i = 0; i < 5; i++)
        timer_free(timers[i]);
}

static void note_signal(void *owner, int signal_number)
{
    *(int *)owner = signal_number;
}

static void signals_come_through_the_loop(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    static const int signals[] = { SIGUSR1, 0 };
    int got = 0;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(loop_signals(loop, signals, note_signal, &got), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(loop_round(loop, 1000), 0);
    assert_int_equal(got, SIGUSR1);
}

static void count_call(void *owner)
{
    ++*(int *)owner;
}

/* A peer's timer is made long before it is set, if ever: all at once must fit. */
static void timers_that_were_never_set_have_their_place(void **state)
{
    (void)state;
    enum { TIMERS = 500 };
    CLEANUP(loop_free) struct loop *loop = NULL;
    struct timer *timers[TIMERS];
    int calls = 0;
    assert_int_equal(loop_new(&loop), 0);
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(timer_new(loop, count_call, &calls, &timers[i]), 0);
    for (int i = 0; i < TIMERS; i++)
        timer_set(timers[i], 0);
    while (calls < TIMERS)
        assert_int_equal(loop_round(loop, 100), 0);
    for (int i = 0; i < TIMERS; i++)
        timer_free(timers[i]);
}

static void ask_again(void *owner)
{
    struct seen *seen = owner;
    if (seen->calls++ == 0)
        assert_int_equal(loop_at_round_end(seen->loop, ask_again, seen), 0);
}

static void what_waits_for_the_end_of_a_round_is_called_once(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    assert_int_equal(loop_new(&loop), 0);
    struct seen seen = { .loop = loop };
    assert_int_equal(loop_at_round_end(loop, ask_again, &seen), 0);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(loop_round(loop, 0), 0);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(loop_ready(loop), 0);
    for (int i = 0; i < LOOP_LATER_MAX; i++)
        assert_int_equal(loop_at_round_end(loop, ask_again, &seen), 0);
    assert_true(loop_at_round_end(loop, ask_again, &seen) < 0);
}

static void a_timer_that_keeps_moving_away_does_not_fire_early_or_get_lost(void **state)
{
    (void)state;
    CLEANUP(loop_free) struct loop *loop = NULL;
    struct timer *timer = NULL;
    int name = 7;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(timer_new(loop, note_order, &name, &timer), 0);
    n_order = 0;
    timer_set(timer, 300);
    assert_int_equal(loop_round(loop, 0), 0);
    timer_set(timer, 600000);
    /* The alarm of before wakes the loop, but the timer has moved away. */
    assert_int_equal(loop_round(loop, -1), 0);
    assert_int_equal(n_order, 0);
    timer_set(timer, 5);
    for (int i = 0; i < 3 && n_order == 0; i++)
        assert_int_equal(loop_round(loop, -1), 0);
    assert_int_equal(n_order, 1);
    timer_free(timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_tells_what_is_ready),
        cmocka_unit_test(a_paused_source_says_nothing_even_when_hung_up),
        cmocka_unit_test(a_freed_source_of_the_same_round_stays_silent),
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(timers_that_were_never_set_have_their_place),
        cmocka_unit_test(signals_come_through_the_loop),
        cmocka_unit_test(what_waits_for_the_end_of_a_round_is_called_once),
        cmocka_unit_test(a_timer_that_keeps_moving_away_does_not_fire_early_or_get_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
