/* The real gatehouse-issuer: what becomes of tokens and of OpenPubkey certificates, starts and reloads. */
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
#include <openssl/evp.h>

#include "check.h"
#include "base/clock.h"
#include "base/io.h"
#include "policy/certificate.h"
#include "policy/revocation.h"
#include "issuer_fixture.h"
#include "keygen.h"
#include "token_fixture.h"

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

/* Those that are served go on. */
static void more_gates_than_the_limit_are_turned_away(void **unused)
{
    enum { GATES_MAX = 512 }; /* ISSUER_GATES_MAX */
    const struct variant variant = { .bind = false };
    CLEANUP(free) char *token = token_of(ALICE, 300);
    static int gates[GATES_MAX];

    (void)unused;
    start_issuer(&variant);
    for (size_t i = 0; i < GATES_MAX; i++)
        gates[i] = new_gate();
    CLEANUP(fd_close) int late = new_gate();
    expect_end(late, ANSWER_MS);
    send_token(gates[GATES_MAX - 1], token, key, key_n);
    Ipc__Message *message = expect(gates[GATES_MAX - 1], IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL);
    assert_null(message->certified->refusal);
    ipc_message_free(message);
    for (size_t i = 0; i < GATES_MAX; i++)
        close(gates[i]);
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

/* ---- OpenPubkey ---- */

/* As opkssh makes them: a key that signs its own certificate, which has the PK token in it. */
static Ipc__Message *exchange(const char *packet)
{
    CLEANUP(free) char *pem = fixture_pem(FIXTURE_P256);
    CLEANUP(free) char *path = fixture_format("%s/opk", state);
    CLEANUP(free) char *option = fixture_format("extension:openpubkey-pkt=%s", packet ? packet : "none");
    CLEANUP(free) char *command = fixture_format("ssh-keygen -y -f %s > %s.pub", path, path);
    const char *const public_key[] = { "sh", "-c", command, NULL };
    const char *const options[] = { "-I", "alice@example.com", packet ? "-O" : NULL, option, NULL };
    CLEANUP(fd_close) int gate = new_gate();
    Ipc__Exchange body = IPC__EXCHANGE__INIT;
    Ipc__Message message = IPC_MESSAGE(EXCHANGE, exchange, &body);

    write_file(path, pem);
    (void)chmod(path, 0600);
    keygen_run(state, public_key);
    body.certificate.data = keygen_certify(state, "opk", "opk", options, &body.certificate.len);
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
    free(body.certificate.data);
    return expect(gate, IPC__MESSAGE__BODY_CERTIFIED, ANSWER_MS, NULL);
}

/* A PK token of the P-256 key; *ret_id: the ID token in it. */
static char *pk_token(char **ret_id)
{
    CLEANUP(free) char *jwk = fixture_jwk(FIXTURE_P256, "\"alg\":\"ES256\"");
    CLEANUP(free)
    char *header = fixture_format("{\"alg\":\"ES256\",\"rz\":\"00\",\"typ\":\"CIC\",\"upk\":%s}", jwk);
    uint8_t hash[32];
    assert_int_equal(EVP_Digest(header, strlen(header), hash, NULL, EVP_sha3_256(), NULL), 1);
    CLEANUP(free) char *nonce = fixture_base64url(hash, sizeof(hash));
    CLEANUP(free)
    char *claims =
        fixture_format("{\"iss\":\"https://idp.example.com\",\"aud\":\"opk-client\",\"exp\":%lld," ALICE
                       ",\"nonce\":\"%s\"}",
                       (long long)time(NULL) + 300, nonce);
    char *id =
        fixture_token(FIXTURE_ED25519, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"typ\":\"JWT\"}", claims);
    CLEANUP(free) char *client = fixture_token(FIXTURE_P256, "ES256", header, claims);
    const char *id_dot = strchr(id, '.'), *client_dot = strchr(client, '.');
    const char *payload_end = strrchr(id, '.');

    *ret_id = id;
    return fixture_format("%.*s:%.*s:%s:%.*s:%s", (int)(payload_end - id_dot - 1), id_dot + 1,
                          (int)(id_dot - id), id, payload_end + 1, (int)(client_dot - client), client,
                          strrchr(client, '.') + 1);
}

static void an_openpubkey_certificate_is_exchanged(void **unused)
{
    const struct variant variant = { .openpubkey = true, .two_audiences = true };
    CLEANUP(free) char *id = NULL;
    CLEANUP(free) char *packet = pk_token(&id);
    Ipc__Identity *identity = NULL;
    struct detail detail = { "" };

    (void)unused;
    start_issuer(&variant);
    Ipc__Message *message = exchange(packet);
    if (message->certified->refusal)
        fail_msg("%s", message->certified->refusal->message);
    assert_string_equal(message->certified->identity, "corp/alice");
    if (admit(message->certified, &variant, SOURCE, &identity, &detail))
        fail_msg("%s", detail.text);
    assert_string_equal(identity->roles[0], "agent");
    ipc__identity__free_unpacked(identity, NULL);
    ipc_message_free(message);
    message = exchange(NULL);
    assert_non_null(message->certified->refusal);
    assert_string_equal(message->certified->refusal->message, "your certificate is not one of OpenPubkey");
    ipc_message_free(message);
    message = exchange("nonsense");
    assert_non_null(message->certified->refusal);
    assert_non_null(strstr(message->certified->refusal->message, "malformed"));
    ipc_message_free(message);
    end_issuer();
}

/* Every server that somebody logs in to with opkssh sees the ID token: alone it is good for nothing. */
static void the_id_token_of_an_openpubkey_certificate_is_no_token_to_enrol_with(void **unused)
{
    const struct variant variant = { .openpubkey = true, .two_audiences = true };
    CLEANUP(free) char *id = NULL;
    CLEANUP(free) char *packet = pk_token(&id);
    CLEANUP(free) char *plain = token_of(ALICE, 300);

    (void)unused;
    start_issuer(&variant);
    Ipc__Message *message = exchange(packet);
    assert_null(message->certified->refusal);
    ipc_message_free(message);
    expect_refusal(id, "denied", "may be out of an OpenPubkey certificate");
    message = ask(plain);
    assert_null(message->certified->refusal);
    ipc_message_free(message);
    end_issuer();
}

static void openpubkey_is_for_issuers_that_are_configured_so(void **unused)
{
    const struct variant variant = { .two_audiences = true };
    CLEANUP(free) char *id = NULL;
    CLEANUP(free) char *packet = pk_token(&id);

    (void)unused;
    start_issuer(&variant);
    Ipc__Message *message = exchange(packet);
    assert_non_null(message->certified->refusal);
    assert_non_null(strstr(message->certified->refusal->message, "not accepted of its issuer here"));
    ipc_message_free(message);
    end_issuer();
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
        CASE(more_gates_than_the_limit_are_turned_away),
        CASE(without_the_ledger_nothing_is_issued),
        CASE(an_openpubkey_certificate_is_exchanged),
        CASE(the_id_token_of_an_openpubkey_certificate_is_no_token_to_enrol_with),
        CASE(openpubkey_is_for_issuers_that_are_configured_so),
        CASE(a_reload_counts_from_the_next_token_on),
        CASE(another_user_ca_is_for_a_new_process),
        CASE(a_user_ca_that_can_not_be_used_is_fatal),
        CASE(without_issuers_the_user_ca_is_not_read),
    };

    return cmocka_run_group_tests(tests, issuer_set_up, issuer_tear_down);
}
