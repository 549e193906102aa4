/* One PostgreSQL connection through the gate: a client's stream on one side, the target's on the other. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/duplex.h"
#include "base/ipc.h"
#include "channels/recorder.h"
#include "policy/rules.h"

enum {
    PG_STARTUP_MS = 60 * 1000, /* for the client to say what it wants */
    PG_CANCEL_MS = 15 * 1000,  /* for the target to read a cancel request */
    PG_LOGIN_MS = 90 * 1000,   /* for the login to the target; the connector gives up earlier */
    PG_DRAIN_MS = 10 * 1000,   /* for the last bytes to go out */
    PG_CUT_MS = 30 * 1000,     /* for a server to end a result over its limit, and to read our cancel */
    PG_COUNT_MS = 30 * 1000,   /* for the ledger to say whether one more statement may run */
    PG_LINGER_MS = 2 * 1000,   /* for the client to close after we did */
};

struct approval_subject;
struct budget_use;
struct catalog_link;
struct hold;
struct mask_set;
struct pg_session;
struct veil_how;

/* What a session asks of the gate. `owner` is what pg_session_new was given. */
struct pg_calls {
    /* Asks the vault for a login; pg_session_connected or pg_session_refused follows, not from inside this
     * call. options are borrowed. Non-zero: nobody can be asked, and the session refuses by itself
     * (target_unavailable). */
    int (*ask_login)(void *owner, Ipc__Variable *const *options, size_t n);
    /* Cancels what the target's backend is doing; owner is the one of the session to be cancelled. */
    void (*ask_cancel)(void *owner, uint32_t pid, const uint8_t *key, size_t n);
    /* The same; pg_session_cancelled follows when the server has read it, or never will, not from inside this
     * call. Non-zero: nobody can be asked. */
    int (*ask_cancel_end)(void *owner, uint32_t pid, const uint8_t *key, size_t n);
    /* Asks the ledger whether statements of these rules may run; pg_session_counted follows, not from inside
     * this call. Non-zero: nobody can be asked. */
    int (*ask_count)(void *owner, const struct budget_use *uses, size_t n);
    /* Asks those who have to agree to what is held (HOLD_DUE), in the place of what was asked before;
     * pg_session_agreed or pg_session_not_approved follows, not from inside this call. Non-zero: nobody can
     * be asked. */
    int (*ask_approval)(void *owner, struct hold *hold);
    /* Everybody has agreed, and it is about to run: pg_session_go or pg_session_not_approved follows,
     * likewise.
     */
    void (*use_approval)(void *owner, const struct hold *hold);
    /* It was refused, has run, or will not run: what is still open is withdrawn. */
    void (*drop_approval)(void *owner, const char *why);
    /* Once, the session's last word: both descriptors are closed. reason: a few words for the log, borrowed.
     * The session may be freed in here. */
    void (*ended)(void *owner, const char *reason);
};

/* What the sessions of one target in one gate share; the caller fills it in and keeps it. */
struct pg_host {
    struct loop *loop;
    const struct rulebook *rulebook;
    struct circumstances who;
    const struct pg_calls *calls;
    const struct approval_subject *subject; /* of requests for approval; NULL: no rule asks for any */
    struct catalog_link *catalog; /* how names are resolved; NULL: they are judged as they are written */
    bool limited;                 /* some rule has limits; then there is a veil */
    bool read_only;               /* no session may make itself read-write */
    const struct mask_set *masks; /* of columns, which takes a catalog; NULL: none */
    const struct veil_how *veil;  /* what of the answers is masked; NULL: nothing */
    struct pg_session *sessions;  /* NULL at first; by it a CancelRequest finds the session that it means */
};

/* client: unwatched, non-blocking; the session's from here on, also on failure. recorder is borrowed; stream
 * is this connection's number in it. record_output: else only requests are recorded. */
MUST_USE int pg_session_new(struct pg_host *host, struct duplex client, struct recorder *recorder,
                            uint32_t stream, bool record_output, void *owner, struct pg_session **ret);
void pg_session_free(struct pg_session *session); /* at any time; does not call ended */
DEFINE_CLEANUP(struct pg_session *, pg_session_free)

/* The connector's answer to ask_login. server_fd is the session's from here on. */
void pg_session_connected(struct pg_session *session, const Ipc__Connected *connected, int server_fd);
/* No login: the client is told by a FATAL ErrorResponse. code: contract.md §3. */
void pg_session_refused(struct pg_session *session, const char *code, const char *message);
/* The answer to ask_cancel_end. */
void pg_session_cancelled(struct pg_session *session);
/* The answer to ask_count. rule: the one that has no room for another wait_s seconds; empty: go; borrowed. */
void pg_session_counted(struct pg_session *session, const char *rule, uint32_t wait_s);
/* The answers to ask_approval and use_approval; request: its id, or "". */
void pg_session_agreed(struct pg_session *session);
void pg_session_go(struct pg_session *session);
void pg_session_not_approved(struct pg_session *session, const char *code, const char *rule,
                             const char *reason, const char *request);
/* Where the held statement stands, as a NoticeResponse; detail and hint may be NULL. */
void pg_session_notice(struct pg_session *session, const char *message, const char *detail, const char *hint);
/* Fails closed: the target's side is closed at once, what was not recorded is not shown, the client is told.
 */
void pg_session_stop(struct pg_session *session, const char *code, const char *message);
