/* The inside of an exchange, shared by exchange.c (requests), exchange_refuse.c and exchange_answer.c. */
#pragma once
#include "channels/kube/exchange.h"

struct exchange {
    const struct exchange_calls *calls;
    void *owner;
    enum exchange_state state;
    struct http_reader *requests, *answers;
    struct buffer to_server, to_client;

    /* the request; all of it is forgotten when the next one begins */
    const struct http_head *head; /* the reader's */
    struct kube_request *request;
    struct buffer body;
    struct detail fault;
    const char *code;
    unsigned http;
    char *warning;
    uint64_t skipped;
    bool streams, upgrades, heads; /* heads: the method is HEAD */
    bool whole;                    /* all of it was read */
    bool keeps_alive;              /* the client's connection, afterwards */
    struct kube_offer offer;       /* where it upgrades */

    /* the answer */
    bool sent, begun; /* begun: its first byte is here */
    bool interim;     /* what is read is a 1xx, which is dropped */
    bool told;        /* the client has its head */
    enum http_framing framing;
    bool server_keeps;   /* the answer was whole, and its connection may take another request */
    struct buffer shown; /* what of a piece is shown */
    struct kube_agreement agreement;
};

/* The one place where the state changes. */
void exchange_go(struct exchange *x, enum exchange_state to);
/* The next one may begin. */
void exchange_forget_request(struct exchange *x);
/* The answer is with the client: what follows on its connection. */
void exchange_answered(struct exchange *x);
