/* See words.h. */
#include "channels/words.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){ 0 };
}

static int add(struct words *words, const void *bytes, size_t n, struct detail *detail)
{
    if (words->count == WORDS_MAX)
        return detail_fail(detail, -EINVAL, "more than %d words on the command line", WORDS_MAX);
    char *word = n ? strndup(bytes, n) : strdup("");
    if (!word)
        return -ENOMEM;
    words->items[words->count++] = word;
    return 0;
}

/* Reads what a quote holds, up to its end. Inside "…" a backslash quotes only $ ` " \ (XCU 2.2.3). */
static int quoted(const char **at, struct buffer *word, struct detail *detail)
{
    char quote = *(*at)++;
    int r = 0;
    while (**at && **at != quote && r == 0) {
        if (quote == '"' && **at == '\\' && (*at)[1] && strchr("$`\"\\", (*at)[1]))
            (*at)++;
        r = buffer_append(word, (*at)++, 1);
    }
    if (r == 0 && **at != quote)
        return detail_fail(detail, -EINVAL, "a %c quote on the command line is not closed", quote);
    (*at)++;
    return r;
}

static int plain(const char **at, struct buffer *word)
{
    if (**at == '\\' && (*at)[1])
        (*at)++;
    return buffer_append(word, (*at)++, 1);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static const char *skip_blanks(const char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

static bool takes_the_rest(const struct words *words, const char *at)
{
    const char *last = words->count ? words->items[words->count - 1] : "";
    return (strcmp(last, "-c") == 0 || strcmp(last, "--command") == 0) && *at != '\'' && *at != '"';
}

static int split_into(const char *line, struct words *words, struct buffer *word, struct detail *detail)
{
    int r = 0;
    for (const char *at = skip_blanks(line); *at && r == 0; at = skip_blanks(at)) {
        if (takes_the_rest(words, at))
            return add(words, at, strlen(at), detail);
        while (*at && !is_blank(*at) && r == 0)
            r = *at == '\'' || *at == '"' ? quoted(&at, word, detail) : plain(&at, word);
        if (r == 0)
            r = add(words, buffer_head(word), buffer_size(word), detail);
        buffer_consume(word, buffer_size(word));
    }
    return r;
}

int words_split(const char *line, struct words *ret, struct detail *detail)
{
    if (strlen(line) > WORDS_BYTES_MAX)
        return detail_fail(detail, -EINVAL,
                           "a command line of more than %d bytes; use stdin: psql TARGET -f -",
                           WORDS_BYTES_MAX);
    struct words words = { .items = calloc(WORDS_MAX + 1, sizeof(char *)) };
    struct buffer word;
    buffer_init(&word, WORDS_BYTES_MAX);
    int r = words.items ? split_into(line, &words, &word, detail) : -ENOMEM;
    buffer_free(&word);
    if (r) {
        words_free(&words);
        return r;
    }
    *ret = words;
    return 0;
}
