/* The real gatehouse-ledger, with this test as its listener and as its gates. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/ipc.h"
#include "recording_fixture.h"

struct bench {
    struct house house; /* closed: the process has it */
    pid_t pid;
    int control; /* the listener's end */
    uint8_t ticket_key[32];
    int gates[8]; /* open ones */
    size_t n_gates;
    uint64_t retention_ms;
    unsigned long file_limit; /* RLIMIT_FSIZE of the next start; 0: none */
};

/* Makes a house; bench_open starts the ledger in it as well. */
void bench_prepare(struct bench *bench);
void bench_open(struct bench *bench);
void bench_start(struct bench *bench);
/* Closes the control socket and waits; returns the exit status, or -1 for a signal. */
int bench_stop(struct bench *bench);
void bench_kill(struct bench *bench);
void bench_close(struct bench *bench);

/* A gate of its own: returns its socket. `who` NULL: it does not introduce itself; `may` NULL: nothing. */
int gate_new(struct bench *bench, uint64_t connection, const char *who, const char *may);
void gate_close(struct bench *bench, int gate);
void gate_send(int gate, const Ipc__Message *message);
/* The next message (2 s) and its fd (-1: none); freed by the caller. NULL when the ledger has hung up. */
Ipc__Message *gate_receive(int gate, int *ret_fd);
bool gate_is_dropped(int gate);

/* A recording as a gate has it. */
bool gate_record(int gate, struct pen *pen, const char *command);
void gate_finish(int gate, const struct pen *pen);
/* The lines of AskSessions, malloc'ed; NULL when refused. */
char *gate_sessions(int gate, const char *identity, const char *grep);
/* The same for people. */
char *gate_table(int gate);
/* The fd, or -1 when refused. */
int gate_replay(int gate, const char *id);
/* Waits (3 s) until verify gives this recording a finding that holds the text. */
bool wait_for_finding(struct bench *bench, const char *id, const char *text);
