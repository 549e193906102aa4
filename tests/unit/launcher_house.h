/* A PostgreSQL of one's own, a real gatehouse-launcher, and this test in the place of listener and gate. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HOUSE_RELAYS_MAX = 64 };

/* Bytes that grow; NUL-terminated. */
struct text {
    char *bytes;
    size_t n, capacity;
};

/* A stream of a tool, joined to the server. */
struct relay {
    int fds[2];
};

struct house {
    char directory[64]; /* also where gatehouse-player is */
    pid_t server, launcher;
    int control, gate;
    uint64_t connection;
    uint32_t requests;
    struct relay relays[HOUSE_RELAYS_MAX];
    size_t n_relays, connects; /* connects: of the present run */
    struct run *run;
};

/* One tool. Set words and pty before house_run(). */
struct run {
    const char *words[24];
    const char *environment[4]; /* NAME, VALUE, … */
    bool pty;
    const char *term;
    bool player;
    bool deaf; /* does not read the output */

    uint32_t request;
    int in, out, err;
    struct text output, errors;
    bool answered, exited;
    uint32_t status;
    char signal[16], code[32], message[512];
    double started_ms; /* from asking to AnswerRun */
};

/* NULL-safe singletons of one test program: starts server and launcher. libexec is where gatehouse-player is.
 */
struct house *house_open(const char *libexec);
void house_close(struct house *house);
/* A new launcher, on a kernel that lacks this system call (-1: lacks none). */
void house_relaunch(struct house *house, int missing_call);

/* A new gate with a valid ticket, in place of the present one. */
void house_new_gate(struct house *house);
void house_drop_gate(struct house *house);

/* Asks and waits for the answer; a refusal is in code and message. */
void house_run(struct house *house, struct run *run);
void house_type(struct run *run, const char *text);
void house_end_input(struct run *run);
void house_signal(struct house *house, const struct run *run, const char *name);
void house_resize(const struct run *run, unsigned short columns, unsigned short rows);
/* Until the output holds text (after `from` bytes); false when `ms` are over. */
bool house_sees(struct house *house, struct run *run, size_t from, const char *text, int ms);
/* Until it has exited and all of its output is here; then releases its descriptors. False when `ms` are over.
 */
bool house_ends(struct house *house, struct run *run, int ms);
/* Moves bytes and messages for so long. */
void house_pump(struct house *house, int ms);
void run_free(struct run *run);
/* As superuser, straight at the server, in that database. */
void house_sql(const struct house *house, const char *database, const char *sql);
/* How many processes have the launcher as their parent. */
size_t house_tools(const struct house *house);
