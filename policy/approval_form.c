/* See approval_form.h. */
#include "policy/approval_form.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "policy/approval_digest.h"
#include "policy/sshsig_form.h"

enum { VALUE_MAX = 1024 }; /* bytes of a value; the ledger keeps no more */

const char *approval_state_name(Ipc__ApprovalState state)
{
    static const char *const names[] = { "none",   "open",    "approved",  "consumed",
                                         "denied", "expired", "withdrawn", "lapsed" };
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

bool approval_is_live(const Ipc__Approval *approval)
{
    return approval->state == IPC__APPROVAL_STATE__APPROVAL_OPEN ||
           approval->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED;
}

static void json_time(struct json *j, const char *key, uint64_t unix_ms)
{
    char text[32];
    json_text(j, key, unix_ms ? text_time(text, unix_ms) : NULL);
}

static void json_name(struct json *j, const char *key, const char *text)
{
    json_text(j, key, text[0] ? text : NULL);
}

static void json_groups(struct json *j, Ipc__RoleGroup *const *by, size_t n_by)
{
    json_open_array(j, "by");
    for (size_t i = 0; i < n_by; i++) {
        json_open_array(j, NULL);
        for (size_t k = 0; k < by[i]->n_roles; k++)
            json_text(j, NULL, by[i]->roles[k]);
        json_close_array(j);
    }
    json_close_array(j);
}

/* What `ssh-keygen -Y verify` wants. */
static void json_signature(struct json *j, const char *id, const Ipc__ApprovalDecision *decision)
{
    char message[APPROVAL_MESSAGE_MAX];
    if (!decision->signature.len || decision->digest.len != APPROVAL_DIGEST)
        return;
    CLEANUP(free) char *armour = sshsig_armour(decision->signature.data, decision->signature.len);
    j->failed = j->failed || !armour;
    json_text(j, "signed_message", approval_message(id, decision->digest.data, decision->for_ms, message));
    json_text(j, "signature", armour);
}

static void json_decisions(struct json *j, const char *id, Ipc__ApprovalDecision *const *decisions, size_t n)
{
    json_open_array(j, "decisions");
    for (size_t i = 0; i < n; i++) {
        json_open_object(j, NULL);
        json_text(j, "by", decisions[i]->by->name);
        json_text(j, "verdict", decisions[i]->approve ? "approve" : "deny");
        json_text(j, "reason", decisions[i]->reason);
        json_time(j, "at", decisions[i]->at_ms);
        json_u64(j, "for_ms", decisions[i]->for_ms);
        json_signature(j, id, decisions[i]);
        json_close_object(j);
    }
    json_close_array(j);
}

static void json_values(struct json *j, const Ipc__ApprovalContent *content)
{
    char base64[4 * ((VALUE_MAX + 2) / 3) + 1];
    json_open_array(j, "values");
    for (size_t i = 0; i < content->n_values; i++) {
        const Ipc__ApprovalValue *value = content->values[i];
        bool binary = value->format != 0 || !text_is_utf8(value->value.data, value->value.len);
        if (value->null || value->value.len > VALUE_MAX) {
            json_text(j, NULL, NULL);
        } else if (binary) {
            json_open_object(j, NULL);
            json_text(j, "base64", text_base64(base64, value->value.data, value->value.len));
            json_close_object(j);
        } else {
            json_bytes(j, NULL, value->value.data, value->value.len);
        }
    }
    json_close_array(j);
    json_u64(j, "values_omitted", content->values_omitted);
}

static void json_content(struct json *j, const Ipc__ApprovalContent *content, size_t statement_max)
{
    size_t n = content->statement.len < statement_max ? content->statement.len : statement_max;
    json_bytes(j, "statement", content->statement.data, n);
    json_u64(j, "statement_omitted", content->omitted + content->statement.len - n);
    json_values(j, content);
    json_open_array(j, "effects");
    for (size_t i = 0; i < content->n_effects; i++)
        json_text(j, NULL, content->effects[i]);
    json_close_array(j);
    json_u64(j, "effects_omitted", content->effects_omitted);
    json_open_object(j, "context");
    for (size_t i = 0; i < content->n_context; i++)
        json_text(j, content->context[i]->name, content->context[i]->value);
    json_close_object(j);
    json_name(j, "preview", content->preview);
}

int approval_json(struct buffer *out, const Ipc__Approval *a, const Ipc__ApprovalContent *content,
                  size_t statement_max)
{
    char digest[2 * APPROVAL_DIGEST + 1] = "";
    struct json j = json_to(out);
    json_open_object(&j, NULL);
    json_text(&j, "id", a->id);
    json_text(&j, "state", approval_state_name(a->state));
    json_text(&j, "identity", a->requester->name);
    json_name(&j, "actor", a->requester->actor);
    json_text(&j, "source", a->source);
    json_text(&j, "target", a->target);
    json_text(&j, "login", a->login);
    json_text(&j, "kind", a->kind);
    json_text(&j, "rule", a->rule);
    json_text(&j, "reason", a->reason);
    json_name(&j, "recording", a->recording);
    json_u64(&j, "number", a->number);
    json_groups(&j, a->approve->by, a->approve->n_by);
    json_u64(&j, "quorum", a->approve->quorum ? a->approve->quorum : 1);
    json_text(&j, "mode", a->approve->mode);
    json_bool(&j, "touch", a->approve->touch);
    json_bool(&j, "signed", a->approve->must_sign);
    json_time(&j, "created", a->created_ms);
    json_time(&j, "expires", a->expires_ms);
    json_time(&j, "ended", a->ended_ms);
    json_name(&j, "why", a->why);
    if (a->digest.len == APPROVAL_DIGEST)
        json_text(&j, "digest", approval_digest_text(a->digest.data, digest));
    json_decisions(&j, a->id, a->decisions, a->n_decisions);
    if (content)
        json_content(&j, content, statement_max);
    json_close_object(&j);
    return json_line(&j) ? 0 : -ENOBUFS;
}

int approval_grant_json(struct buffer *out, const Ipc__Grant *grant)
{
    struct json j = json_to(out);
    json_open_object(&j, NULL);
    json_text(&j, "grant", grant->id);
    json_text(&j, "identity", grant->requester->name);
    json_name(&j, "actor", grant->requester->actor);
    json_text(&j, "target", grant->target);
    json_text(&j, "rule", grant->rule);
    json_groups(&j, grant->by, grant->n_by);
    json_time(&j, "made", grant->made_ms);
    json_time(&j, "until", grant->until_ms);
    json_name(&j, "revoked", grant->revoked_by);
    json_decisions(&j, grant->id, grant->decisions, grant->n_decisions);
    json_close_object(&j);
    return json_line(&j) ? 0 : -ENOBUFS;
}
