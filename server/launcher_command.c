/* See launcher_command.h. */
#include "server/launcher_command.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){ 0 };
}

void command_free(struct command *command)
{
    words_free(&command->arguments);
    words_free(&command->environment);
}

/* Takes the word, also on failure. */
static int words_add(struct words *words, char *word)
{
    CLEANUP(free) char *owned = word;
    if (!owned)
        return -ENOMEM;
    size_t size = strlen(owned) + 1;
    if (words->count == COMMAND_WORDS_MAX || size > COMMAND_BYTES_MAX - words->bytes)
        return -E2BIG;
    char **items = realloc(words->items, (words->count + 2) * sizeof *items);
    if (!items)
        return -ENOMEM;
    items[words->count++] = STEAL(owned);
    items[words->count] = NULL;
    words->items = items;
    words->bytes += size;
    return 0;
}

int command_argument(struct command *command, const char *word)
{
    return words_add(&command->arguments, strdup(word));
}

int command_variable(struct command *command, const char *name, const char *value)
{
    char *word = NULL;
    return asprintf(&word, "%s=%s", name, value) < 0 ? -ENOMEM : words_add(&command->environment, word);
}
