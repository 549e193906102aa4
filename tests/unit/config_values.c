/* What a good gatehouse.yaml becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "config_fixture.h"
#include "policy/config_parse.h"

#define SMALLEST "listen: [\"127.0.0.1:2222\"]\nstate: state\n"
#define TARGET                                                                                               \
    "targets:\n  - { name: orders, kind: postgres, database: shop, login: app, credential: orders-app, "

static void assert_path(const char *path, const char *relative)
{
    char whole[512];

    snprintf(whole, sizeof whole, "%s/%s", directory, relative);
    assert_string_equal(path, whole);
}

static Ipc__Config *parse(const char *text)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char path[512];

    snprintf(path, sizeof path, "%s/gatehouse.yaml", directory);
    int r = config_parse(path, (const uint8_t *)text, strlen(text), true, &config, &faults);
    config_faults_print(&faults, path, stderr);
    assert_int_equal(r, 0);
    assert_int_equal(faults.count, 0);
    return config;
}

static void release(Ipc__Config *config)
{
    ipc__config__free_unpacked(config, NULL);
}

static void what_is_left_out_gets_its_default(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST);

    assert_int_equal(config->n_listen, 1);
    assert_string_equal(config->listen[0], "127.0.0.1:2222");
    assert_path(config->path, "gatehouse.yaml");
    assert_path(config->state, "state");
    assert_int_equal(config->n_host_keys, 1);
    assert_path(config->host_keys[0], "state/host_ed25519");
    assert_int_equal(config->drain_ms, 30000);
    assert_path(config->user_ca, "state/user_ca");
    assert_path(config->user_ca_public->path, "state/user_ca.pub");
    assert_int_equal(config->n_trusted_cas, 0);
    assert_int_equal(config->n_roles, 0);
    assert_int_equal(config->n_issuers, 0);
    assert_string_equal(config->revoked, "");
    assert_int_equal(config->certificate_lifetime_ms, 15 * 60 * 1000);
    assert_false(config->bind_source_address);
    assert_false(config->lifetime_beyond_token);
    assert_false(config->keep_expired_sessions);
    assert_int_equal(config->n_targets, 0);
    assert_int_equal(config->n_rules, 0);
    assert_string_equal(config->recording->durability, "written");
    assert_int_equal(config->recording->output_limit, 64 << 20);
    assert_int_equal(config->recording->retention_ms, 0);
    release(config);
}

static void the_digest_is_the_files_sha256(void **state)
{
    (void)state;
    /* printf 'listen: ["127.0.0.1:2222"]\nstate: state\n' | sha256sum */
    Ipc__Config *config = parse(SMALLEST);

    assert_string_equal(config->digest, "78097957d571f0eea235613a78e4c772f46afcf3ad72369360e1a2d0a191f986");
    release(config);
}

static void a_ca_is_read_into_its_wire_form(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST "identity: { trusted_cas: [corp_ca.pub] }\n");
    static const char type[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20";
    static const char corp_type[] = "\0\0\0\x13"
                                    "ecdsa-sha2-nistp256";

    assert_int_equal(config->user_ca_public->blob.len, 4 + 11 + 4 + 32);
    assert_memory_equal(config->user_ca_public->blob.data, type, sizeof type - 1);
    assert_string_equal(config->user_ca_public->name, "user_ca");
    assert_int_equal(config->n_trusted_cas, 1);
    assert_string_equal(config->trusted_cas[0]->name, "corp_ca.pub");
    assert_path(config->trusted_cas[0]->path, "state/corp_ca.pub");
    assert_memory_equal(config->trusted_cas[0]->blob.data, corp_type, sizeof corp_type - 1);
    release(config);
}

static void a_role_knows_its_ca_by_one_name_however_the_path_is_written(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST "identity: { trusted_cas: [corp_ca.pub] }\n"
                                         "roles:\n"
                                         "  - name: ops\n"
                                         "    match: { ca: ./corp_ca.pub, principals: [ops, root] }\n"
                                         "  - { name: dba, may: [replay] }\n");

    assert_int_equal(config->n_roles, 2);
    assert_string_equal(config->roles[0]->name, "ops");
    assert_string_equal(config->roles[0]->ca, "corp_ca.pub");
    assert_int_equal(config->roles[0]->n_principals, 2);
    assert_string_equal(config->roles[0]->principals[1], "root");
    assert_int_equal(config->roles[0]->n_may, 0);
    assert_string_equal(config->roles[1]->ca, "");
    assert_int_equal(config->roles[1]->n_may, 1);
    assert_string_equal(config->roles[1]->may[0], "replay");
    release(config);
}

static void certificates_and_their_end_are_as_identity_says(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST "identity:\n"
                                         "  revoked: revoked\n"
                                         "  expire_sessions: false\n"
                                         "  certificate: { lifetime: 1m, bind_source_address: true, "
                                         "lifetime_beyond_token: true }\n");

    assert_path(config->revoked, "state/revoked");
    assert_int_equal(config->certificate_lifetime_ms, 60 * 1000);
    assert_true(config->bind_source_address);
    assert_true(config->lifetime_beyond_token);
    assert_true(config->keep_expired_sessions);
    release(config);
}

#define PROVIDER                                                                                             \
    "identity:\n"                                                                                            \
    "  issuers:\n"                                                                                           \
    "    - { name: corp, issuer: \"https://idp.example.com/\", audience: [one, two], client_id: cli, "       \
    "tls_ca: ca.crt, hosts: [keys.example.com], username_claim: email, groups_claim: roles, openpubkey: "    \
    "true }\n"                                                                                               \
    "    - { name: local, issuer: \"urn:local\", audience: gatehouse, key_file: local_issuer }\n"            \
    "    - { name: known, issuer: \"urn:known\", audience: gatehouse, jwks_file: keys.json }\n"

static void a_provider_keeps_where_to_go_and_what_to_ask(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST PROVIDER);
    const Ipc__Issuer *issuer = config->issuers[0];

    assert_int_equal(config->n_issuers, 3);
    assert_string_equal(issuer->name, "corp");
    assert_string_equal(issuer->issuer, "https://idp.example.com/");
    assert_int_equal(issuer->n_audiences, 2);
    assert_string_equal(issuer->audiences[1], "two");
    assert_string_equal(issuer->client_id, "cli");
    assert_int_equal(issuer->n_scopes, 1);
    assert_string_equal(issuer->scopes[0], "openid");
    assert_string_equal(issuer->username_claim, "email");
    assert_string_equal(issuer->groups_claim, "roles");
    assert_path(issuer->tls_ca, "state/ca.crt");
    assert_true(issuer->tls_ca_pem.len > 0);
    assert_string_equal(issuer->hosts[0], "keys.example.com");
    assert_true(issuer->openpubkey);
    assert_string_equal(issuer->jwks, "");
    release(config);
}

static void an_issuer_of_ours_has_the_public_half_of_its_key(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST PROVIDER);
    const Ipc__Issuer *issuer = config->issuers[1];

    assert_path(issuer->key_file, "state/local_issuer");
    assert_int_equal(issuer->n_audiences, 1);
    assert_string_equal(issuer->audiences[0], "gatehouse");
    assert_string_equal(issuer->username_claim, "sub");
    assert_string_equal(issuer->groups_claim, "groups");
    assert_int_equal(issuer->n_scopes, 0);
    /* openssl pkey -in local_issuer -pubout -outform DER | tail -c 32 | basenc --base64url */
    assert_non_null(
        strstr(issuer->jwks, "\"kty\":\"OKP\",\"x\":\"EvYKy5_qfPSalebkGddpzOivu0I5xfUx9GxnZtKuyPE\""));
    assert_null(strstr(issuer->jwks, "\"d\""));
    release(config);
}

static void an_issuer_of_known_keys_has_them_as_its_file_says(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST PROVIDER);
    const Ipc__Issuer *issuer = config->issuers[2];

    assert_string_equal(issuer->key_file, "");
    assert_non_null(strstr(issuer->jwks, "\"x\":\"t910Ire8v49AxHqzjUlWnJvBvflAXup84PaAABNpOqw\""));
    release(config);
}

static void a_role_for_tokens_keeps_its_conditions(void **state)
{
    (void)state;
    Ipc__Config *config =
        parse(SMALLEST PROVIDER "roles:\n"
                                "  - name: agent\n"
                                "    match: { issuer: local, groups: [agents, \"t-*\"], "
                                "claims: { amr: mfa, tier: [gold, silver] } }\n"
                                "    may: [revoke]\n"
                                "  - { name: ci, match: { issuer: known }, extensions: [] }\n"
                                "  - { name: plain }\n");
    const Ipc__Role *role = config->roles[0];

    assert_true(role->matches_claims);
    assert_string_equal(role->issuer, "local");
    assert_int_equal(role->n_groups, 2);
    assert_string_equal(role->groups[1], "t-*");
    assert_int_equal(role->n_claims, 2);
    assert_string_equal(role->claims[0]->name, "amr");
    assert_int_equal(role->claims[0]->n_values, 1);
    assert_string_equal(role->claims[1]->values[1], "silver");
    assert_string_equal(role->may[0], "revoke");
    assert_int_equal(role->n_extensions, 2);
    assert_string_equal(role->extensions[0], "permit-pty");
    assert_string_equal(role->extensions[1], "permit-port-forwarding");
    assert_true(config->roles[1]->matches_claims);
    assert_int_equal(config->roles[1]->n_extensions, 0);
    assert_false(config->roles[2]->matches_claims);
    assert_int_equal(config->roles[2]->n_extensions, 0);
    release(config);
}

static void a_role_by_groups_gets_the_only_issuer_there_is(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST "identity: { issuers: [{ name: local, issuer: \"urn:local\", "
                                         "audience: g, key_file: local_issuer }] }\n"
                                         "roles: [{ name: agent, match: { groups: [agents] } }]\n");

    assert_string_equal(config->roles[0]->issuer, "local");
    release(config);
}

static void a_target_is_reached_by_address_and_verified_by_default(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST TARGET "address: \"[::1]:5433\", tls_ca: ca.crt }\n");
    const Ipc__Target *target = config->targets[0];

    assert_string_equal(target->name, "orders");
    assert_string_equal(target->kind, "postgres");
    assert_string_equal(target->host, "::1");
    assert_int_equal(target->port, 5433);
    assert_string_equal(target->socket, "");
    assert_string_equal(target->database, "shop");
    assert_string_equal(target->login, "app");
    assert_string_equal(target->credential, "orders-app");
    assert_string_equal(target->tls, "verify-full");
    assert_path(target->tls_ca, "state/ca.crt");
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
    assert_int_equal(target->tls_ca_pem.len, strlen(pem));
    assert_memory_equal(target->tls_ca_pem.data, pem, strlen(pem));
    release(config);
}

static void a_target_on_a_unix_socket_has_no_tls_and_no_host(void **state)
{
    (void)state;
    Ipc__Config *config = parse(SMALLEST TARGET "address: \"unix:pg/.s.PGSQL.5444\" }\n");
    const Ipc__Target *target = config->targets[0];

    assert_path(target->socket, "state/pg/.s.PGSQL.5444");
    assert_int_equal(target->port, 5444);
    assert_string_equal(target->host, "");
    assert_string_equal(target->tls, "disable");
    release(config);
}

static const char RULES[] = SMALLEST "roles: [{ name: agent }]\n" TARGET "address: db:5432, tls: require }\n"
                                     "rules:\n"
                                     "  - name: one\n"
                                     "    targets: [orders]\n"
                                     "    match:\n"
                                     "      - statements: [copy, drop]\n"
                                     "        unbounded_write: true\n"
                                     "      - tables: [public.a]\n"
                                     "        columns: [\"*.ssn\"]\n"
                                     "        functions: [lo_export]\n"
                                     "        databases: [shop]\n"
                                     "        not: { tables: [b], not: { unbounded_write: false } }\n"
                                     "    action: deny\n"
                                     "    reason: because\n"
                                     "  - { name: two, roles: [agent], targets: [\"*\"], match: anything, "
                                     "action: allow }\n";

static void a_rules_match_keeps_its_blocks_and_words(void **state)
{
    (void)state;
    Ipc__Config *config = parse(RULES);
    const Ipc__Rule *rule = config->rules[0];

    assert_int_equal(config->n_rules, 2);
    assert_int_equal(rule->n_match, 2);
    assert_string_equal(rule->match[0]->statements[0], "copy");
    assert_string_equal(rule->match[0]->statements[1], "drop");
    assert_true(rule->match[0]->has_unbounded_write && rule->match[0]->unbounded_write);
    assert_null(rule->match[0]->not_);
    assert_string_equal(rule->match[1]->tables[0], "public.a");
    assert_string_equal(rule->match[1]->columns[0], "*.ssn");
    assert_string_equal(rule->match[1]->functions[0], "lo_export");
    assert_string_equal(rule->match[1]->databases[0], "shop");
    assert_false(rule->match[1]->has_unbounded_write);
    assert_string_equal(rule->match[1]->not_->tables[0], "b");
    assert_true(rule->match[1]->not_->not_->has_unbounded_write);
    assert_false(rule->match[1]->not_->not_->unbounded_write);
    release(config);
}

static void a_rule_keeps_who_where_what_and_why(void **state)
{
    (void)state;
    Ipc__Config *config = parse(RULES);
    const Ipc__Rule *one = config->rules[0], *two = config->rules[1];

    assert_string_equal(one->name, "one");
    assert_int_equal(one->n_roles, 0);
    assert_string_equal(one->targets[0], "orders");
    assert_string_equal(one->action, "deny");
    assert_string_equal(one->reason, "because");
    assert_int_equal(one->line, 7);
    assert_false(one->anything);
    assert_string_equal(two->roles[0], "agent");
    assert_string_equal(two->action, "allow");
    assert_string_equal(two->reason, "");
    assert_true(two->anything);
    assert_int_equal(two->n_match, 0);
    release(config);
}

static void a_config_survives_its_way_through_a_message(void **state)
{
    (void)state;
    Ipc__Config *config = parse(RULES);
    size_t n = ipc__config__get_packed_size(config);
    uint8_t *packed = malloc(n);

    assert_non_null(packed);
    assert_int_equal(ipc__config__pack(config, packed), n);
    Ipc__Config *again = ipc__config__unpack(NULL, n, packed);
    assert_non_null(again);
    assert_string_equal(again->rules[0]->match[1]->not_->tables[0], "b");
    assert_string_equal(again->targets[0]->tls, "require");
    ipc__config__free_unpacked(again, NULL);
    free(packed);
    release(config);
}

/* The text between "```yaml\n" and "```", without the files that it names. */
static size_t faults_of_block(const char *block, size_t n)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char *text = NULL;

    assert_true(asprintf(&text, "%.*s", (int)n, block) > 0);
    int r = config_parse("/etc/gatehouse.yaml", (const uint8_t *)text, strlen(text), false, &config, &faults);
    if (r)
        config_faults_print(&faults, text, stderr);
    size_t count = faults.count;
    config_faults_free(&faults);
    if (config)
        release(config);
    free(text);
    return count;
}

static void the_whole_file_of_the_reference_is_good(void **state)
{
    (void)state;
    static const char fence[] = "```yaml\n";
    CLEANUP(fd_close) int fd = open("../../docs/configuration.md", O_RDONLY | O_CLOEXEC);
    CLEANUP(free) uint8_t *reference = NULL;
    size_t n = 0;

    assert_int_equal(fd_contents(fd, 1 << 20, &reference, &n), 0);
    const char *block = strstr((const char *)reference, fence);
    assert_non_null(block);
    block += sizeof fence - 1;
    assert_int_equal(faults_of_block(block, (size_t)(strstr(block, "```") - block)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_gets_its_default),
        cmocka_unit_test(the_digest_is_the_files_sha256),
        cmocka_unit_test(a_ca_is_read_into_its_wire_form),
        cmocka_unit_test(a_role_knows_its_ca_by_one_name_however_the_path_is_written),
        cmocka_unit_test(certificates_and_their_end_are_as_identity_says),
        cmocka_unit_test(a_provider_keeps_where_to_go_and_what_to_ask),
        cmocka_unit_test(an_issuer_of_ours_has_the_public_half_of_its_key),
        cmocka_unit_test(an_issuer_of_known_keys_has_them_as_its_file_says),
        cmocka_unit_test(a_role_for_tokens_keeps_its_conditions),
        cmocka_unit_test(a_role_by_groups_gets_the_only_issuer_there_is),
        cmocka_unit_test(a_target_is_reached_by_address_and_verified_by_default),
        cmocka_unit_test(a_target_on_a_unix_socket_has_no_tls_and_no_host),
        cmocka_unit_test(a_rules_match_keeps_its_blocks_and_words),
        cmocka_unit_test(a_rule_keeps_who_where_what_and_why),
        cmocka_unit_test(a_config_survives_its_way_through_a_message),
        cmocka_unit_test(the_whole_file_of_the_reference_is_good),
    };

    return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
