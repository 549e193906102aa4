/* The rulebook. Top down, the first rule that matches decides an effect; the strictest over all effects
 * decides the request; what no rule decides is denied.
 *
 * A rule that only perhaps matches (rules_match.h) does not end the search unless it denies: an allowing one
 * is passed over, an approving one is kept as the least that is asked for. So the verdict is the strictest
 * one over everything that the statement may mean, and a first match in the plain sense whenever it means one
 * thing. */
#include "policy/rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include "policy/rules_host.h"
#include "policy/rules_match.h"

struct rule {
    const Ipc__Rule *text; /* borrowed */
    enum action action;
    struct block **blocks;
    size_t n_blocks;
};

struct rulebook {
    struct rule *rules;
    size_t count;
};

static const char *const action_names[] = {
    [ACTION_ALLOW] = "allow",
    [ACTION_HOLD] = "approve",
    [ACTION_DENY] = "deny",
};

const char *action_name(enum action action)
{
    return action_names[action];
}

static int action_of(const char *name, enum action *ret)
{
    for (int a = ACTION_ALLOW; a <= ACTION_DENY; a++)
        if (strcmp(name, action_names[a]) == 0) {
            *ret = (enum action)a;
            return 0;
        }
    return -EINVAL;
}

static int rule_prepare(const Ipc__Rule *text, struct rule *rule)
{
    rule->text = text;
    int r = action_of(text->action, &rule->action);
    if (r < 0 || text->n_match == 0)
        return r;
    rule->blocks = calloc(text->n_match, sizeof *rule->blocks);
    if (!rule->blocks)
        return -ENOMEM;
    for (; rule->n_blocks < text->n_match; rule->n_blocks++) {
        r = block_new(text->match[rule->n_blocks], &rule->blocks[rule->n_blocks]);
        if (r < 0)
            return r;
    }
    return 0;
}

int rulebook_new(const Ipc__Config *config, struct rulebook **ret)
{
    CLEANUP(rulebook_free) struct rulebook *book = calloc(1, sizeof *book);
    if (!book)
        return -ENOMEM;
    book->rules = calloc(config->n_rules ? config->n_rules : 1, sizeof *book->rules);
    if (!book->rules)
        return -ENOMEM;
    while (book->count < config->n_rules) {
        struct rule *rule = &book->rules[book->count];
        int r = rule_prepare(config->rules[book->count], rule);
        book->count++;
        if (r < 0)
            return r;
    }
    *ret = STEAL(book);
    return 0;
}

void rulebook_free(struct rulebook *rulebook)
{
    if (!rulebook)
        return;
    for (size_t i = 0; i < rulebook->count; i++) {
        for (size_t k = 0; k < rulebook->rules[i].n_blocks; k++)
            block_free(rulebook->rules[i].blocks[k]);
        free(rulebook->rules[i].blocks);
    }
    free(rulebook->rules);
    free(rulebook);
}

static bool holds_role(const Ipc__Rule *rule, char *const *roles, size_t n_roles)
{
    for (size_t i = 0; i < rule->n_roles; i++)
        for (size_t k = 0; k < n_roles; k++)
            if (strcmp(rule->roles[i], roles[k]) == 0)
                return true;
    return rule->n_roles == 0;
}

static bool applies(const struct rule *rule, char *const *roles, size_t n_roles, const char *target)
{
    if (!holds_role(rule->text, roles, n_roles))
        return false;
    for (size_t i = 0; i < rule->text->n_targets; i++)
        if (fnmatch(rule->text->targets[i], target, 0) == 0)
            return true;
    return rule->text->n_targets == 0;
}

static bool rule_matches(const struct rule *rule, const struct circumstances *who,
                         const struct effect *effect, enum certainty certainty)
{
    if (rule->text->anything)
        return true;
    if (rule->n_blocks == 0)
        return effect_is_ordinary(effect->kind);
    for (size_t i = 0; i < rule->n_blocks; i++)
        if (block_matches(rule->blocks[i], who, effect, certainty))
            return true;
    return false;
}

/* An allowing rule that leaves this function out by `not:`. */
static bool rule_excludes_function(const struct rule *rule, const struct circumstances *who,
                                   const struct effect *effect)
{
    for (size_t i = 0; i < rule->n_blocks; i++)
        if (block_excludes_function(rule->blocks[i], who, effect))
            return true;
    return false;
}

static const char *default_reason(const struct effect *effect, enum action action)
{
    switch (action) {
    case ACTION_ALLOW:
        return "allowed";
    case ACTION_HOLD:
        return "needs an approval";
    case ACTION_DENY:
        break;
    }
    bool host = effect_is_on_host(effect);
    if (effect->kind == EFFECT_UNPARSABLE)
        return host ? "the command line is not understood" : "the statement could not be parsed";
    if (effect->kind == EFFECT_UNKNOWN)
        return host ? "what the command line does cannot be decided"
                    : "what the statement does cannot be decided";
    if (effect->kind == EFFECT_UNMASK)
        return "it would take a masked value to where it is not masked";
    return "no rule allows it";
}

static const char *code_of(const struct effect *effect, enum action action)
{
    switch (action) {
    case ACTION_ALLOW:
        return "";
    case ACTION_HOLD:
        return "pending";
    case ACTION_DENY:
        break;
    }
    return effect->kind == EFFECT_UNPARSABLE ? "unparsable" : "denied";
}

static struct verdict verdict_by(const struct rule *rule, const struct effect *effect)
{
    const char *reason = rule->text->reason;
    return (struct verdict){
        .action = rule->action,
        .code = code_of(effect, rule->action),
        .rule = rule->text->name,
        .reason = reason && *reason             ? reason
                  : rule->action == ACTION_DENY ? "forbidden by this rule"
                                                : default_reason(effect, rule->action),
        .by = rule->text,
        .on_host = effect_is_on_host(effect),
    };
}

/* A harmless call is part of its statement, unless some rule has left it out by name. */
static struct verdict verdict_by_default(const struct effect *effect, bool left_out)
{
    bool harmless = effect->harmless_call && !left_out;
    enum action action = harmless ? ACTION_ALLOW : ACTION_DENY;
    return (struct verdict){
        .action = action,
        .code = code_of(effect, action),
        .rule = harmless ? "" : "default",
        .reason = !harmless                        ? default_reason(effect, action)
                  : effect->kind == EFFECT_REQUEST ? "discovery tells of no object"
                                                   : "a function that only reads",
        .on_host = effect_is_on_host(effect),
    };
}

struct verdict rulebook_decide_effect(const struct rulebook *rulebook, const struct circumstances *who,
                                      const struct effect *effect)
{
    const struct rule *held = NULL;
    bool left_out = false;
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rule *rule = &rulebook->rules[i];
        if (!applies(rule, who->roles, who->n_roles, who->target))
            continue;
        left_out |=
            effect->harmless_call && rule->action != ACTION_DENY && rule_excludes_function(rule, who, effect);
        if (!rule_matches(rule, who, effect, PERHAPS))
            continue;
        if (rule->action == ACTION_DENY)
            return verdict_by(rule, effect);
        if (rule_matches(rule, who, effect, SURELY))
            return verdict_by(held ? held : rule, effect);
        if (rule->action == ACTION_HOLD && !held)
            held = rule;
    }
    if (held && effect->harmless_call)
        return verdict_by(held, effect);
    return verdict_by_default(effect, left_out);
}

struct verdict rulebook_decide(const struct rulebook *rulebook, const struct circumstances *who,
                               const struct effects *effects)
{
    struct verdict strictest = {
        .action = ACTION_ALLOW, .code = "", .rule = "default", .reason = "nothing to decide"
    };
    bool decided = false;
    for (size_t i = 0; i < effects->count; i++) {
        struct verdict v = rulebook_decide_effect(rulebook, who, &effects->items[i]);
        v.effect = i;
        bool undecided =
            v.action == ACTION_ALLOW && !*v.rule; /* a harmless call: any other effect speaks first */
        if (v.action > strictest.action || (!decided && !undecided)) {
            strictest = v;
            decided = true;
        }
    }
    return strictest;
}

/* One that allows and only perhaps matches ends nothing, as in rulebook_decide_effect(). */
static bool holds(const struct rulebook *rulebook, const struct rule *asked, const struct circumstances *who,
                  const struct effect *effect)
{
    for (const struct rule *rule = rulebook->rules; rule <= asked; rule++) {
        if (!applies(rule, who->roles, who->n_roles, who->target) ||
            !rule_matches(rule, who, effect, PERHAPS))
            continue;
        if (rule == asked)
            return true;
        if (rule->action == ACTION_DENY || rule_matches(rule, who, effect, SURELY))
            return false;
    }
    return false;
}

size_t rulebook_holding(const struct rulebook *rulebook, const struct circumstances *who,
                        const struct effects *effects, const Ipc__Rule **ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rule *rule = &rulebook->rules[i];
        bool found = false;
        for (size_t k = 0; rule->action == ACTION_HOLD && !found && k < effects->count; k++)
            found = holds(rulebook, rule, who, &effects->items[k]);
        if (found && n < max)
            ret[n] = rule->text;
        n += found;
    }
    return n;
}

bool rulebook_reaches(const struct rulebook *rulebook, char *const *roles, size_t n_roles, const char *target)
{
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rule *rule = &rulebook->rules[i];
        if (!applies(rule, roles, n_roles, target))
            continue;
        if (rule->action != ACTION_DENY)
            return true;
        if (rule->text->anything || rule->n_blocks == 0)
            return false; /* nothing with a name gets past this one */
    }
    return false;
}

bool rulebook_limits(const struct rulebook *rulebook, char *const *roles, size_t n_roles, const char *target)
{
    for (size_t i = 0; i < rulebook->count; i++)
        if (rulebook->rules[i].text->limits && applies(&rulebook->rules[i], roles, n_roles, target))
            return true;
    return false;
}

bool roles_are_read_only(const Ipc__Config *config, char *const *roles, size_t n_roles)
{
    for (size_t i = 0; i < config->n_roles; i++)
        for (size_t k = 0; k < n_roles; k++)
            if (config->roles[i]->read_only && strcmp(config->roles[i]->name, roles[k]) == 0)
                return true;
    return false;
}

bool rulebook_asks_names(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                         const char *target)
{
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rule *rule = &rulebook->rules[i];
        if (applies(rule, roles, n_roles, target))
            return !rule->text->anything && rule->n_blocks > 0;
    }
    return false;
}

static bool names_paths(const Ipc__Match *match)
{
    return match && (match->n_paths > 0 || names_paths(match->not_));
}

/* Whether an operation on a file could be what the block is about. */
static bool may_be_of_files(const Ipc__Match *match)
{
    bool channel = match->n_channels == 0;
    for (size_t i = 0; i < match->n_channels; i++)
        channel |= strcmp(match->channels[i], "sftp") == 0 || strcmp(match->channels[i], "exec") == 0;
    return channel && !match->n_commands && !match->n_opaque && !match_is_about_statements(match);
}

/* What people agree to is a path: it has to be the one that is meant. */
static bool may_hold_files(const struct rule *rule)
{
    if (!rule->text->approve)
        return false;
    for (size_t i = 0; i < rule->text->n_match; i++)
        if (may_be_of_files(rule->text->match[i]))
            return true;
    return rule->text->n_match == 0;
}

bool rulebook_asks_paths(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                         const char *target)
{
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rule *rule = &rulebook->rules[i];
        if (!applies(rule, roles, n_roles, target))
            continue;
        if (may_hold_files(rule))
            return true;
        for (size_t k = 0; k < rule->text->n_match; k++)
            if (names_paths(rule->text->match[k]))
                return true;
    }
    return false;
}

bool rulebook_looks_into_files(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                               const char *target)
{
    for (size_t i = 0; i < rulebook->count; i++)
        if (rulebook->rules[i].text->sensitive_deny && applies(&rulebook->rules[i], roles, n_roles, target))
            return true;
    return false;
}

size_t rulebook_applying(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                         const char *target, const Ipc__Rule **ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < rulebook->count && n < max; i++)
        if (applies(&rulebook->rules[i], roles, n_roles, target))
            ret[n++] = rulebook->rules[i].text;
    return n;
}

const char *verdict_next(const struct verdict *verdict, char *out, size_t size)
{
    static const struct {
        const char *code, *next;
    } sentences[] = {
        { "pending", "run exactly the same again once it is approved; until then you get this answer" },
        { "approval_denied", "an approver said no; ask that person before you try again" },
        { "approval_expired", "nobody decided in time; run the statement again to ask again" },
        { "masked_predicate",
          "leave the masked column out of WHERE, JOIN, GROUP BY and ORDER BY; to write values where a "
          "constraint compares them, ask for masked_writes" },
        { "unparsable",
          "check the syntax, send the statements one at a time, and avoid syntax that is newer than "
          "the parser's PostgreSQL" },
        { "target_unavailable", "try again later, or tell the operator that this target cannot be reached" },
        { "vault_sealed", "tell the operator to unseal the vault, then try again" },
        { "recording_unavailable",
          "tell the operator that recordings cannot be written; nothing runs until then" },
        { "limit", "make it smaller: fewer or shorter statements at a time" },
    };
    if (verdict->on_host && strcmp(verdict->code, "unparsable") == 0)
        return "write it in plain shell: check the quotes, and send one command at a time";
    if (verdict->wait_s) {
        snprintf(out, size, "wait %u second%s, then run it again", (unsigned)verdict->wait_s,
                 verdict->wait_s == 1 ? "" : "s");
        return out;
    }
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
        if (strcmp(verdict->code, sentences[i].code) == 0)
            return sentences[i].next;
    if (!*verdict->code)
        return "nothing: it is allowed";
    if (strcmp(verdict->rule, "default") == 0)
        return "the command `describe` lists what your roles may do here; ask the operator for a rule if you "
               "need more";
    snprintf(out, size,
             "the command `describe` lists what your roles may do here; ask the operator about rule \"%s\"",
             verdict->rule);
    return out;
}
