/* The launcher: runs tools in sandboxes for gates. What its files share. */
#pragma once
#include <stdint.h>
#include "base/ipc.h"
#include "base/loop.h"
#include "policy/ticket.h"
#include "server/launcher_scratch.h"
#include "server/sandbox.h"

enum {
    LAUNCHER_TOOLS_MAX = 256, /* at a time */
    LAUNCHER_TOOLS_PER_GATE_MAX = 16,
    LAUNCHER_GATES_MAX = 8192,
    LAUNCHER_START_MS = 5000,                  /* from fork to the program */
    LAUNCHER_HANGUP_MS = 2000,                 /* from SIGHUP to SIGKILL, for a tool whose gate is gone */
    LAUNCHER_SOCKETS_PER_SECOND = 20,          /* that one tool may open */
    LAUNCHER_KUBECTL_SOCKETS_PER_SECOND = 400, /* it asks for many things at a time, three sockets for each */
};

struct tool;
struct gate;

/* A program that may be run: its cage, or why there is none. */
struct program {
    struct sandbox *sandbox;
    struct detail missing;
};

struct launcher {
    struct loop *loop;
    struct ipc_peer *control;
    uint8_t ticket_key[TICKET_KEY];
    struct program psql, player, kubectl, forwarder; /* forwarder: kubectl, where it listens */
    char scratch[SCRATCH_PATH_MAX];                  /* what holds the tools' private directories, or "" */
    struct tool *tools;                              /* list */
    struct gate *gates;                              /* list */
    size_t n_tools, n_gates;
};
