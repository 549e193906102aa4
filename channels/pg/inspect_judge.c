/* What the rules and masks say of a text, statement by statement. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channels/pg/inspect_parts.h"

/* Whether it sets one of the settings that parser and server must agree on, to a value that sql_parse()
 * does not vouch for: it then says `unknown` too. No rule allows that, not even one for anything. */
static bool is_harmful(const struct sql_statement *statement)
{
    bool guarded = false, unknown = false;
    for (size_t i = 0; i < statement->effects.count; i++) {
        const struct effect *effect = &statement->effects.items[i];
        guarded =
            guarded || (effect->kind == EFFECT_SET && effect->object && setting_is_guarded(effect->object));
        unknown = unknown || effect->kind == EFFECT_UNKNOWN;
    }
    return guarded && unknown;
}

/* Whether it may make a session that was opened read-only a writing one. The server's own check is the
 * second wall, and would be gone with it. */
static bool ends_read_only(const struct sql_statement *statement)
{
    static const char *const settings[] = { "transaction_read_only", "default_transaction_read_only" };
    bool ends = statement->asks_read_write;
    for (size_t i = 0; i < statement->effects.count; i++) {
        const struct effect *effect = &statement->effects.items[i];
        ends = ends || effect->kind == EFFECT_UNKNOWN || effect->kind == EFFECT_DO ||
               effect->kind == EFFECT_CALL;
        for (size_t k = 0; effect->object_kind == OBJECT_SETTING && effect->object && k < 2; k++)
            ends = ends || (effect->kind == EFFECT_SET && strcmp(effect->object, settings[k]) == 0);
    }
    return ends;
}

/* A statement whose rows, groups or order a masked column decides tells its values, whatever is shown of
 * it.
 */
static void judge_masks(struct decision *d, size_t i, struct verdict *verdict)
{
    size_t effect = verdict->effect;
    if (!d->lineages || d->lineages->count != d->n_statements) {
        *verdict =
            verdict_built_in("denied", "the statement can't be followed to the columns that are masked here");
        return;
    }
    const struct lineage *lineage = &d->lineages->items[i];
    if (!lineage->predicate)
        return;
    char words[512];
    const char *name = lineage->predicate->text->name;
    const Ipc__Approve *approve = lineage->predicate->text->approve;
    (void)snprintf(
        words, sizeof(words),
        lineage->guesses
            ? "a constraint compares what is written with what mask \"%s\" hides (%.128s), and so would "
              "tell it"
            : "a condition, an order or a group by what mask \"%s\" hides (%.128s) would tell it",
        name, lineage->predicate_what ? lineage->predicate_what : "a column");
    if (!d->words)
        d->words = strdup(words);
    const char *reason = d->words ? d->words : "a masked column would be told";
    const struct holder holder = { name, reason, approve };
    if (approve && d->holders)
        holders_add(d->holders, &holder);
    if (approve && verdict->action == ACTION_HOLD)
        return; /* by a rule already */
    *verdict = (struct verdict){ .action = approve ? ACTION_HOLD : ACTION_DENY,
                                 .code = approve ? "pending" : "masked_predicate",
                                 .rule = name,
                                 .reason = reason,
                                 .effect = effect };
}

/* Whether later statements may mean something else after it: by settings, by another role, or by what a
 * function does that is not known to be harmless. */
static bool may_set(const struct effects *effects)
{
    static const char *const harmless[] = {
        "application_name", "statement_timeout",   "lock_timeout",
        "work_mem",         "client_min_messages", "idle_in_transaction_session_timeout",
        "bytea_output",     "extra_float_digits",  "idle_session_timeout",
    };
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->items[i];
        bool known = false;
        for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++)
            known |= effect->kind == EFFECT_SET && effect->object && strcmp(effect->object, harmless[k]) == 0;
        if ((effect->kind == EFFECT_SET && !known) || effect->kind == EFFECT_ROLE ||
            effect->kind == EFFECT_DO || effect->kind == EFFECT_CALL || effect->kind == EFFECT_UNKNOWN ||
            (effect->kind == EFFECT_FUNCTION && !effect->harmless_call))
            return true;
    }
    return false;
}

/* What is only prepared is held when it is executed, with its values; not so where the same text may execute
 * it. */
static bool only_prepares(const struct decision *d, const struct sql_request *request, size_t held_elsewhere)
{
    bool executes = false;
    for (size_t i = 0; i < request->count; i++)
        executes |= request->statements[i].role == SQL_EXECUTE;
    return d->verdict.action == ACTION_HOLD && held_elsewhere == 0 && !executes;
}

static struct verdict judge_one(const struct inspector *inspector, struct decision *d,
                                const struct sql_statement *statement, size_t i,
                                const struct circumstances *now)
{
    struct verdict verdict = rulebook_decide(inspector->rulebook, now, &statement->effects);
    if (is_harmful(statement))
        verdict = verdict_built_in("denied", "client_encoding stays UTF8 and standard_conforming_strings on "
                                             "(or as set at connection start): statements are inspected");
    if (inspector->read_only && verdict.action != ACTION_DENY && ends_read_only(statement))
        verdict =
            verdict_built_in("denied", "your role is read-only, and this may make the session read-write");
    if (verdict.action == ACTION_HOLD)
        holders_add_statement(d->holders, inspector->rulebook, now, &statement->effects);
    if (inspector->masks && verdict.action < ACTION_DENY)
        judge_masks(d, i, &verdict);
    return verdict;
}

/* Statement by statement, since one may move the search_path for those behind it; the strictest verdict
 * is the request's. */
int inspector_judge(const struct inspector *inspector, struct decision *d, const struct sql_request *request)
{
    struct circumstances now = inspector->who;
    size_t before = 0, held = 0;
    if (inspector->scope)
        now.search_path_set = scope_is_anywhere(inspector->scope);
    budget_clear(&d->budget);
    free(d->holders);
    d->holders = calloc(1, sizeof(*d->holders));
    if (!d->holders)
        return -ENOMEM;
    d->verdict = rulebook_decide(inspector->rulebook, &now, &(const struct effects){ 0 });
    for (size_t i = 0; i < request->count; i++) {
        const struct sql_statement *statement = &request->statements[i];
        struct verdict verdict = judge_one(inspector, d, statement, i, &now);
        if (inspector->limited && verdict.action != ACTION_DENY &&
            budget_add_statement(&d->budget, inspector->rulebook, &now, &statement->effects))
            return -ENOMEM;
        if (i == 0 || verdict.action > d->verdict.action) {
            d->verdict = verdict;
            d->verdict.effect += before;
        }
        held += verdict.action == ACTION_HOLD && statement->role != SQL_PREPARE;
        d->sets = d->sets || may_set(&statement->effects);
        now.search_path_set = now.search_path_set || effects_may_set_search_path(&statement->effects);
        before += statement->effects.count;
    }
    d->only_prepares = only_prepares(d, request, held);
    if (d->verdict.action != ACTION_HOLD) {
        free(d->holders);
        d->holders = NULL;
    }
    d->moves_path = now.search_path_set;
    return decision_describe(d, request);
}
