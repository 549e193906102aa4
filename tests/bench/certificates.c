/* How many certificates the issuer makes in a second on one core: the signature by an Ed25519 user CA alone,
 * and all of it from a token on (taken apart, verified with an ES256 or RS256 key, claims, roles, signature).
 * Best of several short runs.
 *
 * usage: certificates [MILLISECONDS]     each run at most that long (default 200); prints a line for each */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "policy/certificate.h"
#include "policy/certificate_issue.h"
#include "policy/claims.h"
#include "policy/token.h"
#include "tests/unit/token_fixture.h"

enum { RUNS = 5, LIFETIME_S = 900 };

static Ipc__Config config = IPC__CONFIG__INIT;
static Ipc__Issuer corp = IPC__ISSUER__INIT;
static struct certificate_signer *signer;
static uint8_t *key;
static size_t key_n;

static void must(int good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "certificates: %s failed\n", what);
    exit(1);
}

static void configure(void)
{
    static char *audiences[] = { (char *)"gatehouse" }, *groups[] = { (char *)"agents" };
    static Ipc__Issuer *issuers[] = { &corp };
    static Ipc__Role agent = IPC__ROLE__INIT;
    static Ipc__Role *roles[] = { &agent };
    corp.name = (char *)"corp";
    corp.issuer = (char *)"https://idp.example.com";
    corp.audiences = audiences;
    corp.n_audiences = 1;
    corp.username_claim = (char *)"sub";
    corp.groups_claim = (char *)"groups";
    agent.name = (char *)"agent";
    agent.groups = groups;
    agent.n_groups = 1;
    agent.matches_claims = true;
    config.issuers = issuers;
    config.roles = roles;
    config.n_issuers = config.n_roles = 1;
}

static void issue(const Ipc__Claims *claims)
{
    char *principals[] = { (char *)"agent" };
    uint64_t now = (uint64_t)time(NULL);
    struct certificate_grant grant = { .key = key,
                                       .key_n = key_n,
                                       .key_id = "corp/alice",
                                       .serial = now,
                                       .valid_after = now,
                                       .valid_before = now + LIFETIME_S,
                                       .principals = principals,
                                       .n_principals = 1,
                                       .pty = true,
                                       .forwarding = true,
                                       .claims = claims };
    struct detail detail = { "" };
    uint8_t *blob = NULL;
    size_t n = 0;
    must(certificate_issue(signer, &grant, &blob, &n, &detail) == 0, detail.text);
    free(blob);
}

/* What is measured: a token, or NULL for the signature alone. */
struct work {
    const char *token;
    const struct jwks *keys;
    const Ipc__Claims *claims;
};

static void work_once(const struct work *work)
{
    struct token *token = NULL;
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };
    if (!work->token) {
        issue(work->claims);
        return;
    }
    must(token_parse(work->token, strlen(work->token), &token, &detail) == 0, detail.text);
    must(token_issuer(token, &config, &detail) == &corp, detail.text);
    must(token_verify(token, &corp, work->keys, (uint64_t)time(NULL), &detail) == 0, detail.text);
    must(token_claims(token, &corp, &config, &claims, &detail) == 0, detail.text);
    must(claims_hold_role(claims, config.roles[0]), "role");
    issue(claims);
    ipc__claims__free_unpacked(claims, NULL);
    token_free(token);
}

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(const char *name, const struct work *work, double seconds)
{
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        double begin = cpu_seconds(), spent = 0;
        size_t n = 0;
        for (; spent < seconds; spent = cpu_seconds() - begin, n++)
            work_once(work);
        if ((double)n / spent > best)
            best = (double)n / spent;
    }
    (void)printf("%s %.0f\n", name, best);
}

static void measure_tokens(const char *alg, enum fixture_key which, double seconds)
{
    char *jwk = fixture_jwk(which, "\"kid\":\"k1\"");
    char *set = fixture_format("{\"keys\":[%s]}", jwk);
    char *header = fixture_format("{\"alg\":\"%s\",\"kid\":\"k1\"}", alg);
    char *claims =
        fixture_format("{\"iss\":\"https://idp.example.com\",\"aud\":\"gatehouse\",\"sub\":\"alice\","
                       "\"groups\":[\"agents\",\"staff\"],\"exp\":%lld,\"jti\":\"t-1\"}",
                       (long long)time(NULL) + LIFETIME_S);
    char *token = fixture_token(which, alg, header, claims);
    char *name = fixture_format("from-%s", alg);
    struct jwks *keys = NULL;
    struct detail detail = { "" };
    must(jwks_parse(set, strlen(set), &keys, &detail) == 0, detail.text);
    measure(name, &(struct work){ .token = token, .keys = keys }, seconds);
    jwks_free(keys);
    free(jwk);
    free(set);
    free(header);
    free(claims);
    free(token);
    free(name);
}

int main(int argc, char **argv)
{
    double seconds = (argc > 1 ? atof(argv[1]) : 200) / 1e3;
    Ipc__Claims claims = IPC__CLAIMS__INIT;
    struct detail detail = { "" };
    token_start();
    (void)fixture_make_keys(NULL);
    configure();
    char *pem = fixture_pem(FIXTURE_ED25519);
    must(certificate_signer_new((const uint8_t *)pem, strlen(pem), &signer, &detail) == 0, detail.text);
    key = fixture_ssh(FIXTURE_ED25519_OTHER, &key_n);
    claims.issuer = (char *)"corp";
    claims.subject = claims.username = (char *)"alice";
    measure("sign", &(struct work){ .claims = &claims }, seconds);
    measure_tokens("ES256", FIXTURE_P256, seconds);
    measure_tokens("RS256", FIXTURE_RSA, seconds);
    certificate_signer_free(signer);
    free(key);
    free(pem);
    return fixture_free_keys(NULL);
}
