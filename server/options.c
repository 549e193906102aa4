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
        if (!spec || (spec->value && i + 1 == *argc)) {
            (void)gatehouse_fail(EXIT_USAGE, spec ? "%s needs a value" : "no option %s; see --help", argv[i]);
            return false;
        }
        if (spec->flag)
            *spec->flag = true;
        else
            *spec->value = argv[++i];
    }
    argv[left] = NULL;
    *argc = left;
    return true;
}
