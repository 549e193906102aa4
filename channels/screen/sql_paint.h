/* SQL in a few colours: words of the language, literals, comments. */
#pragma once
#include <stddef.h>
#include "channels/screen/canvas.h"

/* How many bytes (at least 1, at most n) from `text` on have one style, and which. */
size_t sql_style(const char *text, size_t n, enum style *ret);
