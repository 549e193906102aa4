/* See about_targets.h. */
#include "channels/commands/about_targets.h"

#include <string.h>
#include "policy/forward_range.h"

static bool is_host(const Ipc__Target *target)
{
    return strcmp(target->kind, "ssh") == 0;
}

static bool is_cluster(const Ipc__Target *target)
{
    return strcmp(target->kind, "kubernetes") == 0;
}

static bool sees_secrets(const struct gate *gate, const Ipc__Target *target)
{
    for (size_t i = 0; i < target->n_show_secrets; i++)
        for (size_t k = 0; k < gate->identity->n_roles; k++)
            if (strcmp(target->show_secrets[i], gate->identity->roles[k]) == 0)
                return true;
    return false;
}

/* ---- targets ---- */

static void ways_text(const Ipc__Target *target, struct buffer *out)
{
    const char *name = target->name;
    (void)!buffer_printf(out, "%-20s %-10s ", name, target->kind);
    if (is_host(target))
        (void)!buffer_printf(out, "ssh %s@BASTION   |   ssh -J BASTION %s\n", name, name);
    else if (is_cluster(target))
        (void)!buffer_printf(out, "ssh BASTION kubectl %s   |   ssh -N -L 8001:%s:443 BASTION\n", name, name);
    else
        (void)!buffer_printf(out, "ssh BASTION psql %s   |   ssh -N -L 5432:%s:5432 BASTION\n", name, name);
}

void about_targets_text(struct channel *channel, struct buffer *out)
{
    const struct gate *gate = channel->gate;
    size_t shown = 0;
    for (size_t i = 0; i < gate->config->n_targets; i++) {
        const Ipc__Target *target = gate->config->targets[i];
        if (!gate_target(gate, target->name))
            continue;
        shown++;
        ways_text(target, out);
    }
    if (shown == 0)
        (void)!buffer_printf(out, "none: no rule allows your roles anything on any target\n");
}

static void host_json(struct json *j, const Ipc__Target *target)
{
    char text[FORWARD_RANGE_TEXT_MAX];
    json_open_array(j, "logins");
    for (size_t i = 0; i < target->n_logins; i++)
        json_text(j, NULL, target->logins[i]);
    json_close_array(j);
    json_open_array(j, "forwards");
    for (size_t i = 0; i < target->n_forwards; i++)
        json_text(j, NULL, forward_range_text(target->forwards[i], text));
    json_close_array(j);
}

void about_targets_json(struct channel *channel, struct json *j)
{
    const struct gate *gate = channel->gate;
    json_open_array(j, "targets");
    for (size_t i = 0; i < gate->config->n_targets; i++) {
        const Ipc__Target *target = gate->config->targets[i];
        if (!gate_target(gate, target->name))
            continue;
        json_open_object(j, NULL);
        json_text(j, "name", target->name);
        json_text(j, "kind", target->kind);
        json_text(j, "database", target->database[0] ? target->database : NULL);
        json_text(j, "login", target->login[0] ? target->login : NULL);
        if (is_host(target))
            host_json(j, target);
        json_close_object(j);
    }
    json_close_array(j);
}

/* ---- describe ---- */

static void cluster_text(const struct gate *gate, const Ipc__Target *target, struct buffer *out)
{
    (void)!buffer_printf(
        out,
        "\ntarget %s (%s)\n  use: ssh BASTION kubectl %s …, or ssh -N -L 8001:%s:443 BASTION and "
        "http://127.0.0.1:8001 as after `kubectl proxy`\n",
        target->name, target->kind, target->name, target->name);
    (void)!buffer_printf(out, "  data of Secrets is %s\n",
                         sees_secrets(gate, target) ? "shown to you" : "masked for you");
}

void about_use_text(const struct gate *gate, const Ipc__Target *target, struct buffer *out)
{
    if (is_cluster(target))
        cluster_text(gate, target, out);
    else if (is_host(target))
        (void)!buffer_printf(out, "\ntarget %s (ssh, login %s)\n  use: ssh %s@BASTION 'COMMAND'\n",
                             target->name, target->login, target->name);
    else
        (void)!buffer_printf(out,
                             "\ntarget %s (%s, database %s)\n  use: ssh BASTION psql %s -c 'STATEMENT'\n",
                             target->name, target->kind, target->database, target->name);
    (void)!buffer_printf(out, "  the first rule that matches decides; nothing matches: deny\n");
}

void about_use_json(const struct gate *gate, const Ipc__Target *target, struct json *j)
{
    if (is_cluster(target))
        json_bool(j, "shows_secrets", sees_secrets(gate, target));
    else if (!is_host(target))
        json_text(j, "database", target->database);
}
