/* One session of a client at an SSH target: a command, a shell or a subsystem. What goes in and comes out is
 * recorded first. */
#pragma once
#include "base/buffer.h"
#include "channels/channel.h"
#include "channels/ssh/upstream_channel.h"
#include "channels/ssh/verdict.h"

enum {
    TASK_WAITING_MAX = UPSTREAM_OUTPUT_MAX, /* bytes of one stream that the client has not taken */
    TASK_ONLY_MAX = 8 * 1024,               /* bytes of a command that a certificate can be made for */
    TASK_START_LIMIT_MS = 20 * 1000,
    TASK_LINGER_MS = 10 * 1000, /* for the target to take what a client that went had sent */
};

struct echo;
struct ssh_host;
struct task_guard;
struct task_hold;
struct task_transfer;
struct task_veil;

/* A stream of output on its way to the client. */
struct task_stream {
    int fd;
    struct source *source;
    struct buffer waiting; /* recorded, not yet taken by the client's side */
    bool deaf;             /* nobody reads it */
};

struct ssh_task {
    struct ssh_task *next; /* of the host's */
    struct channel *channel;
    struct ssh_host *host;
    char *login; /* asked for; "": the target's own */
    enum ssh_kind kind;
    char *text;                  /* command or subsystem */
    Ipc__Variable **environment; /* of the client's, those that are passed on; borrowed */
    size_t n_environment;

    struct upstream_channel *session;
    struct task_transfer *transfer; /* of a session that moves files; or NULL */
    struct task_hold *hold;         /* while people decide; or NULL */
    struct task_veil *veil;         /* where output is masked; or NULL */
    struct task_guard *guard;       /* of a guarded shell that runs; or NULL */
    struct timer *limit;
    struct task_stream out, err;
    struct buffer input;
    struct upstream_exit exit;
    struct echo *echo; /* of a terminal */
    bool guarded;      /* a shell that is decided line by line */
    bool terminal;     /* the target gave one */
    bool running, input_over;
    bool out_shut;     /* our EOF was sent */
    bool hung_up;      /* nothing more comes from the client, nor is taken by it, but its standard error */
    bool reads;        /* it waits for input, and the target's window is open */
    bool client_gone;  /* it has left: what it sent before still goes on */
    bool target_ended; /* EOF: no more output */
    bool over;         /* the target has closed; what waits goes out still */
    bool unrecorded;   /* something could not be recorded */
    bool resized;      /* before it ran: to */
    uint32_t columns, rows;
};

/* Begins: the channel is recorded, judged and run, or refused. text is copied. login may be "". */
void ssh_task_begin(struct channel *channel, const Ipc__Target *target, const char *login, enum ssh_kind kind,
                    const char *text);
void ssh_task_free(struct ssh_task *task);
void ssh_task_window(struct ssh_task *task, const Ipc__Window *window);
void ssh_task_signal(struct ssh_task *task, const char *name);
/* Ends it: the client is told why. Frees the channel. */
void ssh_task_stop(struct ssh_task *task, const struct refusal *why);

/* ---- for host.c ---- */

void ssh_task_ready(struct ssh_task *task);
/* Gives its channel at the target back; more is said by ssh_task_refused(), next. */
void ssh_task_abandon(struct ssh_task *task);
void ssh_task_refused(struct ssh_task *task, const struct refusal *why);
/* The command, when its connection needs to run nothing besides; else NULL. */
const char *ssh_task_only(const struct ssh_task *task);
const char *ssh_task_recording(const struct ssh_task *task); /* its id */
