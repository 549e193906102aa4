/* One table says what each request consists of: it is read, and written again with our ids, handles and
 * paths, by the same few letters. So nothing that was not understood is ever passed on. */
#include "channels/sftp/wire.h"
#include <errno.h>
#include <string.h>

static const struct sftp_kind kinds[SFTP_ACTIONS] = {
    [ACT_OPEN] = { SFTP_OPEN, ACT_OPEN, "open", NULL, NULL, "sua" },
    [ACT_CLOSE] = { SFTP_CLOSE, ACT_CLOSE, "close", NULL, NULL, "h" },
    [ACT_READ] = { SFTP_READ, ACT_READ, "read", NULL, NULL, "hqu" },
    [ACT_WRITE] = { SFTP_WRITE, ACT_WRITE, "write", NULL, NULL, "hqd" },
    [ACT_LSTAT] = { SFTP_LSTAT, ACT_LSTAT, "lstat", NULL, NULL, "s" },
    [ACT_FSTAT] = { SFTP_FSTAT, ACT_FSTAT, "fstat", NULL, NULL, "h" },
    [ACT_SETSTAT] = { SFTP_SETSTAT, ACT_SETSTAT, "setstat", NULL, NULL, "sa" },
    [ACT_FSETSTAT] = { SFTP_FSETSTAT, ACT_FSETSTAT, "fsetstat", NULL, NULL, "ha" },
    [ACT_OPENDIR] = { SFTP_OPENDIR, ACT_OPENDIR, "opendir", NULL, NULL, "s" },
    [ACT_READDIR] = { SFTP_READDIR, ACT_READDIR, "readdir", NULL, NULL, "h" },
    [ACT_REMOVE] = { SFTP_REMOVE, ACT_REMOVE, "remove", NULL, NULL, "s" },
    [ACT_MKDIR] = { SFTP_MKDIR, ACT_MKDIR, "mkdir", NULL, NULL, "sa" },
    [ACT_RMDIR] = { SFTP_RMDIR, ACT_RMDIR, "rmdir", NULL, NULL, "s" },
    [ACT_REALPATH] = { SFTP_REALPATH, ACT_REALPATH, "realpath", NULL, NULL, "s" },
    [ACT_STAT] = { SFTP_STAT, ACT_STAT, "stat", NULL, NULL, "s" },
    [ACT_RENAME] = { SFTP_RENAME, ACT_RENAME, "rename", NULL, NULL, "ss" },
    [ACT_READLINK] = { SFTP_READLINK, ACT_READLINK, "readlink", NULL, NULL, "s" },
    [ACT_SYMLINK] = { SFTP_SYMLINK, ACT_SYMLINK, "symlink", NULL, NULL, "ss" },
    [ACT_POSIX_RENAME] = { SFTP_EXTENDED, ACT_POSIX_RENAME, "rename", "posix-rename@openssh.com", "1", "ss" },
    [ACT_STATVFS] = { SFTP_EXTENDED, ACT_STATVFS, "statvfs", "statvfs@openssh.com", "2", "s" },
    [ACT_FSTATVFS] = { SFTP_EXTENDED, ACT_FSTATVFS, "fstatvfs", "fstatvfs@openssh.com", "2", "h" },
    [ACT_HARDLINK] = { SFTP_EXTENDED, ACT_HARDLINK, "hardlink", "hardlink@openssh.com", "1", "ss" },
    [ACT_FSYNC] = { SFTP_EXTENDED, ACT_FSYNC, "fsync", "fsync@openssh.com", "1", "h" },
    [ACT_LSETSTAT] = { SFTP_EXTENDED, ACT_LSETSTAT, "lsetstat", "lsetstat@openssh.com", "1", "sa" },
    [ACT_LIMITS] = { SFTP_EXTENDED, ACT_LIMITS, "limits", "limits@openssh.com", "1", "" },
    [ACT_EXPAND_PATH] = { SFTP_EXTENDED, ACT_EXPAND_PATH, "expand-path", "expand-path@openssh.com", "1",
                          "s" },
    [ACT_COPY_DATA] = { SFTP_EXTENDED, ACT_COPY_DATA, "copy-data", "copy-data", "1", "hqqhq" },
    [ACT_HOME] = { SFTP_EXTENDED, ACT_HOME, "home-directory", "home-directory", "1", "b" },
    [ACT_USERS] = { SFTP_EXTENDED, ACT_USERS, "users-groups-by-id", "users-groups-by-id@openssh.com", "1",
                    "bb" },
};

const struct sftp_kind *sftp_kind_of(enum sftp_action action)
{
    return (unsigned)action < SFTP_ACTIONS ? &kinds[action] : NULL;
}

static bool is(struct reader string, const char *text)
{
    return reader_left(&string) == strlen(text) && memcmp(string.next, text, strlen(text)) == 0;
}

bool sftp_knows_extension(struct reader name, struct reader revision)
{
    for (size_t i = 0; i < SFTP_ACTIONS; i++)
        if (kinds[i].extension && is(name, kinds[i].extension) && is(revision, kinds[i].revision))
            return true;
    return false;
}

/* ---- reading ---- */

int sftp_read_head(const uint8_t *bytes, size_t n, uint32_t *ret_length, uint8_t *ret_type)
{
    struct reader in = reader_of(bytes, n);
    uint32_t length;
    uint8_t type;
    if (!reader_u32(&in, &length))
        return SFTP_SHORT;
    if (length < 1 || length > SFTP_BULK_MAX)
        return SFTP_MALFORMED;
    if (!reader_u8(&in, &type))
        return SFTP_SHORT;
    *ret_length = length;
    *ret_type = type;
    return 0;
}

/* Draft section 5. */
bool sftp_read_attributes(struct reader *in, struct sftp_attributes *ret)
{
    enum { SIZE = 1, OWNER = 2, MODE = 4, TIMES = 8 };
    const uint32_t extended = UINT32_C(0x80000000), known = SIZE | OWNER | MODE | TIMES | extended;
    struct sftp_attributes a = { 0 };
    uint32_t flags, count;
    struct reader pair;
    if (!reader_u32(in, &flags) || (flags & ~known))
        return false;
    a.has_size = flags & SIZE;
    a.has_owner = flags & OWNER;
    a.has_mode = flags & MODE;
    a.has_times = flags & TIMES;
    if ((a.has_size && !reader_u64(in, &a.size)) ||
        (a.has_owner && !(reader_u32(in, &a.uid) && reader_u32(in, &a.gid))) ||
        (a.has_mode && !reader_u32(in, &a.mode)) ||
        (a.has_times && !(reader_u32(in, &a.atime) && reader_u32(in, &a.mtime))))
        return false;
    if (flags & extended) {
        if (!reader_u32(in, &count))
            return false;
        for (; count > 0; count--)
            if (!reader_string(in, &pair) || !reader_string(in, &pair))
                return false;
    }
    *ret = a;
    return true;
}

/* What is read, field by field. */
struct fields {
    struct sftp_request *request;
    size_t paths, handles, offsets, blobs;
};

static bool read_path(struct reader *in, struct reader *ret)
{
    return reader_string(in, ret) && reader_left(ret) <= SFTP_PATH_MAX &&
           !memchr(ret->next, 0, reader_left(ret));
}

static bool read_field(struct fields *f, char letter, struct reader *in)
{
    struct sftp_request *r = f->request;
    switch (letter) {
    case 's':
        return read_path(in, &r->path[f->paths++]);
    case 'h':
        return reader_string(in, &r->handle[f->handles]) &&
               reader_left(&r->handle[f->handles++]) <= SFTP_HANDLE_MAX;
    case 'b':
        return reader_string(in, &r->blob[f->blobs++]);
    case 'u':
        return reader_u32(in, &r->number);
    case 'q':
        return reader_u64(in, &r->offset[f->offsets++]);
    case 'd':
        return reader_u32(in, &r->data);
    case 'a':
        r->raw_attributes = *in;
        if (!sftp_read_attributes(in, &r->attributes))
            return false;
        r->raw_attributes.end = in->next;
        return true;
    default:
        return false;
    }
}

static const struct sftp_kind *find(uint8_t type, struct reader *in)
{
    struct reader name;
    if (type == SFTP_EXTENDED && !reader_string(in, &name))
        return NULL;
    for (size_t i = 0; i < SFTP_ACTIONS; i++)
        if (kinds[i].type == type && (type != SFTP_EXTENDED || is(name, kinds[i].extension)))
            return &kinds[i];
    return NULL;
}

static int read_fields(struct reader *in, struct sftp_request *request)
{
    struct fields f = { .request = request };
    for (const char *letter = request->kind->form; *letter; letter++)
        if (!read_field(&f, *letter, in))
            return SFTP_MALFORMED;
    return 0;
}

/* Of a WRITE: up to its data, which has to be the rest of the packet. */
static int read_write(struct reader *in, uint32_t length, const uint8_t *start, struct sftp_request *request,
                      size_t *ret_size)
{
    bool cut = reader_left(in) < SFTP_WRITE_HEAD;
    if (read_fields(in, request))
        return cut && (size_t)(in->end - start) < 4 + (size_t)length ? SFTP_SHORT : SFTP_MALFORMED;
    size_t head = (size_t)(in->next - start);
    if (head + request->data != 4 + (size_t)length)
        return SFTP_MALFORMED;
    *ret_size = head;
    return 0;
}

int sftp_read_request(const uint8_t *bytes, size_t n, struct sftp_request *ret, size_t *ret_size)
{
    struct sftp_request request = { 0 };
    uint32_t length = 0;
    uint8_t type = 0;
    int r = sftp_read_head(bytes, n, &length, &type);
    if (r)
        return r;
    size_t whole = 4 + (size_t)length, there = n < whole ? n : whole;
    if (type != SFTP_WRITE && length > SFTP_PACKET_MAX)
        return SFTP_MALFORMED;
    if (type != SFTP_WRITE && there < whole)
        return SFTP_SHORT;
    struct reader in = reader_of(bytes + 5, there - 5);
    if (!reader_u32(&in, &request.id))
        return there < whole ? SFTP_SHORT : SFTP_MALFORMED;
    request.kind = find(type, &in);
    if (!request.kind) {
        *ret = request;
        *ret_size = whole;
        return SFTP_UNSUPPORTED;
    }
    if (type == SFTP_WRITE) {
        r = read_write(&in, length, bytes, &request, ret_size);
    } else {
        r = read_fields(&in, &request);
        if (r == 0 && !reader_done(&in))
            r = SFTP_MALFORMED;
        if (r == 0)
            *ret_size = whole;
    }
    if (r == 0)
        *ret = request;
    return r;
}

/* ---- writing ---- */

static size_t left(const struct reader *r)
{
    return reader_left(r);
}

static int put_reader(struct buffer *out, const struct reader *string)
{
    return buffer_put_string(out, string->next, left(string));
}

static int put_chosen(struct buffer *out, const char *path, const struct reader *otherwise)
{
    return path ? buffer_put_string(out, path, strlen(path)) : put_reader(out, otherwise);
}

/* What has been written so far, field by field. */
struct written {
    size_t paths, handles, offsets, blobs;
};

static int put_field(struct buffer *out, char letter, const struct sftp_request *q, const char *const path[2],
                     const struct reader *const handle[2], struct written *w)
{
    size_t at;
    switch (letter) {
    case 's':
        at = w->paths++;
        return put_chosen(out, path ? path[at] : NULL, &q->path[at]);
    case 'h':
        at = w->handles++;
        return put_reader(out, handle && handle[at] ? handle[at] : &q->handle[at]);
    case 'b':
        return put_reader(out, &q->blob[w->blobs++]);
    case 'u':
        return buffer_put_u32(out, q->number);
    case 'q':
        return buffer_put_u64(out, q->offset[w->offsets++]);
    case 'd':
        return buffer_put_u32(out, q->data);
    case 'a':
        return buffer_append(out, q->raw_attributes.next, left(&q->raw_attributes));
    default:
        return -EINVAL;
    }
}

/* The body is made first: only then its length is known. */
int sftp_put_request(struct buffer *out, const struct sftp_request *request, uint32_t id,
                     const char *const path[2], const struct reader *const handle[2])
{
    struct written w = { 0 };
    struct buffer body;
    const struct sftp_kind *kind = request->kind;
    buffer_init(&body, SFTP_PACKET_MAX + 2 * SFTP_PATH_MAX);
    int r = buffer_put_u8(&body, kind->type);
    r = r ? r : buffer_put_u32(&body, id);
    if (r == 0 && kind->extension)
        r = buffer_put_string(&body, kind->extension, strlen(kind->extension));
    for (const char *letter = kind->form; *letter && r == 0; letter++)
        r = put_field(&body, *letter, request, path, handle, &w);
    uint32_t data = kind->action == ACT_WRITE ? request->data : 0;
    r = r ? r : buffer_put_u32(out, (uint32_t)buffer_size(&body) + data);
    r = r ? r : buffer_append(out, buffer_head(&body), buffer_size(&body));
    buffer_free(&body);
    return r;
}

int sftp_put_status(struct buffer *out, uint32_t id, uint32_t code, const char *message)
{
    size_t n = strlen(message);
    int r = buffer_put_u32(out, (uint32_t)(1 + 4 + 4 + 4 + n + 4 + 2));
    r = r ? r : buffer_put_u8(out, SFTP_STATUS);
    r = r ? r : buffer_put_u32(out, id);
    r = r ? r : buffer_put_u32(out, code);
    r = r ? r : buffer_put_string(out, message, n);
    return r ? r : buffer_put_string(out, "en", 2);
}

static int put_string_packet(struct buffer *out, uint8_t type, uint32_t id, const void *bytes, size_t n)
{
    int r = buffer_put_u32(out, (uint32_t)(1 + 4 + 4 + n));
    r = r ? r : buffer_put_u8(out, type);
    r = r ? r : buffer_put_u32(out, id);
    return r ? r : buffer_put_string(out, bytes, n);
}

int sftp_put_handle(struct buffer *out, uint32_t id, const void *handle, size_t n)
{
    return put_string_packet(out, SFTP_HANDLE, id, handle, n);
}

int sftp_put_path(struct buffer *out, uint8_t type, uint32_t id, const char *path)
{
    return put_string_packet(out, type, id, path, strlen(path));
}

int sftp_put_handle_request(struct buffer *out, uint8_t type, uint32_t id, struct reader handle)
{
    return put_string_packet(out, type, id, handle.next, left(&handle));
}

int sftp_put_read(struct buffer *out, uint32_t id, struct reader handle, uint64_t offset, uint32_t n)
{
    int r = buffer_put_u32(out, (uint32_t)(1 + 4 + 4 + left(&handle) + 8 + 4));
    r = r ? r : buffer_put_u8(out, SFTP_READ);
    r = r ? r : buffer_put_u32(out, id);
    r = r ? r : put_reader(out, &handle);
    r = r ? r : buffer_put_u64(out, offset);
    return r ? r : buffer_put_u32(out, n);
}

int sftp_put_init(struct buffer *out)
{
    int r = buffer_put_u32(out, 5);
    r = r ? r : buffer_put_u8(out, SFTP_INIT);
    return r ? r : buffer_put_u32(out, SFTP_VERSION);
}
