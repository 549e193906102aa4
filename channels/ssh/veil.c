/* See veil.h. */
#include "channels/ssh/veil.h"

#include <errno.h>
#include <stdlib.h>

#include "channels/ssh/veil_screen.h"

struct ssh_veil {
    struct detect_stream *stream; /* one of the two */
    struct veil_screen *screen;
};

int ssh_veil_new(struct detectors *detectors, const struct detect_how *how, bool terminal, unsigned columns,
                 unsigned rows, struct ssh_veil **ret)
{
    CLEANUP(ssh_veil_free) struct ssh_veil *veil = calloc(1, sizeof *veil);
    if (!veil)
        return -ENOMEM;
    int r = terminal ? veil_screen_new(detectors, how, columns, rows, &veil->screen)
                     : detect_stream_new(detectors, how, &veil->stream);
    if (r == 0)
        *ret = STEAL(veil);
    return r;
}

void ssh_veil_free(struct ssh_veil *veil)
{
    if (!veil)
        return;
    detect_stream_free(veil->stream);
    veil_screen_free(veil->screen);
    free(veil);
}

int ssh_veil_feed(struct ssh_veil *veil, const void *bytes, size_t n, struct buffer *out)
{
    return veil->screen ? veil_screen_feed(veil->screen, bytes, n, out)
                        : detect_feed(veil->stream, bytes, n, out);
}

bool ssh_veil_holds(const struct ssh_veil *veil)
{
    return veil->screen && veil_screen_holds(veil->screen);
}

int ssh_veil_flush(struct ssh_veil *veil, struct buffer *out)
{
    return veil->screen ? veil_screen_release(veil->screen, out) : 0;
}

int ssh_veil_end(struct ssh_veil *veil, struct buffer *out)
{
    return veil->screen ? veil_screen_release(veil->screen, out) : detect_end(veil->stream, out);
}

int ssh_veil_resize(struct ssh_veil *veil, unsigned columns, unsigned rows)
{
    return veil->screen ? veil_screen_resize(veil->screen, columns, rows) : 0;
}
