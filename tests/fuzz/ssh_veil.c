/* A terminal's output through its veil: whatever a terminal makes of what comes out, the key is not on its
 * screen. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "channels/ssh/veil.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define KEY "AKIAIOSFODNN7EXAMPLE"

enum { ROWS = 5, COLUMNS = 30, OUT_MAX = 1 << 22, IN_MAX = 4096 };

static struct detectors *detectors;
static struct detect_how how;

static struct detectors *ready(void)
{
    static const char *const names[] = { "aws_key", "private_key", "email" };
    if (!detectors && detectors_new(names, 3, NULL, 0, &detectors, NULL) != 0)
        abort();
    for (int i = 0; i < 3; i++)
        how.kinds[i] = MASK_REDACT;
    return detectors;
}

/* Bytes 1 to 3 stand for parts of the key. */
static void expand(const uint8_t *bytes, size_t n, struct buffer *out)
{
    static const char *const parts[] = { "AKIAIOSF", "ODNN7EXAMPLE", KEY };
    for (size_t i = 0; i < n; i++)
        if (bytes[i] >= 1 && bytes[i] <= 3
                ? buffer_append(out, parts[bytes[i] - 1], strlen(parts[bytes[i] - 1]))
                : buffer_append(out, &bytes[i], 1))
            abort();
}

static void check(const struct buffer *out)
{
    char text[ROWS * COLUMNS * 8];
    size_t n = 0;
    VTerm *vterm = vterm_new(ROWS, COLUMNS);
    VTermScreen *screen = vterm_obtain_screen(vterm);
    vterm_set_utf8(vterm, 1);
    vterm_screen_enable_altscreen(screen, 1);
    vterm_screen_reset(screen, 1);
    vterm_input_write(vterm, (const char *)buffer_head(out), buffer_size(out));
    for (int row = 0; row < ROWS; row++) {
        n +=
            vterm_screen_get_text(screen, text + n, sizeof text - n, (VTermRect){ row, row + 1, 0, COLUMNS });
        text[n++] = '\n';
    }
    vterm_free(vterm);
    if (detect_fires(detectors, &how, text, n, NULL) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct buffer in, out;
    struct ssh_veil *veil = NULL;
    if (n < 2 || n > IN_MAX)
        return 0;
    buffer_init(&in, IN_MAX * sizeof KEY);
    buffer_init(&out, OUT_MAX);
    expand(bytes + 2, n - 2, &in);
    if (ssh_veil_new(ready(), &how, bytes[1] & 1, COLUMNS, ROWS, &veil) != 0)
        abort();
    size_t step = (size_t)bytes[0] + 1;
    for (size_t at = 0; at < buffer_size(&in); at += step) {
        size_t there = buffer_size(&in) - at;
        if (ssh_veil_feed(veil, buffer_head(&in) + at, there < step ? there : step, &out) != 0)
            abort();
        if ((bytes[1] & 6) == 6 && ssh_veil_flush(veil, &out) != 0)
            abort();
    }
    if (ssh_veil_end(veil, &out) != 0)
        abort();
    if (bytes[1] & 1)
        check(&out);
    ssh_veil_free(veil);
    buffer_free(&in);
    buffer_free(&out);
    return 0;
}
