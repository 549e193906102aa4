/* See preview.h. WAITING for its turn, LOGIN (the vault was asked, then the connector), ASKING, or over. */
#include "channels/preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/log.h"
#include "channels/audit.h"
#include "channels/pg/preview.h"

enum preview_state { WAITING, LOGIN, ASKING };

struct preview {
    struct preview *next;
    struct gate *gate;
    const Ipc__Target *target;
    struct preview_plan *plan;
    char ids[PREVIEW_IDS_MAX][16];
    size_t n_ids;
    enum preview_state state;
    uint32_t request;           /* to the vault; else 0 */
    struct ipc_peer *connector; /* until it has answered */
    int fd;
    struct source *source;
    struct timer *timer;
    struct buffer in;
};

static void begin_next(struct gate *gate);

static void preview_free(struct preview *p)
{
    if (!p)
        return;
    ipc_peer_free(p->connector);
    source_free(p->source);
    fd_close(p->fd);
    timer_free(p->timer);
    buffer_free(&p->in);
    preview_plan_free(p->plan);
    free(p);
}

static void tell(const struct preview *p)
{
    char *text = preview_words(p->plan, reader_of(buffer_head(&p->in), buffer_size(&p->in)));
    for (size_t i = 0; text && p->gate->ledger && i < p->n_ids; i++) {
        Ipc__ApprovalPreview preview = IPC__APPROVAL_PREVIEW__INIT;
        preview.id = (char *)(uintptr_t)p->ids[i];
        preview.text = text;
        Ipc__Message message = IPC_MESSAGE(APPROVAL_PREVIEW, approval_preview, &preview);
        (void)ipc_peer_send(p->gate->ledger, &message, NULL, 0);
    }
    free(text);
}

/* What came is told; the last thing that a caller does with it. */
static void finish(struct preview *p)
{
    struct gate *gate = p->gate;
    for (struct preview **at = &gate->previews; *at; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    tell(p);
    preview_free(p);
    begin_next(gate);
}

static void time_is_up(void *owner)
{
    finish(owner);
}

/* ---- asking ---- */

static void on_server(void *owner, uint32_t ready)
{
    struct preview *p = owner;
    size_t got = 0;
    bool broken = false;
    int r = ready & LOOP_WRITE ? buffer_write(&p->plan->out, p->fd) : 0;
    if (r == 0 || r == -EAGAIN)
        r = buffer_read(&p->in, p->fd, PREVIEW_REPLY_MAX, &got);
    if (r == -EAGAIN) {
        source_interest(p->source, LOOP_READ | (buffer_size(&p->plan->out) > 0 ? LOOP_WRITE : 0U));
        return;
    }
    struct reader there = reader_of(buffer_head(&p->in), buffer_size(&p->in));
    if (r || got == 0 || preview_rounds(there, &broken) >= p->plan->rounds || broken)
        finish(p);
}

static int connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct preview *p = owner;
    const Ipc__Connected *answer = message->connected;
    if (!answer->refusal && n_fds != 1)
        return -EPROTO;
    ipc_peer_free(STEAL(p->connector));
    if (answer->refusal || answer->leftover.len > 0) {
        finish(p);
        return 0;
    }
    gate_audit(p->gate, "target_login", "target", p->target->name, "login", p->target->login, "credential",
               p->target->credential, "purpose", "preview", NULL);
    p->fd = STEAL_FD(fds[0]);
    p->state = ASKING;
    if (fd_nonblock(p->fd, true) ||
        source_new(p->gate->loop, p->fd, LOOP_READ | LOOP_WRITE, on_server, p, &p->source))
        finish(p);
    return 0;
}

static void connector_gone(void *owner, const char *reason)
{
    struct preview *p = owner;
    (void)reason;
    finish(p);
}

bool preview_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    static const struct ipc_rule connector_rules[] = {
        { IPC__MESSAGE__BODY_CONNECTED, 1, true, 0, 1, connected },
    };
    struct preview *p = gate->previews;
    while (p && (p->request != answer->request || answer->request == 0))
        p = p->next;
    if (!p)
        return false;
    p->request = 0;
    if (answer->refusal || n_fds != 1 ||
        ipc_peer_new(gate->loop, STEAL_FD(fds[0]), "connector", connector_rules, 1, connector_gone, p,
                     &p->connector))
        finish(p);
    return true;
}

static bool log_in(struct preview *p)
{
    CLEANUP(free) Ipc__Variable **options = calloc(p->plan->n_options + 1, sizeof *options);
    if (!p->gate->vault || !options)
        return false;
    for (size_t i = 0; i < p->plan->n_options; i++)
        options[i] = &p->plan->options[i];
    Ipc__AskLogin ask = IPC__ASK_LOGIN__INIT;
    p->request = ask.request = gate_request(p->gate);
    ask.target = p->target->name;
    ask.options = options;
    ask.n_options = p->plan->n_options;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &ask);
    p->state = LOGIN;
    timer_set(p->timer, PREVIEW_WAIT_MS);
    return ipc_peer_send(p->gate->vault, &message, NULL, 0) == 0;
}

static void begin_next(struct gate *gate)
{
    size_t under_way = 0;
    struct preview *first = NULL;
    for (struct preview *p = gate->previews; p; p = p->next) {
        under_way += p->state != WAITING;
        if (p->state == WAITING && !first)
            first = p;
    }
    if (first && under_way < PREVIEWS_AT_ONCE && !log_in(first))
        timer_set(first->timer, 0); /* it can't: told without */
}

void preview_start(struct gate *gate, const Ipc__Target *target, struct preview_plan *plan,
                   const char *const *ids, size_t n_ids)
{
    size_t n = 0;
    struct preview **last = &gate->previews;
    for (; *last; last = &(*last)->next)
        n++;
    struct preview *p = n < PREVIEWS_MAX ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        preview_plan_free(plan);
        return;
    }
    *p = (struct preview){ .gate = gate, .target = target, .plan = plan, .fd = -1 };
    buffer_init(&p->in, PREVIEW_REPLY_MAX);
    for (; p->n_ids < n_ids && p->n_ids < PREVIEW_IDS_MAX; p->n_ids++)
        (void)snprintf(p->ids[p->n_ids], sizeof p->ids[0], "%s", ids[p->n_ids]);
    if (timer_new(gate->loop, time_is_up, p, &p->timer)) {
        preview_free(p);
        return;
    }
    *last = p;
    if (plan->rounds == 0)
        finish(p);
    else
        begin_next(gate);
}

void previews_vault_gone(struct gate *gate)
{
    for (struct preview *p = gate->previews, *next; p; p = next) {
        next = p->next;
        if (p->request)
            timer_set(p->timer, 0);
    }
}
