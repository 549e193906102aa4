/* See child.h. Between fork and exec only what is safe in a single-threaded process is called. */
#include "server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/start.h"

/* What may go on to the processes: nothing that changes what a library does with data. */
static const char *const kept_variables[] = { "PATH",         "LANG",          "TZ",
                                              "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };

enum { KEPT = sizeof kept_variables / sizeof kept_variables[0], VARIABLE_MAX = 4096 };

static void clean_environment(void)
{
    char *values[KEPT];
    for (size_t i = 0; i < KEPT; i++) {
        const char *value = getenv(kept_variables[i]);
        values[i] = value && strlen(value) < VARIABLE_MAX ? strdup(value) : NULL;
    }
    (void)clearenv();
    for (size_t i = 0; i < KEPT; i++)
        if (values[i])
            (void)setenv(kept_variables[i], values[i], 1);
}

static void become(const char *program, char *const arguments[], int control)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    clean_environment();
    int r = control == CONTROL_FD ? fcntl(control, F_SETFD, 0) : dup2(control, CONTROL_FD);
    if (r >= 0)
        (void)execv(program, arguments);
    log_event(LOG_ERROR, "exec_failed", "program", program, "detail", strerror(errno), NULL);
    _exit(127);
}

int child_start(const char *program, char *const arguments[], int *ret_control, pid_t *ret_pid)
{
    int pair[2];
    int r = fd_pair(SOCK_SEQPACKET, pair);
    if (r)
        return r;
    pid_t pid = fork();
    if (pid == 0)
        become(program, arguments, pair[1]);
    fd_close(pair[1]);
    if (pid < 0) {
        r = -errno;
        fd_close(pair[0]);
        return r;
    }
    *ret_control = pair[0];
    *ret_pid = pid;
    return 0;
}
