/* replay/verify: whatever is done to a recording or to the audit chain shows, at the entry where it begins.
 */
#include "replay/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "recording_fixture.h"

enum { MAGIC = 8 };

/* A closed and sealed session: header, request, output, denied request, output, end. */
static void write_session(struct house *house, struct pen *pen, uint32_t number)
{
    pen_open(house, pen, number, false);
    pen_request(pen, "SELECT 1", "allow", "agent-sql");
    pen_output(pen, "terminal", "one row", 7);
    pen_request(pen, "DROP TABLE customers", "deny", "no-drop");
    pen_output(pen, "terminal", "denied", 6);
    pen_end(pen, 0);
    pen_close(pen);
    pen_seal(house, pen, "complete", 0);
}

static void an_untouched_house_has_no_faults(void **state)
{
    (void)state;
    struct house house;
    struct pen a, b;
    struct findings f;
    house_make(&house);
    write_session(&house, &a, 1);
    write_session(&house, &b, 2);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    assert_int_equal(f.count.good, 3); /* the chain and two recordings */
    assert_int_equal(verify_house(&house, a.id, &f), 0);
    assert_int_equal(f.count.good, 2);
    house_remove(&house);
}

static void recordings_of_every_version_are_checked(void **state)
{
    static const enum chain_version versions[] = { CHAIN_V1, CHAIN_V2 };
    struct house house;
    struct pen pen[2];
    struct findings f;
    char path[256];
    (void)state;
    house_make(&house);
    for (uint32_t i = 0; i < 2; i++) {
        house.version = versions[i];
        write_session(&house, &pen[i], i + 1);
    }
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    assert_int_equal(f.count.good, 3);
    for (int i = 0; i < 2; i++) { /* a file that claims another one */
        size_t n = 0;
        place_of(&house, pen[i].id, path);
        CLEANUP(free) uint8_t *bytes = slurp(path, &n);
        bytes[MAGIC - 1] = (uint8_t)versions[1 - i];
        spill(path, bytes, n);
        assert_true(verify_house(&house, pen[i].id, &f) != 0 || *f.faults);
        assert_non_null(strstr(f.faults, pen[i].id));
        bytes[MAGIC - 1] = (uint8_t)versions[i];
        spill(path, bytes, n);
    }
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
    house_remove(&house);
}

/* Which entry holds the byte. */
static size_t entry_of(const struct pen *pen, size_t offset)
{
    size_t entry = 0;
    while (entry + 1 < pen->n && offset >= pen->offsets[entry + 1])
        entry++;
    return entry;
}

static void every_changed_byte_is_found_at_its_entry(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[256];
    size_t n;
    house_make(&house);
    write_session(&house, &pen, 1);
    place_of(&house, pen.id, path);
    uint8_t *bytes = slurp(path, &n);
    assert_int_equal(n, pen.offsets[pen.n]);
    for (size_t at = 0; at < n; at++) {
        char expected[64];
        bytes[at] ^= 0x01;
        spill(path, bytes, n);
        assert_int_equal(verify_house(&house, pen.id, &f), 0);
        assert_int_equal(f.count.faults, 1);
        (void)snprintf(expected, sizeof expected, "entry %zu ", entry_of(&pen, at));
        /* A changed size makes the entry reach beyond the file's end: then whole entries are told. */
        bool cut = strstr(f.faults, "tail is cut off") != NULL;
        if (at >= MAGIC && !cut)
            assert_non_null(strstr(f.faults, expected));
        bytes[at] ^= 0x01;
    }
    free(bytes);
    house_remove(&house);
}

/* Puts the entries in this order into the file. */
static void rearrange(const char *path, const uint8_t *bytes, const struct pen *pen, const size_t *order,
                      size_t count)
{
    uint8_t out[8192];
    size_t n = MAGIC;
    memcpy(out, bytes, MAGIC);
    for (size_t i = 0; i < count; i++) {
        size_t size = pen->offsets[order[i] + 1] - pen->offsets[order[i]];
        assert_true(n + size <= sizeof out);
        memcpy(out + n, bytes + pen->offsets[order[i]], size);
        n += size;
    }
    spill(path, out, n);
}

static void dropped_moved_repeated_and_cut_entries_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t order[8], count;
        const char *fault;
    } cases[] = {
        { "dropped", { 0, 1, 3, 4, 5 }, 5, "entry 2 " },
        { "swapped", { 0, 1, 3, 2, 4, 5 }, 6, "entry 2 " },
        { "repeated", { 0, 1, 1, 2, 3, 4, 5 }, 7, "entry 2 " },
        { "first dropped", { 1, 2, 3, 4, 5 }, 5, "entry 0 " },
        { "last dropped", { 0, 1, 2, 3, 4 }, 5, "tail is cut off: 5 whole entries are there, 6 were sealed" },
        { "all but the header dropped", { 0 }, 1, "tail is cut off: 1 whole" },
        { "everything dropped", { 0 }, 0, "tail is cut off: 0 whole" },
    };
    struct house house;
    struct pen pen;
    struct findings f;
    char path[256];
    size_t n;
    house_make(&house);
    write_session(&house, &pen, 1);
    place_of(&house, pen.id, path);
    uint8_t *bytes = slurp(path, &n);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rearrange(path, bytes, &pen, cases[i].order, cases[i].count);
        assert_int_equal(verify_house(&house, NULL, &f), 0);
        if (f.count.faults != 1 || !strstr(f.faults, cases[i].fault))
            fail_msg("%s: %s", cases[i].what, f.faults);
    }
    free(bytes);
    house_remove(&house);
}

static void every_truncation_of_a_sealed_recording_is_found(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[256];
    size_t n;
    house_make(&house);
    write_session(&house, &pen, 1);
    place_of(&house, pen.id, path);
    uint8_t *bytes = slurp(path, &n);
    for (size_t size = 0; size < n; size++) {
        spill(path, bytes, size);
        assert_int_equal(verify_house(&house, pen.id, &f), 0);
        assert_int_equal(f.count.faults, 1);
    }
    free(bytes);
    house_remove(&house);
}

static void bytes_behind_the_seal_are_found(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[256];
    house_make(&house);
    pen_open(&house, &pen, 1, false);
    pen_end(&pen, 0);
    pen_seal(&house, &pen, "complete", 0);
    pen_request(&pen, "SELECT 'later'", "allow", "r"); /* by the gate itself, with the right key */
    pen_close(&pen);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 1);
    assert_non_null(strstr(f.faults, "were added behind entry 2"));
    place_of(&house, pen.id, path);
    assert_int_equal(truncate(path, (off_t)pen.offsets[2] + 3), 0);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_non_null(strstr(f.faults, "3 bytes were added behind"));
    house_remove(&house);
}

static void a_missing_file_and_an_exchanged_file_are_found(void **state)
{
    (void)state;
    struct house house;
    struct pen a, b;
    struct findings f;
    char path_a[256], path_b[256];
    house_make(&house);
    write_session(&house, &a, 1);
    write_session(&house, &b, 2);
    place_of(&house, a.id, path_a);
    place_of(&house, b.id, path_b);
    assert_int_equal(rename(path_b, path_a), 0);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 2);
    assert_non_null(strstr(f.faults, "entry 0 "));
    assert_non_null(strstr(f.faults, "its file is gone"));
    assert_int_equal(verify_house(&house, b.id, &f), 0);
    assert_non_null(strstr(f.faults, "its file is gone"));
    assert_int_equal(verify_house(&house, "000000000000", &f), 0);
    assert_non_null(strstr(f.faults, "there is no such recording"));
    house_remove(&house);
}

static void a_live_or_interrupted_session_is_no_fault_but_its_changes_are(void **state)
{
    (void)state;
    struct house house;
    struct pen live, cut;
    struct findings f;
    char path[256];
    size_t n;
    house_make(&house);
    pen_open(&house, &live, 1, false);
    pen_request(&live, "SELECT 1", "allow", "r");
    pen_close(&live);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 0);
    assert_non_null(strstr(f.notes, "not sealed: live or interrupted; 2 entries"));
    /* killed in the middle of a write */
    pen_open(&house, &cut, 2, false);
    pen_request(&cut, "SELECT 2", "allow", "r");
    pen_close(&cut);
    place_of(&house, cut.id, path);
    assert_int_equal(truncate(path, (off_t)cut.offsets[2] - 5), 0);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 0);
    assert_non_null(strstr(f.notes, "bytes of an unfinished one"));
    /* changed */
    place_of(&house, live.id, path);
    uint8_t *bytes = slurp(path, &n);
    bytes[live.offsets[1] + 10] ^= 0x80;
    spill(path, bytes, n);
    free(bytes);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 1);
    assert_non_null(strstr(f.faults, "entry 1 was changed"));
    house_remove(&house);
}

static void a_recording_that_the_audit_chain_does_not_know_is_a_fault(void **state)
{
    (void)state;
    struct house house;
    struct pen pen, header_only;
    struct findings f;
    house_make(&house);
    pen_open(&house, &header_only, 1, true);
    pen_close(&header_only);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 0);
    pen_open(&house, &pen, 2, true);
    pen_request(&pen, "SELECT 1", "allow", "r");
    pen_close(&pen);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 1);
    assert_non_null(strstr(f.faults, "not in the audit chain"));
    house_remove(&house);
}

static void every_changed_byte_of_the_audit_chain_is_found(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[128];
    size_t n;
    house_make(&house);
    write_session(&house, &pen, 1);
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", house.state);
    uint8_t *bytes = slurp(path, &n);
    for (size_t at = 0; at < n; at++) {
        bytes[at] ^= 0x01;
        spill(path, bytes, n);
        assert_int_equal(verify_house(&house, NULL, &f), 0);
        assert_true(f.count.faults >= 1);
        assert_non_null(strstr(f.faults, "audit: "));
        bytes[at] ^= 0x01;
    }
    for (size_t size = 0; size < n; size++) {
        spill(path, bytes, size);
        assert_int_equal(verify_house(&house, NULL, &f), 0);
        assert_non_null(strstr(f.faults, "audit: "));
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_non_null(strstr(f.faults, "tail is cut off: it has 0 entries, and had 2"));
    free(bytes);
    house_remove(&house);
}

static void a_changed_audit_head_is_found(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[128];
    size_t n;
    house_make(&house);
    write_session(&house, &pen, 1);
    (void)snprintf(path, sizeof path, "%s/audit/head", house.state);
    uint8_t *bytes = slurp(path, &n);
    for (size_t at = 0; at < n; at++) {
        bytes[at] ^= 0x01;
        spill(path, bytes, n);
        assert_int_equal(verify_house(&house, NULL, &f), 0);
        assert_non_null(strstr(f.faults, "audit/head was changed"));
        bytes[at] ^= 0x01;
    }
    free(bytes);
    house_remove(&house);
}

static void another_master_key_verifies_nothing(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[128];
    size_t n;
    house_make(&house);
    write_session(&house, &pen, 1);
    (void)snprintf(path, sizeof path, "%s/audit/key", house.state);
    uint8_t *key = slurp(path, &n);
    assert_int_equal(n, CHAIN_KEY);
    key[0] ^= 1;
    spill(path, key, n);
    free(key);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_true(f.count.faults >= 1);
    assert_int_equal(unlink(path), 0);
    assert_true(verify_house(&house, NULL, &f) < 0);
    house_remove(&house);
}

static void a_recording_removed_by_retention_is_a_note(void **state)
{
    (void)state;
    struct house house;
    struct pen pen;
    struct findings f;
    char path[256];
    Ipc__AuditEvent expired = IPC__AUDIT_EVENT__INIT;
    house_make(&house);
    write_session(&house, &pen, 1);
    expired.event = (char[]){ "expired" };
    expired.recording = pen.id;
    assert_int_equal(audit_append(house.audit, &expired), 0);
    place_of(&house, pen.id, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(verify_house(&house, NULL, &f), 0);
    assert_int_equal(f.count.faults, 0);
    assert_non_null(strstr(f.notes, "removed by retention"));
    house_remove(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_untouched_house_has_no_faults),
        cmocka_unit_test(recordings_of_every_version_are_checked),
        cmocka_unit_test(every_changed_byte_is_found_at_its_entry),
        cmocka_unit_test(dropped_moved_repeated_and_cut_entries_are_found),
        cmocka_unit_test(every_truncation_of_a_sealed_recording_is_found),
        cmocka_unit_test(bytes_behind_the_seal_are_found),
        cmocka_unit_test(a_missing_file_and_an_exchanged_file_are_found),
        cmocka_unit_test(a_live_or_interrupted_session_is_no_fault_but_its_changes_are),
        cmocka_unit_test(a_recording_that_the_audit_chain_does_not_know_is_a_fault),
        cmocka_unit_test(every_changed_byte_of_the_audit_chain_is_found),
        cmocka_unit_test(a_changed_audit_head_is_found),
        cmocka_unit_test(another_master_key_verifies_nothing),
        cmocka_unit_test(a_recording_removed_by_retention_is_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
