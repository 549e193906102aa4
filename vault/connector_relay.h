/* Bytes between a plain socket and a TLS connection, where no fd can be handed over. */
#pragma once
#include <openssl/ssl.h>
#include "base/error.h"

enum {
    RELAY_BUFFER = 64 * 1024,   /* bytes in flight, each way: all that it ever holds */
    RELAY_CLOSE_MS = 30 * 1000, /* for the other side to end too, once one side has */
};

/* Runs until both sides have ended, or one is lost; every byte that came before the end of one side reaches
 * the other. fds are made non-blocking. 0, or negative. */
MUST_USE int relay_run(SSL *tls, int tls_fd, int plain_fd);
