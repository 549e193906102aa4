/* What a target's server answers on the side connection, and what statements mean by it afterwards. The first
 * byte of the input says how much of it is the statement; the rest are messages of the server. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channels/pg/catalog_query.h"
#include "policy/sql_resolve.h"

static int note(void *owner, enum scope_change change, const char *text)
{
    return scope_note(owner, change, text);
}

/* The reply answers whatever is wanted, once. */
static void answer(struct catalog *catalog, const uint8_t *reply, size_t n)
{
    struct catalog_want wants[CATALOG_WANTS_MAX];
    char keys[CATALOG_WANTS_MAX][64];
    size_t count = catalog_take_wants(catalog, wants, CATALOG_WANTS_MAX);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%s", wants[i].key);
        wants[i].key = keys[i];
    }
    if (catalog_query_take(catalog, wants, count, reply, n) < 0)
        catalog_untake(catalog);
}

static void resolve(struct catalog *catalog, const char *text, const uint8_t *reply, size_t n)
{
    enum { ROUNDS = 4 };
    CLEANUP(scope_free) struct scope *scope = NULL;
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    if (scope_new(catalog, &scope) < 0 || sql_parse(text, &request) < 0)
        return;
    for (size_t i = 0; i < request->count && i < 16; i++) {
        struct effects effects = { .count = 0 };
        int r = SQL_RESOLVE_WANTED;
        for (int round = 0; round < ROUNDS && r == SQL_RESOLVE_WANTED; round++) {
            r = sql_resolve(scope, &request->statements[i], round > 0, &effects);
            assert(r != SQL_RESOLVE_WANTED || effects.count == 0);
            answer(catalog, reply, n);
        }
        effects_free(&effects);
        (void)sql_changes(&request->statements[i], note, scope);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    CLEANUP(catalog_free) struct catalog *catalog = NULL;
    if (!started)
        sql_start();
    started = true;
    if (size < 1 || catalog_new(&catalog) < 0)
        return 0;
    size_t n = data[0] < size - 1 ? data[0] : size - 1;
    char text[UINT8_MAX + 1];
    memcpy(text, data + 1, n);
    text[n] = '\0';
    resolve(catalog, text, data + 1 + n, size - 1 - n);
    return 0;
}
