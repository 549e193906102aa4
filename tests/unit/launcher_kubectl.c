/* kubectl's command line: what passes and what becomes of cp, what is refused; and the private directories.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "server/launcher_kubectl.h"
#include "server/launcher_scratch.h"

enum { WORDS_MAX = 10, PATH_BYTES = SCRATCH_PATH_MAX + 64 };

static const struct {
    const char *words[WORDS_MAX];
    const char *becomes; /* joined by | after the program; NULL: as it is */
} passes[] = {
    { { NULL }, "" },
    { { "get", "pods" }, NULL },
    { { "get", "-f-" }, NULL },
    { { "apply", "-f", "-" }, NULL },
    { { "apply", "--filename=-", "--server-side" }, NULL },
    { { "logs", "-f", "web" }, NULL },
    { { "-n", "a", "logs", "-f", "web" }, NULL },
    { { "-o", "json", "get", "pods" }, NULL },
    { { "exec", "web", "--", "tar", "--server", "-f", "x" }, NULL },
    { { "exec", "-it", "web", "--", "sh" }, NULL },
    { { "create", "rolebinding", "x", "--user=bob", "--role=r" }, NULL },
    { { "set", "subject", "rolebinding", "x", "--user", "bob" }, NULL },
    { { "get", "pods", "--show-kind" }, NULL },
    { { "get", "edit" }, NULL },
    { { "-n", "edit", "get", "pods" }, NULL },
    { { "--namespace", "proxy", "get", "pods" }, NULL },
    { { "-A", "get", "pods" }, NULL },
    { { "auth", "can-i", "--list" }, NULL },
    { { "apply", "view-last-applied", "-f", "-" }, NULL },
    { { "cp", "web:/etc/hosts", "-" }, "exec|web|--|tar|-c|-f|-|-C|/etc|--|hosts" },
    { { "cp", "web:/etc/", "-" }, "exec|web|--|tar|-c|-f|-|-C|/|--|etc" },
    { { "cp", "web:/", "-" }, "exec|web|--|tar|-c|-f|-|-C|/|--|." },
    { { "cp", "web:hosts", "-" }, "exec|web|--|tar|-c|-f|-|-C|.|--|hosts" },
    { { "cp", "web:-x", "-" }, "exec|web|--|tar|-c|-f|-|-C|.|--|-x" },
    { { "cp", "team/web:a/b", "-", "-c", "main" },
      "-c|main|--namespace|team|exec|web|--|tar|-c|-f|-|-C|a|--|b" },
    { { "-n", "team", "cp", "-", "web:/tmp" }, "-n|team|exec|-i|web|--|tar|-x|-m|-f|-|-C|/tmp" },
    { { "cp", "--no-preserve", "--retries", "3", "-", "web:/tmp" },
      "exec|-i|web|--|tar|-x|-m|-f|-|-C|/tmp|--no-same-permissions|--no-same-owner" },
    { { "cp", "--no-preserve=false", "--retries=3", "-", "web:/tmp" },
      "exec|-i|web|--|tar|-x|-m|-f|-|-C|/tmp" },
    { { "port-forward", "web", "80" }, "port-forward|--address=127.0.0.1|web|80" },
    { { "-n", "a", "port-forward", "svc/web", "8080:http", "--pod-running-timeout", "5s" },
      "-n|a|port-forward|--address=127.0.0.1|svc/web|8080:http|--pod-running-timeout|5s" },
    { { "port-forward", "web", "-n", "a", "--", ":80" }, "port-forward|--address=127.0.0.1|web|-n|a|--|:80" },
    { { "port-forward", "--", "web", "80" }, "port-forward|--address=127.0.0.1|--|web|80" },
    { { "port-forward" }, "port-forward|--address=127.0.0.1" },
};

static const struct {
    const char *words[WORDS_MAX];
    const char *says;
} refusals[] = {
    { { "get", "pods", "--server", "x" }, "--server is not offered: the target decides" },
    { { "--server=x", "get", "pods" }, "--server" },
    { { "-s", "x", "get", "pods" }, "--server" },
    { { "get", "-shttp://x" }, "--server" },
    { { "--kubeconfig", "x", "get" }, "--kubeconfig" },
    { { "get", "pods", "--context=x" }, "--context" },
    { { "get", "pods", "--cluster=x" }, "--cluster" },
    { { "get", "pods", "--user=x" }, "--user" },
    { { "get", "pods", "--token=x" }, "--token" },
    { { "get", "pods", "--as=x" }, "Gatehouse tells the API server who you are" },
    { { "get", "pods", "--as-group", "x" }, "--as-group" },
    { { "get", "pods", "--certificate-authority=x" }, "--certificate-authority" },
    { { "get", "pods", "--insecure-skip-tls-verify" }, "--insecure-skip-tls-verify" },
    { { "get", "pods", "--cache-dir=/x" }, "no files" },
    { { "apply", "-f", "x.yaml" }, "use -f -" },
    { { "apply", "-fx.yaml" }, "use -f -" },
    { { "apply", "-Rf", "." }, "use -f -" },
    { { "apply", "--filename=x" }, "use -f -" },
    { { "apply", "--filename", "x" }, "use -f -" },
    { { "logs", "--filename", "x" }, "use -f -" },
    { { "apply", "-k", "x" }, "kubectl kustomize" },
    { { "create", "configmap", "x", "--from-file=y" }, "apply -f -" },
    { { "create", "-f", "-", "--edit" }, "no editor" },
    { { "edit", "pod", "x" }, "replace -f -" },
    { { "-n", "x", "edit", "pod", "x" }, "replace -f -" },
    { { "apply", "edit-last-applied", "pod/x" }, "no editor" },
    { { "port-forward", "web", "80", "81" }, "one connection" },
    { { "port-forward", "-n", "a", "web", "--pod-running-timeout", "5s", ":80", "-v=6", ":81" },
      "one connection" },
    { { "port-forward", "web", "80", "--", "81" }, "one connection" },
    { { "port-forward", "--", "web", "80", "81" }, "one connection" },
    { { "port-forward", "web", "80", "--address", "::" }, "nothing listens here" },
    { { "--address=localhost", "port-forward", "web", "80" }, "nothing listens here" },
    { { "port-forward", "web", "80", "--server=x" }, "the target decides" },
    { { "proxy" }, "ssh -N -L" },
    { { "plugin", "list" }, "no plug-ins" },
    { { "diff", "-f", "-" }, "--dry-run=server" },
    { { "config", "view" }, "config --kubeconfig" },
    { { "cp", "web:/x", "here" }, "tar archive" },
    { { "cp", "here", "web:/x" }, "tar archive" },
    { { "cp", "-", "-" }, "tar archive" },
    { { "cp", "web:/x" }, "tar archive" },
    { { "cp", "web:", "-" }, "tar archive" },
    { { "cp", "a", "b", "c" }, "two places" },
    { { "get", "pods", "--as=\033[31m" }, "--as is" },
};

static int parse(const char *const words[WORDS_MAX], struct command *command, struct detail *detail)
{
    size_t n = 0;
    while (n < WORDS_MAX && words[n])
        n++;
    return kubectl_arguments("/kubectl", (char *const *)(uintptr_t)words, n, command, detail);
}

static void join(char *const *words, size_t n, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(out);
        (void)snprintf(out + used, size - used, "%s%s", i ? "|" : "", words[i]);
    }
}

static void what_passes_is_as_it_was_typed_but_for_cp_and_port_forward(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        CLEANUP(command_free) struct command command = { 0 };
        struct detail detail = { "" };
        char joined[512], typed[512];
        size_t n = 0;
        while (passes[i].words[n])
            n++;
        if (parse(passes[i].words, &command, &detail))
            fail_msg("case %zu: %s", i, detail.text);
        join(command.arguments.items + 1, command.arguments.count - 1, joined, sizeof joined);
        join((char *const *)(uintptr_t)passes[i].words, n, typed, sizeof typed);
        assert_string_equal(command.arguments.items[0], "/kubectl");
        assert_int_equal(command.forwards, strstr(joined, "--address") != NULL);
        assert_string_equal(joined, passes[i].becomes ? passes[i].becomes : typed);
    }
}

static void what_is_refused_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        CLEANUP(command_free) struct command command = { 0 };
        struct detail detail = { "" };
        if (parse(refusals[i].words, &command, &detail) != COMMAND_REFUSED ||
            !strstr(detail.text, refusals[i].says))
            fail_msg("case %zu: '%s' does not say '%s'", i, detail.text, refusals[i].says);
    }
}

static void a_command_line_beyond_the_bounds_is_refused(void **state)
{
    (void)state;
    static char *words[COMMAND_WORDS_MAX];
    struct detail detail = { "" };
    for (size_t i = 0; i < COMMAND_WORDS_MAX; i++)
        words[i] = (char *)(uintptr_t) "-A";
    CLEANUP(command_free) struct command many = { 0 }, just = { 0 };
    assert_int_equal(kubectl_arguments("/kubectl", words, COMMAND_WORDS_MAX, &many, &detail), COMMAND_USAGE);
    assert_int_equal(kubectl_arguments("/kubectl", words, COMMAND_WORDS_MAX - 1, &just, &detail), 0);
}

static void the_environment_is_ours(void **state)
{
    (void)state;
    static const char *const given[][2] = {
        { "KUBECONFIG", "/x" },
        { "KUBECTL_EXTERNAL_DIFF", "id" },
        { "COLUMNS", "80" },
        { "HTTP_PROXY", "evil" },
    };
    enum { N = sizeof given / sizeof given[0] };
    Ipc__Variable variables[N], *list[N];
    char joined[1024];
    for (size_t i = 0; i < N; i++) {
        variables[i] = (Ipc__Variable)IPC__VARIABLE__INIT;
        variables[i].name = (char *)(uintptr_t)given[i][0];
        variables[i].value = (char *)(uintptr_t)given[i][1];
        list[i] = &variables[i];
    }
    CLEANUP(command_free) struct command command = { 0 };
    assert_int_equal(kubectl_environment("/s", NULL, list, N, &command), 0);
    join(command.environment.items, command.environment.count, joined, sizeof joined);
    assert_string_equal(joined,
                        "KUBECONFIG=/s/config|HOME=/s|TMPDIR=/s|PATH=/nonexistent|LANG=C.UTF-8|TERM=dumb|"
                        "GOTRACEBACK=none|COLUMNS=80");
}

/* ---- scratch ---- */

static void put(const char *directory, const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(scratch_write(path, "file", "text"), 0);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void a_scratch_directory_goes_with_its_connection(void **state)
{
    (void)state;
    char place[] = "/tmp/gatehouse-scratch-XXXXXX", root[SCRATCH_PATH_MAX], one[SCRATCH_PATH_MAX],
         again[SCRATCH_PATH_MAX], other[SCRATCH_PATH_MAX], outside[PATH_BYTES], link[PATH_BYTES];
    assert_non_null(mkdtemp(place));
    assert_int_equal(scratch_begin(place, root), -ENOENT);
    (void)snprintf(root, sizeof root, "%s/scratch", place);
    assert_int_equal(mkdir(root, 0700), 0);
    put(root, "left");
    assert_int_equal(scratch_begin(place, root), 0); /* of an earlier run: gone */
    (void)snprintf(outside, sizeof outside, "%s/outside", place);
    put(place, "outside");

    assert_int_equal(scratch_make(root, 7, "prod", one), 0);
    assert_int_equal(scratch_make(root, 7, "prod", again), 0);
    assert_int_equal(scratch_make(root, 8, "prod", other), 0);
    assert_string_equal(one, again);
    put(one, "cache");
    assert_int_equal(scratch_write(one, "config", "first"), 0);
    assert_int_equal(scratch_write(one, "config", "second"), 0);
    (void)snprintf(link, sizeof link, "%s/link", one);
    assert_int_equal(symlink(outside, link), 0);
    scratch_remove(root, 7);
    assert_false(exists(one));
    assert_true(exists(other));
    (void)strcat(outside, "/file");
    assert_true(exists(outside));

    assert_int_equal(scratch_make(root, 7, "../8", one), -EINVAL);
    assert_int_equal(scratch_make(root, 7, "..", one), -EINVAL);
    assert_int_equal(scratch_make(root, 7, "", one), -EINVAL);
    (void)snprintf(link, sizeof link, "rm -r %s", place);
    assert_int_equal(system(link), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_as_it_was_typed_but_for_cp_and_port_forward),
        cmocka_unit_test(what_is_refused_says_why),
        cmocka_unit_test(a_command_line_beyond_the_bounds_is_refused),
        cmocka_unit_test(the_environment_is_ours),
        cmocka_unit_test(a_scratch_directory_goes_with_its_connection),
    };
    return cmocka_run_group_tests_name("launcher_kubectl", tests, NULL, NULL);
}
