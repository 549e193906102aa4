/* Lists, pipelines and simple commands. POSIX 2.10 with what bash adds, minus what is read differently by
 * shells that may be somebody's login shell (docs/shell-effects.md).
 *
 * Reading is by recursive descent. What nests goes through shell_enter(), so that the depth of the stack is
 * bounded by SHELL_DEPTH_MAX and not by the line. Nothing is kept: each simple command is judged as soon as
 * it is read, wherever it stands. Conditions are not looked at, so all branches count. */
#include <errno.h>
#include <string.h>
#include "policy/shell_parser.h"

/* What a command can't be called, even where the grammar of some shell would let it. */
static const char *const RESERVED[] = { "if",     "then",      "else",   "elif",   "fi",      "do",
                                        "done",   "case",      "esac",   "while",  "until",   "for",
                                        "select", "function",  "in",     "{",      "}",       "!",
                                        "[[",     "]]",        "time",   "coproc", "foreach", "end",
                                        "repeat", "nocorrect", "noglob", "always" };
static const char *const CLOSERS[] = { "then", "else", "elif", "fi", "do", "done", "esac", "}" };

static bool is_reserved(const struct shell_word *word)
{
    for (size_t i = 0; word->plain && i < sizeof RESERVED / sizeof RESERVED[0]; i++)
        if (strcmp(word->text, RESERVED[i]) == 0)
            return true;
    return false;
}

/* A backslash before a line end joins two words or lines. Only behind a blank is it sure to be a blank. */
static bool is_joined_line(const struct parser *p)
{
    bool behind_blank = p->at == p->start || p->at[-1] == ' ' || p->at[-1] == '\t' || p->at[-1] == '\n';
    return parser_peek(p, 0) == '\\' && parser_peek(p, 1) == '\n' && behind_blank;
}

void parse_skip_blanks(struct parser *p)
{
    while (p->at < p->end) {
        if (*p->at == ' ' || *p->at == '\t')
            p->at++;
        else if (is_joined_line(p))
            p->at += 2;
        else
            break;
    }
    bool begins = p->at == p->start || (p->at > p->start && strchr(" \t\n;&|()`", p->at[-1]));
    if (parser_peek(p, 0) != '#' || !begins)
        return;
    if (p->backquote || p->n_heredocs > 0)
        shell_refuse(p->shell, "a comment in an unusual place");
    const char *line_end = memchr(p->at, '\n', (size_t)(p->end - p->at));
    p->at = line_end ? line_end : p->end;
}

static bool take_line_end(struct parser *p)
{
    if (parser_peek(p, 0) != '\n')
        return false;
    p->at++;
    if (p->n_heredocs > 0)
        parse_heredoc_bodies(p);
    return true;
}

void parse_skip_lines(struct parser *p)
{
    do
        parse_skip_blanks(p);
    while (!parser_failed(p) && take_line_end(p));
}

bool parse_at_word(const struct parser *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
        return false;
    char next = parser_peek(p, n);
    return p->at + n == p->end || strchr(" \t\n;&|()<>", next) || (next == '`' && p->backquote);
}

bool parse_take_word(struct parser *p, const char *word)
{
    if (!parse_at_word(p, word))
        return false;
    p->at += strlen(word);
    return true;
}

void parse_expect(struct parser *p, const char *text)
{
    size_t n = strlen(text);
    parse_skip_blanks(p);
    bool letters = text[0] >= 'a' && text[0] <= 'z';
    if (letters ? parse_at_word(p, text) : (size_t)(p->end - p->at) >= n && memcmp(p->at, text, n) == 0)
        p->at += n;
    else
        shell_refuse(p->shell, "something is missing that ends a part of it");
}

bool parse_take_until(struct parser *p, const char *closer)
{
    parse_commands(p, false);
    parse_expect(p, closer);
    return !parser_failed(p);
}

static bool at_closer(const struct parser *p)
{
    char c = parser_peek(p, 0);
    if (p->at == p->end || c == ')' || (c == '`' && p->backquote))
        return true;
    if (c == ';' && parser_peek(p, 1) == ';')
        return true;
    for (size_t i = 0; i < sizeof CLOSERS / sizeof CLOSERS[0]; i++)
        if (parse_at_word(p, CLOSERS[i]))
            return true;
    return false;
}

/* ---- simple commands ---- */

void parse_mark(struct parser *p, const char *from, const char *to)
{
    if (p->n_marks == p->marks_size) {
        size_t size = p->marks_size ? p->marks_size * 2 : 16;
        struct shell_mark *marks = reallocarray(p->marks, size, sizeof *marks);
        if (!marks) {
            p->shell->error = -ENOMEM;
            return;
        }
        p->marks = marks;
        p->marks_size = size;
    }
    p->marks[p->n_marks++] = (struct shell_mark){ (size_t)(from - p->start), (size_t)(to - p->start) };
}

static void add_word(struct parser *p, const struct shell_word *word)
{
    if (p->n_words == p->words_size) {
        size_t size = p->words_size ? p->words_size * 2 : 32;
        struct shell_word *words = reallocarray(p->words, size, sizeof *words);
        if (!words) {
            p->shell->error = -ENOMEM;
            return;
        }
        p->words = words;
        p->words_size = size;
    }
    p->words[p->n_words++] = *word;
}

/* Bytes of NAME in NAME=value, NAME+=value, as written; 0 when it is no assignment. *ret_value is behind the
 * "=". NAME[…]= is refused: what stands in the brackets is evaluated. */
static size_t assigned_name(struct parser *p, const char **ret_value)
{
    const char *at = p->at;
    while (at < p->end && (shell_is_name(at, at + 1) || (*at >= '0' && *at <= '9')))
        at++;
    if (at == p->end || !shell_is_name(p->at, at))
        return 0;
    size_t n = (size_t)(at - p->at);
    if (*at == '[') {
        shell_refuse(p->shell, "an index of an array");
        return 0;
    }
    at += *at == '+';
    if (at == p->end || *at != '=')
        return 0;
    *ret_value = at + 1;
    return n;
}

static bool take_assignment(struct parser *p)
{
    const char *value;
    struct shell_word word;
    size_t n = assigned_name(p, &value);
    if (n == 0)
        return false;
    if (value < p->end && *value == '(') {
        word = (struct shell_word){ .from = p->at };
        char *text = shell_alloc(p->shell, (size_t)(value - p->at) + 2);
        if (!text)
            return true;
        memcpy(text, p->at, (size_t)(value - p->at));
        text[value - p->at] = EFFECT_HOLE;
        p->at = value;
        parse_array(p);
        word.text = text;
        word.to = p->at;
    } else if (!parse_word(p, &word)) {
        return true;
    }
    if (!parser_failed(p))
        shell_assign(p->shell, &word, n);
    return true;
}

/* NAME () …, behind NAME. */
static void function_definition(struct parser *p, const struct shell_word *name)
{
    if (!name->plain || !shell_is_name(name->from, name->to) || is_reserved(name))
        shell_refuse(p->shell, "a bracket in an unusual place");
    parse_expect(p, "(");
    parse_expect(p, ")");
    parse_function_body(p, name);
}

static void run(struct parser *p, size_t base, bool mark)
{
    size_t n = p->n_words - base;
    if (n == 0 || parser_failed(p))
        return;
    struct shell_word *words = shell_alloc(p->shell, n * sizeof *words);
    if (!words)
        return;
    memcpy(words, p->words + base, n * sizeof *words);
    if (mark)
        parse_mark(p, words[0].from, words[0].to);
    if (!parser_failed(p))
        shell_run(p->shell, words, n);
}

void parse_simple(struct parser *p)
{
    size_t base = p->n_words;
    bool something = false, mark = !p->no_mark, both = false;
    p->no_mark = false;
    while (!parser_failed(p)) {
        struct shell_word word;
        parse_skip_blanks(p);
        if (parse_redirection(p)) {
            something = true;
            both |= p->both;
            continue;
        }
        if (p->n_words == base && take_assignment(p)) {
            something = true;
            continue;
        }
        if (parser_failed(p) || !parse_word(p, &word))
            break;
        /* zsh ends a group with any } that stands alone */
        if (p->n_words > base && word.plain && (!strcmp(word.text, "{") || !strcmp(word.text, "}")))
            shell_refuse(p->shell, "a bracket as an argument; quote it");
        if (both) /* to dash it is `&`, and this is the next command */
            shell_refuse(p->shell, "something behind &>");
        if (p->n_words == base && is_reserved(&word))
            shell_refuse(p->shell, "a reserved word in an unusual place");
        if (p->n_words == base && !something) {
            parse_skip_blanks(p);
            if (parser_peek(p, 0) == '(') {
                function_definition(p, &word);
                return;
            }
        }
        add_word(p, &word);
        something = true;
    }
    if (!something)
        shell_refuse(p->shell, "a command is missing");
    run(p, base, mark);
    p->n_words = base;
}

/* ---- lists ---- */

static void command(struct parser *p)
{
    if (!shell_enter(p->shell))
        return;
    if (!parse_compound(p))
        parse_simple(p);
    p->no_mark = false;
    shell_leave(p->shell);
}

/* To tree-sitter it is a command like any, and so it is to dash, where it has options. */
static void skip_time(struct parser *p)
{
    parse_mark(p, p->at - 4, p->at);
    p->no_mark = true;
    parse_skip_blanks(p);
    (void)parse_take_word(p, "-p");
    parse_skip_blanks(p);
    if (parser_peek(p, 0) == '-')
        shell_refuse(p->shell, "time with options");
}

static void pipeline(struct parser *p)
{
    parse_skip_blanks(p);
    if (parse_take_word(p, "!")) {
        p->and_runs = true;
        parse_skip_blanks(p);
    }
    if (parse_take_word(p, "time"))
        skip_time(p);
    for (;;) {
        command(p);
        parse_skip_blanks(p);
        if (parser_failed(p) || parser_peek(p, 0) != '|' || parser_peek(p, 1) == '|')
            return;
        p->at += parser_peek(p, 1) == '&' ? 2 : 1;
        parse_skip_lines(p);
    }
}

static void and_or(struct parser *p)
{
    bool outside = p->and_runs;
    p->and_runs = false;
    for (;;) {
        pipeline(p);
        char c = parser_peek(p, 0);
        if (parser_failed(p) || (c != '&' && c != '|') || parser_peek(p, 1) != c)
            break;
        p->and_runs = true;
        p->at += 2;
        parse_skip_lines(p);
    }
    p->and_runs = outside;
}

void parse_commands(struct parser *p, bool may_be_empty)
{
    bool empty = true;
    parse_skip_lines(p);
    while (!parser_failed(p) && !at_closer(p)) {
        empty = false;
        and_or(p);
        parse_skip_blanks(p);
        char c = parser_peek(p, 0);
        if (parser_failed(p) || at_closer(p))
            break;
        if (c == ';' || c == '&')
            p->at++;
        else if (c != '\n')
            shell_refuse(p->shell, "something in an unusual place");
        parse_skip_lines(p);
    }
    if (empty && !may_be_empty)
        shell_refuse(p->shell, "a part of it is empty");
}
