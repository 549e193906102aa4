/* A queue for each webhook, in memory. One message of a webhook is under way at a time, so that they arrive
 * in their order, and the next is sent when the one before was taken or given up. A webhook that does not
 * answer holds up nobody but itself: neither another webhook nor the one who tells.
 *
 * A message is given up when it is NOTIFY_AGE_MAX_MS old, when the server, asked several times, wants it no
 * more than before, or when there are too many behind it. How it stands with a webhook is logged when that
 * changes; its URL is not, since it is often as good as a password. */
#include "replay/notify.h"

#include <errno.h>
#include <fnmatch.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "replay/notify_body.h"
#include "replay/notify_key.h"
#include "replay/notify_limits.h"

struct message {
    struct message *next;
    char id[NOTIFY_ID + 1];
    const char *event; /* one of EVENTS */
    uint8_t *body;
    size_t n;
    uint64_t since_ms; /* monotonic */
    unsigned tries;
};

enum hook_state {
    HOOK_READY,   /* the first message, if there is one, goes out as soon as there is a courier */
    HOOK_SENT,    /* it is with the courier; the timer is the limit */
    HOOK_RESTING, /* it failed; the timer is when it is sent again */
};

struct hook {
    struct notifier *notifier;
    const Ipc__Notify *text; /* of the configuration; borrowed */
    struct notify_key *key;
    struct message *first, *last;
    size_t n;
    enum hook_state state;
    uint32_t request; /* HOOK_SENT: its number */
    struct timer *timer;
    bool failing;     /* logged */
    bool key_missing; /* logged */
    uint64_t dropped;
};

struct notifier {
    struct loop *loop;
    const Ipc__Config *config; /* borrowed */
    struct ipc_peer *courier;  /* NULL: none at the moment */
    struct hook *hooks[NOTIFY_WEBHOOKS_MAX];
    size_t n_hooks;
    size_t bytes; /* of all messages */
    uint32_t last_request;
};

static void pump(struct hook *hook);

/* ---- the log ---- */

/* HOST[:PORT] of the URL. */
static void name_of(const struct hook *hook, char out[80])
{
    const char *host = strstr(hook->text->webhook, "://");
    host = host ? host + 3 : hook->text->webhook;
    (void)text_escape(out, 80, host, strcspn(host, "/?"), false);
}

static void log_hook(enum log_level level, const char *event, const struct hook *hook, const char *detail)
{
    char name[80];
    name_of(hook, name);
    log_event(level, event, "webhook", name, "line", U64(hook->text->line), "waiting", U64(hook->n), "detail",
              detail, NULL);
}

/* ---- messages ---- */

static void message_free(struct message *message)
{
    if (message->body)
        explicit_bzero(message->body, message->n); /* it may have a statement */
    free(message->body);
    free(message);
}

static void drop_first(struct hook *hook)
{
    struct message *message = hook->first;
    hook->first = message->next;
    if (!hook->first)
        hook->last = NULL;
    hook->n--;
    hook->notifier->bytes -= message->n;
    message_free(message);
}

/* The oldest one that nobody has in hand; false: there is none. */
static bool drop_oldest(struct hook *hook)
{
    if (!hook->first)
        return false;
    if (hook->state != HOOK_SENT) {
        drop_first(hook);
        return true;
    }
    struct message *message = hook->first->next;
    if (!message)
        return false;
    hook->first->next = message->next;
    if (!hook->first->next)
        hook->last = hook->first;
    hook->n--;
    hook->notifier->bytes -= message->n;
    message_free(message);
    return true;
}

/* The 1st, 2nd, 4th, 8th … one that is given up is logged. */
static void count_dropped(struct hook *hook, const char *why)
{
    hook->dropped++;
    if ((hook->dropped & (hook->dropped - 1)) == 0)
        log_hook(LOG_ERROR, "notification_dropped", hook, why);
}

static bool make_room(struct hook *hook, size_t n)
{
    while (hook->n >= NOTIFY_WAITING_MAX || hook->notifier->bytes + n > NOTIFY_BYTES_MAX) {
        count_dropped(hook, "too many notifications wait");
        if (!drop_oldest(hook))
            return false;
    }
    return true;
}

static void drop_old(struct hook *hook)
{
    uint64_t now = clock_ms();
    while (hook->state == HOOK_READY && hook->first && now - hook->first->since_ms > NOTIFY_AGE_MAX_MS) {
        count_dropped(hook, "it was too old");
        drop_first(hook);
    }
}

/* ---- what became of one ---- */

/* A half of the wait is by chance, so that those who failed together do not come back together. */
static uint64_t rest_ms(unsigned tries)
{
    uint64_t whole = NOTIFY_REST_MIN_MS;
    for (unsigned i = 1; i < tries && whole < NOTIFY_REST_MAX_MS; i++)
        whole *= 2;
    if (whole > NOTIFY_REST_MAX_MS)
        whole = NOTIFY_REST_MAX_MS;
    return whole / 2 + randombytes_uniform((uint32_t)(whole / 2) + 1);
}

static void rest(struct hook *hook)
{
    hook->state = HOOK_RESTING;
    timer_set(hook->timer, rest_ms(hook->first->tries));
}

static bool is_success(uint32_t status)
{
    return status >= 200 && status < 300;
}

/* The same message again would most likely be answered in the same way (RFC 9110 §15.5). */
static bool is_refusal(uint32_t status)
{
    return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

static void succeed(struct hook *hook)
{
    if (hook->failing)
        log_hook(LOG_INFO, "webhook_answers", hook, NULL);
    hook->failing = false;
    drop_first(hook);
    hook->state = HOOK_READY;
}

static void fail(struct hook *hook, uint32_t status, const char *error)
{
    char words[64];
    (void)snprintf(words, sizeof words, "HTTP status %u", (unsigned)status);
    hook->first->tries++;
    if (!hook->failing)
        log_hook(LOG_WARNING, "webhook_failed", hook, status ? words : error);
    hook->failing = true;
    unsigned max = is_refusal(status) ? NOTIFY_REFUSED_TRIES : NOTIFY_ANSWERED_TRIES;
    if (status && hook->first->tries >= max) {
        count_dropped(hook, words);
        drop_first(hook);
        hook->state = HOOK_READY;
        return;
    }
    rest(hook);
}

static void outcome(struct hook *hook, uint32_t status, const char *error)
{
    timer_stop(hook->timer);
    hook->request = 0;
    if (is_success(status))
        succeed(hook);
    else
        fail(hook, status, error);
    pump(hook);
}

static void timer_fired(void *owner)
{
    struct hook *hook = owner;
    if (hook->state == HOOK_SENT) {
        outcome(hook, 0, "the courier did not answer");
        return;
    }
    hook->state = HOOK_READY;
    pump(hook);
}

/* ---- sending ---- */

static void read_key(struct hook *hook)
{
    struct detail detail = { "" };
    if (notify_key_read(hook->notifier->config->state, hook->text->secret, &hook->key, &detail) == 0) {
        hook->key_missing = false;
        return;
    }
    if (!hook->key_missing)
        log_hook(LOG_ERROR, "webhook_key_unreadable", hook, detail.text);
    hook->key_missing = true;
}

static Ipc__Variable header(const char *name, const char *value)
{
    Ipc__Variable variable = IPC__VARIABLE__INIT;
    variable.name = (char *)(uintptr_t)name;
    variable.value = (char *)(uintptr_t)value;
    return variable;
}

static void send_first(struct hook *hook)
{
    struct notifier *notifier = hook->notifier;
    struct message *first = hook->first;
    char signature[NOTIFY_SIGNATURE];
    Ipc__Variable all[3] = { header("Gatehouse-Event", first->event),
                             header("Gatehouse-Delivery", first->id) };
    Ipc__Variable *headers[] = { &all[0], &all[1], &all[2] };
    Ipc__Post post = IPC__POST__INIT;
    Ipc__Message message = IPC_MESSAGE(POST, post, &post);
    if (++notifier->last_request == 0)
        notifier->last_request = 1;
    hook->request = notifier->last_request;
    hook->state = HOOK_SENT;
    post.request = hook->request;
    post.url = hook->text->webhook;
    post.body.data = first->body;
    post.body.len = first->n;
    post.headers = headers;
    post.n_headers = 2;
    post.timeout_ms = NOTIFY_POST_MS;
    if (hook->key)
        all[post.n_headers++] = header("Gatehouse-Signature", notify_sign(hook->key, clock_unix_ms() / 1000,
                                                                          first->body, first->n, signature));
    timer_set(hook->timer, NOTIFY_POST_MS + NOTIFY_GRACE_MS);
    (void)ipc_peer_send(notifier->courier, &message, NULL, 0); /* a failure comes back by courier_gone */
}

/* What should be signed does not go out without. */
static void pump(struct hook *hook)
{
    drop_old(hook);
    if (hook->state != HOOK_READY || !hook->first || !hook->notifier->courier)
        return;
    if (hook->text->secret[0] && !hook->key)
        read_key(hook);
    if (hook->text->secret[0] && !hook->key) {
        hook->state = HOOK_RESTING;
        timer_set(hook->timer, NOTIFY_KEY_MS);
        return;
    }
    send_first(hook);
}

/* ---- the courier ---- */

static int on_posted(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct notifier *notifier = owner;
    const Ipc__Posted *posted = message->posted;
    (void)fds, (void)n_fds;
    for (size_t i = 0; i < notifier->n_hooks; i++) {
        struct hook *hook = notifier->hooks[i];
        if (hook->state != HOOK_SENT || hook->request != posted->request)
            continue;
        outcome(hook, posted->status, posted->error);
        break;
    }
    return 0; /* an answer that nobody waits for any more came too late */
}

static void drop_courier(struct notifier *notifier)
{
    ipc_peer_free(STEAL(notifier->courier));
    for (size_t i = 0; i < notifier->n_hooks; i++)
        if (notifier->hooks[i]->state == HOOK_SENT)
            outcome(notifier->hooks[i], 0, "the courier was lost");
}

static void courier_gone(void *owner, const char *reason)
{
    (void)reason; /* the listener logs ends of processes */
    drop_courier(owner);
}

void notifier_link(struct notifier *notifier, int fd)
{
    static const struct ipc_rule rules[] = {
        { .body = IPC__MESSAGE__BODY_POSTED, .states = 1, .handle = on_posted },
    };
    drop_courier(notifier);
    int r = ipc_peer_new(notifier->loop, fd, "courier", rules, sizeof rules / sizeof *rules, courier_gone,
                         notifier, &notifier->courier);
    if (r)
        log_event(LOG_ERROR, "courier_not_linked", "detail", strerror(-r), NULL);
    for (size_t i = 0; i < notifier->n_hooks; i++)
        pump(notifier->hooks[i]);
}

/* ---- the configuration ---- */

static void hook_free(struct hook *hook)
{
    if (!hook)
        return;
    while (hook->first)
        drop_first(hook);
    timer_free(hook->timer);
    notify_key_free(hook->key);
    free(hook);
}

static struct hook *hook_new(struct notifier *notifier)
{
    struct hook *hook = calloc(1, sizeof *hook);
    if (!hook)
        return NULL;
    hook->notifier = notifier;
    if (timer_new(notifier->loop, timer_fired, hook, &hook->timer)) {
        free(hook);
        return NULL;
    }
    return hook;
}

/* Takes the one of this URL out of a list; NULL: there is none. */
static struct hook *take_hook(struct hook **hooks, size_t n, const char *url)
{
    for (size_t i = 0; i < n; i++)
        if (hooks[i] && strcmp(hooks[i]->text->webhook, url) == 0)
            return STEAL(hooks[i]);
    return NULL;
}

void notifier_config(struct notifier *notifier, const Ipc__Config *config)
{
    struct hook *before[NOTIFY_WEBHOOKS_MAX];
    size_t n_before = notifier->n_hooks;
    memcpy(before, notifier->hooks, sizeof before);
    notifier->config = config;
    notifier->n_hooks = 0;
    for (size_t i = 0; i < config->n_notify && i < NOTIFY_WEBHOOKS_MAX; i++) {
        struct hook *hook = take_hook(before, n_before, config->notify[i]->webhook);
        if (!hook)
            hook = hook_new(notifier);
        if (!hook) {
            log_event(LOG_ERROR, "webhook_not_taken", "line", U64(config->notify[i]->line), NULL);
            continue;
        }
        hook->text = config->notify[i];
        notify_key_free(STEAL(hook->key)); /* it may have changed: read again when it is needed */
        notifier->hooks[notifier->n_hooks++] = hook;
    }
    for (size_t i = 0; i < n_before; i++)
        hook_free(before[i]);
    for (size_t i = 0; i < notifier->n_hooks; i++)
        pump(notifier->hooks[i]);
}

int notifier_new(struct loop *loop, const Ipc__Config *config, struct notifier **ret)
{
    struct notifier *notifier = sodium_init() < 0 ? NULL : calloc(1, sizeof *notifier);
    if (!notifier)
        return -ENOMEM;
    notifier->loop = loop;
    notifier_config(notifier, config);
    *ret = notifier;
    return 0;
}

void notifier_free(struct notifier *notifier)
{
    if (!notifier)
        return;
    for (size_t i = 0; i < notifier->n_hooks; i++) {
        if (notifier->hooks[i]->n)
            log_hook(LOG_WARNING, "notifications_lost", notifier->hooks[i], NULL);
        hook_free(notifier->hooks[i]);
    }
    ipc_peer_free(notifier->courier);
    free(notifier);
}

/* ---- telling ---- */

static const char *const EVENTS[] = { "approval_requested", "approval_decided" };

/* The same word as a static string; NULL: there is no such event. */
static const char *event_of(const char *event)
{
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++)
        if (strcmp(EVENTS[i], event) == 0)
            return EVENTS[i];
    return NULL;
}

static bool wants(const Ipc__Notify *webhook, const struct notification *what)
{
    bool event = false, target = webhook->n_targets == 0;
    for (size_t i = 0; i < webhook->n_events; i++)
        event = event || strcmp(webhook->events[i], what->event) == 0;
    for (size_t i = 0; i < webhook->n_targets && what->target; i++)
        target = target || fnmatch(webhook->targets[i], what->target, 0) == 0;
    return event && target;
}

static struct message *message_new(const struct hook *hook, const struct notification *what, const char *id,
                                   uint64_t at_ms)
{
    struct message *message = calloc(1, sizeof *message);
    struct buffer body;
    if (!message)
        return NULL;
    if (notify_body(hook->text, what, id, at_ms, &body)) {
        free(message);
        return NULL;
    }
    message->n = buffer_size(&body);
    message->body = malloc(message->n);
    if (message->body)
        memcpy(message->body, buffer_head(&body), message->n);
    explicit_bzero(body.data, body.capacity);
    buffer_free(&body);
    if (!message->body) {
        free(message);
        return NULL;
    }
    (void)snprintf(message->id, sizeof message->id, "%s", id);
    message->event = event_of(what->event);
    message->since_ms = clock_ms();
    return message;
}

static void queue(struct hook *hook, const struct notification *what, const char *id, uint64_t at_ms)
{
    struct message *message = message_new(hook, what, id, at_ms);
    if (!message) {
        count_dropped(hook, "out of memory");
        return;
    }
    if (!make_room(hook, message->n)) {
        message_free(message);
        return;
    }
    if (hook->last)
        hook->last->next = message;
    else
        hook->first = message;
    hook->last = message;
    hook->n++;
    hook->notifier->bytes += message->n;
    pump(hook);
}

void notify_event(struct notifier *notifier, const struct notification *what)
{
    uint8_t random[NOTIFY_ID / 2];
    char id[NOTIFY_ID + 1];
    uint64_t at_ms = what->at_ms ? what->at_ms : clock_unix_ms();
    if (!event_of(what->event)) {
        log_event(LOG_ERROR, "notification_unknown", "event", what->event, NULL);
        return;
    }
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(id, sizeof id, random, sizeof random);
    for (size_t i = 0; i < notifier->n_hooks; i++)
        if (wants(notifier->hooks[i]->text, what))
            queue(notifier->hooks[i], what, id, at_ms);
}
