/* One login to a PostgreSQL server, by libpq. */
#pragma once
#include <libpq-fe.h>
#include "vault/connector.h"
#include "vault/connector_trace.h"

/* A connection that is ready for queries. The PGconn is kept as long as the connection is in use here, and
 * never used for a query. */
struct login {
    PGconn *conn;
    struct trace trace;
};

/* In the zygote, before the jail: readies libpq and OpenSSL, and gives them an environment without settings.
 */
void login_start(void);
/* Wipes password. 0 and *ret; or negative with detail, which is for the log and may name host and user, never
 * the password. *ret_option: the setting that the server did not take, if that was it; borrowed from the job;
 * or NULL. */
MUST_USE int login_run(const struct job *job, char *password, struct login *ret, const char **ret_option,
                       struct detail *detail);
