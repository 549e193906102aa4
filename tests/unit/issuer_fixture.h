/* For tests of gatehouse-issuer: the real process, jailed; the test is the listener, the gates and the
 * ledger. */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"
#include "house.h"

enum { ANSWER_MS = 20000, SOON_MS = 2000 };
#define SOURCE "192.0.2.7"
#define ISS    "\"iss\":\"https://idp.example.com\",\"aud\":\"gatehouse\""
#define ALICE  "\"sub\":\"alice\",\"groups\":[\"agents\",\"staff\"]"

/* How a configuration differs from the usual one: issuer corp, roles agent and dba by groups, 15 minutes. */
struct variant {
    bool bind, beyond, openpubkey, two_audiences, no_issuers;
    const char *ca, *revoked;
};

extern struct process issuer;
extern int ledger; /* our end of its link; -1: none */
extern char state[HOUSE_PATH], revoked_path[2 * HOUSE_PATH], own_path[2 * HOUSE_PATH],
    log_path[2 * HOUSE_PATH], lists[HOUSE_PATH];
extern uint8_t *key; /* that certificates are asked for; plain, wire form */
extern size_t key_n;
extern int newest; /* the list of what is revoked that was published last */

/* Of the group, and of each test: empty files. */
int issuer_set_up(void **unused);
int issuer_tear_down(void **unused);
int fresh(void **unused);

int config_fd(const struct variant *variant);
void write_file(const char *path, const char *text);
char *read_text(const char *path); /* malloc'ed */
bool log_has(const char *text);

/* start_issuer: until it is ready, and linked to the ledger. */
void launch(const struct variant *variant);
void start_issuer(const struct variant *variant);
void end_issuer(void); /* with status 0 */
void give_link(const char *name, int *ret_ours);

/* The list that comes next. */
Ipc__RevocationList *take_list(int limit_ms);
bool list_has_id(const Ipc__RevocationList *list, const char *name);
void expect_list(const char *has, const char *has_not);

int new_gate(void);
void send_token(int gate, const char *token, const uint8_t *blob, size_t n);
/* The answer to a new gate's Certify. */
Ipc__Message *ask(const char *token);
void expect_refusal(const char *token, const char *code, const char *text);
/* A good token; members: "\"sub\":\"alice\""; lives for ttl seconds. malloc'ed. */
char *token_of(const char *members, int ttl);
const char *field(const Ipc__Audit *audit, const char *name);
/* As the gate will look at what was issued. */
int admit(const Ipc__Certified *certified, const struct variant *variant, const char *source,
          Ipc__Identity **ret, struct detail *detail);
