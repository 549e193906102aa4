/* What the sources of connections may do before they have authenticated, and how long a source that
 * misbehaved stays out. Knows no descriptors and no clock: `now` is monotonic milliseconds, given by the
 * caller. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    LIMIT_WAITING = 4096,        /* accepted connections without a process */
    LIMIT_FRONTS = 256,          /* unauthenticated connections with a process, silent ones not counted */
    LIMIT_FRONTS_OF_SOURCE = 64, /* of these, from one source */
    LIMIT_SILENT_FRONTS = 64,    /* processes for clients that have sent nothing (some wait for our banner) */
    LIMIT_SILENT_MS = 500,       /* of silence, before one of those is given */
    LIMIT_STALE_MS = 2000,       /* of an unfinished login, before it makes room for another of its source */
    LIMIT_SOURCES = 65536,       /* remembered */
    LIMIT_ENROLLING = 64,        /* connections of enroll@ that have no certificate yet */
    LIMIT_ENROLLING_OF_SOURCE = 8,   /* of these, from one source that is not exempt */
    LIMIT_ENROL_MS = 16 * 60 * 1000, /* for one; its gate ends it a minute sooner, with a message */
    LIMIT_LOGIN_GRACE_MS = 30000,
    LIMIT_AUTH_TRIES = 6,
    LIMIT_CHANNELS = 256, /* of one connection */
    LIMIT_JUMPS = 64,     /* connections inside of one connection, at a time */
    LIMIT_KEEPALIVE_MS = 30000,

    /* Penalties in milliseconds, of the kind of sshd_config(5) PerSourcePenalties. They add up to the
     * maximum, and keep a source out from the moment when the least is reached until they are over. */
    PENALTY_CRASH_MS = 90000,
    PENALTY_LOGIN_FAILED_MS = 5000,
    PENALTY_NO_LOGIN_MS = 1000,
    PENALTY_LEAST_MS = 15000,
    PENALTY_MOST_MS = 600000
};

/* An IPv4 address or an IPv6 /64: what one party can be thought to own. */
struct limits_key {
    uint8_t family; /* AF_INET or AF_INET6 */
    uint8_t bytes[8];
};

struct limits_key limits_key_of(const struct sockaddr_storage *address);
/* 127.0.0.1 and ::1 are counted but never penalised: whoever is there can do worse. The rest of 127.0.0.0/8
 * is treated like any network. */
bool limits_is_exempt(const struct sockaddr_storage *address);

struct limits;

MUST_USE int limits_new(struct limits **ret);
void limits_free(struct limits *limits);
DEFINE_CLEANUP(struct limits *, limits_free)

/* True while the source is kept out. */
bool limits_is_out(struct limits *limits, const struct limits_key *key, uint64_t now);
void limits_penalise(struct limits *limits, const struct limits_key *key, uint64_t ms, uint64_t now);

/* Counts of one source; the caller gives every +1 back with -1. When LIMIT_SOURCES are remembered already, a
 * new source is not counted (and does not suffer). */
enum limits_count { LIMITS_WAITING, LIMITS_FRONTS, LIMITS_ENROLLING, LIMITS_COUNTS };
void limits_count(struct limits *limits, const struct limits_key *key, enum limits_count which, int change);
unsigned limits_counted(const struct limits *limits, const struct limits_key *key, enum limits_count which);
/* The source with most of them; false when there is none. */
bool limits_greatest(const struct limits *limits, enum limits_count which, struct limits_key *ret);
