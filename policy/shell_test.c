/* [[ … ]] runs nothing by itself, to bash. But dash knows no [[, and reads `||` or `<` in it as it does
 * everywhere (what is behind `&&` only runs where [[ does not fail: behind !, || or as the body of a
 * function); the operands of -eq are evaluated as arithmetic (shell_expand.c); and -v looks at an index. */
#include <string.h>
#include "policy/shell_parser.h"

static bool is_arithmetic(const struct shell_word *word)
{
    static const char *const operators[] = { "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R" };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (word->known && strcmp(word->text, operators[i]) == 0)
            return true;
    return false;
}

/* Behind =~, where brackets and bars are no operators: characters that mean nothing else anywhere. */
static void regular_expression(struct parser *p)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "_.^*+?[]{}/:=,@%~-";
    struct shell_word word;
    parse_skip_blanks(p);
    char first = parser_peek(p, 0);
    if (first == '"' || first == '\'' || (first == '$' && parser_peek(p, 1) != '(')) {
        if (!parse_word(p, &word))
            shell_refuse(p->shell, "an unusual regular expression");
        return;
    }
    while (parser_peek(p, 0) && strchr(harmless, parser_peek(p, 0)))
        p->at++;
    if (parser_peek(p, 0) == '$')
        p->at++;
    if (parser_peek(p, 0) != ' ')
        shell_refuse(p->shell, "an unusual regular expression");
}

static bool take_operator(struct parser *p, bool *ret_read_otherwise)
{
    char c = parser_peek(p, 0), next = parser_peek(p, 1);
    if (c == '&' && next == '&') {
        p->at += 2;
        *ret_read_otherwise |= p->and_runs;
        return true;
    }
    bool both = c == '|' && next == '|';
    if (!both && (!c || !strchr("()<>", c) || next == '('))
        return false;
    p->at += both ? 2 : 1;
    *ret_read_otherwise = true;
    return true;
}

void parse_test(struct parser *p)
{
    struct shell_word word;
    bool evaluates = false, read_otherwise = false, empty = true;
    for (;;) {
        parse_skip_blanks(p);
        if (parser_failed(p) || parse_take_word(p, "]]"))
            break;
        empty = false;
        if (take_operator(p, &read_otherwise))
            continue;
        if (!parse_word(p, &word)) {
            shell_refuse(p->shell, "[[ has no end");
            break;
        }
        evaluates |= is_arithmetic(&word);
        if (shell_is(&word, "=~"))
            regular_expression(p);
    }
    if (empty)
        shell_refuse(p->shell, "[[ of nothing");
    if (evaluates)
        shell_unknown(p->shell, "numbers in [[ ]] are evaluated, and may run commands; write [ ]");
    if (read_otherwise)
        shell_unknown(p->shell,
                      "&&, ||, <, > and brackets in [[ ]] are read otherwise by other shells; write [ ]");
}
