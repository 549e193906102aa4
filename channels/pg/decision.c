/* Decisions: made by inspect.c, shared by counting. */
#include "channels/pg/decision.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buffer.h"

struct verdict verdict_built_in(const char *code, const char *reason)
{
    return (struct verdict){ .action = ACTION_DENY, .code = code, .rule = "built-in", .reason = reason };
}

struct decision *decision_share(struct decision *d)
{
    d->references++;
    return d;
}

void decision_free(struct decision *d)
{
    if (!d || --d->references > 0)
        return;
    for (size_t i = 0; i < d->n_effects; i++)
        free(d->effects[i]);
    for (size_t i = 0; i < d->n_steps; i++)
        free(d->steps[i].name);
    for (size_t i = 0; i < d->n_changes; i++)
        free(d->changes[i].text);
    budget_clear(&d->budget);
    free(d->effects);
    free(d->steps);
    free(d->changes);
    lineages_free(d->lineages);
    free(d->holders);
    free(d->more);
    free(d->touches);
    free(d->words);
    free(d->subject);
    free(d->text);
    free(d);
}

size_t decision_weight(const struct decision *d)
{
    enum { PER_STRING = 48, PER_COLUMN = 48 };
    size_t columns = 0;
    for (size_t i = 0; d->lineages && i < d->lineages->count; i++)
        columns += 4 + d->lineages->items[i].n_columns + d->lineages->items[i].n_origins;
    return sizeof(*d) + columns * PER_COLUMN + d->text_n +
           (d->n_effects + (d->n_steps + d->n_changes) * 2 + 4) * PER_STRING;
}

static size_t count_effects(const struct sql_request *request)
{
    size_t n = 0;
    for (size_t i = 0; i < request->count; i++)
        n += request->statements[i].effects.count;
    return n;
}

/* Those that are not shown one by one: who agrees agrees to all of them. */
static int describe_rest(struct decision *d, const struct sql_request *request, size_t n)
{
    enum { SHOWN = 64 };
    char words[EFFECT_NAME_MAX + 64], hex[2 * crypto_hash_sha256_BYTES + 1], more[SHOWN + sizeof(hex)];
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state hash;
    free(STEAL(d->more));
    if (d->verdict.action != ACTION_HOLD || n <= INSPECT_EFFECTS_SHOWN)
        return 0;
    crypto_hash_sha256_init(&hash);
    for (size_t i = 0; i < request->count; i++)
        for (size_t j = 0; j < request->statements[i].effects.count; j++) {
            (void)effect_describe(&request->statements[i].effects.items[j], words, sizeof(words));
            crypto_hash_sha256_update(&hash, (const uint8_t *)words, strlen(words) + 1);
        }
    crypto_hash_sha256_final(&hash, digest);
    (void)snprintf(more, sizeof(more), "%zu effects in all, SHA-256 %s", n,
                   sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest)));
    d->more = strdup(more);
    return d->more ? 0 : -ENOMEM;
}

/* Tables that are touched by way of others. */
static int describe_touched(struct decision *d, const struct sql_request *request)
{
    enum { TOUCHED_MAX = 2048, EACH_MAX = 24 };
    struct buffer out;
    int r = 0;
    free(STEAL(d->touches));
    if (d->verdict.action != ACTION_HOLD)
        return 0;
    buffer_init(&out, TOUCHED_MAX);
    for (size_t i = 0; i < request->count; i++)
        for (size_t j = 0; r == 0 && j < request->statements[i].effects.count; j++) {
            const struct effect *e = &request->statements[i].effects.items[j];
            if (e->n_also == 0)
                continue;
            r = buffer_printf(&out, "%s %s reaches", effect_kind_name(e->kind), e->object ? e->object : "");
            for (size_t k = 0; r == 0 && k < e->n_also && k < EACH_MAX; k++)
                r = buffer_printf(&out, "%s %s", k ? "," : "", e->also[k]);
            r = r ? r : buffer_printf(&out, e->n_also > EACH_MAX ? " and more\n" : "\n");
        }
    if (buffer_size(&out) > 0)
        d->touches = strndup((const char *)buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
    return r == -ENOMEM ? r : 0; /* what finds no room is left out */
}

int decision_describe(struct decision *d, const struct sql_request *request)
{
    char words[EFFECT_NAME_MAX + 64];
    size_t seen = 0, n = count_effects(request);
    d->effects = calloc(n < INSPECT_EFFECTS_SHOWN ? n + 1 : INSPECT_EFFECTS_SHOWN, sizeof(*d->effects));
    if (!d->effects)
        return -ENOMEM;
    for (size_t i = 0; i < request->count; i++) {
        const struct effects *effects = &request->statements[i].effects;
        for (size_t j = 0; j < effects->count; j++, seen++) {
            bool decided = d->verdict.action != ACTION_ALLOW && seen == d->verdict.effect;
            if (!decided && d->n_effects == INSPECT_EFFECTS_SHOWN)
                continue;
            (void)effect_describe(&effects->items[j], words, sizeof(words));
            if (decided && !d->subject && !(d->subject = strdup(words)))
                return -ENOMEM;
            if (d->n_effects < INSPECT_EFFECTS_SHOWN && !(d->effects[d->n_effects++] = strdup(words)))
                return -ENOMEM;
        }
    }
    int r = describe_touched(d, request);
    return r ? r : describe_rest(d, request, n);
}

static bool is_step(enum sql_role role)
{
    return role == SQL_PREPARE || role == SQL_EXECUTE || role == SQL_DEALLOCATE || role == SQL_DISCARD ||
           role == SQL_DECLARE || role == SQL_FETCH;
}

int decision_note_steps(struct decision *d, const struct sql_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct sql_statement *statement = &request->statements[i];
        if (!is_step(statement->role))
            continue;
        struct step *wider = reallocarray(d->steps, d->n_steps + 1, sizeof(*wider));
        if (!wider)
            return -ENOMEM;
        d->steps = wider;
        d->steps[d->n_steps] = (struct step){ .role = statement->role };
        d->n_steps++;
        if (statement->name && !(d->steps[d->n_steps - 1].name = strdup(statement->name)))
            return -ENOMEM;
    }
    return 0;
}
