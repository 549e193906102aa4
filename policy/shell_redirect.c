/* Redirections, as they stand in the text; policy/shell_command.c makes effects of them. */
#include <string.h>
#include "policy/shell_parser.h"

static bool is_number(const struct shell_word *word)
{
    return word->known && *word->text && strspn(word->text, "0123456789") == strlen(word->text);
}

/* The word behind <& or >&. */
static void redirect_descriptor(struct parser *p, bool out, const struct shell_word *word)
{
    size_t n = strlen(word->text);
    bool closes =
        word->known && n > 0 && word->text[n - 1] == '-' && strspn(word->text, "0123456789") == n - 1;
    if (is_number(word) || closes)
        return;
    if (out)
        shell_redirect(p->shell, FILE_WRITE, word);
    else
        shell_refuse(p->shell, "an unusual redirection");
}

enum redirection {
    REDIRECT_NONE,
    READ,
    WRITE,
    READ_WRITE,
    FROM_DESCRIPTOR,
    TO_DESCRIPTOR,
    HERE,
    HERE_TABS,
    STRING
};

static enum redirection take_operator(struct parser *p)
{
    static const struct {
        const char *text;
        enum redirection what;
    } operators[] = {
        { "&>>", WRITE },        { "&>", WRITE },           { "<<<", STRING },    { "<<-", HERE_TABS },
        { "<<", HERE },          { "<&", FROM_DESCRIPTOR }, { "<>", READ_WRITE }, { ">>", WRITE },
        { ">&", TO_DESCRIPTOR }, { ">|", WRITE },           { "<", READ },        { ">", WRITE },
    };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t n = strlen(operators[i].text);
        if ((size_t)(p->end - p->at) >= n && memcmp(p->at, operators[i].text, n) == 0) {
            p->at += n;
            return operators[i].what;
        }
    }
    return REDIRECT_NONE;
}

static bool at_redirection(const struct parser *p)
{
    size_t digits = 0;
    while (parser_peek(p, digits) >= '0' && parser_peek(p, digits) <= '9')
        digits++;
    char c = parser_peek(p, digits), next = parser_peek(p, digits + 1);
    if (c == '&' && digits == 0)
        return next == '>';
    return (c == '<' || c == '>') && (next != '(' || digits > 0);
}

bool parse_redirection(struct parser *p)
{
    struct shell_word word;
    if (!at_redirection(p))
        return false;
    const char *number = p->at;
    while (parser_peek(p, 0) >= '0' && parser_peek(p, 0) <= '9')
        p->at++;
    if (parser_peek(p, 1) == '(' || p->at > number + 1) /* to dash, 10 is an argument */
        shell_refuse(p->shell, "an unusual redirection");
    p->both = parser_peek(p, 0) == '&';
    enum redirection what = take_operator(p);
    if (parser_peek(p, 0) == '!') /* zsh: >! is >| */
        shell_refuse(p->shell, "an unusual redirection");
    parse_skip_blanks(p);
    if (what == HERE || what == HERE_TABS) {
        parse_heredoc_start(p, what == HERE_TABS);
        return true;
    }
    if (!parse_word(p, &word)) {
        shell_refuse(p->shell, "a redirection to nothing");
        return true;
    }
    if (what == READ || what == READ_WRITE)
        shell_redirect(p->shell, FILE_READ, &word);
    if (what == WRITE || what == READ_WRITE)
        shell_redirect(p->shell, FILE_WRITE, &word);
    if (what == FROM_DESCRIPTOR || what == TO_DESCRIPTOR)
        redirect_descriptor(p, what == TO_DESCRIPTOR, &word);
    return true;
}
