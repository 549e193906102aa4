/* Here-documents. The delimiter is one plain word, or one that is quoted as a whole: with anything else
 * shells do not agree where the text ends. */
#include <string.h>
#include "policy/shell_parser.h"

static const char DELIMITER[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static size_t delimiter_length(const struct parser *p)
{
    size_t n = 0;
    while (parser_peek(p, n) && strchr(DELIMITER, parser_peek(p, n)))
        n++;
    return n;
}

void parse_heredoc_start(struct parser *p, bool strips_tabs)
{
    char quote = parser_peek(p, 0);
    bool quoted = quote == '\'' || quote == '"' || quote == '\\';
    p->at += quoted;
    size_t n = delimiter_length(p);
    const char *delimiter = p->at;
    p->at += n;
    if (quoted && quote != '\\') {
        if (parser_peek(p, 0) != quote)
            shell_refuse(p->shell, "an unusual delimiter of a here-document");
        else
            p->at++;
    }
    char next = parser_peek(p, 0);
    if (n == 0 || (next && !strchr(" \t\n;&|)", next)) || p->backquote)
        shell_refuse(p->shell, "an unusual delimiter of a here-document");
    else if (p->n_heredocs == SHELL_HEREDOCS_MAX || ++p->shell->heredocs > SHELL_HEREDOCS_ALL_MAX)
        shell_refuse(p->shell, "it has too many here-documents");
    else
        p->heredocs[p->n_heredocs++] = (struct heredoc){ delimiter, n, quoted, strips_tabs };
}

/* What is expanded in a text that ends at `end`. */
static void expand(struct parser *p, const char *end)
{
    const char *end_of_text = p->end;
    struct word_state ignored = { .base = p->scratch_used };
    p->end = end;
    while (!parser_failed(p) && p->at < p->end) {
        char c = *p->at, next = parser_peek(p, 1);
        if (c == '\\' && next == '\n')
            shell_refuse(p->shell, "a backslash before a line end");
        else if (c == '\\' && (next == '$' || next == '`' || next == '\\'))
            p->at += 2;
        else if (c == '$')
            parse_dollar(p, &ignored, true);
        else if (c == '`')
            parse_backquote(p, &ignored, true);
        else
            p->at++;
    }
    p->scratch_used = ignored.base;
    p->end = end_of_text;
}

/* The line behind `at` that is the delimiter; NULL: there is none. */
static const char *find_end(const struct parser *p, const struct heredoc *heredoc)
{
    for (const char *line = p->at; line < p->end;) {
        const char *line_end = memchr(line, '\n', (size_t)(p->end - line));
        const char *end = line_end ? line_end : p->end, *text = line;
        while (heredoc->strips_tabs && text < end && *text == '\t')
            text++;
        if ((size_t)(end - text) == heredoc->length && memcmp(text, heredoc->delimiter, heredoc->length) == 0)
            return line;
        if (!line_end)
            break;
        line = line_end + 1;
    }
    return NULL;
}

void parse_heredoc_bodies(struct parser *p)
{
    size_t n = p->n_heredocs;
    if (p->heredocs_outside > 0) {
        shell_refuse(p->shell, "a line end in a substitution, before a here-document");
        return;
    }
    p->n_heredocs = 0;
    for (size_t i = 0; i < n && !parser_failed(p); i++) {
        struct heredoc heredoc = p->heredocs[i];
        const char *end = find_end(p, &heredoc);
        if (!end) {
            p->at = p->end; /* up to there it was looked for */
            shell_refuse(p->shell, "a here-document has no end");
            return;
        }
        if (!heredoc.quoted)
            expand(p, end);
        p->at = end;
        const char *line_end = memchr(p->at, '\n', (size_t)(p->end - p->at));
        p->at = line_end ? line_end + 1 : p->end;
    }
}
