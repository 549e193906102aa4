/* Providers with a courier that this test plays, and a clock that it moves. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/issuer_device.h"
#include "server/issuer_provider.h"

#define CORP        "https://idp.example.com/tenant/"
#define CORP_WELL   "https://idp.example.com/tenant/.well-known/openid-configuration"
#define CORP_JWKS   "https://idp.example.com/jwks"
#define CORP_DEVICE "https://idp.example.com/device"
#define CORP_TOKEN  "https://idp.example.com/token"
#define DISCOVERY_OF(issuer)                                                                                 \
    "{\"issuer\":\"" issuer "\",\"jwks_uri\":\"" CORP_JWKS                                                   \
    "\",\"device_authorization_endpoint\":\"" CORP_DEVICE "\",\"token_endpoint\":\"" CORP_TOKEN "\"}"
#define DISCOVERY DISCOVERY_OF(CORP)
#define JWKS                                                                                                 \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":"                                   \
    "\"5vDM1wVuFUgSZezaagDhkea3mhNCgd6fHdTG0fcDmr4\"}]}"

extern struct loop *loop;
extern struct fetcher *fetcher;
extern struct providers *providers;

/* "corp" (by discovery, with a client_id) is there when this returns, and has not fetched anything. */
int fixture_start(void **state);
int fixture_stop(void **state);

/* A configuration of these; each setting may be NULL. */
struct setting {
    const char *name, *issuer, *client_id, *jwks, *scope;
};
void take(const struct setting *settings, size_t n);
int try_to_take(const struct setting *settings, size_t n, struct detail *detail);

/* Time passes: everything that is due happens. */
void pass_ms(uint64_t ms);
/* Everything that can happen now happens. */
void settle(void);

void link_courier(void);
void lose_courier(void);

/* The next Fetch, which must be for that URL; its number. "form" of the last one: name=value lines. */
uint32_t expect_fetch(const char *url);
extern char last_form[4096];
extern uint32_t last_timeout_ms;
void expect_no_fetch(void);
/* body: NULL for an answer that lacks it. */
void answer_fetch(uint32_t request, uint32_t status, const char *body, uint64_t max_age_s);
void fail_fetch(uint32_t request, const char *error);
/* Both documents are asked for, and given. */
void serve_keys(uint64_t max_age_s);
