/* See transfer_servers.h. */
#include "policy/transfer_servers.h"

#include <stddef.h>

static bool looks_at_files(const struct rulebook *rulebook, const struct circumstances *who)
{
    return rulebook_asks_paths(rulebook, who->roles, who->n_roles, who->target) ||
           rulebook_looks_into_files(rulebook, who->roles, who->n_roles, who->target);
}

int transfer_servers_add(const struct rulebook *rulebook, const struct circumstances *who, const char *line,
                         struct effects *effects)
{
    CLEANUP(transfer_command_clear) struct transfer_command command = { .program = PROGRAM_OTHER };
    if (!looks_at_files(rulebook, who))
        return 0;
    int r = line ? transfer_command_read(line, &command) : 0;
    if (r || command.program != PROGRAM_OTHER)
        return r;
    for (size_t i = 0; i < effects->count; i++)
        if (effects->items[i].kind == EFFECT_RUN && effects->items[i].exact &&
            transfer_command_serves(effects->items[i].exact))
            return effects_add_opaque(effects, EFFECT_UNKNOWN,
                                      "which files scp, rsync or git serve: it is no line of its own");
    return 0;
}
