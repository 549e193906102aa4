/* Files have no borders here that could be told without speaking rsync's or git's protocol: the recording
 * gets a checksum of each direction of the conversation, and says that it is one. For the same reason nothing
 * of it can be looked through for secrets: where `sensitive: deny` holds, these programs are refused. */
#include "channels/sftp/opaque.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

#include "policy/effect.h"
#include "policy/transfer_servers.h"

struct opaque {
    struct transfer transfer;
    struct transfer_command command;
    char *line;
    char *resolved[COMMAND_FILES_MAX];
    size_t n_resolved;
    size_t n_decided;            /* files that were decided on */
    struct file_verdict verdict; /* of the request that is held, */
    bool held;                   /* while it is; */
    bool checks;                 /* then where everything leads is asked again, */
    size_t n_checked;            /* so far */
    bool look;                   /* some rule wants them looked through */
    bool asking;
    uint64_t number, started_us;
    struct digest *up, *down;
    uint64_t up_n, down_n;
};

static struct opaque *opaque_of(struct transfer *transfer)
{
    return (struct opaque *)(void *)transfer;
}

static int refuse(struct opaque *o, const char *why)
{
    o->transfer.stage = TRANSFER_REFUSED;
    (void)snprintf(o->transfer.refusal, sizeof o->transfer.refusal, "%s", why);
    return 0;
}

static int refuse_by(struct opaque *o, const struct file_verdict *verdict)
{
    memcpy(o->transfer.refusal_code, verdict->code, sizeof verdict->code);
    return refuse(o, verdict->message);
}

/* ---- deciding ---- */

static int decide_next(struct opaque *o)
{
    struct file_request request = { .what = transfer_program_name(o->command.program), .text = o->line };
    struct file_verdict verdict;
    for (; o->n_decided < o->command.n_files && request.n_effects < FILE_EFFECTS_MAX; o->n_decided++)
        request.effects[request.n_effects++] =
            (struct file_effect){ o->command.files[o->n_decided].operation, o->resolved[o->n_decided] };
    int r = transfer_decide(&o->transfer, &request, &verdict);
    if (r)
        return r;
    o->number = o->number ? o->number : verdict.number;
    o->look = o->look || verdict.look;
    o->held = verdict.held;
    o->verdict = verdict;
    return verdict.allowed || verdict.held ? 0 : refuse_by(o, &verdict);
}

static void decided(struct transfer *transfer, const struct file_verdict *verdict)
{
    struct opaque *o = opaque_of(transfer);
    if (!o->held || o->verdict.number != verdict->number)
        return;
    o->held = false;
    o->checks = transfer->host.asks_paths;
    o->n_checked = 0;
    if (!verdict->allowed)
        (void)refuse_by(o, verdict);
}

/* Several requests, when there are more paths than one holds; the first is the one that transfers name. */
static int decide(struct opaque *o)
{
    int r = 0;
    while (r == 0 && o->transfer.stage == TRANSFER_WAITS && !o->held && o->n_decided < o->command.n_files)
        r = decide_next(o);
    if (r || o->held || o->transfer.stage != TRANSFER_WAITS || (o->checks && o->n_checked < o->n_resolved))
        return r;
    if (o->look)
        return refuse(o, "denied: " TRANSFER_NOT_LOOKED_INTO " (code denied)");
    o->transfer.stage = TRANSFER_GOES;
    return 0;
}

static void check(struct opaque *o, const char *path)
{
    if (strcmp(o->resolved[o->n_checked], path) == 0)
        o->n_checked++;
    else
        (void)refuse(o, "denied: a path leads elsewhere by now: try again (code denied)");
}

static void keep(struct opaque *o, const char *path)
{
    if (o->checks) {
        check(o, path);
        return;
    }
    o->resolved[o->n_resolved] = strdup(path);
    if (o->resolved[o->n_resolved])
        o->n_resolved++;
    else
        (void)refuse(o, "denied: out of memory (code limit)");
}

/* Everything is decided on before anything is asked again. */
static bool may_ask(const struct opaque *o)
{
    return o->transfer.stage == TRANSFER_WAITS && !o->asking && !o->held &&
           (!o->checks || o->n_decided == o->command.n_files);
}

/* What is not known is a hole for rules that look at paths, and of no interest to others. */
static void resolve_next(struct opaque *o)
{
    const struct transfer_host *host = &o->transfer.host;
    const size_t *at = o->checks ? &o->n_checked : &o->n_resolved;
    while (may_ask(o) && *at < o->command.n_files) {
        const char *path = o->command.files[*at].path;
        bool hole = strchr(path, EFFECT_HOLE) != NULL;
        if (!host->asks_paths) {
            keep(o, hole ? "." : path);
        } else if (hole) {
            keep(o, path);
        } else if (host->resolve) {
            o->asking = true;
            host->resolve(host->owner, path);
        } else {
            (void)refuse(o, "denied: nobody can tell where this path leads (code denied)");
        }
    }
}

static void resolved(struct transfer *transfer, const struct resolved_path *path)
{
    struct opaque *o = opaque_of(transfer);
    o->asking = false;
    if (path->path)
        keep(o, path->path);
    else
        (void)refuse(o, "denied: the target can't tell where this path leads (code denied)");
}

/* ---- running ---- */

static int pass(struct buffer *from, struct buffer *to, struct digest **digest, uint64_t *count)
{
    size_t n = buffer_size(from);
    int r = *digest ? 0 : digest_new(digest);
    r = r ? r : digest_add(*digest, *count, buffer_head(from), n);
    *count += n;
    return r ? r : transfer_move(from, to, n);
}

static int run(struct transfer *t)
{
    struct opaque *o = opaque_of(t);
    int r = 0;
    resolve_next(o);
    if (t->stage == TRANSFER_WAITS && o->n_resolved == o->command.n_files)
        r = decide(o);
    if (r == 0 && o->checks) {
        resolve_next(o); /* once more, now that people have agreed */
        r = t->stage == TRANSFER_WAITS ? decide(o) : 0;
    }
    if (r || t->stage != TRANSFER_GOES)
        return r;
    if (transfer_takes(&t->to_target))
        r = pass(&t->from_client, &t->to_target, &o->up, &o->up_n);
    if (r == 0 && transfer_takes(&t->to_client))
        r = pass(&t->from_target, &t->to_client, &o->down, &o->down_n);
    return r;
}

/* Each direction by itself: when one is full the other goes on, or the two programs might wait for each
 * other. */
static bool wants_client(const struct transfer *t)
{
    return t->stage == TRANSFER_GOES && transfer_takes(&t->to_target);
}

static bool wants_target(const struct transfer *t)
{
    return transfer_takes(&t->to_client);
}

static int tell(struct opaque *o, bool upload)
{
    struct digest *digest = upload ? o->up : o->down;
    struct file_transfer told = { .of = o->number,
                                  .program = transfer_program_name(o->command.program),
                                  .upload = upload,
                                  .path = o->command.files[0].path,
                                  .resolved = o->transfer.host.asks_paths ? o->resolved[0] : "",
                                  .duration_us = clock_us() - o->started_us,
                                  .state = o->transfer.target_ended ? "complete" : "cut",
                                  .note = "the conversation's bytes: files have no borders in it" };
    if (!digest)
        return 0;
    int r = digest_end(digest, &told.digest);
    return r ? r : transfer_tell(&o->transfer, &told);
}

static int end(struct transfer *t)
{
    struct opaque *o = opaque_of(t);
    if (o->command.n_files == 0)
        return 0;
    int r = tell(o, true);
    return r ? r : tell(o, false);
}

static void opaque_free(struct transfer *t)
{
    struct opaque *o = opaque_of(t);
    transfer_command_clear(&o->command);
    for (size_t i = 0; i < o->n_resolved; i++)
        free(o->resolved[i]);
    digest_free(o->up);
    digest_free(o->down);
    free(o->line);
    free(o);
}

int opaque_transfer_new(const struct transfer_host *host, struct transfer_command *command, const char *line,
                        struct transfer **ret)
{
    static const struct transfer_kind kind = { run,         wants_client, wants_target, end,
                                               opaque_free, resolved,     decided };
    struct opaque *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    transfer_init(&o->transfer, &kind, host, TRANSFER_READ_MAX);
    o->transfer.stage = TRANSFER_WAITS;
    o->started_us = clock_us();
    o->command = *command;
    command->n_files = 0;
    o->line = strdup(line);
    if (!o->line) {
        transfer_free(&o->transfer);
        return -ENOMEM;
    }
    *ret = &o->transfer;
    return 0;
}
