/* A catalog and rules for benches: what a gate with a target has learnt, without one. */
#pragma once
#include <stdlib.h>
#include "policy/catalog.h"
#include "policy/rules.h"

/* Answers what it wants: every name is a plain table of public, or one of PostgreSQL's functions. */
void known_answer(struct catalog *catalog);
/* Denies what touches a schema, or drops; allows the rest. */
MUST_USE int known_rules(struct rulebook **ret);
