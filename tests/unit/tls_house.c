/* See tls_house.h. */
#include "tls_house.h"
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- certificates ---- */

static void write_extensions(const char *directory, const char *name, const char *text)
{
    char path[2 * KEYGEN_PATH];
    snprintf(path, sizeof path, "%s/%s.ext", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", text) > 0);
    assert_int_equal(fclose(file), 0);
}

void tls_make_ca(const char *directory, const char *name)
{
    char key[32], pem[32], subject[32];
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(pem, sizeof pem, "%s.pem", name);
    snprintf(subject, sizeof subject, "/CN=Test %s", name);
    const char *argv[] = {
        "openssl", "req",     "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-keyout", key,     "-out",    pem,  "-days",    "2",
        "-subj",   subject,   NULL
    };
    keygen_run(directory, argv);
}

void tls_make_certificate(const char *directory, const char *name, const char *subject,
                          const char *extensions, const char *days)
{
    char key[32], csr[32], pem[32], ext[32], cn[64];
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(csr, sizeof csr, "%s.csr", name);
    snprintf(pem, sizeof pem, "%s.pem", name);
    snprintf(ext, sizeof ext, "%s.ext", name);
    snprintf(cn, sizeof cn, "/CN=%s", subject);
    const char *request[] = { "openssl", "req",     "-newkey", "ec",   "-pkeyopt", "ec_paramgen_curve:P-256",
                              "-nodes",  "-keyout", key,       "-out", csr,        "-subj",
                              cn,        NULL };
    const char *sign[] = { "openssl", "x509",   "-req",     "-in",    csr,
                           "-CA",     "ca.pem", "-CAkey",   "ca.key", "-CAcreateserial",
                           "-days",   days,     "-extfile", ext,      "-out",
                           pem,       NULL };
    write_extensions(directory, name, extensions);
    keygen_run(directory, request);
    keygen_run(directory, sign);
}

/* ---- the server ---- */

unsigned tls_server_port(const struct tls_server *server, const char *name)
{
    for (size_t i = 0; i < TLS_PORTS_MAX; i++)
        if (strcmp(server->ports[i].name, name) == 0)
            return server->ports[i].number;
    fail_msg("no port %s", name);
    return 0;
}

static void read_ports(struct tls_server *server, int fd)
{
    FILE *file = fdopen(fd, "r");
    char name[16] = "";
    unsigned port;
    assert_non_null(file);
    for (size_t i = 0; i < TLS_PORTS_MAX && fscanf(file, "%15s %u", name, &port) == 2; i++) {
        snprintf(server->ports[i].name, sizeof server->ports[i].name, "%s", name);
        server->ports[i].number = port;
        if (strcmp(name, "ready") == 0)
            break;
    }
    assert_string_equal(name, "ready");
    fclose(file);
}

void tls_server_start(struct tls_server *server, const char *directory, const char *script)
{
    const char *argv[] = { "/usr/bin/python3", script, NULL };
    posix_spawn_file_actions_t actions;
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addchdir_np(&actions, directory), 0);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    assert_int_equal(
        posix_spawn(&server->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    server->input = in[1];
    read_ports(server, out[0]);
}

void tls_server_stop(struct tls_server *server)
{
    int status = 0;
    close(server->input);
    assert_int_equal(kill(server->pid, SIGTERM), 0);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
}
