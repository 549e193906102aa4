/* Everything that is printed came from the user or the configuration: it is escaped. */
#include "policy/explain.h"

#include <errno.h>
#include <string.h>
#include "base/text.h"
#include "policy/holders.h"
#include "policy/judge.h"
#include "policy/shell.h"

enum {
    SHOWN_STATEMENT = 300, /* bytes of a statement that its heading repeats */
    SHOWN_MAX = 4096,      /* bytes of any text, escaped */
};

/* Sticky, like a reader: the first failure stays. */
struct page {
    struct buffer *out;
    int error;
};

static void put(struct page *page, const char *text)
{
    if (page->error == 0)
        page->error = buffer_append(page->out, text, strlen(text));
}

static void put_escaped_bytes(struct page *page, const char *bytes, size_t n)
{
    char shown[SHOWN_MAX];
    put(page, text_escape(shown, sizeof shown, bytes, n, false));
}

static void put_escaped(struct page *page, const char *text)
{
    put_escaped_bytes(page, text, strlen(text));
}

static const Ipc__Target *find_target(const Ipc__Config *config, const char *name)
{
    for (size_t i = 0; i < config->n_targets; i++)
        if (strcmp(config->targets[i]->name, name) == 0)
            return config->targets[i];
    return NULL;
}

static bool has_role(const Ipc__Config *config, const char *name)
{
    for (size_t i = 0; i < config->n_roles; i++)
        if (strcmp(config->roles[i]->name, name) == 0)
            return true;
    return false;
}

int explain_circumstances(const Ipc__Config *config, char *const *roles, size_t n_roles, const char *target,
                          struct circumstances *ret, struct detail *detail)
{
    const Ipc__Target *found = find_target(config, target);
    if (!found)
        return detail_fail(detail, EXPLAIN_NO_SUCH, "there is no target \"%.80s\"", target);
    for (size_t i = 0; i < n_roles; i++)
        if (!has_role(config, roles[i]))
            return detail_fail(detail, EXPLAIN_NO_SUCH, "there is no role \"%.80s\"", roles[i]);
    *ret = (struct circumstances){
        .roles = roles, .n_roles = n_roles, .target = target, .database = found->database
    };
    if (strcmp(found->kind, "ssh") == 0)
        ret->channel = "exec";
    return 0;
}

/* Whether an earlier effect of the same sort named the same object already. */
static bool was_named(const struct effects *effects, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (effects->items[k].object_kind == effects->items[i].object_kind && effects->items[k].object &&
            strcmp(effects->items[k].object, effects->items[i].object) == 0)
            return true;
    return false;
}

static void put_objects(struct page *page, const char *heading, const struct effects *effects,
                        enum object_kind kind)
{
    bool first = true;
    for (size_t i = 0; i < effects->count; i++) {
        if (effects->items[i].object_kind != kind || was_named(effects, i))
            continue;
        put(page, first ? heading : ", ");
        put_escaped(page, effects->items[i].object);
        first = false;
    }
    if (!first)
        put(page, "\n");
}

static void put_kinds(struct page *page, const struct effects *effects)
{
    bool seen[EFFECT_KINDS] = { false };
    bool first = true;
    put(page, "  kinds      ");
    for (size_t i = 0; i < effects->count; i++) {
        if (seen[effects->items[i].kind])
            continue;
        seen[effects->items[i].kind] = true;
        put(page, first ? "" : ", ");
        put(page, effect_kind_name(effects->items[i].kind));
        first = false;
    }
    put(page, first ? "none\n" : "\n");
}

static void put_columns(struct page *page, const struct effects *effects)
{
    bool first = true;
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *e = &effects->items[i];
        if (!e->columns || !e->columns[0])
            continue;
        put(page, first ? "  columns    " : "             ");
        put(page, effect_kind_name(e->kind));
        put(page, " ");
        put_escaped(page, e->object);
        put(page, ": ");
        for (char **column = e->columns; *column; column++) {
            put_escaped(page, *column);
            put(page, column[1] ? ", " : "\n");
        }
        first = false;
    }
}

static void put_verdict(struct page *page, const struct verdict *verdict)
{
    put(page, action_name(verdict->action));
    if (*verdict->rule) {
        put(page, " by rule \"");
        put_escaped(page, verdict->rule);
        put(page, "\"");
    }
    put(page, ": ");
    put_escaped(page, verdict->reason);
    if (*verdict->code) {
        put(page, " (code ");
        put(page, verdict->code);
        put(page, ")");
    }
    put(page, "\n");
}

/* Whom its rules would ask. */
static void put_holders(struct page *page, const struct holders *holders)
{
    char by[HOLDER_BY_MAX], wait[24];
    for (size_t i = 0; i < holders->n; i++) {
        const struct holder *holder = &holders->items[i];
        bool retried = !strcmp(holder->approve->mode, "retry");
        put(page, "asks: ");
        put_escaped(page, holder_by(holder->approve, by));
        put(page, " (rule \"");
        put_escaped(page, holder->name);
        put(page, retried ? "\", refused until then, up to " : "\", waits up to ");
        put(page, text_duration(wait, holder->approve->wait_ms));
        put(page, holder->approve->deny_in_transaction ? ", not inside of a transaction)\n" : ")\n");
    }
}

static void put_effects(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                        const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        char described[SHOWN_MAX];
        struct verdict verdict = rulebook_decide_effect(rulebook, who, &effects->items[i]);
        put(page, "  effect     ");
        put_escaped(page, effect_describe(&effects->items[i], described, sizeof described));
        put(page, "\n               ");
        put_verdict(page, &verdict);
    }
}

static void put_statement(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                          const char *sql, const struct judgement *judgement, size_t i)
{
    const struct sql_statement *s = &judgement->request->statements[i];
    char number[24];
    put(page, "statement ");
    put(page, text_u64(number, i + 1));
    put(page, ": ");
    put_escaped_bytes(page, sql + s->offset, s->length < SHOWN_STATEMENT ? s->length : SHOWN_STATEMENT);
    put(page, s->length > SHOWN_STATEMENT ? " ...\n" : "\n");
    put_kinds(page, &s->effects);
    put_objects(page, "  tables     ", &s->effects, OBJECT_TABLE);
    put_columns(page, &s->effects);
    put_objects(page, "  functions  ", &s->effects, OBJECT_FUNCTION);
    put_effects(page, rulebook, who, &s->effects);
    if (judgement->request->count > 1) {
        put(page, "  so         ");
        put_verdict(page, &judgement->verdicts[i]);
    }
}

static void put_end(struct page *page, const struct verdict *verdict, const struct holders *holders)
{
    char next[SHOWN_MAX];
    put(page, "verdict: ");
    put_verdict(page, verdict);
    if (verdict->action == ACTION_HOLD)
        put_holders(page, holders);
    if (verdict->action == ACTION_DENY) {
        put(page, "next: ");
        put_escaped(page, verdict_next(verdict, next, sizeof next));
        put(page, "\n");
    }
}

static int put_all(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                   const char *sql, enum action *ret_action)
{
    CLEANUP(judgement_free) struct judgement judgement = { 0 };
    int r = judge_sql(rulebook, who, sql, &judgement);
    if (r < 0)
        return r;
    struct circumstances now = *who;
    struct holders holders = { .n = 0 };
    for (size_t i = 0; i < judgement.request->count; i++) {
        put_statement(page, rulebook, &now, sql, &judgement, i);
        if (judgement.verdicts[i].action == ACTION_HOLD)
            holders_add_statement(&holders, rulebook, &now, &judgement.request->statements[i].effects);
        now.search_path_set |= effects_may_set_search_path(&judgement.request->statements[i].effects);
    }
    put_end(page, &judgement.verdict, &holders);
    *ret_action = judgement.verdict.action;
    return page->error;
}

/* A command line for an SSH target, as for `ssh TARGET@bastion LINE`. */
static int put_command(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                       const char *line, enum action *ret_action)
{
    CLEANUP(effects_free) struct effects effects = { 0 };
    struct holders holders = { .n = 0 };
    size_t n = strlen(line);
    int r = shell_effects(line, n, &effects);
    if (r < 0)
        return r;
    struct verdict verdict = rulebook_decide(rulebook, who, &effects);
    if (verdict.action == ACTION_HOLD)
        holders_add_statement(&holders, rulebook, who, &effects);
    put(page, "command: ");
    put_escaped_bytes(page, line, n < SHOWN_STATEMENT ? n : SHOWN_STATEMENT);
    put(page, n > SHOWN_STATEMENT ? " ...\n" : "\n");
    put_effects(page, rulebook, who, &effects);
    put_end(page, &verdict, &holders);
    *ret_action = verdict.action;
    return page->error;
}

int explain_statement(const Ipc__Config *config, char *const *roles, size_t n_roles, const char *target,
                      const char *sql, struct buffer *out, enum action *ret_action, struct detail *detail)
{
    CLEANUP(rulebook_free) struct rulebook *rulebook = NULL;
    struct circumstances who;
    struct page page = { .out = out };
    int r = explain_circumstances(config, roles, n_roles, target, &who, detail);
    if (r != 0)
        return r;
    if (!text_is_utf8(sql, strlen(sql)))
        return detail_fail(detail, EXPLAIN_NO_SUCH, "the statement is not valid UTF-8");
    if ((r = rulebook_new(config, &rulebook)) < 0)
        return r;
    return who.channel ? put_command(&page, rulebook, &who, sql, ret_action)
                       : put_all(&page, rulebook, &who, sql, ret_action);
}
