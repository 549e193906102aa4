/* gatehouse serve: reads the configuration and becomes the listener, which has no parser of its own. For a
 * reload the listener runs this again as `serve --read-config FD`: the same Start message goes to that
 * descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/jail.h"
#include "base/start.h"
#include "base/text.h"
#include "server/gatehouse.h"
#include "server/options.h"

enum { HOST_KEY_MAX = 64 * 1024, SEND_LIMIT_MS = 2000 };

struct serve {
    const char *path, *log, *read_config;
    bool debug;
};

/* ---- what the listener gets ---- */

static int config_memfd(const Ipc__Config *config, int *ret_fd)
{
    size_t n = ipc__config__get_packed_size(config);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return -ENOMEM;
    (void)ipc__config__pack(config, bytes);
    return fd_of_bytes("config", bytes, n, ret_fd);
}

/* A host key that others can read is a fault, as it is for sshd. */
static int host_key_memfd(const char *path, int *ret_fd)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) < 0)
        return gatehouse_fail(EXIT_CONFIG, "host key %s: %s", path, strerror(errno));
    if (about.st_mode & (S_IRWXG | S_IRWXO))
        return gatehouse_fail(EXIT_CONFIG, "host key %s may be read by others: chmod 600 it", path);
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd_contents(fd, HOST_KEY_MAX, &bytes, &n);
    if (r == 0)
        r = fd_of_bytes("host-key", bytes, n, ret_fd);
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    return r ? gatehouse_fail(EXIT_CONFIG, "host key %s: %s", path, strerror(-r)) : 0;
}

static int gather_fds(const Ipc__Config *config, int fds[IPC_FDS_MAX], size_t *n_fds)
{
    if (config->n_host_keys + 1 > IPC_FDS_MAX)
        return gatehouse_fail(EXIT_CONFIG, "more than %d host keys", IPC_FDS_MAX - 1);
    if (config_memfd(config, &fds[0]))
        return gatehouse_fail(EXIT_SOFTWARE, "out of memory");
    *n_fds = 1;
    int r = 0;
    for (size_t i = 0; i < config->n_host_keys && r == 0; i++) {
        r = host_key_memfd(config->host_keys[i], &fds[*n_fds]);
        if (r == 0)
            (*n_fds)++;
    }
    return r;
}

static int send_start(const struct serve *serve, const Ipc__Config *config, char *path, int to)
{
    char libexec[PATH_MAX], program[PATH_MAX];
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    if (gatehouse_libexec(libexec, sizeof libexec) || !realpath("/proc/self/exe", program))
        return gatehouse_fail(EXIT_SOFTWARE, "can't tell where the other executables are");
    int r = gather_fds(config, fds, &n_fds);
    if (r == 0) {
        Ipc__Start start = IPC__START__INIT;
        start.log_json = serve->log && strcmp(serve->log, "json") == 0;
        start.debug = serve->debug;
        start.state = config->state;
        start.libexec = libexec;
        start.config_path = path;
        start.program = program;
        Ipc__Message message = IPC_MESSAGE(START, start, &start);
        r = ipc_send_now(to, &message, fds, n_fds, SEND_LIMIT_MS);
        if (r)
            r = gatehouse_fail(EXIT_SOFTWARE, "can't hand over the configuration: %s", strerror(-r));
    }
    for (size_t i = 0; i < n_fds; i++)
        fd_close(fds[i]);
    return r;
}

/* ---- becoming the listener ---- */

/* As root every process has a uid of its own: they pass through the state directory by their common group. */
static int open_state(const char *state)
{
    struct stat about;
    if (stat(state, &about) < 0)
        return gatehouse_fail(EXIT_CONFIG, "%s: %s; make it with: gatehouse init %s", state, strerror(errno),
                              state);
    if (geteuid() != 0)
        return 0;
    if (chown(state, about.st_uid, process_gid()) < 0 || chmod(state, 0710) < 0)
        return gatehouse_fail(EXIT_CONFIG, "%s: %s", state, strerror(errno));
    return 0;
}

/* Where tools have their private directories; the launcher's alone, which empties it. */
static int make_scratch(const char *state)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/scratch", state) >= (int)sizeof path)
        return gatehouse_fail(EXIT_CONFIG, "the state directory's name is too long");
    struct stat about;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return gatehouse_fail(EXIT_CONFIG, "%s: %s", path, strerror(errno));
    if (lstat(path, &about) < 0 || !S_ISDIR(about.st_mode))
        return gatehouse_fail(EXIT_CONFIG, "%s is not a directory", path);
    if (geteuid() == 0 && lchown(path, process_uid(PROCESS_LAUNCHER), process_gid()) < 0)
        return gatehouse_fail(EXIT_CONFIG, "%s: %s", path, strerror(errno));
    return 0;
}

static int become_listener(int control)
{
    char program[4200];
    int r = gatehouse_libexec(program, sizeof program - 32);
    if (r)
        return gatehouse_fail(EXIT_SOFTWARE, "can't tell where the other executables are");
    (void)strcat(program, "/gatehouse-listener");
    if (control == CONTROL_FD)
        r = fd_cloexec(control, false);
    else if (dup2(control, CONTROL_FD) < 0)
        r = -errno;
    if (r)
        return gatehouse_fail(EXIT_SOFTWARE, "dup2: %s", strerror(-r));
    (void)execl(program, "gatehouse-listener", (char *)NULL);
    return gatehouse_fail(EXIT_SOFTWARE, "%s: %s", program, strerror(errno));
}

static int start_listener(const struct serve *serve, const Ipc__Config *config, char *path)
{
    int pair[2];
    int r = open_state(config->state);
    if (r == 0)
        r = make_scratch(config->state);
    if (r)
        return r;
    if (fd_pair(SOCK_SEQPACKET, pair))
        return gatehouse_fail(EXIT_SOFTWARE, "socketpair: %s", strerror(errno));
    r = send_start(serve, config, path, pair[0]);
    if (r)
        return r;
    /* What was sent stays readable after our end is closed, which exec does. */
    return become_listener(pair[1]);
}

int gatehouse_serve(int argc, char **argv)
{
    struct serve serve = { .path = gatehouse_default_config };
    const struct option_spec specs[] = { { .name = "-c", .value = &serve.path },
                                         { .name = "--log", .value = &serve.log },
                                         { .name = "--debug", .flag = &serve.debug },
                                         { .name = "--read-config", .value = &serve.read_config },
                                         { 0 } };
    if (!options_take(&argc, argv, specs))
        return EXIT_USAGE;
    if (argc > 1 || (serve.log && strcmp(serve.log, "json") != 0 && strcmp(serve.log, "text") != 0))
        return gatehouse_fail(EXIT_USAGE, "serve [-c FILE] [--log json|text] [--debug]");
    CLEANUP(free) char *path = realpath(serve.path, NULL);
    if (!path)
        return gatehouse_fail(EXIT_CONFIG, "%s: %s", serve.path, strerror(errno));
    Ipc__Config *config = NULL;
    int r = gatehouse_load(path, &config);
    if (r)
        return r;
    uint64_t fd = 0;
    if (!serve.read_config)
        r = start_listener(&serve, config, path);
    else if (text_to_u64(serve.read_config, 1024, &fd))
        r = send_start(&serve, config, path, (int)fd);
    else
        r = gatehouse_fail(EXIT_USAGE, "--read-config is for the listener");
    ipc__config__free_unpacked(config, NULL);
    return r;
}
