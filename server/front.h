/* One SSH connection in a process of its own: what the front_*.c files share. */
#pragma once
#include <stdbool.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include "base/buffer.h"
#include "base/ipc.h"
#include "base/loop.h"

enum {
    FRONT_CHUNK = 64 * 1024,          /* bytes moved at once, either way */
    FRONT_HELD_MAX = 8 * 1024 * 1024, /* of a client, which its gate has not taken: some windows */
    FRONT_PROBES_MAX = 64,            /* authentication requests without a signature */
    FRONT_PLAIN_KEYS_MAX = 8,         /* offered ones that are kept in mind */
    FRONT_ENV_MAX = 32,               /* environment variables of one channel */
    FRONT_ENV_NAME_MAX = 128,
    FRONT_ENV_VALUE_MAX = 2048,
    FRONT_COMMAND_MAX = 64 * 1024, /* bytes of a command line or subsystem */
    FRONT_HOST_MAX = 1024,
    FRONT_TERM_MAX = 128,
    FRONT_ROUNDS_MAX = 64,         /* polls of the session before other sources get their turn */
    FRONT_GATE_WAIT_MS = 5000,     /* for the listener to give a gate */
    FRONT_VERDICT_WAIT_MS = 25000, /* for that gate to judge the certificate, or have it exchanged */
    FRONT_FLUSH_MS = 3000,         /* for the client to take our last words */
    FRONT_DRAIN_MS = 5000,         /* for output that a lost gate had left */
    FRONT_LINGER_MS = 10000,       /* for the gate to take what a closed channel had left */
    FRONT_IDLE_MS = 500,           /* without events, before memory is given back */
    FRONT_KEEPALIVES_MAX = 3       /* unanswered ones before the kernel counts the client as dead */
};

struct front_channel;

enum front_phase {
    FRONT_KEY_EXCHANGE,
    FRONT_LOGIN,   /* the user authenticates */
    FRONT_SESSION, /* a gate has admitted the user */
    FRONT_DRAINING /* the gate is gone; what it left still goes out */
};

struct front {
    struct loop *loop;
    const Ipc__FrontSettings *settings;
    const Ipc__Spawn *spawn;
    enum front_phase phase;
    bool over;
    int status; /* enum front_exit, once over */

    ssh_session ssh;
    ssh_event event;                   /* holds the session alone; once the keys are exchanged */
    struct ssh_counter_struct packets; /* counted by libssh */
    uint64_t heard;                    /* of the client's, when libssh last had no request of it left */
    int fd; /* a duplicate of the session's, for the loop: libssh closes its own inside of calls */
    struct source *source;
    bool corked;         /* packets gather until the round ends */
    bool wrote;          /* something was given to libssh since it was last polled */
    bool touched;        /* some channel is to be served */
    bool client_is_full; /* its socket took no more when it was looked at */
    bool write_pending;  /* nothing more is given to libssh until the client takes what it holds */
    struct timer *again, *grace, *idle, *linger;
    uint8_t *chunk; /* FRONT_CHUNK bytes of scratch, given back when idle */

    int control;                   /* to the listener */
    struct source *control_source; /* until the login: tells when the listener gives the connection up */
    struct ipc_peer *control_peer; /* takes `control` over after login */
    struct ipc_peer *gate;
    bool pty_allowed, forwarding_allowed;
    unsigned signatures, probes;
    bool plain_key_seen, certificate_seen, enrol_told;
    bool enrols; /* the user is enroll@ */
    uint64_t plain_keys[FRONT_PLAIN_KEYS_MAX];
    size_t n_plain_keys;

    struct front_channel *channels; /* all that are not closed by both sides */
    unsigned n_channels;
    uint32_t last_channel;
    char goodbye[256];
};

/* ---- front_session.c: the loop around libssh ---- */

/* Serves the connection until it ends; returns an enum front_exit. fds [connection, control] are taken. */
int front_serve(struct front *front, void *ssh_bind);
/* Polls the session, handles its messages, moves what can be moved. To be called after anything that wrote to
 * the session. */
void front_settle(struct front *front);
/* The same after bytes were moved from a gate: does nothing when that left nothing to do. */
void front_settle_output(struct front *front);
/* libssh sends at once what it is given next; false when the client is to take something first. */
bool front_can_send(struct front *front);
/* Ends the connection at the end of this round. The message (NULL: none) is told to the client. */
void front_end(struct front *front, int status, const char *message);
/* The gate or the listener is gone: lets out what is left, for at most limit_ms (0: FRONT_DRAIN_MS), then
 * ends.
 */
void front_drain(struct front *front, const char *message, uint32_t limit_ms);

/* ---- front_login.c ---- */

/* Handles one message of the login phase; answers it. The message stays the caller's. */
void front_login_message(struct front *front, ssh_message message);

/* ---- front_message.c: SSH requests and gate messages ---- */

/* Handles one message after the login; takes it over. */
void front_message(struct front *front, ssh_message message);
/* Makes the admitted connection's gate a peer of the loop; gate_fd is taken. */
MUST_USE int front_gate_new(struct front *front, int gate_fd);
