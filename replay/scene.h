/* Events to what a person would have seen: terminal bytes as they were, PostgreSQL connections as psql shows
 * them, requests that were typed nowhere, and verdicts. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/ipc.h"

enum {
    SCENE_OUT_MAX = 96 * 1024 * 1024
}; /* bytes that one event may become; what is beyond is left out with a note */

struct scene;

/* What is known of a recording before it is shown. */
struct scene_outline {
    bool terminal; /* some output is of a terminal or a tool: PostgreSQL messages would show everything twice
                    */
    bool has_header;
};
/* Reads through the recording (fd stays the caller's, its position too). */
MUST_USE int scene_outline(int fd, struct scene_outline *ret, struct detail *detail);

/* crlf: lines end in \r\n, as a terminal wants it. */
MUST_USE int scene_new(const struct scene_outline *outline, bool crlf, struct scene **ret);
void scene_free(struct scene *scene);
DEFINE_CLEANUP(struct scene *, scene_free)

/* Appends what the event shows; often nothing. out needs SCENE_OUT_MAX of room. */
MUST_USE int scene_event(struct scene *scene, const Ipc__Event *event, const uint8_t *body, size_t n,
                         struct buffer *out);
/* After the last event. */
MUST_USE int scene_end(struct scene *scene, struct buffer *out);
