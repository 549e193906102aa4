/* replay/place, replay/entries, replay/audit: names, files that grow, and chains that are taken up again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "recording_fixture.h"
#include "replay/entries.h"
#include "replay/init.h"

static void ids_sort_by_time_and_name_their_file(void **state)
{
    (void)state;
    char a[RECORDING_ID + 1], b[RECORDING_ID + 1], place[RECORDING_PLACE + 1], back[RECORDING_ID + 1];
    recording_id(a, 1700000000122, 0xffffffff);
    recording_id(b, 1700000000123, 0);
    assert_true(strcmp(a, b) < 0);
    assert_int_equal(recording_seconds(a), 1700000000);
    recording_id(a, 1700000000999, 0xffffffff);
    recording_id(b, 1700000001000, 0);
    assert_true(strcmp(a, b) < 0);
    assert_int_equal(recording_seconds(a), 1700000000);
    assert_int_equal(recording_seconds(b), 1700000001);
    recording_place(place, a);
    assert_memory_equal(place, "2023-11-14/", 11);
    assert_true(recording_id_of_file(place + 11, back));
    assert_string_equal(back, a);
    recording_id(a, UINT64_C(0xffffffff) * 1000 + 999, 0xfffffff);
    assert_memory_equal(a, "zzzzzz", 6);
    assert_true(recording_id_valid(a));
}

static void what_is_no_id_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "0123456789a",
                                       "0123456789abc",
                                       "0123456789AB",
                                       "0123456789ai",
                                       "0123456789al",
                                       "../../audit/",
                                       "0123456789a\n" };
    char id[RECORDING_ID + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(recording_id_valid(bad[i]));
    assert_true(recording_id_valid("0123456789ab"));
    assert_false(recording_id_of_file("0123456789ab", id));
    assert_false(recording_id_of_file("0123456789ab.ghrec.", id));
    assert_false(recording_id_of_file("0123456789aB.ghrec", id));
}

static void a_growing_file_is_read_on(void **state)
{
    (void)state;
    static const uint8_t key[CHAIN_KEY];
    struct chain chain;
    struct chain_entry entry;
    static char body[CHAIN_BODY_MAX];
    CLEANUP(entries_free) struct entries *entries = NULL;
    CLEANUP(fd_close) int fd = memfd_create("growing", MFD_CLOEXEC);
    chain_start(&chain, CHAIN_V2, key);
    assert_int_equal(fd_write_all(fd, magic_recording, ENTRIES_MAGIC, -1), 0);
    assert_int_equal(entries_new(fd, magic_recording, &entries, NULL), 0);
    assert_int_equal(entries_next(entries, &entry), ENTRIES_END);
    assert_int_equal(chain_append(&chain, fd, "one", 3, NULL, 0), 0);
    assert_int_equal(entries_next(entries, &entry), 0);
    assert_memory_equal(entry.head, "one", 3);
    assert_int_equal(entries_next(entries, &entry), ENTRIES_END);
    assert_int_equal(write(fd, "\0\0", 2), 2);
    assert_int_equal(entries_next(entries, &entry), ENTRIES_CUT);
    assert_int_equal(lseek(fd, -2, SEEK_END), (off_t)entries_offset(entries));
    assert_int_equal(ftruncate(fd, (off_t)entries_offset(entries)), 0);
    CLEANUP(entries_free) struct entries *again = NULL;
    assert_int_equal(entries_new(fd, magic_recording, &again, NULL), 0);
    assert_int_equal(entries_next(again, &entry), 0);
    memset(body, 'b', sizeof body);
    assert_int_equal(chain_append(&chain, fd, "two", 3, body, sizeof body), 0);
    assert_int_equal(entries_next(again, &entry), 0);
    assert_int_equal(entry.body_n, CHAIN_BODY_MAX);
    assert_int_equal(entry.body[CHAIN_BODY_MAX - 1], 'b');
    assert_int_equal(write(fd, "\xff\xff\xff\xff\0\0", 6), 6);
    assert_int_equal(entries_next(again, &entry), ENTRIES_BROKEN);
}

/* ---- the audit chain ---- */

static void enter(struct house *house, const char *event)
{
    Ipc__AuditEvent e = IPC__AUDIT_EVENT__INIT;
    e.event = (char *)(uintptr_t)event;
    assert_int_equal(audit_append(house->audit, &e), 0);
}

static int note(void *owner, uint64_t number, const Ipc__AuditEvent *event)
{
    char *out = owner;
    (void)snprintf(out + strlen(out), 256 - strlen(out), "%d:%s ", (int)number, event->event);
    return 0;
}

static struct audit_end take_up(struct house *house, char seen[256])
{
    struct audit_end end = { 99, 99 };
    struct detail detail = { "" };
    seen[0] = 0;
    audit_free(STEAL(house->audit));
    if (audit_open(house->audit_fd, house->keys, false, note, seen, &house->audit, &end, &detail))
        fail_msg("%s", detail.text);
    return end;
}

static off_t chain_size(const struct house *house)
{
    struct stat about;
    assert_int_equal(fstatat(house->audit_fd, "chain.ghaud", &about, 0), 0);
    return about.st_size;
}

static void cut_chain(const struct house *house, off_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", house->state);
    assert_int_equal(truncate(path, size), 0);
}

static void a_chain_is_taken_up_where_it_was_left(void **state)
{
    (void)state;
    struct house house;
    char seen[256];
    house_make(&house);
    enter(&house, "a");
    enter(&house, "b");
    struct audit_end end = take_up(&house, seen);
    assert_string_equal(seen, "0:a 1:b ");
    assert_int_equal(end.dropped + end.lost, 0);
    enter(&house, "c");
    (void)take_up(&house, seen);
    assert_string_equal(seen, "0:a 1:b 2:c ");
    house_remove(&house);
}

static void a_torn_entry_is_cut_off_and_a_lost_one_is_told(void **state)
{
    (void)state;
    struct house house;
    struct findings f;
    char seen[256];
    house_make(&house);
    enter(&house, "a");
    off_t whole = chain_size(&house);
    enter(&house, "b");
    enter(&house, "c");
    cut_chain(&house, whole + 5);
    struct audit_end end = take_up(&house, seen);
    assert_string_equal(seen, "0:a ");
    assert_int_equal(end.dropped, 5);
    assert_int_equal(end.lost, 2);
    assert_int_equal(chain_size(&house), whole);
    /* what the ledger enters then */
    Ipc__Variable lost = IPC__VARIABLE__INIT, *fields[] = { &lost };
    Ipc__AuditEvent start = IPC__AUDIT_EVENT__INIT;
    lost.name = (char[]){ "lost" };
    lost.value = (char[]){ "2" };
    start.event = (char[]){ "ledger_start" };
    start.fields = fields;
    start.n_fields = 1;
    assert_int_equal(audit_append(house.audit, &start), 0);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_non_null(strstr(f.faults, "entries before entry 1 were lost"));
    house_remove(&house);
}

static void a_forged_chain_is_not_taken_up(void **state)
{
    (void)state;
    struct house house;
    struct audit *audit = NULL;
    struct audit_end end;
    struct detail detail = { "" };
    char path[128];
    size_t n;
    house_make(&house);
    enter(&house, "a");
    enter(&house, "b");
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", house.state);
    CLEANUP(free) uint8_t *bytes = slurp(path, &n);
    bytes[ENTRIES_MAGIC + 8] ^= 1;
    spill(path, bytes, n);
    assert_int_equal(audit_open(house.audit_fd, house.keys, false, NULL, NULL, &audit, &end, &detail),
                     AUDIT_FORGED);
    assert_non_null(strstr(detail.text, "entry 0 of the audit chain was changed"));
    assert_int_equal(chain_size(&house), n);
    house_remove(&house);
}

static void a_second_init_keeps_the_key(void **state)
{
    (void)state;
    struct house house;
    struct detail detail = { "" };
    house_make(&house);
    assert_int_equal(replay_init(house.state, &detail), -EEXIST);
    assert_non_null(strstr(detail.text, "audit/key"));
    house_remove(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_sort_by_time_and_name_their_file),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(a_growing_file_is_read_on),
        cmocka_unit_test(a_chain_is_taken_up_where_it_was_left),
        cmocka_unit_test(a_torn_entry_is_cut_off_and_a_lost_one_is_told),
        cmocka_unit_test(a_forged_chain_is_not_taken_up),
        cmocka_unit_test(a_second_init_keeps_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
