/* The vault process's own state, shared by its files. */
#pragma once
#include "base/ipc.h"
#include "base/loop.h"
#include "base/secret.h"
#include "policy/rules.h"
#include "vault/store.h"

enum {
    VAULT_CLIENTS_MAX = 16384,        /* gates; the listener has a lower limit of its own */
    VAULT_ERRANDS_MAX = 256,          /* logins under way, of all gates */
    VAULT_CLIENT_ERRANDS_MAX = 64,    /* and of one: a client of a cluster opens many connections at once */
    VAULT_ERRAND_MS = 15 * 1000,      /* for one login */
    VAULT_ERRAND_GRACE_MS = 5 * 1000, /* for the connector to say why it failed */
    VAULT_SIGNING_MS = 30 * 1000,     /* more, for the one signature with the key of a host */
};

struct client;
struct errand;
struct bounded;

struct vault {
    struct loop *loop;
    struct ipc_peer *control, *zygote; /* the listener; the connectors' zygote */
    struct ipc_peer *ledger;           /* which is told what was signed; NULL: not linked */
    Ipc__Config *config;
    struct rulebook *rulebook;
    Ipc__RevocationList *revocations; /* the newest; NULL: none came yet */
    struct store *store;              /* NULL when STATE/vault could not be opened: sealed */
    struct secret *ticket_key;
    struct client *clients;
    size_t n_clients, n_errands;
    struct bounded *bounded;
    bool was_sealed; /* so that a change is logged once */
};

/* The target of that name; NULL when there is none. */
const Ipc__Target *vault_target(const struct vault *vault, const char *name);
/* Of which type the entry is by which an API server knows us: a client certificate, or else it has to be a
 * token. */
enum sealed_type vault_kube_type(struct vault *vault, const char *entry);
/* Decrypts an entry. 0, or a store_fault, and logs when the vault is sealed or opened. */
MUST_USE int vault_secret(struct vault *vault, const char *entry, enum sealed_type type, struct secret **ret,
                          struct detail *detail);
