/* notify: who is told what happens, and how (docs/notifications.md). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_address.h"
#include "policy/config_file.h"
#include "policy/config_sections.h"

enum { WEBHOOKS_MAX = 16, HTTPS_PORT = 443 };

static const struct config_key KEYS[] = {
    { "webhook", CONFIG_REQUIRED }, { "on", CONFIG_OPTIONAL },     { "form", CONFIG_OPTIONAL },
    { "secret", CONFIG_OPTIONAL },  { "tls_ca", CONFIG_OPTIONAL }, { "include_statement", CONFIG_OPTIONAL },
    { "targets", CONFIG_OPTIONAL },
};
static const char *const EVENTS[] = { "approval_requested", "approval_decided", NULL };
static const char *const FORMS[] = { "json", "slack", NULL };

/* ---- the URL ---- */

/* It is often as good as a password, so that messages do not repeat it. */
static const char *check_url(const char *text)
{
    static const char https[] = "https://";
    char authority[CONFIG_HOST_MAX + sizeof "[]:65535"];
    struct config_address address;

    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at > '~')
            return "blanks and characters beyond ASCII are not allowed in a URL";
    if (strncmp(text, https, sizeof https - 1) != 0)
        return "it must begin with https://";
    if (strchr(text, '#'))
        return "it must have no fragment";
    text += sizeof https - 1;
    size_t n = strcspn(text, "/?\\");
    if (text[n] == '\\' || n >= sizeof authority)
        return "its host name is too long, or has a backslash";
    memcpy(authority, text, n);
    authority[n] = '\0';
    if (strchr(authority, '@'))
        return "there is a user in it";
    return n ? config_host_parse(authority, HTTPS_PORT, &address) : "there is no host";
}

static void read_url(struct config_reader *reader, const struct config_node *node, Ipc__Notify *notify)
{
    const Ipc__Config *config = reader->config;
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    const char *wrong = check_url(text);
    if (wrong)
        config_fault(reader, node, "bad webhook: %s", wrong);
    for (size_t i = 0; i < config->n_notify; i++)
        if (!strcmp(config->notify[i]->webhook, text))
            config_fault(reader, node, "this webhook is listed twice, first in line %u",
                         config->notify[i]->line);
    config_set(reader, &notify->webhook, text);
}

/* ---- the rest ---- */

static void read_events(struct config_reader *reader, const struct config_node *node, Ipc__Notify *notify)
{
    const char *event = NULL;

    if (!node)
        for (size_t i = 0; EVENTS[i]; i++)
            config_push(reader, &notify->n_events, &notify->events, EVENTS[i]);
    for (const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY); item;
         item = item->next)
        if (config_choice(reader, item, EVENTS, &event) &&
            !config_repeats(reader, item, event, notify->n_events, notify->events))
            config_push(reader, &notify->n_events, &notify->events, event);
}

/* The ledger, which alone may open STATE/notify, reads it. */
static void read_secret(struct config_reader *reader, const struct config_node *node, Ipc__Notify *notify)
{
    CLEANUP(free) char *path = NULL;
    const char *name = NULL;

    if (!config_name(reader, node, &name))
        return;
    if (asprintf(&path, "%s/notify/%s", reader->config->state, name) < 0) {
        path = NULL;
        reader->no_memory = true;
        return;
    }
    config_file_hmac_key(reader, node, path);
    config_set(reader, &notify->secret, name);
}

static void read_trust(struct config_reader *reader, const struct config_node *node, Ipc__Notify *notify)
{
    CLEANUP(free) char *path = node ? config_state_path(reader, node, NULL) : NULL;

    if (!path)
        return;
    config_file_certificates(reader, node, path, &notify->tls_ca_pem);
    config_set(reader, &notify->tls_ca, path);
}

static void read_webhook(struct config_reader *reader, const struct config_node *map, Ipc__Notify *notify)
{
    const char *form = FORMS[0];
    bool include = false;

    notify->line = map->line;
    if (!config_map(reader, map, CONFIG_KEYS(KEYS), "notify"))
        return;
    read_url(reader, config_node_get(map, "webhook"), notify);
    read_events(reader, config_node_get(map, "on"), notify);
    config_choice(reader, config_node_get(map, "form"), FORMS, &form);
    config_set(reader, &notify->form, form);
    read_secret(reader, config_node_get(map, "secret"), notify);
    read_trust(reader, config_node_get(map, "tls_ca"), notify);
    if (config_flag(reader, config_node_get(map, "include_statement"), &include))
        notify->include_statement = include;
    config_read_rule_targets(reader, config_node_get(map, "targets"), &notify->n_targets, &notify->targets);
}

void config_read_notify(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        if (config->n_notify == WEBHOOKS_MAX) {
            config_fault(reader, item, "there are more than %d webhooks", WEBHOOKS_MAX);
            return;
        }
        Ipc__Notify *notify = malloc(sizeof *notify);
        if (!notify || !config_grow(reader, config->n_notify, (void ***)&config->notify)) {
            free(notify);
            reader->no_memory = true;
            return;
        }
        *notify = (Ipc__Notify)IPC__NOTIFY__INIT;
        read_webhook(reader, item, notify);
        config->notify[config->n_notify++] = notify;
    }
}
