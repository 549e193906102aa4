/* One text being read: what the files policy/shell_{text,parse,redirect,compound,word,expand,heredoc,test}.c
 * share. */
#pragma once
#include "policy/shell_parts.h"

struct heredoc {
    const char *delimiter;
    size_t length;
    bool quoted, strips_tabs;
};

struct parser {
    struct shell *shell;
    const char *start, *at, *end;
    bool backquote;        /* inside of `…`: the next ` ends it */
    bool backquote_quoted; /* and that within double quotes */
    struct heredoc heredocs[SHELL_HEREDOCS_MAX];
    size_t n_heredocs, heredocs_outside; /* those that wait for a line end; of them, from outside of $(…) */
    char *scratch;                       /* the word that is being read, on top of those around it */
    size_t scratch_used, scratch_size;
    struct shell_word *words; /* likewise: the words of the command */
    size_t n_words, words_size;
    struct shell_mark *marks;
    size_t n_marks, marks_size;
    bool both;     /* the last redirection was &> or &>> */
    bool and_runs; /* what is behind && in [[ ]] may run in a shell without [[ */
    bool no_mark;  /* for the next command: to tree-sitter it is an argument */
};

static inline bool parser_failed(const struct parser *p)
{
    return shell_failed(p->shell);
}

static inline char parser_peek(const struct parser *p, size_t ahead)
{
    return (size_t)(p->end - p->at) > ahead ? p->at[ahead] : '\0';
}

/* ---- shell_parse.c ---- */
void parse_commands(struct parser *p, bool may_be_empty); /* up to something that ends a list */
void parse_simple(struct parser *p);
bool parse_redirection(struct parser *p);                            /* false: there is none here */
void parse_mark(struct parser *p, const char *from, const char *to); /* for shell_tree_agrees() */
void parse_skip_blanks(struct parser *p);                            /* and a comment */
void parse_skip_lines(struct parser *p); /* and line ends, with the here-documents that begin there */
/* Whether this word stands here, unquoted and on its own. */
bool parse_at_word(const struct parser *p, const char *word);
bool parse_take_word(struct parser *p, const char *word);
void parse_expect(struct parser *p, const char *text); /* a reserved word or an operator, or a refusal */
bool parse_take_until(struct parser *p, const char *closer); /* commands, and the word that closes them */

/* ---- shell_redirect.c ---- */
bool parse_redirection(struct parser *p); /* false: there is none here */

/* ---- shell_compound.c ---- */
bool parse_compound(struct parser *p); /* false: none begins here */
void parse_function_body(struct parser *p, const struct shell_word *name);

/* ---- shell_word.c ---- */
bool parse_word(struct parser *p, struct shell_word *ret); /* false: none begins here */
void parse_array(struct parser *p);                        /* (words), of an assignment */

/* What a word is made of so far. */
struct word_state {
    size_t base; /* in scratch */
    bool known, plain, splits, many;
    bool swallow; /* the rest is a part of the last hole */
};
void word_put(struct parser *p, struct word_state *w, char c);
void word_hole(struct parser *p, struct word_state *w, bool splits);

/* ---- shell_expand.c: at `$` or a backquote ---- */
void parse_dollar(struct parser *p, struct word_state *w, bool quoted);
void parse_backquote(struct parser *p, struct word_state *w, bool quoted);
void parse_process_substitution(struct parser *p, struct word_state *w); /* at <( or >( */

/* ---- shell_heredoc.c ---- */
void parse_heredoc_start(struct parser *p, bool strips_tabs); /* behind << */
void parse_heredoc_bodies(struct parser *p);                  /* behind the line end */

/* ---- shell_test.c: [[ … ]], behind the first ---- */
void parse_test(struct parser *p);
