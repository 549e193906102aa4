/* Requests that go out before there is a courier wait for it; those that a courier took with it into its end
 * have failed. Each has a limit of its own, so whatever the courier does, an answer comes. */
#include "server/issuer_fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "policy/token.h"

struct fetcher {
    struct loop *loop;
    struct ipc_peer *courier; /* NULL: none */
    struct fetch *fetches;    /* list */
    size_t n;
    uint32_t last_request;
    fetcher_linked_handler *linked;
    void *linked_owner;
};

struct fetch {
    struct fetcher *fetcher;
    struct fetch *next;
    struct timer *limit;
    uint32_t request;
    uint8_t *unsent; /* packed Fetch; NULL once it is sent */
    size_t unsent_n;
    fetch_handler *handler;
    void *owner;
};

static void wipe(uint8_t *bytes, size_t n)
{
    if (bytes)
        explicit_bzero(bytes, n); /* a form has a device code, a body a token */
    free(bytes);
}

void fetch_free(struct fetch *fetch)
{
    if (!fetch)
        return;
    struct fetch **slot = &fetch->fetcher->fetches;
    while (*slot && *slot != fetch)
        slot = &(*slot)->next;
    if (*slot) {
        *slot = fetch->next;
        fetch->fetcher->n--;
    }
    timer_free(fetch->limit);
    wipe(fetch->unsent, fetch->unsent_n);
    free(fetch);
}

static void finish(struct fetch *fetch, const struct fetch_answer *answer)
{
    fetch_handler *handler = fetch->handler;
    void *owner = fetch->owner;
    fetch_free(fetch);
    handler(owner, answer);
}

static void fail(struct fetch *fetch, const char *error)
{
    finish(fetch, &(struct fetch_answer){ .error = error, .body = "" });
}

static void limit_reached(void *owner)
{
    struct fetch *fetch = owner;
    fail(fetch, fetch->fetcher->courier ? "the courier did not answer" : "the courier is not there");
}

/* ---- the courier ---- */

static void deliver(struct fetch *fetch, const Ipc__Fetched *fetched, int fd)
{
    struct fetch_answer answer = {
        .status = fetched->status, .error = fetched->error, .max_age_s = fetched->max_age_s, .body = ""
    };
    uint8_t *body = NULL;
    size_t n = 0;
    int r = fetched->status && fd >= 0 ? fd_contents(fd, TOKEN_JWKS_MAX, &body, &n) : 0;
    if (r) {
        fail(fetch, "the courier's answer can't be read");
        return;
    }
    if (body) {
        answer.body = (const char *)body;
        answer.n = n;
    }
    finish(fetch, &answer);
    wipe(body, n);
}

static int on_fetched(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct fetcher *fetcher = owner;
    for (struct fetch *fetch = fetcher->fetches; fetch; fetch = fetch->next) {
        if (fetch->request != message->fetched->request || fetch->unsent)
            continue;
        deliver(fetch, message->fetched, n_fds ? fds[0] : -1);
        break;
    }
    return 0; /* an answer that nobody waits for any more came too late */
}

static const struct ipc_rule courier_rules[] = {
    { .body = IPC__MESSAGE__BODY_FETCHED, .states = 1, .fds_max = 1, .handle = on_fetched },
};

static struct fetch *first_sent(struct fetcher *fetcher, uint32_t before)
{
    for (struct fetch *fetch = fetcher->fetches; fetch; fetch = fetch->next)
        if (!fetch->unsent && fetch->request <= before)
            return fetch;
    return NULL;
}

/* What handlers ask for anew in the meantime has higher numbers. */
static void drop_courier(struct fetcher *fetcher)
{
    uint32_t last = fetcher->last_request;
    struct fetch *fetch;
    ipc_peer_free(STEAL(fetcher->courier));
    while ((fetch = first_sent(fetcher, last)))
        fail(fetch, "the courier was lost");
}

static void courier_gone(void *owner, const char *reason)
{
    (void)reason; /* the listener logs ends of processes */
    drop_courier(owner);
}

static int send_packed(struct fetch *fetch)
{
    Ipc__Fetch *body = ipc__fetch__unpack(NULL, fetch->unsent_n, fetch->unsent);
    if (!body)
        return -ENOMEM;
    Ipc__Message message = IPC_MESSAGE(FETCH, fetch, body);
    int r = ipc_peer_send(fetch->fetcher->courier, &message, NULL, 0);
    for (size_t i = 0; i < body->n_form; i++)
        explicit_bzero(body->form[i]->value, strlen(body->form[i]->value));
    ipc__fetch__free_unpacked(body, NULL);
    wipe(STEAL(fetch->unsent), fetch->unsent_n);
    return r;
}

int fetcher_link(struct fetcher *fetcher, int fd)
{
    drop_courier(fetcher);
    int r = ipc_peer_new(fetcher->loop, fd, "courier", courier_rules,
                         sizeof courier_rules / sizeof courier_rules[0], courier_gone, fetcher,
                         &fetcher->courier);
    if (r)
        return r;
    for (struct fetch *fetch = fetcher->fetches; fetch; fetch = fetch->next)
        if (fetch->unsent && send_packed(fetch))
            break; /* what could not be sent ends by its limit or with the courier */
    if (fetcher->linked)
        fetcher->linked(fetcher->linked_owner);
    return 0;
}

void fetcher_on_link(struct fetcher *fetcher, fetcher_linked_handler *handler, void *owner)
{
    fetcher->linked = handler;
    fetcher->linked_owner = owner;
}

int fetcher_new(struct loop *loop, struct fetcher **ret)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (!fetcher)
        return -ENOMEM;
    fetcher->loop = loop;
    *ret = fetcher;
    return 0;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    while (fetcher->fetches)
        fetch_free(fetcher->fetches);
    ipc_peer_free(fetcher->courier);
    free(fetcher);
}

/* ---- one ---- */

static int pack(struct fetch *fetch, const struct fetch_what *what)
{
    Ipc__Fetch body = IPC__FETCH__INIT;
    CLEANUP(free) Ipc__Variable **form = calloc(what->n_form + 1, sizeof(Ipc__Variable *));
    if (!form)
        return -ENOMEM;
    for (size_t i = 0; i < what->n_form; i++)
        form[i] = (Ipc__Variable *)(uintptr_t)&what->form[i];
    body.request = fetch->request;
    body.issuer = (char *)(uintptr_t)what->issuer;
    body.url = (char *)(uintptr_t)what->url;
    body.form = form;
    body.n_form = what->n_form;
    body.timeout_ms = what->timeout_ms;
    fetch->unsent_n = ipc__fetch__get_packed_size(&body);
    fetch->unsent = malloc(fetch->unsent_n + 1);
    if (!fetch->unsent)
        return -ENOMEM;
    (void)ipc__fetch__pack(&body, fetch->unsent);
    return 0;
}

int fetch_new(struct fetcher *fetcher, const struct fetch_what *what, fetch_handler *handler, void *owner,
              struct fetch **ret)
{
    if (fetcher->n >= FETCH_WAITING_MAX)
        return -ENOBUFS;
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch)
        return -ENOMEM;
    *fetch = (struct fetch){ .fetcher = fetcher, .handler = handler, .owner = owner };
    fetch->request = ++fetcher->last_request;
    int r = pack(fetch, what);
    if (r == 0)
        r = timer_new(fetcher->loop, limit_reached, fetch, &fetch->limit);
    if (r) {
        fetch_free(fetch);
        return r;
    }
    fetch->next = fetcher->fetches;
    fetcher->fetches = fetch;
    fetcher->n++;
    timer_set(fetch->limit, what->timeout_ms + FETCH_GRACE_MS);
    if (fetcher->courier)
        (void)send_packed(fetch); /* a failure comes back by courier_gone, or by the limit */
    *ret = fetch;
    return 0;
}
