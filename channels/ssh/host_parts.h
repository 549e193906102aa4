/* The inside of a host, shared by host.c (who is on it, how it ends) and host_login.c (how it is logged in
 * to).
 */
#pragma once
#include "channels/refusal.h"
#include "channels/ssh/host.h"

enum { HOST_LOGIN_LIMIT_MS = 30 * 1000 };

struct host_proof;

/* What a connector has brought. */
struct host_arrival {
    int fd, agent; /* -1: none */
    char *login;
    uint8_t *certificate; /* for the gate's own key, wire form */
    size_t certificate_n;
};

enum host_state { HOST_IDLE, HOST_ASKS, HOST_LOGS_IN, HOST_READY };

struct ssh_host {
    struct ssh_host *next;
    struct gate *gate;
    const Ipc__Target *target;
    char *login;   /* "": the target's own */
    char *command; /* nothing else can be run on it; or "" */
    enum host_state state;
    uint32_t request;            /* to the vault, while it is asked; else 0 */
    struct ipc_peer *connector;  /* until it has answered; with password_to_gate, all that it is asked */
    struct host_arrival arrival; /* until the host has shown its certificate, where it needs one */
    struct host_proof *proof;
    Ipc__Target proven; /* the target with the host keys that hold for this login: its own, and */
    ProtobufCBinaryData *proven_keys; /* those, */
    uint8_t *proven_key;              /* the one of its certificate */
    struct upstream_key *key;
    struct upstream *upstream;
    struct timer *limit; /* of the login; then, without tasks, of idleness */
    struct ssh_task *tasks;
    struct ssh_flow *flows;
};

/* The login that is meant. */
const char *ssh_host_login(const struct ssh_host *host);
/* host.c: everybody on it is told, and it is idle. */
void ssh_host_fail(struct ssh_host *host, const struct refusal *why);
/* The same, logged and in the audit chain. detail is for those, or NULL. */
void ssh_host_refuse_login(struct ssh_host *host, const struct refusal *why, const char *detail);
/* It is logged in to: sessions begin. */
void ssh_host_ready(struct ssh_host *host);

/* host_login.c: asks the vault; somebody is there. */
MUST_USE int ssh_host_begin(struct ssh_host *host);
/* Gives up what a login has brought so far. */
void ssh_host_drop_login(struct ssh_host *host);
