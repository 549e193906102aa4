/* See approval_text.h. */
#include "channels/commands/approval_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/approval_digest.h"
#include "policy/approval_form.h"

enum { ESCAPE = 8 }; /* bytes that one may become, at most */

/* ---- parts ---- */

char *approval_who(char *out, size_t size, const Ipc__Approval *approval)
{
    char whole[1024];
    (void)snprintf(whole, sizeof whole, approval->requester->actor[0] ? "%s for %s" : "%s%s",
                   approval->requester->actor, approval->requester->name);
    return text_escape(out, size, whole, strlen(whole), false);
}

char *approval_by(char *out, size_t size, const Ipc__Approval *approval)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < approval->approve->n_by; i++)
        for (size_t k = 0; k < approval->approve->by[i]->n_roles && at < size; k++) {
            char role[160];
            const char *name = approval->approve->by[i]->roles[k];
            const char *between = k ? " or " : i ? ", and " : "";
            at += (size_t)snprintf(out + at, size - at, "%s%s", between,
                                   text_escape(role, sizeof role, name, strlen(name), false));
        }
    return out;
}

char *approval_left(char out[24], uint64_t until_ms, uint64_t now_ms)
{
    uint64_t s = until_ms > now_ms ? (until_ms - now_ms) / 1000 : 0;
    return text_duration(out, (s >= 7200 ? s / 3600 * 3600 : s >= 120 ? s / 60 * 60 : s) * 1000);
}

char *approval_standing(char *out, size_t size, const Ipc__Approval *approval, uint64_t now_ms)
{
    char left[24];
    const char *name = approval_state_name(approval->state);
    (void)approval_left(left, approval->expires_ms, now_ms);
    if (approval->state == IPC__APPROVAL_STATE__APPROVAL_OPEN)
        (void)snprintf(out, size, "%s, %s left", name, left);
    else if (approval->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED)
        (void)snprintf(out, size, "%s, to be used within %s", name, left);
    else
        (void)snprintf(out, size, "%s", name);
    return out;
}

/* ---- lines ---- */

/* One line: a label, and text of others. */
static int put_line(struct buffer *out, const char *label, const char *text)
{
    char shown[4096];
    if (!text[0])
        return 0;
    return buffer_printf(out, "  %-10s %s\n", label,
                         text_escape(shown, sizeof shown, text, strlen(text), false));
}

/* Text of any length, each of its lines indented. */
static int put_block(struct buffer *out, const char *title, const void *bytes, size_t n, uint64_t omitted)
{
    CLEANUP(free) char *shown = malloc(ESCAPE * n + 16);
    if (!shown)
        return -ENOMEM;
    if (n == 0 && omitted == 0)
        return 0;
    (void)text_escape(shown, ESCAPE * n + 16, bytes, n, true);
    int r = buffer_printf(out, "\n%s\n", title);
    for (char *rest = shown, *line; r == 0 && (line = strsep(&rest, "\n"));)
        if (rest || line[0])
            r = buffer_printf(out, "    %s\n", line);
    if (r == 0 && omitted)
        r = buffer_printf(out, "    … and %" PRIu64 " bytes that are not kept\n", omitted);
    return r;
}

static int put_head(struct buffer *out, const Ipc__Approval *a, uint64_t now_ms)
{
    char text[2048], standing[64], roles[1024], where[600], rule[2200];
    size_t at = 0;
    roles[0] = 0;
    for (size_t i = 0; i < a->n_roles && at < sizeof roles; i++)
        at += (size_t)snprintf(roles + at, sizeof roles - at, "%s%s", i ? ", " : "", a->roles[i]);
    (void)snprintf(where, sizeof where, "%s as %s", a->target, a->login);
    (void)snprintf(rule, sizeof rule, "%s%s%s", a->rule, a->reason[0] ? ": " : "", a->reason);
    int r = buffer_printf(out, "%s  %s\n", a->id, approval_standing(standing, sizeof standing, a, now_ms));
    r = r ? r : buffer_printf(out, "  %-10s %s\n", "who", approval_who(text, sizeof text, a));
    r = r ? r : put_line(out, "roles", roles);
    r = r ? r : put_line(out, "from", a->source);
    r = r ? r : put_line(out, "where", where);
    r = r ? r : put_line(out, "rule", rule);
    return r;
}

static int put_terms(struct buffer *out, const Ipc__Approval *a)
{
    char by[2048], terms[2200], digest[2 * APPROVAL_DIGEST + 1], times[96], one[32], two[32], recording[128];
    char people[32] = "";
    if (a->approve->quorum > 1)
        (void)snprintf(people, sizeof people, ", %u people", (unsigned)a->approve->quorum);
    (void)snprintf(terms, sizeof terms, "%s%s%s%s", approval_by(by, sizeof by, a), people,
                   a->approve->touch ? ", with a security key" : "", a->approve->must_sign ? ", signed" : "");
    (void)snprintf(times, sizeof times, "%s, until %s", text_time(one, a->created_ms),
                   text_time(two, a->expires_ms));
    (void)snprintf(recording, sizeof recording, "%s, request %" PRIu64, a->recording, a->number);
    int r = buffer_printf(out, "  %-10s %s\n", "decided by", terms);
    r = r ? r : put_line(out, "asked", times);
    r = r ? r : put_line(out, "ended", a->ended_ms ? text_time(one, a->ended_ms) : "");
    r = r ? r : put_line(out, "why", a->why);
    r = r ? r : put_line(out, "recording", a->recording[0] ? recording : "");
    if (r == 0 && a->digest.len == APPROVAL_DIGEST)
        r = put_line(out, "digest", approval_digest_text(a->digest.data, digest));
    return r;
}

/* ---- the content ---- */

static int put_value(struct buffer *out, size_t number, const Ipc__ApprovalValue *value)
{
    CLEANUP(free) char *shown = malloc(ESCAPE * value->value.len + 16);
    if (!shown)
        return -ENOMEM;
    if (value->null)
        return buffer_printf(out, "    $%zu  NULL\n", number);
    return buffer_printf(
        out, "    $%zu  %s%s\n", number,
        text_escape(shown, ESCAPE * value->value.len + 16, value->value.data, value->value.len, false),
        value->format ? "  (binary)" : "");
}

static int put_lists(struct buffer *out, const Ipc__ApprovalContent *c)
{
    char shown[4096], name[256];
    int r = c->n_values ? buffer_printf(out, "\nvalues\n") : 0;
    for (size_t i = 0; i < c->n_values && r == 0; i++)
        r = put_value(out, i + 1, c->values[i]);
    if (r == 0 && c->values_omitted)
        r = buffer_printf(out, "    … %u of them are not kept, or not whole\n", (unsigned)c->values_omitted);
    if (r == 0 && c->n_effects)
        r = buffer_printf(out, "\neffects\n");
    for (size_t i = 0; i < c->n_effects && r == 0; i++)
        r = buffer_printf(out, "    %s\n",
                          text_escape(shown, sizeof shown, c->effects[i], strlen(c->effects[i]), false));
    if (r == 0 && c->effects_omitted)
        r = buffer_printf(out, "    … and %u more\n", (unsigned)c->effects_omitted);
    if (r == 0 && c->n_context)
        r = buffer_printf(out, "\nsettings\n");
    for (size_t i = 0; i < c->n_context && r == 0; i++)
        r = buffer_printf(
            out, "    %s = %s\n",
            text_escape(name, sizeof name, c->context[i]->name, strlen(c->context[i]->name), false),
            text_escape(shown, sizeof shown, c->context[i]->value, strlen(c->context[i]->value), false));
    return r;
}

static int put_content(struct buffer *out, const Ipc__Approval *a)
{
    const Ipc__ApprovalContent *c = a->content;
    char title[64];
    (void)snprintf(title, sizeof title, "statement (%.40s)", a->kind);
    int r = put_block(out, title, c->statement.data, c->statement.len, c->omitted);
    if (r == 0)
        r = put_lists(out, c);
    return r ? r : put_block(out, "preview", c->preview, strlen(c->preview), 0);
}

static int put_decisions(struct buffer *out, const Ipc__Approval *a)
{
    char by[600], reason[4096], at[32], time[24];
    int r = a->n_decisions ? buffer_printf(out, "\ndecisions\n") : 0;
    for (size_t i = 0; i < a->n_decisions && r == 0; i++) {
        const Ipc__ApprovalDecision *d = a->decisions[i];
        (void)text_escape(by, sizeof by, d->by->name, strlen(d->by->name), false);
        (void)text_escape(reason, sizeof reason, d->reason, strlen(d->reason), false);
        r = buffer_printf(out, "    %s  %s by %s%s%s%s%s%s\n", text_time(at, d->at_ms),
                          d->approve ? "approved" : "denied", by, d->for_ms ? ", for " : "",
                          d->for_ms ? text_duration(time, d->for_ms) : "", d->signature.len ? ", signed" : "",
                          reason[0] ? ": " : "", reason);
    }
    return r;
}

int approval_text(struct buffer *out, const Ipc__Approval *approval, uint64_t now_ms)
{
    int r = put_head(out, approval, now_ms);
    if (r == 0)
        r = put_terms(out, approval);
    if (r == 0 && approval->content)
        r = put_content(out, approval);
    return r ? r : put_decisions(out, approval);
}
