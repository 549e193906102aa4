/* One easy handle per transfer, on one multi handle, which tells us what to watch and when to call it.
 *
 * Nothing is kept from one transfer to the next: no connection, no TLS session, no cookie. So what a provider
 * may cost is bounded by one transfer, and a change of the trusted CAs counts at once. No redirect is
 * followed (OpenID Connect Discovery 4.2 wants a 200, and a redirect would choose the host), no proxy is used
 * (the environment is clean anyway), nothing is decompressed. */
#include "server/courier_web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "policy/token.h"
#include "server/courier_fault.h"
#include "server/courier_header.h"

enum { SUCCESSES = 200, REDIRECTS = 300, REDIRECTS_END = 400 };

struct web {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer;
    struct transfer *transfers; /* list */
    size_t n;
    char ca_file[512]; /* empty: none */
};

struct transfer {
    struct web *web;
    struct transfer *next;
    CURL *easy;
    CURLU *place;
    struct curl_slist *headers;
    char *form; /* encoded */
    char *party;
    bool post;
    uint32_t timeout_ms;
    struct buffer body;
    struct header header;
    size_t header_bytes;
    bool body_too_large, header_too_large;
    char error[CURL_ERROR_SIZE];
    web_handler *handler;
    void *owner;
};

/* A socket of curl's. */
struct watch {
    struct web *web;
    struct source *source;
    int fd;
};

/* ---- what became of it ---- */

static void transfer_free(struct transfer *t)
{
    struct web *web = t->web;
    struct transfer **slot = &web->transfers;
    while (*slot && *slot != t)
        slot = &(*slot)->next;
    if (*slot) {
        *slot = t->next;
        web->n--;
        (void)curl_multi_remove_handle(web->multi, t->easy);
    }
    curl_easy_cleanup(t->easy);
    curl_url_cleanup(t->place);
    curl_slist_free_all(t->headers);
    if (t->form)
        explicit_bzero(t->form, strlen(t->form)); /* a device code is a credential */
    free(t->form);
    free(t->party);
    if (t->body.data)
        explicit_bzero(t->body.data, t->body.capacity); /* and so is a token */
    buffer_free(&t->body);
    free(t);
}

void web_cancel(struct transfer *t)
{
    transfer_free(t);
}

static void say_failure(const struct transfer *t, CURLcode code, char out[FAULT_MAX])
{
    struct fault fault = { .code = code,
                           .body_too_large = t->body_too_large,
                           .header_too_large = t->header_too_large,
                           .timeout_ms = t->timeout_ms,
                           .words = t->error };
    if (curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &fault.os_error) != CURLE_OK)
        fault.os_error = 0;
    fault_say(&fault, out, FAULT_MAX);
}

/* Of the last answer, 0: there was none. */
static long status_of(const struct transfer *t)
{
    long status = 0;
    return curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status > 0 ? status : 0;
}

static void finish(struct transfer *t, CURLcode code)
{
    char error[FAULT_MAX] = "";
    long status = status_of(t);
    if (t->post && status >= SUCCESSES)
        code = CURLE_OK; /* it has the message; posted again it would have it twice */
    if (code != CURLE_OK) {
        say_failure(t, code, error);
        status = 0;
    } else if (!status) {
        (void)snprintf(error, sizeof error, "the answer is not HTTP");
    }
    if (!t->post && status >= REDIRECTS && status < REDIRECTS_END) {
        (void)snprintf(error, sizeof error, "it answered with a redirect (HTTP %ld), which is not followed",
                       status);
        status = 0;
    }
    struct web_answer answer = { .status = error[0] ? 0 : (uint32_t)status,
                                 .error = error,
                                 .max_age_s = header_fresh_s(&t->header),
                                 .content_type = t->header.content_type };
    if (answer.status && !t->post) {
        answer.body = buffer_head(&t->body);
        answer.n = buffer_size(&t->body);
    }
    t->handler(t->owner, &answer);
    transfer_free(t);
}

/* Outside of every callback of curl's, in which handles must not be removed. */
static void finish_all(struct web *web)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(web->multi, &left))) {
        struct transfer *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) == CURLE_OK && t)
            finish(t, code);
    }
}

/* ---- curl on the loop ---- */

static void run(struct web *web, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(web->multi, fd, events, &running);
    finish_all(web);
}

static void socket_ready(void *owner, uint32_t ready)
{
    struct watch *watch = owner;
    run(watch->web, watch->fd,
        (ready & LOOP_READ ? CURL_CSELECT_IN : 0) | (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
            (ready & LOOP_HANGUP ? CURL_CSELECT_ERR : 0));
}

static void timer_fired(void *owner)
{
    run(owner, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *owner)
{
    struct web *web = owner;
    (void)multi;
    if (timeout_ms < 0)
        timer_stop(web->timer);
    else
        timer_set(web->timer, (uint64_t)timeout_ms);
    return 0;
}

/* A failure is not reported: curl would give up all of its transfers. This one ends by its time limit. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *socket_owner)
{
    struct web *web = owner;
    struct watch *watch = socket_owner;
    uint32_t interest =
        (what & CURL_POLL_IN ? (uint32_t)LOOP_READ : 0) | (what & CURL_POLL_OUT ? (uint32_t)LOOP_WRITE : 0);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            source_free(watch->source);
        free(watch);
        (void)curl_multi_assign(web->multi, fd, NULL);
        return 0;
    }
    if (watch) {
        source_interest(watch->source, interest);
        return 0;
    }
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return 0;
    *watch = (struct watch){ .web = web, .fd = fd };
    if (source_new(web->loop, fd, interest, socket_ready, watch, &watch->source) ||
        curl_multi_assign(web->multi, fd, watch) != CURLM_OK) {
        source_free(watch->source);
        free(watch);
    }
    return 0;
}

/* ---- what arrives ---- */

static size_t take_body(char *bytes, size_t size, size_t n, void *owner)
{
    struct transfer *t = owner;
    if (t->post)
        return 0; /* the status is known by now, and that is all */
    int r = buffer_append(&t->body, bytes, size * n);
    t->body_too_large = r == -ENOBUFS;
    return r ? 0 : size * n; /* less than came: the transfer ends */
}

static size_t take_header(char *line, size_t size, size_t n, void *owner)
{
    struct transfer *t = owner;
    t->header_bytes += size * n;
    t->header_too_large = t->header_bytes > WEB_HEADER_MAX;
    if (t->header_too_large)
        return 0;
    header_line(&t->header, line, size * n);
    return size * n;
}

/* ---- beginning one ---- */

/* application/x-www-form-urlencoded, malloc'ed. */
static int encode_form(CURL *easy, Ipc__Variable **form, size_t n_form, char **ret)
{
    struct buffer out;
    buffer_init(&out, WEB_FORM_BYTES_MAX);
    int r = n_form > WEB_FORM_MAX ? -E2BIG : 0;
    for (size_t i = 0; i < n_form && r == 0; i++) {
        char *name = curl_easy_escape(easy, form[i]->name, 0);
        char *value = curl_easy_escape(easy, form[i]->value, 0);
        r = name && value ? buffer_printf(&out, "%s%s=%s", i ? "&" : "", name, value) : -ENOMEM;
        if (value)
            explicit_bzero(value, strlen(value));
        curl_free(name);
        curl_free(value);
    }
    if (r == 0)
        r = buffer_put_u8(&out, 0);
    if (r == 0) {
        *ret = strdup((const char *)buffer_head(&out));
        r = *ret ? 0 : -ENOMEM;
    }
    if (out.data)
        explicit_bzero(out.data, out.capacity);
    buffer_free(&out);
    return r == -ENOBUFS ? -E2BIG : r;
}

/* Collects failures, so that none of a long list of options is overlooked. */
#define SET(option, ...) r = r == CURLE_OK ? curl_easy_setopt(easy, option, __VA_ARGS__) : r

static CURLcode set_trust(CURL *easy, ProtobufCBinaryData trust)
{
    CURLcode r = CURLE_OK;
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_CAPATH, NULL); /* would be trusted beside either of the two below */
    if (trust.len > 0) {
        struct curl_blob blob = { trust.data, trust.len, CURL_BLOB_COPY };
        SET(CURLOPT_CAINFO_BLOB, &blob);
    }
    return r;
}

static CURLcode set_bounds(CURL *easy, const struct transfer *t)
{
    CURLcode r = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)t->timeout_ms);
    SET(CURLOPT_MAXFILESIZE, (long)TOKEN_JWKS_MAX);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs must not hold up the others at the end */
    return r;
}

static CURLcode set_request(CURL *easy, struct transfer *t)
{
    CURLcode r = CURLE_OK;
    SET(CURLOPT_CURLU, t->place);
    SET(CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, t);
    if (t->form) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, t->form);
    }
    return r;
}

static CURLcode set_document(CURL *easy, ProtobufCBinaryData document)
{
    CURLcode r = CURLE_OK;
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE, (long)document.len); /* before what follows, which copies that many */
    SET(CURLOPT_COPYPOSTFIELDS, document.data);
    return r;
}

static uint32_t bounded_time(uint32_t wanted_ms)
{
    return wanted_ms == 0 ? WEB_TIME_MS : wanted_ms < WEB_TIME_MAX_MS ? wanted_ms : WEB_TIME_MAX_MS;
}

static int add_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        return -ENOMEM;
    t->headers = longer;
    return 0;
}

/* curl's "Expect: 100-continue" would wait a second for servers that do not know it. */
static int set_headers(struct transfer *t, const struct web_request *request)
{
    int r = add_header(t, "Accept: application/json");
    if (r == 0 && request->post)
        r = add_header(t, "Content-Type: application/json");
    if (r == 0 && request->post)
        r = add_header(t, "Expect:");
    return r;
}

static int set_up(struct transfer *t, const struct web_request *request)
{
    t->easy = curl_easy_init();
    t->party = strdup(request->party);
    t->timeout_ms = bounded_time(request->timeout_ms);
    if (!t->easy || !t->party)
        return -ENOMEM;
    if (request->document.len > WEB_POST_MAX)
        return -E2BIG;
    int r = set_headers(t, request);
    if (r == 0 && request->n_form)
        r = encode_form(t->easy, request->form, request->n_form, &t->form);
    if (r)
        return r;
    if (set_trust(t->easy, request->trust) || set_bounds(t->easy, t) || set_request(t->easy, t) ||
        (t->post && set_document(t->easy, request->document)))
        return -EINVAL;
    return 0;
}

static bool is_full(const struct web *web, const char *party)
{
    size_t same = 0;
    for (const struct transfer *t = web->transfers; t; t = t->next)
        same += strcmp(t->party, party) == 0;
    return web->n >= WEB_TRANSFERS_MAX || same >= WEB_TRANSFERS_PER_PARTY_MAX;
}

int web_start(struct web *web, struct web_request *request, web_handler *handler, void *owner,
              struct transfer **ret)
{
    struct transfer *t = is_full(web, request->party) ? NULL : calloc(1, sizeof *t);
    if (!t) {
        curl_url_cleanup(STEAL(request->place));
        curl_slist_free_all(STEAL(request->headers));
        return -EBUSY;
    }
    *t = (struct transfer){ .web = web,
                            .place = STEAL(request->place),
                            .headers = STEAL(request->headers),
                            .post = request->post,
                            .handler = handler,
                            .owner = owner };
    buffer_init(&t->body, TOKEN_JWKS_MAX);
    int r = set_up(t, request);
    if (r == 0 && curl_multi_add_handle(web->multi, t->easy) != CURLM_OK)
        r = -ENOMEM;
    if (r) {
        transfer_free(t);
        return r;
    }
    t->next = web->transfers;
    web->transfers = t;
    web->n++;
    *ret = t;
    return 0;
}

/* ---- life ---- */

static void find_ca_file(struct web *web)
{
    CURL *easy = curl_easy_init();
    char *path = NULL;
    if (easy && curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && path)
        (void)snprintf(web->ca_file, sizeof web->ca_file, "%s", path);
    curl_easy_cleanup(easy);
}

int web_new(struct loop *loop, struct web **ret, struct detail *detail)
{
    CLEANUP(web_free) struct web *web = calloc(1, sizeof *web);
    if (!web)
        return -ENOMEM;
    web->loop = loop;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return detail_fail(detail, -EINVAL, "libcurl can't be used");
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS))
        return detail_fail(detail, -EINVAL, "this libcurl resolves names without threads, and would block");
    int r = timer_new(loop, timer_fired, web, &web->timer);
    if (r)
        return r;
    web->multi = curl_multi_init();
    if (!web->multi || curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
        curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web) ||
        curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
        curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web))
        return detail_fail(detail, -ENOMEM, "libcurl can't be used");
    find_ca_file(web);
    *ret = STEAL(web);
    return 0;
}

void web_free(struct web *web)
{
    if (!web)
        return;
    while (web->transfers)
        transfer_free(web->transfers);
    if (web->multi)
        (void)curl_multi_cleanup(web->multi);
    timer_free(web->timer);
    curl_global_cleanup();
    free(web);
}

const char *web_ca_file(const struct web *web)
{
    return web->ca_file[0] ? web->ca_file : NULL;
}
