/* What a good gatehouse.yaml becomes, and faults that no case file can hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "config_fixture.h"
#include "policy/config_address.h"
#include "policy/config_parse.h"
#include "policy/config_reader.h"

#define SMALLEST "listen: [\"127.0.0.1:2222\"]\nstate: state\n"
#define TARGET                                                                                               \
    "targets:\n  - { name: orders, kind: postgres, database: shop, login: app, credential: orders-app, "

static char *directory;

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

/* The one fault of a file that config_load() reads itself. */
static void assert_load_fault(const char *name, const char *message)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    char path[512], line[1024], expected[1024];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(config_load(path, &config, &faults), 1);
    assert_null(config);
    assert_int_equal(faults.count, 1);
    snprintf(expected, sizeof expected, "%s: error: %s", path, message);
    assert_string_equal(config_fault_line(&faults.items[0], path, line, sizeof line), expected);
    config_faults_free(&faults);
}

static void a_file_that_cannot_be_read_is_one_fault_without_a_line(void **state)
{
    (void)state;
    assert_load_fault("gone.yaml", "No such file or directory");
    assert_load_fault("state", "not a file");
    assert_load_fault("state/fifo", "not a file");
}

static void a_file_beyond_the_limit_is_refused_and_one_at_it_is_read(void **state)
{
    (void)state;
    char *big = malloc(CONFIG_FILE_MAX + 1);
    char path[512];
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;

    assert_non_null(big);
    memset(big, '\n', CONFIG_FILE_MAX + 1);
    memcpy(big, SMALLEST, strlen(SMALLEST));
    fixture_write(directory, "big.yaml", 0600, big, CONFIG_FILE_MAX + 1);
    assert_load_fault("big.yaml", "the file is larger than 4 MiB");
    fixture_write(directory, "big.yaml", 0600, big, CONFIG_FILE_MAX);
    snprintf(path, sizeof path, "%s/big.yaml", directory);
    assert_int_equal(config_load(path, &config, &faults), 0);
    release(config);
    free(big);
}

/* "<head>" n times "<item>" "<tail>" as a configuration; the number of faults, and the first one's message.
 */
static size_t faults_of_many(const char *head, const char *item, size_t n, const char *tail, char *ret_first,
                             size_t size)
{
    size_t item_n = strlen(item), head_n = strlen(head);
    char *text = malloc(head_n + n * item_n + strlen(tail) + 1);
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;

    assert_non_null(text);
    strcpy(text, head);
    for (size_t i = 0; i < n; i++)
        memcpy(text + head_n + i * item_n, item, item_n);
    strcpy(text + head_n + n * item_n, tail);
    int r =
        config_parse("/nowhere/gatehouse.yaml", (const uint8_t *)text, strlen(text), false, &config, &faults);
    assert_int_equal(r, faults.count ? 1 : 0);
    if (faults.count)
        snprintf(ret_first, size, "%s", faults.items[0].message);
    size_t total = faults.count + faults.unreported;
    config_faults_free(&faults);
    if (config)
        release(config);
    free(text);
    return total;
}

static void a_list_has_at_most_so_many_items(void **state)
{
    (void)state;
    char first[1024] = "";
    static const char tail[] = "1] }\n";

    assert_int_equal(faults_of_many(SMALLEST "identity: { trusted_cas: [", "\"\",", CONFIG_LIST_MAX, tail,
                                    first, sizeof first),
                     1);
    assert_string_equal(first, "\"trusted_cas\" has more than 2048 items");
    assert_int_equal(faults_of_many(SMALLEST "identity: { trusted_cas: [", "\"\",", CONFIG_LIST_MAX - 1, tail,
                                    first, sizeof first),
                     CONFIG_LIST_MAX - 1);
    assert_string_equal(first, "an item of \"trusted_cas\" is empty");
}

static void a_file_has_at_most_so_many_values(void **state)
{
    (void)state;
    char first[1024] = "";

    assert_int_equal(
        faults_of_many(SMALLEST "rules: [", "1,", CONFIG_NODES_MAX + 1, "1]\n", first, sizeof first), 1);
    assert_string_equal(first, "the file holds too many values");
}

static void lists_are_nested_as_deeply_as_the_limit_and_no_deeper(void **state)
{
    (void)state;
    char first[1024] = "";

    /* the root map is the first level; what is not closed is a fault of YAML */
    faults_of_many(SMALLEST "rules: ", "[", CONFIG_DEPTH_MAX - 1, "", first, sizeof first);
    assert_non_null(strstr(first, "YAML: "));
    faults_of_many(SMALLEST "rules: ", "[", CONFIG_DEPTH_MAX, "", first, sizeof first);
    assert_string_equal(first, "lists and maps are nested too deeply");
}

static void faults_beyond_the_limit_are_counted_and_said_so(void **state)
{
    (void)state;
    struct config_faults faults = { 0 };
    char *said = NULL;
    size_t n = 0;

    for (unsigned i = 0; i < CONFIG_FAULTS_MAX + 7; i++)
        config_faults_add(&faults, CONFIG_FAULTS_MAX - i % CONFIG_FAULTS_MAX, 1, "number %u", i);
    assert_int_equal(faults.count, CONFIG_FAULTS_MAX);
    assert_int_equal(faults.unreported, 7);
    config_faults_sort(&faults);
    FILE *out = open_memstream(&said, &n);
    assert_non_null(out);
    config_faults_print(&faults, "g.yaml", out);
    fclose(out);
    assert_memory_equal(said, "g.yaml:1:1: error: number 99\n", 29);
    assert_non_null(strstr(said, "\ng.yaml: error: 7 more faults are not shown\n"));
    free(said);
    config_faults_free(&faults);
}

static void a_hint_names_the_nearest_word_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *word, *known, *hint;
    } cases[] = {
        { "mtach", "match", "; did you mean \"match\"?" },
        { "MATCH", "match", "; did you mean \"match\"?" },
        { "host-keys", "host_keys", "; did you mean \"host_keys\"?" },
        { "batch_size", "match", "" },
        { "a", "b", "" },
        { "", "match", "" },
    };
    char out[CONFIG_HINT_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config_hint hint = { .word = cases[i].word };
        config_hint_try(&hint, "something_else_entirely");
        config_hint_try(&hint, cases[i].known);
        assert_string_equal(config_hint_text(&hint, out), cases[i].hint);
    }
}

static void an_address_with_one_byte_changed_is_none(void **state)
{
    (void)state;
    static const char *const good[] = { "127.0.0.1:5432", "[::1]:1", "db-1.example.com:65535",
                                        "localhost:80" };
    static const char *const bad[] = { "127.0.0.1;5432",
                                       "127.0.0.:5432",
                                       "[::1:1",
                                       "[::g]:1",
                                       "[::1]1",
                                       "[]:1",
                                       "db 1.example.com:1",
                                       "db..com:1",
                                       "db:65536",
                                       "db:-1",
                                       "db:+1",
                                       "db: 1",
                                       "db:1 ",
                                       "db:",
                                       ":",
                                       "",
                                       "[",
                                       "]:1",
                                       "[::1]:1:1" };
    struct config_address address;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(config_address_parse(good[i], &address));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!config_address_parse(bad[i], &address))
            fail_msg("\"%s\" was taken", bad[i]);
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

static int make_fixture(void **state)
{
    (void)state;
    directory = fixture_new();
    return 0;
}

static int remove_fixture(void **state)
{
    (void)state;
    fixture_free(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_gets_its_default),
        cmocka_unit_test(the_digest_is_the_files_sha256),
        cmocka_unit_test(a_ca_is_read_into_its_wire_form),
        cmocka_unit_test(a_role_knows_its_ca_by_one_name_however_the_path_is_written),
        cmocka_unit_test(a_target_is_reached_by_address_and_verified_by_default),
        cmocka_unit_test(a_target_on_a_unix_socket_has_no_tls_and_no_host),
        cmocka_unit_test(a_rules_match_keeps_its_blocks_and_words),
        cmocka_unit_test(a_rule_keeps_who_where_what_and_why),
        cmocka_unit_test(a_config_survives_its_way_through_a_message),
        cmocka_unit_test(a_file_that_cannot_be_read_is_one_fault_without_a_line),
        cmocka_unit_test(a_file_beyond_the_limit_is_refused_and_one_at_it_is_read),
        cmocka_unit_test(a_list_has_at_most_so_many_items),
        cmocka_unit_test(a_file_has_at_most_so_many_values),
        cmocka_unit_test(lists_are_nested_as_deeply_as_the_limit_and_no_deeper),
        cmocka_unit_test(faults_beyond_the_limit_are_counted_and_said_so),
        cmocka_unit_test(a_hint_names_the_nearest_word_or_none),
        cmocka_unit_test(the_whole_file_of_the_reference_is_good),
        cmocka_unit_test(an_address_with_one_byte_changed_is_none),
    };

    return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
