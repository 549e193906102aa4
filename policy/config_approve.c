/* rules[].approve and masks[].approve: who has to agree, and to what.
 *
 * `by` is a list of roles, any one of which suffices, or a list of such lists, of each of which somebody has
 * to agree. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/config_sections.h"

enum { GROUPS_MAX = 8, QUORUM_MAX = 16 };

enum {
    WAIT_DEFAULT_MS = 10 * 60 * 1000,
    WAIT_MIN_MS = 1000,
    WAIT_MAX_MS = 24 * 60 * 60 * 1000,
    FOR_DEFAULT_MS = 10 * 60 * 1000,
    FOR_MIN_MS = 1000,
    FOR_MAX_MS = 24 * 60 * 60 * 1000,
};

static const struct config_key KEYS[] = {
    { "by", CONFIG_REQUIRED },    { "quorum", CONFIG_OPTIONAL }, { "wait", CONFIG_OPTIONAL },
    { "mode", CONFIG_OPTIONAL },  { "for", CONFIG_OPTIONAL },    { "in_transaction", CONFIG_OPTIONAL },
    { "touch", CONFIG_OPTIONAL }, { "signed", CONFIG_OPTIONAL }, { "preview", CONFIG_OPTIONAL },
};
static const char *const MODES[] = { "hold", "retry", NULL };
static const char *const IN_TRANSACTION[] = { "allow", "deny", NULL };
static const char *const PREVIEWS[] = { "estimate", "count", "none", NULL };

/* ---- by ---- */

static Ipc__RoleGroup *add_group(struct config_reader *reader, Ipc__Approve *approve)
{
    Ipc__RoleGroup *group = malloc(sizeof *group);

    if (!group || !config_grow(reader, approve->n_by, (void ***)&approve->by)) {
        free(group);
        reader->no_memory = true;
        return NULL;
    }
    *group = (Ipc__RoleGroup)IPC__ROLE_GROUP__INIT;
    approve->by[approve->n_by++] = group;
    return group;
}

static bool has_lists(const struct config_node *list)
{
    for (const struct config_node *item = list->first; item; item = item->next)
        if (item->kind == CONFIG_LIST)
            return true;
    return false;
}

static void read_by(struct config_reader *reader, const struct config_node *node, Ipc__Approve *approve)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);

    if (!item)
        return;
    if (!has_lists(node)) {
        Ipc__RoleGroup *group = add_group(reader, approve);
        if (group)
            config_read_rule_roles(reader, node, &group->n_roles, &group->roles);
        return;
    }
    for (; item; item = item->next) {
        if (approve->n_by == GROUPS_MAX) {
            config_fault(reader, item, "\"by\" has more than %d groups", GROUPS_MAX);
            return;
        }
        Ipc__RoleGroup *group = add_group(reader, approve);
        if (!group)
            return;
        config_read_rule_roles(reader, item, &group->n_roles, &group->roles);
    }
}

/* A person counts for one group alone, so that fewer people than groups could never be enough. */
static void read_quorum(struct config_reader *reader, const struct config_node *node, Ipc__Approve *approve)
{
    const char *text = NULL;
    uint64_t quorum = 0;

    approve->quorum = approve->n_by ? (uint32_t)approve->n_by : 1;
    if (!config_text(reader, node, &text))
        return;
    if (!text_to_u64(text, QUORUM_MAX, &quorum) || quorum < 1)
        config_fault(reader, node, "\"quorum\" must be a number from 1 to %d", QUORUM_MAX);
    else if (quorum < approve->n_by)
        config_fault(reader, node, "\"quorum\" must be at least %zu: one of each group in \"by\"",
                     approve->n_by);
    else
        approve->quorum = (uint32_t)quorum;
}

/* ---- the rest ---- */

static void read_times(struct config_reader *reader, const struct config_node *map, Ipc__Approve *approve)
{
    const struct config_node *keep = config_node_get(map, "for");
    bool retry = !strcmp(approve->mode, "retry");

    approve->wait_ms = WAIT_DEFAULT_MS;
    approve->for_ms = retry ? FOR_DEFAULT_MS : 0;
    config_duration(reader, config_node_get(map, "wait"), WAIT_MIN_MS, WAIT_MAX_MS, &approve->wait_ms);
    if (keep && !retry)
        config_fault(reader, keep->key, "\"for\" has no effect without mode: retry");
    else
        config_duration(reader, keep, FOR_MIN_MS, FOR_MAX_MS, &approve->for_ms);
}

static void read_flags(struct config_reader *reader, const struct config_node *map, Ipc__Approve *approve)
{
    bool flag = false;

    if (config_flag(reader, config_node_get(map, "touch"), &flag))
        approve->touch = flag;
    if (config_flag(reader, config_node_get(map, "signed"), &flag))
        approve->must_sign = flag;
}

static void read_words(struct config_reader *reader, const struct config_node *map, Ipc__Approve *approve)
{
    const char *mode = MODES[0], *in_transaction = IN_TRANSACTION[0], *preview = PREVIEWS[0];

    config_choice(reader, config_node_get(map, "mode"), MODES, &mode);
    config_choice(reader, config_node_get(map, "in_transaction"), IN_TRANSACTION, &in_transaction);
    config_choice(reader, config_node_get(map, "preview"), PREVIEWS, &preview);
    config_set(reader, &approve->mode, mode);
    config_set(reader, &approve->preview, preview);
    approve->deny_in_transaction = !strcmp(in_transaction, "deny");
}

void config_read_approve(struct config_reader *reader, const struct config_node *node, Ipc__Approve **ret)
{
    if (!node || !config_map(reader, node, CONFIG_KEYS(KEYS), "approve"))
        return;
    Ipc__Approve *approve = malloc(sizeof *approve);
    if (!approve) {
        reader->no_memory = true;
        return;
    }
    *approve = (Ipc__Approve)IPC__APPROVE__INIT;
    *ret = approve;
    read_by(reader, config_node_get(node, "by"), approve);
    read_quorum(reader, config_node_get(node, "quorum"), approve);
    read_words(reader, node, approve);
    read_times(reader, node, approve);
    read_flags(reader, node, approve);
}
