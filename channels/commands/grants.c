/* revoke-grant ID: ends what `approve --for` has made. */
#include <stdio.h>
#include <string.h>

#include "channels/commands/commands.h"
#include "channels/commands/decision_words.h"
#include "channels/commands/desk.h"

static void on_grant_revoked(void *owner, const Ipc__AnswerRevokeGrant *answer)
{
    struct channel *channel = owner;
    char text[128];
    if (answer->refusal) {
        struct refusal why = refusal_of(answer->refusal);
        why.next = "`approvals --grants` lists those that you may see";
        channel_refuse(channel, &why);
        return;
    }
    (void)snprintf(text, sizeof text, "revoked the grant %.16s; what it let pass is asked about again\n",
                   answer->done);
    channel_print(channel, text, strlen(text));
    channel_exit(channel, 0);
}

static const struct desk_kind revoking = { .grant_revoked = on_grant_revoked };

void command_revoke_grant(struct channel *channel)
{
    struct decision_words words;
    struct detail detail = { "" };
    if (!decision_words_read(DECISION_REVOKE_GRANT, &channel->words, &words, &detail)) {
        command_usage(channel, detail.text);
        return;
    }
    if (desk_new(channel, &revoking, channel))
        return;
    Ipc__RevokeGrant revoke = IPC__REVOKE_GRANT__INIT;
    revoke.id = (char *)(uintptr_t)words.id;
    revoke.reason = words.reason;
    if (!desk_revoke_grant(channel, &revoke))
        return;
}
