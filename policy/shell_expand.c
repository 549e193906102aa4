/* What `$` and backquotes begin. Its value is a hole; what counts is what runs to get it.
 *
 * bash evaluates the values of variables in arithmetic, and an array's index in them may hold a substitution:
 * x='a[$(reboot)]'; echo $((x)). So arithmetic with anything but numbers is unknown. */
#include <string.h>
#include "policy/shell_parser.h"

static const char NAME_FIRST[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
static const char DIGITS[] = "0123456789";
static const char SPECIAL[] = "?$!#@*-"; /* and digits */

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void skip_name(struct parser *p)
{
    while (is_in(parser_peek(p, 0), NAME_FIRST) || is_in(parser_peek(p, 0), DIGITS))
        p->at++;
}

/* Commands up to the closing bracket, in a world of their own. */
static void substituted(struct parser *p)
{
    size_t outside = p->heredocs_outside;
    if (p->backquote)
        shell_refuse(p->shell, "a substitution in a backquote");
    p->heredocs_outside = p->n_heredocs;
    parse_commands(p, true);
    parse_expect(p, ")");
    if (p->n_heredocs != p->heredocs_outside)
        shell_refuse(p->shell, "a here-document has no end");
    p->heredocs_outside = outside;
}

void parse_process_substitution(struct parser *p, struct word_state *w)
{
    if (!shell_enter(p->shell))
        return;
    p->at += 2;
    substituted(p);
    word_hole(p, w, false);
    shell_leave(p->shell);
}

/* Its text ends at the next backquote, whatever is between: even one in quotes. */
void parse_backquote(struct parser *p, struct word_state *w, bool quoted)
{
    const char *closing = memchr(p->at + 1, '`', (size_t)(p->end - p->at - 1)), *end = p->end;
    if (p->backquote)
        shell_refuse(p->shell, "a backquote in a backquote");
    if (!closing || memchr(p->at, '\\', (size_t)(closing - p->at)) ||
        memchr(p->at, '\n', (size_t)(closing - p->at)))
        shell_refuse(p->shell, "a backslash or a line end in a backquote; write $( )");
    if (!shell_enter(p->shell))
        return;
    p->at++;
    p->end = closing;
    p->backquote = true;
    p->backquote_quoted = quoted;
    parse_commands(p, true);
    if (p->at != closing)
        shell_refuse(p->shell, "a backquote has no end");
    p->backquote = p->backquote_quoted = false;
    p->end = end;
    p->at = closing + 1;
    word_hole(p, w, !quoted);
    shell_leave(p->shell);
}

/* ---- $(( )) ---- */

/* From behind "((" to behind "))". */
static void arithmetic(struct parser *p)
{
    bool evaluates = false;
    struct word_state ignored = { .base = p->scratch_used };
    for (size_t depth = 0; !parser_failed(p);) {
        char c = parser_peek(p, 0);
        if (c == ')' && depth == 0)
            break;
        depth += c == '(';
        depth -= c == ')';
        if (is_in(c, DIGITS)) {
            skip_name(p); /* 0x1f, too */
        } else if (is_in(c, NAME_FIRST)) {
            evaluates = true;
            skip_name(p);
        } else if (c == '$') {
            evaluates = true;
            parse_dollar(p, &ignored, true);
        } else if (is_in(c, " \t+-*/%()<>=!&|^~?:,")) {
            p->at++;
        } else {
            shell_refuse(p->shell, "unusual arithmetic");
        }
    }
    p->scratch_used = ignored.base;
    parse_expect(p, ")");
    if (parser_peek(p, 0) != ')')
        shell_refuse(p->shell, "unusual arithmetic");
    else
        p->at++;
    if (evaluates)
        shell_unknown(p->shell, "variables in arithmetic are evaluated, and may run commands");
}

/* ---- ${ } ---- */

/* Up to the "}": text that needs no quoting, and expansions. */
static void braced_word(struct parser *p)
{
    struct word_state ignored = { .base = p->scratch_used };
    while (!parser_failed(p) && p->at < p->end && *p->at != '}') {
        char c = *p->at;
        if (c == '$')
            parse_dollar(p, &ignored, true);
        else if (strchr("\"'\\`{()<>;&|\n", c))
            shell_refuse(p->shell, "quotes or brackets in ${ }");
        else
            p->at++;
    }
    p->scratch_used = ignored.base;
}

static void take_index(struct parser *p)
{
    if (parser_peek(p, 0) != '[')
        return;
    p->at++;
    if (is_in(parser_peek(p, 0), "@*"))
        p->at++;
    else
        while (is_in(parser_peek(p, 0), DIGITS))
            p->at++;
    if (parser_peek(p, 0) != ']')
        shell_refuse(p->shell, "an index of an array");
    else
        p->at++;
}

static void operation(struct parser *p, const char *name, size_t n)
{
    char c = parser_peek(p, 0), next = parser_peek(p, 1);
    if (c == ':' && !is_in(next, "-=?+")) {
        p->at++;
        while (is_in(parser_peek(p, 0), DIGITS) || is_in(parser_peek(p, 0), ": -"))
            p->at++;
        if (parser_peek(p, 0) != '}')
            shell_refuse(p->shell, "arithmetic in ${ }");
        return;
    }
    if (c == '=' || (c == ':' && next == '='))
        shell_set_variable(p->shell, name, n);
    if (!is_in(c, ":-=?+#%/^,"))
        shell_refuse(p->shell, "something unusual in ${ }");
    braced_word(p);
}

/* From behind "${" to behind "}". */
static bool braced(struct parser *p)
{
    bool length =
        parser_peek(p, 0) == '#' && parser_peek(p, 1) != '}' && !is_in(parser_peek(p, 1), ":-=?+%/^,#");
    p->at += length;
    const char *name = p->at;
    bool several = is_in(parser_peek(p, 0), "@*");
    if (is_in(parser_peek(p, 0), NAME_FIRST))
        skip_name(p);
    else if (is_in(parser_peek(p, 0), DIGITS))
        while (is_in(parser_peek(p, 0), DIGITS))
            p->at++;
    else if (is_in(parser_peek(p, 0), SPECIAL))
        p->at++;
    else
        shell_refuse(p->shell, "something unusual in ${ }");
    size_t n = (size_t)(p->at - name);
    several |= parser_peek(p, 0) == '[' && is_in(parser_peek(p, 1), "@*");
    take_index(p);
    if (parser_peek(p, 0) != '}' && !parser_failed(p)) {
        if (length)
            shell_refuse(p->shell, "something unusual in ${ }");
        else
            operation(p, name, n);
    }
    if (parser_peek(p, 0) != '}')
        shell_refuse(p->shell, "${ has no end");
    else
        p->at++;
    return several;
}

static void dollar(struct parser *p, struct word_state *w, bool quoted)
{
    char next = parser_peek(p, 1), after = parser_peek(p, 2);
    if (next == '(' && after == '(') {
        p->at += 3;
        arithmetic(p);
        word_hole(p, w, false);
    } else if (next == '(') {
        p->at += 2;
        substituted(p);
        word_hole(p, w, !quoted);
    } else if (next == '{') {
        p->at += 2;
        bool several = braced(p);
        word_hole(p, w, !quoted || several);
    } else if (next == '[') {
        shell_refuse(p->shell, "old arithmetic; write $(( ))");
    } else if (is_in(next, NAME_FIRST)) {
        p->at++;
        skip_name(p);
        word_hole(p, w, !quoted);
    } else if (is_in(next, DIGITS) || is_in(next, SPECIAL)) {
        p->at += 2;
        word_hole(p, w, is_in(next, "@*") || (!quoted && !is_in(next, "?#$!")));
    } else if (is_in(next, "=^~+")) { /* to zsh a variable's value, as several words or as a pattern */
        p->at++;
        word_hole(p, w, true);
    } else {
        w->plain = false;
        word_put(p, w, '$');
        p->at++;
    }
}

void parse_dollar(struct parser *p, struct word_state *w, bool quoted)
{
    if (!shell_enter(p->shell))
        return;
    dollar(p, w, quoted);
    shell_leave(p->shell);
}
