/* Recordings older than `retention:` are removed, each with an entry in the audit chain, so that removing is
 * not mistaken for tampering, nor tampering for removing. Hourly, and a bounded number at a time. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "replay/ledger.h"

enum {
    EVERY_MS = 60 * 60 * 1000,
    FIRST_MS = 1000,
    AT_ONCE = 64,
    NEXT_MS = 20,
};

struct round {
    struct ledger *ledger;
    uint64_t before_s; /* unix */
    unsigned removed;
};

enum { STOP = 1 };

/* The entry comes first: a removed file without one would be a fault. */
static int expire(struct ledger *ledger, const char *id)
{
    char place[RECORDING_PLACE + 1], day[RECORDING_DAY + 1];
    Ipc__AuditEvent event = ledger_event("expired", NULL);
    event.recording = lent(id);
    int r = ledger_enter(ledger, &event);
    if (r)
        return r;
    if (unlinkat(ledger->recordings_fd, recording_place(place, id), 0) < 0)
        return -errno;
    (void)unlinkat(ledger->recordings_fd, recording_day(day, id), AT_REMOVEDIR); /* fails until it is empty */
    return store_remove(ledger->store, id);
}

static int on_recording(void *owner, const char *id)
{
    struct round *round = owner;
    if (recording_seconds(id) >= round->before_s || round->removed >= AT_ONCE)
        return STOP; /* they come in order of age */
    if (registry_find(round->ledger->open, id))
        return 0; /* live, or about to be sealed */
    int r = expire(round->ledger, id);
    if (r == 0)
        round->removed++;
    return r;
}

static void on_timer(void *owner)
{
    struct ledger *ledger = owner;
    uint64_t keep_ms = ledger->config->recording ? ledger->config->recording->retention_ms : 0;
    uint64_t now_ms = clock_unix_ms();
    struct round round = { .ledger = ledger };
    if (keep_ms > 0 && keep_ms < now_ms) {
        round.before_s = (now_ms - keep_ms) / 1000;
        int r = place_walk(ledger->recordings_fd, on_recording, &round);
        if (r < 0)
            log_event(LOG_ERROR, "retention_failed", "detail", strerror(-r), NULL);
    }
    timer_set(ledger->retention, round.removed >= AT_ONCE ? NEXT_MS : EVERY_MS);
}

int retention_start(struct ledger *ledger)
{
    int r = timer_new(ledger->loop, on_timer, ledger, &ledger->retention);
    if (r == 0)
        timer_set(ledger->retention, FIRST_MS);
    return r;
}
