/* Tokens of GitHub, Slack and Stripe. */
#include <string.h>
#include "policy/detect_parts.h"

enum {
    GITHUB_PREFIX = 4, /* ghp_ */
    GITHUB_RANDOM = 30,
    GITHUB_CHECKSUM = 6, /* CRC-32 of the random part, in base 62 */
    GITHUB_LONG = 60,    /* newer kinds have no fixed length */
    SLACK_MIN = 10,
    SLACK_LOOKED_AT = 16,
    SLACK_HOOK_MIN = 24,
    STRIPE_MIN = 16,
    STRIPE_HOOK_MIN = 32,
};

static uint32_t crc32_of(const uint8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static bool is_github_checksum(const uint8_t *random, const uint8_t *checksum)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t crc = crc32_of(random, GITHUB_RANDOM);

    for (size_t i = GITHUB_CHECKSUM; i-- > 0; crc /= 62)
        if (checksum[i] != digits[crc % 62])
            return false;
    return true;
}

/* Bytes of one of these classes in a row, counted up to max. */
static size_t run_at(struct detect_view *v, size_t at, unsigned class, size_t max)
{
    size_t n = 0;

    while (n < max && class_has(view_at(v, at + n), class))
        n++;
    return n;
}

static bool begins_word(const struct detect_view *v, size_t at)
{
    int before = view_before(v, at, 1);

    return !class_has(before, CLASS_ALNUM) && before != '_';
}

static bool accept_open(struct detect_view *v, size_t start, size_t end, enum detect_tail tail,
                        struct detect_span *ret)
{
    ret->start = start;
    ret->end = end;
    ret->tail = tail;
    return !v->starved;
}

/* ghp_, gho_, ghu_, ghs_, ghr_: 36 more, of which the last six must be right; or a longer one of a newer
 * kind. */
bool recognise_github_classic(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + GITHUB_PREFIX;

    if (!begins_word(v, at))
        return false;
    size_t n = run_at(v, start, CLASS_ALNUM, GITHUB_RANDOM + GITHUB_CHECKSUM);
    if (n < GITHUB_RANDOM + GITHUB_CHECKSUM)
        return false;
    if (class_has(view_at(v, start + n), CLASS_TOKEN)) {
        n = run_at(v, start, CLASS_TOKEN, GITHUB_LONG);
        return n == GITHUB_LONG && accept_open(v, at, start + n, TAIL_DOTTED, ret);
    }
    return !v->starved && is_github_checksum(v->bytes + start, v->bytes + start + GITHUB_RANDOM) &&
           accept_open(v, at, start + n, TAIL_NONE, ret);
}

/* github_pat_ 22 _ 59 */
bool recognise_github_fine(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("github_pat_");

    if (!begins_word(v, at) || run_at(v, start, CLASS_TOKEN, GITHUB_LONG) < GITHUB_LONG)
        return false;
    return accept_open(v, at, start + GITHUB_LONG, TAIL_TOKEN, ret);
}

/* xoxb-…, xapp-…: what people write in its place (xoxb-your-token) has no digits. */
bool recognise_slack(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("xoxb-"), digits = 0;

    if (!begins_word(v, at))
        return false;
    size_t n = run_at(v, start, CLASS_TOKEN, SLACK_LOOKED_AT);
    if (v->starved || n < SLACK_MIN)
        return false;
    for (size_t i = 0; i < n; i++)
        digits += class_has(v->bytes[start + i], CLASS_DIGIT);
    return digits > 0 && accept_open(v, at, start + n, TAIL_TOKEN, ret);
}

/* The path of an incoming webhook is its secret: T…/B…/24 more. */
bool recognise_slack_hook(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("hooks.slack.com/services/");
    size_t n = run_at(v, start, CLASS_BASE64, SLACK_HOOK_MIN);

    if (v->starved || n < SLACK_HOOK_MIN || v->bytes[start] != 'T' || !memchr(v->bytes + start, '/', n))
        return false;
    return accept_open(v, start, start + n, TAIL_DOTTED, ret);
}

/* sk_live_, rk_test_ …: secret and restricted keys; publishable ones (pk_) are meant to be seen. */
bool recognise_stripe(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("sk_live_");

    if (!begins_word(v, at) || run_at(v, start, CLASS_ALNUM, STRIPE_MIN) < STRIPE_MIN)
        return false;
    return accept_open(v, at, start + STRIPE_MIN, TAIL_TOKEN, ret);
}

bool recognise_stripe_hook(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("whsec_");

    if (!begins_word(v, at) || run_at(v, start, CLASS_BASE64, STRIPE_HOOK_MIN) < STRIPE_HOOK_MIN)
        return false;
    return accept_open(v, at, start + STRIPE_HOOK_MIN, TAIL_DOTTED, ret);
}
