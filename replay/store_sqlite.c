/* WAL with synchronous=NORMAL: a commit is a write without fsync, it
 * survives the end of the process, and a power cut may lose the last ones but breaks nothing. One process
 * uses the file, so the lock is exclusive and there is no shared memory file. */
#include "replay/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "replay/sqlite.h"

enum {
    SCHEMA_VERSION = 2,
    TEXTS = 11, /* columns of a session: texts, then numbers */
    NUMBERS = 6,
    STEPS_BETWEEN_CLOCKS = 10000, /* virtual machine instructions */
};

enum statement {
    PUT,
    PUT_STATEMENT,
    REMOVE,
    REMOVE_STATEMENTS,
    BEGIN,
    COMMIT,
    ROLLBACK,
    LIVE,
    SEARCH,
    STATEMENTS
};

static const char *const sql_of[STATEMENTS] = {
    [PUT] = "INSERT INTO session VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"
            " ON CONFLICT (id) DO UPDATE SET state=?9, ended=?13, requests=?14, denied=?15, bytes=?16, "
            "status=?17",
    [PUT_STATEMENT] = "INSERT OR IGNORE INTO statement (session, text) VALUES (?1, ?2)",
    [REMOVE] = "DELETE FROM session WHERE id = ?1",
    [REMOVE_STATEMENTS] = "DELETE FROM statement WHERE session = ?1",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [LIVE] = "SELECT id FROM session WHERE state = 'live'",
    /* LIKE with escaped wildcards: its folding of ASCII case is what grep promises. */
    [SEARCH] = "SELECT * FROM (SELECT * FROM session s WHERE (?1 IS NULL OR identity = ?1)"
               " AND (?2 IS NULL OR target = ?2) AND started >= ?3"
               " AND (?4 IS NULL OR command LIKE ?4 ESCAPE '\\' OR EXISTS (SELECT 1 FROM statement"
               "      WHERE session = s.id AND text LIKE ?4 ESCAPE '\\'))"
               " ORDER BY id DESC LIMIT ?5) ORDER BY started, id",
};

static const char schema[] =
    "CREATE TABLE session (id TEXT PRIMARY KEY, identity TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT "
    "NULL,"
    " target TEXT NOT NULL, target_kind TEXT NOT NULL, login TEXT NOT NULL, command TEXT NOT NULL,"
    " state TEXT NOT NULL, actor TEXT NOT NULL, party TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER "
    "NOT NULL, requests INTEGER NOT NULL,"
    " denied INTEGER NOT NULL, bytes INTEGER NOT NULL, status INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX session_identity ON session (identity, id);"
    "CREATE TABLE statement (session TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (session, text)) WITHOUT "
    "ROWID;"
    "PRAGMA user_version = 2;";

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t deadline_ms; /* of the running search; 0: none */
};

/* ---- opening ---- */

static int too_late(void *owner)
{
    const struct store *store = owner;
    return store->deadline_ms > 0 && clock_ms() >= store->deadline_ms;
}

static int set_up(struct store *store, bool *ret_empty)
{
    int r = sqlite_set_up(store->db, "NORMAL", schema, SCHEMA_VERSION, ret_empty);
    if (r == 0 && !*ret_empty && sqlite_check_whole(store->db))
        r = -EBADMSG; /* whatever it was: it is only a copy */
    return r ? r : sqlite_prepare_all(store->db, sql_of, STATEMENTS, store->statements);
}

static int open_file(const char *path, struct store **ret, bool *ret_empty, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    int r = sqlite_open(path, &store->db);
    if (r != SQLITE_OK)
        return detail_fail(detail, sqlite_errno(r), "the index can't be opened: %s", sqlite3_errstr(r));
    sqlite3_progress_handler(store->db, STEPS_BETWEEN_CLOCKS, too_late, store);
    r = set_up(store, ret_empty);
    if (r)
        return detail_fail(detail, r, "the index can't be used: %s", sqlite3_errmsg(store->db));
    *ret = STEAL(store);
    return 0;
}

static void remove_files(const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[PATH_MAX];
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)unlink(name);
    }
}

int store_open(const char *directory, struct store **ret, bool *ret_empty, struct detail *detail)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/sessions.db", directory) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int r = open_file(path, ret, ret_empty, detail);
    if (r != -EBADMSG)
        return r;
    /* Nothing but a copy is lost. */
    remove_files(path);
    return open_file(path, ret, ret_empty, detail);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    free(store);
}

/* ---- changes ---- */

int store_put(struct store *store, const struct store_session *session)
{
    sqlite3_stmt *s = store->statements[PUT];
    const char *const texts[] = { session->id,     session->identity,    session->source, session->kind,
                                  session->target, session->target_kind, session->login,  session->command,
                                  session->state,  session->actor,       session->party };
    const uint64_t numbers[] = { session->started_ms, session->ended_ms, session->requests,
                                 session->denied,     session->bytes,    session->status };
    for (int i = 0; i < TEXTS; i++)
        sqlite_bind_string(s, i + 1, texts[i]);
    for (int i = 0; i < NUMBERS; i++)
        sqlite_bind_u64(s, i + TEXTS + 1, numbers[i]);
    return sqlite_finish(s);
}

int store_put_statement(struct store *store, const char *id, const void *text, size_t n)
{
    sqlite3_stmt *s = store->statements[PUT_STATEMENT];
    if (n > STORE_STATEMENT_MAX)
        n = STORE_STATEMENT_MAX;
    sqlite_bind_string(s, 1, id);
    (void)sqlite3_bind_text(s, 2, text, (int)n, SQLITE_STATIC);
    return sqlite_finish(s);
}

int store_remove(struct store *store, const char *id)
{
    sqlite_bind_string(store->statements[REMOVE_STATEMENTS], 1, id);
    int r = sqlite_finish(store->statements[REMOVE_STATEMENTS]);
    sqlite_bind_string(store->statements[REMOVE], 1, id);
    return r ? r : sqlite_finish(store->statements[REMOVE]);
}

int store_begin(struct store *store)
{
    return sqlite_finish(store->statements[BEGIN]);
}

int store_commit(struct store *store)
{
    int r = sqlite_finish(store->statements[COMMIT]);
    if (r)
        (void)!sqlite_finish(store->statements[ROLLBACK]);
    return r;
}

/* ---- searching ---- */

int store_live(struct store *store, store_id_visit *visit, void *owner)
{
    sqlite3_stmt *s = store->statements[LIVE];
    int r = 0, step;
    while (r == 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        r = visit(owner, (const char *)sqlite3_column_text(s, 0));
    (void)sqlite3_reset(s);
    return r ? r : step == SQLITE_DONE ? 0 : sqlite_errno(step);
}

static struct store_session session_of(sqlite3_stmt *s)
{
    const char *texts[TEXTS];
    uint64_t numbers[NUMBERS];
    for (int i = 0; i < TEXTS; i++) {
        const char *text = (const char *)sqlite3_column_text(s, i);
        texts[i] = text ? text : "";
    }
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = (uint64_t)sqlite3_column_int64(s, i + TEXTS);
    return (struct store_session){
        .id = texts[0],
        .identity = texts[1],
        .source = texts[2],
        .kind = texts[3],
        .target = texts[4],
        .target_kind = texts[5],
        .login = texts[6],
        .command = texts[7],
        .state = texts[8],
        .actor = texts[9],
        .party = texts[10],
        .started_ms = numbers[0],
        .ended_ms = numbers[1],
        .requests = numbers[2],
        .denied = numbers[3],
        .bytes = numbers[4],
        .status = (uint32_t)numbers[5],
    };
}

/* "%text%" with LIKE's own characters escaped; malloc'ed. */
static char *pattern_of(const char *text)
{
    char *out = malloc(2 * strlen(text) + 3), *next = out;
    if (!out)
        return NULL;
    *next++ = '%';
    for (; *text; text++) {
        if (strchr("%_\\", *text))
            *next++ = '\\';
        *next++ = *text;
    }
    *next++ = '%';
    *next = 0;
    return out;
}

int store_search(struct store *store, const struct store_query *query, store_visit *visit, void *owner,
                 struct detail *detail)
{
    sqlite3_stmt *s = store->statements[SEARCH];
    CLEANUP(free) char *pattern = query->grep ? pattern_of(query->grep) : NULL;
    if (query->grep && !pattern)
        return -ENOMEM;
    sqlite_bind_string(s, 1, query->identity);
    sqlite_bind_string(s, 2, query->target);
    sqlite_bind_u64(s, 3, query->since_ms);
    sqlite_bind_string(s, 4, pattern);
    sqlite_bind_u64(s, 5, STORE_SESSIONS_MAX);
    store->deadline_ms = clock_ms() + STORE_SEARCH_MS;
    int r = 0, step;
    while (r == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct store_session session = session_of(s);
        r = visit(owner, &session);
    }
    store->deadline_ms = 0;
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    if (r || step == SQLITE_DONE || step == SQLITE_ROW)
        return r;
    if (step == SQLITE_INTERRUPT)
        return STORE_SLOW;
    return detail_fail(detail, sqlite_errno(step), "the index can't be searched: %s",
                       sqlite3_errmsg(store->db));
}
