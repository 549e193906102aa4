/* What rules mean: each sentence has a rule that holds, and a twin that does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy/config_parse.h"
#include "policy/rules.h"

#define FRAME                                                                                                \
    "listen: [\"127.0.0.1:2222\"]\nstate: state\n"                                                           \
    "roles: [{ name: agent }, { name: dba }]\n"                                                              \
    "targets:\n"                                                                                             \
    "  - { name: orders, kind: postgres, address: \"127.0.0.1:1\", database: shop, login: app, "             \
    "credential: c, tls: disable }\n"                                                                        \
    "  - { name: stock, kind: postgres, address: \"127.0.0.1:1\", database: shop, login: app, "              \
    "credential: c, tls: disable }\n"                                                                        \
    "rules:\n"

static Ipc__Config *config;
static struct rulebook *book;
static struct circumstances who;
static char *agent[] = { (char[]){ "agent" } };

/* rules: lines of YAML below `rules:`. A name that begins with "hold" is turned into action approve, which
 * the configuration of this version does not take yet. */
static void given(const char *rules)
{
    char text[8192];
    struct config_faults faults = { 0 };
    snprintf(text, sizeof text, FRAME "%s", rules);
    int r = config_parse("/rules.yaml", (const uint8_t *)text, strlen(text), false, &config, &faults);
    config_faults_print(&faults, "rules.yaml", stderr);
    config_faults_free(&faults);
    assert_int_equal(r, 0);
    for (size_t i = 0; i < config->n_rules; i++)
        if (strncmp(config->rules[i]->name, "hold", 4) == 0) {
            free(config->rules[i]->action);
            config->rules[i]->action = strdup("approve");
        }
    assert_int_equal(rulebook_new(config, &book), 0);
    who = (struct circumstances){ .roles = agent, .n_roles = 1, .target = "orders", .database = "shop" };
}

static int forget(void **state)
{
    (void)state;
    rulebook_free(book);
    book = NULL;
    if (config)
        ipc__config__free_unpacked(config, NULL);
    config = NULL;
    return 0;
}

/* One effect as text: "select t", "delete s.t!" (unbounded), "select t{a,b}", "function f()", "select
 * lower()~". */
static void put_effect(struct effects *effects, const char *text)
{
    char word[64], object[128] = "", columns[128] = "";
    enum effect_kind kind;
    struct effect *e;
    sscanf(text, "%63s %127[^{!~]%*[{!~]%127[^}]", word, object, columns);
    assert_true(effect_kind_of(word, &kind));
    char *call = strstr(object, "()");
    if (call)
        *call = '\0';
    if (strchr(text, '~')) {
        assert_int_equal(effects_add_harmless(effects, kind, object), 0);
        return;
    }
    enum object_kind object_kind = call ? OBJECT_FUNCTION : *object ? OBJECT_TABLE : OBJECT_NONE;
    assert_int_equal(effects_add(effects, kind, object_kind, *object ? object : NULL, &e), 0);
    e->unbounded_write = strchr(text, '!') != NULL;
    for (char *column = strtok(columns, ","); column; column = strtok(NULL, ","))
        assert_int_equal(effect_add_column(e, column), 0);
}

/* They are separated by "; ". */
static void put_effects(struct effects *effects, const char *text)
{
    char copy[512], *next = copy;
    snprintf(copy, sizeof copy, "%s", text);
    while (next && *next) {
        char *end = strstr(next, "; ");
        if (end)
            *end = '\0';
        put_effect(effects, next);
        next = end ? end + 2 : NULL;
    }
}

/* "allow by some-rule" */
static void verdict_is(const char *text, const char *expected)
{
    char got[128];
    struct effects effects = { 0 };
    put_effects(&effects, text);
    struct verdict v = rulebook_decide(book, &who, &effects);
    snprintf(got, sizeof got, "%s by %s", action_name(v.action), v.rule);
    assert_string_equal(got, expected);
    assert_non_null(v.reason);
    assert_true(v.action == ACTION_ALLOW ? !*v.code : *v.code != '\0');
    effects_free(&effects);
}

/* The names of the rules that hold it, with a blank behind each. */
static void is_held_by(const char *text, const char *expected)
{
    enum { SEEN = 2 };
    const Ipc__Rule *rules[SEEN];
    char got[128] = "";
    struct effects effects = { 0 };
    put_effects(&effects, text);
    assert_int_equal(rulebook_decide(book, &who, &effects).action, ACTION_HOLD);
    size_t n = rulebook_holding(book, &who, &effects, rules, SEEN);
    for (size_t i = 0; i < n && i < SEEN; i++)
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s ", rules[i]->name);
    if (n > SEEN)
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "of %zu", n);
    assert_string_equal(got, expected);
    effects_free(&effects);
}

static void what_no_rule_matches_is_denied(void **state)
{
    (void)state;
    given("  - { name: a, targets: [orders], match: { statements: [select] }, action: allow }\n");
    verdict_is("select t", "allow by a");
    verdict_is("insert t", "deny by default");
    verdict_is("", "allow by default");
}

static void the_first_match_decides(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { tables: [t] }, action: allow }\n"
          "  - { name: d, targets: [\"*\"], match: { statements: [select] }, action: deny }\n"
          "  - { name: b, targets: [\"*\"], action: allow }\n");
    verdict_is("select t", "allow by a");
    verdict_is("select u", "deny by d");
    verdict_is("insert u", "allow by b");
}

static void the_strictest_over_all_effects_decides(void **state)
{
    (void)state;
    given("  - { name: hold, targets: [\"*\"], match: { statements: [update] }, action: deny }\n"
          "  - { name: d, targets: [\"*\"], match: { statements: [delete] }, action: deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("select t; insert t", "allow by a");
    verdict_is("select t; update t; insert t", "approve by hold");
    verdict_is("update t; delete t; select t", "deny by d");
    verdict_is("select t; unknown", "deny by default");
}

static void roles_and_targets_must_fit(void **state)
{
    (void)state;
    given("  - { name: a, roles: [dba], targets: [orders], action: allow }\n"
          "  - { name: b, roles: [agent], targets: [\"st*\"], action: allow }\n");
    verdict_is("select t", "deny by default");
    who.target = "stock";
    verdict_is("select t", "allow by b");
    char *both[] = { (char[]){ "agent" }, (char[]){ "dba" } };
    who.roles = both;
    who.n_roles = 2;
    who.target = "orders";
    verdict_is("select t", "allow by a");
}

static void what_has_no_name_needs_to_be_named(void **state)
{
    (void)state;
    given("  - { name: all, targets: [stock], action: allow }\n"
          "  - { name: not, targets: [orders], match: { not: { statements: [drop] } }, action: allow }\n");
    verdict_is("unknown", "deny by default");
    verdict_is("unparsable", "deny by default");
    verdict_is("select t", "allow by not");
    who.target = "stock";
    verdict_is("unknown", "deny by default");
    verdict_is("select t", "allow by all");
    forget(NULL);
    given("  - { name: u, targets: [orders], match: { statements: [unknown] }, action: allow }\n"
          "  - { name: any, targets: [stock], match: anything, action: allow }\n");
    verdict_is("unknown", "allow by u");
    verdict_is("unparsable", "deny by default");
    who.target = "stock";
    verdict_is("unparsable", "allow by any");
    verdict_is("select t", "allow by any");
}

static void all_keys_of_a_block_hold_for_the_same_effect(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: { statements: [delete], tables: [t] }, action: deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("delete t", "deny by d");
    verdict_is("delete u; select t", "allow by a");
}

static void any_block_of_a_list_suffices(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: [{ statements: [drop] }, { functions: [f] }], action: "
          "deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("drop t", "deny by d");
    verdict_is("function f()", "deny by d");
    verdict_is("function g()", "allow by a");
}

static void not_nests(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: { not: { tables: [\"public.*\"] } }, action: deny }\n"
          "  - { name: n, targets: [\"*\"], match: { statements: [insert], not: { not: { tables: [u] } } }, "
          "action: deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("select public.t", "allow by a");
    verdict_is("select t", "allow by a");
    verdict_is("select secret.t", "deny by d");
    verdict_is("insert public.u", "deny by n");
}

static void copy_means_both_ways(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { statements: [copy] }, action: allow }\n");
    verdict_is("copy_to t", "allow by a");
    verdict_is("copy_from t", "allow by a");
    verdict_is("copy_file t", "deny by default");
    verdict_is("copy_program t", "deny by default");
}

static void an_unqualified_table_may_be_meant_by_a_denial(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: { tables: [archive.t, pg_catalog.pg_authid] }, action: "
          "deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("select archive.t", "deny by d");
    verdict_is("select t", "deny by d");
    verdict_is("select T", "deny by d");
    verdict_is("select pg_authid", "deny by d");
    verdict_is("select public.t", "allow by a");
    verdict_is("select archive.u", "allow by a");
}

static void what_goes_along_unnamed_may_be_any_table_for_a_denial(void **state)
{
    (void)state;
    given(
        "  - { name: d, targets: [\"*\"], match: { statements: [drop, select], tables: [\"hr.*\"] }, action: "
        "deny }\n"
        "  - { name: p, targets: [\"*\"], match: { statements: [drop] }, action: allow }\n"
        "  - { name: s, targets: [\"*\"], match: { statements: [select] }, action: allow }\n");
    verdict_is("drop public.t", "allow by p");
    verdict_is("drop public.t; drop", "deny by d");
    verdict_is("select", "allow by s");
    forget(NULL);
    given("  - { name: p, targets: [\"*\"], match: { statements: [drop], tables: [\"public.*\"] }, action: "
          "allow }\n"
          "  - { name: n, targets: [\"*\"], match: { statements: [drop], not: { tables: [\"hr.*\"] } }, "
          "action: "
          "allow }\n");
    verdict_is("drop public.t; drop", "deny by default");
}

static void an_unqualified_table_is_allowed_as_one_of_public(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { tables: [\"public.*\"] }, action: allow }\n"
          "  - { name: b, targets: [\"*\"], match: { tables: [archive.t] }, action: allow }\n"
          "  - { name: c, targets: [\"*\"], match: { tables: [\"*.any\"] }, action: allow }\n");
    verdict_is("select t", "allow by a");
    verdict_is("select archive.t", "allow by b");
    verdict_is("select pg_shadow", "deny by default");
    verdict_is("select secret.t", "deny by default");
    verdict_is("select secret.any", "allow by c");
    who.search_path_set = true;
    verdict_is("select t", "deny by default");
    verdict_is("select public.t", "allow by a");
    verdict_is("select any", "allow by c");
}

static void an_allowing_pattern_minds_the_case(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { tables: [public.Customers] }, action: allow }\n");
    verdict_is("select public.Customers", "allow by a");
    verdict_is("select public.customers", "deny by default");
}

static void a_dot_in_a_quoted_name_is_no_schema(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { tables: [\"public.*\"] }, action: allow }\n");
    verdict_is("select \"public.x\".t", "deny by default");
    verdict_is("select public.\"a.b\"", "allow by a");
}

static void functions_match_with_and_without_a_schema(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: { functions: [pg_read_file, \"lo_*\"] }, action: deny }\n"
          "  - { name: a, targets: [\"*\"], match: { functions: [public.report, \"tools.*\"] }, action: "
          "allow }\n");
    verdict_is("function pg_read_file()", "deny by d");
    verdict_is("function pg_catalog.pg_read_file()", "deny by d");
    verdict_is("function lo_export()", "deny by d");
    verdict_is("function report()", "allow by a");
    verdict_is("function tools.x()", "allow by a");
    verdict_is("function x()", "deny by default");
}

static void a_glob_of_a_schema_does_not_allow_functions_without_one(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { functions: [\"public.*\"] }, action: allow }\n");
    verdict_is("function public.f()", "allow by a");
    verdict_is("function lo_export()", "deny by default");
}

static void harmless_calls_are_covered_by_the_rules_of_their_statement(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { statements: [select], tables: [\"public.*\"] }, action: "
          "allow }\n");
    verdict_is("select public.t; select lower()~", "allow by a");
    verdict_is("select public.t; function f()", "deny by default");
    verdict_is("select lower()~", "allow by default");
    forget(NULL);
    given("  - { name: d, targets: [\"*\"], match: { not: { tables: [\"public.*\"] } }, action: deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("select public.t; select lower()~", "allow by a");
}

static void a_rule_can_deny_a_harmless_call(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: { functions: [version] }, action: deny }\n"
          "  - { name: a, targets: [\"*\"], action: allow }\n");
    verdict_is("select; select version()~", "deny by d");
    verdict_is("select; select pg_catalog.version()~", "deny by d");
    verdict_is("select; select lower()~", "allow by a");
}

static void a_harmless_call_that_a_rule_leaves_out_is_not_covered_by_it(void **state)
{
    (void)state;
    given("  - { name: a, targets: [orders], match: { statements: [select], not: { functions: [version] } }, "
          "action: allow }\n"
          "  - { name: b, targets: [stock], match: { statements: [select], tables: [t], "
          "not: { functions: [version] } }, action: allow }\n");
    verdict_is("select; select lower()~", "allow by a");
    verdict_is("select; select version()~", "deny by default");
    who.target = "stock";
    verdict_is("select t; select lower()~", "allow by b");
    verdict_is("select t; select version()~", "deny by default");
}

static void columns_are_denied_if_any_and_allowed_if_all_match(void **state)
{
    (void)state;
    given(
        "  - { name: d, targets: [orders], match: { columns: [public.c.email, \"*.ssn\"] }, action: deny }\n"
        "  - { name: a, targets: [orders], action: allow }\n"
        "  - { name: few, targets: [stock], match: { columns: [c.id, c.name] }, action: allow }\n");
    verdict_is("select c{id,email}", "deny by d");
    verdict_is("select c{*}", "deny by d");
    verdict_is("select other{ssn}", "deny by d");
    verdict_is("select c{id}", "allow by a");
    verdict_is("select c", "allow by a");
    verdict_is("select archive.c{email}", "allow by a");
    who.target = "stock";
    verdict_is("select c{id,name}", "allow by few");
    verdict_is("select c{id,email}", "deny by default");
    verdict_is("select c{*}", "deny by default");
    verdict_is("delete c", "deny by default");
}

static void unbounded_writes_are_updates_and_deletes(void **state)
{
    (void)state;
    given("  - { name: d, targets: [\"*\"], match: { unbounded_write: true }, action: deny }\n"
          "  - { name: b, targets: [\"*\"], match: { unbounded_write: false }, action: allow }\n"
          "  - { name: s, targets: [\"*\"], match: { statements: [select] }, action: allow }\n");
    verdict_is("delete t!", "deny by d");
    verdict_is("update t!", "deny by d");
    verdict_is("delete t", "allow by b");
    verdict_is("truncate t", "deny by default");
    verdict_is("select t", "allow by s");
}

static void databases_are_those_of_the_target(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { databases: [\"sh*\"] }, action: allow }\n");
    verdict_is("select t", "allow by a");
    who.database = "postgres";
    verdict_is("select t", "deny by default");
    who.database = NULL;
    verdict_is("select t", "deny by default");
}

static void a_hold_that_may_be_meant_gives_way_to_a_denial_only(void **state)
{
    (void)state;
    given("  - { name: hold, targets: [\"*\"], match: { tables: [archive.t] }, action: deny }\n"
          "  - { name: d, targets: [\"*\"], match: { statements: [delete] }, action: deny }\n"
          "  - { name: a, targets: [\"*\"], match: { statements: [select, delete] }, action: allow }\n");
    verdict_is("select archive.t", "approve by hold");
    verdict_is("select t", "approve by hold");
    verdict_is("delete t", "deny by d");
    verdict_is("delete archive.t", "approve by hold");
    verdict_is("insert t", "deny by default");
    verdict_is("select public.t", "allow by a");
}

static void every_rule_that_holds_something_is_named(void **state)
{
    (void)state;
    given("  - { name: hold-archive, targets: [\"*\"], match: { tables: [archive.t] }, action: deny }\n"
          "  - { name: reads, targets: [\"*\"], match: { statements: [select] }, action: allow }\n"
          "  - { name: hold-drop, targets: [\"*\"], match: { statements: [drop] }, action: deny }\n"
          "  - { name: hold-dba, roles: [dba], targets: [\"*\"], action: deny }\n"
          "  - { name: hold-stock, targets: [stock], action: deny }\n"
          "  - { name: hold-rest, targets: [\"*\"], action: deny }\n");
    is_held_by("drop public.t", "hold-drop ");
    is_held_by("drop archive.t", "hold-archive ");
    is_held_by("drop t", "hold-archive hold-drop "); /* it may be the one, and is the other */
    is_held_by("select t", "hold-archive ");
    is_held_by("select public.t; drop public.u", "hold-drop ");
    is_held_by("drop public.t; drop public.u; insert public.t", "hold-drop hold-rest ");
    is_held_by("insert public.t; drop t", "hold-archive hold-drop of 3");
}

static void reaching_needs_a_rule_that_could_allow(void **state)
{
    (void)state;
    given("  - { name: d, roles: [dba], targets: [stock], action: deny }\n"
          "  - { name: a, targets: [stock], match: { statements: [select] }, action: allow }\n"
          "  - { name: x, roles: [dba], targets: [orders], match: { statements: [drop] }, action: deny }\n");
    char *dba[] = { (char[]){ "dba" } };
    assert_true(rulebook_reaches(book, agent, 1, "stock"));
    assert_false(rulebook_reaches(book, dba, 1, "stock"));
    assert_false(rulebook_reaches(book, agent, 1, "orders"));
    assert_false(rulebook_reaches(book, dba, 1, "orders"));
    const Ipc__Rule *applying[2];
    assert_int_equal(rulebook_applying(book, dba, 1, "stock", applying, 2), 2);
    assert_string_equal(applying[0]->name, "d");
    assert_string_equal(applying[1]->name, "a");
    assert_int_equal(rulebook_applying(book, dba, 1, "stock", applying, 1), 1);
}

static void what_the_configuration_should_not_hold_is_refused(void **state)
{
    (void)state;
    given("  - { name: a, targets: [\"*\"], match: { statements: [select] }, action: allow }\n");
    struct rulebook *other = NULL;
    config->rules[0]->match[0]->statements[0][0] = 'S';
    assert_int_equal(rulebook_new(config, &other), -EINVAL);
    config->rules[0]->match[0]->statements[0][0] = 's';
    config->rules[0]->action[0] = 'x';
    assert_int_equal(rulebook_new(config, &other), -EINVAL);
    assert_null(other);
}

static void each_code_says_what_to_do_next(void **state)
{
    (void)state;
    static const char *const codes[] = { "",
                                         "denied",
                                         "pending",
                                         "limit",
                                         "approval_denied",
                                         "approval_expired",
                                         "unparsable",
                                         "masked_predicate",
                                         "target_unavailable",
                                         "vault_sealed",
                                         "recording_unavailable" };
    char out[256], seen[16][256] = { "" };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct verdict v = { .action = ACTION_DENY, .code = codes[i], .rule = "no-drop", .reason = "" };
        snprintf(seen[i], sizeof seen[i], "%s", verdict_next(&v, out, sizeof out));
        assert_true(strlen(seen[i]) > 10);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
    assert_non_null(strstr(seen[1], "no-drop"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_teardown(name, forget)
        SENTENCE(what_no_rule_matches_is_denied),
        SENTENCE(the_first_match_decides),
        SENTENCE(the_strictest_over_all_effects_decides),
        SENTENCE(roles_and_targets_must_fit),
        SENTENCE(what_has_no_name_needs_to_be_named),
        SENTENCE(all_keys_of_a_block_hold_for_the_same_effect),
        SENTENCE(any_block_of_a_list_suffices),
        SENTENCE(not_nests),
        SENTENCE(copy_means_both_ways),
        SENTENCE(an_unqualified_table_may_be_meant_by_a_denial),
        SENTENCE(what_goes_along_unnamed_may_be_any_table_for_a_denial),
        SENTENCE(an_unqualified_table_is_allowed_as_one_of_public),
        SENTENCE(an_allowing_pattern_minds_the_case),
        SENTENCE(a_dot_in_a_quoted_name_is_no_schema),
        SENTENCE(functions_match_with_and_without_a_schema),
        SENTENCE(a_glob_of_a_schema_does_not_allow_functions_without_one),
        SENTENCE(harmless_calls_are_covered_by_the_rules_of_their_statement),
        SENTENCE(a_rule_can_deny_a_harmless_call),
        SENTENCE(a_harmless_call_that_a_rule_leaves_out_is_not_covered_by_it),
        SENTENCE(columns_are_denied_if_any_and_allowed_if_all_match),
        SENTENCE(unbounded_writes_are_updates_and_deletes),
        SENTENCE(databases_are_those_of_the_target),
        SENTENCE(a_hold_that_may_be_meant_gives_way_to_a_denial_only),
        SENTENCE(every_rule_that_holds_something_is_named),
        SENTENCE(reaching_needs_a_rule_that_could_allow),
        SENTENCE(what_the_configuration_should_not_hold_is_refused),
        SENTENCE(each_code_says_what_to_do_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
