/* Rules judge each effect; of several the strictest verdict counts, but for looks at attributes: who may
 * list, read or write a file may see how large it is. */
#include "channels/sftp/judge.h"
#include <stdio.h>
#include <string.h>
#include "base/text.h"

enum { REASON_MAX = 300, DESCRIBED_MAX = 1024 };

static int judge(struct file_judge *j, const struct file_effect *effect, struct verdict *ret)
{
    struct effects effects = { 0 };
    int r = ssh_effect_file(&effects, effect->operation, effect->path);
    if (r == 0)
        *ret = rulebook_decide(j->rulebook, &j->who, &effects);
    effects_free(&effects);
    return r;
}

/* Each effect by itself: every rule that allows one of them may want the file to be looked through. */
static int verdict_of(struct file_judge *j, const struct file_request *request, struct verdict *ret,
                      bool *ret_look)
{
    struct verdict worst = { .action = ACTION_ALLOW, .code = "", .rule = "", .reason = "" }, one;
    int r = 0;
    *ret_look = false;
    for (size_t i = 0; i < request->n_effects && r == 0; i++) {
        r = judge(j, &request->effects[i], &one);
        if (r == 0 && (i == 0 || (request->any ? one.action < worst.action : one.action > worst.action)))
            worst = one;
        *ret_look |= r == 0 && one.by && one.by->sensitive_deny;
    }
    /* Nobody can be asked in the middle of a transfer. */
    if (worst.action == ACTION_HOLD) {
        worst.action = ACTION_DENY;
        worst.code = "denied";
        worst.reason = "it needs an approval, which can't be asked for in the middle of a transfer";
    }
    if (worst.action == ACTION_ALLOW && *ret_look && !j->has_detectors) {
        worst.action = ACTION_DENY;
        worst.code = "denied";
        worst.reason = "it has to be looked through, and no mask names detectors for you on this target";
    }
    *ret = worst;
    return r;
}

static void complain(struct file_judge *j, const struct file_verdict *verdict, const char *subject)
{
    char line[2 * FILE_MESSAGE_MAX];
    if (!j->complain || j->complaints > FILE_COMPLAINTS_MAX)
        return;
    if (j->complaints++ == FILE_COMPLAINTS_MAX)
        (void)snprintf(line, sizeof line, "gatehouse: further refusals are only in the recording\n");
    else
        (void)snprintf(line, sizeof line, "gatehouse: %s: %s\n", verdict->message, subject);
    j->complain(j->owner, line);
}

static int record(struct file_judge *j, const struct file_request *request, const struct verdict *verdict)
{
    char described[FILE_EFFECTS_MAX][DESCRIBED_MAX], reason[REASON_MAX], rule[REASON_MAX];
    char *effects[FILE_EFFECTS_MAX];
    Ipc__Request event = IPC__REQUEST__INIT;
    for (size_t i = 0; i < request->n_effects; i++) {
        char text[2 * DESCRIBED_MAX];
        (void)snprintf(text, sizeof text, "%s %s", file_operation_name(request->effects[i].operation),
                       request->effects[i].path);
        effects[i] = text_escape(described[i], DESCRIBED_MAX, text, strlen(text), false);
    }
    (void)snprintf(reason, sizeof reason, "%s", verdict->reason);
    (void)snprintf(rule, sizeof rule, "%s", verdict->rule);
    event.what = (char *)(uintptr_t)request->what;
    event.verdict = (char *)(uintptr_t)action_name(verdict->action);
    event.code = (char *)(uintptr_t)verdict->code;
    event.rule = rule;
    event.reason = reason;
    event.effects = effects;
    event.n_effects = request->n_effects;
    return recorder_request(j->recorder, &event, request->text, strlen(request->text));
}

static int decide(void *owner, const struct file_request *request, struct file_verdict *ret)
{
    struct file_judge *j = owner;
    struct verdict verdict;
    char subject[FILE_MESSAGE_MAX];
    struct file_verdict result = { .number = recorder_next(j->recorder) };
    int r = verdict_of(j, request, &verdict, &result.look);
    r = r ? r : record(j, request, &verdict);
    if (r < 0)
        return r;
    result.allowed = verdict.action == ACTION_ALLOW;
    if (!result.allowed) {
        (void)snprintf(result.message, sizeof result.message, "denied: %.*s (rule %.100s, code %s)",
                       REASON_MAX, verdict.reason, verdict.rule, verdict.code);
        complain(j, &result,
                 text_escape(subject, sizeof subject, request->text, strlen(request->text), false));
    }
    *ret = result;
    return 0;
}

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){ .len = strlen(text), .data = (uint8_t *)(uintptr_t)text };
}

static int ended(void *owner, const struct file_transfer *told)
{
    struct file_judge *j = owner;
    struct digest_result digest = told->digest;
    Ipc__Transfer t = IPC__TRANSFER__INIT;
    t.of = told->of;
    t.program = (char *)(uintptr_t)told->program;
    t.direction = (char *)(uintptr_t)(told->upload ? "upload" : "download");
    t.path = bytes_of(told->path);
    t.resolved = bytes_of(told->resolved);
    t.bytes = digest.bytes;
    t.sha256 = (ProtobufCBinaryData){ .len = sizeof digest.sha256, .data = digest.sha256 };
    t.first = digest.from;
    t.length = digest.length;
    t.whole = digest.whole;
    t.has_size = told->has_size;
    t.size = told->size;
    t.duration_us = told->duration_us;
    t.state = (char *)(uintptr_t)told->state;
    t.note = (char *)(uintptr_t)told->note;
    if (strcmp(told->state, "refused") == 0) {
        char path[FILE_MESSAGE_MAX];
        struct file_verdict verdict = { .allowed = false };
        (void)snprintf(verdict.message, sizeof verdict.message, "%s", told->note);
        complain(j, &verdict, text_escape(path, sizeof path, told->path, strlen(told->path), false));
    }
    return recorder_transfer(j->recorder, &t);
}

struct transfer_host file_judge_host(struct file_judge *judge)
{
    return (struct transfer_host){ .owner = judge, .decide = decide, .ended = ended };
}
