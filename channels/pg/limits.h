/* Limits of results, and of statements a minute, in one session. The request whose result is limited goes to
 * the server alone: nothing is sent behind it until its result is over, so that the server can be made to
 * fail it, and whatever belongs to it, as if it had failed by itself. */
#pragma once
#include "channels/pg/decision.h"
#include "channels/pg/table.h"

enum {
    LIMITS_PORTALS_MAX = 1024, /* that are told apart; all further ones have the limits of each other */
    LIMITS_WORDS = 192,
};

/* What one result has shown. */
struct shown {
    uint64_t rows, bytes;
};

/* How the rest of a result over its limit is disposed of (back_cut.c). */
enum cut {
    CUT_NONE,
    CUT_DROPPING, /* its rows are dropped until the server ends it */
    CUT_ABORTING, /* the server has ended it well: it is made to fail by a statement of ours */
};

/* A portal or cursor whose result is limited. */
struct limited {
    struct link link;     /* first: see table.h */
    struct budget budget; /* without uses */
    struct shown shown;
    char *cursor;              /* whose rows it fetches; or NULL */
    struct decision *decision; /* on its text; a reference */
};

/* What the ledger says of the statement that waits. */
enum allowance { ALLOWANCE_NONE, ALLOWANCE_ASKED, ALLOWANCE_GO, ALLOWANCE_FULL };

/* Embedded by the front; zeroed and limits_init() is a good one. */
struct limits {
    bool on; /* rules of this session have limits */
    struct table portals;
    struct budget others; /* of portals and cursors that found no room in there */

    /* the limited result under way */
    struct budget now;
    struct shown *shown, here; /* of it: here, or of a portal or cursor */
    struct decision *decision; /* a reference; or NULL */
    bool simple;               /* by a Query: may have several results */
    bool copying_in;           /* its COPY FROM waits for the client */
    enum cut cut;
    bool cancel_due;  /* the server has to be told; the session takes notice */
    bool cancelling;  /* it is being told: nothing may be sent that this could hit */
    uint64_t request; /* the number of its refusal in the recording */

    /* statements a minute */
    enum allowance allowance;
    struct budget asked;   /* uses to ask for */
    const char *full_rule; /* borrowed; ALLOWANCE_FULL */
    uint32_t wait_s;
    char words[LIMITS_WORDS]; /* the reason of the last refusal */
};

void limits_init(struct limits *limits);
void limits_free(struct limits *limits);

/* ---- portals and cursors ---- */

/* A Bind makes the portal of this decision's text; budget: all that limits it; cursor: what it fetches; or
 * NULL. */
MUST_USE int limits_bound(struct limits *limits, const char *portal, struct decision *decision,
                          const struct budget *budget, const char *cursor);
/* What runs declares cursors. */
MUST_USE int limits_declared(struct limits *limits, struct decision *decision);
void limits_closed(struct limits *limits, const char *portal);
/* Adds the limits of what the text fetches from. Returns the name of the cursor; NULL: it fetches nothing. */
const char *limits_fetched(const struct limits *limits, const struct decision *decision,
                           struct budget *budget);

/* ---- the result under way ---- */

/* What is about to be sent has a limited result. False: it has not. cursor may be NULL. */
bool limits_begin_query(struct limits *limits, struct decision *decision, const struct budget *budget,
                        const char *cursor);
bool limits_begin_execute(struct limits *limits, const char *portal);
/* A row or piece of COPY data of n bytes. False: it is the one too many. */
bool limits_show(struct limits *limits, size_t n);
/* Another result of the same request begins. */
void limits_next_result(struct limits *limits);
/* Why it is ended: the verdict's reason is in limits->words. */
struct verdict limits_verdict(struct limits *limits);

/* ---- statements a minute ---- */

/* Whether it may run now. LIMITS_ASK: the ledger has to be asked (allowance is ALLOWANCE_ASKED from now on);
 * LIMITS_REFUSED: *verdict says why; 0: go. -ENOMEM. uses are copied. */
enum { LIMITS_ASK = 1, LIMITS_REFUSED };
MUST_USE int limits_allowance(struct limits *limits, const struct budget *uses, struct verdict *verdict);
