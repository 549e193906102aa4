/* See explain.h. Each kind of target has its own requests. */
#include "policy/explain_page.h"

#include <errno.h>
#include <string.h>
#include "base/text.h"
#include "policy/judge.h"
#include "policy/judge_transfer.h"
#include "policy/shell.h"
#include "policy/transfer_servers.h"

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

const char *explain_kind(const Ipc__Config *config, const char *target)
{
    const Ipc__Target *found = find_target(config, target);
    return found ? found->kind : "";
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
        page_put(page, first ? heading : ", ");
        page_put_escaped(page, effects->items[i].object);
        first = false;
    }
    if (!first)
        page_put(page, "\n");
}

static void put_kinds(struct page *page, const struct effects *effects)
{
    bool seen[EFFECT_KINDS] = { false };
    bool first = true;
    page_put(page, "  kinds      ");
    for (size_t i = 0; i < effects->count; i++) {
        if (seen[effects->items[i].kind])
            continue;
        seen[effects->items[i].kind] = true;
        page_put(page, first ? "" : ", ");
        page_put(page, effect_kind_name(effects->items[i].kind));
        first = false;
    }
    page_put(page, first ? "none\n" : "\n");
}

static void put_columns(struct page *page, const struct effects *effects)
{
    bool first = true;
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *e = &effects->items[i];
        if (!e->columns || !e->columns[0])
            continue;
        page_put(page, first ? "  columns    " : "             ");
        page_put(page, effect_kind_name(e->kind));
        page_put(page, " ");
        page_put_escaped(page, e->object);
        page_put(page, ": ");
        for (char **column = e->columns; *column; column++) {
            page_put_escaped(page, *column);
            page_put(page, column[1] ? ", " : "\n");
        }
        first = false;
    }
}

static void put_statement(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                          const char *sql, const struct judgement *judgement, size_t i)
{
    const struct sql_statement *s = &judgement->request->statements[i];
    char number[24];
    page_put(page, "statement ");
    page_put(page, text_u64(number, i + 1));
    page_put_request(page, ": ", sql + s->offset, s->length);
    put_kinds(page, &s->effects);
    put_objects(page, "  tables     ", &s->effects, OBJECT_TABLE);
    put_columns(page, &s->effects);
    put_objects(page, "  functions  ", &s->effects, OBJECT_FUNCTION);
    page_put_effects(page, rulebook, who, &s->effects);
    if (judgement->request->count > 1) {
        page_put(page, "  so         ");
        page_put_verdict(page, &judgement->verdicts[i]);
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
    page_put_end(page, &judgement.verdict, &holders);
    *ret_action = judgement.verdict.action;
    return page->error;
}

/* Of a line that moves files. */
static void put_files(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                      const struct transfer_judgement *files)
{
    if (files->program == PROGRAM_OTHER)
        return;
    page_put(page, "  files      ");
    page_put(page, files->note);
    page_put(page,
             files->relative
                 ? "\n             only the target knows where a path leads that is not absolute: here it "
                   "may be any that ends so\n"
                 : "\n");
    page_put_effects(page, rulebook, who, &files->files);
}

/* A command line for an SSH target, as for `ssh TARGET@bastion LINE`. */
static int put_command(struct page *page, const Ipc__Config *config, const struct rulebook *rulebook,
                       const struct circumstances *who, const char *line, enum action *ret_action)
{
    CLEANUP(effects_free) struct effects effects = { 0 };
    CLEANUP(transfer_judgement_free) struct transfer_judgement files = { 0 };
    struct holders holders = { .n = 0 };
    size_t n = strlen(line);
    int r = shell_effects(line, n, &effects);
    r = r ? r : transfer_servers_add(rulebook, who, line, &effects);
    r = r ? r : judge_transfer(config, rulebook, who, line, &files);
    if (r < 0)
        return r;
    struct verdict verdict = rulebook_decide(rulebook, who, &effects);
    if (verdict.action == ACTION_HOLD)
        holders_add_statement(&holders, rulebook, who, &effects);
    if (files.verdict.action == ACTION_HOLD)
        holders_add_statement(&holders, rulebook, who, &files.files);
    page_put_request(page, "command: ", line, n);
    page_put_effects(page, rulebook, who, &effects);
    put_files(page, rulebook, who, &files);
    if (files.verdict.action > verdict.action)
        verdict = files.verdict;
    page_put_end(page, &verdict, &holders);
    *ret_action = verdict.action;
    return page->error;
}

int explain_statement(const Ipc__Config *config, char *const *roles, size_t n_roles, const char *target,
                      const struct explain_request *request, struct buffer *out, enum action *ret_action,
                      struct detail *detail)
{
    CLEANUP(rulebook_free) struct rulebook *rulebook = NULL;
    struct circumstances who;
    struct page page = { .out = out };
    int r = explain_circumstances(config, roles, n_roles, target, &who, detail);
    if (r != 0)
        return r;
    const char *kind = explain_kind(config, target), *text = request->text;
    if (request->body_n && strcmp(kind, "kubernetes") != 0)
        return detail_fail(detail, EXPLAIN_NO_SUCH, "only requests to a cluster have a body");
    if (!text_is_utf8(text, strlen(text)))
        return detail_fail(detail, EXPLAIN_NO_SUCH, "the statement is not valid UTF-8");
    if ((r = rulebook_new(config, &rulebook)) < 0)
        return r;
    if (strcmp(kind, "kubernetes") == 0)
        return explain_kube(&page, rulebook, &who, request, ret_action);
    return who.channel ? put_command(&page, config, rulebook, &who, text, ret_action)
                       : put_all(&page, rulebook, &who, text, ret_action);
}
