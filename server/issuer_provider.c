/* A provider's two documents, discovery and JWKS, are fetched one after the other when somebody needs what is
 * not there or too old; all who wait meanwhile share that one fetch. Nothing is fetched more than once in
 * PROVIDER_REFRESH_MS because of what a client sends, nor after a failure, so nobody can make us knock at a
 * provider's door again and again. What was fetched serves on for a day when the provider can't be reached.
 */
#include "server/issuer_provider_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { WELL_KNOWN_MAX = 2048, HTTP_OK = 200, SHOWN_MAX = 300 };

/* ---- ages ---- */

static bool is_fresh(const struct age *age)
{
    return age->there && clock_ms() - age->since_ms < age->fresh_ms;
}

/* Of use when there is nothing better. */
static bool is_usable(const struct age *age)
{
    return age->there && clock_ms() - age->since_ms < age->fresh_ms + PROVIDER_STALE_MS;
}

static struct age age_of(const struct fetch_answer *answer)
{
    uint64_t ms = PROVIDER_AGE_MS;
    if (answer->max_age_s > PROVIDER_AGE_MAX_MS / 1000)
        ms = PROVIDER_AGE_MAX_MS;
    else if (answer->max_age_s > 0)
        ms = answer->max_age_s * 1000;
    if (ms < PROVIDER_AGE_MIN_MS)
        ms = PROVIDER_AGE_MIN_MS;
    return (struct age){ true, clock_ms(), ms };
}

static bool failed_lately(const struct provider *p)
{
    return p->failed && clock_ms() - p->tried_ms < PROVIDER_REFRESH_MS;
}

static bool refreshed_lately(const struct provider *p)
{
    return p->refreshed && clock_ms() - p->refreshed_ms < PROVIDER_REFRESH_MS;
}

/* ---- waits ---- */

static void wait_free(struct provider_wait *wait)
{
    struct provider *p = wait->provider;
    struct provider_wait **slot = &p->waits;
    while (*slot && *slot != wait)
        slot = &(*slot)->next;
    if (*slot) {
        *slot = wait->next;
        if (!*slot)
            p->last_wait = slot;
    }
    free(wait);
}

void provider_forget(struct provider_wait *wait)
{
    if (wait)
        wait_free(wait);
}

static void tell_keys(const struct provider *p, bool refresh, provider_keys_handler *handler, void *owner)
{
    const char *why = p->why.text[0] ? p->why.text : "its keys have not been fetched";
    if (p->own)
        handler(owner, p->own, NULL);
    else if (is_usable(&p->keys_age) && !(refresh && p->failed))
        handler(owner, p->keys, NULL);
    else
        handler(owner, NULL, why);
}

static void tell_endpoints(const struct provider *p, provider_endpoints_handler *handler, void *owner)
{
    struct provider_endpoints found = { p->discovery.device_authorization, p->discovery.token };
    if (!is_usable(&p->discovery_age))
        handler(owner, NULL, p->why.text);
    else if (!found.device_authorization || !found.token)
        handler(owner, NULL, "the provider offers no device login (RFC 8628)");
    else
        handler(owner, &found, NULL);
}

static void tell(struct provider_wait *wait)
{
    struct provider_wait copy = *wait;
    wait_free(wait);
    if (copy.want == WANT_KEYS)
        tell_keys(copy.provider, copy.refresh, copy.keys, copy.owner);
    else
        tell_endpoints(copy.provider, copy.endpoints, copy.owner);
}

static struct provider_wait *first_due(const struct provider *p)
{
    struct provider_wait *wait = p->waits;
    while (wait && !wait->due)
        wait = wait->next;
    return wait;
}

/* In the order in which they came. Whoever asks again from inside of its handler waits for the next fetch. */
static void tell_all(struct provider *p, bool endpoints_only)
{
    struct provider_wait *wait;
    for (wait = p->waits; wait; wait = wait->next)
        wait->due = !endpoints_only || wait->want == WANT_ENDPOINTS;
    while ((wait = first_due(p)))
        tell(wait);
}

/* The provider takes its time: who can do with older keys gets them. Those who wait because these lack a kid
 * wait on, and so does the fetch. */
static void patience_over(void *owner)
{
    struct provider *p = owner;
    struct provider_wait *wait;
    for (wait = p->waits; wait; wait = wait->next)
        wait->due = wait->want == WANT_KEYS && !wait->refresh && is_usable(&p->keys_age);
    while ((wait = first_due(p)))
        tell(wait);
}

static int wait_new(struct provider *p, struct provider_wait what, struct provider_wait **ret)
{
    struct provider_wait *wait = malloc(sizeof *wait);
    if (!wait)
        return -ENOMEM;
    *wait = what;
    wait->provider = p;
    wait->next = NULL;
    *p->last_wait = wait;
    p->last_wait = &wait->next;
    *ret = wait;
    return 0;
}

/* ---- fetching ---- */

static void start_jwks(struct provider *p);

static void be_idle(struct provider *p)
{
    timer_stop(p->patience);
    p->phase = PHASE_IDLE;
    p->tried_ms = clock_ms();
}

/* Logged once per change, not per login. */
static void note_failure(struct provider *p, const char *what)
{
    struct detail before = p->why;
    detail_set(&p->why, "provider %s %s", p->issuer->name, what);
    if (!p->failed || strcmp(before.text, p->why.text) != 0)
        log_event(LOG_WARNING, "provider_unreachable", "issuer", p->issuer->name, "detail", what, "keys",
                  is_usable(&p->keys_age) ? "those fetched before serve on" : "none", NULL);
    p->failed = true;
    be_idle(p);
    tell_all(p, false);
}

static void note_success(struct provider *p)
{
    if (p->failed)
        log_event(LOG_INFO, "provider_reachable", "issuer", p->issuer->name, NULL);
    p->failed = false;
    p->why.text[0] = 0;
    be_idle(p);
    tell_all(p, false);
}

/* What is wrong with an answer, in `out`; false when it is a document. */
static bool is_refused(const struct fetch_answer *answer, const char *what, char *out, size_t size)
{
    if (answer->status == HTTP_OK)
        return false;
    if (answer->status)
        (void)snprintf(out, size, "answered HTTP status %u for its %s", answer->status, what);
    else
        (void)snprintf(out, size, "can't be reached for its %s: %s", what, answer->error);
    return true;
}

static int begin(struct provider *p, const char *url, fetch_handler *handler)
{
    struct fetch_what what = { .issuer = p->issuer->name, .url = url, .timeout_ms = PROVIDER_FETCH_MS };
    return fetch_new(p->all->fetcher, &what, handler, p, &p->fetch);
}

static void jwks_came(void *owner, const struct fetch_answer *answer)
{
    struct provider *p = owner;
    CLEANUP(jwks_free) struct jwks *keys = NULL;
    struct detail detail = { "" };
    char fault[DETAIL_MAX];
    p->fetch = NULL;
    if (is_refused(answer, "keys", fault, sizeof fault)) {
        p->discovery_age.fresh_ms = 0; /* they may have moved */
        note_failure(p, fault);
        return;
    }
    if (jwks_parse(answer->body, answer->n, &keys, &detail)) {
        (void)snprintf(fault, sizeof fault, "gave no usable keys: the JWKS: %.*s", SHOWN_MAX, detail.text);
        note_failure(p, fault);
        return;
    }
    jwks_free(p->keys);
    p->keys = STEAL(keys);
    p->keys_age = age_of(answer);
    note_success(p);
}

static void discovery_came(void *owner, const struct fetch_answer *answer)
{
    struct provider *p = owner;
    struct discovery found = { 0 };
    struct detail detail = { "" };
    char fault[DETAIL_MAX];
    p->fetch = NULL;
    if (is_refused(answer, "discovery document", fault, sizeof fault)) {
        note_failure(p, fault);
        return;
    }
    if (discovery_parse(answer->body, answer->n, p->issuer->issuer, &found, &detail)) {
        note_failure(p, detail.text[0] ? detail.text : strerror(ENOMEM));
        return;
    }
    discovery_free(&p->discovery);
    p->discovery = found;
    p->discovery_age = age_of(answer);
    if (p->wants_keys) {
        p->phase = PHASE_JWKS;
        tell_all(p, true);
        start_jwks(p);
    } else {
        note_success(p);
    }
}

static void start_jwks(struct provider *p)
{
    p->phase = PHASE_JWKS;
    int r = begin(p, p->discovery.jwks_uri, jwks_came);
    if (r)
        note_failure(p, strerror(-r));
}

static void start_discovery(struct provider *p)
{
    const char *issuer = p->issuer->issuer;
    int n = (int)strlen(issuer);
    char url[WELL_KNOWN_MAX];
    p->phase = PHASE_DISCOVERY;
    if (n > 0 && issuer[n - 1] == '/') /* OpenID Connect Discovery 4.1 */
        n--;
    int length = snprintf(url, sizeof url, "%.*s/.well-known/openid-configuration", n, issuer);
    int r = strncmp(issuer, "https://", 8) == 0 && length < (int)sizeof url ? begin(p, url, discovery_came)
                                                                            : -EINVAL;
    if (r)
        note_failure(p, r == -EINVAL ? "has no https URL to discover it by" : strerror(-r));
}

/* Nothing is under way. May be through, by failure, when it returns. */
static void start(struct provider *p, bool keys)
{
    p->wants_keys = keys;
    p->started_ms = clock_ms();
    timer_set(p->patience, PROVIDER_PATIENCE_MS);
    if (keys && is_fresh(&p->discovery_age))
        start_jwks(p);
    else
        start_discovery(p);
}

/* ---- asking ---- */

static bool is_waiting(const struct provider *p, const struct provider_wait *wait)
{
    const struct provider_wait *found = p->waits;
    while (found && found != wait)
        found = found->next;
    return found;
}

void provider_keys(struct provider *p, bool refresh, provider_keys_handler *handler, void *owner,
                   struct provider_wait **ret_wait)
{
    struct provider_wait what = { .want = WANT_KEYS, .refresh = refresh, .keys = handler, .owner = owner };
    *ret_wait = NULL;
    bool is_coming = p->phase != PHASE_IDLE;
    bool is_needed = refresh ? is_coming || !refreshed_lately(p) : !is_fresh(&p->keys_age);
    bool is_late = is_coming && clock_ms() - p->started_ms >= PROVIDER_PATIENCE_MS;
    if (is_late && !refresh && is_usable(&p->keys_age))
        is_needed = false;
    if (p->own || !is_needed || (!is_coming && failed_lately(p))) {
        tell_keys(p, refresh, handler, owner);
        return;
    }
    if (wait_new(p, what, ret_wait)) {
        handler(owner, NULL, strerror(ENOMEM));
        return;
    }
    if (refresh && !is_coming) {
        p->refreshed = true;
        p->refreshed_ms = clock_ms();
    }
    if (is_coming)
        p->wants_keys = true;
    else
        start(p, true);
    if (!is_waiting(p, *ret_wait))
        *ret_wait = NULL; /* it failed at once */
}

void provider_endpoints(struct provider *p, provider_endpoints_handler *handler, void *owner,
                        struct provider_wait **ret_wait)
{
    struct provider_wait what = { .want = WANT_ENDPOINTS, .endpoints = handler, .owner = owner };
    *ret_wait = NULL;
    bool is_coming = p->phase == PHASE_DISCOVERY;
    bool may_start = p->phase == PHASE_IDLE && !failed_lately(p);
    if (is_fresh(&p->discovery_age) || !(is_coming || may_start)) {
        tell_endpoints(p, handler, owner);
        return;
    }
    if (wait_new(p, what, ret_wait)) {
        handler(owner, NULL, strerror(ENOMEM));
        return;
    }
    if (!is_coming)
        start(p, false);
    if (!is_waiting(p, *ret_wait))
        *ret_wait = NULL;
}

const Ipc__Issuer *provider_issuer(const struct provider *p)
{
    return p->issuer;
}

/* ---- one provider's life ---- */

void provider_free(struct provider *p)
{
    if (!p)
        return;
    while (p->waits)
        wait_free(p->waits);
    fetch_free(p->fetch);
    timer_free(p->patience);
    jwks_free(p->own);
    jwks_free(p->keys);
    discovery_free(&p->discovery);
    if (p->issuer)
        ipc__issuer__free_unpacked(p->issuer, NULL);
    free(p->packed);
    free(p);
}
static int copy_issuer(struct provider *p, const Ipc__Issuer *issuer)
{
    p->packed_n = ipc__issuer__get_packed_size(issuer);
    p->packed = malloc(p->packed_n + 1);
    if (!p->packed)
        return -ENOMEM;
    (void)ipc__issuer__pack(issuer, p->packed);
    p->issuer = ipc__issuer__unpack(NULL, p->packed_n, p->packed);
    return p->issuer ? 0 : -ENOMEM;
}

int provider_new(struct providers *all, const Ipc__Issuer *issuer, struct provider **ret,
                 struct detail *detail)
{
    CLEANUP(provider_free) struct provider *p = calloc(1, sizeof *p);
    struct detail fault = { "" };
    if (!p)
        return -ENOMEM;
    p->all = all;
    p->last_wait = &p->waits;
    int r = copy_issuer(p, issuer);
    if (r == 0)
        r = timer_new(all->loop, patience_over, p, &p->patience);
    if (r == 0 && issuer->jwks[0]) {
        r = jwks_parse(issuer->jwks, strlen(issuer->jwks), &p->own, &fault);
        if (r)
            r = detail_fail(detail, r < 0 ? r : -EINVAL, "issuer %s: the JWKS: %s", issuer->name,
                            fault.text[0] ? fault.text : strerror(ENOMEM));
    }
    if (r)
        return r;
    *ret = STEAL(p);
    return 0;
}

void provider_prefetch(struct provider *p, bool anew)
{
    if (p->own || p->phase != PHASE_IDLE || is_fresh(&p->keys_age))
        return;
    if (anew || !failed_lately(p))
        start(p, true);
}

void provider_retire(struct provider *p)
{
    jwks_free(STEAL(p->keys));
    jwks_free(STEAL(p->own));
    p->keys_age.there = p->discovery_age.there = false;
    detail_set(&p->why, "the configuration of issuer %s has just changed; try again", p->issuer->name);
    p->failed = true; /* nobody starts anything any more */
    p->tried_ms = clock_ms();
    p->phase = PHASE_IDLE;
    tell_all(p, false);
    provider_free(p);
}
