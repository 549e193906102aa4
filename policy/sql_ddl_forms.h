/* What each CREATE, ALTER and DROP names, and which of its parts hold more names and expressions. Private to
 * policy/sql_ddl.c. */
#pragma once
#include "policy/sql_walk.h"

enum naming { BY_NOTHING, BY_STRING, BY_NAMES, BY_RELATION, BY_NODE, BY_NODES };

enum { PARTS_MAX = 6 };

struct form {
    NodeTag tag;
    enum effect_kind kind;
    enum object_kind object_kind;
    enum naming naming;
    size_t name;             /* offset */
    size_t parts[PARTS_MAX]; /* offsets of nodes to visit; 0 ends */
};

/* The form of this statement; NULL when it has none here. */
const struct form *form_of(NodeTag tag);
