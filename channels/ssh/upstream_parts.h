/* The inside of an upstream, shared by upstream*.c: those that touch libssh. */
#pragma once
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include "base/buffer.h"
#include "channels/ssh/upstream_channel.h"

enum {
    UPSTREAM_CHUNK = UPSTREAM_INPUT_MAX, /* bytes moved at once, either way */
    UPSTREAM_ROUNDS_MAX = 64,            /* polls before others get their turn */
};

enum upstream_phase {
    UPSTREAM_KEY_EXCHANGE,
    UPSTREAM_LOGIN,
    UPSTREAM_READY,
    UPSTREAM_OVER /* lost() was called */
};

enum password_step {
    PASSWORD_NONE, /* the login is by another way */
    PASSWORD_METHODS,
    PASSWORD_PLAIN,
    PASSWORD_PROMPTS
};

struct upstream_password {
    enum password_step step;
    bool wanted; /* the owner was asked for it, and nothing moves until it is given */
    char *text;  /* from then until it is used; wiped */
    size_t n;
    bool used;
    unsigned n_rounds; /* of keyboard-interactive, without a question */
};

struct upstream {
    struct loop *loop;
    const struct upstream_calls *calls;
    void *owner;
    enum upstream_phase phase;
    const Ipc__Target *target;

    ssh_session ssh;
    ssh_event event;                   /* holds the session alone; once logged in */
    struct ssh_counter_struct packets; /* counted by libssh */
    uint64_t heard;                    /* of the target's, when channels were last looked at */
    int fd; /* a duplicate of the session's, for the loop: libssh closes its own inside of calls */
    struct source *source;
    struct timer *again;
    ssh_key key; /* with its certificate; NULL: an agent signs, or */
    struct upstream_password password;

    struct upstream_channel *channels;
    uint8_t *chunk;      /* UPSTREAM_CHUNK bytes of scratch */
    const char *broken;  /* set by a callback: what the target did that ends it */
    bool busy;           /* upstream_settle() is at work, */
    bool freed;          /* and shall free when it is through */
    bool wrote, touched; /* since the last poll: bytes were given to libssh; a channel is to be served */
    bool target_is_full; /* its socket took no more when it was looked at */
    bool write_pending;  /* no input is taken until the target has read what libssh holds */
};

enum upstream_channel_state {
    CHANNEL_OPENS,
    CHANNEL_ASKS_PTY,
    CHANNEL_ASKS_ENV,
    CHANNEL_STARTS,
    CHANNEL_RUNS,
    CHANNEL_OVER
};

/* One of a channel's two streams of output. */
struct upstream_stream {
    bool stalled;  /* the owner wants no more of it */
    bool draining; /* libssh may hold what came while it was stalled */
};

struct upstream_channel {
    struct upstream_channel *next;
    struct upstream *upstream;
    ssh_channel ssh;
    struct ssh_channel_callbacks_struct callbacks;
    const struct upstream_channel_calls *calls;
    void *owner;
    enum upstream_channel_state state;
    struct upstream_run run;
    size_t n_asked; /* of the environment */
    bool terminal;
    struct upstream_stream streams[2]; /* output, errors */
    struct upstream_exit exit;
    bool ended, closed; /* EOF, CLOSE came */
    bool end_told;
    bool given_up;        /* output() wants no more, ever: it is dropped */
    bool starved;         /* the owner waits for room */
    bool touched;         /* to be served */
    struct buffer unsent; /* taken from the owner; libssh was in a key exchange */
    bool input_ended, end_sent;
};

/* upstream.c: it is over, which the owner is told. */
void upstream_lose(struct upstream *upstream, enum upstream_fault fault, const char *detail);
/* upstream_login.c: which way it will be; agent is taken, also on failure. */
MUST_USE int upstream_login_set(struct upstream *upstream, int agent, bool by_password);
/* As far as it gets now. Ends with ready() or lost(). */
void upstream_log_in(struct upstream *upstream);
/* Forgets what was for the login. */
void upstream_login_free(struct upstream *upstream);

/* Everything that can be done for the channel now; may free it, and others, and the upstream. */
void upstream_channel_serve(struct upstream_channel *channel);
/* Whether it is to be served whenever something has happened at all. */
bool upstream_channel_waits(const struct upstream_channel *channel);
/* libssh sends at once what it is given next. */
bool upstream_can_send(struct upstream *upstream);
