/* approvals: what waits for a decision, once. The ledger decides what this identity may see. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/io.h"
#include "channels/commands/approval_list.h"
#include "channels/commands/approval_text.h"
#include "channels/commands/approvals_screen.h"
#include "channels/commands/approvals_stream.h"
#include "channels/commands/approvals_words.h"
#include "channels/commands/commands.h"
#include "channels/commands/desk.h"
#include "policy/approval_digest.h"

enum {
    LIST_MAX = 16 * 1024 * 1024, /* bytes of a list */
    TEXT_MAX = 2 * 1024 * 1024,  /* bytes of one request for people */
};

static const struct refusal lost = { .code = "recording_unavailable", .reason = "approvals can't be read" };

/* ---- as the ledger writes it ---- */

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct channel *channel = owner;
    CLEANUP(free) uint8_t *list = NULL;
    size_t n = 0;
    if (refusal || fd < 0 || fd_contents(fd, LIST_MAX, &list, &n)) {
        struct refusal why = refusal ? refusal_of(refusal) : lost;
        channel_refuse(channel, &why);
        return;
    }
    channel_print(channel, list, n);
    channel_exit(channel, 0);
}

static const struct desk_kind listing = { .listed = on_listed };

/* ---- one, whole; or what is to be signed of it ---- */

static int write_one(struct buffer *out, const struct channel *channel, const Ipc__Approval *approval)
{
    struct approvals_words words;
    char message[APPROVAL_MESSAGE_MAX];
    if (!approvals_words_read(&channel->words, &words))
        return -EINVAL;
    if (!words.message)
        return approval_text(out, approval, clock_unix_ms());
    if (approval->digest.len != APPROVAL_DIGEST)
        return -EBADMSG;
    (void)approval_message(approval->id, approval->digest.data, words.for_ms, message);
    return buffer_append(out, message, strlen(message));
}

static void on_one(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct channel *channel = owner;
    CLEANUP(approval_list_free) Ipc__ApprovalList *list = NULL;
    struct buffer out;
    if (refusal || approval_list_read(fd, &list)) {
        struct refusal why = refusal ? refusal_of(refusal) : lost;
        channel_refuse(channel, &why);
        return;
    }
    if (list->n_approvals != 1) {
        channel_refuse(channel,
                       &(struct refusal){ .code = "denied",
                                          .reason = "there is no such request, or none that you may see",
                                          .next = "`approvals --all` lists those that you may" });
        return;
    }
    buffer_init(&out, TEXT_MAX);
    if (write_one(&out, channel, list->approvals[0]) == 0) {
        channel_print(channel, buffer_head(&out), buffer_size(&out));
        channel_exit(channel, 0);
    } else {
        channel_refuse(channel, &lost);
    }
    buffer_free(&out);
}

static const struct desk_kind showing = { .listed = on_one };

void command_approvals(struct channel *channel)
{
    struct approvals_words words;
    if (!approvals_words_read(&channel->words, &words)) {
        command_usage(channel, approvals_usage);
        return;
    }
    bool program = channel->open->what_case == IPC__OPEN__WHAT_SUBSYSTEM && channel->words.count == 1;
    if (words.follow || program) {
        approvals_stream_begin(channel, program);
        return;
    }
    if (channel->words.count == 1 && approvals_screen_fits(channel)) {
        approvals_screen_begin(channel);
        return;
    }
    bool whole = words.id[0] && !words.json && !words.grants;
    if (desk_new(channel, whole ? &showing : &listing, channel))
        return;
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    ask.form = (char *)(uintptr_t)(whole ? "packed" : words.json ? "json" : "table");
    ask.id = (char *)(uintptr_t)words.id;
    ask.target = (char *)(uintptr_t)words.target;
    ask.closed = words.all;
    ask.grants = words.grants;
    ask.content = true;
    if (!desk_ask(channel, &ask))
        return;
}
