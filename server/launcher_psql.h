/* psql's command line and environment: what the user may say, and what is said for the user. */
#pragma once
#include "base/error.h"
#include "base/ipc.h"
#include "server/launcher_command.h"

enum {
    PSQL_PATH_MAX = 256,
    PSQL_USER_MAX = 63, /* bytes, as PostgreSQL's names */
};

/* The newest real psql: Debian's /usr/bin/psql is a wrapper in Perl. -ENOENT. */
MUST_USE int psql_find(char ret[PSQL_PATH_MAX]);

/* Appends the whole argv: program, -X, and the user's options in one spelling, so that psql can't read them
 * differently from us. 0, a command_fault with detail for the user, or negative. */
MUST_USE int psql_arguments(const char *program, char *const *words, size_t n, struct command *command,
                            struct detail *detail);

/* Appends the environment. target and user are what psql shows; the gate decides what they mean. term may be
 * NULL. Of `given` only harmless names are passed on. */
MUST_USE int psql_environment(const char *target, const char *user, const char *term,
                              Ipc__Variable *const *given, size_t n_given, struct command *command);
