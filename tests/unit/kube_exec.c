/* Commands of `kubectl exec`, as effects. */
#include "check.h"
#include "policy/kube_exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POD "/api/v1/namespaces/prod/pods/web"

static void expect(const char *target, const char *wanted_line, const char *wanted)
{
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    CLEANUP(effects_free) struct effects effects = { 0 };
    struct detail detail;
    char said[2048] = "", words[512];
    assert_int_equal(kube_request_read("GET", target, &request, &detail), 0);
    assert_int_equal(kube_exec_effects(request, &effects), 0);
    for (size_t i = 0; i < effects.count; i++) {
        size_t n = strlen(said);
        (void)snprintf(said + n, sizeof said - n, "%s%s", n ? "; " : "",
                       effect_describe(&effects.items[i], words, sizeof words));
    }
    assert_string_equal(said, wanted);
    CLEANUP(free) char *line = kube_exec_line(request);
    assert_non_null(line);
    assert_string_equal(line, wanted_line);
}

static void a_command_is_judged_as_on_a_host(void **state)
{
    (void)state;
    expect(POD "/exec?command=ls&command=-la&command=/srv", "ls -la /srv", "run ls -la /srv");
    expect(POD "/exec?command=sh&command=-c&command=rm+x%3b+ls+%3e+y", "sh -c 'rm x; ls > y'",
           "run sh -c rm x; ls > y; run rm x; write y; run ls");
    expect(POD "/exec?command=tar&command=cf&command=-&command=/etc/passwd", "tar cf - /etc/passwd",
           "run tar cf - /etc/passwd");
    expect(POD "/exec?container=a&command=env&command=rm&command=x", "env rm x", "run env rm x; run rm x");
}

/* No shell reads it. */
static void its_words_are_no_shells(void **state)
{
    (void)state;
    expect(POD "/exec?command=echo&command=%24(rm+x)&command=%3b&command=rm", "echo '$(rm x)' ';' rm",
           "run echo $(rm x) ; rm");
    expect(POD "/exec?command=echo&command=it's", "echo 'it'\\''s'", "run echo it's");
    expect(POD "/exec?command=if", "if", "run if");
    expect(POD "/exec?command=a%3db&command=x", "a=b x", "run a=b x");
}

static void a_shell_that_reads_its_input_is_one(void **state)
{
    (void)state;
    expect(POD "/exec?command=sh&stdin=true", "sh", "open shell");
    expect(POD "/exec?command=/bin/bash&command=-il&tty=true", "/bin/bash -il", "open shell");
    expect(POD "/exec?command=bash&command=--login", "bash --login", "open shell");
    expect(POD "/exec?command=bash&command=x.sh", "bash x.sh", "run bash x.sh");
    expect(POD "/exec?command=env&command=sh", "env sh", "run env sh; run sh; unknown: what sh runs");
}

static void what_can_not_be_decided_is_said(void **state)
{
    (void)state;
    expect(POD "/exec?stdin=true", "", "unknown: a command without words");
    expect(POD "/exec?command=python3&command=-c&command=print(1)", "python3 -c 'print(1)'",
           "run python3 -c print(1); unknown: what python3 runs");
    expect(POD "/exec?command=", "''", "unknown: a command without words");
}

static void other_requests_run_nothing(void **state)
{
    (void)state;
    expect(POD "/attach?command=ls", "ls", "");
    expect(POD "/portforward", "", "");
    expect("/apis/x.example/v1/namespaces/prod/pods/web/exec?command=ls", "ls", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_judged_as_on_a_host),
        cmocka_unit_test(its_words_are_no_shells),
        cmocka_unit_test(a_shell_that_reads_its_input_is_one),
        cmocka_unit_test(what_can_not_be_decided_is_said),
        cmocka_unit_test(other_requests_run_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
