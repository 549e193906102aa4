/* For tests of gatehouse-connector: they are its vault and its gate, and have a real PostgreSQL. */
#pragma once
#include "house.h"

extern struct postgres postgres;
extern struct process zygote;

/* Group set-up and tear-down: the server and a connector zygote. */
int connector_start(void **state);
int connector_stop(void **state);

/* The zygote alone, with its log in postgres.directory: for targets of other kinds. */
void connector_begin(void);

struct work {
    int vault, gate; /* our ends */
};

Ipc__Target target_of(const char *user, const char *host, const char *tls);
Ipc__Job job_of(Ipc__Target *target);
Ipc__Variable variable(const char *name, const char *value);
/* The CA certificates in a file of the server's directory; the caller frees job->tls_ca.data. */
void take_ca(Ipc__Job *job, const char *file);

/* Spawns a connector and gives it the job. */
struct work give(Ipc__Job *job);
/* How the connector that ends next ended: its status, or minus its signal. */
int child_status(void);
/* The most memory that the zygote's only child ever had, in KiB; 0 when the kernel does not tell of it. */
long child_peak_kib(void);
/* The login must succeed; *ret_connected, unless NULL, is for the caller to free. */
int log_in(Ipc__Job *job, Ipc__Message **ret_connected);
/* The login must fail: tells what was said to whom, and waits for the end of the child. */
void fail_to_log_in(Ipc__Job *job, char said_to_gate[DETAIL_MAX], char said_to_vault[DETAIL_MAX]);
/* Starts a long statement, has it cancelled, and sees it fail as cancelled. */
void cancel_a_sleep(Ipc__Target *target, Ipc__Job *login);
void expect_answer(int fd, const char *sql, const char *expected);
/* A server that accepts and says nothing, unless the caller does. */
int listen_anywhere(unsigned *ret_port);

/* The last test of each group. */
void the_log_never_saw_the_password(void **state);
