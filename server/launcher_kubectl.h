/* kubectl's command line and environment: what the user may say, and what is said for the user. */
#pragma once
#include "base/error.h"
#include "base/ipc.h"
#include "server/launcher_command.h"

enum { KUBECTL_PATH_MAX = 256 };

/* `wanted` of the configuration, or the first that is in its usual place: a program, not a script. -ENOENT.
 */
MUST_USE int kubectl_find(const char *wanted, char ret[KUBECTL_PATH_MAX]);

/* Appends the whole argv. 0, a command_fault with detail for the user, or negative. */
MUST_USE int kubectl_arguments(const char *program, char *const *words, size_t n, struct command *command,
                               struct detail *detail);

/* Appends the environment; scratch is the run's directory, with kubectl_config's text in it as "config". */
MUST_USE int kubectl_environment(const char *scratch, const char *term, Ipc__Variable *const *given,
                                 size_t n_given, struct command *command);
/* A kubeconfig whose only context is the target; the address is answered by the supervisor, whatever it is.
 */
MUST_USE int kubectl_config(const char *target, char *ret, size_t size);
