/* See refusal.h. */
#include "channels/refusal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code, *word, *next;
    unsigned status;
} forms[] = {
    { "denied", "denied", "`describe` lists what you may do here", 77 },
    { "unparsable", "denied", "check the statement's syntax; `describe` lists what you may do here", 77 },
    { "target_unavailable", "unavailable", "try again later, or tell the bastion's operators", 69 },
    { "host_key_mismatch", "unavailable",
      "tell the bastion's operators: the host has changed, or somebody is in between", 69 },
    { "vault_sealed", "unavailable", "tell the bastion's operators: the vault must be unsealed", 69 },
    { "recording_unavailable", "unavailable", "tell the bastion's operators: nothing runs unrecorded", 69 },
    { "limit", "refused", "ask for less at once", 77 },
    { "unsigned", "refused", "sign it: contrib/gatehouse-approve does, or see docs/approvals.md", 77 },
    { "decided", "refused", "`approvals ID` shows what became of it", 77 },
    { "usage", "usage", "`help` lists the commands", 64 },
    { "pending", "pending", "run exactly the same again once it is approved", 75 },
    { "approval_denied", "denied", "ask that person before you try again", 77 },
    { "approval_expired", "denied", "run it again to ask again", 77 },
    { "killed", "ended", "ask whoever ended it", 77 },
    { "certificate_expired", "ended", "get a new certificate, then connect again", 77 },
    { "certificate_revoked", "ended", "ask those who run this bastion", 77 },
    { "malformed", "refused", "send an OIDC token on stdin: three parts with dots in between", 65 },
    { "no_token", "refused", "send an OIDC token on stdin: ssh enroll@BASTION < token", 65 },
    { "issuer_unavailable", "unavailable", "try again in a moment", 69 },
    { "provider_unavailable", "unavailable", "try again later, or tell the bastion's operators", 69 },
};

static size_t form_of(const char *code)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(forms[i].code, code) == 0)
            return i;
    }
    return 0;
}

struct refusal refusal_of(const Ipc__Refusal *refusal)
{
    return (struct refusal){ .code = refusal->code, .reason = refusal->message };
}

unsigned refusal_status(const struct refusal *refusal)
{
    return forms[form_of(refusal->code)].status;
}

char *refusal_lines(const struct refusal *refusal, char *out, size_t size)
{
    size_t form = form_of(refusal->code);
    (void)snprintf(out, size, "gatehouse: %s: %s (%s%s%scode %s)\ngatehouse: next: %s\n", forms[form].word,
                   refusal->reason, refusal->rule ? "rule " : "", refusal->rule ? refusal->rule : "",
                   refusal->rule ? ", " : "", refusal->code,
                   refusal->next ? refusal->next : forms[form].next);
    return out;
}
