/* See error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void detail_set(struct detail *detail, const char *format, ...)
{
    if (!detail)
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail->text, sizeof detail->text, format, args);
    va_end(args);
}

int detail_fail(struct detail *detail, int code, const char *format, ...)
{
    if (detail) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(detail->text, sizeof detail->text, format, args);
        va_end(args);
    }
    return code;
}
