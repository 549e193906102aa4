/* A tool that forwards a port (kubectl port-forward): the client's input and output are those of the
 * connection that it accepts, and what it prints itself goes where errors go. What passes the connection is
 * not recorded as output of the tool: the stream to the server notes it, as of any port-forward
 * (kube_talk.c). */
#include <string.h>

#include "channels/tool_parts.h"

static void limit_reached(void *owner)
{
    static const struct refusal idle = {
        .code = "target_unavailable",
        .reason = "kubectl has reached the pod, but does not take up the connection",
        .next = "try again"
    };
    struct tool *tool = owner;
    if (tool->port.closed)
        tool_tell(tool, "KILL");
    else
        tool_stop(tool, &idle);
}

void tool_forwards(struct tool *tool, enum tool_port_event event)
{
    if (!tool->forwards)
        return;
    tool_port_event(&tool->port, event);
    unsigned ms = tool_port_limit_ms(&tool->port);
    if (ms > 0)
        timer_set(tool->limit, ms);
    else
        timer_stop(tool->limit);
}

static void words_ended(void *owner, int error)
{
    struct tool *tool = owner;
    tool_stop_if_unrecorded(tool, error);
    pump_free(STEAL(tool->words));
    tool_finish_when_done(tool);
}

/* What came through the port was passed on: kubectl would go on and listen. */
static void connection_ended(void *owner, int error)
{
    struct tool *tool = owner;
    tool_tell(tool, error ? "HUP" : "INT");
    tool_forwards(tool, TOOL_PORT_CLOSED);
    pump_free(STEAL(tool->output));
    tool_finish_when_done(tool);
}

int tool_attach_connection(struct tool *tool, int *fds)
{
    struct channel *channel = tool->channel;
    struct loop *loop = channel->gate->loop;
    tool->forwards = true;
    int r = timer_new(loop, limit_reached, tool, &tool->limit);
    if (r == 0)
        r = pump_new(loop, fds[0], channel->data_fd, NULL, connection_ended, tool, &tool->output);
    if (r == 0)
        r = pump_new(loop, fds[1], channel->error_fd, tool_errors_seen, words_ended, tool, &tool->words);
    if (r == 0)
        r = pump_new(loop, fds[2], channel->error_fd, tool_errors_seen, tool_errors_ended, tool,
                     &tool->errors);
    if (r)
        return r;
    pump_keep_open(tool->words); /* both write to one place, and either may be the first to end */
    pump_keep_open(tool->errors);
    return pump_new(loop, channel->data_fd, fds[0], NULL, tool_input_ended, tool, &tool->input);
}

void tool_forward_exited(struct tool *tool)
{
    bool by_signal = tool->signal[0] != 0;
    tool->status = tool_port_status(&tool->port, tool->status, &by_signal);
    if (!by_signal)
        tool->signal[0] = 0;
    else if (tool->port.state == TOOL_PORT_SEEKS && strcmp(tool->signal, "KILL") == 0)
        tool_notice(tool, "kubectl was killed before it reached the pod; the bastion's log says why");
}
