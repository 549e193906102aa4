/* See sqlite.h. One process uses each file, so nothing here waits for a lock. */
#include "replay/sqlite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int sqlite_errno(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    default:
        return -EIO;
    }
}

int sqlite_open(const char *path, sqlite3 **ret)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int r = sqlite3_open_v2(path, ret, flags, NULL);
    if (r == SQLITE_OK)
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return r;
}

int sqlite_run(sqlite3 *db, const char *sql)
{
    int r = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return r == SQLITE_OK ? 0 : sqlite_errno(r);
}

static int read_version(sqlite3 *db, int *ret)
{
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(statement);
    if (r == SQLITE_ROW)
        *ret = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    return r == SQLITE_ROW ? 0 : sqlite_errno(r);
}

int sqlite_set_up(sqlite3 *db, const char *synchronous, const char *schema, int version, bool *ret_new)
{
    char pragma[64];
    int found = 0;
    (void)snprintf(pragma, sizeof pragma, "PRAGMA synchronous=%s;", synchronous);
    int r = sqlite_run(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;");
    if (r == 0)
        r = sqlite_run(db, pragma);
    if (r == 0)
        r = sqlite_run(db, "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;"
                           "PRAGMA journal_size_limit=16777216;");
    if (r == 0)
        r = read_version(db, &found);
    if (r == 0 && found != 0 && found != version)
        return -EBADMSG;
    if (r == 0 && found == 0)
        r = sqlite_run(db, schema);
    if (r == 0)
        *ret_new = found == 0;
    return r;
}

int sqlite_prepare_all(sqlite3 *db, const char *const *sql, size_t n, sqlite3_stmt **ret)
{
    for (size_t i = 0; i < n; i++) {
        int r = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i], NULL);
        if (r != SQLITE_OK)
            return sqlite_errno(r);
    }
    return 0;
}

int sqlite_check_whole(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(statement);
    const unsigned char *text = r == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    bool good = text && strcmp((const char *)text, "ok") == 0;
    (void)sqlite3_finalize(statement);
    if (r != SQLITE_ROW)
        return sqlite_errno(r);
    return good ? 0 : -EBADMSG;
}

int sqlite_finish(sqlite3_stmt *statement)
{
    int r = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return r == SQLITE_DONE ? 0 : sqlite_errno(r);
}

void sqlite_bind_u64(sqlite3_stmt *statement, int at, uint64_t v)
{
    (void)sqlite3_bind_int64(statement, at, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void sqlite_bind_string(sqlite3_stmt *statement, int at, const char *text)
{
    if (text)
        (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(statement, at);
}
