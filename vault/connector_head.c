/* A gate that was broken into may write what it likes; what goes to the API server with our credential is one
 * request with the identity that the vault has put there, or nothing. So everything is refused by which a
 * server could see two requests in one, or a field of ours in one of theirs: bare CR or LF, folded lines,
 * NUL, two framings, methods and protocols that turn the connection into something else. */
#include "vault/connector_head.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { METHOD_MAX = 16, LENGTH_DIGITS_MAX = 18 };

struct text {
    const char *at;
    size_t n;
};

static bool text_is(struct text text, const char *word)
{
    return text.n == strlen(word) && strncasecmp(text.at, word, text.n) == 0;
}

/* tchar, RFC 9110 §5.6.2. */
static bool is_token(struct text text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < text.n; i++) {
        char c = text.at[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alphanumeric && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return text.n > 0;
}

static bool is_visible(struct text text, bool blanks)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.at[i];

        if (c <= ' ' || c == 0x7f) {
            if (!blanks || (c != ' ' && c != '\t'))
                return false;
        }
    }
    return true;
}

/* The line up to CRLF, without it; a CR or LF anywhere else makes it none. */
static bool take_line(struct text *rest, struct text *ret)
{
    const char *end = memchr(rest->at, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->at) : 0;

    if (n == 0 || end[-1] != '\r' || memchr(rest->at, '\r', n - 1))
        return false;
    *ret = (struct text){ rest->at, n - 1 };
    rest->at += n + 1;
    rest->n -= n + 1;
    return true;
}

/* ---- the request line ---- */

static int check_request_line(struct text line, struct detail *detail)
{
    const char *first = memchr(line.at, ' ', line.n);
    const char *last = memrchr(line.at, ' ', line.n);

    if (!first || first == last)
        return detail_fail(detail, -EPROTO, "the request line is not METHOD TARGET HTTP/1.1");
    struct text method = { line.at, (size_t)(first - line.at) };
    struct text target = { first + 1, (size_t)(last - first - 1) };
    struct text version = { last + 1, (size_t)(line.at + line.n - last - 1) };
    if (!is_token(method) || method.n > METHOD_MAX || text_is(method, "CONNECT"))
        return detail_fail(detail, -EPROTO, "the method is none that is sent on");
    if (target.n == 0 || target.at[0] != '/' || !is_visible(target, false))
        return detail_fail(detail, -EPROTO, "the target is not a path");
    if (version.n != 8 || memcmp(version.at, "HTTP/1.1", 8) != 0)
        return detail_fail(detail, -EPROTO, "the version is not HTTP/1.1");
    return 0;
}

/* ---- the fields ---- */

static char plain(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '_' ? '-' : c; /* some proxies take one for the other */
}

static bool begins_with(struct text name, const char *prefix)
{
    size_t n = strlen(prefix);

    if (name.n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (plain(name.at[i]) != prefix[i])
            return false;
    return true;
}

static bool is_ours(struct text name)
{
    return (begins_with(name, "authorization") && name.n == strlen("authorization")) ||
           begins_with(name, "impersonate-") || begins_with(name, "x-remote-");
}

static int take_length(struct text value, struct head *head, struct detail *detail)
{
    uint64_t length = 0;

    for (size_t i = 0; i < value.n; i++) {
        if (value.at[i] < '0' || value.at[i] > '9' || value.n > LENGTH_DIGITS_MAX)
            return detail_fail(detail, -EPROTO, "Content-Length is not a number");
        length = 10 * length + (uint64_t)(value.at[i] - '0');
    }
    if (value.n == 0)
        return detail_fail(detail, -EPROTO, "Content-Length is not a number");
    head->body = HEAD_LENGTH;
    head->length = length;
    return 0;
}

struct framing {
    struct head head;
    bool length, chunked, upgrade;
};

/* The fields that say where the request ends, each once. */
static int take_framing(struct text name, struct text value, struct framing *f, struct detail *detail)
{
    if (text_is(name, "Content-Length")) {
        if (f->length)
            return detail_fail(detail, -EPROTO, "there are two Content-Length");
        f->length = true;
        return take_length(value, &f->head, detail);
    }
    if (text_is(name, "Transfer-Encoding")) {
        if (f->chunked || !text_is(value, "chunked"))
            return detail_fail(detail, -EPROTO, "Transfer-Encoding is not chunked, once");
        f->chunked = true;
    }
    if (text_is(name, "Upgrade")) {
        if (f->upgrade || (!text_is(value, "websocket") && !text_is(value, "SPDY/3.1")))
            return detail_fail(detail, -EPROTO, "Upgrade is neither websocket nor SPDY/3.1, once");
        f->upgrade = true;
    }
    return 0;
}

static struct text trimmed(struct text text)
{
    while (text.n > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.n--;
    }
    while (text.n > 0 && (text.at[text.n - 1] == ' ' || text.at[text.n - 1] == '\t'))
        text.n--;
    return text;
}

static int check_field(struct text line, struct framing *f, struct detail *detail)
{
    const char *colon = memchr(line.at, ':', line.n);
    struct text name = { line.at, colon ? (size_t)(colon - line.at) : 0 };

    if (!is_token(name))
        return detail_fail(detail, -EPROTO, "a header line is not NAME: VALUE");
    if (is_ours(name))
        return detail_fail(detail, -EPROTO, "it has a field %.*s, which only the vault gives",
                           (int)(name.n < 32 ? name.n : 32), name.at);
    struct text value = trimmed((struct text){ colon + 1, line.n - name.n - 1 });
    if (!is_visible(value, true))
        return detail_fail(detail, -EPROTO, "a header value has control bytes");
    return take_framing(name, value, f, detail);
}

static int settle(const struct framing *f, struct head *ret, struct detail *detail)
{
    struct head head = f->head;

    if (f->chunked && f->length)
        return detail_fail(detail, -EPROTO, "it has both Content-Length and Transfer-Encoding");
    if (f->upgrade && (f->chunked || head.length > 0))
        return detail_fail(detail, -EPROTO, "it asks for another protocol and has a body");
    if (f->chunked)
        head.body = HEAD_CHUNKED;
    if (f->upgrade)
        head.body = HEAD_UPGRADE;
    else if (head.body == HEAD_LENGTH && head.length == 0)
        head.body = HEAD_NO_BODY;
    *ret = head;
    return 0;
}

int head_check(const uint8_t *bytes, size_t n, struct head *ret, struct detail *detail)
{
    struct text rest = { (const char *)bytes, n }, line;
    struct framing f = { .length = false };

    if (n > HEAD_MAX || !take_line(&rest, &line))
        return detail_fail(detail, -EPROTO, "there is no request line");
    f.head.line_n = line.n + 2;
    int r = check_request_line(line, detail);
    while (!r) {
        if (!take_line(&rest, &line))
            return detail_fail(detail, -EPROTO,
                               "the head does not end in an empty line, or has a bare CR or LF");
        if (line.n == 0)
            break;
        r = check_field(line, &f, detail);
    }
    if (!r && rest.n > 0)
        r = detail_fail(detail, -EPROTO, "%zu bytes follow the empty line", rest.n);
    return r ? r : settle(&f, ret, detail);
}
