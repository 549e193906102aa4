/* A line of the trace is
 *   TIME \t B \t LENGTH \t ParameterStatus \t "NAME" "VALUE"      or      … BackendKeyData \t PID KEY
 * Values are printed as they are, line ends included, so a value could look like a line of its own. That is
 * harmless: names are only ever asked of libpq, which knows what the server really reported, and the key
 * counts only together with the pid that libpq knows, the first time. */
#include "vault/connector_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What follows "\tWORD\t" in the line, or NULL. */
static const char *after_word(const char *line, size_t n, const char *word)
{
    const char *found = memmem(line, n, word, strlen(word));

    return found ? found + strlen(word) : NULL;
}

static void take_name(struct trace *trace, const char *text, const char *end)
{
    const char *start = memchr(text, '"', (size_t)(end - text));
    const char *stop = start ? memchr(start + 1, '"', (size_t)(end - start - 1)) : NULL;
    char *slot = trace->names[trace->n_names];
    size_t n;

    if (!stop || trace->n_names == CONNECTOR_PARAMETERS_MAX)
        return;
    n = (size_t)(stop - start - 1);
    if (n == 0 || n >= CONNECTOR_NAME_MAX)
        return;
    memcpy(slot, start + 1, n);
    slot[n] = '\0';
    for (size_t i = 0; i < trace->n_names; i++)
        if (strcmp(trace->names[i], slot) == 0)
            return;
    trace->n_names++;
}

/* The numbers are printed as signed 32-bit ones. */
static void take_key(struct trace *trace, const char *text, uint32_t pid)
{
    char *next;
    long number = strtol(text, &next, 10), key;

    if (next == text || (uint32_t)number != pid || trace->key_n > 0)
        return;
    text = next;
    key = strtol(text, &next, 10);
    if (next == text)
        return;
    for (size_t i = 0; i < 4; i++)
        trace->key[i] = (uint8_t)((uint32_t)key >> (24 - 8 * i));
    trace->key_n = 4;
    trace->pid = pid;
}

int trace_read(const char *text, uint32_t pid, struct trace *ret)
{
    memset(ret, 0, sizeof(*ret));
    while (*text) {
        size_t n = strcspn(text, "\n");
        const char *rest;

        if ((rest = after_word(text, n, "\tB\t")) == NULL)
            rest = NULL;
        else if ((rest = after_word(text, n, "\tParameterStatus\t")) != NULL)
            take_name(ret, rest, text + n);
        else if ((rest = after_word(text, n, "\tBackendKeyData\t")) != NULL)
            take_key(ret, rest, pid);
        text += n + (text[n] == '\n');
    }
    return ret->key_n > 0 ? 0 : -EPROTO;
}
