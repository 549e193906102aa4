/* The inside of an inspector, shared by inspect.c and inspect_judge.c. */
#pragma once
#include "channels/pg/decided.h"
#include "channels/pg/inspect.h"

/* A text whose names are being looked up. */
struct pending {
    struct decision *decision; /* with the text */
    struct sql_request *request;
    struct effects *resolved; /* of the statements before `at` */
    size_t at;
    bool asked; /* the statement at `at` had its wants fetched */
    uint64_t generation;
    unsigned rounds;
    struct scope_mark before; /* what statements behind the first have noted is taken back, */
    bool allowed;             /* unless all of them will run */
};

struct inspector {
    const struct rulebook *rulebook;
    struct scope *scope;          /* or NULL */
    const struct mask_set *masks; /* of columns; or NULL */
    bool read_only, limited;
    struct pending pending;
    struct circumstances who; /* search_path_set is the session's own */
    struct decided texts, shapes;
};

/* Effects and lineages to the decision's verdict, and what goes with it. */
MUST_USE int inspector_judge(const struct inspector *inspector, struct decision *d,
                             const struct sql_request *request);
