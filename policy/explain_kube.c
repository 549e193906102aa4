/* A request to a Kubernetes API. */
#include <stdlib.h>
#include <string.h>

#include "policy/explain_page.h"
#include "policy/judge_kube.h"
#include "policy/kube_exec.h"

enum { FIELDS_SHOWN = 40 };

/* What the body sets, as `fields:` sees it. */
static void put_fields(struct page *page, const struct effect *effect)
{
    for (size_t i = 0; i < effect->n_also && i < FIELDS_SHOWN; i++) {
        page_put(page, i ? "             " : "  fields     ");
        page_put_escaped(page, effect->also[i]);
        page_put(page, "\n");
    }
    if (effect->n_also > FIELDS_SHOWN)
        page_put(page, "             ...\n");
}

static bool takes_body(const struct kube_request *request)
{
    return strcmp(request->verb, "create") == 0 || strcmp(request->verb, "update") == 0 ||
           strcmp(request->verb, "patch") == 0;
}

static void put_body(struct page *page, const struct kube_request *request,
                     const struct explain_request *asked, const char *type)
{
    if (asked->body_n) {
        page_put(page, "  body       ");
        page_put_escaped(page, type);
        page_put(page, "\n");
    } else if (takes_body(request) && !request->connects) {
        page_put(page, "  body       none was given: as if it set nothing\n");
    }
}

/* Refused whatever the rules say: two readers may read it in different ways. */
static void put_refused(struct page *page, const char *why)
{
    page_put_verdict(
        page, &(struct verdict){ .action = ACTION_DENY, .code = "unparsable", .rule = "", .reason = why });
}

int explain_kube(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                 const struct explain_request *asked, enum action *ret_action)
{
    CLEANUP(effects_free) struct effects effects = { 0 };
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    struct holders holders = { .n = 0 };
    struct detail detail = { "" };
    int r = judge_kube_line(asked->text, &request, &detail);
    if (r < 0)
        return r;
    page_put_request(page, "request: ", asked->text, strlen(asked->text));
    if (r) {
        page_put(page, "verdict: ");
        put_refused(page, detail.text);
        *ret_action = ACTION_DENY;
        return page->error;
    }
    const char *type = asked->type ? asked->type : judge_kube_type(request, asked->body, asked->body_n);
    r = judge_kube(request, type, asked->body, asked->body_n, false, &effects);
    r = r ? r : kube_exec_effects(request, &effects);
    if (r < 0)
        return r;
    struct circumstances inside = *who;
    inside.channel = kube_exec_runs(request) ? "exec" : NULL;
    struct verdict verdict = rulebook_decide(rulebook, &inside, &effects);
    if (verdict.action == ACTION_HOLD)
        holders_add_statement(&holders, rulebook, &inside, &effects);
    put_body(page, request, asked, type);
    put_fields(page, &effects.items[0]);
    page_put_effects(page, rulebook, &inside, &effects);
    page_put_end(page, &verdict, &holders);
    *ret_action = verdict.action;
    return page->error;
}
