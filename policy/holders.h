/* The rules and masks that hold one request until somebody agrees: each has approvers of its own, and all of
 * them are asked. */
#pragma once
#include "policy/rules.h"

enum { HOLDERS_MAX = 16 }; /* of one request; more can't be asked, and it is denied */

/* Borrowed from the configuration. */
struct holder {
    const char *name, *reason;
    const Ipc__Approve *approve;
};

/* Each once, in the order in which they were found. Zeroed is a good one. */
struct holders {
    struct holder items[HOLDERS_MAX];
    size_t n;
    bool overflow; /* there are more */
};

void holders_add(struct holders *holders, const struct holder *holder);
void holders_add_all(struct holders *holders, const struct holders *others);
/* Those that hold another statement with these effects, none of which is denied. */
void holders_add_statement(struct holders *holders, const struct rulebook *rulebook,
                           const struct circumstances *who, const struct effects *effects);

enum { HOLDER_BY_MAX = 256 };
/* Who has to agree, for people: "dba", "2 of dba or ops", "dba and security". Returns out. */
char *holder_by(const Ipc__Approve *approve, char out[HOLDER_BY_MAX]);
