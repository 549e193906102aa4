/* One line for each request, as it stands in the recording. */
#include "channels/sftp/sftp_words.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "channels/sftp/transfer.h"

struct words {
    char *out;
    size_t n;
    bool listed; /* something stands in the brackets */
};

static void PRINTF_LIKE(2, 3) put(struct words *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(w->out + w->n, SFTP_WORDS_MAX - w->n, format, arguments);
    va_end(arguments);
    if (n > 0)
        w->n += (size_t)n < SFTP_WORDS_MAX - w->n ? (size_t)n : SFTP_WORDS_MAX - 1 - w->n;
}

static void list(struct words *w, bool is, const char *text)
{
    if (!is)
        return;
    put(w, "%s%s", w->listed ? ", " : " (", text);
    w->listed = true;
}

static void put_flags(struct words *w, uint32_t flags)
{
    list(w, (flags & SFTP_FLAG_READ) || !(flags & SFTP_FLAG_WRITE), "read");
    list(w, flags & SFTP_FLAG_WRITE, "write");
    list(w, flags & SFTP_FLAG_APPEND, "append");
    list(w, flags & SFTP_FLAG_CREAT, "create");
    list(w, flags & SFTP_FLAG_TRUNC, "truncate");
    list(w, flags & SFTP_FLAG_EXCL, "only if it is new");
}

static void put_attributes(struct words *w, const struct sftp_attributes *a)
{
    char text[64];
    (void)snprintf(text, sizeof text, "size %llu", (unsigned long long)a->size);
    list(w, a->has_size, text);
    (void)snprintf(text, sizeof text, "owner %u:%u", a->uid, a->gid);
    list(w, a->has_owner, text);
    (void)snprintf(text, sizeof text, "mode %04o", a->mode & 07777);
    list(w, a->has_mode, text);
    (void)snprintf(text, sizeof text, "times %u %u", a->atime, a->mtime);
    list(w, a->has_times, text);
}

/* Where links or dots led somewhere else than the name says. */
static void put_asked(struct words *w, const struct reader *asked, const char *path)
{
    size_t n = reader_left(asked);
    if (asked->next && (n != strlen(path) || memcmp(asked->next, path, n) != 0))
        put(w, " [asked: %.*s]", (int)n, (const char *)asked->next);
}

void sftp_words(char out[SFTP_WORDS_MAX], const struct sftp_request *request, const char *const path[2])
{
    struct words w = { .out = out };
    enum sftp_action action = request->kind->action;
    put(&w, "%s %s", request->kind->name, path[0]);
    put_asked(&w, &request->path[0], path[0]);
    if (path[1]) {
        put(&w, " to %s", path[1]);
        put_asked(&w, &request->path[1], path[1]);
    }
    if (action == ACT_OPEN)
        put_flags(&w, request->number);
    if (action == ACT_OPEN && request->attributes.has_mode && (request->attributes.mode & 07000))
        put_attributes(&w, &request->attributes);
    if (action == ACT_SETSTAT || action == ACT_LSETSTAT || action == ACT_FSETSTAT)
        put_attributes(&w, &request->attributes);
    if (w.listed)
        put(&w, ")");
}

const char *sftp_words_fired(char *out, const char *detector)
{
    (void)snprintf(out, FILE_MESSAGE_MAX,
                   "denied: the file holds what the detector %s finds (sensitive: deny, code denied)",
                   detector);
    return out;
}
