/* What limits do to the client's side. Part of front.c; see channels/pg/front.h. */
#pragma once
#include "channels/pg/front.h"

/* Whether the ledger lets one more statement run. 0: go, or *verdict says no; LIMITS_ASK; -ENOMEM. */
MUST_USE int front_count(struct front *front, const struct decision *decision, struct verdict *verdict);
/* A Bind of the decision's text is sent. */
MUST_USE int front_limit_bind(struct front *front, const char *portal, struct decision *decision);
/* The Query, or Execute of the portal, has just been passed. */
MUST_USE int front_limit_query(struct front *front, struct decision *decision);
MUST_USE int front_limit_execute(struct front *front, const char *portal);
/* And a CopyDone or CopyFail. */
MUST_USE int front_limit_copied(struct front *front);
