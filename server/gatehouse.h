/* The `gatehouse` command: its subcommands. */
#pragma once
#include "base/ipc.h"
#include "policy/config.h"

/* sysexits (contract.md §1). */
enum {
    EXIT_USAGE = 64,
    EXIT_DATA = 65,
    EXIT_UNAVAILABLE = 69,
    EXIT_SOFTWARE = 70,
    EXIT_REFUSED = 77,
    EXIT_CONFIG = 78
};

/* argv[0] is the subcommand's name; the return value is the exit status. */
typedef int subcommand_run(int argc, char **argv);

struct subcommand {
    const char *name, *usage, *summary;
    subcommand_run *run;
};

int gatehouse_serve(int argc, char **argv);
int gatehouse_init(int argc, char **argv);
int gatehouse_check(int argc, char **argv);
int gatehouse_vault(int argc, char **argv);
int gatehouse_token(int argc, char **argv);
int gatehouse_policy(int argc, char **argv);
int gatehouse_verify(int argc, char **argv);
int gatehouse_play(int argc, char **argv);

/* "gatehouse: TEXT" on stderr; returns status. */
int gatehouse_fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);
/* Loads the configuration; every fault is printed as FILE:LINE:COL: error: … 0, EXIT_CONFIG or EXIT_SOFTWARE.
 */
MUST_USE int gatehouse_load(const char *path, Ipc__Config **ret);
/* Absolute directory of the other executables: ../libexec/gatehouse as seen from this one. */
MUST_USE int gatehouse_libexec(char *out, size_t size);
/* Where -c is not given: $GATEHOUSE_STATE/gatehouse.yaml is not guessed; /etc/gatehouse/gatehouse.yaml is. */
extern const char gatehouse_default_config[];
