/* See courier_header.h. Lines of a hostile server: anything odd counts as not said. */
#include "server/courier_header.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t n;
};

static struct span trim(struct span s)
{
    while (s.n > 0 && isspace((unsigned char)s.at[0]))
        s.at++, s.n--;
    while (s.n > 0 && isspace((unsigned char)s.at[s.n - 1]))
        s.n--;
    return s;
}

/* Takes what stands before the first `sep` off s; all of it when there is none. */
static struct span split(struct span *s, char sep)
{
    const char *end = s->n ? memchr(s->at, sep, s->n) : NULL;
    struct span head = { s->at, end ? (size_t)(end - s->at) : s->n };
    size_t used = end ? head.n + 1 : head.n;
    s->at += used;
    s->n -= used;
    return trim(head);
}

static bool is_word(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.at, word, s.n) == 0;
}

/* False when it is no number; bounded by HEADER_AGE_MAX_S. */
static bool to_seconds(struct span s, uint64_t *ret)
{
    if (s.n >= 2 && s.at[0] == '"' && s.at[s.n - 1] == '"')
        s = (struct span){ s.at + 1, s.n - 2 };
    if (s.n == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit((unsigned char)s.at[i]))
            return false;
        value = value * 10 + (uint64_t)(s.at[i] - '0');
        if (value > HEADER_AGE_MAX_S)
            value = HEADER_AGE_MAX_S;
    }
    *ret = value;
    return true;
}

static void take_cache_control(struct header *header, struct span value)
{
    while (value.n > 0) {
        struct span argument = split(&value, ',');
        struct span name = split(&argument, '=');
        if (is_word(name, "no-store") || is_word(name, "no-cache"))
            header->never = true;
        else if (is_word(name, "max-age") && to_seconds(trim(argument), &header->max_age_s))
            header->said = true;
    }
}

static void take_content_type(struct header *header, struct span value)
{
    struct span type = split(&value, ';');
    header->content_type[0] = 0;
    if (type.n >= sizeof header->content_type)
        return;
    for (size_t i = 0; i < type.n; i++)
        if (!isalnum((unsigned char)type.at[i]) && !memchr("/+-._", type.at[i], 5))
            return;
    memcpy(header->content_type, type.at, type.n);
    header->content_type[type.n] = 0;
}

void header_line(struct header *header, const char *line, size_t n)
{
    struct span rest = { line, n };
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        *header = (struct header){ 0 };
        return;
    }
    if (n == 0 || !memchr(line, ':', n))
        return;
    struct span name = split(&rest, ':');
    if (is_word(name, "cache-control"))
        take_cache_control(header, trim(rest));
    else if (is_word(name, "age"))
        (void)to_seconds(trim(rest), &header->age_s);
    else if (is_word(name, "content-type"))
        take_content_type(header, trim(rest));
}

uint64_t header_fresh_s(const struct header *header)
{
    if (header->never)
        return 1;
    if (!header->said)
        return 0;
    return header->max_age_s > header->age_s ? header->max_age_s - header->age_s : 1;
}
