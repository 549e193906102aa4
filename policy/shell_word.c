/* Words: quotes are removed here, and what is expanded becomes a hole.
 *
 * Quoting is where shells differ most, so the unusual is refused: a backslash before a line end, $'…' with a
 * quote in it (dash ends it there), line ends in quotes while a here-document waits. */
#include <errno.h>
#include <string.h>
#include "policy/shell_parser.h"

void word_put(struct parser *p, struct word_state *w, char c)
{
    if (w->swallow)
        return;
    if (p->scratch_used == p->scratch_size) {
        size_t size = p->scratch_size ? p->scratch_size * 2 : 256;
        char *scratch = realloc(p->scratch, size);
        if (!scratch) {
            p->shell->error = -ENOMEM;
            return;
        }
        p->scratch = scratch;
        p->scratch_size = size;
    }
    p->scratch[p->scratch_used++] = c;
}

void word_hole(struct parser *p, struct word_state *w, bool splits)
{
    w->known = w->plain = false;
    w->splits |= splits;
    if (p->scratch_used == w->base || p->scratch[p->scratch_used - 1] != EFFECT_HOLE)
        word_put(p, w, EFFECT_HOLE);
}

/* ---- quotes; at the first character ---- */

static void check_line_end(struct parser *p, char c)
{
    if (c == '\n' && p->n_heredocs > 0)
        shell_refuse(p->shell, "a line end in quotes, before a here-document");
}

static void single_quoted(struct parser *p, struct word_state *w)
{
    w->plain = false;
    for (p->at++; p->at < p->end && *p->at != '\''; p->at++) {
        check_line_end(p, *p->at);
        word_put(p, w, *p->at);
    }
    if (p->at == p->end)
        shell_refuse(p->shell, "a quote has no end");
    else
        p->at++;
}

static void double_quoted_backslash(struct parser *p, struct word_state *w)
{
    char next = parser_peek(p, 1);
    if (next == '\n' || p->at + 1 == p->end)
        shell_refuse(p->shell, "a backslash before a line end");
    else if (strchr("$`\"\\", next))
        p->at++;
    if (p->at < p->end)
        word_put(p, w, *p->at++);
}

static void double_quoted(struct parser *p, struct word_state *w)
{
    w->plain = false;
    if (p->backquote_quoted)
        shell_refuse(p->shell, "quotes in a backquote in quotes");
    for (p->at++; !parser_failed(p) && p->at < p->end && *p->at != '"';) {
        char c = *p->at;
        check_line_end(p, c);
        if (c == '\\') {
            double_quoted_backslash(p, w);
        } else if (c == '$') {
            parse_dollar(p, w, true);
        } else if (c == '`') {
            parse_backquote(p, w, true);
        } else {
            word_put(p, w, c);
            p->at++;
        }
    }
    if (p->at == p->end)
        shell_refuse(p->shell, "a quote has no end");
    else
        p->at++;
}

/* $'…': what its escapes mean depends on the shell, and dash knows no such thing. */
static void dollar_single_quoted(struct parser *p, struct word_state *w)
{
    size_t backslashes = 0;
    word_hole(p, w, false);
    for (p->at += 2; p->at < p->end && *p->at != '\''; p->at++) {
        check_line_end(p, *p->at);
        backslashes = *p->at == '\\' ? backslashes + 1 : 0;
    }
    if (p->at == p->end || backslashes > 0)
        shell_refuse(p->shell, "a quote that ends in an unusual way");
    else
        p->at++;
}

static void backslash(struct parser *p, struct word_state *w)
{
    w->plain = false;
    p->at++;
    if (p->at == p->end || *p->at == '\n')
        shell_refuse(p->shell, "a backslash before a line end");
    else
        word_put(p, w, *p->at++);
}

/* ---- what an unquoted character may begin ---- */

static bool ends_word(const struct parser *p, const char *at)
{
    return at == p->end || strchr(" \t\n;&|()<>", *at) || (*at == '`' && p->backquote);
}

/* Names of people, up to the next /. */
static void tilde(struct parser *p, struct word_state *w)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    word_hole(p, w, false);
    for (p->at++; p->at < p->end && strchr(name, *p->at);)
        p->at++;
}

static bool at_tilde(const struct parser *p, const char *from)
{
    return *p->at == '~' && (p->at == from || p->at[-1] == '=' || p->at[-1] == ':');
}

static void pattern(struct parser *p, struct word_state *w, bool swallow)
{
    word_hole(p, w, false);
    w->many = true;
    w->swallow |= swallow;
    p->at++;
}

/* "[" and "{}" are words like others; "[ab]" and "{a,b}" are patterns, whose rest may come to anything. */
static void bracket(struct parser *p, struct word_state *w, const char *from)
{
    bool alone = p->at == from && ends_word(p, p->at + 1);
    bool both = *p->at == '{' && parser_peek(p, 1) == '}';
    bool test =
        p->at == from && parser_peek(p, 0) == '[' && parser_peek(p, 1) == '[' && ends_word(p, p->at + 2);
    if (!alone && !both && !test) {
        pattern(p, w, true);
        return;
    }
    for (int n = both || test ? 2 : 1; n > 0; n--)
        word_put(p, w, *p->at++);
}

static void unquoted(struct parser *p, struct word_state *w, const char *from)
{
    char c = *p->at, next = parser_peek(p, 1);
    if (c == '\'') {
        single_quoted(p, w);
    } else if (c == '"') {
        double_quoted(p, w);
    } else if (c == '\\') {
        backslash(p, w);
    } else if (c == '`') {
        parse_backquote(p, w, false);
    } else if (c == '$' && next == '\'') {
        dollar_single_quoted(p, w);
    } else if (c == '$' && next == '"') {
        word_hole(p, w, false);
        p->at++;
    } else if (c == '$') {
        parse_dollar(p, w, false);
    } else if (c == '*' || c == '?') {
        pattern(p, w, false);
    } else if (c == '[' || c == '{') {
        bracket(p, w, from);
    } else if (at_tilde(p, from)) {
        tilde(p, w);
    } else {
        word_put(p, w, c);
        p->at++;
    }
}

static bool at_process_substitution(const struct parser *p)
{
    return (parser_peek(p, 0) == '<' || parser_peek(p, 0) == '>') && parser_peek(p, 1) == '(';
}

bool parse_word(struct parser *p, struct shell_word *ret)
{
    const char *from = p->at;
    struct word_state w = { .base = p->scratch_used, .known = true, .plain = true };
    if (parser_failed(p))
        return false;
    if (at_process_substitution(p))
        parse_process_substitution(p, &w);
    while (!parser_failed(p) && !ends_word(p, p->at))
        unquoted(p, &w, from);
    if (at_process_substitution(p) && p->at != from)
        shell_refuse(p->shell, "a substitution in an unusual place");
    /* "{fd}>file" is no word to bash */
    if (p->at > from && p->at[-1] == '}' && *from == '{' && parser_peek(p, 0) &&
        strchr("<>", parser_peek(p, 0)))
        shell_refuse(p->shell, "an unusual redirection");
    char *text = parser_failed(p)
                     ? NULL
                     : shell_copy(p->shell, p->scratch ? p->scratch + w.base : "", p->scratch_used - w.base);
    p->scratch_used = w.base;
    if (!text || p->at == from)
        return false;
    *ret = (struct shell_word){ .text = text,
                                .from = from,
                                .to = p->at,
                                .known = w.known,
                                .plain = w.plain,
                                .splits = w.splits,
                                .many = w.many };
    return true;
}

void parse_array(struct parser *p)
{
    struct shell_word word;
    parse_expect(p, "(");
    for (;;) {
        parse_skip_lines(p);
        if (!parse_word(p, &word))
            break;
        if (memchr(word.from, '[', (size_t)(word.to - word.from)) == word.from)
            shell_refuse(p->shell, "an index of an array");
    }
    parse_expect(p, ")");
}
