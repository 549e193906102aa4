/* http_parser calls back; we pause it at each call-back, so that one call of ours is one event. It begins
 * anew with each message: what it remembers of the last one (that the connection should close, an upgrade
 * that did not come to pass) is ours to know.
 *
 * What it lets pass and others read differently is refused here: blanks in names, more than one
 * Content-Length or Transfer-Encoding, codings other than chunked, HTTP/1.0 with a coding. */
#include "channels/kube/http.h"

#include <errno.h>
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_reader {
    http_parser parser;
    enum http_side side;
    bool begun; /* a message */
    bool answers_head;
    bool in_value; /* of the last field */
    size_t head_n; /* bytes of texts in the head, or trailers */
    struct http_head head;
    bool headed; /* the head is complete: what comes as fields are trailers */
    int fault;   /* of a call-back: -ENOMEM or HTTP_MALFORMED */
    const char *why;
    struct http_event event;
};

/* ---- the head ---- */

static void head_clear(struct http_head *head)
{
    free(head->method);
    free(head->target);
    for (size_t i = 0; i < head->n_fields; i++) {
        free(head->fields[i].name);
        free(head->fields[i].value);
    }
    free(head->fields);
    *head = (struct http_head){ .status = 0 };
}

static int fail(struct http_reader *r, int fault, const char *why)
{
    r->fault = fault;
    r->why = why;
    return 1; /* ends http_parser_execute() */
}

static int append(struct http_reader *r, char **slot, const char *bytes, size_t n)
{
    size_t before = *slot ? strlen(*slot) : 0;
    r->head_n += n;
    if (r->head_n > HTTP_HEAD_MAX)
        return fail(r, HTTP_MALFORMED, "the head is longer than 64 KiB");
    if (memchr(bytes, '\0', n) || memchr(bytes, '\r', n) || memchr(bytes, '\n', n))
        return fail(r, HTTP_MALFORMED, "the head has a control byte");
    char *longer = realloc(*slot, before + n + 1);
    if (!longer)
        return fail(r, -ENOMEM, "out of memory");
    memcpy(longer + before, bytes, n);
    longer[before + n] = '\0';
    *slot = longer;
    return 0;
}

static int on_url(http_parser *parser, const char *bytes, size_t n)
{
    struct http_reader *r = parser->data;
    return append(r, &r->head.target, bytes, n);
}

static int new_field(struct http_reader *r)
{
    struct http_head *head = &r->head;
    if (head->n_fields == HTTP_FIELDS_MAX)
        return fail(r, HTTP_MALFORMED, "the head has more than 128 fields");
    struct http_field *wider = reallocarray(head->fields, head->n_fields + 1, sizeof *wider);
    if (!wider)
        return fail(r, -ENOMEM, "out of memory");
    head->fields = wider;
    head->fields[head->n_fields] = (struct http_field){ strdup(""), strdup("") };
    if (!head->fields[head->n_fields].name || !head->fields[head->n_fields].value) {
        free(head->fields[head->n_fields].name);
        free(head->fields[head->n_fields].value);
        return fail(r, -ENOMEM, "out of memory");
    }
    head->n_fields++;
    r->in_value = false;
    return 0;
}

/* Trailers (RFC 9110 §6.5) are counted and dropped. */
static int skip_trailer(struct http_reader *r, size_t n)
{
    r->head_n += n;
    return r->head_n > 2 * (size_t)HTTP_HEAD_MAX
               ? fail(r, HTTP_MALFORMED, "the trailers are longer than 64 KiB")
               : 0;
}

static int on_field(http_parser *parser, const char *bytes, size_t n)
{
    struct http_reader *r = parser->data;
    if (r->headed)
        return skip_trailer(r, n);
    if ((r->in_value || r->head.n_fields == 0) && new_field(r))
        return 1;
    return append(r, &r->head.fields[r->head.n_fields - 1].name, bytes, n);
}

static int on_value(http_parser *parser, const char *bytes, size_t n)
{
    struct http_reader *r = parser->data;
    if (r->headed)
        return skip_trailer(r, n);
    r->in_value = true;
    return append(r, &r->head.fields[r->head.n_fields - 1].value, bytes, n);
}

static bool has_token(const char *list, const char *token)
{
    size_t n = strlen(token);
    for (const char *at = list; at && *at;) {
        at += strspn(at, " \t,");
        size_t length = strcspn(at, " \t,");
        if (length == n && strncasecmp(at, token, n) == 0)
            return true;
        at += length;
    }
    return false;
}

/* RFC 9110 §5.1, §5.5: http_parser takes blanks in names unless it was built to be strict. */
static bool is_sound(struct http_field *field)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    size_t n = strlen(field->value);
    while (n > 0 && (field->value[n - 1] == ' ' || field->value[n - 1] == '\t'))
        field->value[--n] = '\0';
    for (const char *c = field->name; *c; c++)
        if (!(*c >= '0' && *c <= '9') && !((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') && !strchr(others, *c))
            return false;
    for (const char *c = field->value; *c; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    return field->name[0] != '\0';
}

static const char *fault_of_fields(const struct http_head *head)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (!is_sound(&head->fields[i]))
            return "a field has a byte that has no place there";
    return NULL;
}

static const char *fault_of_framing(const struct http_head *head, const http_parser *parser)
{
    const char *coding = http_head_field(head, "transfer-encoding");
    if (http_head_count(head, "content-length") > 1 || http_head_count(head, "transfer-encoding") > 1)
        return "Content-Length or Transfer-Encoding is there twice";
    if (coding && strcasecmp(coding, "chunked") != 0)
        return "a Transfer-Encoding other than chunked is not understood";
    if (coding && http_head_field(head, "content-length"))
        return "Content-Length and Transfer-Encoding exclude each other";
    if (parser->http_major != 1 || (parser->http_minor == 0 && coding))
        return "HTTP/1.1 is spoken here";
    return NULL;
}

static bool has_no_body(const struct http_reader *r, unsigned status)
{
    return r->side == HTTP_RESPONSES &&
           (r->answers_head || status / 100 == 1 || status == 204 || status == 304);
}

static void read_framing(struct http_reader *r)
{
    struct http_head *head = &r->head;
    const char *length = http_head_field(head, "content-length");
    if (has_no_body(r, head->status))
        head->framing = HTTP_NO_BODY;
    else if (http_head_field(head, "transfer-encoding"))
        head->framing = HTTP_CHUNKED;
    else if (length)
        head->framing = HTTP_LENGTH;
    else
        head->framing = r->side == HTTP_REQUESTS ? HTTP_NO_BODY : HTTP_UNTIL_CLOSE;
    if (head->framing == HTTP_LENGTH)
        head->length = r->parser.content_length;
}

static int on_head(http_parser *parser)
{
    struct http_reader *r = parser->data;
    struct http_head *head = &r->head;
    r->why = fault_of_fields(head);
    r->why = r->why ? r->why : fault_of_framing(head, parser);
    const char *connection = http_head_field(head, "connection");
    if (r->why)
        return fail(r, HTTP_MALFORMED, r->why);
    if (r->side == HTTP_REQUESTS) {
        head->method = strdup(http_method_str((enum http_method)parser->method));
        if (!head->method || (!head->target && !(head->target = strdup(""))))
            return fail(r, -ENOMEM, "out of memory");
    }
    head->status = r->side == HTTP_RESPONSES ? parser->status_code : 0;
    read_framing(r);
    bool persists =
        parser->http_minor >= 1 ? !has_token(connection, "close") : has_token(connection, "keep-alive");
    head->keeps_alive = persists && head->framing != HTTP_UNTIL_CLOSE;
    head->chunks = parser->http_minor >= 1;
    head->upgrades = r->side == HTTP_REQUESTS
                         ? has_token(connection, "upgrade") && http_head_field(head, "upgrade") != NULL
                         : head->status == 101;
    r->headed = true;
    r->head_n = HTTP_HEAD_MAX;
    r->event = (struct http_event){ .kind = HTTP_GOT_HEAD, .head = head };
    http_parser_pause(parser, 1);
    return has_no_body(r, head->status) ? 1 : 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t n)
{
    struct http_reader *r = parser->data;
    r->event = (struct http_event){
        .kind = HTTP_GOT_BODY, .head = &r->head, .bytes = (const uint8_t *)bytes, .n = n
    };
    http_parser_pause(parser, 1);
    return 0;
}

static int on_end(http_parser *parser)
{
    struct http_reader *r = parser->data;
    r->event = (struct http_event){ .kind = HTTP_GOT_END, .head = &r->head };
    r->begun = false;
    http_parser_pause(parser, 1);
    return 0;
}

/* ---- reading ---- */

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

int http_reader_new(enum http_side side, struct http_reader **ret)
{
    struct http_reader *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->side = side;
    *ret = r;
    return 0;
}

void http_reader_free(struct http_reader *r)
{
    if (!r)
        return;
    head_clear(&r->head);
    free(r);
}

void http_reader_answers_head(struct http_reader *r, bool head)
{
    r->answers_head = head;
}

static void begin(struct http_reader *r)
{
    head_clear(&r->head);
    http_parser_init(&r->parser, r->side == HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE);
    r->parser.data = r;
    r->begun = true;
    r->headed = r->in_value = false;
    r->head_n = 0;
}

static int finish(struct http_reader *r, struct http_event *ret, struct detail *detail)
{
    enum http_errno error = HTTP_PARSER_ERRNO(&r->parser);
    if (r->fault == 0 && error != HPE_OK && error != HPE_PAUSED) {
        r->fault = HTTP_MALFORMED;
        r->why = http_errno_description(error);
    }
    if (r->fault)
        return detail_fail(detail, r->fault, "this is no HTTP message: %s", r->why);
    *ret = r->event;
    return 0;
}

int http_reader_next(struct http_reader *r, const void *bytes, size_t n, size_t *ret_taken,
                     struct http_event *ret, struct detail *detail)
{
    r->event = (struct http_event){ .kind = HTTP_GOT_NOTHING };
    *ret_taken = 0;
    if (r->fault)
        return finish(r, ret, detail);
    if (n == 0) {
        *ret = r->event;
        return 0; /* for http_parser no bytes are the end of the connection */
    }
    if (!r->begun)
        begin(r);
    else
        http_parser_pause(&r->parser, 0);
    size_t taken = http_parser_execute(&r->parser, &settings, bytes, n);
    int result = finish(r, ret, detail);
    if (result == 0)
        *ret_taken = taken;
    return result;
}

int http_reader_close(struct http_reader *r, struct http_event *ret, struct detail *detail)
{
    r->event = (struct http_event){ .kind = HTTP_GOT_NOTHING };
    if (r->begun && !r->fault) {
        http_parser_pause(&r->parser, 0);
        (void)http_parser_execute(&r->parser, &settings, NULL, 0);
        if (r->event.kind != HTTP_GOT_END && !r->fault)
            (void)fail(r, HTTP_MALFORMED, "it was cut off");
    }
    return finish(r, ret, detail);
}

/* ---- fields ---- */

const char *http_head_field(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (strcasecmp(head->fields[i].name, name) == 0)
            return head->fields[i].value;
    return NULL;
}

size_t http_head_count(const struct http_head *head, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < head->n_fields; i++)
        n += strcasecmp(head->fields[i].name, name) == 0;
    return n;
}

bool http_field_is_of_connection(const struct http_head *head, const char *name)
{
    static const char *const names[] = { "connection",
                                         "keep-alive",
                                         "proxy-connection",
                                         "proxy-authenticate",
                                         "proxy-authorization",
                                         "te",
                                         "trailer",
                                         "transfer-encoding",
                                         "upgrade",
                                         "content-length",
                                         "expect" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    for (size_t i = 0; i < head->n_fields; i++)
        if (strcasecmp(head->fields[i].name, "connection") == 0 && has_token(head->fields[i].value, name))
            return true;
    return false;
}

/* ---- writing ---- */

int http_put_request(struct buffer *out, const char *method, const char *target)
{
    return buffer_printf(out, "%s %s HTTP/1.1\r\n", method, target);
}

int http_put_status(struct buffer *out, unsigned status)
{
    const char *words = http_status_str((enum http_status)status);
    return buffer_printf(out, "HTTP/1.1 %u %s\r\n", status, strcmp(words, "<unknown>") == 0 ? "" : words);
}

int http_put_field(struct buffer *out, const char *name, const char *value)
{
    int r = buffer_append(out, name, strlen(name));
    r = r ? r : buffer_append(out, ": ", 2);
    r = r ? r : buffer_append(out, value, strlen(value));
    return r ? r : buffer_append(out, "\r\n", 2);
}

int http_put_end_of_head(struct buffer *out, enum http_framing framing, uint64_t length)
{
    switch (framing) {
    case HTTP_LENGTH:
        return buffer_printf(out, "Content-Length: %llu\r\n\r\n", (unsigned long long)length);
    case HTTP_CHUNKED:
        return buffer_printf(out, "Transfer-Encoding: chunked\r\n\r\n");
    case HTTP_UNTIL_CLOSE:
        return buffer_printf(out, "Connection: close\r\n\r\n");
    case HTTP_NO_BODY:
        break;
    }
    return buffer_append(out, "\r\n", 2);
}

int http_put_chunk(struct buffer *out, const void *bytes, size_t n)
{
    int r = buffer_printf(out, "%zx\r\n", n);
    r = r ? r : buffer_append(out, bytes, n);
    return r ? r : buffer_append(out, "\r\n", 2);
}

int http_put_last_chunk(struct buffer *out)
{
    return buffer_append(out, "0\r\n\r\n", 5);
}
