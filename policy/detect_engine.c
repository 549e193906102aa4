/* Blocks, not Hyperscan's streams: what a match could begin in is held back by us anyway, and searching it
 * again costs less than 2 KiB of state for each stream and the slower engines that streams need. */
#include "policy/detect_engine.h"

#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>
#include <string.h>

struct engine {
    hs_database_t *database;
    hs_scratch_t *scratch;
};

/* Hyperscan says where only in words: "… at index 7." */
static size_t place_of(const char *message)
{
    const char *index = strstr(message, "at index ");

    return index ? strtoul(index + strlen("at index "), NULL, 10) : 0;
}

static int refuse(hs_compile_error_t *error, struct detail *why, size_t *ret_at)
{
    size_t at = place_of(error->message), n = strcspn(error->message, "\n");

    if (strstr(error->message, "unable to allocate")) {
        hs_free_compile_error(error);
        return -ENOMEM;
    }
    while (n > 0 && error->message[n - 1] == '.')
        n--;
    detail_set(why, "%.*s", (int)n, error->message);
    hs_free_compile_error(error);
    if (ret_at)
        *ret_at = at;
    return -EINVAL;
}

int engine_measure(const char *pattern, unsigned *ret_least, unsigned *ret_most, struct detail *why,
                   size_t *ret_at)
{
    hs_compile_error_t *error = NULL;
    hs_expr_info_t *info = NULL;

    if (hs_valid_platform() != HS_SUCCESS)
        return detail_fail(why, -EINVAL, "this processor cannot run the pattern engine");
    if (hs_expression_info(pattern, HS_FLAG_SOM_LEFTMOST, &info, &error) != HS_SUCCESS)
        return error ? refuse(error, why, ret_at) : -ENOMEM;
    *ret_least = info->min_width;
    *ret_most = info->max_width;
    free(info);
    return 0;
}

static int compile(const struct engine_pattern *patterns, size_t n, struct engine *engine, size_t *ret_bad,
                   struct detail *why)
{
    CLEANUP(free) const char **texts = calloc(n, sizeof *texts);
    CLEANUP(free) unsigned *flags = calloc(n, sizeof *flags);
    CLEANUP(free) unsigned *numbers = calloc(n, sizeof *numbers);
    hs_compile_error_t *error = NULL;

    if (!texts || !flags || !numbers)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        texts[i] = patterns[i].text;
        flags[i] = (patterns[i].caseless ? HS_FLAG_CASELESS : 0) |
                   (patterns[i].with_start ? HS_FLAG_SOM_LEFTMOST : 0);
        numbers[i] = (unsigned)i;
    }
    if (hs_compile_multi(texts, flags, numbers, (unsigned)n, HS_MODE_BLOCK, NULL, &engine->database,
                         &error) == HS_SUCCESS)
        return 0;
    if (!error)
        return -ENOMEM;
    *ret_bad = error->expression >= 0 ? (size_t)error->expression : n - 1;
    return refuse(error, why, NULL);
}

int engine_new(const struct engine_pattern *patterns, size_t n, struct engine **ret, size_t *ret_bad,
               struct detail *why)
{
    CLEANUP(engine_free) struct engine *engine = calloc(1, sizeof *engine);

    if (!engine)
        return -ENOMEM;
    *ret_bad = 0;
    if (hs_valid_platform() != HS_SUCCESS)
        return detail_fail(why, -EINVAL, "this processor cannot run the pattern engine");
    int r = compile(patterns, n, engine, ret_bad, why);
    if (r)
        return r;
    if (hs_alloc_scratch(engine->database, &engine->scratch) != HS_SUCCESS)
        return -ENOMEM;
    *ret = STEAL(engine);
    return 0;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    hs_free_scratch(engine->scratch);
    hs_free_database(engine->database);
    free(engine);
}

struct search {
    engine_hit *hit;
    struct detectors *d;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    struct search *search = context;

    (void)flags;
    return !search->hit(search->d, id, (size_t)from, (size_t)to);
}

void engine_search(struct engine *engine, const uint8_t *bytes, size_t n, engine_hit *hit,
                   struct detectors *d)
{
    struct search search = { hit, d };

    if (n > 0 && hs_scan(engine->database, (const char *)bytes, (unsigned)n, 0, engine->scratch, on_match,
                         &search) == HS_SCRATCH_IN_USE)
        abort(); /* two searches at a time: what passes unsearched would be shown */
}
