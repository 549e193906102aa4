/* What the connector_*.c files share: one login to one target. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"

enum {
    CONNECTOR_TIMEOUT_MAX_MS = 60 * 1000, /* whatever the job says */
    CONNECTOR_ADDRESSES_MAX = 8,          /* of one name */
    CONNECTOR_PARAMETERS_MAX = 128,       /* ParameterStatus names; PostgreSQL 18 reports 15 */
    CONNECTOR_NAME_MAX = 64,              /* bytes of a setting's name */
    CONNECTOR_UNAVAILABLE = 69,           /* exit status: the target, or the one for whom it was */
};

/* What a connector was told, and how long it has. */
struct job {
    const Ipc__Job *message;
    const Ipc__Target *target;
    int gate;             /* the gate's socket, or -1: when it hangs up, the work is for nobody */
    uint64_t deadline_ms; /* monotonic */
    uint64_t connection;  /* for whom it is, for the log */
};

/* ---- connector_wait.c ---- */
/* Milliseconds until the deadline, at least 0. */
int job_left_ms(const struct job *job);
/* Waits for POLLIN or POLLOUT on fd, but not beyond until_ms: 0, -ETIMEDOUT, or -ECANCELED when the gate hung
 * up. */
MUST_USE int job_wait(const struct job *job, int fd, short events, uint64_t until_ms);
/* Whether the target's certificate is looked at. */
bool job_verifies(const struct job *job);

/* ---- connector_address.c ---- */
struct addresses {
    char text[CONNECTOR_ADDRESSES_MAX][46]; /* INET6_ADDRSTRLEN */
    size_t count;
};
/* In the zygote, before the jail: from now on names come from /etc/hosts and DNS only, and no plug-in is
 * loaded. */
void addresses_start(void);
/* A numeric address stands for itself. May block in the resolver: the process has an alarm for that. */
MUST_USE int addresses_of(const char *host, struct addresses *ret, struct detail *detail);

/* ---- connector_connect.c ---- */
/* A fresh, non-blocking connection to the target, within the deadline. */
MUST_USE int job_connect(const struct job *job, int *ret_fd, struct detail *detail);
/* A TCP connection that will live long: without delays, and noticed when the other end is lost. */
void job_keep_alive(int fd);
