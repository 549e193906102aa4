/* One SSH channel and the sockets or pipes by which the gate serves it. */
#pragma once
#include <libssh/callbacks.h>
#include "base/duplex.h"
#include "server/front.h"

enum channel_state {
    CHANNEL_FRESH,  /* a session: nothing asked for yet */
    CHANNEL_ASKED,  /* the gate decides; `waiting` is answered then */
    CHANNEL_OPEN,   /* bytes move */
    CHANNEL_CLOSING /* we have closed; the client's close is still to come */
};

/* Our ends of a socket or of two pipes whose other ends the gate has. */
struct channel_side {
    struct front_channel *channel;
    struct duplex gate; /* closed: done with */
    bool ready;         /* it may have something to read */
    bool at_end;        /* nothing more comes from the gate */
    bool is_error;      /* the gate's stderr: extended data */
};

struct front_channel {
    struct front_channel *next;
    struct front *front;
    uint32_t number;
    enum channel_state state;
    bool is_session;
    ssh_channel ssh; /* NULL while a forward is CHANNEL_ASKED */
    struct ssh_channel_callbacks_struct callbacks;
    ssh_message waiting; /* the open or start request that the gate decides on */

    struct channel_side data, error;
    struct buffer to_gate;   /* taken from libssh, not yet taken by the gate */
    struct buffer to_client; /* taken from the gate; libssh was in a key exchange */
    bool to_client_is_error;
    bool gate_is_full;  /* the gate took not all: libssh queues, so that the client's window closes */
    bool gate_is_deaf;  /* the gate reads no more: what the client sends is dropped */
    bool client_ended;  /* EOF came */
    bool client_closed; /* CLOSE came */
    bool end_sent;      /* our EOF */
    bool touched;       /* a callback has changed something: to be served */
    bool starved; /* waits for the client's window or for a key exchange: to be served when it was heard */
    uint64_t linger_until_ms; /* set once the client closed while the gate is full */
    Ipc__Exit *exit;          /* how it ended; NULL: not known yet */

    Ipc__Pty *pty;
    Ipc__Variable *environment[FRONT_ENV_MAX];
    size_t n_environment;
};

/* A channel for a number of its own, in the front's list. */
MUST_USE int channel_new(struct front *front, bool is_session, struct front_channel **ret);
/* Gives everything back and leaves the list; closes the SSH channel if that has not been done. */
void channel_free(struct front_channel *c);
struct front_channel *channel_by_number(struct front *front, uint32_t number);
struct front_channel *channel_by_ssh(struct front *front, ssh_channel ssh);

/* Ties libssh's channel to this one. */
void channel_attach(struct front_channel *c, ssh_channel ssh);
/* Makes the sockets; ret_gate_ends are for the gate: [data] for forwards, [data, stderr] for sessions. */
MUST_USE int channel_make_sockets(struct front_channel *c, int ret_gate_ends[2], size_t *ret_n);
/* Of a forward that the gate accepts: [in, out] take the place of its socket. Both are taken. */
MUST_USE int channel_take_pipes(struct front_channel *c, int fds[2]);

/* Does everything for this channel that can be done now; may free it. */
void channel_serve(struct front_channel *c);
/* A line for the user on the channel's stderr; nothing for forwards. */
void channel_tell(struct front_channel *c, const char *text);
/* The client wants no more output: the gate learns it by EPIPE. */
void channel_stop_output(struct front_channel *c);
/* The gate gave an exit status, or there is none to come. */
void channel_exit(struct front_channel *c, const Ipc__Exit *exit);
/* No byte will come any more from the gate beyond what its sockets or pipes hold. */
void channel_gate_lost(struct front_channel *c);
