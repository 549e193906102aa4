/* gatehouse vault: set, list, rm, rekey. */
#include <string.h>
#include <unistd.h>

#include "server/gatehouse.h"
#include "server/options.h"
#include "vault/admin.h"
#include "vault/import.h"

struct request {
    const char *state, *type;
    bool json;
    int argc;
    char **argv; /* [0] is the verb */
};

static int set(const struct request *request, struct detail *detail)
{
    if (request->argc != 2 || !request->type)
        return gatehouse_fail(EXIT_USAGE,
                              "vault set NAME --type password|token|ssh-key|client-cert|kubeconfig < SECRET");
    if (isatty(STDIN_FILENO))
        (void)gatehouse_fail(0, "type the secret, then end it with Ctrl-D on a line of its own");
    if (strcmp(request->type, "kubeconfig") == 0)
        return vault_import(request->state, request->argv[1], STDIN_FILENO, stdout, stderr, detail);
    return vault_admin_set(request->state, request->argv[1], request->type, STDIN_FILENO, detail);
}

static int list(const struct request *request, struct detail *detail)
{
    if (request->argc != 1)
        return gatehouse_fail(EXIT_USAGE, "vault list takes no operand");
    return vault_admin_list(request->state, stdout, request->json, detail);
}

static int remove_entry(const struct request *request, struct detail *detail)
{
    if (request->argc != 2)
        return gatehouse_fail(EXIT_USAGE, "vault rm NAME");
    return vault_admin_remove(request->state, request->argv[1], detail);
}

static int rekey(const struct request *request, struct detail *detail)
{
    if (request->argc != 1)
        return gatehouse_fail(EXIT_USAGE, "vault rekey takes no operand");
    return vault_admin_rekey(request->state, detail);
}

static const struct {
    const char *name;
    int (*run)(const struct request *request, struct detail *detail);
} verbs[] = { { "set", set }, { "list", list }, { "rm", remove_entry }, { "rekey", rekey } };

static int run_verb(const struct request *request)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(request->argv[0], verbs[i].name) != 0)
            continue;
        struct detail detail = { "" };
        int r = verbs[i].run(request, &detail);
        if (r == 0 || r == EXIT_USAGE)
            return r;
        return gatehouse_fail(EXIT_DATA, "vault %s: %s", verbs[i].name,
                              detail.text[0] ? detail.text : strerror(-r));
    }
    return gatehouse_fail(EXIT_USAGE, "vault set, list, rm or rekey; not \"%s\"", request->argv[0]);
}

int gatehouse_vault(int argc, char **argv)
{
    const char *path = gatehouse_default_config;
    struct request request = { 0 };
    const struct option_spec specs[] = { { .name = "-c", .value = &path },
                                         { .name = "--state", .value = &request.state },
                                         { .name = "--type", .value = &request.type },
                                         { .name = "--json", .flag = &request.json },
                                         { 0 } };
    if (!options_take(&argc, argv, specs))
        return EXIT_USAGE;
    if (argc < 2)
        return gatehouse_fail(EXIT_USAGE, "vault set, list, rm or rekey");
    request.argc = argc - 1;
    request.argv = argv + 1;
    if (request.state)
        return run_verb(&request);
    Ipc__Config *config = NULL;
    int r = gatehouse_load(path, &config);
    if (r)
        return r;
    request.state = config->state;
    r = run_verb(&request);
    ipc__config__free_unpacked(config, NULL);
    return r;
}
