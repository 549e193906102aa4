/* gatehouse policy explain | test: the rules, asked without a bastion or a database. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/io.h"
#include "policy/config_json.h"
#include "policy/explain.h"
#include "policy/kube_body.h"
#include "policy/policy_test.h"
#include "policy/sql.h"
#include "server/gatehouse.h"
#include "server/options.h"

enum { ROLES_MAX = 64 };

struct request {
    const char *path, *roles, *target, *body, *type;
    int argc;
    char **argv; /* [0] is the verb */
};

static void print(const struct buffer *out)
{
    (void)fwrite(buffer_head(out), 1, buffer_size(out), stdout);
}

/* "a,b" in place into a list. */
static size_t split_roles(char *text, char *ret[ROLES_MAX])
{
    size_t n = 0;
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name && n < ROLES_MAX; name = strtok_r(NULL, ",", &rest))
        ret[n++] = name;
    return n;
}

/* The body of a request, as kubectl would send it: of YAML the JSON. "-": standard input. 0 or what to exit
 * with. */
static int read_body(const char *path, char **ret, size_t *ret_n)
{
    CLEANUP(fd_close) int opened = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    struct config_faults faults = { 0 };
    struct buffer in;
    size_t n = 1;
    int fd = strcmp(path, "-") ? opened : STDIN_FILENO;
    buffer_init(&in, KUBE_BODY_MAX);
    int r = fd < 0 ? -errno : 0;
    while (r == 0 && n > 0)
        r = buffer_read(&in, fd, KUBE_BODY_MAX, &n);
    if (r == 0)
        r = config_bytes_json(buffer_head(&in), buffer_size(&in), &faults, ret, ret_n);
    if (r > 0)
        config_faults_print(&faults, path, stderr);
    config_faults_free(&faults);
    buffer_free(&in);
    if (r < 0)
        return gatehouse_fail(EXIT_DATA, "%s: %s", path, r == -ENOBUFS ? "it is too large" : strerror(-r));
    return r > 0 ? EXIT_DATA : 0;
}

static int explain(const struct request *request, const Ipc__Config *config)
{
    if (request->argc != 2 || !request->roles || !request->target)
        return gatehouse_fail(EXIT_USAGE, "policy explain [-c FILE] --as ROLE[,ROLE] --target T 'STATEMENT'");
    CLEANUP(free) char *text = strdup(request->roles);
    CLEANUP(free) char *body = NULL;
    char *roles[ROLES_MAX];
    struct explain_request asked = { .text = request->argv[1], .type = request->type };
    struct buffer out;
    struct detail detail = { "" };
    enum action action;
    if (!text)
        return gatehouse_fail(EXIT_SOFTWARE, "out of memory");
    int r = request->body ? read_body(request->body, &body, &asked.body_n) : 0;
    if (r)
        return r;
    asked.body = (const uint8_t *)body;
    buffer_init(&out, EXPLAIN_MAX);
    r = explain_statement(config, roles, split_roles(text, roles), request->target, &asked, &out, &action,
                          &detail);
    if (r == 0)
        print(&out);
    buffer_free(&out);
    return r ? gatehouse_fail(r > 0 ? EXIT_USAGE : EXIT_SOFTWARE, "policy explain: %s",
                              detail.text[0] ? detail.text : strerror(-r))
             : 0;
}

static int test(const struct request *request, const Ipc__Config *config)
{
    if (request->argc != 2)
        return gatehouse_fail(EXIT_USAGE, "policy test [-c FILE] CASES.yaml");
    struct buffer out;
    struct policy_score score = { 0 };
    struct config_faults faults = { 0 };
    buffer_init(&out, EXPLAIN_MAX);
    int r = policy_test(config, request->argv[1], &out, &score, &faults);
    print(&out);
    buffer_free(&out);
    if (r > 0)
        config_faults_print(&faults, request->argv[1], stderr);
    config_faults_free(&faults);
    if (r < 0)
        return gatehouse_fail(EXIT_SOFTWARE, "%s: %s", request->argv[1], strerror(-r));
    return r > 0 ? EXIT_DATA : score.failed > 0;
}

static const struct {
    const char *name;
    int (*run)(const struct request *request, const Ipc__Config *config);
} verbs[] = { { "explain", explain }, { "test", test } };

int gatehouse_policy(int argc, char **argv)
{
    struct request request = { .path = gatehouse_default_config };
    const struct option_spec specs[] = { { .name = "-c", .value = &request.path },
                                         { .name = "--as", .value = &request.roles },
                                         { .name = "--target", .value = &request.target },
                                         { .name = "--body", .value = &request.body },
                                         { .name = "--content-type", .value = &request.type },
                                         { 0 } };
    if (!options_take(&argc, argv, specs))
        return EXIT_USAGE;
    request.argc = argc - 1;
    request.argv = argv + 1;
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        Ipc__Config *config = NULL;
        int r = gatehouse_load(request.path, &config);
        if (r)
            return r;
        sql_start();
        r = verbs[i].run(&request, config);
        ipc__config__free_unpacked(config, NULL);
        return r;
    }
    return gatehouse_fail(EXIT_USAGE, "policy explain or policy test; see --help");
}
