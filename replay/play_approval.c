/* See play_approval.h. */
#include "replay/play_approval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/approval_message.h"
#include "policy/sshsig_form.h"

static const char *state_name(Ipc__ApprovalState state)
{
    static const char *const names[] = { "none",   "open",    "approved",  "consumed",
                                         "denied", "expired", "withdrawn", "lapsed" };
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* What `ssh-keygen -Y verify` wants. */
static void put_signature(struct json *j, const char *id, const Ipc__ApprovalDecision *decision)
{
    char message[APPROVAL_MESSAGE_MAX];
    if (!decision->signature.len || decision->digest.len != APPROVAL_DIGEST)
        return;
    CLEANUP(free) char *armour = sshsig_armour(decision->signature.data, decision->signature.len);
    json_text(j, "signed_message", approval_message(id, decision->digest.data, decision->for_ms, message));
    json_text(j, "signature", armour);
}

void play_approval_json(struct json *j, const Ipc__ApprovalNews *news)
{
    char hex[2 * 32 + 1] = "", time[32];
    for (size_t i = 0; i < news->digest.len && i < 32; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", news->digest.data[i]);
    json_text(j, "request", news->id);
    json_text(j, "state", state_name(news->state));
    json_text(j, "digest", hex);
    if (news->why[0])
        json_text(j, "why", news->why);
    if (news->expires_ms)
        json_text(j, "expires", text_time(time, news->expires_ms));
    json_open_array(j, "decisions");
    for (size_t i = 0; i < news->n_decisions; i++) {
        const Ipc__ApprovalDecision *d = news->decisions[i];
        json_open_object(j, NULL);
        json_text(j, "by", d->by ? d->by->name : "");
        json_text(j, "verdict", d->approve ? "approve" : "deny");
        json_text(j, "reason", d->reason);
        json_text(j, "at", text_time(time, d->at_ms));
        if (d->for_ms)
            json_u64(j, "for_ms", d->for_ms);
        put_signature(j, news->id, d);
        json_close_object(j);
    }
    json_close_array(j);
}

int play_approval_text(struct buffer *out, const Ipc__ApprovalNews *news)
{
    char id[64], by[256] = "", reason[512] = "", why[512];
    const Ipc__ApprovalDecision *last = news->n_decisions ? news->decisions[news->n_decisions - 1] : NULL;
    if (last && last->by)
        (void)text_escape(by, sizeof by, last->by->name, strlen(last->by->name), false);
    if (last)
        (void)text_escape(reason, sizeof reason, last->reason, strlen(last->reason), false);
    (void)text_escape(id, sizeof id, news->id, strlen(news->id), false);
    (void)text_escape(why, sizeof why, news->why, strlen(news->why), false);
    bool decided = *by && news->state != IPC__APPROVAL_STATE__APPROVAL_CONSUMED;
    return buffer_printf(out, "[approval %s: %s%s%s%s%s%s%s]\n", id, state_name(news->state),
                         decided ? ", by " : "", decided ? by : "", decided && *reason ? ": " : "",
                         decided ? reason : "", *why ? ": " : "", why);
}
