/* The line is the target's shell's: only what cannot mean anything else is taken for a transfer, so quotes
 * are read and everything that a shell would expand is not, but for patterns in paths (`scp host:*.txt .`),
 * which are holes.
 *
 * Options are lists of what is known to be harmless, or what it does to which path. rsync's others make its
 * paths unknown: that is a hole too, and denied where rules look at paths. With -s (--secluded-args) the
 * paths are not on the line at all.
 */
#include "policy/transfer_command.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "policy/effect.h"

struct words {
    char *items[COMMAND_WORDS_MAX];
    size_t count;
};

static void words_clear(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i]);
    w->count = 0;
}

const char *transfer_program_name(enum transfer_program program)
{
    static const char *const names[] = { "other", "scp", "rsync", "git" };
    return names[program];
}

/* ---- words (XCU 2.2) ---- */

enum { NOT_LITERAL = 1 };

struct scan {
    const char *at;
    char *out;
    size_t n;
};

static int take_quoted(struct scan *s)
{
    char quote = *s->at++;
    for (; *s->at && *s->at != quote; s->at++) {
        if (quote == '"' && (*s->at == '$' || *s->at == '`'))
            return NOT_LITERAL;
        if (quote == '"' && *s->at == '\\' && s->at[1] && strchr("$`\"\\", s->at[1]))
            s->at++;
        s->out[s->n++] = *s->at;
    }
    if (*s->at != quote)
        return NOT_LITERAL;
    s->at++;
    return 0;
}

static int take_word(struct scan *s)
{
    int r = 0;
    if (*s->at == '~' && (s->at[1] == '/' || s->at[1] == ' ' || s->at[1] == 0)) {
        s->out[s->n++] = '.';
        s->at++;
    } else if (*s->at == '~') {
        s->out[s->n++] = EFFECT_HOLE;
        s->at += strcspn(s->at, "/ ");
    }
    while (r == 0 && *s->at && *s->at != ' ') {
        if (*s->at == '\'' || *s->at == '"') {
            r = take_quoted(s);
        } else if (strchr("*?[]", *s->at)) {
            s->out[s->n++] = EFFECT_HOLE;
            s->at++;
        } else if (strchr("$`;&|<>(){}!#^\n\t\r", *s->at) || (unsigned char)*s->at < ' ') {
            return NOT_LITERAL;
        } else {
            s->at += *s->at == '\\' && s->at[1] && s->at[1] != '\n';
            s->out[s->n++] = *s->at++;
        }
    }
    return r;
}

static int split(const char *line, struct words *w)
{
    size_t size = strlen(line) + 1;
    CLEANUP(free) char *out = malloc(size);
    struct scan s = { .at = line, .out = out };
    if (!out)
        return -ENOMEM;
    while (*(s.at += strspn(s.at, " "))) {
        s.n = 0;
        if (w->count == COMMAND_WORDS_MAX || take_word(&s))
            return NOT_LITERAL;
        char *word = strndup(out, s.n);
        if (!word)
            return -ENOMEM;
        w->items[w->count++] = word;
    }
    return w->count > 0 ? 0 : NOT_LITERAL;
}

static bool has_hole(const char *word)
{
    return strchr(word, EFFECT_HOLE) != NULL;
}

/* ---- files ---- */

static int add(struct transfer_command *c, enum file_operation operation, const char *path)
{
    if (c->n_files == COMMAND_FILES_MAX)
        return NOT_LITERAL;
    char *copy = strdup(*path ? path : ".");
    if (!copy)
        return -ENOMEM;
    c->files[c->n_files++] = (struct command_file){ operation, copy };
    return 0;
}

/* Something that may be anywhere. */
static int add_unknown(struct transfer_command *c, enum file_operation operation)
{
    return add(c, operation, (const char[]){ EFFECT_HOLE, 0 });
}

/* ---- scp ---- */

/* scp [-v] [-r] [-p] [-d] [-q] -t|-f [--] PATH */
static int read_scp(const struct words *w, struct transfer_command *c)
{
    size_t i = 1;
    char way = 0;
    for (; i < w->count && w->items[i][0] == '-' && w->items[i][1]; i++) {
        const char *letters = w->items[i] + 1;
        if (strcmp(letters, "-") == 0) {
            i++;
            break;
        }
        if (strspn(letters, "vrpdqtf") != strlen(letters))
            return NOT_LITERAL;
        for (; *letters; letters++) {
            c->directory |= *letters == 'd';
            c->tree |= *letters == 'r';
            if (*letters != 't' && *letters != 'f')
                continue;
            if (way && way != *letters)
                return NOT_LITERAL;
            way = *letters;
        }
    }
    if (!way || i + 1 != w->count)
        return NOT_LITERAL;
    c->program = PROGRAM_SCP;
    c->upload = way == 't';
    return add(c, c->upload ? FILE_WRITE : FILE_READ, w->items[i]);
}

/* ---- git ---- */

static bool is_any(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

/* git-upload-pack PATH, git-receive-pack PATH, git-upload-archive PATH; or git upload-pack … */
static int read_git(const struct words *w, size_t first, const char *service, struct transfer_command *c)
{
    static const char *const down[] = { "upload-pack", "upload-archive", NULL };
    bool reads = is_any(service, down), writes = strcmp(service, "receive-pack") == 0;
    if ((!reads && !writes) || first + 1 != w->count || w->items[first][0] == '-')
        return NOT_LITERAL;
    c->program = PROGRAM_GIT;
    c->upload = writes;
    int r = add(c, FILE_READ, w->items[first]);
    return r == 0 && writes ? add(c, FILE_WRITE, w->items[first]) : r;
}

/* ---- rsync ---- */

struct option {
    const char *name; /* with "=" when it has a value */
    enum { HARMLESS, READS, WRITES, REMOVES } what;
};

/* Of what a client gives its server (rsync(1), options.c server_options()). */
static const struct option options[] = {
    { "--append", HARMLESS },
    { "--backup-dir=", WRITES },
    { "--bwlimit=", HARMLESS },
    { "--checksum-choice=", HARMLESS },
    { "--checksum-seed=", HARMLESS },
    { "--compare-dest=", READS },
    { "--compress-choice=", HARMLESS },
    { "--compress-level=", HARMLESS },
    { "--contimeout=", HARMLESS },
    { "--copy-dest=", READS },
    { "--delay-updates", HARMLESS },
    { "--delete", REMOVES },
    { "--delete-after", REMOVES },
    { "--delete-before", REMOVES },
    { "--delete-delay", REMOVES },
    { "--delete-during", REMOVES },
    { "--delete-excluded", REMOVES },
    { "--delete-missing-args", REMOVES },
    { "--existing", HARMLESS },
    { "--force", REMOVES },
    { "--fsync", HARMLESS },
    { "--fuzzy", HARMLESS },
    { "--ignore-errors", HARMLESS },
    { "--ignore-existing", HARMLESS },
    { "--ignore-missing-args", HARMLESS },
    { "--inplace", HARMLESS },
    { "--link-dest=", READS },
    { "--list-only", HARMLESS },
    { "--log-format=", HARMLESS },
    { "--max-delete=", HARMLESS },
    { "--max-size=", HARMLESS },
    { "--min-size=", HARMLESS },
    { "--mkpath", HARMLESS },
    { "--modify-window=", HARMLESS },
    { "--new-compress", HARMLESS },
    { "--no-W", HARMLESS },
    { "--no-implied-dirs", HARMLESS },
    { "--no-relative", HARMLESS },
    { "--no-whole-file", HARMLESS },
    { "--numeric-ids", HARMLESS },
    { "--old-compress", HARMLESS },
    { "--open-noatime", HARMLESS },
    { "--partial", HARMLESS },
    { "--partial-dir=", WRITES },
    { "--remove-source-files", REMOVES },
    { "--safe-links", HARMLESS },
    { "--sender", HARMLESS },
    { "--server", HARMLESS },
    { "--size-only", HARMLESS },
    { "--specials", HARMLESS },
    { "--stats", HARMLESS },
    { "--suffix=", HARMLESS },
    { "--temp-dir=", WRITES },
    { "--timeout=", HARMLESS },
};

static const struct option *find_option(const char *word)
{
    size_t n = strcspn(word, "=");
    n += word[n] == '=';
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strncmp(options[i].name, word, n) == 0 && options[i].name[n] == 0)
            return &options[i];
    return NULL;
}

/* What the options do besides. */
struct rsync {
    bool sender, removes, unknown;
    size_t first; /* of the paths */
};

/* -logDtpre.iLsfxCIvu: what follows e is what the client can do. With L or k links are followed that lead
 * anywhere. */
static bool letters_are_known(const char *letters)
{
    const char *e = strchr(letters, 'e');
    size_t n = e ? (size_t)(e - letters) : strlen(letters);
    if (e && e[1] != '.')
        return false;
    return strspn(letters, "vqcarRbutdlHpEAXogDSnWxIizyhmNUJO") >= n;
}

static int read_option(const char *word, struct transfer_command *c, struct rsync *o)
{
    if (word[1] != '-') {
        o->unknown |= !letters_are_known(word + 1);
        return 0;
    }
    const struct option *option = find_option(word);
    if (!option || has_hole(word)) {
        o->unknown = true;
        return 0;
    }
    o->sender |= strcmp(word, "--sender") == 0;
    o->removes |= option->what == REMOVES;
    if (option->what != READS && option->what != WRITES)
        return 0;
    return add(c, option->what == READS ? FILE_READ : FILE_WRITE, strchr(word, '=') + 1);
}

static int add_path(struct transfer_command *c, const struct rsync *o, const char *path)
{
    int r = add(c, o->sender ? FILE_READ : FILE_WRITE, path);
    return r == 0 && o->removes ? add(c, FILE_REMOVE, path) : r;
}

/* rsync --server [OPTION…] . PATH… */
static int read_rsync(const struct words *w, struct transfer_command *c)
{
    struct rsync o = { .first = 1 };
    int r = 0;
    if (w->count < 2 || strcmp(w->items[1], "--server") != 0)
        return NOT_LITERAL;
    while (r == 0 && o.first < w->count && w->items[o.first][0] == '-' && w->items[o.first][1])
        r = read_option(w->items[o.first++], c, &o);
    c->program = PROGRAM_RSYNC;
    c->upload = !o.sender;
    if (r == 0 && (o.unknown || o.first + 1 >= w->count || strcmp(w->items[o.first], ".") != 0))
        return add_unknown(c, FILE_WRITE);
    for (size_t i = o.first + 1; r == 0 && i < w->count; i++)
        r = w->items[i][0] == '-' ? add_unknown(c, FILE_WRITE) : add_path(c, &o, w->items[i]);
    return r;
}

/* ---- the line ---- */

static int read_words(const struct words *w, struct transfer_command *c)
{
    const char *program = strrchr(w->items[0], '/') ? strrchr(w->items[0], '/') + 1 : w->items[0];
    if (has_hole(w->items[0]))
        return NOT_LITERAL;
    if (strcmp(program, "scp") == 0)
        return read_scp(w, c);
    if (strcmp(program, "rsync") == 0)
        return read_rsync(w, c);
    if (strncmp(program, "git-", 4) == 0 && w->count > 1)
        return read_git(w, 1, program + 4, c);
    if (strcmp(program, "git") == 0 && w->count > 2)
        return read_git(w, 2, w->items[1], c);
    return NOT_LITERAL;
}

int transfer_command_read(const char *line, struct transfer_command *ret)
{
    struct transfer_command c = { .program = PROGRAM_OTHER };
    struct words w = { .count = 0 };
    int r = split(line, &w);
    r = r ? r : read_words(&w, &c);
    words_clear(&w);
    if (r) {
        transfer_command_clear(&c);
        c = (struct transfer_command){ .program = PROGRAM_OTHER };
    }
    if (r < 0)
        return r;
    *ret = c;
    return 0;
}

void transfer_command_clear(struct transfer_command *c)
{
    for (size_t i = 0; i < c->n_files; i++)
        free(c->files[i].path);
    c->n_files = 0;
}

/* ---- the words of an effect ---- */

/* One word behind the other; NULL: there is none. */
static const char *next_word(const char *word)
{
    const char *end = strchr(word, EFFECT_WORD_END);
    return end && end[1] ? end + 1 : NULL;
}

static bool word_is(const char *word, const char *text)
{
    size_t n = strcspn(word, (const char[]){ EFFECT_WORD_END, 0 });
    return n == strlen(text) && memcmp(word, text, n) == 0;
}

bool transfer_command_serves(const char *words)
{
    const char *name = words;
    size_t n = strcspn(words, (const char[]){ EFFECT_WORD_END, 0 });
    for (const char *at = words; at < words + n; at++)
        name = *at == '/' ? at + 1 : name;
    bool scp = word_is(name, "scp"), rsync = word_is(name, "rsync"), git = word_is(name, "git");
    if (word_is(name, "git-upload-pack") || word_is(name, "git-receive-pack") ||
        word_is(name, "git-upload-archive"))
        return true;
    while ((scp || rsync || git) && (words = next_word(words)) != NULL) {
        n = strcspn(words, (const char[]){ EFFECT_WORD_END, 0 });
        if (*words == EFFECT_HOLE || (rsync && word_is(words, "--server")) ||
            (git && (word_is(words, "upload-pack") || word_is(words, "receive-pack") ||
                     word_is(words, "upload-archive"))))
            return true;
        if (scp && *words == '-' && words[1] != '-' &&
            (memchr(words, 't', n) || memchr(words, 'f', n) || memchr(words, EFFECT_HOLE, n)))
            return true;
    }
    return false;
}
