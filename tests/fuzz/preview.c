/* What previews are made of: a statement that becomes a query for its rows (first byte even), and what a
 * server answers (odd). The query is one statement that writes nothing, or does not parse; the words fit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "channels/pg/preview.h"
#include "policy/sql.h"
#include "policy/sql_count.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_query(const char *query)
{
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    if (sql_parse(query, &request) < 0)
        return;
    require(request->count == 1);
    const struct effects *effects = &request->statements[0].effects;
    for (size_t i = 0; i < effects->count; i++)
        require(effects->items[i].kind == EFFECT_UNPARSABLE || effects->items[i].kind == EFFECT_UNKNOWN ||
                effects->items[i].kind == EFFECT_SELECT || effects->items[i].kind == EFFECT_FUNCTION ||
                effects->items[i].kind == EFFECT_SET || effects->items[i].kind == EFFECT_ROLE ||
                effects->items[i].kind == EFFECT_NOTIFY || effects->items[i].kind == EFFECT_COPY_FILE ||
                effects->items[i].kind == EFFECT_LOCK || effects->items[i].kind == EFFECT_CALL);
}

static void check_count(const uint8_t *bytes, size_t n)
{
    CLEANUP(free) char *text = strndup((const char *)bytes, n), *query = NULL;
    if (!text || !text_is_utf8(text, strlen(text)))
        return;
    require(sql_count_of(text, strlen(text), &query) == 0);
    if (query)
        check_query(query);
}

static void check_replies(const uint8_t *bytes, size_t n)
{
    struct preview_plan plan = { .rounds = 2 };
    bool broken = false;
    (void)preview_rounds(reader_of(bytes, n), &broken);
    CLEANUP(free) char *words = preview_words(&plan, reader_of(bytes, n));
    require(!words || (strlen(words) <= PREVIEW_TEXT_MAX && text_is_utf8(words, strlen(words))));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool started;
    if (!started)
        sql_start();
    started = true;
    if (n == 0)
        return 0;
    if (bytes[0] % 2)
        check_replies(bytes + 1, n - 1);
    else
        check_count(bytes + 1, n - 1);
    return 0;
}
