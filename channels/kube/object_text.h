/* An object of a Kubernetes API as people read it: YAML, without what the server keeps for itself. No I/O. */
#pragma once
#include "base/buffer.h"

enum { OBJECT_TEXT_UNREADABLE = 1 };
/* Appends it, a line for each value. json: an object. Texts are escaped and cut where they are long. */
MUST_USE int object_text(struct buffer *out, const void *json, size_t n);
/* "message" of a Status, or "" for any other object; into out. True: it is a Status that tells of a failure.
 */
bool object_failure(const void *json, size_t n, char *out, size_t size);
/* Names of the objects in a list, separated by blanks, of at most `most` of them; how many there are in all
 * (the server may have sent only a part). OBJECT_TEXT_UNREADABLE: it is no list. */
MUST_USE int object_names(struct buffer *out, const void *json, size_t n, size_t most, uint64_t *ret_count);
