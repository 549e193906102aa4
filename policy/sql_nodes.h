/* PostgreSQL's parse nodes, as libpg_query builds them. Only policy/sql*.c include this.
 * Some of its names are also ours (policy/effect.h): theirs get a PG_ in front. */
#pragma once
#define OBJECT_TABLE    PG_OBJECT_TABLE
#define OBJECT_FUNCTION PG_OBJECT_FUNCTION
#define OBJECT_DATABASE PG_OBJECT_DATABASE
#include <postgres.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#undef OBJECT_TABLE
#undef OBJECT_FUNCTION
#undef OBJECT_DATABASE
/* Their port.h puts functions of its own in the place of libc's. */
#undef snprintf
#undef strerror
#undef free
