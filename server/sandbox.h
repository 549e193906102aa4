/* A cage for one program: no files but its own, no network, no children. Prepared once, entered by every run.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    SANDBOX_CPU_SECONDS = 3600,
    SANDBOX_MEMORY_MIB = 2048,  /* address space: psql keeps a whole result unless FETCH_COUNT is set */
    SANDBOX_FILES = 64,         /* open descriptors */
    SANDBOX_GO_FILES = 512,     /* of a program with threads, which has a connection for each request */
    SANDBOX_GO_DATA_MIB = 2048, /* private writable memory: such a program reserves address space at will */
};

struct sandbox;

/* What a program can't do without. */
struct sandbox_needs {
    int sockets;  /* stream sockets of this family are asked of the supervisor (sandbox_notice.h); 0: none */
    bool threads; /* its own threads, epoll and the like, as Go has them; still no processes */
    bool scratch; /* each run has a directory of its own, where it may do as it likes */
    bool listens; /* its listening sockets accept what the supervisor offers (sandbox_notice.h), and nothing
                   * else
                   */
};

/* Once per program, before the launcher's own jail. -ENOSYS when the kernel can't cage; detail says what is
 * missing. */
MUST_USE int sandbox_new(const char *program, struct sandbox_needs needs, struct sandbox **ret,
                         struct detail *detail);
void sandbox_free(struct sandbox *sandbox);
DEFINE_CLEANUP(struct sandbox *, sandbox_free)
const char *sandbox_program(const struct sandbox *sandbox);

/* What one run starts with; all borrowed. */
struct sandbox_run {
    char *const *arguments;   /* argv[0] included, NULL-terminated */
    char *const *environment; /* NULL-terminated */
    int standard[3];          /* become fds 0, 1, 2 */
    int extra;                /* becomes fd 3; or -1 */
    bool terminal;            /* standard[0] is a terminal, to control the new session */
    const char *scratch;      /* a directory, where the cage has one; else NULL */
};

/* Forks. The child cages itself and executes the program, which the supervisor must let pass
 * (sandbox_notice.h). *ret_setup is non-blocking and becomes readable with each step of sandbox_step(). No
 * zombie is left on failure. */
MUST_USE int sandbox_start(struct sandbox *sandbox, const struct sandbox_run *run, pid_t *ret_pid,
                           int *ret_setup);

enum sandbox_step {
    SANDBOX_CAGED = 1, /* *ret_notices is where it asks; the program is not running yet */
    SANDBOX_FAILED,    /* detail says why; the child ends */
    SANDBOX_SILENT, /* nothing more will come: the program runs if it was caged and did not fail, or it died
                     */
};

/* The next word of the child; an enum sandbox_step, or -EAGAIN when there is none yet. */
MUST_USE int sandbox_step(int setup, int *ret_notices, struct detail *detail);
