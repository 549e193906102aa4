/* See verdict.h. */
#include "channels/ssh/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/recorder.h"
#include "policy/shell.h"
#include "policy/ssh_effects.h"
#include "policy/transfer_servers.h"

const char *ssh_kind_name(enum ssh_kind kind)
{
    static const char *const names[] = {
        [SSH_EXEC] = "exec", [SSH_SHELL] = "shell", [SSH_SUBSYSTEM] = "subsystem", [SSH_FORWARD] = "forward"
    };
    return names[kind];
}

const char *ssh_kind_what(enum ssh_kind kind)
{
    return kind == SSH_EXEC ? "command" : ssh_kind_name(kind);
}

void ssh_verdict_clear(struct ssh_verdict *v)
{
    for (size_t i = 0; i < v->n_effects; i++)
        free(v->effects[i]);
    v->n_effects = 0;
}

int ssh_verdict_record(struct recorder *recorder, struct ssh_verdict *v, enum ssh_kind kind, const char *text,
                       size_t n)
{
    Ipc__Request request = IPC__REQUEST__INIT;
    request.what = (char *)(uintptr_t)ssh_kind_what(kind);
    request.verdict = (char *)(uintptr_t)action_name(v->verdict.action);
    request.code = (char *)(uintptr_t)v->verdict.code;
    request.rule = (char *)(uintptr_t)v->verdict.rule;
    request.reason = v->reason;
    request.effects = v->effects;
    request.n_effects = v->n_effects;
    return recorder_request(recorder, &request, text, n);
}

static int find_effects(enum ssh_kind kind, const char *text, struct effects *effects)
{
    switch (kind) {
    case SSH_EXEC:
        return shell_effects(text, strlen(text), effects);
    case SSH_SHELL:
    case SSH_FORWARD:
        return ssh_effect_channel(effects, ssh_kind_name(kind));
    default:
        if (strcmp(text, "sftp") == 0)
            return 0; /* each of its requests is judged */
        return effects_add_opaque(effects, EFFECT_UNKNOWN, "a subsystem that is not looked into");
    }
}

static int describe(const struct effects *effects, struct ssh_verdict *v)
{
    char words[SSH_WORDS_MAX];
    for (size_t i = 0; i < effects->count && v->n_effects < SSH_EFFECTS_SHOWN; i++) {
        v->effects[v->n_effects] = strdup(effect_describe(&effects->items[i], words, sizeof words));
        if (!v->effects[v->n_effects])
            return -ENOMEM;
        v->n_effects++;
    }
    return 0;
}

/* The reason names what it is about, when there is more than one thing in the line. */
static void put_words(const struct effects *effects, struct ssh_verdict *v)
{
    char about[SSH_WORDS_MAX / 2] = "";
    if (v->verdict.action != ACTION_ALLOW && v->verdict.effect < effects->count)
        (void)effect_describe(&effects->items[v->verdict.effect], about, sizeof about);
    (void)snprintf(v->reason, sizeof v->reason, "%.*s%s%s%s", SSH_WORDS_MAX, v->verdict.reason,
                   about[0] ? " (" : "", about, about[0] ? ")" : "");
}

static const char *channel_of(enum ssh_kind kind, const char *text)
{
    if (kind == SSH_SUBSYSTEM)
        return strcmp(text, "sftp") == 0 ? "sftp" : "exec";
    return ssh_kind_name(kind);
}

struct circumstances ssh_circumstances(const struct gate *gate, const Ipc__Target *target, enum ssh_kind kind,
                                       const char *text)
{
    return (struct circumstances){ .roles = gate->identity->roles,
                                   .n_roles = gate->identity->n_roles,
                                   .target = target->name,
                                   .channel = channel_of(kind, text) };
}

int ssh_verdict_of_effects(const struct gate *gate, const Ipc__Target *target, enum ssh_kind kind,
                           const char *text, const struct effects *effects, struct ssh_verdict *ret)
{
    const struct circumstances who = ssh_circumstances(gate, target, kind, text);
    *ret = (struct ssh_verdict){ .n_effects = 0 };
    ret->verdict = rulebook_decide(gate->rules, &who, effects);
    if (ret->verdict.action == ACTION_HOLD)
        holders_add_statement(&ret->holders, gate->rules, &who, effects);
    put_words(effects, ret);
    (void)snprintf(ret->next, sizeof ret->next, "%s",
                   verdict_next(&ret->verdict, (char[SSH_WORDS_MAX]){ 0 }, SSH_WORDS_MAX));
    int r = describe(effects, ret);
    if (r)
        ssh_verdict_clear(ret);
    return r;
}

int ssh_verdict_of(const struct gate *gate, const Ipc__Target *target, enum ssh_kind kind, const char *text,
                   struct ssh_verdict *ret)
{
    struct effects effects = { 0 };
    const struct circumstances who = ssh_circumstances(gate, target, kind, text);
    int r = find_effects(kind, text, &effects);
    if (r == 0 && kind == SSH_EXEC)
        r = transfer_servers_add(gate->rules, &who, text, &effects);
    r = r ? r : ssh_verdict_of_effects(gate, target, kind, text, &effects, ret);
    effects_free(&effects);
    return r;
}
