/* See recording_fixture.h. */
#include "recording_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "replay/entries.h"
#include "replay/init.h"

void house_make(struct house *house)
{
    struct detail detail = { "" };
    struct audit_end end;
    char path[128];
    *house = (struct house){ .audit_fd = -1 };
    strcpy(house->state, "/tmp/gatehouse-house-XXXXXX");
    assert_non_null(mkdtemp(house->state));
    if (replay_init(house->state, &detail))
        fail_msg("%s", detail.text);
    assert_int_equal(keys_load(house->state, &house->keys, &detail), 0);
    (void)snprintf(path, sizeof path, "%s/audit", house->state);
    house->audit_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(
        audit_open(house->audit_fd, house->keys, false, NULL, NULL, &house->audit, &end, &detail), 0);
}

void house_close(struct house *house)
{
    audit_free(STEAL(house->audit));
    keys_free(STEAL(house->keys));
    fd_close(STEAL_FD(house->audit_fd));
}

void house_remove(struct house *house)
{
    char command[128];
    house_close(house);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", house->state);
    assert_int_equal(system(command), 0);
}

void place_of(const struct house *house, const char *id, char out[256])
{
    char place[RECORDING_PLACE + 1];
    (void)snprintf(out, 256, "%s/recordings/%s", house->state, recording_place(place, id));
}

static void write_header(struct house *house, struct pen *pen)
{
    uint8_t key[CHAIN_KEY];
    Ipc__Identity who = IPC__IDENTITY__INIT;
    Ipc__Header header = IPC__HEADER__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    who.name = (char[]){ "agent-1" };
    header.version = house->version ? house->version : CHAIN_V2;
    header.id = pen->id;
    header.started_ms = (uint64_t)recording_seconds(pen->id) * 1000;
    header.identity = &who;
    header.kind = (char[]){ "forward" };
    header.target = (char[]){ "orders" };
    header.target_kind = (char[]){ "postgres" };
    event.what_case = IPC__EVENT__WHAT_HEADER;
    event.header = &header;
    uint8_t magic[ENTRIES_MAGIC];
    memcpy(magic, magic_recording, sizeof magic);
    if (house->version)
        magic[ENTRIES_MAGIC - 1] = (uint8_t)house->version;
    assert_int_equal(fd_write_all(pen->fd, magic, sizeof magic, -1), 0);
    keys_recording(house->keys, pen->id, key);
    chain_start(&pen->chain, magic[ENTRIES_MAGIC - 1], key);
    pen_event(pen, &event, NULL, 0);
}

void pen_open(struct house *house, struct pen *pen, uint32_t number, bool quiet)
{
    char path[256], day[128], name[RECORDING_DAY + 1];
    *pen = (struct pen){ .fd = -1 };
    recording_id(pen->id, (UINT64_C(1700000000) + number) * 1000, number * 7919);
    (void)snprintf(day, sizeof day, "%s/recordings/%s", house->state, recording_day(name, pen->id));
    (void)mkdir(day, 0700);
    place_of(house, pen->id, path);
    pen->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    assert_true(pen->fd >= 0);
    write_header(house, pen);
    if (quiet)
        return;
    Ipc__AuditEvent start = IPC__AUDIT_EVENT__INIT;
    start.event = (char[]){ "session_start" };
    start.recording = pen->id;
    assert_int_equal(audit_append(house->audit, &start), 0);
}

void pen_event(struct pen *pen, Ipc__Event *event, const void *body, size_t n)
{
    uint8_t head[CHAIN_HEAD_MAX];
    size_t size = ipc__event__get_packed_size(event);
    assert_true(size <= sizeof head && pen->n + 1 < sizeof pen->offsets / sizeof *pen->offsets);
    (void)ipc__event__pack(event, head);
    pen->offsets[pen->n++] = (uint64_t)lseek(pen->fd, 0, SEEK_END);
    assert_int_equal(chain_append(&pen->chain, pen->fd, head, size, body, n), 0);
    memcpy(pen->tag, pen->chain.last, CHAIN_TAG);
    pen->offsets[pen->n] = (uint64_t)lseek(pen->fd, 0, SEEK_END);
}

void pen_request(struct pen *pen, const char *text, const char *verdict, const char *rule)
{
    Ipc__Request request = IPC__REQUEST__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    request.number = pen->n;
    request.what = (char[]){ "query" };
    request.verdict = (char *)(uintptr_t)verdict;
    request.rule = (char *)(uintptr_t)rule;
    request.reason = (char[]){ "because" };
    request.code = (char *)(uintptr_t)(strcmp(verdict, "deny") == 0 ? "denied" : "");
    event.at_us = pen->at_us += 1000;
    event.what_case = IPC__EVENT__WHAT_REQUEST;
    event.request = &request;
    pen_event(pen, &event, text, strlen(text));
}

void pen_output(struct pen *pen, const char *form, const void *bytes, size_t n)
{
    Ipc__Output output = IPC__OUTPUT__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    output.form = (char *)(uintptr_t)form;
    event.at_us = pen->at_us += 1000;
    event.what_case = IPC__EVENT__WHAT_OUTPUT;
    event.output = &output;
    pen_event(pen, &event, bytes, n);
}

void pen_end(struct pen *pen, uint32_t status)
{
    Ipc__End end = IPC__END__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    end.status = status;
    event.at_us = pen->at_us += 1000;
    event.what_case = IPC__EVENT__WHAT_END;
    event.end = &end;
    pen_event(pen, &event, NULL, 0);
}

void pen_close(struct pen *pen)
{
    fd_close(STEAL_FD(pen->fd));
    chain_wipe(&pen->chain);
}

void pen_seal(struct house *house, const struct pen *pen, const char *state, uint64_t tail)
{
    Ipc__Seal seal = IPC__SEAL__INIT;
    Ipc__AuditEvent event = IPC__AUDIT_EVENT__INIT;
    seal.state = (char *)(uintptr_t)state;
    seal.entries = pen->n;
    seal.size = pen->offsets[pen->n];
    seal.tag = (ProtobufCBinaryData){ CHAIN_TAG, (uint8_t *)(uintptr_t)pen->tag };
    seal.tail = tail;
    event.event = (char[]){ "session_seal" };
    event.recording = (char *)(uintptr_t)pen->id;
    event.seal = &seal;
    assert_int_equal(audit_append(house->audit, &event), 0);
}

uint8_t *slurp(const char *path, size_t *ret_n)
{
    uint8_t *bytes = NULL;
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_contents(fd, 64 * 1024 * 1024, &bytes, ret_n), 0);
    return bytes;
}

void spill(const char *path, const void *bytes, size_t n)
{
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes, n, -1), 0);
}

static void gather(void *owner, enum verify_grade grade, const char *id, const char *text)
{
    struct findings *findings = owner;
    char *into = grade == VERIFY_FAULT ? findings->faults : findings->notes;
    size_t at = strlen(into);
    (void)snprintf(into + at, sizeof findings->faults - at, "%s: %s\n", id, text);
}

int verify_house(const struct house *house, const char *id, struct findings *ret)
{
    struct detail detail = { "" };
    *ret = (struct findings){ 0 };
    return verify_state(house->state, id, gather, ret, &ret->count, &detail);
}
