/* What the connector reads as text: libpq's trace of a login, whose values a server chose, and a client's
 * settings. */
#include <stdlib.h>
#include <string.h>
#include "vault/connector_options.h"
#include "vault/connector_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Lines are names and values, in turn. */
static void fold(char *text)
{
    Ipc__Variable items[OPTIONS_MAX + 1], *list[OPTIONS_MAX + 1];
    struct options options = { 0 };
    size_t count = 0;
    char *name, *value;

    while (count <= OPTIONS_MAX && (name = strsep(&text, "\n")) && (value = strsep(&text, "\n"))) {
        ipc__variable__init(&items[count]);
        items[count].name = name;
        items[count].value = value;
        list[count] = &items[count];
        count++;
    }
    if (options_fold(list, count, &options, NULL) != 0)
        return;
    /* Whatever came before, this comes last. */
    static const char last[] = "-c standard_conforming_strings=on";
    size_t size = strlen(options.folded);
    if (size < sizeof(last) - 1 || strcmp(options.folded + size - (sizeof(last) - 1), last) != 0)
        abort();
    options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(free) char *text = calloc(1, n + 1);
    struct trace trace;

    if (!text)
        return 0;
    memcpy(text, bytes, n);
    if (trace_read(text, 4711, &trace) == 0 && (trace.pid != 4711 || trace.key_n == 0))
        abort();
    if (trace.n_names > CONNECTOR_PARAMETERS_MAX)
        abort();
    fold(text);
    return 0;
}
