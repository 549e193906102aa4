/* See commands.h. */
#include "channels/commands/commands.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    { "help", "help [--json]", "this list", command_help },
    { "whoami", "whoami [--json]", "who you are here, and until when", command_whoami },
    { "targets", "targets [--json]", "what you may reach", command_targets },
    { "describe", "describe [--json]", "all of it for agents: identity, targets, what is allowed and denied",
      command_describe },
    { "psql", "psql TARGET [psql options]", "PostgreSQL's own client, inspected and recorded; put -c last",
      command_psql },
    { "kubectl", "kubectl TARGET [kubectl arguments]",
      "Kubernetes' own client, inspected and recorded; -f -, cp … - and port-forward use stdin and stdout",
      command_kubectl },
    { "ssh", "ssh [LOGIN+]TARGET [COMMAND]",
      "a command or a shell on a host; as `ssh [LOGIN+]TARGET@BASTION`", command_ssh },
    { "shell", "shell [LOGIN+]TARGET", "a shell on a host, for programs that open subsystems",
      command_shell },
    { "config",
      "config [--bastion NAME] [--known-hosts | --json | --kubeconfig TARGET [--port N] | --tls-ca]",
      "what belongs into your ssh_config and known_hosts to reach hosts as `ssh HOST`; a kubeconfig",
      command_config },
    { "sessions", "sessions [--json] [--target T] [--identity I] [--since 1h] [--grep TEXT]",
      "recordings that you may see", command_sessions },
    { "replay", "replay ID [--speed N] [--idle-limit S] [--follow] | --cast | --text | --events",
      "plays a recording", command_replay },
    { "approvals", "approvals [ID] [--json [--follow]] [--all] [--grants] [--target T]",
      "what waits for a decision", command_approvals },
    { "approve", "approve ID [--for 30m] [--reason TEXT]",
      "lets one request run; for those that its rule names", command_approve },
    { "deny", "deny ID [--reason TEXT]", "refuses it", command_deny },
    { "revoke-grant", "revoke-grant ID [--reason TEXT]", "ends what approve --for has made",
      command_revoke_grant },
    { "watch", "watch ID", "follows a session that is under way, whoever's; for roles that may",
      command_watch },
    { "kill", "kill ID [--reason TEXT]", "ends a session, whoever's; for roles that may", command_kill },
    { "revoke", "revoke IDENTITY|serial:N [--reason TEXT]",
      "ends an identity's, or one certificate's, sessions and logins; for roles that may", command_revoke },
    { NULL, NULL, NULL, NULL },
};

/* What people type that is no command, and what to say of it. */
static const struct {
    const char *name, *words;
} others[] = {
    { "sftp", "sftp goes to a host: sftp TARGET@BASTION (`targets` lists yours)" },
};

static const struct command *find(const char *name, size_t n)
{
    for (const struct command *command = commands; command->name; command++) {
        if (strlen(command->name) == n && memcmp(command->name, name, n) == 0)
            return command;
    }
    return NULL;
}

/* Its line is not split into words: what follows the target is for the target's shell. */
static bool is_verbatim(const struct command *command)
{
    return command->run == command_ssh || command->run == command_shell;
}

static void unknown(struct channel *channel, const char *name)
{
    char reason[DETAIL_MAX];
    (void)snprintf(reason, sizeof reason, "no command \"%.100s\"", name);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i].name, name) == 0)
            (void)snprintf(reason, sizeof reason, "%s", others[i].words);
    command_usage(channel, reason);
}

void command_begin(struct channel *channel)
{
    struct detail detail = { "out of memory" };
    static const char blanks[] = " \t\r\n";
    const char *name = channel->command + strspn(channel->command, blanks);
    const struct command *command = find(name, strcspn(name, blanks));
    if (command && is_verbatim(command)) {
        command->run(channel);
        return;
    }
    if (words_split(channel->command, &channel->words, &detail)) {
        command_usage(channel, detail.text);
        return;
    }
    if (channel->words.count == 0) {
        command_help(channel);
        return;
    }
    command = find(channel->words.items[0], strlen(channel->words.items[0]));
    if (command)
        command->run(channel);
    else
        unknown(channel, channel->words.items[0]);
}

bool command_wants_json(const struct channel *channel, bool *ret_ok)
{
    bool json = channel->words.count == 2 && strcmp(channel->words.items[1], "--json") == 0;
    *ret_ok = json || channel->words.count <= 1;
    return json;
}

bool command_reason(const struct channel *channel, char *ret, size_t size)
{
    const struct words *words = &channel->words;
    size_t at = 0;
    ret[0] = 0;
    if (words->count == 2)
        return true;
    if (words->count < 4 || strcmp(words->items[2], "--reason") != 0)
        return false;
    for (size_t i = 3; i < words->count; i++) {
        int n = snprintf(ret + at, size - at, "%s%s", i > 3 ? " " : "", words->items[i]);
        if (n < 0 || (size_t)n >= size - at)
            return false;
        at += (size_t)n;
    }
    return true;
}

void command_usage(struct channel *channel, const char *reason)
{
    channel_refuse(channel, &(struct refusal){ .code = "usage", .reason = reason });
}
