/* Keys at a guarded shell's prompt. Whatever comes, the line is UTF-8 without control characters but line
 * ends and tabs, and no longer than it may be; an edit never leaves a part of a character. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/ssh/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct line *line)
{
    size_t n = 0;
    const char *text = line_text(line, &n);
    if (n > LINE_MAX_BYTES || strlen(text) != n || !text_is_utf8(text, n))
        abort();
    for (size_t i = 0; i < n; i++)
        if (((uint8_t)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f)
            abort();
}

static int act(struct line *line, uint8_t byte, struct buffer *out)
{
    enum line_wish wish = LINE_GOES_ON;
    if (byte == 0xfe) /* never a key */
        return line_resize(line, 1, out);
    int r = line_key(line, byte, out, &wish);
    check(line);
    size_t n = 0;
    const char *text = line_text(line, &n);
    if (r == 0 && wish == LINE_ENTERED)
        r = n > 0 && text[n - 1] == '\\' ? line_more(line, out) : line_take(line, out);
    else if (r == 0 && wish != LINE_GOES_ON)
        r = line_drop(line, out);
    if (r == 0 && wish != LINE_GOES_ON)
        r = line_show(line, "$ ", out);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct line *line = NULL;
    struct buffer out;
    if (n == 0 || n > 4096 || line_new(data[0], &line))
        return 0;
    buffer_init(&out, 1 << 22);
    if (line_show(line, "$ ", &out))
        abort();
    for (size_t i = 1; i < n; i++) {
        if (act(line, data[i], &out))
            abort();
        buffer_consume(&out, buffer_size(&out));
    }
    buffer_free(&out);
    line_free(line);
    return 0;
}
