/* The first packet of a PostgreSQL connection: what the client wants, and what it may bring along. No I/O. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/ipc.h"
#include "channels/pg/wire.h"

enum {
    STARTUP_PACKET_MAX = 10000, /* bytes; the server's own limit (MAX_STARTUP_PACKET_LENGTH) */
    STARTUP_OPTIONS_MAX = 64,   /* settings of one packet */
};

enum startup_kind {
    STARTUP_ENCRYPTION, /* SSLRequest or GSSENCRequest: answered N, another packet follows */
    STARTUP_CANCEL,
    STARTUP_SESSION,
};

struct startup {
    enum startup_kind kind;
    size_t size; /* bytes of the packet */

    uint32_t cancel_pid;
    uint8_t cancel_key[PG_KEY_MAX];
    size_t cancel_key_n;

    /* Settings for the login, each name once; standard_conforming_strings=on is always among them. */
    Ipc__Variable items[STARTUP_OPTIONS_MAX];
    Ipc__Variable *options[STARTUP_OPTIONS_MAX];
    size_t n_options;
    bool negotiate; /* the client asked for a newer minor version, or for extensions */
    const char *unknown[STARTUP_OPTIONS_MAX]; /* the extensions it asked for (_pq_.…) */
    size_t n_unknown;
    char *packet, *unescaped; /* what the strings point into */
};

enum startup_fault {
    STARTUP_SHORT = 1, /* more bytes are needed */
    STARTUP_FOREIGN,   /* not PostgreSQL: close without an answer; detail says what it looks like, for the log
                        */
    STARTUP_REFUSED,   /* PostgreSQL, but not like this; detail is for the client */
};

/* Decodes the packet at the head of n bytes. 0, a startup_fault, or -ENOMEM. */
MUST_USE int startup_read(const uint8_t *bytes, size_t n, struct startup *ret, struct detail *detail);
void startup_free(struct startup *startup); /* zeroed ones too */
