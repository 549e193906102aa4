/* Statements that wait until people have agreed. Part of front.c; see channels/pg/front.h. */
#pragma once
#include "channels/pg/front.h"

enum { FRONT_HELD = -1001 /* the message waits; stays inside of the front */ };

/* A statement whose verdict is to hold it, or that executes such ones. 0: *verdict is ACTION_HOLD when all
 * have agreed, and front_hold_use() is next; else ALLOW (it may run now) or DENY. FRONT_HELD,
 * FRONT_UNRECORDED, -ENOMEM. what: for the recording. */
MUST_USE int front_hold(struct front *front, const char *what, const struct held *held,
                        struct verdict *verdict);
/* Nothing else stands in its way: the ledger decides whether it may run. */
void front_hold_use(struct front *front);
/* It goes to the server: what it sets, later statements may depend on. */
void front_hold_note(struct front *front, const struct decision *decision);

/* ---- for the session, which calls front_resume() ---- */

/* Those who have to agree were asked. */
void front_hold_asked(struct front *front);
/* All have agreed. */
void front_hold_agreed(struct front *front);
/* The ledger lets it run, now. */
void front_hold_go(struct front *front);
/* Not approved. The strings are copied; request: its id, or "". */
void front_hold_refuse(struct front *front, const char *code, const char *rule, const char *reason,
                       const char *request);
