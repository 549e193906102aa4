/* gatehouse check: every fault of the configuration, with its place. */
#include <stdio.h>

#include "server/gatehouse.h"
#include "server/options.h"

int gatehouse_check(int argc, char **argv)
{
    const char *path = gatehouse_default_config;
    const struct option_spec specs[] = { { .name = "-c", .value = &path }, { 0 } };
    if (!options_take(&argc, argv, specs))
        return EXIT_USAGE;
    if (argc > 1)
        return gatehouse_fail(EXIT_USAGE, "check takes no operand; use -c FILE");
    Ipc__Config *config = NULL;
    int r = gatehouse_load(path, &config);
    if (r)
        return r == EXIT_CONFIG ? 1 : r;
    (void)printf("%s: ok (%zu targets, %zu roles, %zu rules)\n", path, config->n_targets, config->n_roles,
                 config->n_rules);
    ipc__config__free_unpacked(config, NULL);
    return 0;
}
