/* The inside of a tool, shared by tool.c and tool_forward.c. */
#pragma once
#include "channels/pump.h"
#include "channels/tool.h"

enum { STREAMS_MAX = 256 }; /* connections that one tool has open at a time */

struct tool {
    struct channel *channel;
    uint32_t request;
    bool exited, started;
    bool unrecorded; /* stopped, since its output could not be recorded */
    uint32_t status;
    char signal[16];
    int terminal; /* the pty's master, or -1 */
    struct pump *input, *output, *errors;
    struct stream *streams[STREAMS_MAX];
    struct kube_stream *kube_streams[STREAMS_MAX]; /* of kubectl, instead */

    bool forwards; /* input and output are those of a connection that it accepts */
    struct tool_port port;
    struct pump *words; /* what it prints itself */
    struct timer *limit;
};

/* A signal, by its name without SIG. */
void tool_tell(struct tool *tool, const char *name);
/* May free it. */
void tool_finish_when_done(struct tool *tool);
void tool_stop_if_unrecorded(struct tool *tool, int error);

/* Of pumps; their owner is the tool. */
int tool_errors_seen(void *owner, const void *bytes, size_t n);
void tool_errors_ended(void *owner, int error);
void tool_input_ended(void *owner, int error);

/* ---- tool_forward.c ---- */

/* fds: [connection, output, errors] */
MUST_USE int tool_attach_connection(struct tool *tool, int *fds);
/* Makes the user's exit status of the tool's. */
void tool_forward_exited(struct tool *tool);
