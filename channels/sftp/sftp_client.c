/* Requests of the client: what names a path is decided on, what names a handle goes by what was decided when
 * it was opened. */
#include <errno.h>
#include <string.h>
#include "channels/sftp/sftp_parts.h"
#include "channels/sftp/sftp_words.h"

/* A request on its way. */
struct taken {
    struct sftp *s;
    const struct sftp_request *q;
    const struct plan *plan;
    struct sftp_held *held; /* people have decided on it, and it is taken once more; else NULL */
    size_t size;            /* bytes of it in from_client, a WRITE's data not among them */
    const char *path[2];    /* what is judged */
    const char *send[2];    /* what the target gets in place of what was asked; or NULL */
    bool opened;            /* file_request.opened */
    struct file_verdict verdict;
};

struct plan {
    int (*take)(struct taken *t);
    enum path_mode mode[2];
};

static void consume(struct taken *t)
{
    if (!t->held)
        buffer_consume(&t->s->transfer.from_client, t->size);
}

static int refuse(struct taken *t, uint32_t code, const char *message)
{
    int r = sftp_refuse(t->s, t->q->id, code, message);
    consume(t);
    return r;
}

/* To the target, with an id of ours. */
static int send(struct taken *t, const struct pending *pending, const struct reader *const handle[2])
{
    uint32_t id = 0;
    int r = pending_new(t->s, pending, &id);
    r = r ? r : sftp_put_request(&t->s->transfer.to_target, t->q, id, t->send, handle);
    consume(t);
    return r;
}

static int pass(struct taken *t, uint32_t answers)
{
    return send(
        t,
        &(struct pending){ .what = FOR_CLIENT, .client_id = t->q->id, .file = NO_FILE, .answers = answers },
        NULL);
}

/* ---- deciding ---- */

static void add(struct file_request *request, enum file_operation operation, const char *path)
{
    request->effects[request->n_effects++] = (struct file_effect){ operation, path };
}

static void add_setstat(struct file_request *request, const struct sftp_attributes *a, const char *path)
{
    if (a->has_size)
        add(request, FILE_WRITE, path);
    if (!a->has_size || a->has_mode || a->has_owner || a->has_times)
        add(request, FILE_SETSTAT, path);
}

/* Both names of a file may be used to read and write it. Of a link only what it says is known; whoever goes
 * by it through us is judged again. Servers other than OpenSSH's may take SYMLINK's paths the other way
 * around. */
static void add_links(struct file_request *request, const struct taken *t)
{
    bool hard = t->q->kind->action == ACT_HARDLINK, sure = hard || t->s->openssh;
    add(request, FILE_READ, t->path[0]);
    if (hard || !sure)
        add(request, FILE_WRITE, t->path[0]);
    add(request, FILE_WRITE, t->path[1]);
}

static bool opens_to_read(uint32_t flags)
{
    return (flags & SFTP_FLAG_READ) || !(flags & SFTP_FLAG_WRITE);
}

static bool opens_to_write(uint32_t flags)
{
    return flags & ~(uint32_t)SFTP_FLAG_READ;
}

static void effects_of(struct file_request *request, const struct taken *t)
{
    const struct sftp_request *q = t->q;
    const char *path = t->path[0];
    switch (q->kind->action) {
    case ACT_OPEN:
        if (opens_to_read(q->number))
            add(request, FILE_READ, path);
        if (opens_to_write(q->number))
            add(request, FILE_WRITE, path);
        return;
    case ACT_OPENDIR:
        add(request, FILE_LIST, path);
        return;
    case ACT_REMOVE:
    case ACT_RMDIR:
        add(request, FILE_REMOVE, path);
        return;
    case ACT_MKDIR:
        add(request, FILE_MKDIR, path);
        return;
    case ACT_SETSTAT:
    case ACT_LSETSTAT:
    case ACT_FSETSTAT:
        add_setstat(request, &q->attributes, path);
        return;
    case ACT_RENAME:
    case ACT_POSIX_RENAME:
        add(request, FILE_RENAME, path);
        add(request, FILE_RENAME, t->path[1]);
        add(request, FILE_WRITE, t->path[1]);
        return;
    case ACT_SYMLINK:
    case ACT_HARDLINK:
        add_links(request, t);
        return;
    case ACT_COPY_DATA:
        add(request, FILE_READ, path);
        add(request, FILE_WRITE, t->path[1]);
        return;
    default: /* what stat and the like tell */
        request->any = true;
        add(request, FILE_LIST, path);
        add(request, FILE_READ, path);
        add(request, FILE_WRITE, path);
        return;
    }
}

/* What people have agreed to is what it says now, with the paths that it leads to now. */
static int decide_held(struct taken *t, const char *text, bool *ret_go)
{
    *ret_go = strcmp(text, t->held->text) == 0;
    t->verdict = t->held->verdict;
    return *ret_go ? 0
                   : refuse(t, SFTP_PERMISSION_DENIED,
                            "denied: the path leads elsewhere by now: try again (code denied)");
}

/* Decided, and recorded; a refusal is answered, what is held stands aside. *ret_go: it may go on. */
static int decide(struct taken *t, bool *ret_go)
{
    char text[SFTP_WORDS_MAX];
    struct file_request request = { .what = t->q->kind->name, .text = text, .opened = t->opened };
    effects_of(&request, t);
    sftp_words(text, t->q, t->path);
    if (t->held)
        return decide_held(t, text, ret_go);
    int r = transfer_decide(&t->s->transfer, &request, &t->verdict);
    *ret_go = r == 0 && t->verdict.allowed;
    if (r == 0 && t->verdict.held)
        r = sftp_hold(t->s, t->size, text, &t->verdict);
    else if (r == 0 && !t->verdict.allowed)
        r = refuse(t, SFTP_PERMISSION_DENIED, t->verdict.message);
    return r;
}

/* ---- paths ---- */

static int take_any_path(struct taken *t)
{
    bool go = false;
    int r = decide(t, &go);
    bool name = t->q->kind->action == ACT_READLINK;
    bool look = t->q->kind->action == ACT_STAT || t->q->kind->action == ACT_LSTAT;
    bool more = t->q->kind->action == ACT_STATVFS;
    return !go ? r
               : pass(t, 1U << (SFTP_STATUS - 100) | (name ? 1U << (SFTP_NAME - 100) : 0U) |
                             (look ? 1U << (SFTP_ATTRS - 100) : 0U) | (more ? 1U << 31 : 0U));
}

/* OPEN and OPENDIR. Where rules don't look at paths nobody waits for REALPATH: its answer is for the
 * recording. Where they do, it is asked again behind the opening. */
static int open_file(struct taken *t, bool directory)
{
    struct sftp *s = t->s;
    bool checked = s->transfer.host.asks_paths;
    uint32_t index = 0;
    bool go = false;
    int r = decide(t, &go);
    if (!go)
        return r;
    r = file_new(s, t->path[0], checked ? t->path[0] : "", &index);
    if (r == -EMFILE)
        return refuse(t, SFTP_FAILURE,
                      "too many files are open in this session: close some first (code limit)");
    if (r < 0)
        return r;
    struct sftp_file *file = file_at(s, index);
    file->directory = directory;
    file->number = t->verdict.number;
    file->look = t->verdict.look && s->transfer.host.detectors;
    file->client_id = t->q->id;
    file->flags = directory ? 0 : t->q->number | (opens_to_read(t->q->number) ? SFTP_FLAG_READ : 0U);
    file->to_check = checked;
    if (!checked && !directory)
        r = sftp_ask_path(s, SFTP_REALPATH, FOR_NAME, index, t->path[0]);
    struct pending pending = { .what = FOR_OPEN, .client_id = t->q->id, .file = index };
    r = r ? r : send(t, &pending, NULL);
    if (r == 0 && checked)
        r = sftp_ask_path(s, SFTP_REALPATH, FOR_RECHECK, index, file->path);
    return r;
}

static int take_open(struct taken *t)
{
    return open_file(t, false);
}

static int take_opendir(struct taken *t)
{
    return open_file(t, true);
}

/* A link holds what was asked for, not what became of it. */
static int take_symlink(struct taken *t)
{
    t->send[0] = NULL;
    return take_any_path(t);
}

/* Tells where things are, and nothing of what is in them. */
static int take_question(struct taken *t)
{
    t->send[0] = t->send[1] = NULL;
    return pass(t, 1U << (SFTP_STATUS - 100) | 1U << (SFTP_NAME - 100) | 1U << 31);
}

/* ---- handles ---- */

static int bad_handle(struct taken *t)
{
    return refuse(t, SFTP_FAILURE, "no such handle");
}

static int send_on(struct taken *t, enum pending_for what, uint32_t index, uint32_t answers)
{
    struct reader handle = file_target_handle(file_at(t->s, index));
    struct pending pending = { .what = what,
                               .client_id = t->q->id,
                               .file = index,
                               .offset = t->q->offset[0],
                               .length = t->q->number,
                               .answers = answers };
    return send(t, &pending, (const struct reader *const[2]){ &handle, NULL });
}

static int take_read(struct taken *t)
{
    uint32_t index = 0;
    struct sftp_file *file = file_of_handle(t->s, t->q->handle[0], &index);
    struct sftp_request shorter = *t->q;
    if (!file || file->directory)
        return bad_handle(t);
    if (!(file->flags & SFTP_FLAG_READ))
        return refuse(t, SFTP_PERMISSION_DENIED, "the file was not opened for reading");
    if (file->scan && t->q->offset[0] >= scan_size(file->scan)) {
        file->eof = true;
        return refuse(t, SFTP_EOF, "end of file");
    }
    uint64_t left = file->scan ? scan_size(file->scan) - t->q->offset[0] : UINT64_MAX;
    if (left < shorter.number)
        shorter.number = (uint32_t)left;
    t->q = &shorter;
    return send_on(t, FOR_READ, index, 0);
}

/* The whole packet is there when files are looked into, else its data streams. */
static int take_write(struct taken *t)
{
    struct sftp *s = t->s;
    uint32_t index = 0, n = t->q->data;
    struct sftp_file *file = file_of_handle(s, t->q->handle[0], &index);
    const char *why = NULL;
    int r = 0;
    if (!file || file->directory) {
        why = "no such handle";
    } else if (!(file->flags & SFTP_FLAG_WRITE)) {
        why = "the file was not opened for writing";
    } else if (file->look) {
        if (n > SFTP_PACKET_MAX)
            return sftp_client_fault(s, "a WRITE that is too long to be looked into");
        if (buffer_size(&s->transfer.from_client) < t->size + n)
            return SHORT;
        r = scan_written(s, file, t->q->offset[0], buffer_head(&s->transfer.from_client) + t->size, n);
        if (file->stopped)
            why = file->note.text;
    }
    s->up.drop = why != NULL;
    s->up.file = why ? NULL : file;
    s->up.offset = t->q->offset[0];
    if (r == 0)
        r = why ? refuse(t, file ? SFTP_PERMISSION_DENIED : SFTP_FAILURE, why)
                : send_on(t, FOR_CLIENT, index, 1U << (SFTP_STATUS - 100));
    s->up.rest = n;
    return r;
}

static int take_close(struct taken *t)
{
    uint32_t index = 0;
    struct sftp_file *file = file_of_handle(t->s, t->q->handle[0], &index);
    if (!file)
        return bad_handle(t);
    int r = scan_closed(t->s, file);
    r = r ? r : send_on(t, FOR_CLOSE, index, 0);
    file->state = FILE_CLOSING;
    return r;
}

/* What needs no decision of its own: fstat, readdir, fsync, fstatvfs. */
static int take_on_handle(struct taken *t)
{
    uint32_t index = 0;
    enum sftp_action action = t->q->kind->action;
    struct sftp_file *file = file_of_handle(t->s, t->q->handle[0], &index);
    if (!file || file->directory != (action == ACT_READDIR))
        return bad_handle(t);
    uint32_t more = action == ACT_READDIR ? 1U << (SFTP_NAME - 100)
                    : action == ACT_FSTAT ? 1U << (SFTP_ATTRS - 100)
                                          : 1U << 31;
    return send_on(t, FOR_CLIENT, index, 1U << (SFTP_STATUS - 100) | more);
}

static const char *known_path(const struct sftp_file *file)
{
    return file->resolved[0] ? file->resolved : file->path;
}

static int take_fsetstat(struct taken *t)
{
    uint32_t index = 0;
    bool go = false;
    struct sftp_file *file = file_of_handle(t->s, t->q->handle[0], &index);
    if (!file)
        return bad_handle(t);
    t->path[0] = known_path(file);
    const struct sftp_attributes *a = &t->q->attributes;
    t->opened =
        (file->flags & SFTP_FLAG_WRITE) && a->has_size && !a->has_mode && !a->has_owner && !a->has_times;
    int r = decide(t, &go);
    return !go ? r : send_on(t, FOR_CLIENT, index, 1U << (SFTP_STATUS - 100));
}

/* From one open file to another, at the target: both were decided on, and the recording says so. */
static int take_copy(struct taken *t)
{
    uint32_t from = 0, to = 0;
    bool go = false;
    struct sftp_file *source = file_of_handle(t->s, t->q->handle[0], &from);
    struct sftp_file *copy = file_of_handle(t->s, t->q->handle[1], &to);
    if (!source || !copy || source->directory || copy->directory)
        return bad_handle(t);
    if (!(source->flags & SFTP_FLAG_READ) || !(copy->flags & SFTP_FLAG_WRITE))
        return refuse(t, SFTP_PERMISSION_DENIED, "the files were not opened for this");
    t->path[0] = known_path(source);
    t->path[1] = known_path(copy);
    t->opened = true;
    int r = decide(t, &go);
    if (!go)
        return r;
    if (t->verdict.look || copy->look)
        return refuse(
            t, SFTP_PERMISSION_DENIED,
            "denied: what is copied at the target can't be looked through (sensitive: deny, code denied)");
    struct reader handle[2] = { file_target_handle(source), file_target_handle(copy) };
    detail_set(&copy->note, "written by copy-data, at the target: those bytes were not seen");
    return send(
        t,
        &(struct pending){
            .what = FOR_CLIENT, .client_id = t->q->id, .file = to, .answers = 1U << (SFTP_STATUS - 100) },
        (const struct reader *const[2]){ &handle[0], &handle[1] });
}

static const struct plan plans[SFTP_ACTIONS] = {
    [ACT_OPEN] = { take_open, { PATH_FOLLOWED } },
    [ACT_CLOSE] = { take_close, { 0 } },
    [ACT_READ] = { take_read, { 0 } },
    [ACT_WRITE] = { take_write, { 0 } },
    [ACT_LSTAT] = { take_any_path, { PATH_ENTRY } },
    [ACT_FSTAT] = { take_on_handle, { 0 } },
    [ACT_SETSTAT] = { take_any_path, { PATH_FOLLOWED } },
    [ACT_FSETSTAT] = { take_fsetstat, { 0 } },
    [ACT_OPENDIR] = { take_opendir, { PATH_FOLLOWED } },
    [ACT_READDIR] = { take_on_handle, { 0 } },
    [ACT_REMOVE] = { take_any_path, { PATH_ENTRY } },
    [ACT_MKDIR] = { take_any_path, { PATH_ENTRY } },
    [ACT_RMDIR] = { take_any_path, { PATH_ENTRY } },
    [ACT_REALPATH] = { take_question, { 0 } },
    [ACT_STAT] = { take_any_path, { PATH_FOLLOWED } },
    [ACT_RENAME] = { take_any_path, { PATH_ENTRY, PATH_ENTRY } },
    [ACT_READLINK] = { take_any_path, { PATH_ENTRY } },
    [ACT_SYMLINK] = { take_symlink, { PATH_CONTENT, PATH_ENTRY } },
    [ACT_POSIX_RENAME] = { take_any_path, { PATH_ENTRY, PATH_ENTRY } },
    [ACT_STATVFS] = { take_any_path, { PATH_FOLLOWED } },
    [ACT_FSTATVFS] = { take_on_handle, { 0 } },
    [ACT_HARDLINK] = { take_any_path, { PATH_FOLLOWED, PATH_ENTRY } },
    [ACT_FSYNC] = { take_on_handle, { 0 } },
    [ACT_LSETSTAT] = { take_any_path, { PATH_ENTRY } },
    [ACT_LIMITS] = { take_question, { 0 } },
    [ACT_EXPAND_PATH] = { take_question, { 0 } },
    [ACT_COPY_DATA] = { take_copy, { 0 } },
    [ACT_HOME] = { take_question, { 0 } },
    [ACT_USERS] = { take_question, { 0 } },
};

/* ---- one request ---- */

/* The paths as they are judged. False in *ret_go: wait, or it was answered. */
static int find_paths(struct taken *t, char lexical[2][PATH_TEXT_MAX], bool *ret_go)
{
    struct sftp *s = t->s;
    struct resolving *v = &s->resolving;
    size_t count = t->q->path[1].next ? 2 : 1;
    *ret_go = true;
    for (size_t i = 0; i < count; i++) {
        size_t n = reader_left(&t->q->path[i]);
        memcpy(lexical[i], t->q->path[i].next, n);
        lexical[i][n] = 0;
        if (path_normalise(lexical[i], lexical[i]))
            return -EINVAL;
        t->path[i] = lexical[i];
    }
    if (!s->transfer.host.asks_paths)
        return 0;
    int r = sftp_resolve(s, t->q, t->plan->mode, ret_go);
    v->held = t->held;
    if (r || !*ret_go)
        return r ? r : SHORT;
    v->active = false;
    if (v->status) {
        *ret_go = false;
        return refuse(t, v->status, v->message.text);
    }
    for (size_t i = 0; i < count; i++)
        t->path[i] = t->send[i] = v->path[i];
    return 0;
}

static int take_init(struct sftp *s, const uint8_t *bytes, size_t n)
{
    uint32_t length = 0, version = 0;
    uint8_t type = 0;
    int r = sftp_read_head(bytes, n, &length, &type);
    if (r == SFTP_SHORT)
        return SHORT;
    if (r || type != SFTP_INIT || length < 5 || length > SFTP_PACKET_MAX)
        return sftp_client_fault(s, "something else than SFTP");
    if (n < 4 + (size_t)length)
        return SHORT;
    struct reader in = reader_of(bytes + 5, 4);
    if (!reader_u32(&in, &version) || version < SFTP_VERSION)
        return sftp_client_fault(s, "a version of SFTP below 3");
    buffer_consume(&s->transfer.from_client, 4 + (size_t)length);
    s->begun = true;
    return sftp_put_init(&s->transfer.to_target);
}

static int take_request(struct taken *t, const uint8_t *bytes, size_t n)
{
    char lexical[2][PATH_TEXT_MAX];
    struct sftp_request q;
    struct sftp *s = t->s;
    bool go = true;
    t->q = &q;
    int r = sftp_read_request(bytes, n, &q, &t->size);
    if (r == SFTP_SHORT)
        return SHORT;
    if (r == SFTP_UNSUPPORTED)
        return refuse(t, SFTP_OP_UNSUPPORTED, "this request is not supported here");
    if (r)
        return sftp_client_fault(s, "a request that does not add up");
    t->plan = &plans[q.kind->action];
    if (t->held && !t->held->verdict.allowed)
        return refuse(t, SFTP_PERMISSION_DENIED, t->held->verdict.message);
    if (q.path[0].next && t->plan->take != take_question)
        r = find_paths(t, lexical, &go);
    return r || !go ? r : t->plan->take(t);
}

static int take_held(struct sftp *s, struct sftp_held *held)
{
    struct taken t = { .s = s, .held = held };
    int r = take_request(&t, held->packet, held->n);
    if (r != SHORT)
        sftp_held_free(s, held);
    return r;
}

int sftp_take_request(struct sftp *s)
{
    struct taken t = { .s = s };
    const uint8_t *bytes = buffer_head(&s->transfer.from_client);
    size_t n = buffer_size(&s->transfer.from_client);
    struct sftp_held *held = s->resolving.active ? s->resolving.held : sftp_next_held(s);
    if (held)
        return take_held(s, held);
    if (n == 0)
        return SHORT;
    return s->begun ? take_request(&t, bytes, n) : take_init(s, bytes, n);
}
