/* The veil of a terminal: follows what stands on the screen. The one user of libvterm. No I/O. */
#pragma once
#include "channels/ssh/veil.h"

struct veil_screen;

MUST_USE int veil_screen_new(struct detectors *detectors, const struct detect_how *how, unsigned columns,
                             unsigned rows, struct veil_screen **ret);
void veil_screen_free(struct veil_screen *screen);
DEFINE_CLEANUP(struct veil_screen *, veil_screen_free)
MUST_USE int veil_screen_feed(struct veil_screen *screen, const uint8_t *bytes, size_t n, struct buffer *out);
bool veil_screen_holds(const struct veil_screen *screen);
/* Lets go what is held. Of a match that turns out to have begun there all is masked on the screen,
 * afterwards. */
MUST_USE int veil_screen_release(struct veil_screen *screen, struct buffer *out);
MUST_USE int veil_screen_resize(struct veil_screen *screen, unsigned columns, unsigned rows);
