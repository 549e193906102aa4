/* What a decoder has said so far, in words, to be compared with what it should have said. */
#pragma once
#include "check.h"

#include <stdio.h>

enum { SAID_MAX = 8192 };

struct said {
    char text[SAID_MAX];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static inline void say(struct said *said, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    said->n += (size_t)vsnprintf(said->text + said->n, sizeof said->text - said->n, format, list);
    va_end(list);
    assert_true(said->n < sizeof said->text);
}
