/* Private keys in PEM armour (RFC 7468, OpenSSH, PGP, SSH2), and how open matches end.
 *
 * A block is masked from its BEGIN to its END line, however long it is and whatever stands between the lines:
 * quotes,
 * "\n", a diff's plus signs, escape sequences of a terminal. Without an END it is masked for as long as
 * something that looks like a key goes on: when KEY_IDLE_MAX bytes have gone by without a run of KEY_RUN_MIN
 * bytes of base64, it is over. So source code that mentions the BEGIN line costs KEY_IDLE_MAX bytes of
 * output, and not all that follows. */
#include <string.h>
#include "policy/detect_parts.h"

enum {
    KEY_LABEL_MAX = 64,
    KEY_IDLE_MAX = 512,
    KEY_RUN_MIN = 32,
};

static bool is_dashes(struct detect_view *v, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (view_at(v, at + i) != '-')
            return false;
    return true;
}

/* The capitals, digits and blanks of a label, then four or five hyphens; returns where they end, or 0. */
static size_t label_end(struct detect_view *v, size_t at, size_t *ret_label)
{
    size_t n = 0;

    while (n < KEY_LABEL_MAX &&
           (class_has(view_at(v, at + n), CLASS_UPPER | CLASS_DIGIT) || view_at(v, at + n) == ' '))
        n++;
    if (!is_dashes(v, at + n, 4))
        return 0;
    *ret_label = n;
    return at + n + 4 + (view_at(v, at + n + 4) == '-');
}

/* `at` is "-----BEGIN " or "---- BEGIN ". */
bool recognise_private_key(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t label = at + strlen("-----BEGIN "), n = 0;
    size_t end = label_end(v, label, &n);

    if (end == 0 || v->starved || !memmem(v->bytes + label, n, "PRIVATE KEY", strlen("PRIVATE KEY")))
        return false;
    ret->start = at;
    ret->end = end;
    ret->tail = TAIL_KEY_BLOCK;
    return true;
}

/* Whether "-----END …-----" (or "---- END …----") is at `at`; where it ends, or 0. */
static size_t end_line(struct detect_view *v, size_t at)
{
    static const char *const begins[] = { "-----END ", "---- END " };
    size_t label;

    for (size_t i = 0; i < 2; i++) {
        size_t n = 0;
        while (begins[i][n] && view_at(v, at + n) == begins[i][n])
            n++;
        if (!begins[i][n])
            return label_end(v, at + n, &label);
    }
    return 0;
}

static size_t key_block_end(struct detect_view *v, size_t at, struct detect_open *open, bool *ret_over)
{
    for (; at < v->n; at++) {
        if (v->bytes[at] == '-') {
            size_t end = end_line(v, at);
            if (end || v->starved) {
                *ret_over = !v->starved;
                return v->starved ? at : end;
            }
        }
        open->run = class_has(v->bytes[at], CLASS_BASE64) ? open->run + 1 : 0;
        open->idle = open->run >= KEY_RUN_MIN ? 0 : open->idle + 1;
        if (open->idle >= KEY_IDLE_MAX) {
            *ret_over = true;
            return at + 1;
        }
    }
    *ret_over = v->ended;
    return at;
}

/* A dot counts when something follows it: at the end of a sentence it is not part of a token. */
static size_t token_end(struct detect_view *v, size_t at, unsigned class, bool *ret_over)
{
    while (at < v->n) {
        if (!class_has(v->bytes[at], class))
            break;
        if (v->bytes[at] == '.' && !class_has(view_at(v, at + 1), class))
            break;
        at++;
    }
    *ret_over = v->ended || (at < v->n && !v->starved);
    return at;
}

size_t tail_end(struct detect_view *v, size_t at, struct detect_open *open, bool *ret_over)
{
    v->starved = false;
    switch (open->tail) {
    case TAIL_TOKEN:
        return token_end(v, at, CLASS_TOKEN, ret_over);
    case TAIL_DOTTED:
        return token_end(v, at, CLASS_DOTTED, ret_over);
    case TAIL_KEY_BLOCK:
        return key_block_end(v, at, open, ret_over);
    case TAIL_NONE:
        break;
    }
    *ret_over = true;
    return at;
}
