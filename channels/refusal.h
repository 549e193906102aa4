/* A refusal (contract.md §3): the same facts, in the form of whatever protocol carries it. */
#pragma once
#include <stddef.h>
#include "base/ipc.h"

struct refusal {
    const char *code;   /* "denied", "target_unavailable", … */
    const char *reason; /* for a person */
    const char *rule;   /* or NULL */
    const char *next;   /* what to do next, or NULL: by code */
};

/* Of another process's answer; borrows its strings. */
struct refusal refusal_of(const Ipc__Refusal *refusal);
/* sysexits (contract.md §1): 69 unavailable, 75 try again, 77 refused. */
unsigned refusal_status(const struct refusal *refusal);
/* "gatehouse: denied: REASON (rule R, code C)\ngatehouse: next: …\n"; returns out. */
char *refusal_lines(const struct refusal *refusal, char *out, size_t size);
