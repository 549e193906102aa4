/* A channel of the SSH connection, as the gate sees it: what was asked for, its descriptors, its recording.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "channels/gate.h"
#include "channels/refusal.h"
#include "channels/words.h"

struct config_kube;
struct desk;
struct kube_door;
struct kube_stream;
struct recorder;
struct shared_recording;
struct ssh_flow;
struct ssh_task;
struct stream;
struct tool;
struct printer;

/* Called when the recording is there; the channel's recorder is set. */
typedef void channel_recorded(struct channel *channel);

struct channel {
    struct channel *next;
    struct gate *gate;
    uint32_t number;       /* the front's */
    bool session;          /* else a forwarded connection */
    bool closing;          /* the exit status stands; output goes out still */
    uint32_t status;       /* the exit status, once closing */
    int data_fd, error_fd; /* -1 once handed on; error_fd only of sessions */
    Ipc__Open *open;       /* what was asked for; owned */
    Ipc__Pty *pty;         /* in open; or NULL */
    char *command;         /* as typed; "" for a shell; NULL for a forward */
    struct words words;
    const Ipc__Target *target; /* or NULL */

    uint32_t request; /* of the question that waits for its answer, or 0 */
    channel_recorded *recorded;
    struct recorder *recorder;       /* NULL: nothing is recorded (yet) */
    struct shared_recording *shared; /* whose recorder it is; NULL: its own */
    struct printer *out, *err;       /* made when something is printed */
    struct stream *stream;           /* what it does: a forward to PostgreSQL, */
    struct kube_door *kube_door;     /* or to a Kubernetes API, until its client has said something, */
    struct kube_stream *kube_stream; /* and then, */
    struct tool *tool;               /* or a tool, */
    struct config_kube *config_kube; /* a command that waits for the vault, */
    struct desk *desk;               /* what operators do with approvals, */
    struct ssh_task *ssh_task;       /* or a session at an SSH target */
    struct ssh_flow *ssh_flow;       /* or a connection through one */
    const char *exit_message;        /* with a signal, for channel_finish(); or NULL */
    bool exit_core;
};

/* Handlers: front Open, Window, Signal; ledger AnswerRecording, AnswerSessions, AnswerReplay, AnswerRevoke.
 */
int channel_open(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* The same while the connection ends. */
int channel_turn_away(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_window(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_signal(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_answer_recording(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_answer_sessions(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_answer_replay(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_answer_revoke(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int channel_answer_kill(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);

/* NULL when there is none of that number. */
struct channel *channel_by_number(struct gate *gate, uint32_t number);
/* Fails closed: its client is told why, nothing more goes to its target. May free it. */
void channel_stop(struct channel *channel, const struct refusal *why);
/* Fails closed: every channel tells its client why, nothing more goes to its target. */
void channels_stop(struct gate *gate, const struct refusal *why);
/* The connection is gone: recordings are ended, the ledger is told, everything is freed. */
void channels_end(struct gate *gate);

/* Asks for a recording of what the channel does on its target; recorded() is called once it is there. Without
 * one the channel is refused. */
void channel_record(struct channel *channel, channel_recorded *recorded);
/* The same for what is neither a command of ours nor of the target's own login; all borrowed for the call. */
void channel_record_as(struct channel *channel, const char *kind, const char *login, const char *command,
                       channel_recorded *recorded);

/* ---- for what runs in a channel ---- */

/* A forward is accepted, or refused with a reason; a refused channel is freed. */
void channel_accept(struct channel *channel);
/* Accepted, and its bytes go through these two descriptors, [in, out] as the front has them, instead of the
 * socket; borrowed. */
void channel_accept_on(struct channel *channel, const int front_ends[2]);
void channel_decline(struct channel *channel, const char *reason);

/* Text to the session's stdout or stderr. */
void channel_print(struct channel *channel, const void *bytes, size_t n);
void channel_complain(struct channel *channel, const char *text);
/* Sets the exit status: what was printed goes out, then the channel closes and is freed. */
void channel_exit(struct channel *channel, uint32_t status);
/* Both at once. */
void channel_refuse(struct channel *channel, const struct refusal *refusal);
/* For work that has given its output to the descriptors itself: ends the recording, tells the front, frees.
 */
void channel_finish(struct channel *channel, uint32_t status, const char *signal, const char *reason);
