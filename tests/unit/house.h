/* For tests of whole processes: starts one of ours with its control socket, and a private PostgreSQL for it
 * to use. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/ipc.h"

/* ---- processes ---- */

struct process {
    pid_t pid;
    int control; /* our end */
};

/* Executes `path` as the listener does, and sends Start with the fds, which are closed here. stderr goes to
 * the file `log`, appended. */
struct process process_start(const char *path, const Ipc__Start *start, int *fds, size_t n_fds,
                             const char *log);
/* Starts it with one more fd: our end of a control socket is handed to somebody else (a zygote's to its
 * owner). */
int process_control(struct process *process);
/* Closes the control socket, unless it was handed on, and waits; returns the wait status. */
int process_end(struct process *process);

/* One message within limit_ms; the test fails when there is none or it is of another kind. */
Ipc__Message *expect(int fd, Ipc__Message__BodyCase body, int limit_ms, int *ret_fd);
/* Closed within limit_ms, without a message. */
void expect_end(int fd, int limit_ms);

/* ---- PostgreSQL ---- */

enum { HOUSE_PATH = 256 };

struct postgres {
    char directory[HOUSE_PATH]; /* CA in ca.pem, another one in other-ca.pem, socket, data, log */
    char socket[HOUSE_PATH];    /* of the Unix kind */
    unsigned port;
};

/* A server with TLS (certificate for localhost only) and the users scram_user, md5_user and plain_user, named
 * by how they authenticate, and tls_user, who must use TLS; the password of each is HOUSE_PASSWORD. */
#define HOUSE_PASSWORD "pa ss'w\\ord-7f3a"
void postgres_start(struct postgres *postgres);
void postgres_stop(struct postgres *postgres);

/* Sends a simple query and reads up to ReadyForQuery. Returns the first value of the first row, malloc'ed, or
 * NULL; an error's SQLSTATE, with "E:" before it, when there was one. */
char *query(int fd, const char *sql);
/* Reads one message: its type, its body (NUL-terminated behind n bytes), malloc'ed. 0 at end of file. */
char read_message(int fd, uint8_t **ret, size_t *ret_n);
void send_query(int fd, const char *sql);
