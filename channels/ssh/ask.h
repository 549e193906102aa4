/* What is approved at a host (channels/approval.h): a command, a shell, a file operation, a forward. */
#pragma once
#include "channels/approval.h"

enum { SSH_CONTEXT_MAX = 16 };

struct ssh_ask {
    const char *kind; /* "command" | "shell" | "subsystem" | "file" | "forward" */
    const char *text;
    const char *const *effects; /* in words */
    size_t n_effects;
    uint64_t number; /* of the request in the recording */
    const struct holders *holders;
    const char *login; /* "": the target's own */
    /* What else matters to what it does. */
    const Ipc__Variable *const *context;
    size_t n_context;
};

struct channel;

/* Everything is borrowed for the call, the holders' texts for as long as the configuration is. As
 * approval_new(); APPROVAL_TOO_LARGE too. */
MUST_USE int ssh_ask(struct channel *channel, const struct ssh_ask *ask, const struct approval_calls *calls,
                     void *owner, struct approval **ret);
/* The reason with the request's id in it: what a refusal says. */
void ssh_ask_words(char *out, size_t size, const char *reason, const char *request);
