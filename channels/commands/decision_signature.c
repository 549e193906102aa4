/* See decision_signature.h. */
#include "channels/commands/decision_signature.h"

#include <errno.h>
#include <string.h>

#include "policy/approval_digest.h"
#include "policy/sshsig.h"

int decision_signature_check(const struct gate *gate, const Ipc__Decide *decide, struct detail *detail)
{
    char message[APPROVAL_MESSAGE_MAX];
    struct detail why = { "it can't be verified now" };
    if (decide->digest.len != APPROVAL_DIGEST)
        return -EINVAL;
    (void)approval_message(decide->id, decide->digest.data, decide->for_ms, message);
    int fault = sshsig_verify(decide->signature.data, decide->signature.len, APPROVAL_NAMESPACE, message,
                              strlen(message), gate->certificate, &why);
    if (fault)
        detail_set(detail, "the signature does not count: %s", why.text);
    return fault;
}
