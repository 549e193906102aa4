/* Logs in with a certificate and opens one forwarded channel, again and again: a client that costs little, so
 * that what is measured is the server.
 *
 * usage: logins PORT USER KEY CERTIFICATE TARGET TARGET_PORT COUNT WORKERS    prints the seconds that it took
 *        logins PORT USER KEY CERTIFICATE - 0 COUNT hold                      logs in COUNT times, prints
 * "ready", and holds them until stdin ends */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOLD_MAX = 1000 };

struct plan {
    int port;
    const char *user, *target;
    int target_port;
    ssh_key key, certificate;
};

static void give_up(const char *what, ssh_session session)
{
    (void)fprintf(stderr, "logins: %s: %s\n", what, session ? ssh_get_error(session) : "failed");
    exit(1);
}

/* Our own socket: libssh sets no TCP_NODELAY, and 40 ms of waiting would be measured as work. */
static int connected(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        give_up("connect", NULL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static ssh_session logged_in(const struct plan *plan)
{
    ssh_session session = ssh_new();
    int fd = connected(plan->port);
    long timeout = 60;
    bool off = false;
    ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(session, SSH_OPTIONS_USER, plan->user);
    ssh_options_set(session, SSH_OPTIONS_FD, &fd);
    ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &timeout);
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
    ssh_options_set(session, SSH_OPTIONS_KEY_EXCHANGE, "curve25519-sha256");
    ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, "ssh-ed25519");
    if (ssh_connect(session) != SSH_OK)
        give_up("ssh_connect", session);
    if (ssh_userauth_publickey(session, NULL, plan->key) != SSH_AUTH_SUCCESS)
        give_up("ssh_userauth_publickey", session);
    return session;
}

static void once(const struct plan *plan)
{
    ssh_session session = logged_in(plan);
    ssh_channel channel = ssh_channel_new(session);
    if (ssh_channel_open_forward(channel, plan->target, plan->target_port, "127.0.0.1", 1) != SSH_OK)
        give_up("ssh_channel_open_forward", session);
    ssh_channel_close(channel);
    ssh_channel_free(channel);
    ssh_disconnect(session);
    ssh_free(session);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(const struct plan *plan, int count, int workers)
{
    double start = now();
    for (int worker = 0; worker < workers; worker++) {
        if (fork() != 0)
            continue;
        for (int i = worker; i < count; i += workers)
            once(plan);
        _exit(0);
    }
    int failed = 0, status;
    while (wait(&status) > 0)
        failed = failed || status != 0;
    (void)printf("%.4f\n", now() - start);
    return failed;
}

static int hold(const struct plan *plan, int count)
{
    char byte;
    for (int i = 0; i < count && i < HOLD_MAX; i++)
        (void)logged_in(plan);
    (void)puts("ready");
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 9)
        return 64;
    struct plan plan = {
        .port = atoi(argv[1]), .user = argv[2], .target = argv[5], .target_port = atoi(argv[6])
    };
    ssh_init();
    if (ssh_pki_import_privkey_file(argv[3], NULL, NULL, NULL, &plan.key) ||
        ssh_pki_import_cert_file(argv[4], &plan.certificate) ||
        ssh_pki_copy_cert_to_privkey(plan.certificate, plan.key))
        give_up("key and certificate", NULL);
    int count = atoi(argv[7]);
    return strcmp(argv[8], "hold") == 0 ? hold(&plan, count) : run(&plan, count, atoi(argv[8]));
}
