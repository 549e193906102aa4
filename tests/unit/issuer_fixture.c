/* See issuer_fixture.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "base/clock.h"
#include "base/io.h"
#include "policy/certificate.h"
#include "policy/revocation.h"
#include "issuer_fixture.h"
#include "keygen.h"
#include "token_fixture.h"

struct process issuer;
int ledger, newest = -1;
char state[HOUSE_PATH], lists[HOUSE_PATH], log_path[2 * HOUSE_PATH], revoked_path[2 * HOUSE_PATH],
    own_path[2 * HOUSE_PATH];
uint8_t *key;
size_t key_n;
static uint64_t connections;

/* ---- the configuration ---- */

static void fill_issuer(Ipc__Issuer *corp, const struct variant *variant, char **audiences)
{
    CLEANUP(free) char *jwk = fixture_jwk(FIXTURE_ED25519, "\"kid\":\"k1\"");

    corp->name = (char *)"corp";
    corp->issuer = (char *)"https://idp.example.com";
    corp->audiences = audiences;
    corp->n_audiences = variant->two_audiences ? 2 : 1;
    corp->username_claim = (char *)"sub";
    corp->groups_claim = (char *)"groups";
    corp->openpubkey = variant->openpubkey;
    corp->jwks = fixture_format("{\"keys\":[%s]}", jwk);
}

int config_fd(const struct variant *variant)
{
    char *audiences[] = { (char *)"gatehouse", (char *)"opk-client" };
    char *agent_groups[] = { (char *)"agents" }, *dba_groups[] = { (char *)"dba" };
    char *both[] = { (char *)"permit-pty", (char *)"permit-port-forwarding" }, *one[] = { both[1] };
    Ipc__Issuer corp = IPC__ISSUER__INIT, *issuers[] = { &corp };
    Ipc__Role agent = IPC__ROLE__INIT, dba = IPC__ROLE__INIT, free_one = IPC__ROLE__INIT;
    Ipc__Role *roles[] = { &agent, &dba, &free_one };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Ca ca = IPC__CA__INIT;
    char public_file[HOUSE_PATH], ca_path[2 * HOUSE_PATH];
    const char *ca_name = variant->ca ? variant->ca : "user_ca";
    int fd = -1;

    fill_issuer(&corp, variant, audiences);
    agent.name = (char *)"agent";
    agent.groups = agent_groups;
    agent.extensions = one;
    dba.name = (char *)"dba";
    dba.groups = dba_groups;
    dba.extensions = both;
    dba.n_extensions = 2;
    agent.n_groups = agent.n_extensions = dba.n_groups = 1;
    agent.matches_claims = dba.matches_claims = true;
    agent.issuer = dba.issuer = (char *)"corp";
    free_one.name = (char *)"free";
    snprintf(ca_path, sizeof(ca_path), "%s/%s", state, ca_name);
    snprintf(public_file, sizeof(public_file), "%s.pub", ca_name);
    ca.blob.data = keygen_blob(state, public_file, &ca.blob.len);
    config.state = state;
    config.user_ca = ca_path;
    config.user_ca_public = &ca;
    config.issuers = issuers;
    config.n_issuers = variant->no_issuers ? 0 : 1;
    config.roles = roles;
    config.n_roles = 3;
    config.revoked = (char *)(uintptr_t)(variant->revoked ? variant->revoked : revoked_path);
    config.certificate_lifetime_ms = 900 * 1000;
    config.bind_source_address = variant->bind;
    config.lifetime_beyond_token = variant->beyond;
    size_t n = ipc__config__get_packed_size(&config);
    CLEANUP(free) uint8_t *bytes = malloc(n);
    ipc__config__pack(&config, bytes);
    assert_int_equal(fd_of_bytes("config", bytes, n, &fd), 0);
    free(ca.blob.data);
    free(corp.jwks);
    return fd;
}

/* ---- files ---- */

void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

char *read_text(const char *path)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = NULL;
    size_t n = 0;

    assert_true(fd >= 0);
    assert_int_equal(fd_contents(fd, 1 << 20, &bytes, &n), 0);
    return (char *)bytes;
}

bool log_has(const char *text)
{
    CLEANUP(free) char *log = read_text(log_path);

    return strstr(log, text) != NULL;
}

/* ---- the process ---- */

Ipc__RevocationList *take_list(int limit_ms)
{
    Ipc__RevocationList *list = NULL;
    Ipc__Message *message;

    fd_close(newest);
    newest = -1;
    message = expect(issuer.control, IPC__MESSAGE__BODY_REVOCATIONS, limit_ms, &newest);
    ipc_message_free(message);
    assert_int_equal(revocation_unpack(newest, &list), 0);
    return list;
}

bool list_has_id(const Ipc__RevocationList *list, const char *name)
{
    Ipc__Config config = IPC__CONFIG__INIT;

    return revocation_hits_identity(list, &config, name, key, key_n, NULL);
}

void expect_list(const char *has, const char *has_not)
{
    Ipc__RevocationList *list = take_list(ANSWER_MS);

    if (has)
        assert_true(list_has_id(list, has));
    if (has_not)
        assert_false(list_has_id(list, has_not));
    ipc__revocation_list__free_unpacked(list, NULL);
}

void launch(const struct variant *variant)
{
    Ipc__Start start = IPC__START__INIT;
    int fds[1] = { config_fd(variant) };

    start.state = state;
    issuer = process_start(ISSUER, &start, fds, 1, log_path);
}

void give_link(const char *name, int *ret_ours)
{
    Ipc__Link body = IPC__LINK__INIT;
    Ipc__Message message = IPC_MESSAGE(LINK, link, &body);
    int pair[2];

    body.process = (char *)(uintptr_t)name;
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(issuer.control, &message, &pair[1], 1, ANSWER_MS), 0);
    close(pair[1]);
    *ret_ours = pair[0];
}

void start_issuer(const struct variant *variant)
{
    Ipc__Message *ready;

    launch(variant);
    ipc__revocation_list__free_unpacked(take_list(ANSWER_MS), NULL);
    ready = expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL);
    ipc_message_free(ready);
    give_link("ledger", &ledger);
}

void end_issuer(void)
{
    int status;

    fd_close(STEAL_FD(ledger));
    status = process_end(&issuer);
    if (status != 0) {
        CLEANUP(free) char *log = read_text(log_path);
        fail_msg("the issuer ended with %#x:\n%s", (unsigned)status, log);
    }
}

int fresh(void **unused)
{
    (void)unused;
    write_file(revoked_path, "");
    (void)chmod(revoked_path, 0644);
    (void)unlink(own_path);
    (void)unlink(log_path);
    ledger = -1;
    return 0;
}

int issuer_set_up(void **unused)
{
    (void)fixture_make_keys(unused);
    keygen_directory(state);
    keygen_directory(lists);
    (void)chmod(lists, 0755);
    (void)chmod(state, 0711);
    keygen_key(state, "user_ca", "ed25519", NULL);
    keygen_key(state, "other_ca", "ed25519", NULL);
    snprintf(log_path, sizeof(log_path), "%s/log", state);
    snprintf(own_path, sizeof(own_path), "%s/revoked.list", state);
    snprintf(revoked_path, sizeof(revoked_path), "%s/revoked", lists);
    key = fixture_ssh(FIXTURE_ED25519_OTHER, &key_n);
    return 0;
}

int issuer_tear_down(void **unused)
{
    fd_close(newest);
    free(key);
    keygen_remove(state);
    keygen_remove(lists);
    return fixture_free_keys(unused);
}

/* ---- gates ---- */

int new_gate(void)
{
    Ipc__Peer body = IPC__PEER__INIT;
    Ipc__Message message = IPC_MESSAGE(PEER, peer, &body);
    int pair[2];

    body.connection = ++connections;
    body.source_address = (char *)SOURCE;
    body.source_port = 4711;
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(issuer.control, &message, &pair[1], 1, ANSWER_MS), 0);
    close(pair[1]);
    return pair[0];
}

void send_token(int gate, const char *token, const uint8_t *blob, size_t n)
{
    Ipc__Certify body = IPC__CERTIFY__INIT;
    Ipc__Message message = IPC_MESSAGE(CERTIFY, certify, &body);

    body.token = (char *)(uintptr_t)token;
    body.key = (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)(uintptr_t)blob };
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
}

Ipc__Message *ask(const char *token)
{
    CLEANUP(fd_close) int gate = new_gate();

    send_token(gate, token, key, key_n);
    return expect(gate, IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL);
}

/* members: "\"sub\":\"alice\""; lives for ttl seconds. */
char *token_of(const char *members, int ttl)
{
    CLEANUP(free)
    char *claims = fixture_format("{" ISS ",\"exp\":%lld,%s}", (long long)time(NULL) + ttl, members);

    return fixture_token(FIXTURE_ED25519, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}", claims);
}

void expect_refusal(const char *token, const char *code, const char *text)
{
    Ipc__Message *message = ask(token);
    const Ipc__Refusal *refusal = message->certified->refusal;

    if (!refusal || strcmp(refusal->code, code) != 0 || !strstr(refusal->message, text))
        fail_msg("%s: %s", refusal ? refusal->code : "no refusal", refusal ? refusal->message : "");
    assert_int_equal(message->certified->certificate.len, 0);
    ipc_message_free(message);
}

const char *field(const Ipc__Audit *audit, const char *name)
{
    for (size_t i = 0; i < audit->n_fields; i++)
        if (strcmp(audit->fields[i]->name, name) == 0)
            return audit->fields[i]->value;
    return "";
}

/* As the gate will look at it. */
int admit(const Ipc__Certified *certified, const struct variant *variant, const char *source,
          Ipc__Identity **ret, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    CLEANUP(fd_close) int fd = config_fd(variant);
    Ipc__Config *config = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r;

    assert_int_equal(fd_contents(fd, 1 << 20, &bytes, &n), 0);
    config = ipc__config__unpack(NULL, n, bytes);
    free(bytes);
    r = certificate_parse(certified->certificate.data, certified->certificate.len, &certificate, detail);
    if (r == 0)
        r = certificate_admit(certificate, config, NULL, (uint64_t)time(NULL), source, ret, detail);
    ipc__config__free_unpacked(config, NULL);
    return r;
}
