/* Which target and login a name means: before the @, or after `ssh` on the command surface. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

enum { ROUTE_NAME_MAX = 256 };

/* TARGET, or LOGIN+TARGET: the last + divides, since a login may have one. login is empty when none is asked
 * for. */
struct route {
    char login[ROUTE_NAME_MAX];
    char target[ROUTE_NAME_MAX];
};

/* False when it can't be one: empty, too long, or nothing beside the +. */
MUST_USE bool route_read(const char *name, size_t n, struct route *ret);

/* "WORD ROUTE REST…", of a command line: where the route and the rest begin, blanks in between left out. What
 * follows the route is the target's, as it is: no quote in it is looked at. False when there is no route. */
struct route_line {
    const char *route, *rest;
    size_t route_n;
};
MUST_USE bool route_line_read(const char *line, struct route_line *ret);
