/* See decision_words.h. */
#include "channels/commands/decision_words.h"

#include <sodium.h>
#include <string.h>

#include "base/text.h"

static const char *const usages[] = {
    [DECISION_APPROVE] = "approve ID [--for 30m] [--reason TEXT] [--digest HEX] [--signature < FILE]",
    [DECISION_DENY] = "deny ID [--reason TEXT] [--digest HEX]",
    [DECISION_REVOKE_GRANT] = "revoke-grant ID [--reason TEXT]",
};

const char *decision_usage(enum decision_kind kind)
{
    return usages[kind];
}

static bool fail(struct detail *detail, const char *text)
{
    detail_set(detail, "%s", text);
    return false;
}

static bool is_option(const char *word)
{
    return strncmp(word, "--", 2) == 0;
}

/* *at: the last word that was taken. */
static bool read_reason(char ***at, char reason[DECISION_REASON_MAX + 1], struct detail *detail)
{
    size_t size = strlen(reason);
    char **word = *at + 1;
    if (!*word || is_option(*word))
        return fail(detail, "--reason needs a text");
    for (; *word && !is_option(*word); word++) {
        size_t n = strlen(*word), blank = size > 0;
        if (size + blank + n > DECISION_REASON_MAX)
            return fail(detail, "a reason has at most 1024 bytes");
        if (blank)
            reason[size++] = ' ';
        memcpy(reason + size, *word, n + 1);
        size += n;
    }
    *at = word - 1;
    return text_is_utf8(reason, size) || fail(detail, "the reason is not UTF-8 text");
}

static bool read_for(const char *word, uint64_t *ret, struct detail *detail)
{
    if (!word || !text_to_duration(word, ret) || *ret == 0)
        return fail(detail, "--for needs a time: 30m, 2h");
    return *ret <= DECISION_FOR_MAX_MS || fail(detail, "--for takes at most 30d");
}

static bool read_digest(const char *word, struct decision_words *ret, struct detail *detail)
{
    size_t n = 0;
    const char *end = NULL;
    ret->has_digest =
        word && strlen(word) == (size_t)2 * DECISION_DIGEST &&
        sodium_hex2bin(ret->digest, sizeof ret->digest, word, strlen(word), NULL, &n, &end) == 0 &&
        n == sizeof ret->digest && !*end;
    return ret->has_digest || fail(detail, "--digest needs 64 hexadecimal digits");
}

/* *at: the option; moves to the last word that belongs to it. */
static bool read_option(enum decision_kind kind, char ***at, struct decision_words *ret,
                        struct detail *detail)
{
    const char *option = **at;
    if (strcmp(option, "--reason") == 0)
        return read_reason(at, ret->reason, detail);
    if (kind == DECISION_APPROVE && strcmp(option, "--for") == 0)
        return read_for(*++*at, &ret->for_ms, detail);
    if (kind != DECISION_REVOKE_GRANT && strcmp(option, "--digest") == 0)
        return read_digest(*++*at, ret, detail);
    if (kind == DECISION_APPROVE && strcmp(option, "--signature") == 0)
        return ret->has_signature = true;
    return fail(detail, usages[kind]);
}

bool decision_words_read(enum decision_kind kind, const struct words *words, struct decision_words *ret,
                         struct detail *detail)
{
    struct decision_words read = { .id = words->count > 1 ? words->items[1] : "" };
    if (!read.id[0] || is_option(read.id))
        return fail(detail, usages[kind]);
    for (char **at = words->items + 2; *at; at++)
        if (!read_option(kind, &at, &read, detail))
            return false;
    *ret = read;
    return true;
}
