/* See scan.h. What is forged is not looked into: only an entry whose tag fits is unpacked. */
#include "replay/scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

struct scan {
    int fd;
    struct entries *entries;
    struct chain chain;
    scan_request *request;
    void *owner;
    bool done;
    Ipc__Event *first; /* holds the header */
    struct scan_summary sum;
    uint64_t watch, watched_size;
    uint8_t watched_tag[CHAIN_TAG];
    bool watched;
};

int scan_new(int fd, const uint8_t key[CHAIN_KEY], scan_request *request, void *owner, struct scan **ret,
             struct detail *detail)
{
    CLEANUP(scan_free) struct scan *scan = calloc(1, sizeof *scan);
    if (!scan) {
        fd_close(fd);
        return -ENOMEM;
    }
    scan->fd = fd;
    scan->request = request;
    scan->owner = owner;
    scan->sum.end = SCAN_OPEN;
    scan->sum.size = ENTRIES_MAGIC;
    int r = entries_new(fd, magic_recording, &scan->entries, detail);
    if (r)
        return r;
    chain_start(&scan->chain, entries_version(scan->entries), key);
    *ret = STEAL(scan);
    return 0;
}

void scan_free(struct scan *scan)
{
    if (!scan)
        return;
    chain_wipe(&scan->chain);
    entries_free(scan->entries);
    event_free(scan->first);
    fd_close(scan->fd);
    free(scan);
}

static int sum_request(struct scan *scan, const Ipc__Request *request, const struct chain_entry *entry)
{
    scan->sum.requests++;
    if (strcmp(request->verdict, "deny") == 0)
        scan->sum.denied++;
    return scan->request ? scan->request(scan->owner, request, entry->body, entry->body_n) : 0;
}

static int sum_event(struct scan *scan, const Ipc__Event *event, const struct chain_entry *entry)
{
    struct scan_summary *sum = &scan->sum;
    sum->at_us = event->at_us > sum->at_us ? event->at_us : sum->at_us;
    sum->end = event->what_case == IPC__EVENT__WHAT_END ? SCAN_COMPLETE : SCAN_OPEN;
    switch (event->what_case) {
    case IPC__EVENT__WHAT_REQUEST:
        return sum_request(scan, event->request, entry);
    case IPC__EVENT__WHAT_OUTPUT:
        sum->output_bytes += entry->body_n;
        return 0;
    case IPC__EVENT__WHAT_END:
        sum->status = event->end->status;
        (void)snprintf(sum->reason, sizeof sum->reason, "%s", event->end->reason);
        return 0;
    default:
        return 0;
    }
}

static int take_event(struct scan *scan, const struct chain_entry *entry)
{
    CLEANUP(event_free) Ipc__Event *event = entry_event(entry);
    if (!event) {
        scan->sum.unreadable++;
        return 0;
    }
    int r = sum_event(scan, event, entry);
    if (scan->sum.entries == 1 && event->what_case == IPC__EVENT__WHAT_HEADER) {
        scan->sum.header = event->header;
        scan->first = STEAL(event);
    }
    return r;
}

static int take(struct scan *scan, const struct chain_entry *entry)
{
    scan->sum.entries++;
    scan->sum.size += entry->size;
    memcpy(scan->sum.tag, entry->tag, CHAIN_TAG);
    if (scan->sum.entries == scan->watch) {
        scan->watched = true;
        scan->watched_size = scan->sum.size;
        memcpy(scan->watched_tag, entry->tag, CHAIN_TAG);
    }
    return take_event(scan, entry);
}

static int finish(struct scan *scan, enum scan_end end)
{
    struct stat about;
    if (fstat(scan->fd, &about) < 0)
        return -errno;
    if (end != SCAN_OPEN)
        scan->sum.end = end;
    if ((uint64_t)about.st_size > scan->sum.size && end != SCAN_OPEN)
        scan->sum.tail = (uint64_t)about.st_size - scan->sum.size;
    scan->done = true;
    return 0;
}

int scan_step(struct scan *scan, size_t max_bytes)
{
    uint64_t until = scan->sum.size + max_bytes;
    while (!scan->done && scan->sum.size < until) {
        struct chain_entry entry;
        int r = entries_next(scan->entries, &entry);
        if (r < 0)
            return r;
        if (r == ENTRIES_END)
            return finish(scan, SCAN_OPEN);
        if (r == ENTRIES_CUT)
            return finish(scan, SCAN_CUT);
        if (r || chain_check(&scan->chain, &entry))
            return finish(scan, SCAN_FORGED);
        r = take(scan, &entry);
        if (r)
            return r;
    }
    return scan->done ? 0 : SCAN_MORE;
}

const struct scan_summary *scan_summary(const struct scan *scan)
{
    return &scan->sum;
}

void scan_watch(struct scan *scan, uint64_t entries)
{
    scan->watch = entries;
}

bool scan_watched(const struct scan *scan, uint64_t *ret_size, uint8_t ret_tag[CHAIN_TAG])
{
    if (!scan->watched)
        return false;
    *ret_size = scan->watched_size;
    memcpy(ret_tag, scan->watched_tag, CHAIN_TAG);
    return true;
}
