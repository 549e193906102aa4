/* How fast the detectors look through text that holds nothing to be found, on one core: best of several short
 * runs.
 *
 * usage: detect [MILLISECONDS]     each run at most that long (default 100); prints MB/s for each kind of
 * text and for each way to search: as a stream in 16 KiB pieces, as one block, cells of 40 bytes each by
 * itself, and "is this packet clean" */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "policy/detect.h"

enum {
    TEXT_SIZE = 4 << 20,
    PIECE = 16 * 1024,
    CELL = 40,
    RUNS = 5,
    OUT_MAX = 2 * PIECE + 64 * 1024,
};

static uint64_t random_state = 88172645463325252u;

static uint32_t next_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 11) % below;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *word(void)
{
    static const char *const words[] = { "the",       "order",  "of",     "customer", "shipment", "and",
                                         "returned",  "within", "status", "pending",  "Berlin",   "warehouse",
                                         "a",         "to",     "price",  "Invoice",  "is",       "quantity",
                                         "delivered", "item",   "for",    "Class",    "session",  "request",
                                         "handler",   "was",    "in",     "database" };

    return words[next_random(sizeof words / sizeof *words)];
}

static int prose(char *out, size_t size)
{
    size_t n = 0;

    for (unsigned i = 0, words = 8 + next_random(10); i < words && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", word(), i + 1 == words ? ".\n" : " ");
    return (int)n;
}

static int json(char *out, size_t size)
{
    return snprintf(
        out, size,
        "{\"id\":%u,\"uuid\":\"%08x-%04x-4%03x-a%03x-%06x%06x\",\"name\":\"%s %s\",\"total\":%u.%02u,"
        "\"created_at\":\"2024-%02u-%02uT%02u:%02u:%02u.%03uZ\",\"ok\":true,\"url\":\"https://example.com/"
        "%s/%u\",\"tags\":[\"%s\",\"%s\"]}\n",
        next_random(1000000), next_random(UINT32_MAX), next_random(65536), next_random(4096),
        next_random(4096), next_random(1 << 24), next_random(1 << 24), word(), word(), next_random(10000),
        next_random(100), 1 + next_random(12), 1 + next_random(28), next_random(24), next_random(60),
        next_random(60), next_random(1000), word(), next_random(100000), word(), word());
}

static int log_line(char *out, size_t size)
{
    return snprintf(
        out, size,
        "10.%u.%u.%u - - [%02u/Jan/2024:%02u:%02u:%02u +0000] \"GET /%s/%s?page=%u HTTP/1.1\" 200 %u \"-\" "
        "\"Mozilla/5.0 (X11; Linux x86_64)\" %u.%03u trace=%08x%08x\n",
        next_random(256), next_random(256), next_random(256), 1 + next_random(28), next_random(24),
        next_random(60), next_random(60), word(), word(), next_random(100), next_random(100000),
        next_random(10), next_random(1000), next_random(UINT32_MAX), next_random(UINT32_MAX));
}

static int csv(char *out, size_t size)
{
    return snprintf(out, size, "%u,%u,%s,%u.%02u,%u%09u,2024-%02u-%02u,%d.%06u,%u,%s %s,%u-%u\n",
                    100000 + next_random(900000), next_random(1000), word(), next_random(10000),
                    next_random(100), 1 + next_random(8), next_random(1000000000), 1 + next_random(12),
                    1 + next_random(28), (int)next_random(180) - 90, next_random(1000000),
                    next_random(UINT32_MAX), word(), word(), next_random(1000), next_random(10000));
}

static int base64(char *out, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;

    while (n < 76 && n + 1 < size)
        out[n++] = alphabet[next_random(64)];
    out[n++] = '\n';
    return (int)n;
}

static int digits(char *out, size_t size)
{
    size_t n = 0;

    while (n < 80 && n + 1 < size)
        n += (size_t)snprintf(out + n, size - n, "%0*u ", 1 + (int)next_random(9), next_random(1000));
    out[n - 1] = '\n';
    return (int)n;
}

/* What looks like many numbers: a thousand digits, card groups in columns, country codes. */
static int long_runs(char *out, size_t size)
{
    enum { RUN = 1000 };

    (void)size;
    for (size_t n = 0; n < RUN; n++)
        out[n] = (char)('0' + n % 10);
    out[RUN] = '\n';
    return RUN + 1;
}

static int groups(char *out, size_t size)
{
    return snprintf(out, size, "%04u %04u %04u %04u %04u %04u\n", next_random(10000), next_random(10000),
                    next_random(10000), next_random(10000), next_random(10000), next_random(10000));
}

static int codes(char *out, size_t size)
{
    return snprintf(out, size, "XK%02u YE%02uAA%02u DE%02u ", next_random(100), next_random(100),
                    next_random(100), next_random(100));
}

static int row(char *out, size_t size) /* PostgreSQL's DataRow messages */
{
    size_t n = 0;

    (void)size;
    memcpy(out, "D\0\0\0\0\0\4", 7);
    n = 7;
    for (unsigned i = 0; i < 4; i++) {
        char cell[64];
        int length =
            i == 0   ? snprintf(cell, sizeof cell, "%u", next_random(1000000))
            : i == 1 ? snprintf(cell, sizeof cell, "%s %s", word(), word())
            : i == 2 ? snprintf(cell, sizeof cell, "2024-%02u-%02u", 1 + next_random(12), 1 + next_random(28))
                     : snprintf(cell, sizeof cell, "%s %s %s", word(), word(), word());
        memcpy(out + n, "\0\0\0", 3);
        out[n + 3] = (char)length;
        memcpy(out + n + 4, cell, (size_t)length);
        n += 4 + (size_t)length;
    }
    out[4] = (char)(n - 1);
    return (int)n;
}

static char *make_text(int (*line)(char *, size_t))
{
    char *text = malloc(TEXT_SIZE + 4096);

    for (size_t n = 0; n < TEXT_SIZE;)
        n += (size_t)line(text + n, 2048);
    return text;
}

struct bench {
    struct detectors *detectors;
    struct detect_how how;
    struct buffer out;
    unsigned long fired;
};

static void search_stream(struct bench *b, const char *text, size_t n)
{
    struct detect_stream *stream = NULL;

    if (detect_stream_new(b->detectors, &b->how, &stream))
        abort();
    for (size_t at = 0; at < n; at += PIECE) {
        if (detect_feed(stream, text + at, n - at < PIECE ? n - at : PIECE, &b->out))
            abort();
        buffer_consume(&b->out, buffer_size(&b->out));
    }
    for (size_t i = 0; i < detectors_count(b->detectors); i++)
        b->fired += detect_stream_tally(stream)->fired[i];
    detect_stream_free(stream);
}

static void search_block(struct bench *b, const char *text, size_t n)
{
    if (detect_fires(b->detectors, &b->how, text, n, NULL) < 0)
        abort();
}

static void search_cells(struct bench *b, const char *text, size_t n)
{
    for (size_t at = 0; at < n; at += CELL)
        search_block(b, text + at, n - at < CELL ? n - at : CELL);
}

static void search_clean(struct bench *b, const char *text, size_t n)
{
    for (size_t at = 0; at < n; at += PIECE)
        b->fired += !detect_is_clean(b->detectors, &b->how, text + at, n - at < PIECE ? n - at : PIECE);
}

static double best(struct bench *b, const char *text, double limit,
                   void (*search)(struct bench *, const char *, size_t))
{
    double fastest = 0;

    for (unsigned i = 0; i < RUNS; i++) {
        size_t n = 0;
        double begin = now(), took = 0;
        while (n + PIECE <= TEXT_SIZE && took < limit) {
            size_t part = 64 * PIECE < TEXT_SIZE - n ? 64 * PIECE : TEXT_SIZE - n;
            search(b, text + n, part);
            n += part;
            took = now() - begin;
        }
        fastest = fmax(fastest, (double)n / took / 1e6);
    }
    return fastest;
}

static struct detectors *compile(const char *const *names, size_t n, const struct detect_pattern *patterns,
                                 size_t n_p)
{
    struct detectors *d = NULL;
    struct detail why = { "" };
    double begin = now();

    if (detectors_new(names, n, patterns, n_p, &d, &why)) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    printf("compiled in %.0f ms\n", (now() - begin) * 1e3);
    return d;
}

static void measure(struct detectors *d, double limit)
{
    static const struct {
        const char *name;
        int (*line)(char *, size_t);
    } texts[] = { { "prose", prose },   { "json", json },     { "log", log_line }, { "csv", csv },
                  { "base64", base64 }, { "digits", digits }, { "rows", row },     { "runs", long_runs },
                  { "groups", groups }, { "codes", codes } };
    struct bench b = { .detectors = d };

    buffer_init(&b.out, OUT_MAX);
    for (size_t i = 0; i < detectors_count(d); i++)
        b.how.kinds[i] = MASK_REDACT;
    printf("%-8s %8s %8s %8s %8s   MB/s\n", "text", "stream", "block", "cells", "clean");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = make_text(texts[i].line);
        double stream = best(&b, text, limit, search_stream), block = best(&b, text, limit, search_block);
        double cells = best(&b, text, limit, search_cells);
        unsigned long fired = b.fired;
        b.fired = 0;
        double clean = best(&b, text, limit, search_clean);
        printf("%-8s %8.0f %8.0f %8.0f %8.0f   fired %lu, packets not clean %lu\n", texts[i].name, stream,
               block, cells, clean, fired, b.fired);
        b.fired = 0;
        free(text);
    }
    buffer_free(&b.out);
}

int main(int argc, char **argv)
{
    static const char *const defaults[] = { "email",   "credit_card",  "us_ssn",      "iban",        "jwt",
                                            "aws_key", "github_token", "private_key", "url_password" };
    static const struct detect_pattern patterns[] = { { "employee", "\\bEMP-[0-9]{6}\\b", "none" },
                                                      { "project", "project-(?:apollo|zeus)", "none" } };
    double limit = (argc > 1 ? atof(argv[1]) : 100) / 1e3;
    const char *every[64];
    size_t n = 0;

    while (detector_builtin(n)) {
        every[n] = detector_builtin(n);
        n++;
    }
    printf("== the nine of the default set\n");
    struct detectors *d = compile(defaults, sizeof defaults / sizeof *defaults, NULL, 0);
    measure(d, limit);
    detectors_free(d);
    printf("== all %zu\n", n);
    d = compile(every, n, NULL, 0);
    measure(d, limit);
    detectors_free(d);
    printf("== all, and two patterns\n");
    d = compile(every, n, patterns, 2);
    measure(d, limit);
    detectors_free(d);
    return 0;
}
