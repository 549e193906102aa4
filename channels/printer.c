/* See printer.h. */
#include "channels/printer.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"

struct printer {
    int fd;
    bool newlines, failed;
    struct buffer buffer;
    struct source *source;
    printer_done *done;
    void *owner;
};

static void ready_to_write(void *owner, uint32_t ready)
{
    struct printer *printer = owner;
    int r = buffer_write(&printer->buffer, printer->fd);
    if (r || (ready & LOOP_HANGUP)) {
        printer->failed = true;
        buffer_free(&printer->buffer);
    }
    if (buffer_size(&printer->buffer) == 0) {
        source_interest(printer->source, 0);
        printer->done(printer->owner);
    }
}

int printer_new(struct loop *loop, int fd, bool newlines, printer_done *done, void *owner,
                struct printer **ret)
{
    struct printer *printer = calloc(1, sizeof *printer);
    if (!printer) {
        fd_close(fd);
        return -ENOMEM;
    }
    *printer = (struct printer){ .fd = fd, .newlines = newlines, .done = done, .owner = owner };
    buffer_init(&printer->buffer, PRINTER_LIMIT);
    int r = fd_nonblock(fd, true);
    if (r == 0)
        r = source_new(loop, fd, 0, ready_to_write, printer, &printer->source);
    if (r) {
        printer_free(printer);
        return r;
    }
    *ret = printer;
    return 0;
}

void printer_free(struct printer *printer)
{
    if (!printer)
        return;
    source_free(printer->source);
    fd_close(printer->fd);
    buffer_free(&printer->buffer);
    free(printer);
}

static int put_with_returns(struct buffer *buffer, const char *text, size_t n)
{
    int r = 0;
    while (n > 0 && r == 0) {
        const char *newline = memchr(text, '\n', n);
        size_t line = newline ? (size_t)(newline - text) : n;
        r = buffer_append(buffer, text, line);
        if (r == 0 && newline)
            r = buffer_append(buffer, "\r\n", 2);
        line += newline ? 1 : 0;
        text += line;
        n -= line;
    }
    return r;
}

void printer_put(struct printer *printer, const void *bytes, size_t n)
{
    if (printer->failed)
        return;
    int r = printer->newlines ? put_with_returns(&printer->buffer, bytes, n)
                              : buffer_append(&printer->buffer, bytes, n);
    if (r)
        printer->failed = true;
    if (buffer_size(&printer->buffer) > 0)
        source_interest(printer->source, LOOP_WRITE);
}

bool printer_empty(const struct printer *printer)
{
    return buffer_size(&printer->buffer) == 0;
}
