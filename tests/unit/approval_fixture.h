/* Gates of those who ask for approval, and of those who decide, of the real gatehouse-ledger. */
#pragma once
#include "ledger_fixture.h"
#include "policy/approval_digest.h"

/* Somebody with a gate. */
struct somebody {
    const char *name, *role, *second_role, *may, *subject, *actor;
    bool hardware;
};
int gate_of(struct bench *bench, uint64_t connection, const struct somebody *who);

/* What is asked; what is not set is as in a plain request for "DELETE FROM orders" by dba, held for 10
 * minutes. */
struct asked {
    const char *statement, *target, *rule, *policy, *mode, *recording;
    const char *value; /* of the one parameter */
    const char *by[2]; /* a group of one role each */
    uint32_t quorum;
    uint64_t wait_ms, for_ms;
    bool touch, must_sign;
};
/* Sends the question; the answer is freed by the caller. NULL: the gate was dropped. */
Ipc__Message *ask(int gate, const struct asked *asked);
/* Asks, and must get an open request; its id. */
void ask_open(int gate, const struct asked *asked, char id[8]);
/* Of what `who` would run. */
void digest_of(const struct somebody *who, const struct asked *asked, uint8_t ret[APPROVAL_DIGEST]);

/* The code of the refusal, or "" when it may run; the text stays until the next call. */
const char *consume(int gate, const struct somebody *who, const struct asked *asked, const char *id);
/* The code of the refusal, or the new state's name. */
const char *decide(int gate, const char *id, bool approve, const char *reason, uint64_t for_ms);
/* With a signature of so many bytes. */
const char *decide_signed(int gate, const char *id, bool approve, uint64_t for_ms, size_t n);
/* The same, without waiting for an answer. */
void send_consume(int gate, const struct somebody *who, const struct asked *asked, const char *id);
void send_decision(int gate, const char *id, bool approve, const char *reason, uint64_t for_ms);
/* The message of the last refusal of consume() or decide(). */
const char *last_message(void);
/* Waits for news of the request, in this state; other news before it are skipped. */
void expect_news(int gate, const char *id, Ipc__ApprovalState state);
void withdraw(int gate, const char *id);
void follow(int gate);
/* The list, malloc'ed. */
char *list_of(int gate, const char *form, const char *id, bool closed, bool grants);
const char *revoke_grant(int gate, const char *id);
/* The audit chain as text enough to search in. */
bool chain_has(const struct bench *bench, const char *text);
size_t chain_count(const struct bench *bench, const char *text);
