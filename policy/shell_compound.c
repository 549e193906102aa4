/* Compound commands, and functions. `((…))` is refused: to a shell without it, it is a command in two
 * subshells. */
#include <string.h>
#include "policy/shell_parser.h"

static void redirections(struct parser *p)
{
    do
        parse_skip_blanks(p);
    while (!parser_failed(p) && parse_redirection(p));
}

static void parse_if(struct parser *p)
{
    if (!parse_take_until(p, "then"))
        return;
    for (;;) {
        parse_commands(p, false);
        parse_skip_blanks(p);
        if (parser_failed(p) || !parse_take_word(p, "elif"))
            break;
        if (!parse_take_until(p, "then"))
            return;
    }
    if (parse_take_word(p, "else"))
        parse_commands(p, false);
    parse_expect(p, "fi");
}

static void parse_loop_body(struct parser *p)
{
    parse_expect(p, "do");
    (void)parse_take_until(p, "done");
}

static void parse_for(struct parser *p)
{
    struct shell_word word;
    parse_skip_blanks(p);
    if (!parse_word(p, &word) || !word.plain || !shell_is_name(word.from, word.to)) {
        shell_refuse(p->shell, "a loop over something unusual");
        return;
    }
    shell_set_variable(p->shell, word.text, strlen(word.text));
    parse_skip_lines(p);
    if (parse_take_word(p, "in")) {
        do
            parse_skip_blanks(p);
        while (parse_word(p, &word));
        if (parser_peek(p, 0) != ';' && parser_peek(p, 0) != '\n')
            shell_refuse(p->shell, "a loop over something unusual");
    }
    if (parser_peek(p, 0) == ';')
        p->at++;
    parse_skip_lines(p);
    parse_loop_body(p);
}

static void parse_clause(struct parser *p)
{
    struct shell_word pattern;
    if (parser_peek(p, 0) == '(')
        p->at++;
    for (;;) {
        parse_skip_blanks(p);
        if (!parse_word(p, &pattern))
            shell_refuse(p->shell, "a pattern is missing");
        parse_skip_blanks(p);
        if (parser_failed(p) || parser_peek(p, 0) != '|')
            break;
        p->at++;
    }
    parse_expect(p, ")");
    parse_commands(p, true);
}

static void parse_case(struct parser *p)
{
    struct shell_word word;
    parse_skip_blanks(p);
    if (!parse_word(p, &word))
        shell_refuse(p->shell, "case of nothing");
    parse_skip_lines(p);
    parse_expect(p, "in");
    parse_skip_lines(p);
    while (!parser_failed(p) && !parse_at_word(p, "esac")) {
        parse_clause(p);
        if (parse_at_word(p, "esac"))
            break;
        parse_expect(p, ";;");
        parse_skip_lines(p);
    }
    parse_expect(p, "esac");
}

static void parse_loop(struct parser *p)
{
    if (parse_take_until(p, "do"))
        (void)parse_take_until(p, "done");
}

static void parse_group(struct parser *p)
{
    (void)parse_take_until(p, "}");
}

static void parse_subshell(struct parser *p)
{
    p->at++;
    if (parser_peek(p, 0) == '(')
        shell_refuse(p->shell, "(( )): write $(( )), or a blank between the brackets");
    (void)parse_take_until(p, ")");
}

static void parse_function(struct parser *p)
{
    struct shell_word name;
    parse_skip_blanks(p);
    if (!parse_word(p, &name) || !name.plain || !shell_is_name(name.from, name.to))
        shell_refuse(p->shell, "a function with an unusual name");
    parse_skip_blanks(p);
    if (parser_peek(p, 0) == '(') {
        p->at++;
        parse_expect(p, ")");
    }
    parse_function_body(p, &name);
}

static const struct {
    const char *word;
    void (*parse)(struct parser *p);
} COMPOUNDS[] = {
    { "if", parse_if },   { "while", parse_loop }, { "until", parse_loop },
    { "for", parse_for }, { "select", parse_for }, { "case", parse_case },
    { "{", parse_group }, { "[[", parse_test },    { "function", parse_function },
};

static bool parse_known(struct parser *p)
{
    if (parser_peek(p, 0) == '(') {
        parse_subshell(p);
        return true;
    }
    for (size_t i = 0; i < sizeof COMPOUNDS / sizeof COMPOUNDS[0]; i++)
        if (parse_take_word(p, COMPOUNDS[i].word)) {
            COMPOUNDS[i].parse(p);
            return true;
        }
    return false;
}

bool parse_compound(struct parser *p)
{
    parse_skip_blanks(p);
    if (parse_take_word(p, "coproc")) { /* of a compound command with a name: refused, as it is read here */
        parse_mark(p, p->at - strlen("coproc"), p->at);
        p->no_mark = true; /* as time, shell_parse.c */
        parse_skip_blanks(p);
        if (!parse_known(p))
            parse_simple(p);
        else
            redirections(p);
        return true;
    }
    if (!parse_known(p))
        return false;
    redirections(p);
    return true;
}

/* The commands of its body count as run, whoever calls it. */
void parse_function_body(struct parser *p, const struct shell_word *name)
{
    if (!shell_enter(p->shell))
        return;
    parse_skip_lines(p);
    const char *from = p->at;
    size_t heredocs = p->n_heredocs;
    p->and_runs = true;
    if (parse_known(p))
        redirections(p);
    else
        shell_refuse(p->shell, "a function with an unusual body");
    bool whole = heredocs == 0 && p->n_heredocs == 0; /* else the text of one is further down */
    if (!parser_failed(p))
        shell_define(p->shell, name, whole ? from : NULL, (size_t)(p->at - from));
    shell_leave(p->shell);
}
