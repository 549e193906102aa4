/* `approve` and `notify` in gatehouse.yaml. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config_fixture.h"
#include "policy/config_parse.h"

#define HEAD                                                                                                 \
    "listen: [\"127.0.0.1:2222\"]\n"                                                                         \
    "state: state\n"                                                                                         \
    "roles: [{ name: agent }, { name: dba }, { name: security }]\n"                                          \
    "targets: [{ name: orders, kind: postgres, database: shop, login: app, credential: c, address: "         \
    "\"127.0.0.1:5432\", tls: disable }]\n" /* four lines: what follows begins in line 5 */
#define RULE(approve)                                                                                        \
    HEAD "rules: [{ name: one, targets: [orders], action: approve, approve: " approve " }]\n"
#define NOTIFY(entry) HEAD "notify:\n  - " entry "\n"
#define HOOK          "webhook: \"https://chat.example.com/hook\""
#define KEY           "4f2c8e0d9b7a61534f2c8e0d9b7a6153\n"

static int parse(const char *text, Ipc__Config **ret, struct config_faults *faults)
{
    char path[512];
    snprintf(path, sizeof path, "%s/gatehouse.yaml", directory);
    return config_parse(path, (const uint8_t *)text, strlen(text), true, ret, faults);
}

static Ipc__Config *good(const char *text)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    int r = parse(text, &config, &faults);
    config_faults_print(&faults, "good", stderr);
    assert_int_equal(r, 0);
    return config;
}

static void release(Ipc__Config *config)
{
    ipc__config__free_unpacked(config, NULL);
}

/* The first fault is this one. */
static void bad(const char *text, const char *words)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    if (parse(text, &config, &faults) != 1)
        fail_msg("no fault in %s", text);
    if (!strstr(faults.items[0].message, words))
        fail_msg("\"%s\" instead of \"%s\"", faults.items[0].message, words);
    config_faults_free(&faults);
}

/* ---- approve ---- */

static void what_approve_leaves_out_gets_its_default(void **state)
{
    (void)state;
    Ipc__Config *config = good(RULE("{ by: [dba, security] }"));
    const Ipc__Rule *rule = config->rules[0];
    assert_string_equal(rule->action, "approve");
    const Ipc__Approve *approve = rule->approve;
    assert_non_null(approve);
    assert_int_equal(approve->n_by, 1);
    assert_int_equal(approve->by[0]->n_roles, 2);
    assert_string_equal(approve->by[0]->roles[1], "security");
    assert_int_equal(approve->quorum, 1);
    assert_int_equal(approve->wait_ms, 10 * 60 * 1000);
    assert_string_equal(approve->mode, "hold");
    assert_int_equal(approve->for_ms, 0);
    assert_false(approve->deny_in_transaction);
    assert_false(approve->touch);
    assert_false(approve->must_sign);
    assert_string_equal(approve->preview, "estimate");
    release(config);
}

static void everything_of_approve_is_read(void **state)
{
    (void)state;
    Ipc__Config *config =
        good(RULE("{ by: [[dba], [security, dba]], quorum: 3, wait: 1h, mode: retry, for: 30m,"
                  " in_transaction: deny, touch: true, signed: true, preview: count }"));
    const Ipc__Approve *approve = config->rules[0]->approve;
    assert_int_equal(approve->n_by, 2);
    assert_int_equal(approve->by[0]->n_roles, 1);
    assert_int_equal(approve->by[1]->n_roles, 2);
    assert_string_equal(approve->by[1]->roles[0], "security");
    assert_int_equal(approve->quorum, 3);
    assert_int_equal(approve->wait_ms, 60 * 60 * 1000);
    assert_string_equal(approve->mode, "retry");
    assert_int_equal(approve->for_ms, 30 * 60 * 1000);
    assert_true(approve->deny_in_transaction);
    assert_true(approve->touch);
    assert_true(approve->must_sign);
    assert_string_equal(approve->preview, "count");
    release(config);
}

static void one_of_each_group_is_the_least_quorum(void **state)
{
    (void)state;
    Ipc__Config *config = good(RULE("{ by: [[dba], [security]] }"));
    assert_int_equal(config->rules[0]->approve->quorum, 2);
    release(config);
    config = good(RULE("{ by: [[dba]], mode: retry }"));
    assert_int_equal(config->rules[0]->approve->quorum, 1);
    assert_int_equal(config->rules[0]->approve->for_ms, 10 * 60 * 1000);
    release(config);
}

static void faults_of_approve_are_named(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { RULE("{ by: [nobody] }"), "there is no role \"nobody\"" },
        { RULE("{ by: [[dba], [nobody]] }"), "there is no role \"nobody\"" },
        { RULE("{ by: [] }"), "\"by\" is an empty list" },
        { RULE("{ by: [[dba], []] }"), "\"by\" is an empty list" },
        { RULE("{ by: [dba, [security]] }"), "must be a list" },
        { RULE("{ by: dba }"), "must be a list" },
        { RULE("{ by: [dba, dba] }"), "dba" },
        { RULE("{ quorum: 1 }"), "approve: \"by\" is missing" },
        { RULE("{ by: [dba], quorum: 0 }"), "\"quorum\" must be a number from 1 to 16" },
        { RULE("{ by: [dba], quorum: 17 }"), "\"quorum\" must be a number from 1 to 16" },
        { RULE("{ by: [[dba], [security]], quorum: 1 }"), "\"quorum\" must be at least 2" },
        { RULE("{ by: [dba], wait: 999ms }"), "\"wait\" must be between 1s and" },
        { RULE("{ by: [dba], wait: 2d }"), "\"wait\" must be between 1s and" },
        { RULE("{ by: [dba], mode: never }"), "must be one of hold, retry" },
        { RULE("{ by: [dba], for: 1h }"), "\"for\" has no effect without mode: retry" },
        { RULE("{ by: [dba], mode: retry, for: 2d }"), "\"for\" must be between" },
        { RULE("{ by: [dba], in_transaction: true }"), "must be one of allow, deny" },
        { RULE("{ by: [dba], touch: 1 }"), "\"touch\" must be true or false" },
        { RULE("{ by: [dba], signed: \"true\" }"), "\"signed\" must be true or false" },
        { RULE("{ by: [dba], preview: rows }"), "must be one of estimate, count, none" },
        { RULE("{ by: [dba], quorums: 1 }"), "unknown key \"quorums\"" },
        { RULE("[dba]"), "must be a map" },
        { HEAD "rules: [{ name: one, targets: [orders], action: approve }]\n",
          "rule \"one\": \"approve\" is missing" },
        { HEAD "rules: [{ name: one, targets: [orders], action: allow, approve: { by: [dba] } }]\n",
          "\"approve\" is for rules with action: approve" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        bad(cases[i].text, cases[i].words);
}

/* ---- notify ---- */

static void what_notify_leaves_out_gets_its_default(void **state)
{
    (void)state;
    Ipc__Config *config = good(NOTIFY("{ " HOOK " }"));
    assert_int_equal(config->n_notify, 1);
    const Ipc__Notify *notify = config->notify[0];
    assert_string_equal(notify->webhook, "https://chat.example.com/hook");
    assert_int_equal(notify->n_events, 2);
    assert_string_equal(notify->events[0], "approval_requested");
    assert_string_equal(notify->events[1], "approval_decided");
    assert_string_equal(notify->form, "json");
    assert_string_equal(notify->secret, "");
    assert_false(notify->include_statement);
    assert_int_equal(notify->tls_ca_pem.len, 0);
    assert_int_equal(notify->n_targets, 0);
    assert_int_equal(notify->line, 6);
    release(config);
}

static void everything_of_notify_is_read(void **state)
{
    (void)state;
    fixture_write(directory, "state/notify/chat.key", 0600, KEY, strlen(KEY));
    Ipc__Config *config = good(NOTIFY("{ " HOOK ", on: [approval_decided], form: slack, secret: chat.key,"
                                      " include_statement: true, tls_ca: ca.crt, targets: [\"ord*\"] }\n"
                                      "  - { webhook: \"https://[::1]:8443/x?y=z\" }"));
    assert_int_equal(config->n_notify, 2);
    const Ipc__Notify *notify = config->notify[0];
    assert_int_equal(notify->n_events, 1);
    assert_string_equal(notify->events[0], "approval_decided");
    assert_string_equal(notify->form, "slack");
    assert_string_equal(notify->secret, "chat.key");
    assert_true(notify->include_statement);
    assert_true(notify->tls_ca_pem.len > 0);
    assert_string_equal(strrchr(notify->tls_ca, '/'), "/ca.crt");
    assert_int_equal(notify->n_targets, 1);
    assert_string_equal(notify->targets[0], "ord*");
    assert_string_equal(config->notify[1]->webhook, "https://[::1]:8443/x?y=z");
    release(config);
}

static void the_secret_itself_is_not_in_the_configuration(void **state)
{
    (void)state;
    fixture_write(directory, "state/notify/chat.key", 0600, KEY, strlen(KEY));
    Ipc__Config *config = good(NOTIFY("{ " HOOK ", secret: chat.key }"));
    size_t n = ipc__config__get_packed_size(config);
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    assert_int_equal(ipc__config__pack(config, bytes), n);
    assert_null(memmem(bytes, n, KEY, 16));
    free(bytes);
    release(config);
}

static void faults_of_notify_are_named(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { NOTIFY("{ webhook: \"http://chat.example.com/hook\" }"), "must begin with https://" },
        { NOTIFY("{ webhook: \"https://\" }"), "there is no host" },
        { NOTIFY("{ webhook: \"https:///hook\" }"), "there is no host" },
        { NOTIFY("{ webhook: \"https://chat.example.com:word@chat.example.com/\" }"),
          "there is a user in it" },
        { NOTIFY("{ webhook: \"https://chat.example.com/#a\" }"), "no fragment" },
        { NOTIFY("{ webhook: \"https://chat.example.com/a b\" }"), "blanks" },
        { NOTIFY("{ webhook: \"https://chat.example.com\\\\@evil.example/\" }"), "backslash" },
        { NOTIFY("{ webhook: \"https://chat.example.com:99999/\" }"), "bad webhook: " },
        { NOTIFY("{ " HOOK " }\n  - { " HOOK " }"), "this webhook is listed twice, first in line 6" },
        { NOTIFY("{ " HOOK ", on: [approval_request] }"),
          "must be one of approval_requested, approval_decided" },
        { NOTIFY("{ " HOOK ", on: [] }"), "\"on\" is an empty list" },
        { NOTIFY("{ " HOOK ", form: teams }"), "must be one of json, slack" },
        { NOTIFY("{ " HOOK ", targets: [prod] }"), "there is no target \"prod\"" },
        { NOTIFY("{ " HOOK ", secret: missing.key }"), "No such file" },
        { NOTIFY("{ " HOOK ", secret: ../user_ca }"), "is no name" },
        { NOTIFY("{ " HOOK ", secret: .. }"), "is no name" },
        { NOTIFY("{ " HOOK ", secret: open.key }"), "others than its owner may use this secret" },
        { NOTIFY("{ " HOOK ", secret: short.key }"), "a key has 16 to 1024 bytes, not 15" },
        { NOTIFY("{ " HOOK ", tls_ca: user_ca.pub }"), "no PEM file" },
        { NOTIFY("{ " HOOK ", include_statement: yes }"), "must be true or false" },
        { NOTIFY("{ on: [approval_decided] }"), "notify: \"webhook\" is missing" },
        { NOTIFY("{ " HOOK ", secrets: a }"), "unknown key \"secrets\"" },
    };
    (void)state;
    fixture_write(directory, "state/notify/open.key", 0640, KEY, strlen(KEY));
    fixture_write(directory, "state/notify/short.key", 0600, KEY, 15);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        bad(cases[i].text, cases[i].words);
}

static void what_a_webhook_is_called_is_not_repeated_in_messages(void **state)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;
    (void)state;
    assert_int_equal(parse(NOTIFY("{ webhook: \"http://chat.example.com/T0KEN\" }"), &config, &faults), 1);
    for (size_t i = 0; i < faults.count; i++)
        assert_null(strstr(faults.items[i].message, "T0KEN"));
    config_faults_free(&faults);
}

static void there_is_an_end_to_webhooks(void **state)
{
    char text[8192];
    int n = snprintf(text, sizeof text, HEAD "notify:\n");
    (void)state;
    for (int i = 0; i < 17; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "  - { webhook: \"https://chat.example.com/%d\" }\n",
                      i);
    bad(text, "there are more than 16 webhooks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_approve_leaves_out_gets_its_default),
        cmocka_unit_test(everything_of_approve_is_read),
        cmocka_unit_test(one_of_each_group_is_the_least_quorum),
        cmocka_unit_test(faults_of_approve_are_named),
        cmocka_unit_test(what_notify_leaves_out_gets_its_default),
        cmocka_unit_test(everything_of_notify_is_read),
        cmocka_unit_test(the_secret_itself_is_not_in_the_configuration),
        cmocka_unit_test(faults_of_notify_are_named),
        cmocka_unit_test(what_a_webhook_is_called_is_not_repeated_in_messages),
        cmocka_unit_test(there_is_an_end_to_webhooks),

    };
    return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
