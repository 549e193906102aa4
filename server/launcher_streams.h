/* What a tool starts with as its standard input, output and errors, and the gate's ends of it. */
#pragma once
#include "base/error.h"
#include "base/ipc.h"

enum { STREAMS_MAX = 3 };

struct streams {
    int gates[STREAMS_MAX], tools[STREAMS_MAX]; /* owned; -1: none */
    size_t n;                                   /* of the gate's */
    int offered; /* the tool's end of the connection that it will accept; owned; or -1 */
};

/* Nothing is open. */
struct streams streams_none(void);
/* A terminal: gates [master]. Pipes: [input, output, errors]. The gate's do not block. Negative: what is open
 * is streams_close()d by the caller. */
MUST_USE int streams_terminal(const Ipc__Pty *wanted, struct streams *ret);
MUST_USE int streams_pipes(struct streams *ret);
/* For a tool that listens: gates [connection, output, errors], of which it accepts the first. */
MUST_USE int streams_connection(struct streams *ret);
void streams_close_tools(struct streams *streams); /* it has its own copies; not what is offered */
void streams_close(struct streams *streams);
