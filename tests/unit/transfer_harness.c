/* Transfers between a real client and a real program of a target, over pipes, with nothing of SSH between.
 * The client is on stdin and stdout:
 *
 *   transfer_harness sftp PROGRAM       an sftp server
 *   transfer_harness exec … x COMMAND…   run by a shell; it says what kind of transfer it is. So it takes the
 * place of ssh (scp -S, rsync -e, GIT_SSH), to a host of the name x
 *
 * Environment: HARNESS_EVENTS: a file to which what is decided and told is appended, one line each.
 * HARNESS_RULES: lines "allow|deny OPERATION[,…] GLOB", the first that matches decides, else it is allowed;
 * when it is set, paths are resolved before. HARNESS_DETECT: name of a detector; files in which it fires are
 * refused. HARNESS_SMALL: reads so many bytes at a time. HARNESS_RACE: a command that is run between a
 * decision to open and the opening. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/io.h"
#include "channels/sftp/opaque.h"
#include "channels/sftp/path.h"
#include "channels/sftp/scp.h"
#include "channels/sftp/sftp.h"
#include "policy/detect.h"

struct harness {
    struct transfer *transfer;
    FILE *events;
    char *rules;
    const char *race;
    uint64_t requests;
    bool looks;
    int to_target, from_target;
    bool told_target, target_deaf;
    size_t chunk;
};

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, n) == 0 && (at[n] == ',' || at[n] == 0))
            return true;
    return strcmp(list, "*") == 0;
}

static bool allows(const struct harness *h, const struct file_effect *effect)
{
    CLEANUP(free) char *rules = strdup(h->rules ? h->rules : "");
    char *rest = rules, *line;
    while ((line = strsep(&rest, "\n"))) {
        char action[16], operations[128], glob[512];
        if (sscanf(line, "%15s %127s %511s", action, operations, glob) == 3 &&
            has_word(operations, file_operation_name(effect->operation)) &&
            fnmatch(glob, effect->path, 0) == 0)
            return strcmp(action, "allow") == 0;
    }
    return true;
}

static int decide(void *owner, const struct file_request *request, struct file_verdict *ret)
{
    struct harness *h = owner;
    bool all = true, any = request->n_effects == 0;
    for (size_t i = 0; i < request->n_effects; i++) {
        bool one = allows(h, &request->effects[i]);
        all = all && one;
        any = any || one;
    }
    *ret = (struct file_verdict){ .allowed = request->any ? any : all,
                                  .look = h->looks,
                                  .number = ++h->requests };
    (void)snprintf(ret->message, sizeof ret->message, "denied: it is forbidden (rule test, code denied)");
    if (h->events)
        (void)fprintf(h->events, "%s %s\n", ret->allowed ? "allow" : "deny", request->text);
    if (ret->allowed && h->race && strcmp(request->what, "open") == 0 && system(h->race))
        return -EIO;
    return 0;
}

static int ended(void *owner, const struct file_transfer *t)
{
    struct harness *h = owner;
    char hex[2 * DIGEST_SIZE + 1];
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", t->digest.sha256[i]);
    if (h->events)
        (void)fprintf(
            h->events,
            "transfer %s %s of=%llu path=%s resolved=%s bytes=%llu from=%llu length=%llu %s %s%s%s\n",
            t->upload ? "upload" : "download", t->state, (unsigned long long)t->of, t->path, t->resolved,
            (unsigned long long)t->digest.bytes, (unsigned long long)t->digest.from,
            (unsigned long long)t->digest.length, hex, t->digest.whole ? "whole" : "partial",
            t->has_size ? " sized" : "", t->note[0] ? t->note : "");
    return 0;
}

/* What a target's sftp server would say. */
static void resolve(void *owner, const char *path)
{
    struct harness *h = owner;
    char whole[2 * PATH_MAX], parent[PATH_MAX], target[PATH_MAX];
    struct resolved_path answer = { .path = NULL };
    struct stat st;
    const char *name;
    if (realpath(path, target)) {
        answer.path = target;
        answer.directory = stat(target, &st) == 0 && S_ISDIR(st.st_mode);
    } else if (errno == ENOENT && path_split(path, target, &name) && realpath(target, parent)) {
        (void)snprintf(whole, sizeof whole, "%s/%s", parent, name);
        answer.path = lstat(whole, &st) < 0 ? whole : NULL;
    }
    transfer_resolved(h->transfer, &answer);
}

/* ---- the two sides ---- */

static void spawn(struct harness *h, const char *program, const char *command)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        exit(71);
    if (fork() == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        if (command)
            execl("/bin/sh", "sh", "-c", command, NULL);
        else
            execl(program, program, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    h->to_target = in[1];
    h->from_target = out[0];
}

static void fill(struct buffer *b, int fd, size_t chunk, bool *ret_ended)
{
    size_t n = 0;
    int r = buffer_read(b, fd, chunk < buffer_room(b) ? chunk : buffer_room(b), &n);
    if (r == 0 ? n == 0 : r != -EAGAIN)
        *ret_ended = true;
}

static short wanted(bool is, short what)
{
    return is ? what : 0;
}

/* Reads and writes once. False when there is nothing left to do. */
static bool turn(struct harness *h)
{
    struct transfer *t = h->transfer;
    bool up = buffer_size(&t->to_target) > 0 && !h->target_deaf, down = buffer_size(&t->to_client) > 0;
    struct pollfd p[4] = {
        { 0, wanted(!t->client_ended && transfer_wants_client(t), POLLIN), 0 },
        { 1, wanted(down, POLLOUT), 0 },
        { h->from_target, wanted(!t->target_ended && transfer_wants_target(t), POLLIN), 0 },
        { h->to_target, wanted(up, POLLOUT), 0 },
    };
    for (size_t i = 0; i < 4; i++)
        if (p[i].events == 0)
            p[i].fd = -1;
    if (t->client_ended && !up && !h->told_target) {
        h->told_target = true;
        close(h->to_target);
    }
    if (t->target_ended && !down)
        return false;
    if (poll(p, 4, 20000) <= 0)
        exit(75);
    if (p[0].revents)
        fill(&t->from_client, 0, h->chunk, &t->client_ended);
    if (p[2].revents)
        fill(&t->from_target, h->from_target, h->chunk, &t->target_ended);
    if (p[1].revents && buffer_write(&t->to_client, 1) < 0)
        exit(74);
    if (p[3].revents && buffer_write(&t->to_target, h->to_target) < 0)
        h->target_deaf = true;
    return true;
}

static int run(struct harness *h)
{
    int r = 0;
    while (r == 0 && turn(h))
        r = transfer_run(h->transfer);
    int told = transfer_end(h->transfer);
    if (r || told) {
        (void)fprintf(stderr, "harness: %s (%d)\n", h->transfer->why.text, r ? r : told);
        return 70;
    }
    return 0;
}

static struct detectors *detect(const char *name, struct detect_how *how)
{
    struct detectors *detectors = NULL;
    if (name && detectors_new(&name, 1, NULL, 0, &detectors, NULL))
        exit(78);
    memset(how->kinds, MASK_REDACT, sizeof how->kinds);
    return detectors;
}

/* As ssh does it: the words behind the host with blanks between. */
static char *command_of(char **argv)
{
    char *line = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&line, &n);
    while (*argv && strcmp(*argv, "x") != 0)
        argv++;
    for (argv += *argv != NULL; out && *argv; argv++)
        (void)fprintf(out, "%s%s", *argv, argv[1] ? " " : "");
    if (!out || fclose(out))
        exit(71);
    return line;
}

static int begin(const struct transfer_host *host, const char *line, struct transfer **ret)
{
    CLEANUP(transfer_command_clear) struct transfer_command command = { .program = PROGRAM_OTHER };
    if (!line)
        return sftp_transfer_new(host, ret);
    int r = transfer_command_read(line, &command);
    if (r || command.program == PROGRAM_OTHER)
        return r ? r : -EINVAL;
    return command.program == PROGRAM_SCP ? scp_transfer_new(host, &command, ret)
                                          : opaque_transfer_new(host, &command, line, ret);
}

static size_t number(const char *text, size_t otherwise)
{
    return text ? (size_t)strtoul(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static struct detect_how how;
    struct harness h = { .rules = getenv("HARNESS_RULES"), .race = getenv("HARNESS_RACE") };
    const char *events = getenv("HARNESS_EVENTS");
    h.looks = getenv("HARNESS_DETECT") != NULL;
    struct transfer_host host = { .owner = &h,
                                  .decide = decide,
                                  .ended = ended,
                                  .resolve = resolve,
                                  .asks_paths = h.rules != NULL,
                                  .how = &how };
    if (argc < 3)
        return 64;
    (void)signal(SIGPIPE, SIG_IGN);
    h.events = events ? fopen(events, "ae") : NULL;
    if (h.events)
        (void)setvbuf(h.events, NULL, _IOLBF, 0);
    h.chunk = number(getenv("HARNESS_SMALL"), TRANSFER_READ_MAX);
    host.detectors = detect(getenv("HARNESS_DETECT"), &how);
    CLEANUP(free) char *command = strcmp(argv[1], "exec") == 0 ? command_of(argv + 2) : NULL;
    if (begin(&host, command, &h.transfer))
        return 71;
    if (transfer_run(h.transfer) || h.transfer->stage == TRANSFER_REFUSED) {
        (void)fprintf(stderr, "gatehouse: %s\n", h.transfer->refusal);
        return 77;
    }
    spawn(&h, argv[2], command);
    (void)!(fd_nonblock(0, true) | fd_nonblock(1, true) | fd_nonblock(h.to_target, true) |
            fd_nonblock(h.from_target, true));
    int status = run(&h);
    transfer_free(h.transfer);
    detectors_free(host.detectors);
    if (h.events)
        (void)fclose(h.events);
    return status;
}
