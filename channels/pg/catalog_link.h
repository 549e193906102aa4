/* The side connection of a target: fetches what a catalog wants, with the same login as the sessions have. */
#pragma once
#include "base/ipc.h"
#include "base/loop.h"
#include "policy/catalog.h"

enum {
    CATALOG_WAIT_MS = 5 * 1000,           /* for an answer, the login included; then what waits is refused */
    CATALOG_RETRY_MS = 2 * 1000,          /* after a failure, before the next attempt */
    CATALOG_FRESH_MS = 10 * 1000,         /* how old an answer may get: others change the catalog, too */
    CATALOG_REPLY_MAX = 32 * 1024 * 1024, /* bytes of one answer */
};

struct catalog_link;

struct catalog_calls {
    /* Asks the vault for a login with these settings; catalog_link_connected or catalog_link_refused follows,
     * not from inside this call. Non-zero: nobody can be asked. */
    int (*ask_login)(void *owner, Ipc__Variable *const *options, size_t n);
};

MUST_USE int catalog_link_new(struct loop *loop, const struct catalog_calls *calls, void *owner,
                              struct catalog_link **ret);
void catalog_link_free(struct catalog_link *link); /* nobody may wait any more */
DEFINE_CLEANUP(struct catalog_link *, catalog_link_free)
struct catalog *catalog_link_catalog(struct catalog_link *link);

/* Embedded by who waits; zeroed when nobody does. */
struct catalog_wait {
    struct catalog_wait *next;
    struct catalog_link *link;
    void (*done)(void *owner, const char *fault);
    void *owner;
};
/* Fetches everything that the catalog wants; done is called once, never from inside this call, with NULL or
 * (static) why not. The wait may be ended before. */
void catalog_link_wait(struct catalog_link *link, struct catalog_wait *wait,
                       void (*done)(void *owner, const char *fault), void *owner);
void catalog_wait_end(struct catalog_wait *wait);
/* Something was defined by way of this gate: nothing of what is known or on its way is good any more. */
void catalog_link_forget(struct catalog_link *link);

/* fd is the link's from here on; leftover: what came behind the login. */
void catalog_link_connected(struct catalog_link *link, int fd, const void *leftover, size_t n);
void catalog_link_refused(struct catalog_link *link);
