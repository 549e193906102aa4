/* One question at a time: everything that is wanted at that moment goes out in one round trip. Who waits is
 * told when nothing is wanted any more, or when it can't be had.
 *
 * CLOSED    no connection; opened when something is wanted
 * LOGIN     the vault was asked
 * READY     nothing is under way
 * ASKING    a question is; `keys` are its wants
 *
 * How old answers get. What passes this gate and defines something makes it forget everything once that is
 * committed (catalog_link_forget). Others define things, too: so after CATALOG_FRESH_MS what is known is
 * asked for again, behind the sessions' backs; only an answer that differs moves the catalog's generation.
 * When nobody has used the catalog in the meantime, it is forgotten and the connection closed instead. So a
 * decision rests on nothing older than twice that.
 *
 * Fails closed: whatever goes wrong closes the connection, and those who wait are told why. For
 * CATALOG_RETRY_MS nothing is tried anew, and whoever comes is told the same at once. */
#include "channels/pg/catalog_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "channels/pg/catalog_query.h"
#include "channels/pg/wire.h"

enum link_state { CLOSED, LOGIN, READY, ASKING };

struct catalog_link {
    struct loop *loop;
    const struct catalog_calls *calls;
    void *owner;
    struct catalog *catalog;
    enum link_state state;
    int fd;
    struct source *source;
    struct timer *limit, *fresh, *soon;
    struct buffer in, out;
    size_t scanned;                              /* whole messages at the head of `in` */
    unsigned prepared;                           /* queries that the server knows */
    bool begun;                                  /* its search_path is set */
    bool outdated;                               /* forgotten since the question went out */
    struct catalog_want keys[CATALOG_WANTS_MAX]; /* copies */
    size_t n_keys;
    struct catalog_wait *waiting;
    const char *fault; /* for CATALOG_RETRY_MS after a failure; else NULL */
};

struct catalog *catalog_link_catalog(struct catalog_link *link)
{
    return link->catalog;
}

/* ---- who waits ---- */

void catalog_wait_end(struct catalog_wait *wait)
{
    if (!wait->link)
        return;
    for (struct catalog_wait **slot = &wait->link->waiting; *slot; slot = &(*slot)->next)
        if (*slot == wait) {
            *slot = wait->next;
            break;
        }
    *wait = (struct catalog_wait){ .next = NULL };
}

/* The list may change in any way in there: each that waits now is told once, those who come are not. */
static void tell(struct catalog_link *link, const char *fault)
{
    size_t n = 0;
    for (struct catalog_wait *wait = link->waiting; wait; wait = wait->next)
        n++;
    while (n-- > 0 && link->waiting) {
        struct catalog_wait *wait = link->waiting;
        void (*done)(void *, const char *) = wait->done;
        void *owner = wait->owner;
        catalog_wait_end(wait);
        done(owner, fault);
    }
}

/* ---- the connection ---- */

static void forget_keys(struct catalog_link *link)
{
    while (link->n_keys > 0)
        free((char *)(uintptr_t)link->keys[--link->n_keys].key);
}

static void close_connection(struct catalog_link *link)
{
    source_free(STEAL(link->source));
    fd_close(STEAL_FD(link->fd));
    timer_stop(link->limit);
    buffer_free(&link->in);
    buffer_free(&link->out);
    forget_keys(link);
    link->scanned = 0;
    link->prepared = 0;
    link->begun = link->outdated = false;
    link->state = CLOSED;
}

static void fail(struct catalog_link *link, const char *fault)
{
    close_connection(link);
    catalog_untake(link->catalog);
    link->fault = fault;
    timer_set(link->fresh, CATALOG_RETRY_MS);
    tell(link, fault);
}

static void set_interest(struct catalog_link *link)
{
    source_interest(link->source, LOOP_READ | (buffer_size(&link->out) > 0 ? LOOP_WRITE : 0U));
}

/* ---- asking ---- */

static int copy_keys(struct catalog_link *link)
{
    struct catalog_want wants[CATALOG_WANTS_MAX];
    size_t n = catalog_take_wants(link->catalog, wants, CATALOG_WANTS_MAX);
    for (size_t i = 0; i < n; i++) {
        char *key = strdup(wants[i].key);
        if (!key)
            return -ENOMEM;
        link->keys[link->n_keys++] = (struct catalog_want){ wants[i].kind, key };
    }
    return 0;
}

static void ask(struct catalog_link *link)
{
    int r = link->begun ? 0 : catalog_query_begin(&link->out);
    r = r ? r : copy_keys(link);
    r = r ? r : catalog_query_put(&link->out, link->keys, link->n_keys, &link->prepared);
    link->state = ASKING;
    link->outdated = false;
    r = r ? r : buffer_write(&link->out, link->fd);
    if (r && r != -EAGAIN) {
        fail(link, "the connection to the target's catalog is broken");
        return;
    }
    timer_set(link->limit, CATALOG_WAIT_MS);
    set_interest(link);
}

static void log_in(struct catalog_link *link)
{
    static char names[][32] = { "application_name", "default_transaction_read_only", "statement_timeout",
                                "lock_timeout" };
    static char values[][32] = { "gatehouse catalog", "on", "4500", "1000" };
    enum { SETTINGS = sizeof(names) / sizeof(names[0]) };
    Ipc__Variable settings[SETTINGS], *list[SETTINGS];
    for (size_t i = 0; i < SETTINGS; i++) {
        ipc__variable__init(&settings[i]);
        settings[i].name = names[i];
        settings[i].value = values[i];
        list[i] = &settings[i];
    }
    link->state = LOGIN;
    timer_set(link->limit, CATALOG_WAIT_MS);
    if (link->calls->ask_login(link->owner, list, SETTINGS) != 0)
        fail(link, "nobody can log in to the target to read its catalog");
}

/* Something may be wanted, or somebody may wait for nothing any more. Last thing that a caller does. */
static void ask_or_finish(struct catalog_link *link)
{
    bool wanted = catalog_has_wants(link->catalog);
    if (link->fault) {
        tell(link, link->fault);
        return;
    }
    if (link->state == CLOSED && wanted)
        log_in(link);
    else if (link->state == READY && wanted)
        ask(link);
    else if (!wanted && link->state != ASKING && link->state != LOGIN)
        tell(link, NULL);
}

/* ---- answers ---- */

/* Counts whole messages; true at the ReadyForQuery of the question. */
static bool is_complete(struct catalog_link *link, bool *ret_broken)
{
    for (;;) {
        struct pg_header header;
        size_t left = buffer_size(&link->in) - link->scanned;
        const uint8_t *at = buffer_head(&link->in) + link->scanned;
        int r = left > 0 ? pg_header_read(at, left, &header) : PG_SHORT;
        *ret_broken = r != 0 && r != PG_SHORT;
        if (r || left < PG_HEADER + (size_t)header.body)
            return false;
        link->scanned += PG_HEADER + (size_t)header.body;
        *ret_broken = header.type == 'E' && !link->begun;
        if (*ret_broken)
            return false;
        if (header.type != 'Z')
            continue;
        if (link->begun)
            return true;
        link->begun = true; /* the answer to what had to be said once */
        buffer_consume(&link->in, link->scanned);
        link->scanned = 0;
    }
}

static void take_answer(struct catalog_link *link)
{
    timer_stop(link->limit);
    int r = link->outdated ? 0
                           : catalog_query_take(link->catalog, link->keys, link->n_keys,
                                                buffer_head(&link->in), link->scanned);
    buffer_consume(&link->in, link->scanned);
    buffer_shrink(&link->in, 0);
    link->scanned = 0;
    forget_keys(link);
    if (r) {
        fail(link, r == -EPROTO ? "the target refuses to tell its catalog"
                                : "out of memory for the target's catalog");
        return;
    }
    catalog_untake(link->catalog); /* what was left out, or is outdated */
    link->state = READY;
    timer_set(link->fresh, CATALOG_FRESH_MS);
    ask_or_finish(link);
}

static void link_ready(void *owner, uint32_t ready)
{
    struct catalog_link *link = owner;
    size_t got = 0;
    bool broken = false;
    int r = ready & LOOP_WRITE ? buffer_write(&link->out, link->fd) : 0;
    if (r == 0 || r == -EAGAIN)
        r = buffer_read(&link->in, link->fd, 256 * 1024, &got);
    if (r == -EAGAIN) {
        set_interest(link);
        return;
    }
    if (r || got == 0 || link->state != ASKING) {
        /* In READY the server has nothing to say but that it closes, or notices: both are a reason to begin
         * anew. */
        bool asked = link->state == ASKING;
        if (asked)
            fail(link, "the target closed the connection to its catalog");
        else
            close_connection(link);
        return;
    }
    bool complete = is_complete(link, &broken);
    if (broken)
        fail(link, "the target does not speak the PostgreSQL protocol on the connection to its catalog");
    else if (complete)
        take_answer(link);
    else
        set_interest(link);
}

/* ---- time ---- */

static void limit_reached(void *owner)
{
    fail(owner, "the target's catalog did not answer in time");
}

static void grow_old(void *owner)
{
    struct catalog_link *link = owner;
    link->fault = NULL;
    if (link->state == ASKING || link->state == LOGIN)
        return;
    if (!catalog_was_used(link->catalog)) {
        catalog_forget(link->catalog);
        close_connection(link);
        return;
    }
    (void)catalog_refresh(link->catalog);
    ask_or_finish(link);
}

static void begin_soon(void *owner)
{
    ask_or_finish(owner);
}

/* ---- from outside ---- */

void catalog_link_wait(struct catalog_link *link, struct catalog_wait *wait,
                       void (*done)(void *owner, const char *fault), void *owner)
{
    if (wait->link)
        return;
    struct catalog_wait **slot = &link->waiting;
    while (*slot)
        slot = &(*slot)->next;
    *slot = wait;
    *wait = (struct catalog_wait){ .link = link, .done = done, .owner = owner };
    timer_set(link->soon, 0); /* whatever comes of it, not from inside this call */
}

void catalog_link_forget(struct catalog_link *link)
{
    catalog_forget(link->catalog);
    link->outdated = true;
}

void catalog_link_connected(struct catalog_link *link, int fd, const void *leftover, size_t n)
{
    (void)leftover;
    if (link->state != LOGIN || n > 0) {
        fd_close(fd);
        if (link->state == LOGIN)
            fail(link, "the target said too much at the login for its catalog");
        return;
    }
    link->fd = fd;
    buffer_init(&link->in, CATALOG_REPLY_MAX);
    buffer_init(&link->out, CATALOG_REPLY_MAX);
    if (fd_nonblock(fd, true) || source_new(link->loop, fd, LOOP_READ, link_ready, link, &link->source)) {
        fail(link, "out of memory or descriptors for the target's catalog");
        return;
    }
    link->state = READY;
    ask_or_finish(link);
}

void catalog_link_refused(struct catalog_link *link)
{
    if (link->state == LOGIN)
        fail(link, "the target refuses a second login to read its catalog");
}

/* ---- birth and death ---- */

int catalog_link_new(struct loop *loop, const struct catalog_calls *calls, void *owner,
                     struct catalog_link **ret)
{
    CLEANUP(catalog_link_free) struct catalog_link *link = calloc(1, sizeof *link);
    if (!link)
        return -ENOMEM;
    *link = (struct catalog_link){ .loop = loop, .calls = calls, .owner = owner, .fd = -1 };
    int r = catalog_new(&link->catalog);
    r = r ? r : timer_new(loop, limit_reached, link, &link->limit);
    r = r ? r : timer_new(loop, grow_old, link, &link->fresh);
    r = r ? r : timer_new(loop, begin_soon, link, &link->soon);
    if (r)
        return r;
    *ret = STEAL(link);
    return 0;
}

void catalog_link_free(struct catalog_link *link)
{
    if (!link)
        return;
    source_free(STEAL(link->source));
    fd_close(STEAL_FD(link->fd));
    timer_free(link->limit);
    timer_free(link->fresh);
    timer_free(link->soon);
    buffer_free(&link->in);
    buffer_free(&link->out);
    forget_keys(link);
    catalog_free(link->catalog);
    free(link);
}
