/* What could not be understood of a command line has neither words nor paths: only `opaque:` is about it. */
#include "policy/rules_host.h"

#include <string.h>
#include "policy/rules_glob.h"

bool match_is_about_hosts(const Ipc__Match *match)
{
    return match->n_channels || match->n_commands || match->n_paths || match->n_operations || match->n_opaque;
}

bool match_is_about_statements(const Ipc__Match *match)
{
    return match->n_statements || match->n_tables || match->n_columns || match->n_functions ||
           match->n_databases || match->has_unbounded_write;
}

static bool has_word(char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static bool is_in_channel(const Ipc__Match *match, const struct circumstances *who,
                          const struct effect *effect, enum certainty certainty)
{
    const char *channel = effect->kind == EFFECT_OPEN ? effect->object : who->channel;
    return channel ? has_word(match->channels, match->n_channels, channel) : certainty == PERHAPS;
}

typedef bool glob(const char *pattern, const struct effect *effect, enum certainty certainty);

static bool any_glob(char *const *patterns, size_t n, glob *matches, const struct effect *effect,
                     enum certainty certainty)
{
    for (size_t i = 0; i < n; i++)
        if (matches(patterns[i], effect, certainty))
            return true;
    return false;
}

bool host_keys_hold(const Ipc__Match *match, const struct circumstances *who, const struct effect *effect,
                    enum certainty certainty)
{
    const char *kind = effect_kind_name(effect->kind);
    if (match->n_channels && !is_in_channel(match, who, effect, certainty))
        return false;
    if (match->n_opaque && !has_word(match->opaque, match->n_opaque, kind))
        return false;
    if (match->n_operations && !has_word(match->operations, match->n_operations, kind))
        return false;
    if (match->n_commands && !(effect->kind == EFFECT_RUN &&
                               any_glob(match->commands, match->n_commands, glob_command, effect, certainty)))
        return false;
    return !match->n_paths || (effect->object_kind == OBJECT_FILE && effect->object &&
                               any_glob(match->paths, match->n_paths, glob_path, effect, certainty));
}
