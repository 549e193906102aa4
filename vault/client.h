/* One gate, as the vault sees it: presents a certificate, then asks for logins in its name. */
#pragma once
#include "vault/vault.h"

struct client {
    struct vault *vault;
    struct client *next, **slot; /* in vault->clients */
    struct ipc_peer *peer;
    uint64_t connection;
    char *source_address;
    uint32_t source_port;
    struct certificate *certificate; /* presented and admitted */
    uint64_t admitted_s;             /* when; unix seconds */
    char *name;                      /* its key id; for the log */
    struct errand *errands;
    size_t n_errands;
};

/* A gate was born. fd is taken, also on failure. */
MUST_USE int client_new(struct vault *vault, const Ipc__Peer *peer, int fd, struct client **ret);
/* Ends its unfinished errands too. */
void client_free(struct client *client);
