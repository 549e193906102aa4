/* approve ID, deny ID: the request is fetched first, so that the decision names the digest of what there is
 * to see; the ledger decides whether it counts, and enters it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"
#include "channels/commands/commands.h"
#include "channels/commands/decision_words.h"
#include "channels/commands/desk.h"

enum { REQUEST_MAX = 1024 * 1024 }; /* bytes of one request as the ledger keeps it */

struct decision {
    struct channel *channel;
    enum decision_kind kind;
    struct decision_words words;
    Ipc__ApprovalList *list; /* holds the request; NULL: not fetched yet */
};

static void decision_free(void *owner)
{
    struct decision *decision = owner;
    if (decision->list)
        ipc__approval_list__free_unpacked(decision->list, NULL);
    free(decision);
}

static void refuse_unknown(struct channel *channel)
{
    channel_refuse(channel,
                   &(struct refusal){ .code = "denied",
                                      .reason = "there is no such request, or none that you may decide",
                                      .next = "`approvals` lists those that you may" });
}

/* ---- the request ---- */

static int read_list(int fd, Ipc__ApprovalList **ret)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd < 0 ? -EBADF : fd_contents(fd, REQUEST_MAX, &bytes, &n);
    if (r)
        return r;
    *ret = ipc__approval_list__unpack(NULL, n, bytes);
    return *ret ? 0 : -EBADMSG;
}

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct decision *decision = owner;
    struct channel *channel = decision->channel;
    if (refusal) {
        struct refusal why = refusal_of(refusal);
        channel_refuse(channel, &why);
        return;
    }
    if (read_list(fd, &decision->list) || decision->list->n_approvals != 1) {
        refuse_unknown(channel);
        return;
    }
    const Ipc__Approval *request = decision->list->approvals[0];
    Ipc__Decide decide = IPC__DECIDE__INIT;
    decide.id = request->id;
    decide.approve = decision->kind == DECISION_APPROVE;
    decide.reason = decision->words.reason;
    decide.for_ms = decision->words.for_ms;
    decide.digest = request->digest;
    if (decision->words.has_digest)
        decide.digest = (ProtobufCBinaryData){ DECISION_DIGEST, decision->words.digest };
    if (!desk_decide(channel, &decide))
        return;
}

/* ---- the decision ---- */

static const char *escaped(char *out, size_t size, const char *text)
{
    return text_escape(out, size, text, strlen(text), false);
}

/* With a quorum the shortest time that anybody gave counts, and one that gave none makes no grant. */
static uint64_t granted_ms(const Ipc__AnswerDecide *answer)
{
    uint64_t least = answer->n_decisions ? UINT64_MAX : 0;
    for (size_t i = 0; i < answer->n_decisions; i++)
        least = answer->decisions[i]->for_ms < least ? answer->decisions[i]->for_ms : least;
    return answer->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED ? least : 0;
}

static void say_done(const struct decision *decision, const Ipc__AnswerDecide *answer, struct buffer *out)
{
    char who[256], target[128], rule[128], what[256], time[24];
    const Ipc__Approval *request = decision->list->approvals[0];
    const Ipc__ApprovalContent *content = request->content;
    (void)escaped(who, sizeof who, request->requester->name);
    (void)escaped(target, sizeof target, request->target);
    (void)escaped(rule, sizeof rule, request->rule);
    (void)!buffer_printf(out, "%s\n  %s on %s: ", answer->done, who, target);
    if (content)
        (void)!buffer_printf(
            out, "%s",
            text_escape(what, sizeof what, content->statement.data, content->statement.len, false));
    (void)!buffer_printf(out, "\n");
    if (granted_ms(answer) > 0)
        (void)!buffer_printf(out, "  rule %s asks nobody for %s there for %s; `revoke-grant %s` ends that\n",
                             rule, who, text_duration(time, granted_ms(answer)), answer->id);
}

static void on_decided(void *owner, const Ipc__AnswerDecide *answer)
{
    const struct decision *decision = owner;
    struct channel *channel = decision->channel;
    if (answer->refusal) {
        struct refusal why = refusal_of(answer->refusal);
        channel_refuse(channel, &why);
        return;
    }
    struct buffer out;
    buffer_init(&out, 4096);
    say_done(decision, answer, &out);
    channel_print(channel, buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
    channel_exit(channel, 0);
}

static const struct desk_kind deciding = { .listed = on_listed,
                                           .decided = on_decided,
                                           .free = decision_free };

static void begin(struct channel *channel, enum decision_kind kind)
{
    struct decision_words words;
    struct detail detail = { "" };
    if (!decision_words_read(kind, &channel->words, &words, &detail)) {
        command_usage(channel, detail.text);
        return;
    }
    struct decision *decision = calloc(1, sizeof *decision);
    if (decision)
        *decision = (struct decision){ .channel = channel, .kind = kind, .words = words };
    if (desk_new(channel, &deciding, decision))
        return;
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    ask.form = (char *)(uintptr_t) "packed";
    ask.id = (char *)(uintptr_t)words.id;
    ask.content = true;
    if (!desk_ask(channel, &ask))
        return;
}

void command_approve(struct channel *channel)
{
    begin(channel, DECISION_APPROVE);
}

void command_deny(struct channel *channel)
{
    begin(channel, DECISION_DENY);
}
