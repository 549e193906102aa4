/* help, whoami, targets, describe: what a connection is, told to people and to agents. */
#include "channels/commands/about_approve.h"
#include "channels/commands/about_list.h"
#include "channels/commands/about_grants.h"
#include "channels/commands/about_masks.h"
#include "channels/commands/about_rules.h"
#include "channels/commands/about_targets.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "policy/identity.h"

enum { ANSWER_MAX = 1024 * 1024 };

static const uint64_t FOR_EVER = UINT64_MAX;

/* Prints what a writer put into a buffer, as text or as JSON, and exits. */
typedef void text_writer(struct channel *channel, struct buffer *out);
typedef void json_writer(struct channel *channel, struct json *j);

static void answer(struct channel *channel, text_writer *as_text, json_writer *as_json)
{
    bool ok;
    bool json = command_wants_json(channel, &ok);
    if (!ok) {
        command_usage(channel, "the only option here is --json");
        return;
    }
    struct buffer out;
    buffer_init(&out, ANSWER_MAX);
    if (json) {
        struct json j = json_to(&out);
        json_open_object(&j, NULL);
        as_json(channel, &j);
        json_close_object(&j);
        (void)!json_line(&j);
    } else {
        as_text(channel, &out);
    }
    channel_print(channel, buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
    channel_exit(channel, 0);
}

/* ---- help ---- */

static void help_text(struct channel *channel, struct buffer *out)
{
    (void)channel;
    (void)!buffer_printf(out, "Gatehouse %s. Commands, each as: ssh BASTION COMMAND\n\n", GATEHOUSE_VERSION);
    for (const struct command *command = commands; command->name; command++)
        (void)!buffer_printf(out, "  %s\n      %s\n", command->usage, command->summary);
    (void)!buffer_printf(out, "\nAny PostgreSQL driver: ssh -N -L 5432:TARGET:5432 BASTION\n"
                              "Hosts: ssh TARGET@BASTION, ssh -J BASTION TARGET\n");
}

static void help_json(struct channel *channel, struct json *j)
{
    (void)channel;
    json_text(j, "version", GATEHOUSE_VERSION);
    json_open_array(j, "commands");
    for (const struct command *command = commands; command->name; command++) {
        json_open_object(j, NULL);
        json_text(j, "name", command->name);
        json_text(j, "usage", command->usage);
        json_text(j, "summary", command->summary);
        json_close_object(j);
    }
    json_close_array(j);
}

void command_help(struct channel *channel)
{
    answer(channel, help_text, help_json);
}

/* ---- whoami ---- */

static void expiry(const Ipc__Identity *who, char *out, size_t size)
{
    char time[32], left[24];
    if (who->valid_before == FOR_EVER) {
        (void)snprintf(out, size, "never");
        return;
    }
    uint64_t now = clock_unix_ms() / 1000;
    uint64_t seconds = who->valid_before > now ? who->valid_before - now : 0;
    (void)snprintf(out, size, "%s (in %s)", text_time(time, who->valid_before * 1000),
                   text_duration(left, (seconds > 120 ? seconds / 60 * 60 : seconds) * 1000));
}

/* The CA's or the token's word, but a terminal's business: names may hold any characters. */
static void name_text(struct buffer *out, const char *label, const char *name)
{
    char shown[1024];
    if (name[0])
        (void)!buffer_printf(out, "%-12s %s\n", label,
                             text_escape(shown, sizeof shown, name, strlen(name), false));
}

static void whoami_text(struct channel *channel, struct buffer *out)
{
    const Ipc__Identity *who = channel->gate->identity;
    char until[80];
    expiry(who, until, sizeof until);
    name_text(out, "identity", who->name[0] ? who->name : "(a certificate without a name)");
    if (who->claims) {
        name_text(out, "actor", who->claims->actor);
        name_text(out, "program", who->claims->authorized_party);
    }
    (void)!buffer_printf(out, "roles        ");
    about_list_text(out, who->roles, who->n_roles);
    (void)!buffer_printf(out, "\ncertificate  serial %llu, expires %s\nkey          %s\nsigned by    %s\n",
                         (unsigned long long)who->serial, until, who->fingerprint, who->ca_fingerprint);
    (void)!buffer_printf(out, "source       %s port %u\n", who->source_address, who->source_port);
    about_decides_text(channel->gate, out);
    about_grants_text(channel, out);
}

static void json_text_or_null(struct json *j, const char *key, const char *text)
{
    json_text(j, key, text[0] ? text : NULL);
}

/* What the token said; null for certificates that were not issued here. */
static void claims_json(struct json *j, const Ipc__Claims *claims)
{
    static const Ipc__Claims none = IPC__CLAIMS__INIT;
    const Ipc__Claims *said = claims ? claims : &none;
    json_text_or_null(j, "actor", said->actor);
    json_text_or_null(j, "authorized_party", said->authorized_party);
    json_text_or_null(j, "issuer", said->issuer);
    json_text_or_null(j, "subject", said->subject);
    about_list_json(j, "groups", said->groups, said->n_groups);
}

static void identity_json(struct json *j, const char *key, const Ipc__Identity *who)
{
    char time[32];
    if (key)
        json_open_object(j, key);
    json_text(j, "identity", who->name);
    claims_json(j, who->claims);
    about_list_json(j, "roles", who->roles, who->n_roles);
    about_list_json(j, "may", who->may, who->n_may);
    json_u64(j, "serial", who->serial);
    json_text(j, "expires", who->valid_before == FOR_EVER ? NULL : text_time(time, who->valid_before * 1000));
    json_text(j, "key", who->fingerprint);
    json_text(j, "ca", who->ca_fingerprint);
    json_text(j, "source_address", who->source_address);
    json_u64(j, "source_port", who->source_port);
    json_bool(j, "permit_pty", who->pty);
    json_bool(j, "permit_port_forwarding", who->forwarding);
    if (key)
        json_close_object(j);
}

static void whoami_json(struct channel *channel, struct json *j)
{
    identity_json(j, NULL, channel->gate->identity);
    about_decides_json(channel->gate, j);
    about_grants_json(channel, j);
}

static void print_whoami(struct channel *channel)
{
    answer(channel, whoami_text, whoami_json);
}

void command_whoami(struct channel *channel)
{
    about_with_grants(channel, print_whoami);
}

/* ---- targets ---- */

void command_targets(struct channel *channel)
{
    answer(channel, about_targets_text, about_targets_json);
}

/* ---- describe ---- */

static void describe_text(struct channel *channel, struct buffer *out)
{
    const struct gate *gate = channel->gate;
    whoami_text(channel, out);
    for (size_t i = 0; i < gate->config->n_targets; i++) {
        const Ipc__Target *target = gate->config->targets[i];
        if (!gate_target(gate, target->name))
            continue;
        about_use_text(gate, target, out);
        about_rules_text(gate, target->name, out);
        about_masks_text(gate, target->name, out);
    }
    if (identity_may(gate->identity, "watch"))
        (void)!buffer_printf(out, "\nYou may watch others' sessions: ssh BASTION watch ID\n");
    if (identity_may(gate->identity, "kill"))
        (void)!buffer_printf(out, "\nYou may end others' sessions: ssh BASTION kill ID\n");
    if (identity_may(gate->identity, "revoke"))
        (void)!buffer_printf(out, "\nYou may end others' access: ssh BASTION revoke IDENTITY|serial:N\n");
    (void)!buffer_printf(
        out, "\nEverything is recorded. A refusal tells its code, its rule and what to do next.\n");
}

static void describe_json(struct channel *channel, struct json *j)
{
    const struct gate *gate = channel->gate;
    identity_json(j, "who", gate->identity);
    about_decides_json(gate, j);
    about_grants_json(channel, j);
    json_text(j, "policy", gate->config->digest);
    json_open_array(j, "targets");
    for (size_t i = 0; i < gate->config->n_targets; i++) {
        const Ipc__Target *target = gate->config->targets[i];
        if (!gate_target(gate, target->name))
            continue;
        json_open_object(j, NULL);
        json_text(j, "name", target->name);
        json_text(j, "kind", target->kind);
        about_use_json(gate, target, j);
        about_rules_json(gate, target->name, j);
        about_masks_json(gate, target->name, j);
        json_close_object(j);
    }
    json_close_array(j);
    json_text(j, "no_match", "deny");
    json_bool(j, "recorded", true);
}

static void print_describe(struct channel *channel)
{
    answer(channel, describe_text, describe_json);
}

void command_describe(struct channel *channel)
{
    about_with_grants(channel, print_describe);
}
