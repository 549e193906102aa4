/* Whatever a client sends as a statement: valid UTF-8 without NUL, as the wire has made sure. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_effect(const struct effect *e)
{
    char described[EFFECT_NAME_MAX * 2];
    if ((unsigned)e->kind >= EFFECT_KINDS || (e->object_kind == OBJECT_NONE) != (e->object == NULL))
        abort();
    bool nameless = e->kind == EFFECT_UNKNOWN || e->kind == EFFECT_UNPARSABLE;
    if (nameless != (e->why != NULL) || !*effect_describe(e, described, sizeof described))
        abort();
}

/* A rule without match: allows every effect that has a name, and none that has not. */
static struct rulebook *book_that_allows_names(void)
{
    static Ipc__Rule rule = IPC__RULE__INIT;
    static Ipc__Rule *rules[] = { &rule };
    static Ipc__Config config = IPC__CONFIG__INIT;
    static char name[] = "all", action[] = "allow";
    struct rulebook *book = NULL;
    rule.name = name;
    rule.action = action;
    config.n_rules = 1;
    config.rules = rules;
    if (rulebook_new(&config, &book) != 0)
        abort();
    sql_start();
    return book;
}

static void check_judgement(const struct judgement *j, size_t length)
{
    bool nameless = false;
    for (size_t i = 0; i < j->request->count; i++) {
        const struct sql_statement *s = &j->request->statements[i];
        if (s->offset > length || s->length > length - s->offset || s->effects.count > EFFECTS_MAX)
            abort();
        for (size_t k = 0; k < s->effects.count; k++) {
            check_effect(&s->effects.items[k]);
            nameless |= s->effects.items[k].why != NULL;
        }
    }
    if ((j->verdict.action == ACTION_DENY) != nameless)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct rulebook *book;
    struct judgement judgement = { 0 };
    if (!book)
        book = book_that_allows_names();
    if (!text_is_utf8(bytes, n))
        return 0;
    CLEANUP(free) char *sql = strndup((const char *)bytes, n);
    if (!sql)
        return 0;
    if (judge_sql(book, &(const struct circumstances){ .target = "t" }, sql, &judgement) != 0)
        abort();
    check_judgement(&judgement, n);
    judgement_free(&judgement);
    return 0;
}
