/* Who sees which request: one's own, those that one's roles may decide, and all with `may: [replay]`. What is
 * not there and what may not be seen look the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/approval_form.h"
#include "policy/identity.h"
#include "replay/ledger_approval.h"

static void content_free(Ipc__ApprovalContent *content)
{
    if (content)
        ipc__approval_content__free_unpacked(content, NULL);
}
DEFINE_CLEANUP(Ipc__ApprovalContent *, content_free)

static bool sees(const Ipc__Person *requester, Ipc__RoleGroup *const *by, size_t n_by,
                 const Ipc__Identity *who)
{
    return identity_may(who, "replay") || strcmp(requester->name, who->name) == 0 ||
           approval_is_asked(by, n_by, who);
}

bool approvals_sees(const Ipc__Approval *about, const Ipc__Identity *who)
{
    return sees(about->requester, about->approve->by, about->approve->n_by, who);
}

bool approvals_sees_grant(const Ipc__Grant *grant, const Ipc__Identity *who)
{
    return sees(grant->requester, grant->by, grant->n_by, who);
}

/* ---- tables: what others have chosen is escaped, and cut to its column ---- */

static const char request_heading[] =
    "ID      STATE      LEFT    IDENTITY              TARGET        RULE          WHAT\n";
static const char grant_heading[] = "GRANT   LEFT    IDENTITY              TARGET        RULE\n";

static const char *escaped(char *out, size_t size, const char *text)
{
    return text_escape(out, size, text, strlen(text), false);
}

/* "12s", "9m", "3h": in one unit. */
static const char *left(char out[24], uint64_t until_ms)
{
    uint64_t now = clock_unix_ms(), s = until_ms > now ? (until_ms - now) / 1000 : 0;
    return text_duration(out, (s >= 7200 ? s / 3600 * 3600 : s >= 120 ? s / 60 * 60 : s) * 1000);
}

static int row_of_request(struct buffer *out, const Ipc__Approval *a, const Ipc__ApprovalContent *content)
{
    char who[256], identity[80], target[64], rule[64], what[160] = "", wait[24] = "-";
    (void)snprintf(who, sizeof who, a->requester->actor[0] ? "%s for %s" : "%s%s", a->requester->actor,
                   a->requester->name);
    if (content)
        (void)text_escape(what, sizeof what, content->statement.data, content->statement.len, false);
    if (approval_is_live(a))
        (void)left(wait, a->expires_ms);
    return buffer_printf(out, "%s  %-9s  %-6s  %-20s  %-12s  %-12s  %s\n", a->id,
                         approval_state_name(a->state), wait, escaped(identity, sizeof identity, who),
                         escaped(target, sizeof target, a->target), escaped(rule, sizeof rule, a->rule),
                         what);
}

static int row_of_grant(struct buffer *out, const Ipc__Grant *grant)
{
    char identity[80], target[64], rule[64], wait[24];
    return buffer_printf(out, "%s  %-6s  %-20s  %-12s  %s\n", grant->id, left(wait, grant->until_ms),
                         escaped(identity, sizeof identity, grant->requester->name),
                         escaped(target, sizeof target, grant->target),
                         escaped(rule, sizeof rule, grant->rule));
}

/* ---- lists ---- */

enum form { FORM_JSON, FORM_TABLE, FORM_PACKED };

struct list {
    struct approvals *approvals;
    const Ipc__Identity *who;
    const Ipc__AskApprovals *ask;
    char id[APPROVAL_ID + 1]; /* or empty */
    enum form form;
    struct buffer out;
};

/* One field of an ApprovalList, in the wire form of protobuf: a packed list is its fields one after another.
 */
static int put_packed(struct list *list, const Ipc__Approval *approval, const Ipc__Grant *grant)
{
    Ipc__ApprovalList one = IPC__APPROVAL_LIST__INIT;
    Ipc__Approval *approvals[] = { (Ipc__Approval *)(uintptr_t)approval };
    Ipc__Grant *grants[] = { (Ipc__Grant *)(uintptr_t)grant };
    uint8_t *space;
    one.approvals = approvals;
    one.n_approvals = approval ? 1 : 0;
    one.grants = grants;
    one.n_grants = grant ? 1 : 0;
    size_t n = ipc__approval_list__get_packed_size(&one);
    int r = buffer_reserve(&list->out, n, &space);
    if (r)
        return r;
    buffer_commit(&list->out, ipc__approval_list__pack(&one, space));
    return 0;
}

static int put_request(struct list *list, const Ipc__Approval *about)
{
    CLEANUP(content_free) Ipc__ApprovalContent *content = NULL;
    if ((list->ask->target[0] && strcmp(list->ask->target, about->target) != 0) ||
        !approvals_sees(about, list->who))
        return 0;
    bool wanted = list->form != FORM_PACKED || list->ask->content;
    int r = wanted ? approval_store_content(list->approvals->store, about->id, &content) : 0;
    if (r && r != -ENOENT)
        return r;
    /* It tells of data that the requester need not be allowed to see. */
    if (content && *content->preview && strcmp(about->requester->name, list->who->name) == 0)
        *content->preview = 0;
    if (list->form == FORM_TABLE)
        return row_of_request(&list->out, about, content);
    if (list->form == FORM_JSON)
        return approval_json(&list->out, about, content,
                             list->id[0] ? APPROVAL_STATEMENT_MAX : APPROVALS_LISTED_STATEMENT);
    Ipc__Approval whole = *about;
    whole.content = content;
    return put_packed(list, &whole, NULL);
}

static int put_over(void *owner, Ipc__Approval *about)
{
    int r = put_request(owner, about);
    ipc__approval__free_unpacked(about, NULL);
    return r;
}

static int put_grant(struct list *list, const Ipc__Grant *grant)
{
    if ((list->id[0] && strcmp(list->id, grant->id) != 0) ||
        (list->ask->target[0] && strcmp(list->ask->target, grant->target) != 0) ||
        grant->until_ms <= clock_unix_ms() || !approvals_sees_grant(grant, list->who))
        return 0;
    return list->form == FORM_TABLE  ? row_of_grant(&list->out, grant)
           : list->form == FORM_JSON ? approval_grant_json(&list->out, grant)
                                     : put_packed(list, NULL, grant);
}

/* That one, whether it is over or not. */
static int put_one(struct list *list)
{
    struct request *live = approvals_find(list->approvals, list->id);
    Ipc__Approval *over = NULL;
    if (live)
        return put_request(list, live->about);
    int r = approval_store_get(list->approvals->store, list->id, &over);
    return r == -ENOENT ? 0 : r ? r : put_over(list, over);
}

/* The newest stands at the head of the lists in memory; it is shown last. */
static int put_live(struct list *list)
{
    int r = 0;
    size_t n = 0;
    struct approvals *approvals = list->approvals;
    CLEANUP(free)
    struct request **all = calloc(approvals->n_requests + 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (struct request *q = approvals->requests; q; q = q->next)
        all[n++] = q;
    while (n > 0 && r == 0)
        r = put_request(list, all[--n]->about);
    return r;
}

static int fill(struct list *list)
{
    const char *heading = list->ask->grants ? grant_heading : request_heading;
    int r = list->form == FORM_TABLE ? buffer_append(&list->out, heading, strlen(heading)) : 0;
    if (r == 0 && list->ask->grants) {
        for (struct granted *g = list->approvals->grants; g && r == 0; g = g->next)
            r = put_grant(list, g->about);
        return r;
    }
    if (r == 0 && list->id[0])
        return put_one(list);
    if (r == 0 && list->ask->closed)
        r = approval_store_each(list->approvals->store, false, put_over, list);
    return r ? r : put_live(list);
}

static bool read_form(const char *text, enum form *ret)
{
    static const char *const names[] = {
        [FORM_JSON] = "json", [FORM_TABLE] = "table", [FORM_PACKED] = "packed"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], text) == 0) {
            *ret = (enum form)i;
            return true;
        }
    return false;
}

int approvals_on_list(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct list list = { .approvals = gate_ledger(owner)->approvals,
                         .who = gate_identity(owner),
                         .ask = message->ask_approvals };
    (void)fds, (void)n_fds;
    if (!read_form(list.ask->form, &list.form))
        return -EPROTO;
    CLEANUP(fd_close) int fd = -1;
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerApprovals answer = IPC__ANSWER_APPROVALS__INIT;
    answer.request = list.ask->request;
    buffer_init(&list.out, LEDGER_SESSIONS_MAX);
    bool nothing = list.ask->id[0] && !approval_read_id(list.ask->id, list.id);
    int r = nothing ? 0 : fill(&list);
    if (r == 0)
        r = fd_of_bytes("approvals", buffer_head(&list.out), buffer_size(&list.out), &fd);
    buffer_free(&list.out);
    if (r) {
        log_event(LOG_ERROR, "approvals_not_listed", "detail", strerror(-r), NULL);
        refusal.code = lent("limit");
        refusal.message = lent(r == -ENOBUFS ? "there are too many: narrow it by an id or --target"
                                             : "approvals can't be listed now");
        answer.refusal = &refusal;
    }
    Ipc__Message reply = IPC_MESSAGE(ANSWER_APPROVALS, answer_approvals, &answer);
    gate_tell(owner, &reply, &fd, r ? 0 : 1);
    return 0;
}

/* ---- following ---- */

int approvals_on_follow(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct approvals *approvals = gate_ledger(owner)->approvals;
    size_t at = 0;
    (void)fds, (void)n_fds;
    while (at < approvals->n_followers && approvals->followers[at] != owner)
        at++;
    if (!message->follow_approvals->on) {
        if (at < approvals->n_followers)
            approvals->followers[at] = approvals->followers[--approvals->n_followers];
        return 0;
    }
    if (at < approvals->n_followers)
        return 0;
    if (approvals->n_followers == APPROVALS_FOLLOWERS_MAX)
        return -ENOBUFS; /* that gate ends; the others go on */
    approvals->followers[approvals->n_followers++] = owner;
    return 0;
}

/* Without its content, and without a descriptor: what waits for a slow gate stays small. */
void approvals_tell_followers(struct approvals *approvals, const Ipc__Approval *about,
                              const Ipc__Grant *grant)
{
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    news.id = about ? about->id : grant->id;
    news.state = about ? about->state : IPC__APPROVAL_STATE__APPROVAL_NONE;
    news.approval = (Ipc__Approval *)(uintptr_t)about;
    news.grant = (Ipc__Grant *)(uintptr_t)grant;
    if (about) {
        news.digest = about->digest;
        news.why = about->why;
        news.expires_ms = about->expires_ms;
    }
    Ipc__Message message = IPC_MESSAGE(APPROVAL_NEWS, approval_news, &news);
    for (size_t i = 0; i < approvals->n_followers; i++) {
        const Ipc__Identity *who = gate_identity(approvals->followers[i]);
        if (about ? approvals_sees(about, who) : approvals_sees_grant(grant, who))
            gate_tell(approvals->followers[i], &message, NULL, 0);
    }
}
