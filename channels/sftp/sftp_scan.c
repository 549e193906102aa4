/* `sensitive: deny`: a file in which a detector fires is refused.
 *
 * A file that is read is looked through before the client gets its handle: as a whole, from its beginning, by
 * requests of our own. So nothing of it has passed when a detector fires, it is no use to ask for its bytes
 * in another order, and clients that wait for each answer see nothing odd. What the file has grown by
 * meanwhile is behind its end for this handle. What is no regular file, or too large, is refused.
 *
 * Of a file that is written the bytes are looked at as they come, which has to be in order. What was written
 * before a detector fired is at the target; nothing more of it follows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channels/sftp/sftp_parts.h"
#include "channels/sftp/sftp_words.h"
#include "policy/detect.h"

enum { SCAN_CHUNK = 32 * 1024, SCAN_AHEAD = 16 };

#define SCAN_SIZE_MAX (UINT64_C(4) << 30)

struct sftp_scan {
    struct detect_stream *stream;
    struct buffer shown; /* nobody sees it: detectors give masked bytes */
    uint64_t size;       /* looked through, or written, so far */
    uint64_t asked;      /* offset of the next request */
    uint64_t expected;   /* offset of the next answer that counts */
    size_t under_way;
    bool ended; /* end of file was seen, or it is given up */
    bool over;
};

void scan_free(struct sftp_scan *scan)
{
    if (!scan)
        return;
    detect_stream_free(scan->stream);
    buffer_free(&scan->shown);
    free(scan);
}
DEFINE_CLEANUP(struct sftp_scan *, scan_free)

bool scan_is_over(const struct sftp_scan *scan)
{
    return scan->over;
}

uint64_t scan_size(const struct sftp_scan *scan)
{
    return scan->size;
}

static int scan_new(struct sftp *s, struct sftp_scan **ret)
{
    CLEANUP(scan_free) struct sftp_scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return -ENOMEM;
    buffer_init(&scan->shown, 4 * (size_t)SFTP_PACKET_MAX);
    int r = detect_stream_new(s->transfer.host.detectors, s->transfer.host.how, &scan->stream);
    if (r < 0)
        return r;
    *ret = STEAL(scan);
    return 0;
}

static const char *fired(struct sftp *s, const struct sftp_scan *scan)
{
    const struct detect_tally *tally = detect_stream_tally(scan->stream);
    for (size_t i = 0; i < detectors_count(s->transfer.host.detectors); i++)
        if (tally->fired[i] > 0)
            return detectors_name(s->transfer.host.detectors, i);
    return NULL;
}

static int feed(struct sftp_scan *scan, const void *bytes, size_t n)
{
    int r = detect_feed(scan->stream, bytes, n, &scan->shown);
    buffer_consume(&scan->shown, buffer_size(&scan->shown));
    scan->size += n;
    return r;
}

/* ---- reading ---- */

static int ask_more(struct sftp *s, uint32_t index)
{
    struct sftp_file *file = file_at(s, index);
    struct sftp_scan *scan = file->scan;
    int r = 0;
    while (r == 0 && !scan->ended && scan->under_way < SCAN_AHEAD &&
           s->used_pending + PENDING_SPARE < SFTP_PENDING_MAX) {
        uint32_t id = 0;
        struct pending pending = {
            .what = FOR_SCAN, .file = index, .offset = scan->asked, .length = SCAN_CHUNK
        };
        r = pending_new(s, &pending, &id);
        r = r ? r : sftp_put_read(sftp_to_target(s), id, file_target_handle(file), scan->asked, SCAN_CHUNK);
        scan->asked += SCAN_CHUNK;
        scan->under_way++;
    }
    if (r == 0 && scan->under_way == 0 && !scan->ended)
        return file_withhold(s, index, "too many requests at once: try again (code limit)");
    return r;
}

int scan_begin(struct sftp *s, uint32_t index)
{
    int r = scan_new(s, &file_at(s, index)->scan);
    return r ? r : sftp_ask_handle(s, SFTP_FSTAT, FOR_SCAN_STAT, index);
}

static int refuse(struct sftp *s, uint32_t index, const char *why)
{
    char message[FILE_MESSAGE_MAX];
    file_at(s, index)->scan->ended = true;
    (void)snprintf(message, sizeof message, "denied: %s (sensitive: deny, code denied)", why);
    return file_withhold(s, index, message);
}

int scan_stated(struct sftp *s, uint32_t index, uint8_t type, struct reader body)
{
    enum { TYPE = 0170000, REGULAR = 0100000 };
    struct sftp_attributes a = { 0 };
    if (file_at(s, index)->state != FILE_OPENING)
        return 0;
    if (type != SFTP_ATTRS || !sftp_read_attributes(&body, &a) || !a.has_mode || (a.mode & TYPE) != REGULAR)
        return refuse(s, index, "only regular files can be looked through");
    if (a.has_size && a.size > SCAN_SIZE_MAX)
        return refuse(s, index, "the file is too large to be looked through");
    return ask_more(s, index);
}

/* Everything that was asked for has come, or is of no use any more. */
static int settle(struct sftp *s, uint32_t index)
{
    struct sftp_scan *scan = file_at(s, index)->scan;
    char words[FILE_MESSAGE_MAX];
    if (!scan->ended || scan->under_way > 0)
        return ask_more(s, index);
    int r = detect_end(scan->stream, &scan->shown);
    buffer_free(&scan->shown);
    if (r < 0)
        return r;
    const char *name = fired(s, scan);
    if (name)
        return file_withhold(s, index, sftp_words_fired(words, name));
    scan->over = true;
    return file_go_on(s, index);
}

/* Servers may answer with less than was asked for: then what was asked behind it does not follow, and is
 * asked again.
 */
static int take_data(struct sftp *s, const struct pending *p, struct reader data)
{
    struct sftp_scan *scan = file_at(s, p->file)->scan;
    size_t n = reader_left(&data);
    char words[FILE_MESSAGE_MAX];
    if (p->offset != scan->expected)
        return 0;
    int r = feed(scan, data.next, n);
    if (r < 0)
        return r;
    const char *name = fired(s, scan);
    if (name) {
        scan->ended = true;
        return file_withhold(s, p->file, sftp_words_fired(words, name));
    }
    scan->expected += n;
    if (n < p->length)
        scan->asked = scan->expected;
    if (scan->size > SCAN_SIZE_MAX)
        return refuse(s, p->file, "the file is too large to be looked through");
    return 0;
}

int scan_read(struct sftp *s, const struct pending *p, uint8_t type, struct reader body)
{
    struct sftp_file *file = file_at(s, p->file);
    struct sftp_scan *scan = file->scan;
    struct reader data;
    uint32_t code = SFTP_FAILURE;
    int r = 0;
    scan->under_way--;
    if (file->state != FILE_OPENING)
        return 0;
    if (type == SFTP_DATA) {
        if (!reader_string(&body, &data) || !reader_done(&body) || reader_left(&data) > p->length ||
            reader_left(&data) == 0)
            return sftp_target_fault(s, "data that does not add up");
        if (!scan->ended)
            r = take_data(s, p, data);
    } else if (p->offset == scan->expected) {
        if (!reader_u32(&body, &code) || code != SFTP_EOF)
            return refuse(s, p->file, "the file could not be looked through");
        scan->ended = true;
    }
    return r || file->state != FILE_OPENING ? r : settle(s, p->file);
}

/* ---- writing ---- */

static void stop(struct sftp_file *file, const char *why)
{
    file->stopped = true;
    detail_set(&file->note, "%s", why);
}

int scan_written(struct sftp *s, struct sftp_file *file, uint64_t offset, const void *bytes, size_t n)
{
    char words[FILE_MESSAGE_MAX];
    if (file->stopped)
        return 0;
    if (file->flags & SFTP_FLAG_READ) {
        stop(file, "denied: open the file either to read or to write it (sensitive: deny, code denied)");
        return 0;
    }
    int r = file->scan ? 0 : scan_new(s, &file->scan);
    if (r == 0 && offset != file->scan->size) {
        stop(file, "denied: only a file that is written in order can be looked through (sensitive: deny, "
                   "code denied)");
        return 0;
    }
    r = r ? r : feed(file->scan, bytes, n);
    const char *name = r == 0 ? fired(s, file->scan) : NULL;
    if (name)
        stop(file, sftp_words_fired(words, name));
    return r;
}

int scan_closed(struct sftp *s, struct sftp_file *file)
{
    char words[FILE_MESSAGE_MAX];
    if (!file->scan || scan_is_over(file->scan) || file->stopped)
        return 0;
    int r = detect_end(file->scan->stream, &file->scan->shown);
    const char *name = r == 0 ? fired(s, file->scan) : NULL;
    if (name)
        stop(file, sftp_words_fired(words, name));
    return r;
}
