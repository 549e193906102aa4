/* What the issuer asks the courier for: one document each, with a limit; nothing here touches a network. */
#pragma once
#include "base/ipc.h"

enum {
    FETCH_WAITING_MAX = 1024, /* at a time */
    FETCH_GRACE_MS = 2000,    /* beyond a document's own limit: then the courier is taken for lost */
};

struct fetcher; /* the link to the courier, or its absence */
struct fetch;   /* one document that is waited for */

/* What to get. Everything is borrowed, and may go once fetch_new() has returned. */
struct fetch_what {
    const char *issuer; /* its name in the configuration, by which the courier judges the URL */
    const char *url;
    const Ipc__Variable *form; /* POST these, or NULL for GET */
    size_t n_form;
    uint32_t timeout_ms;
};

/* Borrowed until the handler returns. */
struct fetch_answer {
    uint32_t status; /* of HTTP; 0: nothing came, and error says why */
    const char *error;
    uint64_t max_age_s; /* 0: not said */
    const char *body;   /* NUL behind n bytes */
    size_t n;
};

/* Called once, from the loop; the fetch is gone by then. */
typedef void fetch_handler(void *owner, const struct fetch_answer *answer);
typedef void fetcher_linked_handler(void *owner);

MUST_USE int fetcher_new(struct loop *loop, struct fetcher **ret);
void fetcher_free(struct fetcher *fetcher); /* after its fetches: nobody is told any more */
DEFINE_CLEANUP(struct fetcher *, fetcher_free)
/* A Link message to the courier came: fd is taken over, also on failure. What was asked of the courier before
 * has failed; what was not sent yet goes out now. */
MUST_USE int fetcher_link(struct fetcher *fetcher, int fd);
/* Called at each link, once it stands. */
void fetcher_on_link(struct fetcher *fetcher, fetcher_linked_handler *handler, void *owner);

/* -ENOBUFS beyond FETCH_WAITING_MAX. */
MUST_USE int fetch_new(struct fetcher *fetcher, const struct fetch_what *what, fetch_handler *handler,
                       void *owner, struct fetch **ret);
void fetch_free(struct fetch *fetch); /* the answer is not wanted any more */
