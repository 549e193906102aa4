/* Everything that is printed came from the user or the configuration: it is escaped. */
#include "policy/explain_page.h"

#include <string.h>
#include "base/text.h"

void page_put(struct page *page, const char *text)
{
    if (page->error == 0)
        page->error = buffer_append(page->out, text, strlen(text));
}

void page_put_bytes(struct page *page, const char *bytes, size_t n)
{
    char shown[SHOWN_MAX];
    page_put(page, text_escape(shown, sizeof shown, bytes, n, false));
}

void page_put_escaped(struct page *page, const char *text)
{
    page_put_bytes(page, text, strlen(text));
}

void page_put_verdict(struct page *page, const struct verdict *verdict)
{
    page_put(page, action_name(verdict->action));
    if (*verdict->rule) {
        page_put(page, " by rule \"");
        page_put_escaped(page, verdict->rule);
        page_put(page, "\"");
    }
    page_put(page, ": ");
    page_put_escaped(page, verdict->reason);
    if (*verdict->code) {
        page_put(page, " (code ");
        page_put(page, verdict->code);
        page_put(page, ")");
    }
    page_put(page, "\n");
}

/* Whom its rules would ask. */
static void put_holders(struct page *page, const struct holders *holders)
{
    char by[HOLDER_BY_MAX], wait[24];
    for (size_t i = 0; i < holders->n; i++) {
        const struct holder *holder = &holders->items[i];
        bool retried = !strcmp(holder->approve->mode, "retry");
        page_put(page, "asks: ");
        page_put_escaped(page, holder_by(holder->approve, by));
        page_put(page, " (rule \"");
        page_put_escaped(page, holder->name);
        page_put(page, retried ? "\", refused until then, up to " : "\", waits up to ");
        page_put(page, text_duration(wait, holder->approve->wait_ms));
        page_put(page, holder->approve->deny_in_transaction ? ", not inside of a transaction)\n" : ")\n");
    }
}

void page_put_effects(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                      const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        char described[SHOWN_MAX];
        struct verdict verdict = rulebook_decide_effect(rulebook, who, &effects->items[i]);
        page_put(page, "  effect     ");
        page_put_escaped(page, effect_describe(&effects->items[i], described, sizeof described));
        page_put(page, "\n               ");
        page_put_verdict(page, &verdict);
    }
}

void page_put_end(struct page *page, const struct verdict *verdict, const struct holders *holders)
{
    char next[SHOWN_MAX];
    page_put(page, "verdict: ");
    page_put_verdict(page, verdict);
    if (verdict->action == ACTION_HOLD)
        put_holders(page, holders);
    if (verdict->action == ACTION_DENY) {
        page_put(page, "next: ");
        page_put_escaped(page, verdict_next(verdict, next, sizeof next));
        page_put(page, "\n");
    }
}

void page_put_request(struct page *page, const char *heading, const char *text, size_t n)
{
    page_put(page, heading);
    page_put_bytes(page, text, n < SHOWN_STATEMENT ? n : SHOWN_STATEMENT);
    page_put(page, n > SHOWN_STATEMENT ? " ...\n" : "\n");
}
