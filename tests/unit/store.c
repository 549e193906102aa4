/* replay/store: what is put in is found again, by identity, target, time and text. */
#include "replay/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/gatehouse-store-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    char command[96];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static struct store *open_store(bool expect_empty)
{
    struct store *store = NULL;
    struct detail detail = { "" };
    bool empty = !expect_empty;
    if (store_open(directory, &store, &empty, &detail))
        fail_msg("%s", detail.text);
    assert_int_equal(empty, expect_empty);
    return store;
}

static struct store_session session(const char *id, const char *identity, const char *target,
                                    uint64_t started_ms)
{
    return (struct store_session){
        .id = id,
        .identity = identity,
        .source = "127.0.0.1",
        .kind = "exec",
        .target = target,
        .target_kind = "postgres",
        .login = "app",
        .command = "psql",
        .state = "live",
        .actor = "coder",
        .party = "",
        .started_ms = started_ms,
    };
}

static int gather(void *owner, const struct store_session *s)
{
    char *out = owner;
    (void)snprintf(out + strlen(out), 512 - strlen(out), "%s:%s ", s->id, s->state);
    return 0;
}

static const char *search(struct store *store, const struct store_query *query)
{
    static char found[512];
    found[0] = 0;
    assert_int_equal(store_search(store, query, gather, found, NULL), 0);
    return found;
}

static int compare_whole(void *owner, const struct store_session *s)
{
    const struct store_session *put = owner;
    assert_string_equal(s->identity, put->identity);
    assert_string_equal(s->actor, put->actor);
    assert_string_equal(s->party, put->party);
    assert_string_equal(s->state, put->state);
    assert_int_equal(s->started_ms, put->started_ms);
    assert_int_equal(s->ended_ms, put->ended_ms);
    assert_int_equal(s->requests, put->requests);
    assert_int_equal(s->denied, put->denied);
    assert_int_equal(s->bytes, put->bytes);
    assert_int_equal(s->status, put->status);
    return 0;
}

static void what_was_put_comes_back_whole(void **state)
{
    (void)state;
    CLEANUP(store_free) struct store *store = open_store(true);
    struct store_session a = session("a", "ann", "orders", 1000);
    struct store_query anything = { 0 };
    a.party = "ci";
    for (int i = 0; i < 2; i++) { /* added, then replaced */
        assert_int_equal(store_put(store, &a), 0);
        assert_int_equal(store_search(store, &anything, compare_whole, &a, NULL), 0);
        a.state = "complete";
        a.ended_ms = 2000;
        a.requests = 3;
        a.denied = 4;
        a.bytes = 5;
        a.status = 6;
    }
}

static void sessions_are_found_by_each_condition(void **state)
{
    (void)state;
    CLEANUP(store_free) struct store *store = open_store(true);
    struct store_session a = session("a", "ann", "orders", 1000), b = session("b", "bob", "orders", 2000),
                         c = session("c", "ann", "stock", 3000);
    assert_int_equal(store_put(store, &c), 0);
    assert_int_equal(store_put(store, &a), 0);
    assert_int_equal(store_put(store, &b), 0);
    assert_string_equal(search(store, &(struct store_query){ 0 }), "a:live b:live c:live ");
    assert_string_equal(search(store, &(struct store_query){ .identity = "ann" }), "a:live c:live ");
    assert_string_equal(search(store, &(struct store_query){ .identity = "an" }), "");
    assert_string_equal(search(store, &(struct store_query){ .target = "orders", .since_ms = 1500 }),
                        "b:live ");
    a.state = "complete";
    a.ended_ms = 5000;
    assert_int_equal(store_put(store, &a), 0);
    assert_string_equal(search(store, &(struct store_query){ .target = "orders" }), "a:complete b:live ");
    assert_int_equal(store_remove(store, "b"), 0);
    assert_string_equal(search(store, &(struct store_query){ .target = "orders" }), "a:complete ");
}

static void grep_takes_its_text_literally(void **state)
{
    (void)state;
    CLEANUP(store_free) struct store *store = open_store(true);
    struct store_session a = session("a", "ann", "orders", 1), b = session("b", "ann", "orders", 2);
    assert_int_equal(store_put(store, &a), 0);
    assert_int_equal(store_put(store, &b), 0);
    assert_int_equal(store_put_statement(store, "a", "SELECT 100% 'of_it' \\x", 22), 0);
    assert_int_equal(store_put_statement(store, "a", "SELECT 100% 'of_it' \\x", 22), 0);
    assert_int_equal(store_put_statement(store, "b", "select 1000 of it", 17), 0);
    assert_string_equal(search(store, &(struct store_query){ .grep = "100% '" }), "a:live ");
    assert_string_equal(search(store, &(struct store_query){ .grep = "OF_IT" }), "a:live ");
    assert_string_equal(search(store, &(struct store_query){ .grep = "\\x" }), "a:live ");
    assert_string_equal(search(store, &(struct store_query){ .grep = "select 100" }), "a:live b:live ");
    assert_string_equal(search(store, &(struct store_query){ .grep = "'; DROP TABLE session; --" }), "");
    assert_string_equal(search(store, &(struct store_query){ .grep = "psql" }), "a:live b:live ");
}

static void only_the_newest_are_given_and_oldest_first(void **state)
{
    (void)state;
    CLEANUP(store_free) struct store *store = open_store(true);
    char id[16], first[32];
    assert_int_equal(store_begin(store), 0);
    for (int i = 0; i < STORE_SESSIONS_MAX + 5; i++) {
        (void)snprintf(id, sizeof id, "%06d", i);
        struct store_session s = session(id, "ann", "orders", 1);
        assert_int_equal(store_put(store, &s), 0);
    }
    assert_int_equal(store_commit(store), 0);
    const char *found = search(store, &(struct store_query){ 0 });
    (void)snprintf(first, sizeof first, "%06d:live ", 5);
    assert_memory_equal(found, first, strlen(first));
}

static void what_was_committed_survives_a_kill(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct store *store = NULL;
        bool empty = false;
        struct store_session a = session("a", "ann", "orders", 1);
        if (store_open(directory, &store, &empty, NULL) == 0 && store_put(store, &a) == 0)
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    CLEANUP(store_free) struct store *store = open_store(false);
    assert_string_equal(search(store, &(struct store_query){ 0 }), "a:live ");
}

static int note_id(void *owner, const char *id)
{
    strcat(owner, id);
    return 0;
}

static void the_live_ones_are_told(void **state)
{
    (void)state;
    char ids[16] = "";
    CLEANUP(store_free) struct store *store = open_store(true);
    struct store_session a = session("a", "ann", "orders", 1), b = session("b", "ann", "orders", 2);
    b.state = "cut";
    assert_int_equal(store_put(store, &a), 0);
    assert_int_equal(store_put(store, &b), 0);
    assert_int_equal(store_live(store, note_id, ids), 0);
    assert_string_equal(ids, "a");
}

/* Spoils bytes in the middle of the file: the header still reads as a database. */
static void a_corrupt_index_is_replaced_by_an_empty_one(void **state)
{
    (void)state;
    char path[96];
    struct store *store = open_store(true);
    struct store_session a = session("a", "ann", "orders", 1);
    assert_int_equal(store_put(store, &a), 0);
    store_free(store);
    (void)snprintf(path, sizeof path, "%s/sessions.db", directory);
    int fd = open(path, O_RDWR);
    char junk[3000];
    memset(junk, 0xa5, sizeof junk);
    for (off_t at = 4096; at < 5 * 4096; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
    close(fd);
    store = open_store(true);
    assert_string_equal(search(store, &(struct store_query){ 0 }), "");
    assert_int_equal(store_put(store, &a), 0);
    store_free(store);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_was_put_comes_back_whole),
        STORE_TEST(sessions_are_found_by_each_condition),
        STORE_TEST(grep_takes_its_text_literally),
        STORE_TEST(only_the_newest_are_given_and_oldest_first),
        STORE_TEST(what_was_committed_survives_a_kill),
        STORE_TEST(the_live_ones_are_told),
        STORE_TEST(a_corrupt_index_is_replaced_by_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
