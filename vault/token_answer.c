/* The request said `Connection: close`, so the end of the response is the end of everything. What the server
 * says may be hostile: it is bounded, read once, and only a token, a number and a line for the log come out.
 */
#include "vault/token_answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text.h"
#include "vault/bearer.h"

enum { STATUS_LINE = 12, SAID_MAX = 256, REASON_MAX = 64 };

struct response {
    unsigned status;
    bool chunked, counted;
    uint64_t length;
    const char *body;
    size_t body_n; /* up to the end of what came */
};

void token_answer_start(void)
{
    json_object_seed(0); /* Jansson would look for randomness in files that the jail has closed */
}

void token_answer_free(struct token_answer *answer)
{
    if (answer->token)
        explicit_bzero(answer->token, strlen(answer->token));
    free(answer->token);
    answer->token = NULL;
}

/* ---- HTTP ---- */

static bool field_is(const char *line, size_t n, const char *name, const char **ret_value, size_t *ret_n)
{
    size_t name_n = strlen(name);

    if (n <= name_n || line[name_n] != ':' || strncasecmp(line, name, name_n) != 0)
        return false;
    line += name_n + 1;
    n -= name_n + 1;
    while (n > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        n--;
    }
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
        n--;
    *ret_value = line;
    *ret_n = n;
    return true;
}

static int take_field(const char *line, size_t n, struct response *response)
{
    const char *value;
    char number[24];
    size_t value_n;

    if (field_is(line, n, "Transfer-Encoding", &value, &value_n)) {
        if (response->chunked || value_n != 7 || strncasecmp(value, "chunked", 7) != 0)
            return -EPROTO;
        response->chunked = true;
    }
    if (field_is(line, n, "Content-Length", &value, &value_n)) {
        if (response->counted || value_n >= sizeof(number))
            return -EPROTO;
        memcpy(number, value, value_n);
        number[value_n] = '\0';
        response->counted = true;
        if (!text_to_u64(number, TOKEN_ANSWER_MAX, &response->length))
            return -EPROTO;
    }
    return 0;
}

static int read_head(const char *bytes, size_t n, struct response *ret)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4);
    struct response response = { .status = 0 };

    if (!end)
        return -EAGAIN;
    if (n < STATUS_LINE || memcmp(bytes, "HTTP/1.1 ", 9) != 0)
        return -EPROTO;
    for (const char *digit = bytes + 9; digit < bytes + STATUS_LINE; digit++) {
        if (*digit < '0' || *digit > '9')
            return -EPROTO;
        response.status = 10 * response.status + (unsigned)(*digit - '0');
    }
    for (const char *line = bytes; line < end;) {
        const char *stop = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        int r = take_field(line, (size_t)(stop - line), &response);

        if (r)
            return r;
        line = stop + 2;
    }
    if (response.chunked && response.counted)
        return -EPROTO;
    response.body = end + 4;
    response.body_n = n - (size_t)(response.body - bytes);
    *ret = response;
    return 0;
}

/* One chunk's size line (RFC 9112 §7.1), without extensions. */
static int read_size(const char **at, const char *end, size_t *ret)
{
    size_t size = 0;
    const char *start = *at;

    for (; *at < end && **at != '\r'; (*at)++) {
        char c = **at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0 || *at - start >= 6)
            return -EPROTO;
        size = 16 * size + (size_t)digit;
    }
    if (end - *at < 2)
        return -EAGAIN;
    if ((*at)[1] != '\n' || *at == start)
        return -EPROTO;
    *at += 2;
    *ret = size;
    return 0;
}

static int join_chunks(const struct response *response, struct buffer *out)
{
    const char *at = response->body, *end = at + response->body_n;
    size_t size = 1;

    while (size > 0) {
        int r = read_size(&at, end, &size);

        if (r)
            return r;
        if ((size_t)(end - at) < size + 2)
            return -EAGAIN;
        r = buffer_append(out, at, size);
        if (r || memcmp(at + size, "\r\n", 2) != 0)
            return r ? r : -EPROTO;
        at += size + 2;
    }
    return 0;
}

static int read_body(const struct response *response, bool ended, struct buffer *out)
{
    if (response->chunked)
        return join_chunks(response, out);
    if (response->counted && response->body_n < response->length)
        return -EAGAIN;
    if (!response->counted && !ended)
        return -EAGAIN;
    return buffer_append(out, response->body,
                         response->counted ? (size_t)response->length : response->body_n);
}

/* ---- JSON ---- */

static void drop_json(json_t **json)
{
    json_decref(*json);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* What a Status says, unless it has the secret in it: the line is for the log. */
static int refused(const struct response *response, const json_t *status, const char *secret, size_t secret_n,
                   struct detail *detail)
{
    const char *message = text_of(status, "message"), *reason = text_of(status, "reason");
    char said[SAID_MAX], kind[REASON_MAX];

    if (memmem(message, strlen(message), secret, secret_n) ||
        memmem(reason, strlen(reason), secret, secret_n))
        message = reason = "(left out: it repeats the credential)";
    (void)text_escape(said, sizeof(said), message, strlen(message), false);
    (void)text_escape(kind, sizeof(kind), reason, strlen(reason), false);
    return detail_fail(detail, -EACCES, "the API server answered %u %s: %s", response->status, kind, said);
}

static int take_token(const json_t *json, struct token_answer *ret, struct detail *detail)
{
    const json_t *seconds = json_object_get(json_object_get(json, "spec"), "expirationSeconds");
    const char *token = text_of(json_object_get(json, "status"), "token");

    if (!bearer_is_one(token, strlen(token)))
        return detail_fail(detail, -EPROTO, "the API server's answer has no token in it");
    if (!json_is_integer(seconds) || json_integer_value(seconds) <= 0)
        return detail_fail(detail, -EPROTO, "the API server's answer does not say how long the token lives");
    ret->token = strdup(token);
    ret->lifetime_s = (uint64_t)json_integer_value(seconds);
    return ret->token ? 0 : -ENOMEM;
}

static int read_json(const struct response *response, const struct buffer *body, const char *secret,
                     size_t secret_n, struct token_answer *ret, struct detail *detail)
{
    __attribute__((cleanup(drop_json))) json_t *json =
        json_loadb((const char *)buffer_head(body), buffer_size(body), JSON_REJECT_DUPLICATES, NULL);

    if (response->status != 201 && response->status != 200)
        return refused(response, json, secret, secret_n, detail);
    if (!json)
        return detail_fail(detail, -EPROTO, "the API server's answer is not JSON");
    return take_token(json, ret, detail);
}

int token_answer_read(const char *bytes, size_t n, bool ended, const char *secret, size_t secret_n,
                      struct token_answer *ret, struct detail *detail)
{
    struct response response;
    struct buffer body;
    int r = n > TOKEN_ANSWER_MAX ? -EPROTO : read_head(bytes, n, &response);

    buffer_init(&body, TOKEN_ANSWER_MAX);
    if (!r)
        r = read_body(&response, ended, &body);
    if (!r) {
        r = read_json(&response, &body, secret, secret_n, ret, detail);
    } else if (r != -EAGAIN || ended || n == TOKEN_ANSWER_MAX) {
        r = detail_fail(detail, -EPROTO, "the API server's answer %s",
                        n >= TOKEN_ANSWER_MAX ? "is longer than any of that kind"
                        : r == -EAGAIN        ? "was cut off"
                                              : "is no HTTP/1.1 response");
    }
    if (body.data)
        explicit_bzero(body.data, body.capacity);
    buffer_free(&body);
    return r;
}
