/* Who an API server is told: templates and identities with the lines that they make. */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vault/impersonate.h"

static char *roles[] = { (char *)"agent", (char *)"dba" };
static char *groups[] = { (char *)"dev", (char *)"ops team" };

static Ipc__Identity identity_of(Ipc__Claims *claims)
{
    Ipc__Identity identity = IPC__IDENTITY__INIT;

    *claims = (Ipc__Claims)IPC__CLAIMS__INIT;
    claims->username = (char *)"anna@example.com";
    claims->subject = (char *)"42";
    claims->groups = groups;
    claims->n_groups = 2;
    identity.name = (char *)"corp/anna";
    identity.roles = roles;
    identity.n_roles = 2;
    identity.claims = claims;
    return identity;
}

static int lines_of(const Ipc__Identity *identity, const char *user, const char *const *templates, size_t n,
                    char **ret, struct detail *detail)
{
    Ipc__Impersonate impersonate = IPC__IMPERSONATE__INIT;
    struct buffer out;

    impersonate.user = (char *)(uintptr_t)user;
    impersonate.groups = (char **)(uintptr_t)templates;
    impersonate.n_groups = n;
    buffer_init(&out, IMPERSONATE_BYTES_MAX);
    int r = impersonate_lines(&impersonate, identity, &out, detail);
    if (!r) {
        *ret = calloc(1, buffer_size(&out) + 1);
        memcpy(*ret, buffer_head(&out), buffer_size(&out));
    }
    buffer_free(&out);
    return r;
}

static void templates_become_lines(void **state)
{
    static const struct {
        const char *user, *groups[2], *lines;
    } cases[] = {
        { "{identity}",
          { "gatehouse:{role}" },
          "Impersonate-User: corp/anna\r\nImpersonate-Group: gatehouse:agent\r\n"
          "Impersonate-Group: gatehouse:dba\r\n" },
        { "", { NULL }, "Impersonate-User: corp/anna\r\n" },
        { "{username}",
          { "{group}", "all" },
          "Impersonate-User: anna@example.com\r\nImpersonate-Group: dev\r\nImpersonate-Group: ops team\r\n"
          "Impersonate-Group: all\r\n" },
        { "id:{subject}:{username}", { NULL }, "Impersonate-User: id:42:anna@example.com\r\n" },
        { "system:serviceaccount:agents:sa-{subject}",
          { NULL },
          "Impersonate-User: system:serviceaccount:agents:sa-42\r\n" },
        { "bot",
          { "{identity}-{role}" },
          "Impersonate-User: bot\r\nImpersonate-Group: corp/anna-agent\r\nImpersonate-Group: "
          "corp/anna-dba\r\n" },
    };
    Ipc__Claims claims;
    Ipc__Identity identity = identity_of(&claims);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = !cases[i].groups[0] ? 0 : !cases[i].groups[1] ? 1 : 2;
        CLEANUP(free) char *lines = NULL;
        struct detail detail = { "" };

        if (lines_of(&identity, cases[i].user, cases[i].groups, n, &lines, &detail))
            fail_msg("%s: %s", cases[i].user, detail.text);
        assert_string_equal(lines, cases[i].lines);
    }
}

static void expect_refused(const Ipc__Identity *identity, const char *user, const char *group,
                           const char *words)
{
    struct detail detail = { "" };
    char *lines = NULL;

    assert_int_equal(lines_of(identity, user, &group, group ? 1 : 0, &lines, &detail), -EACCES);
    assert_null(lines);
    if (!strstr(detail.text, words))
        fail_msg("\"%s\" without \"%s\"", detail.text, words);
}

static void a_value_that_would_not_arrive_as_it_is_is_refused(void **state)
{
    static const char *const bad[] = {
        "anna\r\nImpersonate-Group: system:masters",
        "an\nna",
        "an\rna",
        "an\tna",
        "an\x01na",
        "an\x7fna",
        " anna",
        "anna ",
        "an\xffna",
        "an\xc3",
        "",
    };
    Ipc__Claims claims;
    Ipc__Identity identity = identity_of(&claims);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *list[] = { (char *)(uintptr_t)bad[i] };
        const char *words = bad[i][0] ? "can't be told to the target" : "says no ";

        identity = identity_of(&claims);
        identity.name = (char *)(uintptr_t)bad[i];
        expect_refused(&identity, "{identity}", NULL, words);
        identity = identity_of(&claims);
        claims.groups = list;
        claims.n_groups = 1;
        expect_refused(&identity, "{username}", "{group}", words);
    }
    identity = identity_of(&claims);
    identity.name = (char *)"corp/zo\xc3\xab";
    char *lines = NULL;
    assert_int_equal(lines_of(&identity, "{identity}", NULL, 0, &lines, NULL), 0);
    assert_string_equal(lines, "Impersonate-User: corp/zo\xc3\xab\r\n");
    free(lines);
}

/* system:masters may do everything, whatever RBAC says. */
static void no_identity_becomes_one_of_kubernetes_own(void **state)
{
    Ipc__Claims claims;
    Ipc__Identity identity = identity_of(&claims);
    char *masters[] = { (char *)"system:masters" }, *tail[] = { (char *)"tem:masters" };

    (void)state;
    identity.name = (char *)"system:admin";
    expect_refused(&identity, "{identity}", NULL, "Kubernetes' own");
    identity = identity_of(&claims);
    claims.groups = masters;
    claims.n_groups = 1;
    expect_refused(&identity, "{identity}", "{group}", "Kubernetes' own");
    claims.groups = tail;
    expect_refused(&identity, "{identity}", "sys{group}", "Kubernetes' own");
    char *lines = NULL;
    const char *prefixed = "corp:{group}";
    claims.groups = masters;
    assert_int_equal(lines_of(&identity, "{identity}", &prefixed, 1, &lines, NULL), 0);
    assert_non_null(strstr(lines, "Impersonate-Group: corp:system:masters\r\n"));
    free(lines);
}

static void who_lacks_what_the_target_asks_for_is_refused(void **state)
{
    Ipc__Claims claims;
    Ipc__Identity identity = identity_of(&claims);
    const char *group = "{group}";
    char *lines = NULL;

    (void)state;
    identity.claims = NULL; /* of another CA */
    expect_refused(&identity, "{username}", NULL, "says no username");
    expect_refused(&identity, "{subject}", NULL, "says no subject");
    assert_int_equal(lines_of(&identity, "{identity}", &group, 1, &lines, NULL), 0);
    assert_string_equal(lines, "Impersonate-User: corp/anna\r\n");
    free(lines);
}

static void a_template_that_means_nothing_is_refused(void **state)
{
    Ipc__Claims claims;
    Ipc__Identity identity = identity_of(&claims);

    (void)state;
    expect_refused(&identity, "{user}", NULL, "means nothing");
    expect_refused(&identity, "{identity", NULL, "means nothing");
    expect_refused(&identity, "{role}", NULL, "means nothing"); /* there are several */
    expect_refused(&identity, "x", "{}", "means nothing");
}

static void values_and_lines_have_limits(void **state)
{
    Ipc__Claims claims;
    Ipc__Identity identity = identity_of(&claims);
    char name[IMPERSONATE_VALUE_MAX + 2], *many[IMPERSONATE_GROUPS_MAX + 1], *lines = NULL;
    const char *group = "{group}";

    (void)state;
    memset(name, 'n', sizeof name);
    name[IMPERSONATE_VALUE_MAX] = '\0';
    identity.name = name;
    assert_int_equal(lines_of(&identity, "{identity}", NULL, 0, &lines, NULL), 0);
    free(lines);
    expect_refused(&identity, "x{identity}", NULL, "too long");
    expect_refused(&identity, "{identity}x", NULL, "too long");
    identity = identity_of(&claims);
    for (size_t i = 0; i <= IMPERSONATE_GROUPS_MAX; i++)
        many[i] = (char *)"g";
    claims.groups = many;
    claims.n_groups = IMPERSONATE_GROUPS_MAX;
    assert_int_equal(lines_of(&identity, "{identity}", &group, 1, &lines, NULL), 0);
    free(lines);
    claims.n_groups++;
    expect_refused(&identity, "{identity}", "{group}", "more than");
    for (size_t i = 0; i <= IMPERSONATE_GROUPS_MAX; i++)
        many[i] = name; /* bytes, before their number */
    claims.n_groups = IMPERSONATE_BYTES_MAX / IMPERSONATE_VALUE_MAX;
    expect_refused(&identity, "{identity}", "{group}", "too many groups");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_become_lines),
        cmocka_unit_test(a_value_that_would_not_arrive_as_it_is_is_refused),
        cmocka_unit_test(no_identity_becomes_one_of_kubernetes_own),
        cmocka_unit_test(who_lacks_what_the_target_asks_for_is_refused),
        cmocka_unit_test(a_template_that_means_nothing_is_refused),
        cmocka_unit_test(values_and_lines_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
