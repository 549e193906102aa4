/* A byte stream both ways: one socket, or two pipes. A message of a few hundred bytes through a pipe costs a
 * third of what it does through a socket (docs/adr/0035); whoever uses this sees no difference. */
#pragma once
#include "base/io.h"
#include "base/loop.h"

/* Embedded, and stays where it is while it is watched. Both descriptors are owned. */
struct duplex {
    int in, out;                           /* the same one: a socket; -1: closed */
    struct source *in_source, *out_source; /* out_source: of a pipe alone */
    bool hung_up;                          /* nobody reads what is written to the pipe */
    bool grown;                            /* the pipe was full once */
    uint32_t interest;                     /* in pipes */
    source_handler *handler;
    void *owner;
};

static inline struct duplex duplex_of(int in, int out)
{
    return (struct duplex){ .in = in, .out = out };
}
static inline struct duplex duplex_of_socket(int fd)
{
    return duplex_of(fd, fd);
}
static inline struct duplex duplex_none(void)
{
    return duplex_of(-1, -1);
}
MUST_USE int duplex_nonblock(const struct duplex *d);
/* Ends of two new pipes, [in, out] each, close-on-exec, non-blocking. Negative errno also where the kernel
 * gives this user only small pipes any more (pipe-user-pages-soft, pipe(7)): a socket is faster then. */
MUST_USE int duplex_pipes(int ret_ours[2], int ret_theirs[2]);
bool duplex_is_open(const struct duplex *d); /* one of its ends at least */
void duplex_close(struct duplex *d);

/* As with source_new(): LOOP_READ also at the end of what comes; LOOP_HANGUP once nothing that is written
 * will be read (a socket: once both ways are over) with every interest but 0. A pipe reports its hang-up by
 * itself only once, and then along with everything else. */
MUST_USE int duplex_watch(struct duplex *d, struct loop *loop, uint32_t interest, source_handler *handler,
                          void *owner);
void duplex_unwatch(struct duplex *d);
bool duplex_is_watched(const struct duplex *d);
/* No system call when the interest is what it was. */
void duplex_interest(struct duplex *d, uint32_t interest);

/* The other side reads the end of file. */
void duplex_end_output(struct duplex *d);
/* The other side's writes fail with EPIPE; what it has written is dropped. */
void duplex_stop_input(struct duplex *d);
/* Whether nothing is left to read and nothing more will come. */
bool duplex_at_end(const struct duplex *d);
