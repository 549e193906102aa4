/* A text as a whole: what may not be in it, and the second vote. */
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/shell_parser.h"

/* Characters that some terminal or shell may take for a blank or for nothing, or that are not shown as what
 * they are. */
static const struct {
    uint32_t first, last;
} UNUSUAL[] = {
    { 0x00, 0x08 },     { 0x0b, 0x1f },     { 0x7f, 0xa0 },     { 0xad, 0xad },       { 0x1680, 0x1680 },
    { 0x180e, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },   { 0x3000, 0x3000 },
    { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xfff0, 0xffff }, { 0xe0000, 0xe0fff },
};

/* The text is UTF-8. */
static uint32_t next_character(const unsigned char **at)
{
    const unsigned char *p = *at;
    size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    *at += n;
    return c;
}

static const char *unusual_character(const char *text, size_t n)
{
    if (memchr(text, '\0', n) || !text_is_utf8(text, n))
        return "it is not UTF-8 text";
    const unsigned char *end = (const unsigned char *)text + n;
    for (const unsigned char *at = (const unsigned char *)text; at < end;) {
        uint32_t c = next_character(&at);
        /* In some encodings, which the locale may be of, these are the second half of a letter. */
        if (c >= 0x80 && at < end && strchr("\\|`}", *at))
            return "a letter beyond ASCII before \\, |, } or `";
        for (size_t i = 0; i < sizeof UNUSUAL / sizeof UNUSUAL[0]; i++)
            if (c >= UNUSUAL[i].first && c <= UNUSUAL[i].last)
                return "there are control characters or unusual blanks in it";
    }
    return NULL;
}

static void read_text(struct shell *shell, const char *text, size_t n)
{
    struct parser p = { .shell = shell, .start = text, .at = text, .end = text + n };
    parse_commands(&p, true);
    shell->at_end = shell->level == 1 && p.at == p.end;
    if (p.at != p.end)
        shell_refuse(shell, "something in an unusual place");
    if (p.n_heredocs > 0)
        shell_refuse(shell, "a here-document has no end");
    if (!shell_failed(shell)) {
        int r = shell_tree_agrees(text, n, p.marks, p.n_marks);
        if (r < 0)
            shell->error = r;
        else if (r > 0)
            shell_refuse(shell, "it can be read in more than one way");
    }
    free(p.scratch);
    free(p.words);
    free(p.marks);
}

void shell_text(struct shell *shell, const char *text, size_t n)
{
    if (shell_failed(shell) || !shell_enter(shell))
        return;
    shell->level++;
    const char *unusual = n > SHELL_LINE_MAX                 ? "it is too long"
                          : ++shell->texts > SHELL_TEXTS_MAX ? "it has too many command lines in it"
                                                             : unusual_character(text, n);
    if (unusual)
        shell_refuse(shell, unusual);
    else
        read_text(shell, text, n);
    shell->level--;
    shell_leave(shell);
}
