/* An exchange between any client and any server: whatever they say, what is sent on are frames of which each
 * head is one strictly formed head without the fields that are the connector's, and bounds hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channels/kube/exchange.h"
#include "channels/kube/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int answered(void *owner, const struct http_head *head, struct exchange_way *way)
{
    (void)owner;
    way->rewritten = head->status % 2;
    return 0;
}

static int body(void *owner, const uint8_t *bytes, size_t n, struct buffer *out)
{
    (void)owner;
    return buffer_append(out, bytes, n);
}

static int ended(void *owner, bool cut, struct buffer *out)
{
    (void)owner, (void)cut, (void)out;
    return 0;
}

static const struct exchange_calls calls = { answered, body, ended, NULL };

/* As the connector does. */
static void check_head(const uint8_t *head, size_t n)
{
    static const char *const refused[] = { "\nauthorization:", "\nimpersonate-", "\nx-remote-" };
    char *text = strndup((const char *)head, n);
    if (!text || strlen(text) != n || n < 4 || strcmp(text + n - 4, "\r\n\r\n") != 0 ||
        strstr(text, "\r\n\r\n") != text + n - 4)
        abort();
    for (size_t i = 0; i < n; i++)
        if ((text[i] == '\r') != (i + 1 < n && text[i + 1] == '\n'))
            abort();
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcasestr(text, refused[i]))
            abort();
    free(text);
}

static void check_frames(struct buffer *out)
{
    while (buffer_size(out) > 0) {
        struct reader r = reader_of(buffer_head(out), buffer_size(out));
        const uint8_t *payload;
        uint32_t length = 0;
        uint8_t kind = 0;
        if (!reader_u8(&r, &kind) || !reader_u32(&r, &length) || !reader_bytes(&r, length, &payload))
            abort();
        if (kind == FRAME_HEAD && length <= FRAME_HEAD_MAX)
            check_head(payload, length);
        else if (kind != FRAME_BODY || length > FRAME_BODY_MAX)
            abort();
        buffer_consume(out, FRAME_PREFIX + length);
    }
}

static void decide(struct exchange *x)
{
    const struct exchange_question q = exchange_question(x);
    const struct kube_status refused = { .code = q.fault ? q.code : "denied",
                                         .reason = "no",
                                         .http = q.http };
    const struct exchange_how how = { .host = "h", .json = q.request && q.request->path[1] == 'a' };
    if (q.fault || (q.request && strchr(q.request->path, 'z')) ? exchange_refuse(x, &refused)
                                                               : exchange_send(x, &how))
        abort();
}

/* The first byte says how much is given at a time; a NUL byte ends what the client says. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(exchange_free) struct exchange *x = NULL;
    const uint8_t *nul = n > 1 ? memchr(bytes + 1, 0, n - 1) : NULL;
    if (!nul || exchange_new(&calls, NULL, &x))
        return 0;
    size_t step = (size_t)bytes[0] + 1, client = 1, client_n = (size_t)(nul - bytes), server = client_n + 1;
    for (bool moved = true; moved;) {
        size_t taken = 0;
        if (exchange_take(x, bytes + client, client_n - client < step ? client_n - client : step, &taken))
            abort();
        client += taken;
        moved = taken > 0;
        if (exchange_state(x) == EXCHANGE_ASKING) {
            decide(x);
            moved = true;
        }
        check_frames(exchange_to_server(x));
        if (exchange_state(x) != EXCHANGE_ANSWERING)
            goto next;
        int r = exchange_answer(x, bytes + server, n - server < step ? n - server : step, &taken);
        server += taken;
        moved = moved || taken > 0;
        if ((r == EXCHANGE_BAD_ANSWER || (server == n && exchange_server_ended(x) == EXCHANGE_UNANSWERED)) &&
            exchange_state(x) == EXCHANGE_ANSWERING &&
            exchange_stop(x, &(struct kube_status){ .code = "target_unavailable", .reason = "gone" }))
            abort();
    next:
        buffer_consume(exchange_to_client(x), buffer_size(exchange_to_client(x)));
    }
    return 0;
}
