/* One line of a program that follows approvals: read, and the object under it. */
#include "channels/commands/bot_words.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(json_object_free) struct json_object object = { 0 }, id = { 0 };
    struct detail detail = { "" };
    struct bot_request request;
    char echo[sizeof request.id + 16];
    int r = bot_request_read(bytes, n, &object, &request, &detail);
    if ((r == -EBADMSG) != (detail.text[0] != 0))
        abort();
    /* What is sent back is JSON, whatever came. */
    (void)snprintf(echo, sizeof echo, "{\"id\":%s}", request.id);
    if (json_object_read(echo, strlen(echo), &id, NULL))
        abort();
    return 0;
}
