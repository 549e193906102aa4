/* What the parts of the ledger process share. */
#pragma once
#include "base/ipc.h"
#include "base/loop.h"
#include "policy/ticket.h"
#include "replay/audit.h"
#include "replay/keys.h"
#include "replay/notify.h"
#include "replay/rates.h"
#include "replay/registry.h"
#include "replay/store.h"

enum {
    LEDGER_GATES_MAX = 16384,               /* connected at one time */
    LEDGER_RECORDINGS_MAX = 1024,           /* open at one time, of one gate */
    LEDGER_AUDITS_MAX = 10000,              /* events that one gate may report */
    LEDGER_COMMAND_MAX = 16 * 1024,         /* bytes of a command that the header keeps */
    LEDGER_NAME_MAX = 1024,                 /* bytes of other strings in a request */
    LEDGER_SESSIONS_MAX = 32 * 1024 * 1024, /* bytes of one answer to AskSessions */
    LEDGER_SETTLE_MS = 1000, /* from losing a gate to sealing what it left: its last write is over by then */
    LEDGER_RETRY_MS = 1000,  /* until a seal that could not be entered is tried again */
    LEDGER_SLICE = 4 * 1024 * 1024, /* bytes of a recording that are checked before others get their turn */
    LEDGER_DRAIN_MS = 10000,        /* for the last seals, after the listener is gone */
    LEDGER_LOCK_MS = 15000,         /* for the ledger of an earlier start: its drain, and its last writes */
    LEDGER_REVOKES_MAX = 64,        /* revocations that wait for the issuer */
    LEDGER_REVOKE_MS = 10 * 1000,   /* for the issuer to have one on disk */
    LEDGER_REASON_MAX = 512,        /* bytes of a revocation's identity, or of its reason */
};

struct approvals;
struct gate;
struct revokes;
struct sealer;

struct ledger {
    struct loop *loop;
    struct ipc_peer *listener, *vault;
    Ipc__Config *config;
    uint8_t ticket_key[TICKET_KEY];
    char node[65];
    struct keys *keys;
    struct audit *audit;
    struct store *store;
    struct registry *open; /* recordings without a seal */
    struct sealer *sealer;
    struct revokes *revokes;
    struct approvals *approvals;
    struct rates *rates;
    struct notifier *notifier;
    struct timer *retention, *drain;
    int recordings_fd, audit_fd, lock_fd;
    struct gate *gates;
    size_t n_gates;
    bool draining;
};

/* protobuf-c's structs have no const: for strings that are only packed. */
static inline char *lent(const char *s)
{
    return (char *)(uintptr_t)s;
}
static inline Ipc__Variable lent_variable(const char *name, const char *value)
{
    Ipc__Variable v = IPC__VARIABLE__INIT;
    v.name = lent(name);
    v.value = lent(value);
    return v;
}

/* An event of the ledger's own, about what `who` did; NULL: nobody. Both are borrowed. */
static inline Ipc__AuditEvent ledger_event(const char *name, const Ipc__Identity *who)
{
    Ipc__AuditEvent event = IPC__AUDIT_EVENT__INIT;
    event.event = lent(name);
    event.by = lent("ledger");
    if (who) {
        event.connection = who->connection;
        event.identity = who->name;
        event.source_address = who->source_address;
    }
    return event;
}

/* Enters an event in the audit chain; `by` and what else it says are the caller's. Logs a failure. */
MUST_USE int ledger_enter(struct ledger *ledger, Ipc__AuditEvent *event);

/* ---- ledger_gate.c: what gates may say ---- */

/* A gate was born; fd is the ledger's from here on. */
MUST_USE int gate_add(struct ledger *ledger, int fd, const Ipc__Peer *about);
void gates_free(struct ledger *ledger);
/* An event that another process reports, under its name; -EPROTO when it exceeds the limits or uses a name of
 * ours. */
MUST_USE int audit_report(struct ledger *ledger, const char *by, const Ipc__Audit *audit,
                          Ipc__AuditEvent *event);

/* Who and what a gate is, for the other parts of the ledger. */
struct ledger *gate_ledger(const struct gate *gate);
const Ipc__Identity *gate_identity(const struct gate *gate);           /* NULL: not introduced */
bool gate_records(const struct gate *gate, const char *id);            /* it has this recording open */
struct gate *gate_by_recording(struct ledger *ledger, const char *id); /* the one that has it open, or NULL */
/* Counts an event that the gate makes us enter; false when it has made us enter too many. */
MUST_USE bool gate_may_audit(struct gate *gate);
void gate_tell(struct gate *gate, const Ipc__Message *message, const int *fds, size_t n_fds);

/* The gate that an answer is for; NULL: it has gone. */
struct gate *gate_by_connection(struct ledger *ledger, uint64_t connection);
void gate_answer_revoke(struct gate *gate, uint32_t request, const char *code, const char *message,
                        const char *done);

/* ---- ledger_revoke.c: the issuer, which keeps what is revoked ---- */

MUST_USE int revokes_new(struct ledger *ledger, struct revokes **ret);
void revokes_free(struct revokes *revokes);
/* A link to the issuer: fd is the ledger's from here on. It takes the place of an earlier one. */
void revokes_link(struct revokes *revokes, int fd);
/* Somebody on this connection wants it, and gets gate_answer_revoke(): refused, or once the issuer has it on
 * disk. -EPROTO when it exceeds the limits. */
MUST_USE int revokes_ask(struct revokes *revokes, const Ipc__Identity *who, const Ipc__AskRevoke *ask);

/* ---- ledger_vault.c ---- */

/* A link to the vault, as revokes_link(). */
void ledger_link_vault(struct ledger *ledger, int fd);

/* ---- ledger_kill.c ---- */

/* Handler: gate AskKill. */
int kills_on_ask(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);

/* ---- ledger_open.c: new recordings ---- */

/* What a gate is given. The key is wiped by the caller (chain_wipe). */
struct opened {
    int fd;
    char id[RECORDING_ID + 1];
    struct chain chain;
};
/* Creates the file with its header, enters the start, puts it in the index. Negative errno and no file when
 * any of it is not possible. */
MUST_USE int ledger_open(struct ledger *ledger, const Ipc__Identity *identity, const Ipc__AskRecording *ask,
                         struct opened *ret);

/* ---- ledger_answer.c: looking at recordings ---- */

/* A sealed memfd of JSON lines. 0, STORE_SLOW, or negative. */
MUST_USE int ledger_sessions(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskSessions *ask,
                             int *ret_fd);
/* Opens a recording for somebody who may see it; -ENOENT when there is none or it is somebody else's. */
MUST_USE int ledger_replay(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskReplay *ask,
                           int *ret_fd);

/* ---- ledger_seal.c ---- */

MUST_USE int sealer_new(struct ledger *ledger, struct sealer **ret);
void sealer_free(struct sealer *sealer);
/* Seals the recording wait_ms from now. When memory runs out it stays for the next start. */
void sealer_add(struct sealer *sealer, const char *id, uint64_t wait_ms);
/* Fills the index for a recording that is sealed already; after all sealing. */
void sealer_index(struct sealer *sealer, const char *id);
bool sealer_idle(const struct sealer *sealer);
/* Waits for nothing any more. */
void sealer_hurry(struct sealer *sealer);

/* ---- ledger_retention.c ---- */

MUST_USE int retention_start(struct ledger *ledger);
