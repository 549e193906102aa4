/* One running tool: its start, its sockets, its end. */
#pragma once
#include <sys/types.h>
#include "server/launcher.h"
#include "server/launcher_command.h"

struct tool_order {
    struct ipc_peer *gate; /* who is told of it */
    uint64_t connection;   /* of the gate, for the log */
    uint32_t request;
    const char *name; /* static, for the log and messages */
    struct sandbox *sandbox;
    const struct command *command;
    const char *scratch; /* its private directory, or NULL */
    unsigned sockets_per_second;
    const Ipc__Pty *pty; /* or NULL */
    int extra;           /* fd 3 of the tool, borrowed; or -1 */
};

/* Starts it; AnswerRun follows from the loop, a refusal too. Negative: nothing was started and nothing will
 * be said. */
MUST_USE int tool_start(struct launcher *launcher, const struct tool_order *order, struct detail *detail);
/* The gate's tool of that number, or NULL. */
struct tool *tool_find(const struct launcher *launcher, const struct ipc_peer *gate, uint32_t request);
size_t tool_count(const struct launcher *launcher, const struct ipc_peer *gate);
/* By the name of RFC 4254 §6.9, without SIG; names that a tool has no use for are ignored. */
void tool_signal(struct tool *tool, const char *name);
/* The gate is gone: ends its tools, by force after LAUNCHER_HANGUP_MS. */
void tool_abandon_all(struct launcher *launcher, const struct ipc_peer *gate);
/* waitpid() gave this; unknown pids are ignored. */
void tool_reaped(struct launcher *launcher, pid_t pid, int status);
/* At the very end: kills what is left. */
void tool_kill_all(struct launcher *launcher);
