/* Lists of words, as `whoami` and `describe` tell them. */
#pragma once
#include "base/buffer.h"
#include "base/json.h"

/* "a, b"; what has no room is left out, as with all of such an answer. */
void about_list_text(struct buffer *out, char *const *items, size_t n);
void about_list_json(struct json *j, const char *key, char *const *items, size_t n);
