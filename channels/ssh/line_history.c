/* Lines that were entered; what begins with a blank is left out, as is what the last one was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "channels/ssh/line_parts.h"

static void drop_first(struct line_history *history)
{
    history->size -= strlen(history->lines[0]);
    free(history->lines[0]);
    history->n--;
    memmove(history->lines, history->lines + 1, history->n * sizeof *history->lines);
}

int line_history_add(struct line_history *history, const char *text, size_t n)
{
    if (n == 0 || *text == ' ' || n > LINE_HISTORY_SIZE ||
        (history->n > 0 && strcmp(history->lines[history->n - 1], text) == 0))
        return 0;
    char *copy = strndup(text, n);
    if (!copy)
        return -ENOMEM;
    while (history->n == LINE_HISTORY_MAX || (history->n > 0 && n > LINE_HISTORY_SIZE - history->size))
        drop_first(history);
    history->lines[history->n++] = copy;
    history->size += n;
    return 0;
}

void line_history_free(struct line_history *history)
{
    while (history->n > 0)
        drop_first(history);
}

size_t line_history_find(const struct line_history *history, size_t from, const char *text)
{
    for (size_t i = from < history->n ? from : history->n; i > 0; i--)
        if (strstr(history->lines[i - 1], text))
            return i - 1;
    return history->n;
}
