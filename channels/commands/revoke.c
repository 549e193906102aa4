/* revoke IDENTITY|serial:N [--reason TEXT]: the ledger checks whether this identity may, and enters who did;
 * the issuer keeps the list. What is checked here is only what the words mean. */
#include "channels/commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

enum { REASON_MAX = 512 };

static const char usage[] = "revoke IDENTITY|serial:N [--reason TEXT]";

/* Words that key revocation lists know and this command does not: a typing mistake must not end as the name
 * of an identity that nobody has. */
static const char *why_not(const char *what)
{
    static const char *const forms[] = { "id:", "key:", "sha1:", "sha256:", "hash:", "string:", "SHA256:" };
    uint64_t serial;
    if (strncmp(what, "serial:", 7) == 0)
        return text_to_u64(what + 7, UINT64_MAX, &serial) && serial > 0
                   ? NULL
                   : "serial:N needs the number of a certificate; 0 is what certificates without a number "
                     "have";
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strncmp(what, forms[i], strlen(forms[i])) == 0)
            return "only an identity, as `whoami` shows it, or serial:N can be revoked here";
    return what[0] ? NULL : usage;
}

void command_revoke(struct channel *channel)
{
    struct gate *gate = channel->gate;
    char reason[REASON_MAX];
    if (channel->words.count < 2 || !command_reason(channel, reason, sizeof reason)) {
        command_usage(channel, usage);
        return;
    }
    const char *why = why_not(channel->words.items[1]);
    if (why) {
        command_usage(channel, why);
        return;
    }
    if (!gate->ledger) {
        channel_refuse(channel, &(struct refusal){ .code = "recording_unavailable",
                                                   .reason = "it can't be entered who revokes what" });
        return;
    }
    Ipc__AskRevoke ask = IPC__ASK_REVOKE__INIT;
    ask.request = channel->request = gate_request(gate);
    ask.what = channel->words.items[1];
    ask.reason = reason;
    Ipc__Message message = IPC_MESSAGE(ASK_REVOKE, ask_revoke, &ask);
    (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
}

void revoke_answered(struct channel *channel, const Ipc__Refusal *refusal, const char *done)
{
    char text[1024], what[768];
    if (refusal) {
        struct refusal why = refusal_of(refusal);
        channel_refuse(channel, &why);
        return;
    }
    (void)text_escape(what, sizeof what, done, strlen(done), false);
    (void)snprintf(text, sizeof text, "revoked: %s; its sessions end\n", what);
    channel_print(channel, text, strlen(text));
    channel_exit(channel, 0);
}
