/* The only command that a person types: finds the subcommand and runs it. */
#include "server/gatehouse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char gatehouse_default_config[] = "/etc/gatehouse/gatehouse.yaml";

static int print_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)printf("gatehouse %s\n", GATEHOUSE_VERSION);
    return 0;
}

static const struct subcommand subcommands[] = {
    { "serve", "serve [-c FILE] [--log json] [--debug]", "run the bastion in the foreground",
      gatehouse_serve },
    { "init", "init DIR", "make a state directory: keys, vault, a commented gatehouse.yaml", gatehouse_init },
    { "check", "check [-c FILE]", "report every fault of a configuration", gatehouse_check },
    { "vault", "vault set NAME --type password | list [--json] | rm NAME | rekey   [-c FILE | --state DIR]",
      "the targets' credentials; a secret is read from stdin", gatehouse_vault },
    { "token", "token --issuer NAME --sub SUB [--claim K=V]... [--claim-json K=JSON]... [--ttl 5m] [-c FILE]",
      "mint an ID token with the key_file of a local issuer", gatehouse_token },
    { "policy",
      "policy explain [-c FILE] --as ROLE[,ROLE] --target T [--body FILE] 'STATEMENT' | policy test [-c "
      "FILE] CASES.yaml",
      "what a statement does, and which rule decides", gatehouse_policy },
    { "verify", "verify [ID | DIR] [-c FILE]", "check recordings and the audit chain", gatehouse_verify },
    { "play", "play FILE | ID [-c FILE] [--cast | --text | --events | --speed N | --idle-limit S]",
      "play a recording", gatehouse_play },
    { "version", "version", "print the version", print_version },
    { NULL, NULL, NULL, NULL },
};

int gatehouse_fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("gatehouse: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return status;
}

int gatehouse_load(const char *path, Ipc__Config **ret)
{
    struct config_faults faults = { 0 };
    int r = config_load(path, ret, &faults);
    if (r < 0)
        return gatehouse_fail(EXIT_SOFTWARE, "%s: %s", path, strerror(-r));
    if (r > 0)
        config_faults_print(&faults, path, stderr);
    config_faults_free(&faults);
    return r > 0 ? EXIT_CONFIG : 0;
}

int gatehouse_libexec(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n < 0)
        return -errno;
    out[n] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(out, '/');
        if (!slash)
            return -ENOENT;
        *slash = 0;
    }
    size_t used = strlen(out);
    int more = snprintf(out + used, size - used, "/libexec/gatehouse");
    return more < 0 || (size_t)more >= size - used ? -ENAMETOOLONG : 0;
}

static int print_help(FILE *out, int status)
{
    (void)fprintf(out, "Gatehouse %s: an SSH bastion for AI agents and people.\n\n", GATEHOUSE_VERSION);
    for (const struct subcommand *s = subcommands; s->name; s++)
        (void)fprintf(out, "  gatehouse %s\n      %s\n", s->usage, s->summary);
    (void)fprintf(out,
                  "\nStart with: gatehouse init DIR. The configuration is %s unless -c says otherwise.\n",
                  gatehouse_default_config);
    return status;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return print_help(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(stdout, 0);
    if (strcmp(argv[1], "--version") == 0)
        return print_version(argc, argv);
    for (const struct subcommand *s = subcommands; s->name; s++) {
        if (strcmp(argv[1], s->name) != 0)
            continue;
        if (!asks_for_help(argc - 1, argv + 1))
            return s->run(argc - 1, argv + 1);
        (void)printf("gatehouse %s\n    %s\n", s->usage, s->summary);
        return 0;
    }
    (void)gatehouse_fail(EXIT_USAGE, "no command \"%s\"", argv[1]);
    return print_help(stderr, EXIT_USAGE);
}
