/* A tool that the launcher runs for a channel: psql, the player. Its terminal or pipes go through here. */
#pragma once
#include "channels/channel.h"
#include "channels/tool_port.h"

/* fds: handed to the tool; fds and arguments are borrowed. The channel is finished when the tool has ended.
 */
void tool_start(struct channel *channel, Ipc__Tool kind, char **arguments, size_t n_arguments, const int *fds,
                size_t n_fds);
void tool_free(struct tool *tool);
/* A stream of the tool has ended and frees itself. */
void tool_forget_stream(struct tool *tool, const struct stream *stream);
void tool_forget_kube_stream(struct tool *tool, const struct kube_stream *stream);
/* Of what it forwards; nothing happens where it does not. */
void tool_forwards(struct tool *tool, enum tool_port_event event);
/* A line for the client, where the tool itself has no words for it; recorded. What does not fit at once is
 * not waited for. */
void tool_notice(struct tool *tool, const char *text);
void tool_window(struct tool *tool, const Ipc__Window *window);
void tool_signal(struct tool *tool, const char *name);
/* Fails closed: kills the tool; its client is told why. */
void tool_stop(struct tool *tool, const struct refusal *why);

/* Handlers: launcher AnswerRun, ToolConnected, ToolExited. */
int tool_answer_run(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int tool_connected(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int tool_exited(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
void tools_launcher_gone(struct gate *gate);
