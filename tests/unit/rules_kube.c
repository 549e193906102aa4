/* Rules about requests to a Kubernetes API: each case is asked of a rule that allows and of one that refuses.
 */
#include "policy/rules_kube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy/kube_effects.h"

enum { LIST_MAX = 8 };

/* "verbs:get,list resources:pods": one word for each key; fields:PATH=VALUE. */
struct written {
    char text[512];
    char *lists[4][LIST_MAX];
    Ipc__FieldMatch field;
    Ipc__FieldMatch *fields[1];
    char *values[LIST_MAX];
    Ipc__Match match;
};

static size_t read_list(char *text, char **list)
{
    size_t n = 0;
    for (char *item; (item = strsep(&text, ",")) != NULL;)
        list[n++] = item;
    return n;
}

static void write_match(struct written *w, const char *text)
{
    *w = (struct written){ .match = IPC__MATCH__INIT, .field = IPC__FIELD_MATCH__INIT };
    Ipc__Match *m = &w->match;
    struct {
        const char *key;
        size_t *n;
        char ***list;
    } keys[] = { { "verbs", &m->n_verbs, &m->verbs },
                 { "resources", &m->n_resources, &m->resources },
                 { "namespaces", &m->n_namespaces, &m->namespaces },
                 { "names", &m->n_names, &m->names } };
    snprintf(w->text, sizeof w->text, "%s", text);
    char *rest = w->text;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        char *value = strchr(word, ':');
        assert_non_null(value);
        *value++ = '\0';
        for (size_t i = 0; i < 4; i++)
            if (strcmp(keys[i].key, word) == 0) {
                *keys[i].n = read_list(value, w->lists[i]);
                *keys[i].list = w->lists[i];
            }
        if (strcmp(word, "fields") == 0) {
            w->field.path = value;
            value = strchr(value, '=');
            *value++ = '\0';
            w->field.n_values = read_list(value, w->values);
            w->field.values = w->values;
            w->fields[0] = &w->field;
            m->fields = w->fields;
            m->n_fields = 1;
        }
    }
}

/* A rule with this action and match, and below it one with the other action for everything. */
static struct verdict asked(const char *action, Ipc__Match *match, const struct effects *effects)
{
    char first[8], second[8], target[] = "prod", name[] = "it", other[] = "rest";
    char *targets[] = { target };
    Ipc__Rule rules[2] = { IPC__RULE__INIT, IPC__RULE__INIT };
    Ipc__Rule *list[] = { &rules[0], &rules[1] };
    Ipc__Match *matches[] = { match };
    Ipc__Config config = IPC__CONFIG__INIT;
    struct circumstances who = { .target = "prod" };
    struct rulebook *book = NULL;
    snprintf(first, sizeof first, "%s", action);
    snprintf(second, sizeof second, "%s", strcmp(action, "allow") == 0 ? "deny" : "allow");
    for (int i = 0; i < 2; i++) {
        rules[i].targets = targets;
        rules[i].n_targets = 1;
        rules[i].name = i ? other : name;
        rules[i].action = i ? second : first;
    }
    rules[0].match = matches;
    rules[0].n_match = match ? 1 : 0;
    config.rules = list;
    config.n_rules = 2;
    assert_int_equal(rulebook_new(&config, &book), 0);
    struct verdict verdict = rulebook_decide(book, &who, effects);
    verdict.rule = verdict.rule == NULL || strcmp(verdict.rule, "it") != 0 ? "other" : "it";
    rulebook_free(book);
    return verdict;
}

static void effect_of(const char *method, const char *target, const char *field, bool whole,
                      struct effects *effects)
{
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    struct effect *effect = NULL;
    char text[512];
    assert_int_equal(kube_request_read(method, target, &request, NULL), 0);
    assert_int_equal(kube_effect(effects, request, "in-body", whole, &effect), 0);
    if (field) {
        snprintf(text, sizeof text, "%s", field);
        char *value = strchr(text, '=');
        *value = '\0';
        assert_int_equal(kube_effect_field(effect, text, value + 1), 0);
    }
}

struct asking {
    const char *match, *method, *target, *field;
    bool surely, perhaps;
};

static void check(const struct asking *c, bool whole)
{
    struct effects effects = { 0 };
    struct written w;
    effect_of(c->method, c->target, c->field, whole, &effects);
    write_match(&w, c->match);
    bool allowed = strcmp(asked("allow", &w.match, &effects).rule, "it") == 0;
    bool refused = strcmp(asked("deny", &w.match, &effects).rule, "it") == 0;
    if (allowed != c->surely || refused != c->perhaps)
        fail_msg("%s: %s %s (%s): allow %d, deny %d", c->match, c->method, c->target, effects.items[0].object,
                 allowed, refused);
    effects_free(&effects);
}

#define POD "/api/v1/namespaces/dev/pods/web-0"

static void conditions_hold_for_what_they_name(void **state)
{
    (void)state;
    static const struct asking cases[] = {
        { "verbs:get", "GET", POD, NULL, true, true },
        { "verbs:get", "DELETE", POD, NULL, false, false },
        { "verbs:get,delete", "DELETE", POD, NULL, true, true },
        { "verbs:list", "GET", "/api/v1/pods?watch=1", NULL, false, false },
        { "verbs:connect", "POST", POD "/exec?command=ls", NULL, true, true },
        { "verbs:connect", "GET", POD "/exec?command=ls", NULL, true, true },
        { "verbs:create", "POST", POD "/exec?command=ls", NULL, false, true },
        { "verbs:create", "GET", POD "/exec?command=ls", NULL, false, true },
        { "verbs:create resources:pods/exec", "GET", POD "/exec?command=ls", NULL, false, true },
        { "verbs:delete", "GET", POD "/exec?command=ls", NULL, false, false },
        { "verbs:create", "GET", POD "/proxy/x", NULL, false, false },
        { "verbs:get", "GET", POD "/proxy/x", NULL, false, true },
        { "verbs:get resources:pods/proxy", "GET", POD "/proxy/x", NULL, true, true },
        { "verbs:connect", "GET", POD "/log", NULL, false, false },
        { "verbs:get,list,watch", "GET", POD "/exec?command=ls", NULL, false, true },
        { "verbs:get resources:*", "GET", POD "/attach", NULL, false, true },
        { "verbs:get,create resources:pods/*", "GET", POD "/exec?command=ls", NULL, true, true },
        { "verbs:get,create resources:pods/exec", "POST", POD "/exec?command=ls", NULL, true, true },
        { "verbs:get,create resources:*,pods/exec", "GET", POD "/portforward", NULL, false, true },
        { "resources:pods", "GET", POD, NULL, true, true },
        { "resources:pods", "GET", POD "/log", NULL, false, false },
        { "resources:pods/*", "GET", POD "/log", NULL, true, true },
        { "resources:pods/log", "GET", POD "/log", NULL, true, true },
        { "resources:*", "GET", POD "/log", NULL, true, true },
        { "resources:deployments.apps", "GET", "/apis/apps/v1/deployments", NULL, true, true },
        { "resources:deployments.apps", "GET", "/apis/extensions/v1beta1/deployments", NULL, false, true },
        { "resources:deployments", "GET", "/apis/apps/v1/deployments", NULL, false, true },
        { "resources:deployments.apps/scale", "PUT", "/apis/apps/v1/namespaces/dev/deployments/d/scale", NULL,
          true, true },
        { "resources:/version", "GET", "/version", NULL, true, true },
        { "resources:/metrics", "GET", "/metrics/x", NULL, false, false },
        { "namespaces:dev", "GET", POD, NULL, true, true },
        { "namespaces:d*", "GET", POD, NULL, true, true },
        { "namespaces:prod", "GET", POD, NULL, false, false },
        { "namespaces:dev", "GET", "/api/v1/pods", NULL, false, true },
        { "namespaces:*", "GET", "/api/v1/pods", NULL, true, true },
        { "namespaces:dev", "GET", "/api/v1/nodes", NULL, false, false },
        { "namespaces:?", "GET", "/api/v1/pods", NULL, false, true },
        { "namespaces:[*]", "GET", "/api/v1/pods", NULL, false, true },
        { "namespaces:*", "GET", "/api/v1/nodes", NULL, false, false },
        { "namespaces:dev", "GET", "/apis/example.com/v1/widgets", NULL, false, true },
        { "namespaces:dev", "GET", "/apis/example.com/v1/widgets/w", NULL, false, false },
        { "namespaces:dev", "DELETE", "/api/v1/namespaces/dev", NULL, true, true },
        { "namespaces:dev", "GET", "/version", NULL, false, false },
        { "names:web-*", "GET", POD, NULL, true, true },
        { "names:db-*", "GET", POD, NULL, false, false },
        { "names:db-*", "GET", "/api/v1/namespaces/dev/pods", NULL, false, true },
        { "names:db-0", "DELETE", "/api/v1/namespaces/dev/pods", NULL, false, true },
        { "names:db-0", "GET", "/api/v1/namespaces/dev/pods?fieldSelector=metadata.name%3Ddb-0", NULL, true,
          true },
        { "names:web-0", "GET", POD ":80/proxy/", NULL, false, true },
        { "names:web-0", "GET", "/api/v1/namespaces/dev/services/https:web-0:/proxy/", NULL, false, true },
        { "names:web-0", "GET", "/api/v1/namespaces/dev/services/https:web-0:x/proxy/", NULL, false, true },
        { "names:https", "GET", "/api/v1/namespaces/dev/services/https:web-0:x/proxy/", NULL, false, false },
        { "names:web-0:80", "GET", POD ":80/proxy/", NULL, true, true },
        { "names:in-body", "POST", "/api/v1/namespaces/dev/pods", NULL, true, true },
        { "names:*", "GET", "/version", NULL, false, false },
        { "fields:spec.hostNetwork=true", "PUT", POD, "spec.hostNetwork=true", true, true },
        { "fields:spec.hostNetwork=true", "PUT", POD, "spec.hostNetwork=false", false, false },
        { "fields:spec.hostNetwork=true", "PUT", POD, NULL, false, false },
        { "fields:spec.x=yes", "PUT", POD, "spec.x=\x01", false, true },
        { "fields:spec.y=yes", "PUT", POD, "spec.x=\x01", false, false },
        { "fields:**.image=evil/*", "PUT", POD, "spec.containers[*].image=evil/x:1", true, true },
        { "fields:spec.containers[*].image=*", "PUT", POD, "spec.containers[*].image=x", true, true },
        { "verbs:get resources:pods namespaces:dev names:web-0", "GET", POD, NULL, true, true },
        { "verbs:get resources:pods namespaces:dev names:web-1", "GET", POD, NULL, false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(&cases[i], true);
}

static void a_body_that_is_not_known_whole_may_set_any_field(void **state)
{
    (void)state;
    check(&(struct asking){ "fields:spec.hostNetwork=true", "PUT", POD, NULL, false, true }, false);
    check(&(struct asking){ "fields:spec.x=yes", "PUT", POD, "spec.x=yes", false, true }, false);
    check(&(struct asking){ "fields:spec.hostNetwork=true verbs:get", "PUT", POD, NULL, false, false },
          false);
}

/* Two containers, of which one has an image of another registry. */
static void a_field_that_is_set_twice_is_what_both_are(void **state)
{
    (void)state;
    static const char *const images[][2] = { { "ours/a", "ours/b" },
                                             { "ours/a", "evil/b" },
                                             { "evil/a", "ours/b" } };
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        CLEANUP(kube_request_free) struct kube_request *request = NULL;
        struct effects effects = { 0 };
        struct effect *effect = NULL;
        struct written w;
        assert_int_equal(kube_request_read("PUT", POD, &request, NULL), 0);
        assert_int_equal(kube_effect(&effects, request, NULL, true, &effect), 0);
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(kube_effect_field(effect, "spec.containers[*].image", images[i][k]), 0);
        write_match(&w, "fields:spec.containers[*].image=ours/*");
        assert_int_equal(strcmp(asked("allow", &w.match, &effects).rule, "it") == 0, i == 0);
        assert_int_equal(strcmp(asked("deny", &w.match, &effects).rule, "it") == 0, 1);
        Ipc__Match outside = IPC__MATCH__INIT;
        outside.not_ = &w.match;
        assert_int_equal(strcmp(asked("deny", &outside, &effects).rule, "it") == 0, i != 0);
        effects_free(&effects);
    }
}

static void paths_match_part_by_part(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        { "spec.hostNetwork", "spec.hostNetwork", true },
        { "spec.hostNetwork", "spec.hostNetworks", false },
        { "spec.hostNetwork", "spec", false },
        { "spec", "spec.hostNetwork", false },
        { "*.hostNetwork", "spec.hostNetwork", true },
        { "*.hostNetwork", "spec.template.hostNetwork", false },
        { "**.hostNetwork", "spec.template.spec.hostNetwork", true },
        { "**.hostNetwork", "hostNetwork", true },
        { "**.a.b", "a.a.b", true },
        { "**.a.b", "a.b.a", false },
        { "spec.**", "spec.x.y", true },
        { "spec.**", "status.x", false },
        { "spec.**.image", "spec.template.spec.containers[*].image", true },
        { "**", "anything.at.all", true },
        { "data.*", "data[tls.crt]", true },
        { "data[tls.crt]", "data[tls.crt]", true },
        { "data[tls.key]", "data[tls.crt]", false },
        { "*.annotations[a.b/c]", "metadata.annotations[a.b/c]", true },
        { "a[*].b", "a[*].b", true },
        { "a.*.b", "a[*].b", true },
        { "a[*].b", "a.c.b", false },
        { "a.b", "a[*].b", false },
        { "a[*][*]", "a[*][*]", true },
        { "", "a", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (kube_path_matches(cases[i].pattern, cases[i].path) != cases[i].matches)
            fail_msg("%s, %s", cases[i].pattern, cases[i].path);
}

static void discovery_needs_no_rule_but_can_be_refused(void **state)
{
    (void)state;
    static const char *const paths[] = { "/",           "/api",    "/apis", "/api/v1", "/apis/apps/v1",
                                         "/openapi/v2", "/version" };
    struct written w;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct effects effects = { 0 };
        effect_of("GET", paths[i], NULL, true, &effects);
        struct rulebook *book = NULL;
        Ipc__Config config = IPC__CONFIG__INIT;
        assert_int_equal(rulebook_new(&config, &book), 0);
        assert_int_equal(rulebook_decide(book, &(struct circumstances){ .target = "prod" }, &effects).action,
                         ACTION_ALLOW);
        rulebook_free(book);
        write_match(&w, "resources:/*");
        assert_int_equal(asked("deny", &w.match, &effects).action, ACTION_DENY);
        effects_free(&effects);
    }
}

static void conditions_on_other_targets_say_nothing_here(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    struct written w;
    char rm[] = "rm *", table[] = "secret";
    char *commands[] = { rm }, *tables[] = { table };
    Ipc__Match outer = IPC__MATCH__INIT;
    effect_of("GET", POD, NULL, true, &effects);
    write_match(&w, "verbs:get");
    w.match.commands = commands;
    w.match.n_commands = 1;
    assert_int_equal(asked("allow", &w.match, &effects).action, ACTION_DENY);
    Ipc__Match inner = IPC__MATCH__INIT;
    inner.tables = tables;
    inner.n_tables = 1;
    outer.not_ = &inner;
    assert_int_equal(asked("allow", &outer, &effects).action, ACTION_DENY);
    assert_int_equal(asked("allow", NULL, &effects).action, ACTION_ALLOW);
    effects_free(&effects);
}

static void what_is_done_is_said_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *words;
    } cases[] = {
        { "GET", POD, "get pods dev/web-0" },
        { "GET", "/api/v1/namespaces/dev/pods", "list pods dev/*" },
        { "GET", "/api/v1/pods", "list pods" },
        { "DELETE", "/api/v1/namespaces/dev", "delete namespaces dev" },
        { "GET", "/api/v1/nodes/n1", "get nodes n1" },
        { "POST", POD "/exec", "create pods/exec dev/web-0" },
        { "GET", "/version", "get /version" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct effects effects = { 0 };
        char out[512];
        CLEANUP(kube_request_free) struct kube_request *request = NULL;
        assert_int_equal(kube_request_read(cases[i].method, cases[i].target, &request, NULL), 0);
        assert_int_equal(kube_effect(&effects, request, NULL, true, NULL), 0);
        assert_string_equal(effect_describe(&effects.items[0], out, sizeof out), cases[i].words);
        effects_free(&effects);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_hold_for_what_they_name),
        cmocka_unit_test(a_body_that_is_not_known_whole_may_set_any_field),
        cmocka_unit_test(a_field_that_is_set_twice_is_what_both_are),
        cmocka_unit_test(paths_match_part_by_part),
        cmocka_unit_test(discovery_needs_no_rule_but_can_be_refused),
        cmocka_unit_test(conditions_on_other_targets_say_nothing_here),
        cmocka_unit_test(what_is_done_is_said_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
