/* A recording is hostile: every form of playing, the scan, and the filter must live through it.
 * First byte: even: the rest is the file behind its magic; odd: the rest is cut into entries whose sizes fit.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/io.h"
#include "replay/player.h"
#include "replay/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 64 * 1024 };

/* Entries out of (head size, body size, bytes) with tags of zeroes. */
static int put_entries(struct buffer *out, struct reader in)
{
    static const uint8_t tag[CHAIN_TAG];
    uint8_t head_n, body_n;
    const uint8_t *bytes;
    while (reader_u8(&in, &head_n) && reader_u8(&in, &body_n) &&
           reader_bytes(&in, (size_t)head_n + body_n, &bytes)) {
        if (buffer_put_u32(out, 2U + head_n + body_n + CHAIN_TAG) || buffer_put_u16(out, head_n) ||
            buffer_append(out, bytes, (size_t)head_n + body_n) || buffer_append(out, tag, CHAIN_TAG))
            return -1;
    }
    return 0;
}

static int file_of(const uint8_t *data, size_t n)
{
    struct buffer file;
    buffer_init(&file, 64 * INPUT_MAX);
    if (buffer_append(&file, magic_recording, ENTRIES_MAGIC))
        abort();
    if (data[0] & 1 ? put_entries(&file, reader_of(data + 1, n - 1)) : buffer_append(&file, data + 1, n - 1))
        abort();
    int fd = memfd_create("recording", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, buffer_head(&file), buffer_size(&file), -1))
        abort();
    buffer_free(&file);
    return fd;
}

static void play_all(int fd, int out)
{
    static const struct player_options forms[] = {
        { .form = PLAYER_TEXT },
        { .form = PLAYER_EVENTS },
        { .form = PLAYER_CAST, .cast_version = 2 },
        { .form = PLAYER_CAST, .cast_version = 3 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct detail detail;
        if (player_run(fd, out, -1, &forms[i], &detail))
            abort(); /* the magic is right: it plays to where it can be read */
    }
}

static void scan_all(int fd)
{
    static const uint8_t key[CHAIN_KEY];
    struct scan *scan = NULL;
    if (scan_new(fd_dup(fd), key, NULL, NULL, &scan, NULL))
        abort();
    while (scan_step(scan, 4096) == SCAN_MORE)
        continue;
    if (scan_summary(scan)->entries > 0)
        abort(); /* nobody forges a tag */
    scan_free(scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int out = -1;
    if (out < 0)
        out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (n == 0 || n > INPUT_MAX)
        return 0;
    int fd = file_of(data, n);
    play_all(fd, out);
    scan_all(fd);
    close(fd);
    return 0;
}
