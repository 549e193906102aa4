/* See kube_link.h. WAITING (for its turn), ASKED (the vault), CONNECTING (the connector), then it stands.
 * What was given back is KEPT for a while, with nobody as its owner: who waits, or comes next, takes its
 * descriptor over.
 *
 * A client may open dozens of connections at once (kubectl, when it looks for what an API server has), and
 * the vault has a limit for each gate: so only some are asked for at a time, in the order in which they came.
 */
#include "channels/kube_link_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"

enum { USABLE_MARGIN_MS = 2 * 1000 }; /* for a request to get through */

static void unlist(struct kube_link *link)
{
    for (struct kube_link **at = &link->gate->kube_links; *at; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            break;
        }
    }
}

static void next_turn(struct gate *gate);

void kube_link_free(struct kube_link *link)
{
    if (!link)
        return;
    unlist(link);
    next_turn(link->gate);
    ipc_peer_free(link->connector);
    source_free(link->source);
    timer_free(link->timer);
    fd_close(link->fd);
    buffer_free(&link->in);
    free(link->recording);
    explicit_bzero(link->key, sizeof link->key);
    free(link);
}
DEFINE_CLEANUP(struct kube_link *, kube_link_free)

/* The last thing that a caller does with it. */
static void refuse(struct kube_link *link, const char *code, const char *reason)
{
    log_event(LOG_WARNING, "target_login_refused", "connection", U64(link->gate->connection), "identity",
              link->gate->identity->name, "target", link->target->name, "code", code, "reason", reason, NULL);
    gate_audit(link->gate, "target_login_refused", "target", link->target->name, "code", code, "recording",
               link->recording, "purpose", link->purpose, NULL);
    timer_stop(link->timer);
    next_turn(link->gate);
    link->calls->refused(link->owner, code, reason);
}

static void took_too_long(void *owner)
{
    struct kube_link *link = owner;
    if (link->kept)
        kube_link_free(link);
    else
        refuse(owner, "target_unavailable", "the connection to the target took too long");
}

/* ---- asking for it ---- */

static int ask(struct kube_link *link)
{
    if (!link->gate->vault)
        return -EPIPE;
    Ipc__AskLogin ask = IPC__ASK_LOGIN__INIT;
    link->request = ask.request = gate_request(link->gate);
    ask.target = link->target->name;
    ask.recording = link->recording;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &ask);
    return ipc_peer_send(link->gate->vault, &message, NULL, 0);
}

/* Asks for those that wait, the oldest first, as far as there is room. */
static void next_turn(struct gate *gate)
{
    while (gate->vault) {
        size_t under_way = 0;
        struct kube_link *oldest = NULL;
        for (struct kube_link *link = gate->kube_links; link; link = link->next) {
            under_way += link->request || link->connector;
            oldest = link->waits ? link : oldest;
        }
        if (!oldest || under_way >= KUBE_LINKS_ASKED_MAX)
            return;
        oldest->waits = false;
        if (ask(oldest))
            timer_set(oldest->timer,
                      1); /* its owner is told from the loop, not from inside of another's call */
    }
}

int kube_link_new(struct gate *gate, const struct kube_link_want *want, const struct kube_link_calls *calls,
                  void *owner, struct kube_link **ret)
{
    struct kube_link *link = calloc(1, sizeof *link);
    if (!link)
        return -ENOMEM;
    *link = (struct kube_link){ .next = gate->kube_links,
                                .gate = gate,
                                .target = want->target,
                                .purpose = want->purpose,
                                .recording = strdup(want->recording),
                                .calls = calls,
                                .owner = owner,
                                .fd = -1,
                                .waits = true,
                                .fresh = want->fresh,
                                .out = want->out,
                                .reads = true };
    gate->kube_links = link;
    CLEANUP(kube_link_free) struct kube_link *owned = link;
    buffer_init(&link->in, KUBE_LINK_IN_MAX);
    int r = link->recording ? timer_new(gate->loop, took_too_long, link, &link->timer) : -ENOMEM;
    if (r)
        return r;
    timer_set(link->timer, KUBE_LINK_WAIT_MS);
    struct kube_link *kept = link->fresh ? NULL : kube_link_find_kept(link);
    bool taken = kept && kube_link_take_over(link, kept);
    if (!taken && !gate->vault)
        return -EPIPE;
    if (!taken)
        next_turn(gate);
    *ret = STEAL(owned);
    return 0;
}

/* ---- bytes ---- */

struct buffer *kube_link_in(struct kube_link *link)
{
    return &link->in;
}

bool kube_link_stands(const struct kube_link *link)
{
    return link->fd >= 0;
}

bool kube_link_ended(const struct kube_link *link)
{
    return link->ended;
}

bool kube_link_is_stale(const struct kube_link *link)
{
    return link->stale_ms && clock_ms() >= link->stale_ms;
}

const uint8_t *kube_link_mask_key(const struct kube_link *link, size_t *ret_n)
{
    *ret_n = link->key_n;
    return link->key;
}

static void set_interest(struct kube_link *link)
{
    uint32_t interest = buffer_size(link->out) > 0 ? LOOP_WRITE : 0;
    if (link->reads && buffer_room(&link->in) > 0)
        interest |= LOOP_READ;
    if (link->source)
        source_interest(link->source, interest);
}

static void end(struct kube_link *link)
{
    link->ended = true;
    source_free(STEAL(link->source));
}

void kube_link_ready(void *owner, uint32_t ready)
{
    struct kube_link *link = owner;
    size_t n = 0;
    if (ready & LOOP_WRITE && buffer_write(link->out, link->fd)) {
        buffer_consume(link->out,
                       buffer_size(link->out)); /* it takes nothing any more, and may have said why */
        ready |= LOOP_HANGUP;
    }
    if (ready & (LOOP_READ | LOOP_HANGUP) && buffer_room(&link->in) > 0) {
        int r = buffer_read(&link->in, link->fd, KUBE_LINK_IN_MAX, &n);
        if (r != -EAGAIN && (r || n == 0))
            end(link);
    }
    set_interest(link);
    link->calls->moved(link->owner);
}

void kube_link_go_on(struct kube_link *link, bool reads)
{
    link->reads = reads;
    if (link->fd < 0 || link->ended)
        return;
    if (buffer_size(link->out) > 0 && buffer_write(link->out, link->fd))
        buffer_consume(link->out, buffer_size(link->out));
    set_interest(link);
    buffer_shrink(link->out, 0);
    buffer_shrink(&link->in, 0);
}

/* ---- answers ---- */

static void connector_gone(void *owner, const char *reason)
{
    struct kube_link *link = owner;
    (void)reason;
    ipc_peer_free(STEAL(link->connector));
    refuse(link, "target_unavailable", "the connection to the target was given up");
}

static int connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct kube_link *link = owner;
    const Ipc__Connected *answer = message->connected;
    if (!answer->refusal && n_fds != 1)
        return -EPROTO;
    ipc_peer_free(STEAL(link->connector));
    if (answer->refusal) {
        refuse(link, answer->refusal->code, answer->refusal->message);
        return 0;
    }
    gate_audit(link->gate, "target_login", "target", link->target->name, "login", link->target->login,
               "credential", link->target->credential, "recording", link->recording, "purpose", link->purpose,
               NULL);
    timer_stop(link->timer);
    next_turn(link->gate);
    if (answer->usable_ms)
        link->stale_ms =
            clock_ms() + (answer->usable_ms > USABLE_MARGIN_MS ? answer->usable_ms - USABLE_MARGIN_MS : 0);
    link->fd = STEAL_FD(fds[0]);
    if (fd_nonblock(link->fd, true) || source_new(link->gate->loop, link->fd, LOOP_READ | LOOP_WRITE,
                                                  kube_link_ready, link, &link->source)) {
        refuse(link, "limit", "out of memory or descriptors");
        return 0;
    }
    link->calls->moved(link->owner);
    return 0;
}

bool kube_links_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    static const struct ipc_rule connector_rules[] = {
        { IPC__MESSAGE__BODY_CONNECTED, 1, true, 0, 1, connected },
    };
    struct kube_link *link = gate->kube_links;
    while (link && (link->request != answer->request || answer->request == 0))
        link = link->next;
    if (!link)
        return false;
    link->request = 0;
    if (answer->mask_key.len == MASK_KEY) {
        memcpy(link->key, answer->mask_key.data, MASK_KEY);
        link->key_n = MASK_KEY;
    }
    if (answer->refusal || n_fds != 1)
        refuse(link, answer->refusal ? answer->refusal->code : "target_unavailable",
               answer->refusal ? answer->refusal->message : "the vault gave no login");
    else if (ipc_peer_new(gate->loop, STEAL_FD(fds[0]), "connector", connector_rules, 1, connector_gone, link,
                          &link->connector))
        refuse(link, "limit", "out of memory or descriptors");
    return true;
}

void kube_links_vault_gone(struct gate *gate)
{
    struct kube_link *link = gate->kube_links;
    while (link) {
        if (link->request == 0 && !link->waits) {
            link = link->next;
            continue;
        }
        link->waits = false;
        link->request = 0;
        refuse(link, "target_unavailable", "the vault has restarted; connect again");
        link = gate->kube_links; /* which may be another list now */
    }
}
