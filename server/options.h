/* Command line options of the `gatehouse` command. */
#pragma once
#include <stdbool.h>

/* One option; either a flag or one with a value. */
struct option_spec {
    const char *name;   /* "--log", "-c" */
    const char **value; /* set to the next word; or NULL */
    bool *flag;         /* set to true; or NULL */
};

/* Takes the options out of argv, which keeps argv[0] and the operands; *argc is what is left. "--" ends them.
 * Prints what is wrong and returns false for an unknown option or a missing value. */
bool options_take(int *argc, char **argv, const struct option_spec *specs);
