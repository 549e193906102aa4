/* SQLite, in a file of its own: the index of sessions may be thrown away at any time, this may not.
 *
 * A row holds a request as a packed message; beside it only what is searched for. WAL, with synchronous=FULL
 * for what must outlive the machine (each such commit costs one fsync) and NORMAL for the rest. */
#include "replay/approval_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/sqlite.h"

enum { SCHEMA_VERSION = 1, COLUMN_BYTES_MAX = 4 * 1024 * 1024 };

enum statement {
    PUT,
    PUT_CONTENT,
    GET,
    GET_CONTENT,
    UNTOLD,
    EACH_LIVE,
    EACH_OVER,
    PRUNE,
    PRUNE_CONTENT,
    PUT_GRANT,
    REMOVE_GRANT,
    EACH_GRANT,
    BEGIN,
    COMMIT,
    ROLLBACK,
    STATEMENTS
};

static const char *const sql_of[STATEMENTS] = {
    [PUT] = "INSERT INTO request VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT (id) DO UPDATE SET state=?3, told=?4,"
            " ended=?5, about=?6",
    [PUT_CONTENT] = "INSERT INTO content VALUES (?1,?2) ON CONFLICT (id) DO UPDATE SET content=?2",
    [GET] = "SELECT about FROM request WHERE id = ?1",
    [GET_CONTENT] = "SELECT content FROM content WHERE id = ?1",
    [UNTOLD] = "SELECT about FROM request WHERE digest = ?1 AND state IN (4, 5) AND told = 0"
               " ORDER BY ended DESC LIMIT 1",
    [EACH_LIVE] = "SELECT about FROM request WHERE state IN (1, 2) ORDER BY rowid",
    [EACH_OVER] = "SELECT about FROM request WHERE state NOT IN (1, 2) ORDER BY ended, rowid",
    [PRUNE] = "DELETE FROM request WHERE state NOT IN (1, 2) AND (ended < ?1 OR id NOT IN"
              " (SELECT id FROM request WHERE state NOT IN (1, 2) ORDER BY ended DESC LIMIT ?2))",
    [PRUNE_CONTENT] = "DELETE FROM content WHERE id NOT IN (SELECT id FROM request)",
    [PUT_GRANT] = "INSERT INTO allowed VALUES (?1,?2)",
    [REMOVE_GRANT] = "DELETE FROM allowed WHERE id = ?1",
    [EACH_GRANT] = "SELECT about FROM allowed ORDER BY rowid",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

static const char schema[] =
    "CREATE TABLE request (id TEXT PRIMARY KEY, digest BLOB NOT NULL, state INTEGER NOT NULL, told INTEGER "
    "NOT NULL, ended INTEGER NOT NULL, about BLOB NOT NULL);"
    "CREATE INDEX request_digest ON request (digest);"
    "CREATE INDEX request_state ON request (state, ended);"
    "CREATE TABLE content (id TEXT PRIMARY KEY, content BLOB NOT NULL);"
    "CREATE TABLE allowed (id TEXT PRIMARY KEY, about BLOB NOT NULL);"
    "PRAGMA user_version = 1;";

struct approval_store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool synced;
};

/* ---- opening ---- */

static int set_up(struct approval_store *store)
{
    bool is_new = false; /* it is checked either way */
    int r = sqlite_set_up(store->db, "FULL", schema, SCHEMA_VERSION, &is_new);
    if (r == 0)
        r = sqlite_check_whole(store->db);
    if (r == 0 && sqlite_prepare_all(store->db, sql_of, STATEMENTS, store->statements))
        r = -EBADMSG; /* not our tables */
    store->synced = true;
    return r;
}

static int open_file(const char *path, struct approval_store **ret, struct detail *detail)
{
    CLEANUP(approval_store_free) struct approval_store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    int r = sqlite_open(path, &store->db);
    if (r != SQLITE_OK)
        return detail_fail(detail, sqlite_errno(r), "approvals can't be opened: %s", sqlite3_errstr(r));
    (void)sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, COLUMN_BYTES_MAX);
    r = set_up(store);
    if (r)
        return detail_fail(detail, r, "approvals can't be used: %s", sqlite3_errmsg(store->db));
    *ret = STEAL(store);
    return 0;
}

static int put_aside(const char *path)
{
    static const char *const endings[] = { "", "-wal", "-journal" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[PATH_MAX], aside[PATH_MAX + 16];
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)snprintf(aside, sizeof aside, "%s.broken", name);
        if (rename(name, aside) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int approval_store_open(const char *directory, struct approval_store **ret, bool *ret_broken,
                        struct detail *detail)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/approvals.db", directory) >= (int)sizeof path - 16)
        return -ENAMETOOLONG;
    int r = open_file(path, ret, detail);
    *ret_broken = r == -EBADMSG;
    if (r != -EBADMSG)
        return r;
    r = put_aside(path);
    return r ? r : open_file(path, ret, detail);
}

void approval_store_free(struct approval_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    free(store);
}

/* ---- changes ---- */

/* Binds a packed message; the bytes are SQLite's from then on. */
static int bind_message(sqlite3_stmt *s, int at, const ProtobufCMessage *message)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = n <= COLUMN_BYTES_MAX ? malloc(n ? n : 1) : NULL;
    if (!bytes)
        return n <= COLUMN_BYTES_MAX ? -ENOMEM : -EMSGSIZE;
    (void)protobuf_c_message_pack(message, bytes);
    return sqlite3_bind_blob(s, at, bytes, (int)n, free) == SQLITE_OK ? 0 : -ENOMEM;
}

int approval_store_begin(struct approval_store *store, bool synced)
{
    if (store->synced != synced) {
        int r = sqlite_run(store->db, synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
        if (r)
            return r;
        store->synced = synced;
    }
    return sqlite_finish(store->statements[BEGIN]);
}

void approval_store_rollback(struct approval_store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        (void)!sqlite_finish(store->statements[ROLLBACK]);
}

int approval_store_commit(struct approval_store *store)
{
    int r = sqlite_finish(store->statements[COMMIT]);
    if (r)
        approval_store_rollback(store);
    return r;
}

int approval_store_put(struct approval_store *store, const Ipc__Approval *approval)
{
    sqlite3_stmt *s = store->statements[PUT];
    sqlite_bind_string(s, 1, approval->id);
    (void)sqlite3_bind_blob(s, 2, approval->digest.data, (int)approval->digest.len, SQLITE_STATIC);
    sqlite_bind_u64(s, 3, (uint64_t)approval->state);
    sqlite_bind_u64(s, 4, approval->told ? 1 : 0);
    sqlite_bind_u64(s, 5, approval->ended_ms);
    int r = bind_message(s, 6, &approval->base);
    return r ? r : sqlite_finish(s);
}

static int put_pair(struct approval_store *store, enum statement which, const char *id,
                    const ProtobufCMessage *message)
{
    sqlite3_stmt *s = store->statements[which];
    sqlite_bind_string(s, 1, id);
    int r = bind_message(s, 2, message);
    return r ? r : sqlite_finish(s);
}

int approval_store_put_content(struct approval_store *store, const char *id,
                               const Ipc__ApprovalContent *content)
{
    return put_pair(store, PUT_CONTENT, id, &content->base);
}

int approval_store_put_grant(struct approval_store *store, const Ipc__Grant *grant)
{
    return put_pair(store, PUT_GRANT, grant->id, &grant->base);
}

int approval_store_remove_grant(struct approval_store *store, const char *id)
{
    sqlite_bind_string(store->statements[REMOVE_GRANT], 1, id);
    return sqlite_finish(store->statements[REMOVE_GRANT]);
}

int approval_store_prune(struct approval_store *store, uint64_t before_ms, uint64_t keep)
{
    sqlite_bind_u64(store->statements[PRUNE], 1, before_ms);
    sqlite_bind_u64(store->statements[PRUNE], 2, keep);
    int r = sqlite_finish(store->statements[PRUNE]);
    return r ? r : sqlite_finish(store->statements[PRUNE_CONTENT]);
}

/* ---- reading ---- */

static ProtobufCMessage *unpack_column(sqlite3_stmt *s, const ProtobufCMessageDescriptor *type)
{
    const void *bytes = sqlite3_column_blob(s, 0);
    int n = sqlite3_column_bytes(s, 0);
    return protobuf_c_message_unpack(type, NULL, (size_t)n, bytes ? bytes : (const void *)"");
}

/* The message of the one row, with its parameters bound. */
static int get(sqlite3_stmt *s, const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret)
{
    int step = sqlite3_step(s);
    ProtobufCMessage *message = step == SQLITE_ROW ? unpack_column(s, type) : NULL;
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    if (step != SQLITE_ROW)
        return step == SQLITE_DONE ? -ENOENT : sqlite_errno(step);
    if (!message)
        return -EBADMSG;
    *ret = message;
    return 0;
}

int approval_store_get(struct approval_store *store, const char *id, Ipc__Approval **ret)
{
    sqlite_bind_string(store->statements[GET], 1, id);
    return get(store->statements[GET], &ipc__approval__descriptor, (ProtobufCMessage **)ret);
}

int approval_store_content(struct approval_store *store, const char *id, Ipc__ApprovalContent **ret)
{
    sqlite_bind_string(store->statements[GET_CONTENT], 1, id);
    return get(store->statements[GET_CONTENT], &ipc__approval_content__descriptor, (ProtobufCMessage **)ret);
}

int approval_store_untold(struct approval_store *store, const uint8_t *digest, size_t n, Ipc__Approval **ret)
{
    sqlite3_stmt *s = store->statements[UNTOLD];
    (void)sqlite3_bind_blob(s, 1, digest, (int)n, SQLITE_STATIC);
    return get(s, &ipc__approval__descriptor, (ProtobufCMessage **)ret);
}

/* One of the two is set. */
struct visit {
    approval_store_visit *approval;
    approval_store_visit_grant *grant;
    void *owner;
};

static int visit_row(sqlite3_stmt *s, const struct visit *visit)
{
    ProtobufCMessage *message =
        unpack_column(s, visit->grant ? &ipc__grant__descriptor : &ipc__approval__descriptor);
    if (!message)
        return -EBADMSG;
    return visit->grant ? visit->grant(visit->owner, (Ipc__Grant *)message)
                        : visit->approval(visit->owner, (Ipc__Approval *)message);
}

static int each(sqlite3_stmt *s, const struct visit *visit)
{
    int r = 0, step;
    while (r == 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        r = visit_row(s, visit);
    (void)sqlite3_reset(s);
    return r ? r : step == SQLITE_DONE ? 0 : sqlite_errno(step);
}

int approval_store_each(struct approval_store *store, bool live, approval_store_visit *visit, void *owner)
{
    struct visit one = { .approval = visit, .owner = owner };
    return each(store->statements[live ? EACH_LIVE : EACH_OVER], &one);
}

int approval_store_each_grant(struct approval_store *store, approval_store_visit_grant *visit, void *owner)
{
    struct visit one = { .grant = visit, .owner = owner };
    return each(store->statements[EACH_GRANT], &one);
}
