/* Webhooks: what happens is told to the places under `notify:` in gatehouse.yaml, through the courier
 * (docs/notifications.md). Nobody waits for that, and nothing depends on it. */
#pragma once
#include <stddef.h>
#include "base/ipc.h"
#include "base/loop.h"

struct notifier;

/* One thing that happened. Strings are borrowed and may be NULL where there is nothing to say. */
struct notification {
    const char *event;      /* "approval_requested" | "approval_decided" */
    uint64_t at_ms;         /* unix; 0: now */
    const char *request;    /* id of the approval request */
    const char *identity;   /* who asks */
    const char *acting_for; /* the person behind it */
    const char *target;     /* which webhooks hear of it: notify[].targets */
    const char *login;      /* on the target */
    const char *rule;       /* that holds it */
    const char *reason;     /* the rule's */
    const char *recording;  /* id of the session's recording */
    uint64_t expires_ms;    /* unix; requested: until when it waits; 0: not known */
    const char *const *by;  /* requested: roles that may decide */
    size_t n_by;
    uint32_t quorum;             /* requested: how many of them; 0: not said */
    const char *decision;        /* decided: "approved" | "denied" | "expired" | "withdrawn" */
    const char *const *deciders; /* decided: identities */
    size_t n_deciders;
    const char *comment;   /* decided: the decider's reason */
    const void *statement; /* goes out only to webhooks with include_statement */
    size_t statement_n;
};

/* The configuration is borrowed until notifier_config() brings the next one. */
MUST_USE int notifier_new(struct loop *loop, const Ipc__Config *config, struct notifier **ret);
void notifier_free(struct notifier *notifier);
DEFINE_CLEANUP(struct notifier *, notifier_free)
/* After a reload. What waits for a webhook that is still there goes on; the rest is dropped. */
void notifier_config(struct notifier *notifier, const Ipc__Config *config);
/* A link to the courier: fd is the notifier's from here on. It takes the place of an earlier one. */
void notifier_link(struct notifier *notifier, int fd);

/* Queues it for every webhook that wants it; copies what it needs. Never fails for the caller: what can't be
 * queued is logged. */
void notify_event(struct notifier *notifier, const struct notification *what);
