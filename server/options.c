/* See options.h. */
#include "server/options.h"

#include <string.h>

#include "server/gatehouse.h"

static const struct option_spec *find(const struct option_spec *specs, const char *word)
{
    for (; specs->name; specs++) {
        if (strcmp(specs->name, word) == 0)
            return specs;
    }
    return NULL;
}

/* Prints what is wrong. */
static bool take_value(const struct option_spec *spec, const char *word)
{
    if (spec->value) {
        *spec->value = word;
        return true;
    }
    if (spec->values->count == OPTION_VALUES_MAX) {
        (void)gatehouse_fail(EXIT_USAGE, "more than %d times %s", OPTION_VALUES_MAX, spec->name);
        return false;
    }
    spec->values->items[spec->values->count++] = word;
    return true;
}

bool options_take(int *argc, char **argv, const struct option_spec *specs)
{
    int left = 1;
    bool ended = false;
    for (int i = 1; i < *argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1]) {
            argv[left++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            ended = true;
            continue;
        }
        const struct option_spec *spec = find(specs, argv[i]);
        if (!spec || (!spec->flag && i + 1 == *argc)) {
            (void)gatehouse_fail(EXIT_USAGE, spec ? "%s needs a value" : "no option %s; see --help", argv[i]);
            return false;
        }
        if (spec->flag)
            *spec->flag = true;
        else if (!take_value(spec, argv[++i]))
            return false;
    }
    argv[left] = NULL;
    *argc = left;
    return true;
}
