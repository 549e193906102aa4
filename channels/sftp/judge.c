/* Rules judge each effect; of several the strictest verdict counts, but for looks at attributes: who may
 * list, read or write a file may see how large it is. */
#include "channels/sftp/judge.h"
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "policy/transfer_servers.h"

enum { REASON_MAX = 300, DESCRIBED_MAX = 1024 };

/* A request's verdict. */
struct judged {
    struct verdict verdict;
    struct holders holders;
    bool look;
};

static void deny(struct judged *d, const char *reason)
{
    d->verdict.action = ACTION_DENY;
    d->verdict.code = "denied";
    d->verdict.reason = reason;
}

static int judge(struct file_judge *j, const struct file_effect *effect, struct verdict *ret,
                 struct holders *holders)
{
    struct effects effects = { 0 };
    int r = ssh_effect_file(&effects, effect->operation, effect->path);
    if (r == 0)
        *ret = rulebook_decide(j->rulebook, &j->who, &effects);
    if (r == 0 && ret->action == ACTION_HOLD)
        holders_add_statement(holders, j->rulebook, &j->who, &effects);
    effects_free(&effects);
    return r;
}

/* Each effect by itself: every rule that allows one of them may want the file to be looked through. */
static int verdict_of(struct file_judge *j, const struct file_request *request, struct judged *d)
{
    struct verdict one;
    int r = 0;
    *d = (struct judged){ .verdict = { .action = ACTION_ALLOW, .code = "", .rule = "", .reason = "" } };
    for (size_t i = 0; i < request->n_effects && r == 0; i++) {
        r = judge(j, &request->effects[i], &one, &d->holders);
        if (r == 0 &&
            (i == 0 || (request->any ? one.action < d->verdict.action : one.action > d->verdict.action)))
            d->verdict = one;
        d->look |= r == 0 && one.by && one.by->sensitive_deny;
    }
    /* Clients look at a file before they open it. Were that held too, each file would be asked for twice. */
    if (d->verdict.action == ACTION_HOLD && (request->any || request->opened)) {
        d->verdict.action = ACTION_ALLOW;
        d->verdict.code = "";
        d->verdict.reason = request->any ? "size, times and the like of what may be had with an approval"
                                         : "its opening was approved";
    }
    if (d->verdict.action == ACTION_HOLD && (!j->ask || d->holders.overflow))
        deny(d, "it needs an approval, which nobody can be asked for here");
    if (d->verdict.action != ACTION_DENY && d->look && !j->has_detectors)
        deny(d, TRANSFER_NO_DETECTORS);
    return r;
}

void file_judge_complain(struct file_judge *j, const struct file_verdict *verdict, const char *subject)
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

/* Its effects in words. */
struct described {
    char words[FILE_EFFECTS_MAX][DESCRIBED_MAX];
    char *list[FILE_EFFECTS_MAX];
};

static void describe(const struct file_request *request, struct described *ret)
{
    for (size_t i = 0; i < request->n_effects; i++) {
        char text[2 * DESCRIBED_MAX];
        (void)snprintf(text, sizeof text, "%s %s", file_operation_name(request->effects[i].operation),
                       request->effects[i].path);
        ret->list[i] = text_escape(ret->words[i], DESCRIBED_MAX, text, strlen(text), false);
    }
}

static int record(struct file_judge *j, const struct file_request *request, const struct verdict *verdict,
                  struct described *described)
{
    char reason[REASON_MAX], rule[REASON_MAX];
    Ipc__Request event = IPC__REQUEST__INIT;
    (void)snprintf(reason, sizeof reason, "%s", verdict->reason);
    (void)snprintf(rule, sizeof rule, "%s", verdict->rule);
    event.what = (char *)(uintptr_t)request->what;
    event.verdict = (char *)(uintptr_t)action_name(verdict->action);
    event.code = (char *)(uintptr_t)verdict->code;
    event.rule = rule;
    event.reason = reason;
    event.effects = described->list;
    event.n_effects = request->n_effects;
    return recorder_request(j->recorder, &event, request->text, strlen(request->text));
}

void file_refusal(struct file_verdict *ret, const char *code, const char *reason, const char *rule)
{
    ret->allowed = ret->held = false;
    (void)snprintf(ret->code, sizeof ret->code, "%s", code);
    (void)snprintf(ret->message, sizeof ret->message, "%s: %.*s (rule %.100s, code %s)",
                   strcmp(code, "pending") == 0 ? "pending" : "denied", REASON_MAX, reason, rule, code);
}

/* The recording has the request: people are asked. */
static void hold(struct file_judge *j, const struct file_request *request, const struct judged *d,
                 const struct described *described, struct file_verdict *result)
{
    const struct file_question question = { .text = request->text,
                                            .effects = (const char *const *)described->list,
                                            .n_effects = request->n_effects,
                                            .number = result->number,
                                            .holders = &d->holders };
    result->held = j->ask(j->owner, &question) == 0;
    if (!result->held)
        file_refusal(result, "limit", "it needs an approval, and could not be asked for", d->verdict.rule);
}

static int decide(void *owner, const struct file_request *request, struct file_verdict *ret)
{
    struct file_judge *j = owner;
    struct judged d;
    struct described described;
    char subject[FILE_MESSAGE_MAX];
    struct file_verdict result = { .number = recorder_next(j->recorder) };
    int r = verdict_of(j, request, &d);
    describe(request, &described);
    r = r ? r : record(j, request, &d.verdict, &described);
    if (r < 0)
        return r;
    result.look = d.look;
    result.allowed = d.verdict.action == ACTION_ALLOW;
    if (d.verdict.action == ACTION_HOLD)
        hold(j, request, &d, &described, &result);
    else if (!result.allowed)
        file_refusal(&result, d.verdict.code, d.verdict.reason, d.verdict.rule);
    if (!result.allowed && !result.held)
        file_judge_complain(
            j, &result, text_escape(subject, sizeof subject, request->text, strlen(request->text), false));
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
        file_judge_complain(j, &verdict,
                            text_escape(path, sizeof path, told->path, strlen(told->path), false));
    }
    return recorder_transfer(j->recorder, &t);
}

struct transfer_host file_judge_host(struct file_judge *judge)
{
    return (struct transfer_host){ .owner = judge, .decide = decide, .ended = ended };
}
