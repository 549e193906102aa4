/* The process that signs user certificates: what the issuer*.c files share. */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"
#include "policy/certificate_issue.h"
#include "policy/token.h"
#include "server/issuer_device.h"
#include "server/issuer_provider.h"
#include "server/issuer_revoked.h"

enum {
    ISSUER_GATES_MAX = 512,          /* connected at one time */
    ISSUER_TOKEN_MS = 15 * 1000,     /* from a token to its answer, keys fetched included */
    ISSUER_GATE_MS = 20 * 60 * 1000, /* one gate; the listener's limit for an enrolment is less */
    ISSUER_LINGER_MS = 10 * 1000,    /* for a gate to leave once it is answered */
    ISSUER_BACKDATE_S = 60,          /* of certificates: clocks differ */
    ISSUER_CA_MAX = 64 * 1024,       /* bytes of the user CA's file */
    ISSUER_INHERIT_MS = 500,         /* for the list of what is revoked to come from the listener */
    ISSUER_NAME_MAX = 600,           /* bytes of "ISSUER/USERNAME", its terminating NUL included */
};

struct issuer_gate;

struct issuer {
    struct loop *loop;
    struct ipc_peer *control;
    struct ipc_peer *ledger; /* NULL: not linked; then nothing is issued */
    Ipc__Config *config;
    struct certificate_signer *signer; /* NULL: no issuer is configured */
    struct fetcher *fetcher;
    struct providers *providers;
    struct revoked *revoked;
    struct timer *inherit;
    bool ready;
    struct issuer_gate *gates;
    size_t n_gates;
};

/* ---- issuer.c ---- */

/* What the jail does not let it read any more has changed: ends, for the listener to start it anew. */
void issuer_restart(struct issuer *issuer, const char *why);

/* ---- issuer_gate.c: gates that enrol somebody, or exchange a certificate ---- */

/* Takes over fd, also on failure. -ENOBUFS beyond ISSUER_GATES_MAX. */
MUST_USE int issuer_gate_new(struct issuer *issuer, const Ipc__Peer *peer, int fd);
void issuer_gate_free(struct issuer_gate *gate);

/* ---- issuer_certify.c: from what a token says to a certificate ---- */

/* For whom and for what. Everything is borrowed. */
struct issuer_request {
    uint64_t connection;
    const char *source; /* numeric address */
    const uint8_t *key; /* plain, wire form */
    size_t key_n;
    const char *how; /* "token", "device", "openpubkey"; for the audit */
};

/* The answer, certificate included, malloc'ed. */
struct issuer_grant {
    uint8_t *certificate;
    size_t certificate_n;
    char identity[ISSUER_NAME_MAX];
    uint64_t valid_before;
};

/* Roles, revocation, lifetime, signature; reported to the ledger. expires: of the token, unix seconds. Not 0:
 * detail tells the person. */
MUST_USE int issuer_certify(struct issuer *issuer, const struct issuer_request *request,
                            const Ipc__Claims *claims, uint64_t expires, struct issuer_grant *ret,
                            struct detail *detail);
/* Reports to log and ledger that nothing was issued. */
void issuer_report_refusal(struct issuer *issuer, const struct issuer_request *request, const char *code,
                           const char *reason);
