/* The inside of a session, shared by session.c (running and ending) and opening.c (up to the greeting). */
#pragma once
#include "base/duplex.h"
#include "channels/pg/back.h"
#include "channels/pg/catalog_link.h"
#include "channels/pg/front.h"
#include "channels/pg/session.h"
#include "channels/pg/startup.h"

enum session_state { STARTUP, LOGIN, RUNNING, CLOSING, OVER };

enum { MINTED = 4 }; /* bytes of a cancel key in protocol 3.0 */

struct pg_session {
    struct pg_session *next; /* in host->sessions */
    struct pg_host *host;
    void *owner;
    enum session_state state;
    struct duplex client;
    int server_fd;
    struct source *server;
    struct timer *timer;
    bool client_ended; /* its end of file was read */
    bool client_gone;  /* it takes nothing any more */
    bool server_ended, server_deaf, server_told;
    bool said_end;            /* CLOSING: our end of file is out */
    bool approving;           /* the gate was asked for an approval, and it is not dropped yet */
    struct buffer notices;    /* that wait for the end of a message */
    bool cutting;             /* the timer runs for a result over its limit */
    struct scope *scope;      /* or NULL */
    struct catalog_wait wait; /* while front.held */
    struct front front;
    struct back back;
    bool cancels;           /* not a session but a cancel request, which waits in LOGIN for its end */
    struct veil *veil;      /* while RUNNING; or NULL */
    struct startup startup; /* from the startup packet to the greeting */
    uint32_t pid;
    uint8_t minted[MINTED];
    uint8_t key[PG_KEY_MAX]; /* the target's */
    size_t key_n;
    char reason[DETAIL_MAX]; /* for ended(), from CLOSING on */
};

/* The one place where the state changes. */
void session_go(struct pg_session *s, enum session_state to);

/* Each of these may have ended the session when it returns: nothing of it may be touched any more. */
void session_close(struct pg_session *s, const char *reason); /* without a word to the client */
void session_stop_errno(struct pg_session *s, int error);
void session_stop_back(struct pg_session *s, int fault); /* a back_fault or negative errno */
void session_begin(struct pg_session *s);                /* LOGIN to RUNNING */
void session_server_ready(void *session, uint32_t ready);

/* The client wants what runs, or waits to be decided, to be given up. True: asker (an owner) is told by
 * ask_cancel_end when the target has read it. */
bool session_cancel(struct pg_session *s, void *asker);

/* session_limits.c: what limits ask for is asked, what was answered is taken over. */

/* After every look at the server's answers: a cancel that is due is asked for. */
void session_mind_limits(struct pg_session *s);
/* The held message waits for the ledger, not for the catalog. */
bool session_counts(const struct pg_session *s);
void session_ask_count(struct pg_session *s);
/* The timer has run out while RUNNING. */
void session_limits_late(struct pg_session *s);
/* session_hold.c: people are asked, and what they say is taken over. */

/* The held message waits for people, or for the ledger's word that it may run. */
bool session_holds(const struct pg_session *s);
/* Asks what is due. Negative errno: the session must stop. */
MUST_USE int session_hold_step(struct pg_session *s);
/* What it waited for, before anybody is asked, has come to pass. */
bool session_hold_settled(const struct pg_session *s);
/* Nobody waits for what was asked any more. */
void session_hold_drop(struct pg_session *s, const char *why);
/* Whether the client may be read while its message is held: only by that is seen that it has gone. */
bool session_hold_reads(const struct pg_session *s);
/* What is to be told goes out where it does not fall into the middle of a message. */
MUST_USE int session_hold_tell(struct pg_session *s);
/* Goes on with what the client has sent. */
void session_go_on(struct pg_session *s);

/* opening.c: the client's stream is ready in STARTUP. */
void opening_client(struct pg_session *s);
