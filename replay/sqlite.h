/* What the files of SQLite have in common: the index of sessions, which may be thrown away, and the requests
 * for approval, which may not. Only replay/store_sqlite.c and replay/approval_store.c include this. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

/* A result code of SQLite as an errno: -EBADMSG for a damaged file. */
int sqlite_errno(int sqlite_code);
/* Opens or makes the file, without mutexes and defensively; *ret also on failure, for sqlite3_close(). A code
 * of SQLite. */
MUST_USE int sqlite_open(const char *path, sqlite3 **ret);
/* A log that is written ahead, by us alone; synchronous: the pragma's word. A new file gets the schema, which
 * sets user_version as well; -EBADMSG: the file is of another version. */
MUST_USE int sqlite_set_up(sqlite3 *db, const char *synchronous, const char *schema, int version,
                           bool *ret_new);
/* Each to be used again and again; of ret those that were prepared are the caller's, also on failure. */
MUST_USE int sqlite_prepare_all(sqlite3 *db, const char *const *sql, size_t n, sqlite3_stmt **ret);
/* Statements without parameters and results. */
MUST_USE int sqlite_run(sqlite3 *db, const char *sql);
/* -EBADMSG when the file is damaged inside, which would otherwise show only when somebody searches. */
MUST_USE int sqlite_check_whole(sqlite3 *db);
/* Steps a statement that has no rows, and readies it for the next time. */
MUST_USE int sqlite_finish(sqlite3_stmt *statement);
/* Numbers beyond the signed range are cut at it. */
void sqlite_bind_u64(sqlite3_stmt *statement, int at, uint64_t v);
/* text is borrowed until the statement is finished; NULL: no value. */
void sqlite_bind_string(sqlite3_stmt *statement, int at, const char *text);
