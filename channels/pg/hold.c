/* What people approve is a statement with its values, what it does, and what the session has set before that
 * may change what it means. Of the last all is in the digest; shown are the settings of the connection's
 * start and the last statement that set something. Statements that may have set anything (DO, a function that
 * is not known to be harmless) count as well: in doubt a session is another one, and asks anew. */
#include "channels/pg/hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"
#include "channels/pg/preview.h"

enum {
    CONTEXT_MAX = HOLD_SETTINGS_MAX + HOLD_PREPARED_MAX + 1,
    DIGEST_TEXT = 2 * crypto_hash_sha256_BYTES + 1,
};

static void history_init(struct hold_history *history)
{
    *history = (struct hold_history){ .n_settings = 0 };
    crypto_hash_sha256_init(&history->hash);
}

void hold_init(struct hold *hold)
{
    *hold = (struct hold){ .state = HOLD_NONE };
    history_init(&hold->history);
}

void hold_forget_question(struct hold *hold)
{
    free(STEAL(hold->content));
    preview_plan_free(STEAL(hold->preview));
    hold->content_n = 0;
    while (hold->n_kept > 0)
        decision_free(hold->kept[--hold->n_kept]);
}

void hold_clear(struct hold *hold)
{
    hold_forget_question(hold);
    hold->holders = (struct holders){ .n = 0 };
    hold->state = HOLD_NONE;
    hold->number = 0;
    hold->rounds = 0;
}

void hold_free(struct hold *hold)
{
    for (size_t i = 0; i < hold->history.n_settings; i++) {
        free(hold->history.settings[i]);
        free(hold->history.values[i]);
    }
    hold_forget_question(hold);
    *hold = (struct hold){ .state = HOLD_NONE };
}

/* ---- what was set ---- */

static void hash_text(crypto_hash_sha256_state *hash, const void *text, size_t n)
{
    const uint8_t size[] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
    crypto_hash_sha256_update(hash, size, sizeof size);
    crypto_hash_sha256_update(hash, text, n);
}

static bool is_harmless(const char *setting)
{
    static const char *const names[] = {
        "application_name",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "extra_float_digits",
        "bytea_output",
        "client_min_messages",
        "standard_conforming_strings", /* it is on, or there is no session */
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(setting, names[i]) == 0)
            return true;
    return false;
}

int hold_note_setting(struct hold *hold, const char *name, const char *value)
{
    struct hold_history *h = &hold->history;
    if (is_harmless(name))
        return 0;
    hash_text(&h->hash, name, strlen(name));
    hash_text(&h->hash, value, strlen(value));
    if (h->n_settings == HOLD_SETTINGS_MAX)
        return 0;
    h->settings[h->n_settings] = strdup(name);
    h->values[h->n_settings] = strdup(value);
    h->n_settings++;
    return h->settings[h->n_settings - 1] && h->values[h->n_settings - 1] ? 0 : -ENOMEM;
}

void hold_note_statement(struct hold *hold, const char *text, size_t n)
{
    struct hold_history *h = &hold->history;
    hash_text(&h->hash, text, n);
    h->statements++;
    (void)text_escape(h->last, sizeof h->last, text, n, false);
}

/* ---- what is approved ---- */

struct content {
    Ipc__ApprovalContent whole;
    Ipc__ApprovalValue *values, **value_list;
    char **effects;
    size_t n_effects;
    Ipc__Variable context[CONTEXT_MAX], *context_list[CONTEXT_MAX];
    char texts[CONTEXT_MAX][HOLD_VALUE_MAX + DIGEST_TEXT + 32], names[CONTEXT_MAX][HOLD_NAME_MAX];
};

static void content_clear(struct content *content)
{
    if (!content)
        return;
    free(content->values);
    free(content->value_list);
    free(content->effects);
    free(content);
}
DEFINE_CLEANUP(struct content *, content_clear)

static char *digest_of(const void *bytes, size_t n, char out[DIGEST_TEXT])
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, bytes, n);
    return sodium_bin2hex(out, DIGEST_TEXT, digest, sizeof digest);
}

/* A value of any length, told apart from every other one. */
static void add_context(struct content *c, const char *name, const char *value, size_t n)
{
    char hex[DIGEST_TEXT];
    size_t at = c->whole.n_context;
    if (at == CONTEXT_MAX)
        return;
    char *text = c->texts[at];
    (void)text_escape(text, HOLD_VALUE_MAX, value, n, false);
    if (strlen(text) != n || memcmp(text, value, n) != 0) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof c->texts[at] - used, " (%zu bytes, SHA-256 %s)", n,
                       digest_of(value, n, hex));
    }
    (void)text_escape(c->names[at], sizeof c->names[at], name, strlen(name), false);
    c->context[at] = (Ipc__Variable)IPC__VARIABLE__INIT;
    c->context[at].name = c->names[at];
    c->context[at].value = text;
    c->context_list[at] = &c->context[at];
    c->whole.n_context++;
}

static void add_history(struct content *c, const struct hold_history *h)
{
    crypto_hash_sha256_state hash = h->hash;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[DIGEST_TEXT], text[HOLD_NAME_MAX + DIGEST_TEXT + 128];
    for (size_t i = 0; i < h->n_settings; i++)
        add_context(c, h->settings[i], h->values[i], strlen(h->values[i]));
    if (h->statements == 0)
        return;
    crypto_hash_sha256_final(&hash, digest);
    int n = snprintf(text, sizeof text, "%s (the last of %zu, SHA-256 %s)", h->last, h->statements,
                     sodium_bin2hex(hex, sizeof hex, digest, sizeof digest));
    add_context(c, "set before", text, (size_t)n);
}

static uint32_t format_of(struct reader *formats, uint16_t n_formats, uint16_t common)
{
    uint16_t format = 0;
    return n_formats > 1 && reader_u16(formats, &format) ? format : common;
}

static int add_values(struct content *c, const struct held *held)
{
    const struct pg_bind *bind = held->bind;
    if (!bind || bind->n_values == 0)
        return 0;
    struct reader values = bind->values, formats = bind->formats, first = bind->formats, value = { 0 };
    uint16_t common = 0;
    bool null = false;
    c->values = calloc(bind->n_values, sizeof *c->values);
    c->value_list = calloc(bind->n_values, sizeof *c->value_list);
    if (!c->values || !c->value_list)
        return -ENOMEM;
    if (bind->n_formats == 1 && !reader_u16(&first, &common))
        common = 0;
    size_t n = 0;
    for (; n < bind->n_values && pg_next_value(&values, &value, &null); n++) {
        c->values[n] = (Ipc__ApprovalValue)IPC__APPROVAL_VALUE__INIT;
        c->values[n].null = null;
        c->values[n].value.data = (uint8_t *)(uintptr_t)value.next;
        c->values[n].value.len = reader_left(&value);
        c->values[n].format = format_of(&formats, bind->n_formats, common);
        c->values[n].type = n < held->n_types ? held->types[n] : 0;
        c->value_list[n] = &c->values[n];
    }
    c->whole.values = c->value_list;
    c->whole.n_values = n;
    return 0;
}

static int add_effects(struct content *c, const struct held *held)
{
    size_t n = held->decision->n_effects + 1;
    for (size_t i = 0; i < held->n_executed; i++)
        n += held->executed[i]->n_effects + 1;
    c->effects = calloc(n, sizeof *c->effects);
    if (!c->effects)
        return -ENOMEM;
    for (size_t k = 0; k <= held->n_executed; k++) {
        const struct decision *d = k == 0 ? held->decision : held->executed[k - 1];
        for (size_t i = 0; i < d->n_effects; i++)
            c->effects[c->n_effects++] = d->effects[i];
        if (d->more)
            c->effects[c->n_effects++] = d->more;
    }
    c->whole.effects = c->effects;
    c->whole.n_effects = c->n_effects;
    return 0;
}

static void add_executed(struct content *c, const struct held *held)
{
    char name[HOLD_NAME_MAX];
    for (size_t i = 0; i < held->n_executed; i++) {
        (void)snprintf(name, sizeof name, "prepared %s", held->names[i]);
        add_context(c, name, held->executed[i]->text, held->executed[i]->text_n);
    }
}

int hold_content(const struct hold *hold, const struct held *held, uint8_t **ret, size_t *ret_n,
                 uint8_t digest[APPROVAL_DIGEST])
{
    CLEANUP(content_clear) struct content *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->whole = (Ipc__ApprovalContent)IPC__APPROVAL_CONTENT__INIT;
    c->whole.context = c->context_list;
    c->whole.statement.data = (uint8_t *)held->decision->text;
    c->whole.statement.len = held->decision->text_n;
    add_history(c, &hold->history);
    add_executed(c, held);
    int r = add_values(c, held);
    r = r ? r : add_effects(c, held);
    r = r ? r : approval_pack(&c->whole, ret, ret_n);
    if (r == 0)
        approval_digest(hold->subject, &c->whole, digest);
    return r;
}
