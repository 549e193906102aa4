/* The gate: one authenticated SSH connection, everything that it does to targets. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"
#include "base/loop.h"
#include "channels/ssh/route.h"
#include "policy/rules.h"

struct approval;
struct certificate;
struct channel;
struct detectors;
struct enrolment;
struct house_tls_question;
struct kube_link;
struct kube_stream;
struct login;
struct preview;
struct refusal;
struct shared_recording;
struct ssh_host;
struct stream;
struct stream_host;

/* One per process; what the parts of channels/ share. */
struct gate {
    struct loop *loop;
    struct ipc_peer *front, *listener, *vault, *ledger, *launcher; /* NULL once gone */
    struct ipc_peer *issuer; /* NULL unless this is an enrolment, or while a certificate is exchanged */
    const Ipc__Config *config;
    const struct rulebook *rules;
    struct detectors *detectors; /* of the configuration's masks; NULL: none */
    struct timer *farewell;      /* ends the connection a moment after it was stopped */
    bool ending;                 /* that moment */
    char goodbye[512];
    uint32_t drain_ms; /* as Disconnect.within_ms */
    struct channel *channels;
    struct approval *approvals;                 /* approval.c: what waits for people */
    struct preview *previews;                   /* preview.c: what they are shown */
    struct kube_stream *kube_streams;           /* connections of clients to Kubernetes targets, */
    struct kube_link *kube_links;               /* ours to API servers, */
    struct shared_recording *shared_recordings; /* and where those of one cluster are recorded */
    struct house_tls_question *tls_questions;   /* certificates that the vault was asked for */
    struct stream *streams;                     /* stream.c: PostgreSQL connections, */
    struct stream_host *hosts;                  /* and what those to one target share */
    struct ssh_host *ssh_hosts;                 /* connections to SSH targets */
    uint32_t last_stream;                       /* number of a stream in recordings */

    uint64_t connection;
    const char *source_address; /* the listener's word */
    uint32_t source_port;

    Ipc__Outer *outer;               /* the connection that this one runs inside of (jump.h); NULL: none */
    char user[ROUTE_NAME_MAX];       /* before the @; "" when it is too long */
    struct route route;              /* what the user name says, if it may name an SSH target; else empty */
    struct login *login;             /* until the connection is admitted */
    struct enrolment *enrolment;     /* of enroll@, who is never admitted: none of what is below */
    struct certificate *certificate; /* what was admitted, */
    Ipc__Identity *identity;         /* and the gate's own reading of it */
    struct timer *lifetime;          /* lifetime.c */
    const Ipc__RevocationList *revocations; /* the newest, until the connection is admitted; NULL: none */
    uint32_t last_request;                  /* numbers for questions to vault, ledger and launcher */
};

/* Called by login.c once the certificate holds: all peers may now say what belongs to an admitted connection.
 */
void gate_admitted(struct gate *gate);

/* Ends the whole connection, telling the user why; the process exits once the front has taken it. */
void gate_disconnect(struct gate *gate, const char *message);
/* Fails closed: every channel's client is told the refusal, nothing new is begun, and after farewell_ms the
 * connection ends with `goodbye`. drain_ms: as Disconnect.within_ms. */
void gate_end(struct gate *gate, const struct refusal *why, const char *goodbye, uint64_t farewell_ms,
              uint32_t drain_ms);

/* Target by name, whoever may reach it; NULL: there is none. */
const Ipc__Target *gate_declared(const struct gate *gate, const char *name);
/* Target by name if the identity may reach it (some rule could allow something there), else NULL. */
const Ipc__Target *gate_target(const struct gate *gate, const char *name);

/* The next number for a question. */
uint32_t gate_request(struct gate *gate);
