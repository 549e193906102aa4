/* Transaction state, implicit transactions and skipping to Sync are the server's, and nobody can imitate them
 * without tracking all of its state. So the server is given a statement that it must fail, where the refused
 * one stood: a syntax error in its first word, which it finds before anything else, in aborted transactions
 * too. That word is `gatehouse_NONCE_NUMBER`; servers quote it in their message, in every language, and by
 * that we know which ErrorResponse to replace. Where the server skips the substitute (its pipeline had failed
 * before), nothing comes, as nothing would have come for the refused one.
 *
 * The nonce only keeps accidents away: a client that learns it can make its own errors look refused, no more.
 */
#include "channels/pg/refuse.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char BUILT_IN[] = "built-in"; /* verdict_built_in() */
static const char PREFIX[] = "gatehouse_";

int refusals_init(struct refusals *refusals)
{
    uint8_t bytes[REFUSAL_NONCE / 2];
    *refusals = (struct refusals){ .count = 0 };
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(refusals->nonce + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static void drop_first(struct refusals *refusals)
{
    buffer_free(&refusals->waiting[refusals->first].answer);
    refusals->first = (refusals->first + 1) % REFUSALS_MAX;
    refusals->count--;
}

void refusals_free(struct refusals *refusals)
{
    while (refusals->count > 0)
        drop_first(refusals);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

void refusals_substitute(const struct refusals *refusals, uint64_t number, const char *rule,
                         char out[REFUSAL_TEXT_MAX])
{
    enum { RULE_SHOWN = 64 };
    char name[RULE_SHOWN];
    size_t n = 0;
    for (; rule[n] && n + 1 < sizeof(name); n++)
        name[n] = (char)(is_plain(rule[n]) ? rule[n] : '_');
    name[n] = 0;
    (void)snprintf(out, REFUSAL_TEXT_MAX, "%s%s_%llu refused by rule %s", PREFIX, refusals->nonce,
                   (unsigned long long)number, name);
}

int refusals_expect(struct refusals *refusals, uint64_t number, const struct pg_error *answer)
{
    if (refusals->count == REFUSALS_MAX)
        drop_first(refusals);
    size_t last = (refusals->first + refusals->count) % REFUSALS_MAX;
    struct buffer *bytes = &refusals->waiting[last].answer;
    buffer_init(bytes, PG_SMALL_MAX);
    int r = pg_put_error(bytes, answer);
    if (r) {
        buffer_free(bytes);
        return r;
    }
    refusals->waiting[last].number = number;
    refusals->count++;
    return 0;
}

/* The number behind our nonce, anywhere in the message; 0 when it is not there. */
static uint64_t find_number(const struct refusals *refusals, struct reader error)
{
    char word[sizeof(PREFIX) + REFUSAL_NONCE + 1];
    int n = snprintf(word, sizeof(word), "%s%s_", PREFIX, refusals->nonce);
    const uint8_t *at = memmem(error.next, reader_left(&error), word, (size_t)n);
    uint64_t number = 0;
    if (!at)
        return 0;
    for (at += n; at < error.end && *at >= '0' && *at <= '9' && number < UINT64_MAX / 100; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

static int answer_forgotten(uint64_t number, struct buffer *out)
{
    struct refusal_words words;
    struct verdict verdict = { .action = ACTION_DENY,
                               .code = "denied",
                               .rule = "unknown",
                               .reason = "too many refusals at once: see the recording" };
    struct pg_error error = refusal_error(&verdict, NULL, number, true, &words);
    return pg_put_error(out, &error);
}

int refusals_answer(struct refusals *refusals, struct reader error, struct buffer *out)
{
    uint64_t number = find_number(refusals, error);
    if (number == 0)
        return 0;
    while (refusals->count > 0 && refusals->waiting[refusals->first].number < number)
        drop_first(refusals);
    int r = 0;
    if (refusals->count > 0 && refusals->waiting[refusals->first].number == number) {
        const struct buffer *answer = &refusals->waiting[refusals->first].answer;
        r = buffer_append(out, buffer_head(answer), buffer_size(answer));
        drop_first(refusals);
    } else {
        r = answer_forgotten(number, out);
    }
    return r ? r : REFUSAL_ANSWERED;
}

static void only_ascii(char *text)
{
    for (; *text; text++)
        *text = (char)((unsigned char)*text >= 0x80 ? '?' : *text);
}

/* A multi-byte character that was cut off at the end would make the client reject the message. */
static void drop_cut_character(char *text)
{
    size_t n = strlen(text);
    if (n + 1 < REFUSAL_MESSAGE_MAX)
        return;
    while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
        text[--n] = 0;
    if (n > 0 && (unsigned char)text[n - 1] >= 0xc0)
        text[n - 1] = 0;
}

static void clean(struct refusal_words *words, bool ascii_only)
{
    char *const all[] = { words->message, words->detail, words->hint };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        drop_cut_character(all[i]);
        if (ascii_only)
            only_ascii(all[i]);
    }
}

struct pg_error refusal_notice(const char *message, const char *detail, const char *hint, bool ascii_only,
                               struct refusal_words *words)
{
    (void)snprintf(words->message, sizeof(words->message), "%s", message);
    (void)snprintf(words->detail, sizeof(words->detail), "%s", detail ? detail : "");
    (void)snprintf(words->hint, sizeof(words->hint), "%s", hint ? hint : "");
    clean(words, ascii_only);
    return (struct pg_error){ .severity = "NOTICE",
                              .sqlstate = "00000",
                              .message = words->message,
                              .detail = detail ? words->detail : NULL,
                              .hint = hint ? words->hint : NULL };
}

struct pg_error refusal_error(const struct verdict *verdict, const char *subject, uint64_t number,
                              bool ascii_only, struct refusal_words *words)
{
    char next[REFUSAL_MESSAGE_MAX];
    (void)snprintf(words->message, sizeof(words->message), "denied by rule \"%s\": %s", verdict->rule,
                   verdict->reason);
    char request[32];
    (void)snprintf(request, sizeof(request), "%llu", (unsigned long long)number);
    int n = snprintf(words->detail, sizeof(words->detail), "code=%s rule=%s request=%s", verdict->code,
                     verdict->rule, verdict->request ? verdict->request : request);
    if (subject && n > 0 && (size_t)n < sizeof(words->detail))
        (void)snprintf(words->detail + n, sizeof(words->detail) - (size_t)n, " effect=\"%s\"", subject);
    bool ours = strcmp(verdict->rule, BUILT_IN) == 0;
    (void)snprintf(words->hint, sizeof(words->hint), "%s",
                   ours ? "no rule can allow this: it is a limit of the inspection itself"
                        : verdict_next(verdict, next, sizeof(next)));
    clean(words, ascii_only);
    return (struct pg_error){ .severity = "ERROR",
                              .sqlstate = verdict->wait_s ? "53400" : "42501",
                              .message = words->message,
                              .detail = words->detail,
                              .hint = words->hint };
}

struct pg_error refusal_fatal(const char *code, const char *message, struct refusal_words *words)
{
    static const struct {
        const char *code, *sqlstate, *next;
    } known[] = {
        { "target_unavailable", "08006", "try again later, or tell the bastion's operators" },
        { "recording_unavailable", "58030", "tell the bastion's operators: nothing runs unrecorded" },
        { "vault_sealed", "57P03", "tell the bastion's operators: the vault must be unsealed" },
        { "limit", "53400", "ask for less at once" },
        { "protocol", "08P01", "check the client: it does not speak the PostgreSQL protocol as it should" },
        { "denied", "42501",
          "connect with client_encoding=UTF8 and only the settings that may be brought along" },
        { "certificate_expired", "28000", "get a new certificate, then connect again" },
        { "certificate_revoked", "28000", "ask those who run this bastion" },
    };
    struct pg_error error = {
        .severity = "FATAL", .sqlstate = "42501", .message = message, .detail = words->detail
    };
    (void)snprintf(words->detail, sizeof(words->detail), "code=%s", code);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].code, code) == 0) {
            error.sqlstate = known[i].sqlstate;
            error.hint = known[i].next;
        }
    }
    return error;
}
