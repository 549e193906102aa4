/* The transfer's bytes go the way that those of any session go: read from the client while there is room for
 * them, taken from libssh while the client takes them. Inside of libssh (task_transfer_output) only what is
 * for the client is moved; what is for the target waits for the loop's next round. */
#include "channels/ssh/task_transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/masking.h"
#include "channels/recorder.h"
#include "policy/transfer_command.h"
#include "channels/sftp/judge.h"
#include "channels/sftp/opaque.h"
#include "channels/sftp/scp.h"
#include "channels/sftp/sftp.h"
#include "channels/ssh/file_hold.h"
#include "channels/ssh/host.h"
#include "channels/ssh/target_paths.h"
#include "channels/ssh/task_parts.h"

struct task_transfer {
    struct ssh_task *task;
    struct transfer *transfer;
    struct file_judge judge;
    struct masking masking; /* whose detectors look through files that have to be */
    struct detect_how how;
    struct target_paths *paths; /* once somebody asked */
    struct file_holds *holds;   /* what people decide on */
    struct timer *soon;
    bool paused;     /* output() takes nothing */
    bool end_passed; /* the client's EOF */
    bool waits;      /* nobody has been told yet how it was decided */
    int fault;       /* of the transfer, or 0 */
};

/* ---- what the transfer wants of us ---- */

static void complain(void *owner, const char *text)
{
    struct task_transfer *t = owner;
    (void)!ssh_task_give(&t->task->err, (const uint8_t *)text, strlen(text));
    ssh_task_watch(t->task);
}

static void resolved(void *owner, const struct resolved_path *path)
{
    struct task_transfer *t = owner;
    transfer_resolved(t->transfer, path);
    timer_set(t->soon, 0);
}

static void resolve(void *owner, const char *path)
{
    struct task_transfer *t = ((struct file_judge *)owner)->owner;
    struct upstream *upstream = ssh_host_upstream(t->task->host);
    if (!t->paths && upstream &&
        target_paths_new(t->task->channel->gate->loop, upstream, resolved, t, &t->paths))
        t->paths = NULL;
    if (t->paths)
        target_paths_ask(t->paths, path);
    else
        transfer_resolved(t->transfer, &(struct resolved_path){ .path = NULL });
}

static void held_decided(void *owner, const struct file_verdict *verdict)
{
    struct task_transfer *t = owner;
    transfer_decided(t->transfer, verdict);
    timer_set(t->soon, 0);
}

static int ask_people(void *owner, const struct file_question *question)
{
    struct task_transfer *t = owner;
    return file_holds_ask(t->holds, question);
}

/* ---- life ---- */

static void soon(void *owner)
{
    struct task_transfer *t = owner;
    struct upstream *upstream = ssh_host_upstream(t->task->host);
    (void)!task_transfer_move(t);
    if (upstream)
        upstream_settle(upstream);
}

static int make(struct task_transfer *t, const struct transfer_host *host)
{
    CLEANUP(transfer_command_clear) struct transfer_command command = { .program = PROGRAM_OTHER };
    const struct ssh_task *task = t->task;
    if (task->kind == SSH_SUBSYSTEM)
        return strcmp(task->text, "sftp") == 0 ? sftp_transfer_new(host, &t->transfer) : 0;
    if (task->kind != SSH_EXEC)
        return 0;
    int r = transfer_command_read(task->text, &command);
    if (r || command.program == PROGRAM_OTHER)
        return r;
    return command.program == PROGRAM_SCP ? scp_transfer_new(host, &command, &t->transfer)
                                          : opaque_transfer_new(host, &command, task->text, &t->transfer);
}

/* Nobody sees what stands for a match: any mask does. */
static int take_detectors(struct task_transfer *t, struct transfer_host *host)
{
    const struct gate *gate = t->task->channel->gate;
    int r = masking_init(&t->masking, gate->config, &t->judge.who, gate->detectors);
    for (size_t i = 0; r == 0 && i < DETECTORS_MAX; i++)
        t->how.kinds[i] = t->masking.detect.kinds[i] == MASK_NONE ? MASK_NONE : MASK_REDACT;
    host->detectors = t->masking.veil.detectors;
    host->how = &t->how;
    t->judge.has_detectors = host->detectors != NULL;
    return r;
}

int task_transfer_new(struct ssh_task *task, struct task_transfer **ret)
{
    const struct gate *gate = task->channel->gate;
    const char *target = task->channel->target->name;
    struct task_transfer *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->task = task;
    t->judge = (struct file_judge){ .rulebook = gate->rules,
                                    .who = { .roles = gate->identity->roles,
                                             .n_roles = gate->identity->n_roles,
                                             .target = target,
                                             .channel = task->kind == SSH_SUBSYSTEM ? "sftp" : "exec" },
                                    .recorder = task->channel->recorder,
                                    .complain = complain,
                                    .ask = ask_people,
                                    .owner = t };
    struct transfer_host host = file_judge_host(&t->judge);
    host.resolve = resolve;
    host.asks_paths =
        rulebook_asks_paths(gate->rules, gate->identity->roles, gate->identity->n_roles, target);
    int r = take_detectors(t, &host);
    r = r ? r : make(t, &host);
    if (r == 0 && t->transfer) {
        /* libssh hands on up to a window at once. */
        t->waits = t->transfer->stage == TRANSFER_WAITS;
        t->transfer->from_target.limit += TASK_WAITING_MAX;
        t->transfer->to_client.limit += TASK_WAITING_MAX;
        r = timer_new(gate->loop, soon, t, &t->soon);
        r = r ? r : file_holds_new(task, &t->judge, held_decided, t, &t->holds);
    }
    if (r || !t->transfer) {
        task_transfer_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void task_transfer_free(struct task_transfer *t)
{
    if (!t)
        return;
    if (t->transfer)
        (void)!transfer_end(t->transfer);
    file_holds_free(t->holds);
    target_paths_free(t->paths);
    timer_free(t->soon);
    transfer_free(t->transfer);
    masking_clear(&t->masking);
    free(t);
}

void task_transfer_abandon(struct task_transfer *t)
{
    target_paths_free(STEAL(t->paths));
}

/* ---- moving ---- */

bool task_transfer_failed(const struct task_transfer *t)
{
    return t->fault != 0;
}

/* What is said outlives the transfer, which goes first. */
void task_transfer_stop(struct task_transfer *t)
{
    char reason[DETAIL_MAX];
    struct refusal why = { .code = "limit", .reason = reason };
    (void)snprintf(reason, sizeof reason, "%s", t->transfer->why.text);
    if (t->fault == TRANSFER_UNRECORDED)
        why = (struct refusal){ .code = "recording_unavailable",
                                .reason = "the session can't be recorded, so it ends here" };
    else if (t->fault == TRANSFER_CLIENT)
        why.code = "protocol";
    else if (t->fault == TRANSFER_TARGET)
        why.code = "target_unavailable";
    else
        (void)snprintf(reason, sizeof reason, "out of memory or descriptors");
    ssh_task_stop(t->task, &why);
}

/* What the client takes at once, and no more than that on top. True: some of it went. */
static bool give_down(struct task_transfer *t)
{
    struct buffer *out = &t->transfer->to_client;
    struct task_stream *stream = &t->task->out;
    size_t n = buffer_size(out);
    if (n == 0 || buffer_size(&stream->waiting) > 0)
        return false;
    n = n < TASK_WAITING_MAX ? n : TASK_WAITING_MAX;
    if (stream->deaf || ssh_task_give(stream, buffer_head(out), n))
        n = buffer_size(out); /* nobody reads it */
    buffer_consume(out, n);
    buffer_shrink(out, TRANSFER_HIGH);
    return true;
}

static bool write_up(struct task_transfer *t)
{
    struct buffer *out = &t->transfer->to_target;
    struct ssh_task *task = t->task;
    bool wrote = false;
    size_t room;
    while (task->running && task->session && buffer_size(out) > 0 &&
           (room = upstream_channel_room(task->session)) > 0) {
        size_t n = buffer_size(out) < room ? buffer_size(out) : room;
        if (upstream_channel_write(task->session, buffer_head(out), n))
            n = buffer_size(out); /* the target reads no more */
        buffer_consume(out, n);
        wrote = true;
    }
    return wrote;
}

/* Everything of the client's is with the target, or will never be a whole message. */
static void pass_end(struct task_transfer *t)
{
    const struct transfer *transfer = t->transfer;
    if (t->end_passed || !transfer->client_ended || !t->task->running || !t->task->session ||
        buffer_size(&transfer->to_target) > 0 ||
        (buffer_size(&transfer->from_client) > 0 && !transfer_wants_client(transfer)))
        return;
    t->end_passed = true;
    upstream_channel_end_input(t->task->session);
}

static void take_more(struct task_transfer *t)
{
    if (t->paused && t->task->session && transfer_wants_target(t->transfer)) {
        t->paused = false;
        upstream_channel_more(t->task->session, false);
    }
}

/* The refusal goes with the transfer, and has been said with rule and code already: those are left out. */
static bool decided(struct task_transfer *t)
{
    static const char denied[] = "denied: ", pending[] = "pending: ";
    const char *refusal = t->transfer->refusal;
    char reason[DETAIL_MAX], code[FILE_CODE_MAX];
    if (t->transfer->stage == TRANSFER_GOES)
        return ssh_task_decided(t->task, NULL, NULL);
    (void)snprintf(code, sizeof code, "%s",
                   t->transfer->refusal_code[0] ? t->transfer->refusal_code : "denied");
    const char *colon = strstr(refusal, ": ");
    bool prefixed = strncmp(refusal, denied, sizeof denied - 1) == 0 ||
                    strncmp(refusal, pending, sizeof pending - 1) == 0;
    (void)snprintf(reason, sizeof reason, "%s", prefixed && colon ? colon + 2 : refusal);
    char *bracket = strrchr(reason, '(');
    if (bracket && bracket > reason)
        bracket[-1] = 0;
    return ssh_task_decided(t->task, code, reason);
}

bool task_transfer_move(struct task_transfer *t)
{
    struct ssh_task *task = t->task;
    bool moved = true;
    while (t->fault == 0 && moved) {
        t->fault = transfer_run(t->transfer);
        moved = give_down(t) | write_up(t);
    }
    if (t->fault) {
        task_transfer_stop(t);
        return false;
    }
    if (t->waits && t->transfer->stage != TRANSFER_WAITS) {
        t->waits = false;
        return decided(t);
    }
    pass_end(t);
    take_more(t);
    return ssh_task_moved(task);
}

bool task_transfer_ready(struct task_transfer *t)
{
    if (t->transfer->stage == TRANSFER_GOES)
        return true;
    timer_set(t->soon, 0); /* decides, and tells ssh_task_decided() */
    return false;
}

bool task_transfer_asks_paths(const struct task_transfer *t)
{
    return t->transfer->host.asks_paths;
}

bool task_transfer_wants_input(const struct task_transfer *t)
{
    return !t->transfer->client_ended && transfer_wants_client(t->transfer);
}

bool task_transfer_read(struct task_transfer *t)
{
    struct buffer *in = &t->transfer->from_client;
    size_t n = 0, room = buffer_room(in) < TRANSFER_READ_MAX ? buffer_room(in) : TRANSFER_READ_MAX;
    if (!task_transfer_wants_input(t))
        return true;
    int r = buffer_read(in, t->task->out.fd, room, &n);
    if (r == -EAGAIN || r == -EINTR)
        return true;
    if (r || n == 0)
        t->transfer->client_ended = t->task->input_over = true;
    return task_transfer_move(t);
}

enum upstream_taken task_transfer_output(struct task_transfer *t, const uint8_t *bytes, size_t n)
{
    int r = buffer_append(&t->transfer->from_target, bytes, n);
    do {
        r = r ? r : transfer_run(t->transfer);
    } while (r == 0 && give_down(t));
    if (r) {
        t->fault = r;
        return UPSTREAM_NO_MORE;
    }
    ssh_task_watch(t->task);
    if (buffer_size(&t->transfer->to_target) > 0 || t->transfer->client_ended ||
        task_transfer_wants_input(t) != t->task->reads)
        timer_set(t->soon, 0);
    t->paused = !transfer_wants_target(t->transfer) || buffer_size(&t->task->out.waiting) > 0;
    return t->paused ? UPSTREAM_PAUSE : UPSTREAM_GO_ON;
}

void task_transfer_target_ended(struct task_transfer *t)
{
    t->transfer->target_ended = true;
}

bool task_transfer_is_empty(const struct task_transfer *t)
{
    return buffer_size(&t->transfer->to_client) == 0;
}
