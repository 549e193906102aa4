/* One client connection to a Kubernetes target: HTTP/1.1 requests in, each asked about, then sent on to the
 * API server, its answer back. No I/O.
 *
 * One request at a time: bytes of the next one wait outside. Nothing of a head is ever passed on as it came.
 */
#pragma once
#include "channels/kube/http.h"
#include "channels/kube/status.h"
#include "channels/kube/upgrade.h"
#include "policy/kube_body.h"
#include "policy/kube_request.h"

enum {
    EXCHANGE_BODY_MAX = KUBE_BODY_MAX,   /* bytes of a body that is read whole before it is asked about */
    EXCHANGE_SKIP_MAX = 4 * 1024 * 1024, /* of a refused body that are dropped; then the connection closes */
    EXCHANGE_HIGH = 256 * 1024, /* bytes that wait for one side, beyond which the other one is not read */
    EXCHANGE_PIECE = 64 * 1024, /* bytes that are given at a time, at most */
    EXCHANGE_CLIENT_MAX =
        4 * 1024 * 1024, /* of the buffer towards the client: HIGH, and a piece as a veil may make it */
    EXCHANGE_SERVER_MAX =
        EXCHANGE_BODY_MAX + 512 * 1024, /* of the buffer towards the server: a whole request */
};

enum exchange_state {
    EXCHANGE_READING,   /* a request is wanted, or half there */
    EXCHANGE_ASKING,    /* one is there: exchange_send() or exchange_refuse() is next */
    EXCHANGE_ANSWERING, /* the server has it, and its answer is wanted */
    EXCHANGE_SKIPPING,  /* it was refused: the rest of its body is dropped */
    EXCHANGE_SWITCHED,  /* both sides speak another protocol from here on (channels/kube/upgrade.h), and both
                           buffers are the owner's to fill */
    EXCHANGE_OVER,      /* nothing more is read; what is for the client goes out still */
};

struct exchange;

/* What is asked about; borrowed until it is answered. */
struct exchange_question {
    const struct http_head *head;       /* as it came; NULL: what came is no HTTP */
    const struct kube_request *request; /* NULL: it can't be judged */
    const char *fault, *code;           /* why, and contract.md §3; then only exchange_refuse() is next */
    unsigned http;                      /* the status for it; 0: by code */
    const uint8_t *body;
    size_t body_n;
    bool streams;  /* the body follows while it is answered, and nobody knows what is in it */
    bool upgrades; /* it asks for another protocol */
};

/* How an answer goes on; zeroed: as it is. */
struct exchange_way {
    bool rewritten;                   /* its body may get another length */
    const struct kube_status *status; /* in its place; borrowed for the call */
};

/* Each: negative is the end of all. owner is what exchange_new() was given. */
enum { EXCHANGE_CUT = 1 };
struct exchange_calls {
    /* The head of the server's answer. */
    int (*answered)(void *owner, const struct http_head *head, struct exchange_way *way);
    /* Some of its body: appends what the client gets to see. EXCHANGE_CUT: that is all, and the answer is cut
     * off. */
    int (*body)(void *owner, const uint8_t *bytes, size_t n, struct buffer *out);
    /* No more of it follows. cut: there should have been more. EXCHANGE_CUT: it is not whole for the client
     * either. */
    int (*ended)(void *owner, bool cut, struct buffer *out);
    /* Some of the body of a request that streams, before it goes to the server. NULL: nobody wants it. */
    int (*sending)(void *owner, const uint8_t *bytes, size_t n);
};

MUST_USE int exchange_new(const struct exchange_calls *calls, void *owner, struct exchange **ret);
void exchange_free(struct exchange *exchange);
DEFINE_CLEANUP(struct exchange *, exchange_free)

enum exchange_state exchange_state(const struct exchange *exchange);
struct exchange_question exchange_question(const struct exchange *exchange);
/* Frames (frame.h) for the connector; bytes for the client. The caller consumes. */
struct buffer *exchange_to_server(struct exchange *exchange);
struct buffer *exchange_to_client(struct exchange *exchange);

/* ---- the client's side ---- */

/* Takes some of the client's bytes, at most EXCHANGE_PIECE of them; none while they have to wait. */
MUST_USE int exchange_take(struct exchange *exchange, const void *bytes, size_t n, size_t *ret_taken);
/* It sends no more. In the middle of a request that is the end. */
void exchange_client_ended(struct exchange *exchange);

/* ---- what becomes of a request ---- */

struct exchange_how {
    const char *host;    /* of the target, for Host */
    bool json;           /* the answer has to be JSON, */
    bool tables;         /* which may be a Table then */
    const char *warning; /* shown by kubectl with the answer; or NULL; copied */
};
/* Frames of it go into the buffer towards the server. Once more, after exchange_server_ended() said so. */
MUST_USE int exchange_send(struct exchange *exchange, const struct exchange_how *how);
/* A Status is the answer; the connection goes on where it can. Also while the server has it, and has not
 * answered. */
MUST_USE int exchange_refuse(struct exchange *exchange, const struct kube_status *status);
/* The end of all: where nothing of an answer was told yet, status is it. status: or NULL. */
MUST_USE int exchange_stop(struct exchange *exchange, const struct kube_status *status);

/* ---- the server's side ---- */

/* Takes some of the server's bytes, at most EXCHANGE_PIECE of them; none while the client has to take some
 * first. EXCHANGE_BAD_ANSWER: it is no HTTP, and the connection is of no use. */
enum { EXCHANGE_BAD_ANSWER = 1, EXCHANGE_UNANSWERED };
MUST_USE int exchange_answer(struct exchange *exchange, const void *bytes, size_t n, size_t *ret_taken);
/* It sends no more. EXCHANGE_UNANSWERED: it has not begun to answer; exchange_send() or exchange_refuse() is
 * next. */
MUST_USE int exchange_server_ended(struct exchange *exchange);
/* What was agreed on, when it has switched. */
const struct kube_agreement *exchange_agreement(const struct exchange *exchange);
/* Whether the connection to the server may take another request. */
bool exchange_keeps_server(const struct exchange *exchange);
/* Whether sending the request again does no harm. */
bool exchange_may_repeat(const struct exchange *exchange);
