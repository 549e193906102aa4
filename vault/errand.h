/* One connector at work for one gate. */
#pragma once
#include "vault/client.h"

struct host_login;
struct kube_grant;

/* Starts a login: the gate's end of the connector is *ret_gate. read_only: the session begins read-only.
 * -EBUSY when there are too many. */
MUST_USE int errand_login(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                          bool read_only, const struct secret *password, int *ret_gate);
/* The same to a host: key: its private key; one of a CA is not given away, and by password there is none.
 * *host is taken. */
MUST_USE int errand_host(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                         struct host_login **host, const struct secret *key, int *ret_gate);
/* The same to an API server; secret is of the grant's type. With a token_request it is not what the connector
 * gets: that waits for a bounded token (vault/bounded.h). *grant is taken. */
MUST_USE int errand_kube(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                         struct kube_grant **grant, const struct secret *secret, int *ret_gate);
/* Ends the waiting: with a token, or without, when the gate is refused. The errand may be gone after that. */
void errand_go_on(struct errand *errand, const struct secret *token, uint64_t usable_ms);
void errand_give_up(struct errand *errand, const char *detail);
/* Starts a CancelRequest; when it asks for that, the gate is told of its end. */
MUST_USE int errand_cancel(struct client *client, const Ipc__Target *target, const Ipc__AskCancel *asked);
void errand_answer_cancel(struct client *client, uint32_t request, bool ok);
/* The connector notices that we are gone, and ends unless it has finished already. */
void errand_free(struct errand *errand);
