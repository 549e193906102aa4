/* See about_approve.h. */
#include "channels/commands/about_approve.h"

#include <string.h>
#include "base/text.h"
#include "policy/holders.h"

void about_approve_text(const Ipc__Approve *approve, struct buffer *out)
{
    char by[HOLDER_BY_MAX], wait[24], keep[24];
    if (!approve)
        return;
    (void)!buffer_printf(out, "; asks %s, up to %s", holder_by(approve, by),
                         text_duration(wait, approve->wait_ms));
    if (strcmp(approve->mode, "retry") == 0)
        (void)!buffer_printf(out, "; to be sent again within %s of the approval",
                             text_duration(keep, approve->for_ms));
    if (approve->deny_in_transaction)
        (void)!buffer_printf(out, "; not inside of a transaction");
}

void about_approve_json(const Ipc__Approve *approve, struct json *j)
{
    char text[24];
    if (!approve)
        return;
    json_open_object(j, "approve");
    json_open_array(j, "by");
    for (size_t i = 0; i < approve->n_by; i++) {
        json_open_array(j, NULL);
        for (size_t k = 0; k < approve->by[i]->n_roles; k++)
            json_text(j, NULL, approve->by[i]->roles[k]);
        json_close_array(j);
    }
    json_close_array(j);
    json_u64(j, "quorum", approve->quorum);
    json_text(j, "wait", text_duration(text, approve->wait_ms));
    json_text(j, "mode", approve->mode);
    if (strcmp(approve->mode, "retry") == 0)
        json_text(j, "for", text_duration(text, approve->for_ms));
    json_text(j, "in_transaction", approve->deny_in_transaction ? "deny" : "allow");
    json_bool(j, "touch", approve->touch);
    json_bool(j, "signed", approve->must_sign);
    json_text(j, "preview", approve->preview);
    json_close_object(j);
}
