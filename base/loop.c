/* Level-triggered epoll. A freed source may still stand in the batch of events that is being handled, so
 * freeing only marks it and the memory goes at the end of the round. Timers sit in a binary heap. */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

enum { BATCH = 64, NOT_SET = -1 };
#define NO_ALARM UINT64_MAX

struct source {
    struct loop *loop;
    int fd;
    uint32_t interest;
    source_handler *handler;
    void *owner;
    bool dead;
    struct source *next_dead;
};

struct timer {
    struct loop *loop;
    timer_handler *handler;
    void *owner;
    uint64_t at_ms;
    long place; /* in the heap, or NOT_SET */
};

struct loop {
    int epoll_fd;
    struct source *dead;
    struct timer **heap;
    size_t timers, capacity; /* that are set; that may be */
    size_t existing;         /* set or not */
    int alarm_fd;            /* timerfd, once there is a timer; else -1 */
    uint64_t alarm_ms;       /* what it is set to, or NO_ALARM */
    struct source *alarm_source;
    bool stopped;
    int status;
    size_t ready; /* in this round */
    struct {
        timer_handler *handler;
        void *owner;
    } later[LOOP_LATER_MAX];
    size_t n_later;
    int signal_fd;
    struct source *signal_source;
    signal_handler *on_signal;
    void *signal_owner;
};

int loop_new(struct loop **ret)
{
    CLEANUP(loop_free) struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->signal_fd = loop->alarm_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return -errno;
    *ret = STEAL(loop);
    return 0;
}

static void bury_dead(struct loop *loop)
{
    while (loop->dead) {
        struct source *source = loop->dead;
        loop->dead = source->next_dead;
        free(source);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    source_free(loop->signal_source);
    source_free(loop->alarm_source);
    bury_dead(loop);
    fd_close(loop->signal_fd);
    fd_close(loop->alarm_fd);
    fd_close(loop->epoll_fd);
    free(loop->heap);
    free(loop);
}

/* ---- sources ---- */

static uint32_t to_epoll(uint32_t interest)
{
    return (interest & LOOP_READ ? (uint32_t)EPOLLIN : 0) | (interest & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static uint32_t from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? LOOP_READ : 0) | (events & EPOLLOUT ? LOOP_WRITE : 0) |
           (events & (EPOLLHUP | EPOLLERR) ? LOOP_HANGUP : 0);
}

/* A pause takes the descriptor out of the epoll set: EPOLLHUP could not be masked otherwise. */
static int apply_interest(struct source *source, uint32_t interest)
{
    struct epoll_event event = { .events = to_epoll(interest), .data.ptr = source };
    int operation = interest == 0 ? EPOLL_CTL_DEL : source->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(source->loop->epoll_fd, operation, source->fd, &event) < 0)
        return -errno;
    source->interest = interest;
    return 0;
}

int source_new(struct loop *loop, int fd, uint32_t interest, source_handler *handler, void *owner,
               struct source **ret)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return -ENOMEM;
    *source = (struct source){ .loop = loop, .fd = fd, .handler = handler, .owner = owner };
    int r = interest ? apply_interest(source, interest) : 0;
    if (r) {
        free(source);
        return r;
    }
    *ret = source;
    return 0;
}

void source_free(struct source *source)
{
    if (!source || source->dead)
        return;
    source_interest(source, 0);
    source->dead = true;
    source->next_dead = source->loop->dead;
    source->loop->dead = source;
}

void source_interest(struct source *source, uint32_t interest)
{
    /* The kernel fails this only for a descriptor that is closed already or for want of memory; what was
     * waited for then never comes, and the limit of that wait ends it. */
    if (source->interest != interest && !source->dead)
        (void)apply_interest(source, interest);
}

/* ---- waiting for timers ----
 *
 * A limit that is given to epoll_wait() makes the kernel program a timer at every wait, which in a virtual
 * machine costs more than the wait itself. So one timerfd stands at the earliest time that was ever asked
 * for; timers that move away, as limits on silence do all the time, leave it where it is, and it is set anew
 * when it fires. */

static void alarm_fired(void *owner, uint32_t ready)
{
    struct loop *loop = owner;
    uint64_t times;
    (void)ready;
    (void)!read(loop->alarm_fd, &times, sizeof times);
    loop->alarm_ms = NO_ALARM;
}

static int alarm_open(struct loop *loop)
{
    if (loop->alarm_fd >= 0)
        return 0;
    loop->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->alarm_fd < 0)
        return -errno;
    loop->alarm_ms = NO_ALARM;
    return source_new(loop, loop->alarm_fd, LOOP_READ, alarm_fired, loop, &loop->alarm_source);
}

static void alarm_set(struct loop *loop, uint64_t at_ms)
{
    struct itimerspec at = { .it_value = { .tv_sec = (time_t)(at_ms / 1000),
                                           .tv_nsec = (long)(at_ms % 1000) * 1000000 } };
    if (timerfd_settime(loop->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        loop->alarm_ms = at_ms;
}

/* How long epoll_wait() may wait: timers that are not due yet are the alarm's. */
/* ---- timers: a binary heap by at_ms ---- */

static void put_at(struct loop *loop, size_t place, struct timer *timer)
{
    loop->heap[place] = timer;
    timer->place = (long)place;
}

static void sift(struct loop *loop, size_t place, struct timer *timer)
{
    while (place > 0 && loop->heap[(place - 1) / 2]->at_ms > timer->at_ms) {
        put_at(loop, place, loop->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= loop->timers)
            break;
        if (child + 1 < loop->timers && loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
            child++;
        if (loop->heap[child]->at_ms >= timer->at_ms)
            break;
        put_at(loop, place, loop->heap[child]);
        place = child;
    }
    put_at(loop, place, timer);
}

/* Room for one more timer is made here, so that setting a timer never fails. */
int timer_new(struct loop *loop, timer_handler *handler, void *owner, struct timer **ret)
{
    int r = alarm_open(loop);
    if (r)
        return r;
    if (loop->existing == loop->capacity) {
        size_t capacity = loop->capacity ? loop->capacity * 2 : 16;
        struct timer **heap = reallocarray(loop->heap, capacity, sizeof(struct timer *));
        if (!heap)
            return -ENOMEM;
        loop->heap = heap;
        loop->capacity = capacity;
    }
    struct timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return -ENOMEM;
    *timer = (struct timer){ .loop = loop, .handler = handler, .owner = owner, .place = NOT_SET };
    loop->existing++;
    *ret = timer;
    return 0;
}

void timer_stop(struct timer *timer)
{
    struct loop *loop = timer->loop;
    if (timer->place == NOT_SET)
        return;
    size_t place = (size_t)timer->place;
    timer->place = NOT_SET;
    struct timer *last = loop->heap[--loop->timers];
    if (last != timer)
        sift(loop, place, last);
}

void timer_free(struct timer *timer)
{
    if (!timer)
        return;
    timer_stop(timer);
    timer->loop->existing--;
    free(timer);
}

void timer_set(struct timer *timer, uint64_t ms)
{
    timer_stop(timer);
    timer->at_ms = clock_ms() + ms;
    struct loop *loop = timer->loop;
    loop->timers++;
    sift(loop, loop->timers - 1, timer);
}

static void run_timers(struct loop *loop)
{
    uint64_t now = clock_ms();
    while (loop->timers > 0 && loop->heap[0]->at_ms <= now && !loop->stopped) {
        struct timer *timer = loop->heap[0];
        timer_stop(timer);
        timer->handler(timer->owner);
    }
}

static int until_next(struct loop *loop, int timeout_ms)
{
    if (loop->timers == 0)
        return timeout_ms;
    uint64_t at = loop->heap[0]->at_ms;
    if (at <= clock_ms())
        return 0;
    if (at < loop->alarm_ms)
        alarm_set(loop, at);
    return timeout_ms;
}

/* ---- signals ---- */

static void signal_ready(void *owner, uint32_t ready)
{
    struct loop *loop = owner;
    (void)ready;
    struct signalfd_siginfo info;
    if (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        loop->on_signal(loop->signal_owner, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const int *signals, signal_handler *handler, void *owner)
{
    sigset_t set;
    sigemptyset(&set);
    for (; *signals; signals++)
        sigaddset(&set, *signals);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signal_fd < 0)
        return -errno;
    loop->on_signal = handler;
    loop->signal_owner = owner;
    return source_new(loop, loop->signal_fd, LOOP_READ, signal_ready, loop, &loop->signal_source);
}

/* ---- running ---- */

/* What they ask for in turn belongs to this round too. */
static void run_later(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_later; i++)
        loop->later[i].handler(loop->later[i].owner);
    loop->n_later = 0;
}

int loop_round(struct loop *loop, int timeout_ms)
{
    struct epoll_event batch[BATCH];
    int n = epoll_wait(loop->epoll_fd, batch, BATCH, until_next(loop, timeout_ms));
    if (n < 0 && errno != EINTR)
        return -errno;
    loop->ready = n > 0 ? (size_t)n : 0;
    for (int i = 0; i < n && !loop->stopped; i++) {
        struct source *source = batch[i].data.ptr;
        uint32_t ready = from_epoll(batch[i].events) & (source->interest | LOOP_HANGUP);
        if (!source->dead && source->interest && ready)
            source->handler(source->owner, ready);
    }
    run_timers(loop);
    run_later(loop);
    bury_dead(loop);
    return 0;
}

size_t loop_ready(const struct loop *loop)
{
    return loop->ready;
}

int loop_at_round_end(struct loop *loop, timer_handler *handler, void *owner)
{
    if (loop->n_later == LOOP_LATER_MAX)
        return -ENOBUFS;
    loop->later[loop->n_later].handler = handler;
    loop->later[loop->n_later].owner = owner;
    loop->n_later++;
    return 0;
}

int loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        int r = loop_round(loop, -1);
        if (r)
            return r;
    }
    return loop->status;
}

void loop_stop(struct loop *loop, int status)
{
    loop->stopped = true;
    loop->status = status;
}
