/* What the audit chain says of approvals (docs/recording-format.md §5). An event is entered before its change
 * is committed: nothing is ever in force that the chain does not know. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "replay/ledger_approval.h"

enum { FIELDS_MAX = 16, BY_MAX = 2048 };

struct entry {
    Ipc__AuditEvent event;
    Ipc__Variable all[FIELDS_MAX], *fields[FIELDS_MAX];
};

static void add(struct entry *entry, const char *name, const char *value)
{
    if (!value || !value[0] || entry->event.n_fields == FIELDS_MAX)
        return;
    entry->all[entry->event.n_fields] = lent_variable(name, value);
    entry->fields[entry->event.n_fields] = &entry->all[entry->event.n_fields];
    entry->event.n_fields++;
}

static void begin(struct entry *entry, const char *name, const Ipc__Identity *by)
{
    memset(entry, 0, sizeof *entry);
    entry->event = ledger_event(name, by);
    entry->event.fields = entry->fields;
}

/* "dba or ops, and security" */
static void by_text(Ipc__RoleGroup *const *by, size_t n_by, char out[BY_MAX])
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < n_by; i++)
        for (size_t k = 0; k < by[i]->n_roles && at < BY_MAX; k++)
            at += (size_t)snprintf(out + at, BY_MAX - at, "%s%s",
                                   k   ? " or "
                                   : i ? ", and "
                                       : "",
                                   by[i]->roles[k]);
}

int approvals_enter(struct approvals *approvals, const struct change *change)
{
    const Ipc__Approval *about = change->next;
    struct entry entry;
    char digest[2 * APPROVAL_DIGEST + 1], by[BY_MAX], number[24], quorum[24], expires[32];
    begin(&entry, change->event, change->by);
    if (!change->by)
        entry.event.connection = about->connection;
    entry.event.recording = about->recording;
    add(&entry, "request", about->id);
    if (about->digest.len == APPROVAL_DIGEST)
        add(&entry, "digest", approval_digest_text(about->digest.data, digest));
    add(&entry, "requester", about->requester->name);
    add(&entry, "actor", about->requester->actor);
    add(&entry, "target", about->target);
    add(&entry, "rule", about->rule);
    add(&entry, "state", approval_state_name(about->state));
    if (change->content) { /* it is new */
        by_text(about->approve->by, about->approve->n_by, by);
        add(&entry, "by", by);
        add(&entry, "quorum", text_u64(quorum, about->approve->quorum));
        add(&entry, "number", text_u64(number, about->number));
        add(&entry, "mode", about->approve->mode);
        add(&entry, "expires", text_time(expires, about->expires_ms));
    }
    for (size_t i = 0; i < change->n_more; i++)
        add(&entry, change->more[i].name, change->more[i].value);
    return ledger_enter(approvals->ledger, &entry.event);
}

int approvals_enter_grant(struct approvals *approvals, const char *event, const Ipc__Grant *grant,
                          const Ipc__Identity *by, const Ipc__Variable *more, size_t n_more)
{
    struct entry entry;
    char until[32];
    begin(&entry, event, by);
    add(&entry, "grant", grant->id);
    add(&entry, "requester", grant->requester->name);
    add(&entry, "actor", grant->requester->actor);
    add(&entry, "target", grant->target);
    add(&entry, "rule", grant->rule);
    add(&entry, "until", text_time(until, grant->until_ms));
    for (size_t i = 0; i < n_more; i++)
        add(&entry, more[i].name, more[i].value);
    return ledger_enter(approvals->ledger, &entry.event);
}
