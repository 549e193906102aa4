/* See about_grants.h. */
#include "channels/commands/about_grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "channels/commands/approval_list.h"
#include "channels/commands/approval_text.h"
#include "channels/commands/desk.h"

struct about {
    struct channel *channel;
    void (*print)(struct channel *channel);
    Ipc__ApprovalList *list; /* NULL: nothing is known */
};

static void about_free(void *owner)
{
    struct about *about = owner;
    approval_list_free(about->list);
    free(about);
}

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct about *about = owner;
    if (!refusal && approval_list_read(fd, &about->list))
        about->list = NULL;
    about->print(about->channel);
}

static const struct desk_kind asking = { .listed = on_listed, .free = about_free };

void about_with_grants(struct channel *channel, void (*print)(struct channel *channel))
{
    struct about *about = calloc(1, sizeof *about);
    if (about)
        *about = (struct about){ .channel = channel, .print = print };
    if (desk_new(channel, &asking, about))
        return;
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    ask.form = (char *)(uintptr_t) "packed";
    ask.grants = true;
    if (!channel->gate->ledger || !desk_ask(channel, &ask))
        print(channel);
}

/* ---- grants ---- */

static const Ipc__ApprovalList *list_of(const struct channel *channel)
{
    const struct about *about = channel->desk ? channel->desk->owner : NULL;
    return about ? about->list : NULL;
}

static bool is_own(const Ipc__Grant *grant, const Ipc__Identity *who)
{
    const char *actor = who->claims ? who->claims->actor : "";
    return strcmp(grant->requester->name, who->name) == 0 && strcmp(grant->requester->actor, actor) == 0;
}

void about_grants_text(const struct channel *channel, struct buffer *out)
{
    const Ipc__ApprovalList *list = list_of(channel);
    for (size_t i = 0; list && i < list->n_grants; i++) {
        char target[128], rule[128], until[32];
        const Ipc__Grant *g = list->grants[i];
        if (is_own(g, channel->gate->identity))
            (void)!buffer_printf(out, "grant        %s: rule %s asks nobody on %s, until %s\n", g->id,
                                 text_escape(rule, sizeof rule, g->rule, strlen(g->rule), false),
                                 text_escape(target, sizeof target, g->target, strlen(g->target), false),
                                 text_time(until, g->until_ms));
    }
}

void about_grants_json(const struct channel *channel, struct json *j)
{
    const Ipc__ApprovalList *list = list_of(channel);
    char until[32];
    if (!list) {
        json_text(j, "grants", NULL);
        return;
    }
    json_open_array(j, "grants");
    for (size_t i = 0; i < list->n_grants; i++) {
        const Ipc__Grant *g = list->grants[i];
        if (!is_own(g, channel->gate->identity))
            continue;
        json_open_object(j, NULL);
        json_text(j, "grant", g->id);
        json_text(j, "target", g->target);
        json_text(j, "rule", g->rule);
        json_text(j, "until", text_time(until, g->until_ms));
        json_close_object(j);
    }
    json_close_array(j);
}

/* ---- what somebody decides ---- */

static bool holds(const Ipc__Identity *who, const char *role)
{
    for (size_t i = 0; i < who->n_roles; i++)
        if (strcmp(who->roles[i], role) == 0)
            return true;
    return false;
}

static bool decides(const struct gate *gate, const Ipc__Rule *rule)
{
    for (size_t i = 0; rule->approve && i < rule->approve->n_by; i++)
        for (size_t k = 0; k < rule->approve->by[i]->n_roles; k++)
            if (holds(gate->identity, rule->approve->by[i]->roles[k]))
                return true;
    return false;
}

void about_decides_text(const struct gate *gate, struct buffer *out)
{
    const char *between = "decides      ";
    for (size_t i = 0; i < gate->config->n_rules; i++) {
        const Ipc__Rule *rule = gate->config->rules[i];
        if (!decides(gate, rule))
            continue;
        (void)!buffer_printf(out, "%s%s (", between, rule->name);
        for (size_t k = 0; k < rule->n_targets; k++)
            (void)!buffer_printf(out, "%s%s", k ? ", " : "", rule->targets[k]);
        (void)!buffer_printf(out, ")");
        between = ", ";
    }
    if (between[0] == ',')
        (void)!buffer_printf(out, "; see `approvals`\n");
}

void about_decides_json(const struct gate *gate, struct json *j)
{
    json_open_array(j, "decides");
    for (size_t i = 0; i < gate->config->n_rules; i++) {
        const Ipc__Rule *rule = gate->config->rules[i];
        if (!decides(gate, rule))
            continue;
        json_open_object(j, NULL);
        json_text(j, "rule", rule->name);
        json_open_array(j, "targets");
        for (size_t k = 0; k < rule->n_targets; k++)
            json_text(j, NULL, rule->targets[k]);
        json_close_array(j);
        json_close_object(j);
    }
    json_close_array(j);
}
