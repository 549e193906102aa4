/* What a gate writes to the connector of an API server, in pieces that the input chooses. Whatever it is,
 * what goes out is a sequence of requests each of which has our lines behind its first line: a second reader
 * of the output, which knows nothing of frames, finds no request without them. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "vault/connector_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define LINES "Authorization: Bearer t\r\nImpersonate-User: u\r\n"

enum { OUT_MAX = 64 * 1024 };

struct said {
    uint8_t *bytes;
    size_t n;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* How long the body behind a head is; -1: the rest belongs to another protocol. */
static long body_of_head(const char *head, size_t n, const char *rest, size_t rest_n)
{
    long length = 0;

    for (const char *line = head; line < head + n;) {
        const char *end = memmem(line, (size_t)(head + n - line), "\r\n", 2);

        require(end != NULL);
        require(strncasecmp(line, "authorization:", 14) != 0 && strncasecmp(line, "impersonate-", 12) != 0);
        if (strncasecmp(line, "upgrade:", 8) == 0)
            return -1;
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtol(line + 15, NULL, 10);
        if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
            const char *at = rest;
            for (size_t size = 1; size > 0;) { /* cut off: what is there belongs to it */
                const char *stop = memmem(at, (size_t)(rest + rest_n - at), "\r\n", 2);
                if (!stop)
                    return (long)rest_n;
                size = strtoul(at, NULL, 16);
                if ((size_t)(rest + rest_n - stop) < size + 4)
                    return (long)rest_n;
                at = stop + 2 + size + 2;
            }
            return at - rest;
        }
        line = end + 2;
    }
    return length;
}

static void check_requests(const struct said *said)
{
    const char *at = (const char *)said->bytes, *end = at + said->n;

    while (at < end) {
        const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        const char *stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);

        if (!stop) /* its beginning is all that went out yet */
            return;
        require(line && (size_t)(end - line) > sizeof(LINES) &&
                memcmp(line + 2, LINES, sizeof(LINES) - 1) == 0);
        const char *fields = line + 2 + sizeof(LINES) - 1;
        require(stop + 2 >= fields);
        long n = body_of_head(fields, (size_t)(stop + 2 - fields), stop + 4, (size_t)(end - stop - 4));
        if (n < 0 || n > end - stop - 4)
            return;
        at = stop + 4 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct frames frames = frames_with(LINES, sizeof(LINES) - 1);
    static uint8_t out[OUT_MAX];
    struct said said = { out, 0 };
    size_t step = n ? bytes[0] : 1, room = n > 1 ? 1 + bytes[1] : 1;
    int r = 0;

    for (size_t at = 2; at < n && !r;) {
        size_t piece = n - at < step + 1 ? n - at : step + 1, taken = 0, put = 1;

        while (!r && (taken < piece || put > 0)) {
            size_t more = 0;
            size_t space = OUT_MAX - said.n < room ? OUT_MAX - said.n : room;
            r = frames_give(&frames, bytes + at + taken, piece - taken, &more, said.bytes + said.n, space,
                            &put, NULL);
            require(more <= piece - taken && put <= space);
            taken += more;
            said.n += put;
            if (more == 0 && put == 0)
                break;
        }
        at += taken;
        if (taken < piece) /* it waits for the server */
            frames_hear(&frames, (const uint8_t *)(step % 2 ? "HTTP/1.1 101" : "HTTP/1.1 403"), 12);
        if (taken == 0 && said.n == OUT_MAX)
            break;
    }
    require(r <= 0);
    check_requests(&said);
    frames_free(&frames);
    return 0;
}
