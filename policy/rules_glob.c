/* A pattern is a list of tokens; a set of places in it moves over the text, character by character, so that
 * no input makes it slow in more than the product of both lengths.
 *
 * The two certainties differ in what a token may stand for, see token_takes(). A hole in the text (something
 * that is known only when it runs) may, perhaps, be just what the rest of the pattern asks for: every later
 * place is reached. Surely it is only what a star may stand for that takes whole words, whatever they are. */
#include "policy/rules_glob.h"

#include <string.h>

enum {
    PATTERN_MAX = EFFECT_NAME_MAX, /* config_match.c keeps to it */
    TOKENS_MAX = PATTERN_MAX + 2,
    NOT_UTF8 = 0x110000, /* plus the byte: no character */
};

enum token_kind {
    TOKEN_CHARACTER,
    TOKEN_BLANK, /* between words */
    TOKEN_ONE,
    TOKEN_STAR,
    TOKEN_WORDS, /* any words */
    TOKEN_MAYBE, /* the blank before TOKEN_WORDS, which goes with them: both may stand for nothing */
};

struct token {
    enum token_kind kind;
    uint32_t character;
};

struct pattern {
    struct token tokens[TOKENS_MAX];
    size_t count;
    bool words; /* of commands */
};

/* Places of a pattern that are reached; place `count` is its end. */
struct places {
    bool at[TOKENS_MAX + 1];
    size_t first, end; /* none are before, none from there on */
};

struct text {
    const char *at, *end;
    enum certainty certainty;
    bool words;
    bool dots; /* the current word has a ".." in it */
};

/* The next character; what is no UTF-8 counts byte by byte. */
static uint32_t next_character(const char **at, const char *end)
{
    const uint8_t *p = (const uint8_t *)*at;
    size_t n = *p < 0x80             ? 1
               : (*p & 0xe0) == 0xc0 ? 2
               : (*p & 0xf0) == 0xe0 ? 3
               : (*p & 0xf8) == 0xf0 ? 4
                                     : 0;
    uint32_t c = n == 1 ? *p : n == 0 ? 0 : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (i >= (size_t)(end - *at) || (p[i] & 0xc0) != 0x80) {
            n = 0;
            break;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (n == 0 || c < least[n]) {
        ++*at;
        return NOT_UTF8 + *p;
    }
    *at += n;
    return c;
}

static void add_token(struct pattern *p, enum token_kind kind, uint32_t character)
{
    if (p->count < TOKENS_MAX)
        p->tokens[p->count++] = (struct token){ kind, character };
}

static bool is_own_word(const char *text, const char *star)
{
    return (star == text || star[-1] == ' ') && (star[1] == '\0' || star[1] == ' ');
}

static void pattern_read(const char *text, bool words, struct pattern *p)
{
    const char *end = text + strlen(text);
    p->count = 0;
    p->words = words;
    for (const char *at = text; at < end;) {
        if (words && *at == ' ') {
            bool before_words = at[1] == '*' && is_own_word(text, at + 1);
            add_token(p, before_words ? TOKEN_MAYBE : TOKEN_BLANK, ' ');
            at++;
        } else if (*at == '*') {
            bool own = words ? is_own_word(text, at) : at == text && at[1] == '\0';
            add_token(p, own ? TOKEN_WORDS : TOKEN_STAR, 0);
            at++;
        } else if (*at == '?') {
            add_token(p, TOKEN_ONE, 0);
            at++;
        } else {
            add_token(p, TOKEN_CHARACTER, next_character(&at, end));
        }
    }
}

static uint32_t fold(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool is_blank(uint32_t c, const struct text *text)
{
    return c == EFFECT_WORD_END || (text->certainty == PERHAPS && c == ' ');
}

/* Whether the character may be (a part of) what the token stands for. */
static bool token_takes(const struct token *token, uint32_t c, const struct text *text)
{
    bool surely = text->certainty == SURELY;
    switch (token->kind) {
    case TOKEN_CHARACTER:
        return surely ? c == token->character : fold(c) == fold(token->character);
    case TOKEN_BLANK:
    case TOKEN_MAYBE:
        return is_blank(c, text);
    case TOKEN_ONE:
    case TOKEN_STAR:
        return !surely || !text->words || (c != EFFECT_WORD_END && !text->dots);
    case TOKEN_WORDS:
        return true;
    }
    return false;
}

static void reach(struct places *places, const struct pattern *p, size_t place)
{
    for (;;) {
        if (places->at[place])
            return;
        places->at[place] = true;
        if (place < places->first)
            places->first = place;
        if (place >= places->end)
            places->end = place + 1;
        if (place == p->count)
            return;
        enum token_kind kind = p->tokens[place].kind;
        if (kind == TOKEN_MAYBE)
            place += 2; /* neither the blank nor the words; from the blank one gets to the words */
        else if (kind == TOKEN_STAR || kind == TOKEN_WORDS)
            place++;
        else
            return;
    }
}

static void clear(struct places *places)
{
    memset(places->at, 0, sizeof places->at);
    places->first = TOKENS_MAX + 1;
    places->end = 0;
}

static void pass_hole(const struct places *from, const struct pattern *p, const struct text *text,
                      struct places *to)
{
    if (text->certainty == PERHAPS) {
        for (size_t i = from->first; i <= p->count; i++)
            reach(to, p, i);
        return;
    }
    for (size_t i = from->first; i < from->end; i++)
        if (from->at[i] && i < p->count && p->tokens[i].kind == TOKEN_WORDS)
            reach(to, p, i);
}

static void pass(const struct places *from, const struct pattern *p, uint32_t c, const struct text *text,
                 struct places *to)
{
    for (size_t i = from->first; i < from->end && i < p->count; i++) {
        if (!from->at[i] || !token_takes(&p->tokens[i], c, text))
            continue;
        bool stays = p->tokens[i].kind == TOKEN_STAR || p->tokens[i].kind == TOKEN_WORDS;
        reach(to, p, stays ? i : i + 1);
    }
}

/* Whether ".." stands in the word as the part of a path. */
static bool has_dots(const char *word, const char *end)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (const char *at = word; at + 1 < end && *at != EFFECT_WORD_END; at++) {
        bool begins = at == word || !strchr(inside, at[-1]);
        bool ends = at + 2 == end || at[2] == '/' || at[2] == EFFECT_WORD_END;
        if (at[0] == '.' && at[1] == '.' && begins && ends)
            return true;
    }
    return false;
}

/* A word that is nothing but a hole goes with the blank before it when it turns out to be empty. */
static bool is_word_of_hole(const struct text *text, uint32_t c)
{
    return text->certainty == PERHAPS && c == EFFECT_WORD_END && text->at < text->end &&
           *text->at == EFFECT_HOLE && (text->at + 1 == text->end || text->at[1] == EFFECT_WORD_END);
}

static void step(struct places **now, struct places **then)
{
    struct places *swap = *now;
    *now = *then;
    *then = swap;
}

static bool matches(const struct pattern *p, const char *from, size_t n, enum certainty certainty, bool holes)
{
    struct places sets[3], *now = &sets[0], *then = &sets[1], *without = &sets[2];
    struct text text = { .at = from, .end = from + n, .certainty = certainty, .words = p->words };
    bool word_begins = true;
    clear(now);
    reach(now, p, 0);
    while (text.at < text.end && now->end > 0) {
        if (word_begins && text.words)
            text.dots = has_dots(text.at, text.end);
        uint32_t c = next_character(&text.at, text.end);
        bool may_vanish = holes && is_word_of_hole(&text, c);
        word_begins = c == EFFECT_WORD_END;
        if (may_vanish)
            *without = *now;
        clear(then);
        if (c == EFFECT_HOLE && holes)
            pass_hole(now, p, &text, then);
        else
            pass(now, p, c, &text, then);
        step(&now, &then);
        if (!may_vanish)
            continue;
        text.at++;
        clear(then);
        if (now->end > 0)
            pass_hole(now, p, &text, then);
        for (size_t i = without->first; i < without->end; i++)
            if (without->at[i])
                reach(then, p, i);
        step(&now, &then);
    }
    return now->end > 0 && now->at[p->count];
}

/* Where the command's name begins behind its directory; NULL when it is to be taken with it. */
static const char *bare_name(const char *words, size_t n, enum certainty certainty)
{
    static const char *const directories[] = { "/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/" };
    const char *end = memchr(words, EFFECT_WORD_END, n);
    const char *slash = memrchr(words, '/', end ? (size_t)(end - words) : n);
    if (!slash)
        return NULL;
    if (certainty == PERHAPS)
        return slash + 1;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        size_t length = strlen(directories[i]);
        if ((size_t)(slash + 1 - words) == length && memcmp(words, directories[i], length) == 0)
            return slash + 1;
    }
    return NULL;
}

bool glob_command(const char *pattern, const struct effect *effect, enum certainty certainty)
{
    struct pattern p;
    const char *words = effect->exact ? effect->exact : effect->object;
    size_t n = strlen(words);
    if (n > 0 && words[n - 1] == EFFECT_WORD_END)
        n--;
    pattern_read(pattern, true, &p);
    if (matches(&p, words, n, certainty, effect->exact != NULL))
        return true;
    const char *bare = bare_name(words, n, certainty);
    return bare && matches(&p, bare, n - (size_t)(bare - words), certainty, effect->exact != NULL);
}

bool glob_path(const char *pattern, const struct effect *effect, enum certainty certainty)
{
    static const char below[] = { '/', EFFECT_HOLE };
    struct pattern p;
    const char *path = effect->exact ? effect->exact : effect->object;
    size_t n = strlen(path);
    pattern_read(pattern, false, &p);
    if (matches(&p, path, n, certainty, effect->exact != NULL))
        return true;
    if (certainty == SURELY)
        return false;
    CLEANUP(free) char *longer = malloc(n + sizeof below);
    if (!longer)
        return true; /* only perhaps */
    memcpy(longer, path, n);
    memcpy(longer + n, below, sizeof below);
    return matches(&p, longer, n + 1, certainty, effect->exact != NULL) ||
           (effect->kind == EFFECT_RENAME && matches(&p, longer, n + sizeof below, certainty, true));
}
