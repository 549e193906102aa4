/* Answers of the target: each belongs to a request that we know, of a type that this request has. Those to
 * the client's requests get the client's id back; of OPEN also our handle. */
#include <errno.h>
#include <string.h>
#include "channels/sftp/sftp_parts.h"

/* An answer on its way. */
struct answer {
    struct sftp *s;
    uint32_t length, id;
    uint8_t type;
    size_t there;       /* bytes of the packet in from_target */
    struct reader body; /* what is there, behind the id */
    struct pending pending;
};

enum { HEAD = 4 + 1 + 4 };

static uint32_t bit(uint8_t type)
{
    return type == SFTP_EXTENDED_REPLY ? 1U << 31 : 1U << (type - 100);
}

static uint32_t expected(const struct pending *p)
{
    const uint32_t status = 1U << (SFTP_STATUS - 100), name = 1U << (SFTP_NAME - 100),
                   attrs = 1U << (SFTP_ATTRS - 100), data = 1U << (SFTP_DATA - 100);
    switch (p->what) {
    case FOR_CLIENT:
        return p->answers;
    case FOR_OPEN:
        return status | 1U << (SFTP_HANDLE - 100);
    case FOR_READ:
    case FOR_SCAN:
        return status | data;
    case FOR_RESOLVE:
        return status | name | attrs;
    case FOR_NAME:
    case FOR_RECHECK:
        return status | name;
    case FOR_SCAN_STAT:
        return status | attrs;
    default:
        return status;
    }
}

static size_t whole(const struct answer *a)
{
    return 4 + (size_t)a->length;
}

static void consume(struct answer *a, size_t n)
{
    buffer_consume(&a->s->transfer.from_target, n);
}

/* With the client's id; what is not there yet follows as it comes. */
static int pass(struct answer *a, size_t head, struct sftp_file *file, uint64_t offset)
{
    struct sftp *s = a->s;
    struct buffer *out = &s->transfer.to_client;
    int r = buffer_put_u32(out, a->length);
    r = r ? r : buffer_put_u8(out, a->type);
    r = r ? r : buffer_put_u32(out, a->pending.client_id);
    r = r ? r : buffer_append(out, a->body.next, head - HEAD);
    consume(a, head);
    s->down.rest = whole(a) - head;
    s->down.drop = false;
    s->down.file = file;
    s->down.offset = offset;
    return r;
}

static bool status_of(const struct answer *a, uint32_t *ret)
{
    struct reader body = a->body;
    return reader_u32(&body, ret);
}

static int take_for_client(struct answer *a)
{
    uint32_t code = 0;
    struct sftp_file *file = a->pending.file == NO_FILE ? NULL : file_at(a->s, a->pending.file);
    if (a->type == SFTP_STATUS && file && status_of(a, &code) && code != SFTP_OK && !file->directory)
        file->failed = true;
    return pass(a, HEAD, NULL, 0);
}

static int take_read(struct answer *a)
{
    struct sftp_file *file = file_at(a->s, a->pending.file);
    struct reader body = a->body;
    uint32_t n = 0;
    if (a->type == SFTP_STATUS) {
        if (status_of(a, &n) && n == SFTP_EOF)
            file->eof = true;
        else
            file->failed = true;
        return pass(a, HEAD, NULL, 0);
    }
    if (!reader_u32(&body, &n) || n != a->length - (SFTP_DATA_HEAD - 4) || n > a->pending.length)
        return sftp_target_fault(a->s, "data that does not add up");
    return pass(a, SFTP_DATA_HEAD, file->state == FILE_FREE ? NULL : file, a->pending.offset);
}

static int take_open(struct answer *a)
{
    struct sftp_file *file = file_at(a->s, a->pending.file);
    struct reader handle, body = a->body;
    if (a->type == SFTP_STATUS) {
        int r = pass(a, HEAD, NULL, 0);
        return r ? r : file_gone(a->s, a->pending.file, "failed");
    }
    if (!reader_string(&body, &handle) || !reader_done(&body) || reader_left(&handle) > SFTP_HANDLE_MAX)
        return sftp_target_fault(a->s, "a handle that does not add up");
    file->there = true;
    file->handle_n = reader_left(&handle);
    memcpy(file->handle, handle.next, file->handle_n);
    consume(a, whole(a));
    return file_go_on(a->s, a->pending.file);
}

static int take_close(struct answer *a)
{
    uint32_t code = 0;
    struct sftp_file *file = file_at(a->s, a->pending.file);
    bool well = status_of(a, &code) && code == SFTP_OK && !file->failed;
    struct detail why = file->note;
    bool stopped = file->stopped;
    int r = file_gone(a->s, a->pending.file, stopped ? "refused" : well ? "complete" : "failed");
    if (r || !stopped)
        return r ? r : pass(a, HEAD, NULL, 0);
    consume(a, whole(a));
    return sftp_refuse(a->s, a->pending.client_id, SFTP_PERMISSION_DENIED, why.text);
}

/* For the recording only. */
static int take_name(struct answer *a)
{
    char path[PATH_TEXT_MAX];
    struct sftp_file *file = file_at(a->s, a->pending.file);
    if (a->type == SFTP_NAME && sftp_read_name(a->body, path)) {
        char *copy = strdup(path);
        if (!copy)
            return -ENOMEM;
        free(file->resolved);
        file->resolved = copy;
    }
    consume(a, whole(a));
    return 0;
}

/* It was decided on another path, when it now leads elsewhere. */
static int take_recheck(struct answer *a)
{
    char path[PATH_TEXT_MAX];
    struct sftp_file *file = file_at(a->s, a->pending.file);
    file->to_check = false;
    if (a->type != SFTP_NAME || !sftp_read_name(a->body, path) || strcmp(path, file->resolved) != 0)
        detail_set(&file->note, "denied: the path led elsewhere once it was open: try again (code denied)");
    consume(a, whole(a));
    return file->state == FILE_OPENING ? file_go_on(a->s, a->pending.file) : 0;
}

static int take_ours(struct answer *a)
{
    int r = 0;
    if (a->pending.what == FOR_RESOLVE)
        r = sftp_resolved(a->s, a->type, a->body);
    else if (a->pending.what == FOR_SCAN_STAT)
        r = scan_stated(a->s, a->pending.file, a->type, a->body);
    else if (a->pending.what == FOR_SCAN)
        r = scan_read(a->s, &a->pending, a->type, a->body);
    consume(a, whole(a));
    return r;
}

static int by_pending(struct answer *a)
{
    switch (a->pending.what) {
    case FOR_CLIENT:
        return take_for_client(a);
    case FOR_OPEN:
        return take_open(a);
    case FOR_READ:
        return take_read(a);
    case FOR_CLOSE:
        return take_close(a);
    case FOR_NAME:
        return take_name(a);
    case FOR_RECHECK:
        return take_recheck(a);
    default:
        return take_ours(a);
    }
}

/* What passes by its head streams, the rest is looked into as a whole. */
static bool is_bulk(const struct answer *a)
{
    return a->type != SFTP_STATUS && (a->pending.what == FOR_CLIENT || a->pending.what == FOR_READ);
}

static int take_one(struct answer *a)
{
    struct sftp *s = a->s;
    if (a->id >= s->n_pending || s->pending[a->id].what == FOR_FREE)
        return sftp_target_fault(s, "an answer to nothing that was asked");
    a->pending = s->pending[a->id];
    if (!(bit(a->type) & expected(&a->pending)))
        return sftp_target_fault(s, "an answer of the wrong type");
    if (is_bulk(a)) {
        if (a->there < (a->type == SFTP_DATA ? SFTP_DATA_HEAD : HEAD))
            return SHORT;
    } else {
        if (a->length > SFTP_PACKET_MAX)
            return sftp_target_fault(s, "an answer that is too long");
        if (a->there < whole(a))
            return SHORT;
    }
    pending_free(s, a->id);
    int r = by_pending(a);
    if (a->pending.file != NO_FILE)
        file_answered(s, a->pending.file);
    return r;
}

/* ---- VERSION ---- */

/* Only what we handle is announced. */
static int put_extensions(struct sftp *s, struct reader in, struct buffer *out)
{
    struct reader name, revision;
    int r = 0;
    while (r == 0 && reader_left(&in) > 0) {
        if (!reader_string(&in, &name) || !reader_string(&in, &revision))
            return sftp_target_fault(s, "extensions that do not add up");
        if (!sftp_knows_extension(name, revision))
            continue;
        s->openssh |= reader_left(&name) == strlen("posix-rename@openssh.com") &&
                      memcmp(name.next, "posix-rename@openssh.com", reader_left(&name)) == 0;
        r = buffer_put_string(out, name.next, reader_left(&name));
        r = r ? r : buffer_put_string(out, revision.next, reader_left(&revision));
    }
    return r;
}

static int take_version(struct sftp *s, const uint8_t *bytes, size_t n, uint32_t length, uint8_t type)
{
    uint32_t version = 0;
    struct buffer body;
    if (type != SFTP_VERSION_IS || length > SFTP_PACKET_MAX)
        return sftp_target_fault(s, "something else than SFTP");
    if (n < 4 + (size_t)length)
        return SHORT;
    struct reader in = reader_of(bytes + 5, length - 1);
    if (!reader_u32(&in, &version) || version != SFTP_VERSION)
        return sftp_target_fault(s, "another version of SFTP than 3");
    buffer_init(&body, SFTP_PACKET_MAX);
    struct buffer *out = &s->transfer.to_client;
    int r = put_extensions(s, in, &body);
    r = r ? r : buffer_put_u32(out, 5 + (uint32_t)buffer_size(&body));
    r = r ? r : buffer_put_u8(out, SFTP_VERSION_IS);
    r = r ? r : buffer_put_u32(out, SFTP_VERSION);
    r = r ? r : buffer_append(out, buffer_head(&body), buffer_size(&body));
    buffer_free(&body);
    buffer_consume(&s->transfer.from_target, 4 + (size_t)length);
    s->greeted = true;
    return r;
}

int sftp_take_answer(struct sftp *s)
{
    const uint8_t *bytes = buffer_head(&s->transfer.from_target);
    struct answer a = { .s = s, .there = buffer_size(&s->transfer.from_target) };
    int r = a.there == 0 ? SFTP_SHORT : sftp_read_head(bytes, a.there, &a.length, &a.type);
    if (r == SFTP_SHORT)
        return SHORT;
    if (r || !s->begun)
        return sftp_target_fault(s, r ? "a packet of an impossible length" : "something before it was asked");
    if (!s->greeted)
        return take_version(s, bytes, a.there, a.length, a.type);
    if (a.type != SFTP_EXTENDED_REPLY && (a.type < SFTP_STATUS || a.type > SFTP_ATTRS))
        return sftp_target_fault(s, "an unknown type of answer");
    if (a.length < 5)
        return sftp_target_fault(s, "a packet of an impossible length");
    if (a.there > whole(&a))
        a.there = whole(&a);
    a.body = reader_of(bytes + 5, a.there - 5);
    return reader_u32(&a.body, &a.id) ? take_one(&a) : SHORT;
}
