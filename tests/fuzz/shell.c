/* Whatever a client sends as a command line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "policy/rules.h"
#include "policy/shell.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_effect(const struct effect *e)
{
    char described[256];
    bool opaque = e->kind == EFFECT_UNKNOWN || e->kind == EFFECT_UNPARSABLE;
    if (!effect_is_on_host(e) || opaque != (e->why != NULL) || opaque == (e->object != NULL))
        abort();
    if (e->kind == EFFECT_RUN && (!e->exact || !strchr(e->exact, EFFECT_WORD_END)))
        abort();
    if (!*effect_describe(e, described, sizeof described))
        abort();
}

/* Two rules: one is about what `rm` is perhaps called with, one allows what has a name. */
static struct rulebook *some_rules(void)
{
    static Ipc__Match match = IPC__MATCH__INIT, *matches[] = { &match };
    static Ipc__Rule deny = IPC__RULE__INIT, allow = IPC__RULE__INIT, *rules[] = { &deny, &allow };
    static Ipc__Config config = IPC__CONFIG__INIT;
    static char deny_text[] = "deny", allow_text[] = "allow", command[] = "rm -rf *",
                *commands[] = { command };
    struct rulebook *book = NULL;
    match.commands = commands;
    match.n_commands = 1;
    deny.name = deny.action = deny_text;
    deny.match = matches;
    deny.n_match = 1;
    allow.name = allow.action = allow_text;
    config.rules = rules;
    config.n_rules = 2;
    if (rulebook_new(&config, &book) != 0)
        abort();
    return book;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct rulebook *book;
    struct effects effects = { 0 };
    const struct circumstances who = { .target = "t", .channel = "exec" };
    bool opaque = false;
    if (!book)
        book = some_rules();
    if (shell_effects((const char *)bytes, n, &effects) != 0 || effects.count > EFFECTS_MAX)
        abort();
    for (size_t i = 0; i < effects.count; i++) {
        check_effect(&effects.items[i]);
        opaque |= effects.items[i].why != NULL;
    }
    if (opaque && rulebook_decide(book, &who, &effects).action == ACTION_ALLOW)
        abort();
    effects_free(&effects);
    return 0;
}
