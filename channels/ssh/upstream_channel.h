/* A session at a target (a command, a shell or a subsystem), or a connection that it makes, in a channel of
 * an upstream. */
#pragma once
#include "channels/ssh/upstream.h"

struct upstream_channel;

/* Bytes of one stream that are given at once, and that libssh may hold: windows are at most 2 MB, and may be
 * renewed while one is full. */
enum { UPSTREAM_OUTPUT_MAX = 8 * 1024 * 1024 };

/* What to run; borrowed until started() or refused(). */
struct upstream_run {
    enum { UPSTREAM_EXEC, UPSTREAM_SHELL, UPSTREAM_SUBSYSTEM, UPSTREAM_FORWARD } what;
    const char *text;    /* command, name of the subsystem, or host to be reached */
    uint32_t port;       /* of that host */
    const Ipc__Pty *pty; /* or NULL */
    Ipc__Variable *const *environment;
    size_t n_environment;
};

/* How it ended, as far as the target said. */
struct upstream_exit {
    bool known;
    uint32_t status;
    char signal[32]; /* without SIG (RFC 4254 section 6.10); "": by exit */
    bool core;
    char message[256]; /* escaped */
};

/* What output() says of the stream that it was given some of. */
enum upstream_taken {
    UPSTREAM_GO_ON,
    UPSTREAM_PAUSE,  /* until upstream_channel_more() */
    UPSTREAM_NO_MORE /* of both; given_up() follows */
};

/* Called from upstream_settle() but for output(). */
struct upstream_channel_calls {
    /* terminal: whether the pty was given, if one was asked for. */
    void (*started)(void *owner, bool terminal);
    void (*refused)(void *owner, const char *detail); /* detail may hold the target's words */
    /* All n bytes are taken; must call nothing of upstream.h or of this. */
    enum upstream_taken (*output)(void *owner, bool is_error, const uint8_t *bytes, size_t n);
    void (*given_up)(void *owner);     /* after UPSTREAM_NO_MORE */
    void (*output_ended)(void *owner); /* the target's EOF, all before it was given to output() */
    void (*input_wanted)(void *owner); /* upstream_channel_room() was 0 and is not any more */
    void (*ended)(void *owner, const struct upstream_exit *exit); /* the last call */
};

/* Begins at once; anything that goes wrong from here on is told by refused(). */
MUST_USE int upstream_channel_new(struct upstream *upstream, const struct upstream_run *run,
                                  const struct upstream_channel_calls *calls, void *owner,
                                  struct upstream_channel **ret);
/* Closes it at the target too. */
void upstream_channel_free(struct upstream_channel *channel);

/* How many bytes upstream_channel_write() would take now. */
size_t upstream_channel_room(struct upstream_channel *channel);
/* Takes all n bytes, at most upstream_channel_room() of them; -EPIPE when the target takes no more. */
MUST_USE int upstream_channel_write(struct upstream_channel *channel, const void *bytes, size_t n);
/* The client's EOF. */
void upstream_channel_end_input(struct upstream_channel *channel);
/* output() said stop; now it is ready again. */
void upstream_channel_more(struct upstream_channel *channel, bool is_error);
void upstream_channel_window(struct upstream_channel *channel, uint32_t columns, uint32_t rows);
/* name without SIG. */
void upstream_channel_signal(struct upstream_channel *channel, const char *name);
