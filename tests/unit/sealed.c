/* The sealed store: what goes in comes out, nothing else opens it, and a crash never loses both versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/io.h"
#include "base/jail.h"
#include "vault/admin.h"
#include "vault/store.h"
#include "keygen.h"

static char state[KEYGEN_PATH];

static struct secret *secret_of(const char *text)
{
    char copy[128];
    struct secret *secret = NULL;

    snprintf(copy, sizeof(copy), "%s", text);
    assert_int_equal(secret_take(copy, strlen(text), &secret), 0);
    return secret;
}

static struct secret *key_of(char fill)
{
    struct secret *key = NULL;

    assert_int_equal(secret_new(SEALED_KEY, &key), 0);
    memset(secret_bytes(key), fill, SEALED_KEY);
    return key;
}

static void put(struct sealed *sealed, const struct secret *key, const char *name, const char *value)
{
    CLEANUP(secret_free) struct secret *secret = secret_of(value);

    assert_int_equal(sealed_put(sealed, key, name, SEALED_PASSWORD, secret, 1000), 0);
}

static bool opens_as(const struct sealed_entry *entry, const struct secret *key, const char *expected)
{
    CLEANUP(secret_free) struct secret *value = NULL;

    return sealed_open(entry, key, &value) == 0 && secret_size(value) == strlen(expected) &&
           memcmp(secret_bytes(value), expected, strlen(expected)) == 0;
}

/* Two entries, written. */
static void write_two(const struct secret *key, struct buffer *out)
{
    CLEANUP(sealed_free) struct sealed *sealed = NULL;

    assert_int_equal(sealed_new(&sealed), 0);
    put(sealed, key, "orders-app", "correct horse");
    put(sealed, key, "billing", "battery staple");
    buffer_init(out, SEALED_FILE_MAX);
    assert_int_equal(sealed_write(sealed, key, out), 0);
}

static void what_was_written_reads_back(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    CLEANUP(sealed_free) struct sealed *sealed = NULL;
    struct buffer bytes;

    (void)unused;
    write_two(key, &bytes);
    assert_int_equal(sealed_read(buffer_head(&bytes), buffer_size(&bytes), key, &sealed), 0);
    assert_int_equal(sealed->count, 2);
    assert_string_equal(sealed->entries[0].name, "billing");
    assert_true(opens_as(sealed_find(sealed, "orders-app"), key, "correct horse"));
    assert_true(opens_as(sealed_find(sealed, "billing"), key, "battery staple"));
    assert_null(sealed_find(sealed, "other"));
    buffer_free(&bytes);
}

static void secrets_do_not_stand_in_the_bytes(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    struct buffer bytes;

    (void)unused;
    write_two(key, &bytes);
    assert_null(memmem(buffer_head(&bytes), buffer_size(&bytes), "horse", 5));
    assert_non_null(memmem(buffer_head(&bytes), buffer_size(&bytes), "orders-app", 10));
    buffer_free(&bytes);
}

static void another_key_does_not_open_it(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    CLEANUP(secret_free) struct secret *other = key_of('o');
    struct sealed *sealed = NULL;
    struct buffer bytes;

    (void)unused;
    write_two(key, &bytes);
    assert_int_equal(sealed_read(buffer_head(&bytes), buffer_size(&bytes), other, &sealed), SEALED_WRONG_KEY);
    assert_null(sealed);
    buffer_free(&bytes);
}

static void a_changed_byte_and_a_cut_are_found(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    struct sealed *sealed = NULL;
    struct buffer bytes;
    size_t n;

    (void)unused;
    write_two(key, &bytes);
    n = buffer_size(&bytes);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(free) uint8_t *copy = malloc(n);

        memcpy(copy, buffer_head(&bytes), n);
        copy[i] ^= 1;
        assert_true(sealed_read(copy, n, key, &sealed) > 0);
        assert_true(sealed_read(buffer_head(&bytes), i, key, &sealed) > 0);
        assert_null(sealed);
    }
    buffer_free(&bytes);
}

static void a_secret_does_not_open_under_another_name(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    CLEANUP(sealed_free) struct sealed *sealed = NULL;
    struct sealed_entry moved;
    struct secret *value = NULL;

    (void)unused;
    assert_int_equal(sealed_new(&sealed), 0);
    put(sealed, key, "orders-app", "correct horse");
    moved = sealed->entries[0];
    snprintf(moved.name, sizeof(moved.name), "orders-spy");
    assert_int_equal(sealed_open(&moved, key, &value), SEALED_WRONG_KEY);
    moved = sealed->entries[0];
    moved.type = SEALED_TOKEN;
    assert_int_equal(sealed_open(&moved, key, &value), SEALED_WRONG_KEY);
    moved = sealed->entries[0];
    moved.updated_ms++;
    assert_int_equal(sealed_open(&moved, key, &value), SEALED_WRONG_KEY);
}

static void replacing_keeps_the_time_of_creation(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    CLEANUP(secret_free) struct secret *value = secret_of("new");
    CLEANUP(sealed_free) struct sealed *sealed = NULL;

    (void)unused;
    assert_int_equal(sealed_new(&sealed), 0);
    put(sealed, key, "orders-app", "old");
    assert_int_equal(sealed_put(sealed, key, "orders-app", SEALED_PASSWORD, value, 5000), 0);
    assert_int_equal(sealed->count, 1);
    assert_int_equal(sealed->entries[0].created_ms, 1000);
    assert_int_equal(sealed->entries[0].updated_ms, 5000);
    assert_true(opens_as(&sealed->entries[0], key, "new"));
    assert_true(sealed_remove(sealed, "orders-app"));
    assert_false(sealed_remove(sealed, "orders-app"));
}

static void bounds_are_met(void **unused)
{
    CLEANUP(secret_free) struct secret *key = key_of('k');
    CLEANUP(secret_free) struct secret *longest = NULL;
    CLEANUP(secret_free) struct secret *longer = NULL;
    CLEANUP(secret_free) struct secret *empty = NULL;
    CLEANUP(sealed_free) struct sealed *sealed = NULL;
    char name[16];

    (void)unused;
    assert_int_equal(secret_new(SEALED_SECRET_MAX, &longest), 0);
    assert_int_equal(secret_new(SEALED_SECRET_MAX + 1, &longer), 0);
    assert_int_equal(secret_new(0, &empty), 0);
    assert_int_equal(sealed_new(&sealed), 0);
    assert_int_equal(sealed_put(sealed, key, "a", SEALED_TOKEN, longest, 1), 0);
    assert_int_equal(sealed_put(sealed, key, "b", SEALED_TOKEN, longer, 1), -EINVAL);
    assert_int_equal(sealed_put(sealed, key, "b", SEALED_TOKEN, empty, 1), -EINVAL);
    for (int i = 1; i < SEALED_ENTRIES_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        put(sealed, key, name, "x");
    }
    assert_int_equal(sealed_put(sealed, key, "one-more", SEALED_TOKEN, longest, 1), -ENOSPC);
}

static void names_are_checked(void **unused)
{
    char longest[SEALED_NAME_MAX + 2];

    (void)unused;
    memset(longest, 'x', sizeof(longest));
    longest[SEALED_NAME_MAX + 1] = '\0';
    assert_false(sealed_name_is_valid(longest));
    longest[SEALED_NAME_MAX] = '\0';
    assert_true(sealed_name_is_valid(longest));
    assert_true(sealed_name_is_valid("prod/orders-app@v2"));
    assert_false(sealed_name_is_valid(""));
    assert_false(sealed_name_is_valid("-rf"));
    assert_false(sealed_name_is_valid("../key"));
    assert_false(sealed_name_is_valid("two words"));
    assert_false(sealed_name_is_valid("caf\xc3\xa9"));
}

/* ---- files ---- */

static int make_state(void **unused)
{
    (void)unused;
    keygen_directory(state);
    assert_int_equal(vault_admin_init(state, NULL), 0);
    return 0;
}

static int remove_state(void **unused)
{
    (void)unused;
    keygen_remove(state);
    return 0;
}

static int set(const char *name, const char *type, const char *input, size_t n)
{
    CLEANUP(fd_close) int fd = -1;

    assert_int_equal(fd_of_bytes("stdin", input, n, &fd), 0);
    return vault_admin_set(state, name, type, fd, NULL);
}

static int get(const char *name, char out[128])
{
    CLEANUP(store_free) struct store *store = NULL;
    CLEANUP(secret_free) struct secret *value = NULL;
    int r;

    assert_int_equal(store_new(state, &store, NULL), 0);
    r = store_get(store, name, SEALED_PASSWORD, &value, NULL);
    if (!r)
        snprintf(out, 128, "%.*s", (int)secret_size(value), (const char *)secret_bytes(value));
    return r;
}

static void path_of(const char *name, char out[2 * KEYGEN_PATH])
{
    snprintf(out, 2 * KEYGEN_PATH, "%s/vault/%s", state, name);
}

static void write_file(const char *name, const char *content, size_t n)
{
    char path[2 * KEYGEN_PATH];
    FILE *file;

    path_of(name, path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, n, file), n);
    fclose(file);
}

static void a_secret_that_was_set_is_found(void **unused)
{
    char value[128];

    (void)unused;
    assert_int_equal(set("orders-app", "password", "s3cret\n", 7), 0);
    assert_int_equal(get("orders-app", value), 0);
    assert_string_equal(value, "s3cret");
    assert_int_equal(set("orders-app", "password", "changed\r\n", 9), 0);
    assert_int_equal(get("orders-app", value), 0);
    assert_string_equal(value, "changed");
    assert_int_equal(get("other", value), STORE_NO_ENTRY);
    assert_int_equal(set("a-token", "token", "t", 1), 0);
    assert_int_equal(get("a-token", value), STORE_WRONG_TYPE);
}

static void what_can_not_be_a_secret_is_refused(void **unused)
{
    CLEANUP(free) char *longer = malloc(SEALED_SECRET_MAX + 2);

    (void)unused;
    memset(longer, 'x', SEALED_SECRET_MAX + 2);
    assert_int_equal(set("orders-app", "password", "", 0), -EINVAL);
    assert_int_equal(set("orders-app", "password", "\n", 1), -EINVAL);
    assert_int_equal(set("orders-app", "password", "a\0b", 3), -EINVAL);
    assert_int_equal(set("orders-app", "password", longer, SEALED_SECRET_MAX + 1), -EINVAL);
    assert_int_equal(set("orders-app", "passwort", "x", 1), -EINVAL);
    assert_int_equal(set("no spaces", "password", "x", 1), -EINVAL);
    assert_int_equal(set("a-key", "ssh-key", "line\n", 5), -EINVAL);
    assert_int_equal(set("a-certificate", "client-cert", "line\n", 5), -EBADMSG);
}

static void lists_name_but_never_show(void **unused)
{
    char path[2 * KEYGEN_PATH];
    CLEANUP(free) char *text = NULL;
    FILE *out;

    (void)unused;
    assert_int_equal(set("orders-app", "password", "s3cret", 6), 0);
    path_of("listing", path);
    out = fopen(path, "w");
    assert_int_equal(vault_admin_list(state, out, false, NULL), 0);
    assert_int_equal(vault_admin_list(state, out, true, NULL), 0);
    fclose(out);
    text = keygen_read(state, "vault/listing", NULL);
    assert_non_null(strstr(text, "orders-app  password"));
    assert_non_null(strstr(text, "{\"name\":\"orders-app\",\"type\":\"password\""));
    assert_null(strstr(text, "s3cret"));
}

static void removing_and_rekeying_do_what_they_say(void **unused)
{
    CLEANUP(free) char *before = NULL;
    CLEANUP(free) char *after = NULL;
    char value[128];

    (void)unused;
    assert_int_equal(set("orders-app", "password", "s3cret", 6), 0);
    assert_int_equal(set("billing", "password", "other", 5), 0);
    assert_int_equal(vault_admin_remove(state, "billing", NULL), 0);
    assert_int_equal(vault_admin_remove(state, "billing", NULL), STORE_NO_ENTRY);
    before = keygen_read(state, "vault/key", NULL);
    assert_int_equal(vault_admin_rekey(state, NULL), 0);
    after = keygen_read(state, "vault/key", NULL);
    assert_string_not_equal(before, after);
    assert_int_equal(strlen(after), 45);
    assert_int_equal(get("orders-app", value), 0);
    assert_string_equal(value, "s3cret");
}

static void every_state_that_a_crash_can_leave_opens(void **unused)
{
    CLEANUP(free) char *old_key = NULL;
    CLEANUP(free) char *old_store = NULL;
    CLEANUP(free) char *new_key = NULL;
    size_t key_n, store_n;
    char value[128], both[128];

    (void)unused;
    assert_int_equal(set("orders-app", "password", "s3cret", 6), 0);
    old_key = keygen_read(state, "vault/key", &key_n);
    old_store = keygen_read(state, "vault/store", &store_n);
    write_file("store.new", "half", 4); /* a crash before any rename */
    write_file("key.new", "", 0);
    assert_int_equal(get("orders-app", value), 0);
    assert_int_equal(vault_admin_rekey(state, NULL), 0);

    /* Between the three renames of a rekey: both keys with the old store, then with the new one. */
    new_key = keygen_read(state, "vault/key", NULL);
    snprintf(both, sizeof(both), "%s%s", new_key, old_key);
    write_file("key", both, strlen(both));
    assert_int_equal(get("orders-app", value), 0);
    write_file("store", old_store, store_n);
    assert_int_equal(get("orders-app", value), 0);
    assert_string_equal(value, "s3cret");
    assert_int_equal(set("orders-app", "password", "after", 5), 0);
    assert_int_equal(get("orders-app", value), 0);
    assert_string_equal(value, "after");
    assert_int_equal(vault_admin_rekey(state, NULL), 0);
    assert_int_equal(get("orders-app", value), 0);
}

static void without_its_key_the_vault_is_sealed(void **unused)
{
    char path[2 * KEYGEN_PATH], value[128];

    (void)unused;
    assert_int_equal(set("orders-app", "password", "s3cret", 6), 0);
    write_file("key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n", 45);
    assert_int_equal(get("orders-app", value), STORE_SEALED);
    assert_int_equal(set("orders-app", "password", "x", 1), STORE_SEALED);
    write_file("key", "not a key", 9);
    assert_int_equal(get("orders-app", value), STORE_SEALED);
    path_of("key", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(get("orders-app", value), STORE_SEALED);
}

static void an_existing_vault_is_not_made_anew(void **unused)
{
    (void)unused;
    assert_int_equal(vault_admin_init(state, NULL), -EEXIST);
}

static void links_are_not_followed(void **unused)
{
    char path[2 * KEYGEN_PATH], moved[2 * KEYGEN_PATH], value[128];

    (void)unused;
    path_of("key", path);
    path_of("elsewhere", moved);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(get("orders-app", value), STORE_SEALED);
}

static void the_files_are_private(void **unused)
{
    static const char *const names[] = { "", "key", "store" };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        char path[2 * KEYGEN_PATH];
        struct stat about;

        path_of(names[i], path);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 077, 0);
    }
}

static void root_keeps_the_owner_that_it_finds(void **unused)
{
    CLEANUP(store_free) struct store *store = NULL;
    char path[2 * KEYGEN_PATH];
    struct stat about;

    (void)unused;
    if (geteuid() != 0)
        skip();
    path_of("", path);
    assert_int_equal(chown(path, 12345, 12346), 0);
    assert_int_equal(set("orders-app", "password", "s3cret", 6), 0);
    path_of("store", path);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_uid, 12345);
    assert_int_equal(about.st_gid, 12346);

    assert_int_equal(store_new(state, &store, NULL), 0);
    assert_int_equal(store_claim(store), 0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_uid, process_uid(PROCESS_VAULT));
}

static void a_second_writer_waits_and_then_gives_up(void **unused)
{
    char path[2 * KEYGEN_PATH];
    CLEANUP(fd_close) int lock = -1;

    (void)unused;
    path_of("lock", path);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(set("orders-app", "password", "x", 1), STORE_BUSY);
}

static void a_reader_beside_writers_always_finds_a_whole_store(void **unused)
{
    CLEANUP(store_free) struct store *store = NULL;
    int status;
    pid_t writer;

    (void)unused;
    assert_int_equal(set("orders-app", "password", "value-000", 9), 0);
    assert_int_equal(store_new(state, &store, NULL), 0);
    writer = fork();
    if (writer == 0) {
        for (int i = 0; i < 60; i++) {
            char text[32];

            snprintf(text, sizeof(text), "value-%03d", i);
            if (set("orders-app", "password", text, 9) || (i % 3 == 0 && vault_admin_rekey(state, NULL)))
                _exit(1);
        }
        _exit(0);
    }
    while (waitpid(writer, &status, WNOHANG) == 0) {
        CLEANUP(secret_free) struct secret *value = NULL;
        struct detail detail = { "" };

        if (store_get(store, "orders-app", SEALED_PASSWORD, &value, &detail) != 0)
            fail_msg("%s", detail.text);
        assert_memory_equal(secret_bytes(value), "value-", 6);
    }
    assert_int_equal(status, 0);
}

static void each_target_has_a_mask_key_of_its_own_that_stays(void **unused)
{
    CLEANUP(secret_free)
    struct secret *key = NULL, *other = NULL, *a = NULL, *again = NULL, *b = NULL, *c = NULL;

    (void)unused;
    assert_int_equal(secret_new(SEALED_KEY, &key), 0);
    assert_int_equal(secret_new(SEALED_KEY, &other), 0);
    memset(secret_bytes(key), 1, SEALED_KEY);
    memset(secret_bytes(other), 2, SEALED_KEY);
    assert_int_equal(sealed_mask_key(key, "orders", &a), 0);
    assert_int_equal(sealed_mask_key(key, "orders", &again), 0);
    assert_int_equal(sealed_mask_key(key, "other", &b), 0);
    assert_int_equal(sealed_mask_key(other, "orders", &c), 0);
    assert_int_equal(secret_size(a), SEALED_KEY);
    assert_memory_equal(secret_bytes(a), secret_bytes(again), SEALED_KEY);
    assert_memory_not_equal(secret_bytes(a), secret_bytes(b), SEALED_KEY);
    assert_memory_not_equal(secret_bytes(a), secret_bytes(c), SEALED_KEY);
    assert_memory_not_equal(secret_bytes(a), secret_bytes(key), SEALED_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_reads_back),
        cmocka_unit_test(secrets_do_not_stand_in_the_bytes),
        cmocka_unit_test(another_key_does_not_open_it),
        cmocka_unit_test(a_changed_byte_and_a_cut_are_found),
        cmocka_unit_test(a_secret_does_not_open_under_another_name),
        cmocka_unit_test(replacing_keeps_the_time_of_creation),
        cmocka_unit_test(bounds_are_met),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(each_target_has_a_mask_key_of_its_own_that_stays),
        cmocka_unit_test_setup_teardown(a_secret_that_was_set_is_found, make_state, remove_state),
        cmocka_unit_test_setup_teardown(what_can_not_be_a_secret_is_refused, make_state, remove_state),
        cmocka_unit_test_setup_teardown(lists_name_but_never_show, make_state, remove_state),
        cmocka_unit_test_setup_teardown(removing_and_rekeying_do_what_they_say, make_state, remove_state),
        cmocka_unit_test_setup_teardown(every_state_that_a_crash_can_leave_opens, make_state, remove_state),
        cmocka_unit_test_setup_teardown(without_its_key_the_vault_is_sealed, make_state, remove_state),
        cmocka_unit_test_setup_teardown(an_existing_vault_is_not_made_anew, make_state, remove_state),
        cmocka_unit_test_setup_teardown(links_are_not_followed, make_state, remove_state),
        cmocka_unit_test_setup_teardown(the_files_are_private, make_state, remove_state),
        cmocka_unit_test_setup_teardown(root_keeps_the_owner_that_it_finds, make_state, remove_state),
        cmocka_unit_test_setup_teardown(a_second_writer_waits_and_then_gives_up, make_state, remove_state),
        cmocka_unit_test_setup_teardown(a_reader_beside_writers_always_finds_a_whole_store, make_state,
                                        remove_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
