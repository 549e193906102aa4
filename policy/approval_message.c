/* See approval_message.h. The digest alone would be that of the next request for the same, too. */
#include "policy/approval_message.h"

#include <stdio.h>

#include "base/text.h"

char *approval_message(const char *id, const uint8_t digest[APPROVAL_DIGEST], uint64_t for_ms,
                       char out[APPROVAL_MESSAGE_MAX])
{
    char time[24];
    int at = 0;
    for (int i = 0; i < APPROVAL_DIGEST; i++)
        at += snprintf(out + at, APPROVAL_MESSAGE_MAX - (size_t)at, "%02x", digest[i]);
    at += snprintf(out + at, APPROVAL_MESSAGE_MAX - (size_t)at, "\nrequest %.16s\n", id);
    if (for_ms > 0)
        (void)snprintf(out + at, APPROVAL_MESSAGE_MAX - (size_t)at, "for %s\n", text_duration(time, for_ms));
    return out;
}
