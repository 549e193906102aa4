/* What a server sent, cut into pieces: it is shown without a control character, whatever it is. */
#include <errno.h>
#include <stdlib.h>

#include "replay/filter.h"
#include "replay/pgview.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_shown(const struct buffer *out)
{
    const uint8_t *bytes = buffer_head(out);
    for (size_t i = 0; i < buffer_size(out); i++)
        if ((bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] == 0x7f)
            abort();
}

static void view(const uint8_t *data, size_t n, size_t step)
{
    struct pgview *view = NULL;
    struct buffer out;
    buffer_init(&out, 64 << 20);
    if (pgview_new(&view))
        abort();
    int r = 0;
    for (size_t at = 0; at < n && r == 0; at += step)
        r = pgview_output(view, (uint32_t)(at / 4096), data + at, n - at < step ? n - at : step, &out);
    if (r == 0)
        r = pgview_end(view, &out);
    if (r && r != -ENOBUFS)
        abort();
    check_shown(&out);
    pgview_free(view);
    buffer_free(&out);
}

static void filter(const uint8_t *data, size_t n, bool plain)
{
    struct filter filter;
    struct buffer out;
    filter_init(&filter, plain);
    buffer_init(&out, 3 * n + 64);
    if (filter_run(&filter, data, n, &out))
        abort(); /* the bound that filter.h gives */
    if (plain)
        check_shown(&out);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    view(data + 1, n - 1, (size_t)data[0] + 1);
    filter(data, n, false);
    filter(data, n, true);
    return 0;
}
