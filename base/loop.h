/* Event loop on epoll: descriptors, timers, signals. One thread.
 * Everything may be freed from inside any handler: events of the same round
 * that belong to a freed source are dropped. */
#pragma once
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

struct loop;
struct source;
struct timer;

/* LOOP_HANGUP (EPOLLHUP, EPOLLERR) is reported with every interest but 0; an interest of 0 is a pause, in
 * which nothing is reported, so that a peer that hung up does not wake a loop that can't act on it yet. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };
enum { LOOP_LATER_MAX = 32 }; /* calls that wait for the end of a round */

typedef void source_handler(void *owner, uint32_t ready);
typedef void timer_handler(void *owner);
typedef void signal_handler(void *owner, int signal_number);

MUST_USE int loop_new(struct loop **ret);
void loop_free(struct loop *loop); /* after all of its sources and timers */
DEFINE_CLEANUP(struct loop *, loop_free)

/* fd stays the caller's; free the source before closing it. */
MUST_USE int source_new(struct loop *loop, int fd, uint32_t interest, source_handler *handler, void *owner,
                        struct source **ret);
void source_free(struct source *source);
/* No system call when the interest is what it was. */
void source_interest(struct source *source, uint32_t interest);

MUST_USE int timer_new(struct loop *loop, timer_handler *handler, void *owner, struct timer **ret);
void timer_free(struct timer *timer);
/* Fires once, ms from now; setting again moves it. */
void timer_set(struct timer *timer, uint64_t ms);
void timer_stop(struct timer *timer);

/* Blocks these signals and hands them to the handler (signalfd); once per loop. 0-terminated list. */
MUST_USE int loop_signals(struct loop *loop, const int *signals, signal_handler *handler, void *owner);

/* How many descriptors were found ready in this round. More than one: what their handlers write to one reader
 * may be worth holding back until the round's end, so that it is woken once. */
size_t loop_ready(const struct loop *loop);
/* Calls the handler once, when this round's handlers are through; owner must live that long. -ENOBUFS beyond
 * LOOP_LATER_MAX: the caller does it at once instead. */
MUST_USE int loop_at_round_end(struct loop *loop, timer_handler *handler, void *owner);

/* Runs until loop_stop(); returns its status, or a negative errno. */
MUST_USE int loop_run(struct loop *loop);
/* One wait of at most timeout_ms (negative: until something happens) and its handlers. */
MUST_USE int loop_round(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop, int status);
