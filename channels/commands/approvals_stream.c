/* Nothing is asked of the ledger while something still waits to be printed: what a slow reader costs is one
 * answer, the ids of what has changed meanwhile (feed.h), and one line of its own. */
#include "channels/commands/approvals_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/text.h"
#include "channels/commands/approval_list.h"
#include "channels/commands/bot_words.h"
#include "channels/commands/decision_signature.h"
#include "channels/commands/desk.h"
#include "channels/commands/feed.h"
#include "channels/commands/intake.h"
#include "channels/printer.h"
#include "policy/approval_form.h"
#include "policy/sshsig_form.h"

enum {
    INPUT_STEP = 4096,     /* bytes that one reading may bring */
    ANSWER_MAX = 64 * 1024 /* bytes of one answer but lists */
};

/* What was asked of the ledger, and not answered yet. */
enum asking { ASKING_NOTHING, ASKING_LIST, ASKING_CHANGED, ASKING_FOR_PROGRAM };

struct follower {
    struct channel *channel;
    bool program;
    bool input_ended;
    enum asking asking;
    struct intake *input;
    struct buffer lines; /* that the program has sent and that were not looked at */
    struct bot_request request;
    struct feed feed;
};

static void go_on(struct follower *f);

static void follower_free(void *owner)
{
    struct follower *f = owner;
    intake_free(f->input);
    buffer_free(&f->lines);
    feed_free(&f->feed);
    free(f);
}

static void stop(struct follower *f, const char *code, const char *reason, const char *next)
{
    intake_free(STEAL(f->input));
    channel_refuse(f->channel, &(struct refusal){ .code = code, .reason = reason, .next = next });
}

/* ---- what goes out ---- */

/* Lines of the ledger's; a program gets each in an object that says what it is. */
static void print_lines(struct follower *f, const char *type, const char *lines, size_t n)
{
    if (!f->program) {
        channel_print(f->channel, lines, n);
        return;
    }
    for (const char *at = lines, *end = lines + n; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = newline ? (size_t)(newline - at) : (size_t)(end - at);
        char head[64];
        int head_n = snprintf(head, sizeof head, "{\"type\":\"%s\",\"%s\":", type, type);
        channel_print(f->channel, head, (size_t)head_n);
        channel_print(f->channel, at, length);
        channel_print(f->channel, "}\n", 2);
        at += length + 1;
    }
}

struct answer {
    bool ok;
    const char *code, *text; /* code: of a refusal */
    const char *state;       /* or NULL */
};

static void answer(struct follower *f, const struct answer *a)
{
    struct buffer out;
    char head[64 + BOT_ID_MAX];
    int n = snprintf(head, sizeof head, "{\"type\":\"answer\",\"id\":%s,", f->request.id);
    buffer_init(&out, ANSWER_MAX);
    struct json j = json_to(&out);
    json_open_object(&j, NULL);
    json_bool(&j, "ok", a->ok);
    if (a->code)
        json_text(&j, "code", a->code);
    if (f->request.request[0])
        json_text(&j, "request", f->request.request);
    if (a->state)
        json_text(&j, "state", a->state);
    json_text(&j, a->ok ? "text" : "error", a->text);
    json_close_object(&j);
    if (json_line(&j)) {
        channel_print(f->channel, head, (size_t)n);
        channel_print(f->channel, buffer_head(&out) + 1, buffer_size(&out) - 1); /* without its brace */
    }
    buffer_free(&out);
    f->asking = ASKING_NOTHING;
}

static void hello(struct follower *f)
{
    const Ipc__Identity *who = f->channel->gate->identity;
    struct buffer out;
    buffer_init(&out, ANSWER_MAX);
    struct json j = json_to(&out);
    json_open_object(&j, NULL);
    json_text(&j, "type", "hello");
    json_text(&j, "protocol", "gatehouse-approvals");
    json_u64(&j, "version", BOT_VERSION);
    json_text(&j, "server", GATEHOUSE_VERSION);
    json_text(&j, "identity", who->name);
    json_open_array(&j, "roles");
    for (size_t i = 0; i < who->n_roles; i++)
        json_text(&j, NULL, who->roles[i]);
    json_close_array(&j);
    json_close_object(&j);
    if (json_line(&j))
        channel_print(f->channel, buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
}

/* ---- what a program wants ---- */

static void ask_ledger(struct follower *f, enum asking asking, const char *id)
{
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    ask.form = (char *)(uintptr_t) "json";
    ask.id = (char *)(uintptr_t)id;
    f->asking = asking;
    if (!desk_ask(f->channel, &ask))
        return;
}

static void decide(struct follower *f)
{
    CLEANUP(free) uint8_t *signature = NULL;
    size_t n = 0;
    struct bot_request *request = &f->request;
    struct detail detail = { "it can't be verified now" };
    Ipc__Decide decide = IPC__DECIDE__INIT;
    decide.id = request->request;
    decide.approve = request->what == BOT_APPROVE;
    decide.reason = request->words.reason;
    decide.for_ms = request->words.for_ms;
    decide.digest = (ProtobufCBinaryData){ DECISION_DIGEST, request->words.digest };
    if (request->signature) {
        if (sshsig_from_armour(request->signature, strlen(request->signature), &signature, &n)) {
            answer(f, &(struct answer){ .code = "malformed", .text = "\"signature\" is none" });
            return;
        }
        decide.signature = (ProtobufCBinaryData){ n, signature };
        if (decision_signature_check(f->channel->gate, &decide, &detail)) {
            answer(f, &(struct answer){ .code = "unsigned", .text = detail.text });
            return;
        }
    }
    f->asking = ASKING_FOR_PROGRAM;
    if (!desk_decide(f->channel, &decide))
        return;
}

static void revoke_grant(struct follower *f)
{
    Ipc__RevokeGrant revoke = IPC__REVOKE_GRANT__INIT;
    revoke.id = f->request.request;
    revoke.reason = f->request.words.reason;
    f->asking = ASKING_FOR_PROGRAM;
    if (!desk_revoke_grant(f->channel, &revoke))
        return;
}

static void take_line(struct follower *f, const void *line, size_t n)
{
    CLEANUP(json_object_free) struct json_object object = { 0 };
    struct detail detail = { "out of memory" };
    if (bot_request_read(line, n, &object, &f->request, &detail)) {
        answer(f, &(struct answer){ .code = "malformed", .text = detail.text });
        return;
    }
    switch (f->request.what) {
    case BOT_APPROVE:
    case BOT_DENY:
        decide(f);
        break;
    case BOT_REVOKE_GRANT:
        revoke_grant(f);
        break;
    case BOT_SHOW:
    case BOT_LIST:
        ask_ledger(f, ASKING_FOR_PROGRAM, f->request.request);
        break;
    case BOT_PING:
        answer(f, &(struct answer){ .ok = true, .text = "here" });
        break;
    }
}

/* The first line that has come, if it is complete; blank ones are skipped. */
static bool take_next_line(struct follower *f)
{
    const char *head = (const char *)buffer_head(&f->lines);
    size_t size = buffer_size(&f->lines);
    const char *newline = size ? memchr(head, '\n', size) : NULL;
    if (!newline && !(f->input_ended && size > 0))
        return false;
    size_t n = newline ? (size_t)(newline - head) : size;
    CLEANUP(free) char *line = malloc(n + 1);
    if (line) {
        memcpy(line, head, n);
        line[n] = 0;
    }
    buffer_consume(&f->lines, newline ? n + 1 : n);
    if (!line)
        stop(f, "limit", "out of memory", NULL);
    else if (strspn(line, " \t\r") < n)
        take_line(f, line, n);
    return true;
}

/* ---- going on ---- */

static void show_changed(struct follower *f)
{
    CLEANUP(feed_item_free) struct feed_item *item = feed_take(&f->feed);
    if (!item)
        return;
    if (item->grant)
        print_lines(f, "grant", item->grant, strlen(item->grant));
    else
        ask_ledger(f, ASKING_CHANGED, item->id);
}

static bool is_busy(const struct follower *f)
{
    return f->asking != ASKING_NOTHING || f->channel->closing ||
           (f->channel->out && !printer_empty(f->channel->out));
}

static void go_on(struct follower *f)
{
    while (!is_busy(f) && (take_next_line(f) || f->feed.first))
        if (!is_busy(f))
            show_changed(f);
    if (f->channel->closing)
        return;
    if (!is_busy(f) && f->program && f->input_ended)
        channel_exit(f->channel, 0);
    else if (f->program && f->input)
        intake_on(f->input, buffer_room(&f->lines) >= INPUT_STEP);
}

static void on_input(void *owner, enum intake_event event, const uint8_t *bytes, size_t n)
{
    struct follower *f = owner;
    if (event == INTAKE_GONE) {
        channel_exit(f->channel, 0);
        return;
    }
    if (!f->program)
        return; /* what is typed at a list that goes on means nothing */
    f->input_ended = event == INTAKE_END;
    if (event == INTAKE_BYTES && buffer_append(&f->lines, bytes, n)) {
        stop(f, "limit", "what came on stdin does not fit", NULL);
        return;
    }
    if (buffer_room(&f->lines) < INPUT_STEP &&
        !memchr(buffer_head(&f->lines), '\n', buffer_size(&f->lines))) {
        stop(f, "limit", "a line is longer than 28 KiB", NULL);
        return;
    }
    go_on(f);
}

/* ---- answers and news ---- */

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct follower *f = owner;
    CLEANUP(free) uint8_t *list = NULL;
    size_t n = 0;
    enum asking asking = f->asking;
    int r = refusal || fd < 0 ? -EBADF : fd_contents(fd, APPROVAL_LIST_MAX, &list, &n);
    f->asking = ASKING_NOTHING;
    if (r == 0)
        print_lines(f, "request", (const char *)list, n);
    if (asking == ASKING_FOR_PROGRAM && r == 0)
        answer(f, n > 0 || f->request.what == BOT_LIST
                      ? &(struct answer){ .ok = true, .text = "these" }
                      : &(struct answer){ .code = "denied",
                                          .text = "there is no such request, or none that you may see" });
    else if (asking == ASKING_FOR_PROGRAM)
        answer(f, &(struct answer){ .code = refusal ? refusal->code : "recording_unavailable",
                                    .text = refusal ? refusal->message : "approvals can't be read" });
    else if (r) {
        stop(f, refusal ? refusal->code : "recording_unavailable",
             refusal ? refusal->message : "approvals can't be read", NULL);
        return;
    }
    go_on(f);
}

static void on_decided(void *owner, const Ipc__AnswerDecide *decided)
{
    struct follower *f = owner;
    if (decided->refusal)
        answer(f, &(struct answer){ .code = decided->refusal->code, .text = decided->refusal->message });
    else
        answer(f, &(struct answer){
                      .ok = true, .text = decided->done, .state = approval_state_name(decided->state) });
    go_on(f);
}

static void on_grant_revoked(void *owner, const Ipc__AnswerRevokeGrant *revoked)
{
    struct follower *f = owner;
    if (revoked->refusal)
        answer(f, &(struct answer){ .code = revoked->refusal->code, .text = revoked->refusal->message });
    else
        answer(f, &(struct answer){ .ok = true, .text = "revoked", .state = "revoked" });
    go_on(f);
}

static void on_news(void *owner, const Ipc__ApprovalNews *news)
{
    struct follower *f = owner;
    int r = feed_add(&f->feed, news);
    if (r == -ENOBUFS)
        stop(f, "limit", "you read more slowly than things happen: 4096 of them wait", "connect again");
    else if (r)
        stop(f, "limit", "out of memory", "connect again");
    else
        go_on(f);
}

static void on_drained(void *owner)
{
    go_on(owner);
}

static const struct desk_kind following = { .listed = on_listed,
                                            .decided = on_decided,
                                            .grant_revoked = on_grant_revoked,
                                            .news = on_news,
                                            .drained = on_drained,
                                            .free = follower_free };

void approvals_stream_begin(struct channel *channel, bool program)
{
    struct follower *f = calloc(1, sizeof *f);
    if (f) {
        *f = (struct follower){ .channel = channel, .program = program, .request = { .id = "null" } };
        buffer_init(&f->lines, BOT_LINE_MAX);
    }
    if (desk_new(channel, &following, f))
        return;
    if (intake_new(channel, on_input, f, &f->input)) {
        stop(f, "limit", "out of memory or descriptors", NULL);
        return;
    }
    if (!desk_follow(channel))
        return;
    if (program)
        hello(f);
    ask_ledger(f, ASKING_LIST, "");
}
