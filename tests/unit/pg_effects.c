/* One line of output for each of input: "kind object +also …; …", a ~ behind what only rules that refuse look
 * at. */
#include "pg_effects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/sql_resolve.h"

struct reading {
    struct loop *loop;
    struct catalog_link *link;
    struct scope *scope;
    struct sql_request *request;
    size_t at;
    bool asked;
    struct catalog_wait wait;
    char line[64 * 1024];
};

static struct reading reading;

static int note(void *owner, enum scope_change change, const char *text)
{
    return scope_note(owner, change, text);
}

static void print(const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *e = &effects->items[i];
        printf("%s%s %s%s", i ? "; " : "", effect_kind_name(e->kind),
               e->object ? e->object
               : e->why  ? e->why
                         : "-",
               e->harmless_call ? "~" : "");
        for (size_t k = 0; k < e->n_also; k++)
            printf(" +%s", e->also[k]);
    }
}

static void next_line(void);

/* Statement by statement; returns where it has to wait. */
static void go_on(void *owner, const char *fault)
{
    (void)owner;
    if (fault) {
        printf("fault: %s\n", fault);
        exit(1);
    }
    while (reading.at < reading.request->count) {
        struct effects effects = { .count = 0 };
        const struct sql_statement *statement = &reading.request->statements[reading.at];
        int r = sql_resolve(reading.scope, statement, reading.asked, &effects);
        if (r == SQL_RESOLVE_WANTED) {
            reading.asked = true;
            catalog_link_wait(reading.link, &reading.wait, go_on, NULL);
            return;
        }
        if (r < 0 || sql_changes(statement, note, reading.scope) < 0)
            exit(1);
        print(&effects);
        effects_free(&effects);
        reading.asked = false;
        printf("%s", ++reading.at < reading.request->count ? " | " : "");
    }
    printf("\n");
    sql_request_free(STEAL(reading.request));
    next_line();
}

static void reset(void)
{
    scope_free(STEAL(reading.scope));
    catalog_link_forget(reading.link);
    if (scope_new(catalog_link_catalog(reading.link), &reading.scope) < 0)
        exit(1);
}

static void next_line(void)
{
    while (fgets(reading.line, sizeof reading.line, stdin)) {
        reading.line[strcspn(reading.line, "\n")] = '\0';
        if (strcmp(reading.line, "\\reset") == 0) {
            reset();
            continue;
        }
        if (sql_parse(reading.line, &reading.request) < 0)
            exit(1);
        reading.at = 0;
        reading.asked = false;
        catalog_link_wait(reading.link, &reading.wait, go_on, NULL);
        return;
    }
    scope_free(STEAL(reading.scope));
    loop_stop(reading.loop, 0);
}

void pg_effects_begin(struct loop *loop, struct catalog_link *link)
{
    reading.loop = loop;
    reading.link = link;
    reset();
    next_line();
}
