/* What all kinds have in common. A side is read only while there is room for what comes of it, so that memory
 * is bounded and a slow reader slows down whoever writes. */
#include "channels/sftp/transfer.h"

void transfer_init(struct transfer *t, const struct transfer_kind *kind, const struct transfer_host *host,
                   size_t whole_max)
{
    *t = (struct transfer){ .kind = kind, .host = *host };
    buffer_init(&t->from_client, whole_max + TRANSFER_READ_MAX);
    buffer_init(&t->from_target, whole_max + TRANSFER_READ_MAX);
    /* Everything that is in, behind what may already wait, and answers of our own. */
    buffer_init(&t->to_target, 2 * (whole_max + TRANSFER_READ_MAX) + 2 * (size_t)TRANSFER_HIGH);
    buffer_init(&t->to_client, 2 * (whole_max + TRANSFER_READ_MAX) + 2 * (size_t)TRANSFER_HIGH);
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    buffer_free(&t->from_client);
    buffer_free(&t->to_target);
    buffer_free(&t->from_target);
    buffer_free(&t->to_client);
    t->kind->free(t);
}

int transfer_run(struct transfer *t)
{
    return t->kind->run(t);
}

bool transfer_takes(const struct buffer *out)
{
    return buffer_size(out) < TRANSFER_HIGH;
}

bool transfer_wants_client(const struct transfer *t)
{
    return buffer_room(&t->from_client) > 0 && t->kind->wants_client(t);
}

bool transfer_wants_target(const struct transfer *t)
{
    return buffer_room(&t->from_target) > 0 && t->kind->wants_target(t);
}

void transfer_resolved(struct transfer *t, const struct resolved_path *path)
{
    if (t->kind->resolved)
        t->kind->resolved(t, path);
}

void transfer_decided(struct transfer *t, const struct file_verdict *verdict)
{
    if (t->kind->decided)
        t->kind->decided(t, verdict);
}

int transfer_end(struct transfer *t)
{
    return t->kind->end(t);
}

int transfer_move(struct buffer *from, struct buffer *to, size_t n)
{
    int r = buffer_append(to, buffer_head(from), n);
    if (r == 0)
        buffer_consume(from, n);
    return r;
}

int transfer_decide(struct transfer *t, const struct file_request *request, struct file_verdict *ret)
{
    int r = t->host.decide(t->host.owner, request, ret);
    return r < 0 ? detail_fail(&t->why, TRANSFER_UNRECORDED, "the recording can't be written") : 0;
}

int transfer_tell(struct transfer *t, const struct file_transfer *told)
{
    int r = t->host.ended(t->host.owner, told);
    return r < 0 ? detail_fail(&t->why, TRANSFER_UNRECORDED, "the recording can't be written") : 0;
}
