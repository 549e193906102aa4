/* Connections of enroll@: a key is proven, but nobody knows whose it is until a token has been verified.
 *
 * They count as unauthenticated, in a class of their own: a person who types a device code needs minutes, and
 * must not be pushed out by logins that come and go in milliseconds, nor push those out. */
#include "server/listener.h"

#include "base/log.h"
#include "base/text.h"

bool enrol_may_start(struct connection *c, const char **ret_why)
{
    struct listener *l = c->listener;
    if (c->outer)
        *ret_why = "enroll at the bastion itself, not through it";
    else if (!l->current[PROCESS_ISSUER])
        *ret_why = "the issuer is not available at the moment; try again";
    else if (c->phase == CONNECTION_ENROLLING)
        return true; /* with another of its keys */
    else if (l->enrolling >= LIMIT_ENROLLING)
        *ret_why = "too many are enrolling at the moment; try again in a minute";
    else if (!c->exempt && limits_counted(l->limits, &c->key, LIMITS_ENROLLING) >= LIMIT_ENROLLING_OF_SOURCE)
        *ret_why = "too many are enrolling from your address at the moment; try again in a minute";
    else
        return true;
    return false;
}

static void took_too_long(void *owner)
{
    struct connection *c = owner;
    log_event(LOG_WARNING, "enrolment_cut_off", "connection", U64(c->id), "address", c->address, NULL);
    connection_free(c);
}

/* The limit stays when it is admitted: with the certificate in hand there is nothing more to do here. */
int enrol_begin(struct connection *c)
{
    if (c->phase == CONNECTION_ENROLLING)
        return 0;
    int r = timer_new(c->listener->loop, took_too_long, c, &c->enrol_limit);
    if (r)
        return r;
    timer_set(c->enrol_limit, LIMIT_ENROL_MS);
    connection_enter(c, CONNECTION_ENROLLING);
    return 0;
}
