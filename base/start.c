/* See start.h. */
#include "base/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

enum { START_LIMIT_MS = 2000 };

/* The standard descriptors exist: nothing else may land on their numbers. */
static void fill_standard_fds(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    fd_close(fd);
}

int process_begin(enum process_kind kind, Ipc__Message **ret_start, int ret_fds[IPC_FDS_MAX])
{
    const char *name = process_name(kind);
    int control = CONTROL_FD;
    if (fcntl(control, F_GETFD) < 0) {
        (void)!write(STDERR_FILENO, "gatehouse: this program is started by 'gatehouse serve'\n", 56);
        return 78;
    }
    fill_standard_fds();
    (void)signal(SIGPIPE, SIG_IGN);
    log_open(name, false, LOG_INFO);
    if (jail_close_others(&control, 1) || fd_cloexec(control, true)) {
        log_event(LOG_ERROR, "start_failed", "detail", "can't close inherited descriptors", NULL);
        return 78;
    }
    Ipc__Message *message = NULL;
    size_t n_fds = 0;
    int r = ipc_receive_now(control, START_LIMIT_MS, &message, ret_fds, &n_fds);
    if (r || message->body_case != IPC__MESSAGE__BODY_START) {
        log_event(LOG_ERROR, "start_failed", "detail", r ? strerror(-r) : "no Start message came first",
                  NULL);
        ipc_message_free(message);
        return 78;
    }
    log_open(name, message->start->log_json, message->start->debug ? LOG_DEBUG : LOG_INFO);
    *ret_start = message;
    return 0;
}

int process_config(int fd, Ipc__Config **ret)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd_contents(fd, PACKED_CONFIG_MAX, &bytes, &n);
    if (r)
        return r;
    Ipc__Config *config = ipc__config__unpack(NULL, n, bytes);
    if (!config)
        return -EBADMSG;
    *ret = config;
    return 0;
}
