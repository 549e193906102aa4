/* approve ID, deny ID: the request is fetched first, so that the decision names the digest of what there is
 * to see. A signature is verified here, against the key that the approver is connected with; the ledger
 * decides whether the decision counts, and keeps both. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "channels/commands/approval_list.h"
#include "channels/commands/commands.h"
#include "channels/commands/decision_signature.h"
#include "channels/commands/decision_words.h"
#include "channels/commands/desk.h"
#include "channels/commands/intake.h"
#include "policy/sshsig_form.h"

enum { INPUT_MS = 60 * 1000 }; /* for a signature to come */

struct decision {
    struct channel *channel;
    enum decision_kind kind;
    struct decision_words words;
    struct intake *input; /* of a signature, or NULL */
    struct timer *limit;
    struct buffer armour;
    uint8_t *signature; /* without its armour, or NULL */
    size_t signature_n;
    Ipc__ApprovalList *list; /* holds the request; NULL: not fetched yet */
};

static void stop_reading(struct decision *decision)
{
    intake_free(STEAL(decision->input));
    timer_free(STEAL(decision->limit));
    buffer_free(&decision->armour);
}

static void decision_free(void *owner)
{
    struct decision *decision = owner;
    stop_reading(decision);
    approval_list_free(decision->list);
    free(decision->signature);
    free(decision);
}

static void refuse(struct decision *decision, const char *code, const char *reason, const char *next)
{
    stop_reading(decision);
    channel_refuse(decision->channel, &(struct refusal){ .code = code, .reason = reason, .next = next });
}

static void refuse_unknown(struct decision *decision)
{
    refuse(decision, "denied", "there is no such request, or none that you may decide",
           "`approvals` lists those that you may");
}

/* ---- the request ---- */

static bool signature_holds(struct decision *decision, const Ipc__Decide *decide)
{
    struct detail detail = { "the signature can't be verified now" };
    if (decision_signature_check(decision->channel->gate, decide, &detail) == 0)
        return true;
    refuse(decision, "unsigned", detail.text,
           "sign what `approvals ID --message` prints, with the same --for");
    return false;
}

static void decide(struct decision *decision)
{
    const Ipc__Approval *request = decision->list->approvals[0];
    Ipc__Decide decide = IPC__DECIDE__INIT;
    decide.id = request->id;
    decide.approve = decision->kind == DECISION_APPROVE;
    decide.reason = decision->words.reason;
    decide.for_ms = decision->words.for_ms;
    decide.digest = request->digest;
    if (decision->words.has_digest)
        decide.digest = (ProtobufCBinaryData){ DECISION_DIGEST, decision->words.digest };
    decide.signature = (ProtobufCBinaryData){ decision->signature_n, decision->signature };
    if (decision->signature && !signature_holds(decision, &decide))
        return;
    if (!desk_decide(decision->channel, &decide))
        return;
}

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct decision *decision = owner;
    if (refusal)
        refuse(decision, refusal->code, refusal->message, NULL);
    else if (approval_list_read(fd, &decision->list) || decision->list->n_approvals != 1)
        refuse_unknown(decision);
    else
        decide(decision);
}

static void ask(struct decision *decision)
{
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    ask.form = (char *)(uintptr_t) "packed";
    ask.id = (char *)(uintptr_t)decision->words.id;
    ask.content = true;
    if (!desk_ask(decision->channel, &ask))
        return;
}

/* ---- the signature ---- */

static void signature_is_complete(struct decision *decision)
{
    int r = sshsig_from_armour(buffer_head(&decision->armour), buffer_size(&decision->armour),
                               &decision->signature, &decision->signature_n);
    if (r) {
        refuse(decision, "malformed", "what came on stdin is not a signature by ssh-keygen -Y sign",
               "ssh BASTION approve ID --signature < FILE.sig");
        return;
    }
    stop_reading(decision);
    ask(decision);
}

static void on_input(void *owner, enum intake_event event, const uint8_t *bytes, size_t n)
{
    struct decision *decision = owner;
    if (event == INTAKE_END)
        signature_is_complete(decision);
    else if (event == INTAKE_GONE)
        refuse(decision, "malformed", "the client has gone", NULL);
    else if (buffer_append(&decision->armour, bytes, n))
        refuse(decision, "malformed", "what came on stdin is too long for a signature (6 KiB)", NULL);
}

static void took_too_long(void *owner)
{
    refuse(owner, "malformed", "no signature came on stdin within a minute",
           "ssh BASTION approve ID --signature < FILE.sig");
}

static int read_signature(struct decision *decision)
{
    struct channel *channel = decision->channel;
    buffer_init(&decision->armour, SSHSIG_ARMOUR_MAX);
    int r = timer_new(channel->gate->loop, took_too_long, decision, &decision->limit);
    if (r)
        return r;
    timer_set(decision->limit, INPUT_MS);
    return intake_new(channel, on_input, decision, &decision->input);
}

/* ---- what became of it ---- */

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
    struct decision *decision = owner;
    struct channel *channel = decision->channel;
    if (answer->refusal) {
        refuse(decision, answer->refusal->code, answer->refusal->message, NULL);
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
    if (!words.has_signature)
        ask(decision);
    else if (read_signature(decision))
        refuse(decision, "limit", "out of memory or descriptors", NULL);
}

void command_approve(struct channel *channel)
{
    begin(channel, DECISION_APPROVE);
}

void command_deny(struct channel *channel)
{
    begin(channel, DECISION_DENY);
}
