/* enroll@: somebody whose key is proven, and who wants it certified. The gate of such a connection speaks
 * with the front, the listener and the issuer, and with nobody else: there is nothing here that could be
 * reached. */
#pragma once
#include "channels/gate.h"

enum {
    ENROL_LOGIN_MS = 5 * 1000,       /* for the front to say which key it was */
    ENROL_INPUT_MS = 2 * 60 * 1000,  /* for a channel to be opened, and for the token to come */
    ENROL_ISSUER_MS = 40 * 1000,     /* for the issuer to judge a token: it may have to fetch keys */
    ENROL_LIMIT_MS = 15 * 60 * 1000, /* for everything: device codes live minutes */
    ENROL_LINGER_MS = 2 * 1000,      /* for the client to leave once it is served */
    ENROL_SPACE_MAX = 4 * 1024,      /* bytes of white space around a token that are put up with */
    ENROL_COMMAND_MAX = 128,         /* bytes of a command: an issuer's name */
};

/* issuer_fd is taken over, also on failure. */
MUST_USE int enrol_begin(struct gate *gate, int issuer_fd);
/* Handlers: front Login, Open, Signal. */
int enrol_login(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int enrol_open(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int enrol_signal(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
