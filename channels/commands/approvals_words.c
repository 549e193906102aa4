/* See approvals_words.h. */
#include "channels/commands/approvals_words.h"

#include <string.h>

#include "base/text.h"
#include "channels/commands/decision_words.h"

const char approvals_usage[] =
    "approvals [ID] [--json [--follow]] [--all] [--grants] [--target T] | approvals ID --message [--for 30m]";

static bool read_flag(const char *word, struct approvals_words *read)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = { { "--json", &read->json },
                  { "--follow", &read->follow },
                  { "--all", &read->all },
                  { "--grants", &read->grants },
                  { "--message", &read->message } };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(word, flags[i].name) == 0)
            return *flags[i].flag = true;
    return false;
}

/* *at moves to the last word that was taken. */
static bool read_word(char ***at, struct approvals_words *read)
{
    const char *word = **at, *value = (*at)[1];
    if (read_flag(word, read))
        return true;
    if (word[0] != '-' && !read->id[0]) {
        read->id = word;
        return word[0] != 0;
    }
    if (!value)
        return false;
    ++*at;
    if (strcmp(word, "--target") == 0) {
        read->target = value;
        return value[0] != 0;
    }
    return strcmp(word, "--for") == 0 && text_to_duration(value, &read->for_ms) && read->for_ms > 0 &&
           read->for_ms <= DECISION_FOR_MAX_MS;
}

/* What does not go together. */
static bool fits(const struct approvals_words *read)
{
    bool one = read->id[0];
    if (read->message)
        return one && !read->json && !read->follow && !read->all && !read->grants && !read->target[0];
    if (read->for_ms || (one && !read->grants && (read->all || read->target[0])))
        return false;
    return !read->follow || (read->json && !one && !read->all && !read->grants);
}

bool approvals_words_read(const struct words *words, struct approvals_words *ret)
{
    struct approvals_words read = { .id = "", .target = "" };
    for (char **at = words->items + 1; words->count > 0 && *at; at++)
        if (!read_word(&at, &read))
            return false;
    if (!fits(&read))
        return false;
    *ret = read;
    return true;
}
