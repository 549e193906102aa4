/* What is typed and what is printed, in turns: (side and size, bytes)…. Whatever comes, of what is passed on
 * every character is in the output, in that order. Keys that are escape sequences hold characters too: then
 * only bounds are looked at. */
#include <stdlib.h>
#include <string.h>

#include "channels/ssh/echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
    uint8_t printed[1 << 16];
    size_t n, at; /* characters of the output; those that are in what was passed on */
    bool escapes;
    size_t shown;
};

static int shown(void *owner, const uint8_t *bytes, size_t n)
{
    struct seen *seen = owner;
    seen->shown += n;
    for (size_t i = 0; i < n && !seen->escapes; i++) {
        if (bytes[i] < ' ' || bytes[i] == 0x7f)
            continue;
        while (seen->at < seen->n && seen->printed[seen->at] != bytes[i])
            seen->at++;
        if (seen->at++ >= seen->n)
            abort();
    }
    return 0;
}

static int hidden(void *owner)
{
    (void)owner;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct echo_calls calls = { shown, hidden };
    static struct seen seen;
    struct echo *echo = NULL;
    seen = (struct seen){ .escapes = false };
    size_t typed = 0;
    if (n > sizeof seen.printed || echo_new(&calls, &seen, &echo))
        return 0;
    for (size_t i = 0; i < n;) {
        bool prints = data[i] & 1;
        size_t size = data[i] >> 1;
        i++;
        size = size < n - i ? size : n - i;
        if (prints) {
            memcpy(seen.printed + seen.n, data + i, size);
            seen.n += size;
        } else {
            seen.escapes = seen.escapes || memchr(data + i, 0x1b, size);
            typed += size;
        }
        if (prints ? echo_output(echo, data + i, size) : echo_typed(echo, data + i, size))
            abort();
        i += size;
    }
    if (echo_end(echo) || seen.shown > typed)
        abort();
    echo_free(echo);
    return 0;
}
