/* The real gatehouse-issuer, jailed: this test is the listener, the gates and the ledger. */
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
#include "house.h"
#include "keygen.h"
#include "token_fixture.h"

enum { ANSWER_MS = 20000, SOON_MS = 2000 };
#define SOURCE "192.0.2.7"
#define ISS    "\"iss\":\"https://idp.example.com\",\"aud\":\"gatehouse\""

static struct process issuer;
static int ledger; /* our end of its link */
static char state[HOUSE_PATH], lists[HOUSE_PATH], log_path[2 * HOUSE_PATH], revoked_path[2 * HOUSE_PATH],
    own_path[2 * HOUSE_PATH];
static uint64_t connections;
static uint8_t *key;
static size_t key_n;
static int newest = -1; /* the list that was published last */

/* ---- the configuration ---- */

struct variant {
    bool bind, beyond, openpubkey, two_audiences, no_issuers;
    const char *ca, *revoked;
};

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

static int config_fd(const struct variant *variant)
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

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char *read_text(const char *path)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = NULL;
    size_t n = 0;

    assert_true(fd >= 0);
    assert_int_equal(fd_contents(fd, 1 << 20, &bytes, &n), 0);
    return (char *)bytes;
}

static bool log_has(const char *text)
{
    CLEANUP(free) char *log = read_text(log_path);

    return strstr(log, text) != NULL;
}

/* ---- the process ---- */

static Ipc__RevocationList *take_list(int limit_ms)
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

static bool list_has_id(const Ipc__RevocationList *list, const char *name)
{
    Ipc__Config config = IPC__CONFIG__INIT;

    return revocation_hits_identity(list, &config, name, key, key_n, NULL);
}

static void expect_list(const char *has, const char *has_not)
{
    Ipc__RevocationList *list = take_list(ANSWER_MS);

    if (has)
        assert_true(list_has_id(list, has));
    if (has_not)
        assert_false(list_has_id(list, has_not));
    ipc__revocation_list__free_unpacked(list, NULL);
}

static void launch(const struct variant *variant)
{
    Ipc__Start start = IPC__START__INIT;
    int fds[1] = { config_fd(variant) };

    start.state = state;
    issuer = process_start(ISSUER, &start, fds, 1, log_path);
}

static void give_link(const char *name, int *ret_ours)
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

static void start_issuer(const struct variant *variant)
{
    Ipc__Message *ready;

    launch(variant);
    ipc__revocation_list__free_unpacked(take_list(ANSWER_MS), NULL);
    ready = expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL);
    ipc_message_free(ready);
    give_link("ledger", &ledger);
}

static void end_issuer(void)
{
    int status;

    fd_close(STEAL_FD(ledger));
    status = process_end(&issuer);
    if (status != 0) {
        CLEANUP(free) char *log = read_text(log_path);
        fail_msg("the issuer ended with %#x:\n%s", (unsigned)status, log);
    }
}

static int fresh(void **unused)
{
    (void)unused;
    write_file(revoked_path, "");
    (void)chmod(revoked_path, 0644);
    (void)unlink(own_path);
    (void)unlink(log_path);
    ledger = -1;
    return 0;
}

static int set_up(void **unused)
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

static int tear_down(void **unused)
{
    fd_close(newest);
    free(key);
    keygen_remove(state);
    keygen_remove(lists);
    return fixture_free_keys(unused);
}

/* ---- gates ---- */

static int new_gate(void)
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

static void send_token(int gate, const char *token, const uint8_t *blob, size_t n)
{
    Ipc__Certify body = IPC__CERTIFY__INIT;
    Ipc__Message message = IPC_MESSAGE(CERTIFY, certify, &body);

    body.token = (char *)(uintptr_t)token;
    body.key = (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)(uintptr_t)blob };
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
}

static Ipc__Message *ask(const char *token)
{
    CLEANUP(fd_close) int gate = new_gate();

    send_token(gate, token, key, key_n);
    return expect(gate, IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL);
}

/* members: "\"sub\":\"alice\""; lives for ttl seconds. */
static char *token_of(const char *members, int ttl)
{
    CLEANUP(free)
    char *claims = fixture_format("{" ISS ",\"exp\":%lld,%s}", (long long)time(NULL) + ttl, members);

    return fixture_token(FIXTURE_ED25519, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}", claims);
}

#define ALICE "\"sub\":\"alice\",\"groups\":[\"agents\",\"staff\"]"

static void expect_refusal(const char *token, const char *code, const char *text)
{
    Ipc__Message *message = ask(token);
    const Ipc__Refusal *refusal = message->certified->refusal;

    if (!refusal || strcmp(refusal->code, code) != 0 || !strstr(refusal->message, text))
        fail_msg("%s: %s", refusal ? refusal->code : "no refusal", refusal ? refusal->message : "");
    assert_int_equal(message->certified->certificate.len, 0);
    ipc_message_free(message);
}

static const char *field(const Ipc__Audit *audit, const char *name)
{
    for (size_t i = 0; i < audit->n_fields; i++)
        if (strcmp(audit->fields[i]->name, name) == 0)
            return audit->fields[i]->value;
    return "";
}

/* As the gate will look at it. */
static int admit(const Ipc__Certified *certified, const struct variant *variant, const char *source,
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

/* ---- certificates ---- */

static void a_good_token_becomes_a_certificate_that_is_audited(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free)
    char *token = token_of(ALICE ",\"jti\":\"t-7\",\"azp\":\"cli\",\"act\":{\"sub\":\"robot\"}", 300);
    Ipc__Identity *identity = NULL;
    struct detail detail = { "" };
    time_t now = time(NULL);

    (void)unused;
    start_issuer(&variant);
    Ipc__Message *message = ask(token);
    const Ipc__Certified *certified = message->certified;
    if (certified->refusal)
        fail_msg("%s", certified->refusal->message);
    assert_string_equal(certified->identity, "corp/alice");
    assert_in_range(certified->valid_before, now + 298, now + 302); /* the token's own end */
    if (admit(certified, &variant, SOURCE, &identity, &detail))
        fail_msg("%s", detail.text);
    assert_string_equal(identity->name, "corp/alice");
    assert_int_equal(identity->n_roles, 1);
    assert_string_equal(identity->roles[0], "agent");
    assert_string_equal(identity->claims->actor, "robot");
    assert_true(identity->forwarding);
    assert_false(identity->pty);
    assert_true(identity->serial != 0);

    Ipc__Message *report = expect(ledger, IPC__MESSAGE__BODY_AUDIT, ANSWER_MS, NULL);
    assert_string_equal(report->audit->event, "certificate_issued");
    assert_string_equal(field(report->audit, "identity"), "corp/alice");
    assert_string_equal(field(report->audit, "roles"), "agent");
    assert_string_equal(field(report->audit, "token_id"), "t-7");
    assert_string_equal(field(report->audit, "actor"), "robot");
    assert_string_equal(field(report->audit, "authorized_party"), "cli");
    assert_string_equal(field(report->audit, "source_address"), SOURCE);
    assert_string_equal(field(report->audit, "key"), identity->fingerprint);
    char serial[24];
    snprintf(serial, sizeof(serial), "%llu", (unsigned long long)identity->serial);
    assert_string_equal(field(report->audit, "serial"), serial);
    ipc_message_free(report);
    ipc_message_free(message);
    ipc__identity__free_unpacked(identity, NULL);
    end_issuer();
    assert_false(log_has(token));
    assert_true(log_has("certificate_issued"));
}

static void a_certificate_may_outlive_its_token_and_be_bound_to_an_address(void **unused)
{
    const struct variant variant = { .bind = true, .beyond = true };
    CLEANUP(free) char *token = token_of("\"sub\":\"bob\",\"groups\":[\"dba\",\"agents\"]", 30);
    Ipc__Identity *identity = NULL;
    struct detail detail = { "" };
    time_t now = time(NULL);

    (void)unused;
    start_issuer(&variant);
    Ipc__Message *message = ask(token);
    assert_null(message->certified->refusal);
    assert_in_range(message->certified->valid_before, now + 898, now + 902);
    assert_int_equal(admit(message->certified, &variant, SOURCE, &identity, &detail), 0);
    assert_int_equal(identity->n_roles, 2);
    assert_true(identity->pty);
    ipc__identity__free_unpacked(identity, NULL);
    identity = NULL;
    assert_int_equal(admit(message->certified, &variant, "192.0.2.8", &identity, &detail),
                     CERTIFICATE_WRONG_SOURCE);
    ipc_message_free(message);
    end_issuer();
}

static void bad_tokens_are_refused_with_their_reason_and_audited(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *good = token_of(ALICE, 300);
    CLEANUP(free) char *expired = token_of(ALICE, -3600);
    CLEANUP(free) char *just_expired = token_of(ALICE, -30);
    CLEANUP(free) char *nobody = token_of("\"sub\":\"carl\",\"groups\":[\"staff\"]", 300);
    CLEANUP(free)
    char *forged = fixture_token(FIXTURE_ED25519_OTHER, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}",
                                 "{" ISS ",\"exp\":253402300000," ALICE "}");
    CLEANUP(free)
    char *unknown = fixture_token(FIXTURE_ED25519, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"k2\"}",
                                  "{" ISS ",\"exp\":253402300000," ALICE "}");

    (void)unused;
    start_issuer(&variant);
    expect_refusal("nonsense", "malformed", "that is no JSON Web Token");
    expect_refusal("", "malformed", "no token came");
    expect_refusal(expired, "denied", "the token expired 36");
    expect_refusal(just_expired, "denied", "the token has just expired");
    expect_refusal(forged, "denied", "the token's signature is wrong");
    expect_refusal(unknown, "denied", "the token's issuer has no key \"k2\"");
    expect_refusal(nobody, "denied", "no role here is for what it says of corp/carl");
    for (int i = 0; i < 7; i++) {
        Ipc__Message *report = expect(ledger, IPC__MESSAGE__BODY_AUDIT, ANSWER_MS, NULL);

        assert_string_equal(report->audit->event, "certificate_refused");
        assert_string_not_equal(field(report->audit, "reason"), "");
        assert_string_not_equal(field(report->audit, "key"), "");
        ipc_message_free(report);
    }
    Ipc__Message *message = ask(good); /* and goes on */
    assert_null(message->certified->refusal);
    ipc_message_free(message);
    end_issuer();
    assert_false(log_has(expired));
    assert_false(log_has(strrchr(forged, '.') + 1));
}

static void keys_that_are_too_weak_get_no_certificate(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *token = token_of(ALICE, 300);
    size_t n = 0;
    CLEANUP(free) uint8_t *weak = fixture_ssh(FIXTURE_RSA_WEAK, &n);

    (void)unused;
    start_issuer(&variant);
    CLEANUP(fd_close) int gate = new_gate();
    send_token(gate, token, weak, n);
    Ipc__Message *message = expect(gate, IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL);
    assert_non_null(message->certified->refusal);
    assert_string_equal(message->certified->refusal->code, "denied");
    assert_non_null(strstr(message->certified->refusal->message, "1024"));
    ipc_message_free(message);
    end_issuer();
}

static void every_kind_of_key_gets_a_certificate(void **unused)
{
    static const enum fixture_key kinds[] = { FIXTURE_RSA, FIXTURE_P256, FIXTURE_P384, FIXTURE_P521,
                                              FIXTURE_ED25519 };
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *token = token_of(ALICE, 300);

    (void)unused;
    start_issuer(&variant);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = 0;
        CLEANUP(free) uint8_t *blob = fixture_ssh(kinds[i], &n);
        CLEANUP(fd_close) int gate = new_gate();
        Ipc__Identity *identity = NULL;
        struct detail detail = { "" };

        send_token(gate, token, blob, n);
        Ipc__Message *message = expect(gate, IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL);
        assert_null(message->certified->refusal);
        if (admit(message->certified, &variant, SOURCE, &identity, &detail))
            fail_msg("%zu: %s", i, detail.text);
        ipc__identity__free_unpacked(identity, NULL);
        ipc_message_free(message);
    }
    end_issuer();
}

static void a_gate_asks_once(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *token = token_of(ALICE, 300);

    (void)unused;
    start_issuer(&variant);
    CLEANUP(fd_close) int gate = new_gate();
    send_token(gate, token, key, key_n);
    ipc_message_free(expect(gate, IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL));
    send_token(gate, token, key, key_n);
    expect_end(gate, ANSWER_MS);
    Ipc__Message *message = ask(token); /* others do not suffer */
    assert_null(message->certified->refusal);
    ipc_message_free(message);
    end_issuer();
}

static void without_the_ledger_nothing_is_issued(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *token = token_of(ALICE, 300);

    (void)unused;
    start_issuer(&variant);
    fd_close(STEAL_FD(ledger));
    uint64_t until = clock_ms() + ANSWER_MS;
    while (!log_has("ledger_lost") && clock_ms() < until)
        usleep(10000);
    expect_refusal(token, "issuer_unavailable", "the ledger is not available");
    give_link("ledger", &ledger);
    Ipc__Message *message = ask(token);
    assert_null(message->certified->refusal);
    ipc_message_free(message);
    end_issuer();
}

/* ---- what is revoked ---- */

static void a_revoked_identity_and_a_revoked_key_get_no_certificate(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *alice = token_of(ALICE, 300);
    CLEANUP(free) char *bob = token_of("\"sub\":\"bob\",\"groups\":[\"agents\"]", 300);

    (void)unused;
    write_file(revoked_path, "id:corp/alice\n");
    start_issuer(&variant);
    expect_refusal(alice, "denied", "the identity \"corp/alice\" has been revoked");
    Ipc__Message *message = ask(bob);
    assert_null(message->certified->refusal);
    Ipc__Identity *identity = NULL;
    struct detail detail;
    assert_int_equal(admit(message->certified, &variant, SOURCE, &identity, &detail), 0);
    CLEANUP(free) char *line = fixture_format("key:%s\n", identity->fingerprint);
    ipc__identity__free_unpacked(identity, NULL);
    ipc_message_free(message);
    write_file(revoked_path, line);
    ipc__revocation_list__free_unpacked(take_list(SOON_MS), NULL);
    expect_refusal(bob, "denied", "your key has been revoked");
    end_issuer();
}

static void changes_of_the_file_are_published_within_a_second(void **unused)
{
    const struct variant variant = { .bind = false };
    uint64_t before;

    (void)unused;
    start_issuer(&variant);
    before = clock_ms();
    write_file(revoked_path, "id:corp/dora # left\n");
    expect_list("corp/dora", "corp/alice");
    assert_in_range(clock_ms() - before, 0, SOON_MS);
    write_file(revoked_path, "id:corp/alice\n");
    expect_list("corp/alice", "corp/dora");
    end_issuer();
}

static void a_file_that_was_replaced_is_read_too(void **unused)
{
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *other = fixture_format("%s/new", lists);

    (void)unused;
    start_issuer(&variant);
    write_file(other, "id:corp/emil\n");
    assert_int_equal(rename(other, revoked_path), 0);
    expect_list("corp/emil", NULL);
    end_issuer();
}

static void a_garbled_file_changes_nothing_and_is_logged(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(revoked_path, "id:corp/fred\n");
    start_issuer(&variant);
    write_file(revoked_path, "id:corp/fred\nnonsense\n");
    uint64_t until = clock_ms() + ANSWER_MS;
    while (!log_has("revoked_unreadable") && clock_ms() < until)
        usleep(10000);
    assert_true(log_has("line 2"));
    CLEANUP(free) char *fred = token_of("\"sub\":\"fred\",\"groups\":[\"agents\"]", 300);
    expect_refusal(fred, "denied", "has been revoked");
    write_file(revoked_path, "id:corp/gerd\n");
    expect_list("corp/gerd", "corp/fred");
    assert_true(log_has("revoked_readable"));
    assert_int_equal(unlink(revoked_path), 0);
    until = clock_ms() + ANSWER_MS;
    while (!log_has("No such file") && clock_ms() < until)
        usleep(10000);
    CLEANUP(free) char *gerd = token_of("\"sub\":\"gerd\",\"groups\":[\"agents\"]", 300);
    expect_refusal(gerd, "denied", "has been revoked");
    end_issuer();
}

static void operator_revokes(const char *what, const char *reason, const char *error)
{
    static uint64_t number;
    Ipc__Revoke body = IPC__REVOKE__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOKE, revoke, &body);

    body.request = ++number;
    body.what = (char *)(uintptr_t)what;
    body.by = (char *)"corp/dba-1";
    body.reason = (char *)(uintptr_t)reason;
    assert_int_equal(ipc_send_now(ledger, &message, NULL, 0, ANSWER_MS), 0);
    Ipc__Message *done = expect(ledger, IPC__MESSAGE__BODY_REVOKE_DONE, ANSWER_MS, NULL);
    assert_int_equal(done->revoke_done->request, number);
    if (!error && done->revoke_done->error[0])
        fail_msg("%s", done->revoke_done->error);
    if (error)
        assert_non_null(strstr(done->revoke_done->error, error));
    ipc_message_free(done);
}

static void an_operators_revocation_is_published_and_survives_a_restart(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(revoked_path, "id:corp/from-file\n");
    start_issuer(&variant);
    operator_revokes("corp/hugo", "left the\ncompany # really", NULL);
    expect_list("corp/hugo", NULL);
    operator_revokes("serial:77", "", NULL);
    Ipc__RevocationList *list = take_list(ANSWER_MS);
    assert_int_equal(list->n_certificates, 1);
    assert_int_equal(list->certificates[0]->n_first, 1);
    assert_int_equal(list->certificates[0]->first[0], 77);
    ipc__revocation_list__free_unpacked(list, NULL);
    operator_revokes("serial:x", "", "a serial is a decimal number");
    operator_revokes("a\nserial:1", "", "control characters");
    end_issuer();

    CLEANUP(free) char *text = read_text(own_path);
    assert_non_null(strstr(text, "id:corp/hugo # "));
    assert_non_null(strstr(text, " by corp/dba-1: left the\\x0acompany"));
    struct stat about;
    assert_int_equal(stat(own_path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);

    launch(&variant);
    list = take_list(ANSWER_MS);
    assert_true(list_has_id(list, "corp/hugo"));
    assert_true(list_has_id(list, "corp/from-file"));
    ipc__revocation_list__free_unpacked(list, NULL);
    ipc_message_free(expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    ledger = -1;
    end_issuer();
}

static void a_line_that_was_never_ended_is_not_added_to(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(own_path, "id:corp/ida");
    start_issuer(&variant);
    operator_revokes("corp/jan", "", NULL);
    Ipc__RevocationList *list = take_list(ANSWER_MS);
    assert_true(list_has_id(list, "corp/ida"));
    assert_true(list_has_id(list, "corp/jan"));
    ipc__revocation_list__free_unpacked(list, NULL);
    end_issuer();
}

static void a_garbled_file_at_the_start_is_fatal_when_there_was_no_list_before(void **unused)
{
    const struct variant variant = { .bind = false };

    (void)unused;
    write_file(revoked_path, "nonsense\n");
    launch(&variant);
    int status = 0;
    assert_int_equal(waitpid(issuer.pid, &status, 0), issuer.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 78);
    fd_close(STEAL_FD(issuer.control));
    assert_true(log_has("start_failed"));
    assert_true(log_has("line 1"));
}

static void a_restarted_issuer_goes_on_with_the_list_of_the_one_before(void **unused)
{
    const struct variant variant = { .bind = false };
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);

    (void)unused;
    write_file(revoked_path, "id:corp/kurt\n");
    start_issuer(&variant);
    end_issuer(); /* `newest` is what the listener keeps */
    write_file(revoked_path, "nonsense\n");
    launch(&variant);
    assert_int_equal(ipc_send_now(issuer.control, &message, &newest, 1, ANSWER_MS), 0);
    expect_list("corp/kurt", NULL);
    ipc_message_free(expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    give_link("ledger", &ledger);
    operator_revokes("corp/lena", "", NULL);
    Ipc__RevocationList *list = take_list(ANSWER_MS);
    assert_true(list_has_id(list, "corp/kurt"));
    assert_true(list_has_id(list, "corp/lena"));
    ipc__revocation_list__free_unpacked(list, NULL);
    write_file(revoked_path, "id:corp/mona\n");
    expect_list("corp/mona", "corp/kurt");
    end_issuer();
}

/* A list beside the secrets of the state directory: the jail lets through the file, not its directory. */
static void a_replaced_file_among_secrets_is_for_a_new_process(void **unused)
{
    CLEANUP(free) char *inside = fixture_format("%s/inside.revoked", state);
    CLEANUP(free) char *other = fixture_format("%s/other.revoked", state);
    const struct variant variant = { .revoked = inside };

    (void)unused;
    write_file(inside, "");
    start_issuer(&variant);
    write_file(inside, "id:corp/nora\n");
    expect_list("corp/nora", NULL);
    write_file(other, "id:corp/otto\n");
    assert_int_equal(rename(other, inside), 0);
    /* Without Landlock in the kernel it is simply read. */
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(issuer.control, ANSWER_MS, &message, fds, &n);
    if (r == 0) {
        assert_true(log_has("no_landlock"));
        close(fds[0]);
        ipc_message_free(message);
    } else {
        assert_int_equal(r, -EPIPE);
        if (!log_has("was replaced by another file")) {
            CLEANUP(free) char *log = read_text(log_path);
            fail_msg("%s", log);
        }
    }
    end_issuer();
    launch(&variant);
    expect_list("corp/otto", "corp/nora");
    ipc_message_free(expect(issuer.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    ledger = -1;
    end_issuer();
    (void)unlink(inside);
}

/* ---- start and reload ---- */

static void reload(const struct variant *variant)
{
    Ipc__Reload body = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &body);
    CLEANUP(fd_close) int fd = config_fd(variant);

    assert_int_equal(ipc_send_now(issuer.control, &message, &fd, 1, ANSWER_MS), 0);
}

static void a_reload_counts_from_the_next_token_on(void **unused)
{
    struct variant variant = { .bind = false };
    CLEANUP(free) char *token = token_of(ALICE, 30);

    (void)unused;
    start_issuer(&variant);
    variant.beyond = true;
    reload(&variant);
    Ipc__Message *message = ask(token);
    assert_null(message->certified->refusal);
    assert_true(message->certified->valid_before > (uint64_t)time(NULL) + 800);
    ipc_message_free(message);
    end_issuer();
}

static void another_user_ca_is_for_a_new_process(void **unused)
{
    struct variant variant = { .bind = false };

    (void)unused;
    start_issuer(&variant);
    variant.ca = "other_ca";
    reload(&variant);
    expect_end(issuer.control, ANSWER_MS);
    assert_true(log_has("the user CA has changed"));
    end_issuer();
    start_issuer(&variant);
    CLEANUP(free) char *token = token_of(ALICE, 30);
    Ipc__Message *message = ask(token);
    Ipc__Identity *identity = NULL;
    struct detail detail = { "" };
    assert_int_equal(admit(message->certified, &variant, SOURCE, &identity, &detail), 0);
    ipc__identity__free_unpacked(identity, NULL);
    ipc_message_free(message);
    end_issuer();
}

static void expect_no_start(const struct variant *variant, const char *reason)
{
    int status = 0;

    launch(variant);
    assert_int_equal(waitpid(issuer.pid, &status, 0), issuer.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 78);
    fd_close(STEAL_FD(issuer.control));
    if (!log_has(reason)) {
        CLEANUP(free) char *log = read_text(log_path);
        fail_msg("%s", log);
    }
}

static void a_user_ca_that_can_not_be_used_is_fatal(void **unused)
{
    const struct variant mixed = { .ca = "mixed" }, missing = { .ca = "missing" }, open_ca = { .ca = "open" };
    CLEANUP(free) char *path = fixture_format("%s/mixed", state);
    CLEANUP(free) char *pub = fixture_format("%s/mixed.pub", state);
    CLEANUP(free) char *missing_pub = fixture_format("%s/missing.pub", state);
    CLEANUP(free) char *open_path = fixture_format("%s/open", state);
    CLEANUP(free) char *private = keygen_read(state, "user_ca", NULL);
    CLEANUP(free) char *public = keygen_read(state, "other_ca.pub", NULL);

    (void)unused;
    write_file(path, private);
    (void)chmod(path, 0600);
    write_file(pub, public);
    write_file(missing_pub, public);
    keygen_key(state, "open", "ed25519", NULL);
    (void)chmod(open_path, 0644);
    expect_no_start(&mixed, "are not of one pair");
    expect_no_start(&missing, "No such file");
    expect_no_start(&open_ca, "may be read by others: chmod 600 it");
}

/* Who only trusts other CAs needs no private key of one. */
static void without_issuers_the_user_ca_is_not_read(void **unused)
{
    const struct variant variant = { .no_issuers = true, .ca = "absent" };
    CLEANUP(free) char *pub = fixture_format("%s/absent.pub", state);
    CLEANUP(free) char *public = keygen_read(state, "other_ca.pub", NULL);
    CLEANUP(free) char *token = token_of(ALICE, 30);

    (void)unused;
    write_file(pub, public);
    start_issuer(&variant);
    expect_refusal(token, "denied", "no certificates are issued here");
    end_issuer();
}

#define CASE(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_good_token_becomes_a_certificate_that_is_audited),
        CASE(a_certificate_may_outlive_its_token_and_be_bound_to_an_address),
        CASE(bad_tokens_are_refused_with_their_reason_and_audited),
        CASE(keys_that_are_too_weak_get_no_certificate),
        CASE(every_kind_of_key_gets_a_certificate),
        CASE(a_gate_asks_once),
        CASE(without_the_ledger_nothing_is_issued),
        CASE(a_revoked_identity_and_a_revoked_key_get_no_certificate),
        CASE(changes_of_the_file_are_published_within_a_second),
        CASE(a_file_that_was_replaced_is_read_too),
        CASE(a_garbled_file_changes_nothing_and_is_logged),
        CASE(an_operators_revocation_is_published_and_survives_a_restart),
        CASE(a_line_that_was_never_ended_is_not_added_to),
        CASE(a_garbled_file_at_the_start_is_fatal_when_there_was_no_list_before),
        CASE(a_restarted_issuer_goes_on_with_the_list_of_the_one_before),
        CASE(a_replaced_file_among_secrets_is_for_a_new_process),
        CASE(a_reload_counts_from_the_next_token_on),
        CASE(another_user_ca_is_for_a_new_process),
        CASE(a_user_ca_that_can_not_be_used_is_fatal),
        CASE(without_issuers_the_user_ca_is_not_read),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
