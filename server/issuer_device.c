/* The states of one flow, and what leads from one to the next:
 *
 *   FINDING    the provider's endpoints     --> ASKING
 *   ASKING     for a device code            --> RESTING (the person is shown the code)
 *   RESTING    until the next poll is due   --> POLLING, or over when the code has expired
 *   POLLING    the token endpoint           --> RESTING, or over
 *
 * Everything is copied at the start, so a reload of the configuration in the meantime does not matter here;
 * the courier goes nowhere that the new one does not name. The access and refresh tokens of the answer are
 * not looked at: what is freed is wiped. */
#include "server/issuer_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/issuer_document.h"

enum {
    SCOPES_MAX = 4096, /* bytes */
    NAMES_MAX = 300,   /* bytes of a list of issuers in a message */
    SHOWN_MAX = 400,
    HTTP_OK = 200,
    HTTP_TOO_MANY = 429,
    HTTP_SERVER_ERRORS = 500,
};

static const char code_refused[] = "denied";
static const char code_unreachable[] = "provider_unavailable";
static const char default_scopes[] = "openid profile email";

struct device {
    struct loop *loop;
    struct fetcher *fetcher;
    struct providers *providers;
    char *issuer, *client_id, *scopes; /* of the configuration */
    char *token_endpoint;
    struct provider_wait *wait;
    struct fetch *fetch;
    struct timer *timer;
    struct device_answer answer;
    uint64_t deadline_ms; /* of the code */
    uint32_t interval_s;
    const struct device_handlers *handlers;
    void *owner;
};

/* ---- the end ---- */

static void fail(struct device *device, const char *code, const char *message)
{
    device->handlers->failed(device->owner, code, message); /* frees it, perhaps */
}

static void fail_provider(struct device *device, const char *what)
{
    char text[DETAIL_MAX];
    (void)snprintf(text, sizeof text, "provider %s %s", device->issuer, what);
    fail(device, code_unreachable, text);
}

void device_free(struct device *device)
{
    if (!device)
        return;
    provider_forget(device->wait);
    fetch_free(device->fetch);
    timer_free(device->timer);
    device_answer_free(&device->answer);
    free(device->issuer);
    free(device->client_id);
    free(device->scopes);
    free(device->token_endpoint);
    free(device);
}

/* ---- requests ---- */

static Ipc__Variable field(const char *name, const char *value)
{
    Ipc__Variable made = IPC__VARIABLE__INIT;
    made.name = (char *)(uintptr_t)name;
    made.value = (char *)(uintptr_t)value;
    return made;
}

static int post(struct device *device, const char *url, const Ipc__Variable *form, size_t n_form,
                fetch_handler *handler)
{
    struct fetch_what what = {
        .issuer = device->issuer, .url = url, .form = form, .n_form = n_form, .timeout_ms = PROVIDER_FETCH_MS
    };
    return fetch_new(device->fetcher, &what, handler, device, &device->fetch);
}

/* ---- polling ---- */

/* Until the next poll, but not beyond the code's life. */
static void rest(struct device *device)
{
    uint64_t now = clock_ms(), ms = (uint64_t)device->interval_s * 1000;
    if (now + ms > device->deadline_ms)
        ms = device->deadline_ms > now ? device->deadline_ms - now : 0;
    timer_set(device->timer, ms);
}

static void slow_down(struct device *device, uint32_t to_s, uint32_t most_s)
{
    uint32_t next_s = to_s < most_s ? to_s : most_s;
    if (next_s > device->interval_s)
        device->interval_s = next_s;
    rest(device);
}

/* RFC 8628 3.5: on lost connections poll less often, for example half as often each time. */
static void back_off(struct device *device, const char *why)
{
    log_event(LOG_DEBUG, "device_poll_failed", "issuer", device->issuer, "detail", why, NULL);
    slow_down(device, device->interval_s * 2, DEVICE_BACKOFF_MAX_S);
}

static void token_answered(struct device *device, const struct fetch_answer *came)
{
    CLEANUP(token_answer_free) struct token_answer *answer = &(struct token_answer){ 0 };
    struct detail detail = { "" };
    if (token_answer_parse(came->body, came->n, answer, &detail)) {
        fail_provider(device, detail.text);
        return;
    }
    switch (answer->kind) {
    case TOKEN_ANSWER_TOKEN:
        device->handlers->token(device->owner, device->issuer, answer->id_token, answer->n);
        break;
    case TOKEN_ANSWER_PENDING:
        rest(device);
        break;
    case TOKEN_ANSWER_SLOW_DOWN:
        slow_down(device, device->interval_s + DEVICE_SLOW_DOWN_S, DEVICE_INTERVAL_MAX_S);
        break;
    case TOKEN_ANSWER_REFUSED:
        fail(device, code_refused, detail.text);
        break;
    }
}

static void poll_came(void *owner, const struct fetch_answer *came)
{
    struct device *device = owner;
    device->fetch = NULL;
    if (came->status == 0 || came->status >= HTTP_SERVER_ERRORS)
        back_off(device, came->status ? "the provider has a fault" : came->error);
    else if (came->status == HTTP_TOO_MANY)
        slow_down(device, device->interval_s + DEVICE_SLOW_DOWN_S, DEVICE_INTERVAL_MAX_S);
    else
        token_answered(device, came);
}

static void poll_now(struct device *device)
{
    const Ipc__Variable form[] = {
        field("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        field("device_code", device->answer.device_code),
        field("client_id", device->client_id),
    };
    if (clock_ms() >= device->deadline_ms) {
        fail(device, code_refused, "the code has expired before anybody logged in with it; try again");
        return;
    }
    int r = post(device, device->token_endpoint, form, sizeof form / sizeof form[0], poll_came);
    if (r)
        back_off(device, strerror(-r));
}

/* ---- the code ---- */

static void show_code(struct device *device)
{
    Ipc__DeviceCode code = IPC__DEVICE_CODE__INIT;
    code.uri = device->answer.uri;
    code.code = device->answer.user_code;
    code.complete_uri = device->answer.complete_uri ? device->answer.complete_uri : (char *)(uintptr_t) "";
    code.expires_s = device->answer.expires_s;
    code.issuer = device->issuer;
    device->handlers->code(device->owner, &code);
}

static void code_came(void *owner, const struct fetch_answer *came)
{
    struct device *device = owner;
    struct detail detail = { "" };
    char text[SHOWN_MAX], error[SHOWN_MAX / 2];
    device->fetch = NULL;
    if (came->status != HTTP_OK) {
        if (came->status == 0)
            (void)snprintf(text, sizeof text, "can't be reached for a device login: %.200s", came->error);
        else if (document_error(came->body, came->n, error, sizeof error))
            (void)snprintf(text, sizeof text, "refuses device logins (%s)", error);
        else
            (void)snprintf(text, sizeof text, "answered HTTP status %u to a device login", came->status);
        fail_provider(device, text);
        return;
    }
    if (device_answer_parse(came->body, came->n, &device->answer, &detail)) {
        fail_provider(device, detail.text);
        return;
    }
    if (device->answer.expires_s > DEVICE_LIFE_MAX_MS / 1000)
        device->answer.expires_s = DEVICE_LIFE_MAX_MS / 1000;
    device->deadline_ms = clock_ms() + (uint64_t)device->answer.expires_s * 1000;
    device->interval_s = device->answer.interval_s ? device->answer.interval_s : DEVICE_INTERVAL_S;
    if (device->interval_s > DEVICE_INTERVAL_MAX_S)
        device->interval_s = DEVICE_INTERVAL_MAX_S;
    rest(device); /* first: the handler may free us */
    show_code(device);
}

static void endpoints_came(void *owner, const struct provider_endpoints *endpoints, const char *why)
{
    struct device *device = owner;
    const Ipc__Variable form[] = { field("client_id", device->client_id), field("scope", device->scopes) };
    device->wait = NULL;
    if (!endpoints) {
        fail(device, code_unreachable, why);
        return;
    }
    device->token_endpoint = strdup(endpoints->token);
    int r = device->token_endpoint
                ? post(device, endpoints->device_authorization, form, sizeof form / sizeof form[0], code_came)
                : -ENOMEM;
    if (r)
        fail(device, code_unreachable, strerror(-r));
}

static void due(void *owner)
{
    struct device *device = owner;
    if (device->answer.device_code) {
        poll_now(device);
        return;
    }
    struct provider *provider = providers_find(device->providers, device->issuer);
    if (provider) {
        /* Not into the device itself: it may be gone when this returns. */
        struct provider_wait *wait = NULL;
        device->wait = NULL;
        provider_endpoints(provider, endpoints_came, device, &wait);
        if (wait)
            device->wait = wait;
    } else {
        fail(device, code_unreachable, "the configuration has just changed; try again");
    }
}

/* ---- the start ---- */

static bool offers_logins(const struct provider *provider)
{
    return provider_issuer(provider)->client_id[0];
}

/* "a, b or c" of those that offer device logins. */
static size_t list_names(struct providers *providers, char *out, size_t size)
{
    const struct provider *provider;
    size_t n = 0, at = 0;
    out[0] = 0;
    for (size_t i = 0; (provider = providers_at(providers, i)); i++) {
        if (!offers_logins(provider))
            continue;
        int more = snprintf(out + at, size - at, "%s%s", n ? ", " : "", provider_issuer(provider)->name);
        at = more > 0 && at + (size_t)more < size ? at + (size_t)more : size - 1;
        n++;
    }
    return n;
}

static const Ipc__Issuer *choose(struct providers *providers, const char *name, struct detail *detail)
{
    char names[NAMES_MAX], shown[SHOWN_MAX / 4];
    size_t n = list_names(providers, names, sizeof names);
    const struct provider *provider, *found = NULL;
    for (size_t i = 0; (provider = providers_at(providers, i)); i++)
        if (offers_logins(provider) && (!name[0] || strcmp(provider_issuer(provider)->name, name) == 0))
            found = provider;
    if (found && (name[0] || n == 1))
        return provider_issuer(found);
    (void)text_escape(shown, sizeof shown, name, strlen(name), false);
    if (n == 0)
        detail_set(detail, "no issuer here offers logins in a browser; send a token on stdin");
    else if (name[0])
        detail_set(detail, "no issuer \"%s\" offers logins in a browser; name one of: %s", shown, names);
    else
        detail_set(detail, "there are several ways to log in; name one of: %s", names);
    return NULL;
}

/* Joined by blanks, malloc'ed. */
static char *join_scopes(const Ipc__Issuer *issuer)
{
    struct buffer out;
    buffer_init(&out, SCOPES_MAX);
    int r = issuer->n_scopes ? 0 : buffer_printf(&out, "%s", default_scopes);
    for (size_t i = 0; i < issuer->n_scopes && r == 0; i++)
        r = buffer_printf(&out, "%s%s", i ? " " : "", issuer->scopes[i]);
    if (r == 0)
        r = buffer_put_u8(&out, 0);
    char *joined = r == 0 ? strdup((const char *)buffer_head(&out)) : NULL;
    buffer_free(&out);
    return joined;
}

int device_start(struct loop *loop, struct fetcher *fetcher, struct providers *providers, const char *name,
                 const struct device_handlers *handlers, void *owner, struct device **ret,
                 struct detail *detail)
{
    const Ipc__Issuer *issuer = choose(providers, name, detail);
    if (!issuer)
        return -EINVAL;
    CLEANUP(device_free) struct device *device = calloc(1, sizeof *device);
    if (!device)
        return -ENOMEM;
    *device = (struct device){
        .loop = loop, .fetcher = fetcher, .providers = providers, .handlers = handlers, .owner = owner
    };
    device->issuer = strdup(issuer->name);
    device->client_id = strdup(issuer->client_id);
    device->scopes = join_scopes(issuer);
    if (!device->issuer || !device->client_id || !device->scopes)
        return -ENOMEM;
    int r = timer_new(loop, due, device, &device->timer);
    if (r)
        return r;
    timer_set(device->timer, 0);
    *ret = STEAL(device);
    return 0;
}
