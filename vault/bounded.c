/* One connector at a time fetches for a target, whoever waits; it is nobody's session, so it does not end
 * with the one that asked first. A token is for a credential and a configuration: when the entry is replaced
 * or removed, or the configuration is read again, the next login asks for another token. What sessions hold
 * by then dies by itself, within the token's lifetime. */
#include "vault/bounded.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "vault/audit.h"
#include "vault/errand_parts.h"

enum { MARK = 32 };

struct bounded {
    struct bounded *next;
    struct vault *vault;
    char *target, *account; /* its name; NAMESPACE/NAME of whom the token is */
    uint8_t mark[MARK];     /* of the credential that it was or is being fetched with */
    struct secret *token;   /* or NULL */
    uint64_t until_ms;      /* monotonic: when it begins no more requests */
    /* while it is fetched */
    struct ipc_peer *peer;
    struct timer *timer;
    uint64_t connection, started_ms;
    bool outdated; /* the configuration has changed since */
    struct errand *waiting;
};

static void mark_of(const struct secret *credential, uint8_t out[MARK])
{
    (void)crypto_generichash(out, MARK, secret_bytes(credential), secret_size(credential), NULL, 0);
}

static void forget_token(struct bounded *bounded)
{
    secret_free(STEAL(bounded->token));
}

static void bounded_free(struct bounded *bounded)
{
    if (!bounded)
        return;
    ipc_peer_free(bounded->peer);
    timer_free(bounded->timer);
    secret_free(bounded->token);
    free(bounded->target);
    free(bounded->account);
    free(bounded);
}
DEFINE_CLEANUP(struct bounded *, bounded_free)

/* ---- who waits ---- */

void bounded_wait(struct bounded *bounded, struct errand *errand)
{
    errand->bounded = bounded;
    errand->also = bounded->waiting;
    bounded->waiting = errand;
}

void bounded_forget(struct bounded *bounded, struct errand *errand)
{
    if (!bounded)
        return;
    for (struct errand **at = &bounded->waiting; *at; at = &(*at)->also)
        if (*at == errand) {
            *at = errand->also;
            break;
        }
    errand->bounded = NULL;
    errand->also = NULL;
}

/* Each of them goes its way, with the token or without. */
static void release(struct bounded *bounded, const char *fault)
{
    struct errand *errand;
    uint64_t usable = 0;
    const struct secret *token = fault ? NULL : bounded_token(bounded, &usable);

    while ((errand = bounded->waiting)) {
        bounded_forget(bounded, errand);
        if (token)
            errand_go_on(errand, token, usable);
        else
            errand_give_up(errand, fault ? fault : "the token's lifetime is over");
    }
}

/* ---- fetching ---- */

static void log_end(const struct bounded *bounded, uint64_t lifetime_ms, const char *fault)
{
    char lifetime[24];

    log_event(fault ? LOG_WARNING : LOG_INFO, "target_token", "connection", U64(bounded->connection),
              "target", bounded->target, "service_account", bounded->account, "outcome",
              fault ? "failed" : "ok", "lifetime", fault ? NULL : text_duration(lifetime, lifetime_ms), "ms",
              U64(clock_ms() - bounded->started_ms), "detail", fault, NULL);
}

/* lifetime_ms counts from before the request, so it never ends too late. */
static const char *take_token(struct bounded *bounded, ProtobufCBinaryData *token, uint64_t lifetime_ms)
{
    if (token->len == 0 || lifetime_ms == 0)
        return "the connector gave no token";
    if (bounded->outdated)
        return "the configuration was read again meanwhile; the next try uses it";
    if (vault_audit(bounded->vault, "target_token", "connection", U64(bounded->connection), "target",
                    bounded->target, "service_account", bounded->account, "lifetime",
                    text_duration((char[24]){ 0 }, lifetime_ms), NULL))
        return "no token is used that is not in the audit chain, and the ledger is away";
    if (secret_take(token->data, token->len, &bounded->token))
        return "out of memory";
    bounded->until_ms = bounded->started_ms + lifetime_ms / 100 * BOUNDED_PERCENT;
    return NULL;
}

static void unlist(struct bounded *bounded)
{
    for (struct bounded **at = &bounded->vault->bounded; *at; at = &(*at)->next)
        if (*at == bounded) {
            *at = bounded->next;
            return;
        }
}

static void end_fetch(struct bounded *bounded, const char *fault, uint64_t lifetime_ms)
{
    log_end(bounded, lifetime_ms, fault);
    timer_stop(bounded->timer);
    release(bounded, fault);
    ipc_peer_free(STEAL(bounded->peer));
    if (bounded->outdated) {
        unlist(bounded);
        bounded_free(bounded);
    }
}

static int on_done(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct bounded *bounded = owner;
    Ipc__JobDone *done = message->job_done;
    const char *fault = done->ok ? take_token(bounded, &done->token, done->token_ms) : done->detail;

    (void)fds, (void)n_fds;
    end_fetch(bounded, fault, done->token_ms);
    return 0;
}

static void on_gone(void *owner, const char *reason)
{
    (void)reason;
    end_fetch(owner, "the connector ended without an answer: it crashed, or a name took too long to resolve",
              0);
}

static void on_time(void *owner)
{
    end_fetch(owner, "the connector took too long", 0);
}

static const struct ipc_rule connector_rules[] = {
    { IPC__MESSAGE__BODY_JOB_DONE, 1, true, 0, 0, on_done },
};

static int fetch(struct bounded *bounded, const Ipc__Target *target, const struct secret *credential,
                 enum sealed_type type)
{
    const struct connector_owner owner = { .rules = connector_rules,
                                           .n_rules = sizeof(connector_rules) / sizeof(connector_rules[0]),
                                           .gone = on_gone,
                                           .owner = bounded,
                                           .connection = bounded->connection };
    Ipc__Job job = IPC__JOB__INIT;
    int r;

    errand_job(&job, target, credential);
    job.vault_type = (char *)(uintptr_t)sealed_type_name(type);
    job.want_token = true;
    bounded->started_ms = clock_ms();
    r = connector_send(bounded->vault, &owner, &job, -1, &bounded->peer);
    if (r)
        ipc_peer_free(STEAL(bounded->peer));
    else
        timer_set(bounded->timer, VAULT_ERRAND_MS + VAULT_ERRAND_GRACE_MS);
    return r;
}

/* ---- tokens ---- */

const struct secret *bounded_token(const struct bounded *bounded, uint64_t *ret_usable_ms)
{
    uint64_t now = clock_ms();

    if (!bounded->token || bounded->until_ms <= now)
        return NULL;
    *ret_usable_ms = bounded->until_ms - now;
    return bounded->token;
}

static struct bounded *find(const struct vault *vault, const char *target)
{
    struct bounded *bounded = vault->bounded;

    while (bounded && strcmp(bounded->target, target) != 0)
        bounded = bounded->next;
    return bounded;
}

static int bounded_new(struct vault *vault, const Ipc__Target *target, struct bounded **ret)
{
    const Ipc__TokenRequest *request = target->token_request;
    size_t n = strlen(request->namespace_) + strlen(request->service_account) + 2;
    CLEANUP(bounded_free) struct bounded *bounded = calloc(1, sizeof(*bounded));

    if (!bounded)
        return -ENOMEM;
    bounded->vault = vault;
    bounded->target = strdup(target->name);
    bounded->account = malloc(n);
    if (!bounded->target || !bounded->account)
        return -ENOMEM;
    (void)snprintf(bounded->account, n, "%s/%s", request->namespace_, request->service_account);
    int r = timer_new(vault->loop, on_time, bounded, &bounded->timer);
    if (r)
        return r;
    bounded->next = vault->bounded;
    vault->bounded = bounded;
    *ret = STEAL(bounded);
    return 0;
}

/* Not long enough for a new connection, or of another credential. */
static bool is_spent(const struct bounded *bounded, const uint8_t mark[MARK])
{
    uint64_t usable = 0;

    return !bounded_token(bounded, &usable) || usable < BOUNDED_LEAST_MS ||
           sodium_memcmp(bounded->mark, mark, MARK) != 0;
}

int bounded_get(struct vault *vault, const Ipc__Target *target, const struct secret *credential,
                enum sealed_type type, uint64_t connection, struct bounded **ret)
{
    struct bounded *bounded = find(vault, target->name);
    uint8_t mark[MARK];
    int r = bounded ? 0 : bounded_new(vault, target, &bounded);

    if (r)
        return r;
    mark_of(credential, mark);
    if (bounded->peer && sodium_memcmp(bounded->mark, mark, MARK) != 0)
        return -EBUSY; /* the entry was replaced just now */
    if (!bounded->peer && is_spent(bounded, mark)) {
        forget_token(bounded);
        memcpy(bounded->mark, mark, MARK);
        bounded->connection = connection;
        r = fetch(bounded, target, credential, type);
    }
    if (!r)
        *ret = bounded;
    return r;
}

/* ---- life ---- */

void bounded_renew(struct vault *vault)
{
    struct bounded **at = &vault->bounded;

    while (*at) {
        struct bounded *bounded = *at;

        forget_token(bounded);
        bounded->outdated = true;
        if (bounded->peer) {
            at = &bounded->next;
            continue;
        }
        *at = bounded->next;
        bounded_free(bounded);
    }
}

void bounded_free_all(struct vault *vault)
{
    while (vault->bounded) {
        struct bounded *next = vault->bounded->next;

        bounded_free(vault->bounded);
        vault->bounded = next;
    }
}
