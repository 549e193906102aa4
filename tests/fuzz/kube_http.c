/* HTTP messages: whatever is read of them and written anew must be read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Writes every message of the bytes anew, given in steps; false when they end in a fault. */
static void copy(enum http_side side, const uint8_t *bytes, size_t n, size_t step, struct buffer *out)
{
    CLEANUP(http_reader_free) struct http_reader *reader = NULL;
    struct http_event event;
    struct detail detail;
    int r = 0;
    if (http_reader_new(side, &reader))
        abort();
    for (size_t at = 0, taken; r == 0 && at < n; at += taken) {
        if (http_reader_next(reader, bytes + at, n - at < step ? n - at : step, &taken, &event, &detail))
            return;
        const struct http_head *head = event.head;
        switch (event.kind) {
        case HTTP_GOT_HEAD:
            r = head->method ? http_put_request(out, head->method, head->target)
                             : http_put_status(out, head->status);
            for (size_t i = 0; r == 0 && i < head->n_fields; i++)
                if (!http_field_is_of_connection(head, head->fields[i].name))
                    r = http_put_field(out, head->fields[i].name, head->fields[i].value);
            r = r ? r
                  : http_put_end_of_head(
                        out, head->framing == HTTP_UNTIL_CLOSE ? HTTP_CHUNKED : head->framing, head->length);
            break;
        case HTTP_GOT_BODY:
            r = head->framing == HTTP_CHUNKED || head->framing == HTTP_UNTIL_CLOSE
                    ? http_put_chunk(out, event.bytes, event.n)
                    : buffer_append(out, event.bytes, event.n);
            break;
        case HTTP_GOT_END:
            if (head->framing == HTTP_CHUNKED || head->framing == HTTP_UNTIL_CLOSE)
                r = http_put_last_chunk(out);
            break;
        case HTTP_GOT_NOTHING:
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct buffer once, twice;
    if (n < 2)
        return 0;
    enum http_side side = bytes[0] & 1 ? HTTP_REQUESTS : HTTP_RESPONSES;
    buffer_init(&once, 1 << 20);
    buffer_init(&twice, 1 << 20);
    copy(side, bytes + 2, n - 2, (size_t)bytes[1] + 1, &once);
    copy(side, buffer_head(&once), buffer_size(&once), SIZE_MAX, &twice);
    /* Chunks may be cut elsewhere when they were not whole the first time; all else is the same. */
    if (buffer_size(&once) != buffer_size(&twice) ||
        (buffer_size(&once) > 0 && memcmp(buffer_head(&once), buffer_head(&twice), buffer_size(&once)) != 0))
        abort();
    buffer_free(&once);
    buffer_free(&twice);
    return 0;
}
