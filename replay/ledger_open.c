/* A recording is opened here and written by the gate. Whatever fails, fails before the gate has the fd: then
 * the session does not start, and no file is left. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "replay/entries.h"
#include "replay/ledger.h"

enum { ID_TRIES = 8 };

static int create_at(int dir_fd, const char *place)
{
    int fd = openat(dir_fd, place, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

static int create_file(struct ledger *ledger, struct opened *opened, uint64_t now_ms)
{
    for (int i = 0; i < ID_TRIES; i++) {
        char day[RECORDING_DAY + 1], place[RECORDING_PLACE + 1];
        recording_id(opened->id, now_ms, randombytes_random());
        int fd = create_at(ledger->recordings_fd, recording_place(place, opened->id));
        if (fd == -ENOENT) { /* the day's first */
            if (mkdirat(ledger->recordings_fd, recording_day(day, opened->id), 0700) < 0 && errno != EEXIST)
                return -errno;
            fd = create_at(ledger->recordings_fd, place);
        }
        opened->fd = fd;
        if (fd >= 0)
            return 0;
        if (fd != -EEXIST)
            return fd;
    }
    return -EEXIST;
}

static int write_header(struct ledger *ledger, struct opened *opened, Ipc__Header *header)
{
    uint8_t head[CHAIN_HEAD_MAX], key[CHAIN_KEY];
    Ipc__Event event = IPC__EVENT__INIT;
    event.what_case = IPC__EVENT__WHAT_HEADER;
    event.header = header;
    size_t n = ipc__event__get_packed_size(&event);
    if (n > sizeof head)
        return -EMSGSIZE;
    (void)ipc__event__pack(&event, head);
    int r = fd_write_all(opened->fd, magic_recording, ENTRIES_MAGIC, -1);
    if (r)
        return r;
    keys_recording(ledger->keys, opened->id, key);
    chain_start(&opened->chain, CHAIN_V2, key);
    keys_wipe(key);
    return chain_append(&opened->chain, opened->fd, head, n, NULL, 0);
}

/* With `synced` a session whose requests survive a power cut must not lose its file's name to it. */
static int make_durable(struct ledger *ledger, const struct opened *opened)
{
    const Ipc__Recording *settings = ledger->config->recording;
    char day[RECORDING_DAY + 1];
    if (!settings || strcmp(settings->durability, "synced") != 0)
        return 0;
    CLEANUP(fd_close)
    int day_fd =
        openat(ledger->recordings_fd, recording_day(day, opened->id), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (day_fd < 0 || fsync(opened->fd) < 0 || fsync(day_fd) < 0 || fsync(ledger->recordings_fd) < 0)
        return -errno;
    return 0;
}

static int enter_start(struct ledger *ledger, const Ipc__Identity *identity, const Ipc__AskRecording *ask,
                       char *id)
{
    Ipc__Variable kind = lent_variable("kind", ask->kind), target = lent_variable("target", ask->target);
    Ipc__Variable *fields[] = { &kind, &target };
    Ipc__AuditEvent event = ledger_event("session_start", identity);
    event.recording = id;
    event.fields = fields;
    event.n_fields = sizeof fields / sizeof *fields;
    return ledger_enter(ledger, &event);
}

/* The index is a copy: a session does not fail for it. */
static void put_in_index(struct ledger *ledger, const Ipc__Header *header)
{
    struct store_session session = {
        .id = header->id,
        .identity = header->identity->name,
        .source = header->identity->source_address,
        .kind = header->kind,
        .target = header->target,
        .target_kind = header->target_kind,
        .login = header->login,
        .command = header->command,
        .state = "live",
        .actor = header->identity->claims ? header->identity->claims->actor : "",
        .party = header->identity->claims ? header->identity->claims->authorized_party : "",
        .started_ms = header->started_ms,
    };
    int r = store_put(ledger->store, &session);
    if (r)
        log_event(LOG_WARNING, "index_failed", "recording", header->id, "detail", strerror(-r), NULL);
}

static int fill(struct ledger *ledger, const Ipc__Identity *identity, const Ipc__AskRecording *ask,
                struct opened *opened, uint64_t now_ms)
{
    char command[LEDGER_COMMAND_MAX + 1];
    (void)snprintf(command, sizeof command, "%s", ask->command);
    Ipc__Header header = IPC__HEADER__INIT;
    header.version = CHAIN_V2;
    header.id = opened->id;
    header.started_ms = now_ms;
    header.identity = (Ipc__Identity *)(uintptr_t)identity;
    header.kind = ask->kind;
    header.target = ask->target;
    header.target_kind = ask->target_kind;
    header.login = ask->login;
    header.command = command;
    header.pty = ask->pty;
    header.node = ledger->node;
    int r = write_header(ledger, opened, &header);
    if (r == 0)
        r = make_durable(ledger, opened);
    if (r == 0)
        r = enter_start(ledger, identity, ask, opened->id);
    if (r == 0)
        put_in_index(ledger, &header);
    return r;
}

int ledger_open(struct ledger *ledger, const Ipc__Identity *identity, const Ipc__AskRecording *ask,
                struct opened *ret)
{
    struct opened opened = { .fd = -1 };
    uint64_t now_ms = clock_unix_ms();
    int r = create_file(ledger, &opened, now_ms);
    if (r)
        return r;
    r = fill(ledger, identity, ask, &opened, now_ms);
    if (r) {
        char place[RECORDING_PLACE + 1];
        (void)unlinkat(ledger->recordings_fd, recording_place(place, opened.id), 0);
        chain_wipe(&opened.chain);
        fd_close(opened.fd);
        return r;
    }
    *ret = opened;
    return 0;
}
