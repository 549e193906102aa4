/* What a client has open at the target, and what the recording will say of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "channels/sftp/sftp_parts.h"

void file_free(struct sftp_file *file)
{
    if (!file)
        return;
    free(file->path);
    free(file->resolved);
    digest_free(file->down);
    digest_free(file->up);
    scan_free(file->scan);
    free(file);
}

static int slot_of(struct sftp *s, uint32_t *ret)
{
    for (uint32_t i = 0; i < s->n_files; i++) {
        if (!s->files[i]) {
            *ret = i;
            return 0;
        }
    }
    size_t n = s->n_files ? 2 * s->n_files : 8;
    if (s->n_files == SFTP_FILES_MAX)
        return -EMFILE;
    struct sftp_file **grown = reallocarray(s->files, n, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + s->n_files, 0, (n - s->n_files) * sizeof *grown);
    *ret = (uint32_t)s->n_files;
    s->files = grown;
    s->n_files = n;
    return 0;
}

int file_new(struct sftp *s, const char *path, const char *resolved, uint32_t *ret_index)
{
    uint32_t index = 0;
    int r = slot_of(s, &index);
    if (r < 0)
        return r;
    struct sftp_file *file = calloc(1, sizeof *file);
    if (file)
        *file = (struct sftp_file){ .state = FILE_OPENING,
                                    .serial = ++s->serial,
                                    .path = strdup(path),
                                    .resolved = strdup(resolved),
                                    .started_us = clock_us() };
    if (!file || !file->path || !file->resolved) {
        file_free(file);
        return -ENOMEM;
    }
    s->files[index] = file;
    *ret_index = index;
    return 0;
}

struct sftp_file *file_at(struct sftp *s, uint32_t index)
{
    return index < s->n_files ? s->files[index] : NULL;
}

static void put_u32(uint8_t out[4], uint32_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(v >> (24 - 8 * i));
}

void file_client_handle(const struct sftp *s, uint32_t index, uint8_t handle[CLIENT_HANDLE])
{
    put_u32(handle, index);
    put_u32(handle + 4, s->files[index]->serial);
}

struct sftp_file *file_of_handle(struct sftp *s, struct reader handle, uint32_t *ret_index)
{
    uint32_t index, serial;
    if (!reader_u32(&handle, &index) || !reader_u32(&handle, &serial) || !reader_done(&handle))
        return NULL;
    struct sftp_file *file = file_at(s, index);
    if (!file || file->serial != serial || file->state != FILE_OPEN)
        return NULL;
    *ret_index = index;
    return file;
}

struct reader file_target_handle(const struct sftp_file *file)
{
    return reader_of(file->handle, file->handle_n);
}

static void forget(struct sftp *s, uint32_t index)
{
    struct sftp_file *file = s->files[index];
    if (file->state != FILE_FREE || file->outstanding > 0)
        return;
    if (s->up.file == file)
        s->up.file = NULL;
    if (s->down.file == file)
        s->down.file = NULL;
    s->files[index] = NULL;
    file_free(file);
}

void file_answered(struct sftp *s, uint32_t index)
{
    s->files[index]->outstanding--;
    forget(s, index);
}

int file_hash(struct digest **digest, uint64_t offset, const void *bytes, size_t n)
{
    int r = *digest ? 0 : digest_new(digest);
    return r ? r : digest_add(*digest, offset, bytes, n);
}

/* ---- telling ---- */

static const char *incomplete(const struct digest_result *digest)
{
    if (digest->whole)
        return digest->from > 0 ? "begins inside the file" : "";
    return "not contiguous: the checksum is of the first run only";
}

static int tell(struct sftp *s, struct sftp_file *file, bool upload, const char *state)
{
    struct digest **digest = upload ? &file->up : &file->down;
    int r = *digest ? 0 : digest_new(digest);
    struct file_transfer told = { .of = file->number,
                                  .program = "sftp",
                                  .upload = upload,
                                  .path = file->path,
                                  .resolved = file->resolved,
                                  .duration_us = clock_us() - file->started_us,
                                  .state = state };
    r = r ? r : digest_end(*digest, &told.digest);
    if (r < 0)
        return r;
    const struct digest_result *d = &told.digest;
    bool from_start = d->whole && d->from == 0;
    told.has_size = from_start && (upload ? (file->flags & SFTP_FLAG_TRUNC) != 0 : file->eof);
    told.size = d->length;
    told.note = file->note.text[0] ? file->note.text : incomplete(d);
    return transfer_tell(&s->transfer, &told);
}

/* A file that was opened both ways and used one way was a transfer one way. */
static int tell_both(struct sftp *s, struct sftp_file *file, const char *state)
{
    bool writes = file->flags & ~(uint32_t)SFTP_FLAG_READ, reads = file->flags & SFTP_FLAG_READ;
    bool up = file->up || (writes && !file->down), down = file->down || (reads && !up);
    int r = up ? tell(s, file, true, state) : 0;
    return r == 0 && down ? tell(s, file, false, state) : r;
}

int file_gone(struct sftp *s, uint32_t index, const char *state)
{
    struct sftp_file *file = s->files[index];
    int r = 0;
    if (!file->directory && (file->there || file->note.text[0]))
        r = tell_both(s, file, state);
    file->state = FILE_FREE;
    forget(s, index);
    return r;
}

/* ---- opening ---- */

int file_ready(struct sftp *s, uint32_t index)
{
    uint8_t handle[CLIENT_HANDLE];
    struct sftp_file *file = s->files[index];
    file_client_handle(s, index, handle);
    file->state = FILE_OPEN;
    return sftp_put_handle(sftp_to_client(s), file->client_id, handle, sizeof handle);
}

int file_withhold(struct sftp *s, uint32_t index, const char *message)
{
    struct sftp_file *file = s->files[index];
    detail_set(&file->note, "%s", message);
    int r = sftp_ask_handle(s, SFTP_CLOSE, FOR_NOTHING, index);
    r = r ? r : sftp_refuse(s, file->client_id, SFTP_PERMISSION_DENIED, message);
    return r ? r : file_gone(s, index, "refused");
}

int file_go_on(struct sftp *s, uint32_t index)
{
    struct sftp_file *file = s->files[index];
    if (file->state != FILE_OPENING || !file->there || file->to_check)
        return 0;
    if (file->note.text[0]) {
        struct detail why = file->note;
        return file_withhold(s, index, why.text);
    }
    bool reads = !file->directory && (file->flags & SFTP_FLAG_READ);
    if (reads && file->look && !file->scan)
        return scan_begin(s, index);
    return file->scan && !scan_is_over(file->scan) ? 0 : file_ready(s, index);
}
