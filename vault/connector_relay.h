/* Bytes between a plain socket and a TLS connection, where no fd can be handed over. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <openssl/ssl.h>
#include "base/error.h"

enum {
    RELAY_BUFFER = 64 * 1024,   /* bytes in flight, each way: all that it ever holds */
    RELAY_CLOSE_MS = 30 * 1000, /* for the other side to end too, once one side has */
};

/* What goes to the target may be changed on its way. */
struct relay_filter {
    void *owner;
    /* Takes some of in, puts what is sent instead at out. 0; anything else ends the relay. */
    int (*give)(void *owner, const uint8_t *in, size_t n, size_t *ret_taken, uint8_t *out, size_t room,
                size_t *ret_put);
    void (*hear)(void *owner, const uint8_t *bytes, size_t n); /* what the target said */
    bool tells_end; /* by close_notify: the target's protocol has no end of its own */
};

/* Runs until both sides have ended, or one is lost; every byte that came before the end of one side reaches
 * the other. fds are made non-blocking. filter: NULL when bytes go as they come. 0, what the filter ended it
 * with, or negative. detail: set when the target's side broke off instead of ending. */
MUST_USE int relay_run(SSL *tls, int tls_fd, int plain_fd, const struct relay_filter *filter,
                       struct detail *detail);
