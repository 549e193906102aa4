/* The bastion's side of a guarded shell: commands go in one at a time, and marks in the output say what
 * became of them. No I/O, and no clock. docs/guarded-shells.md, "At the host" */
#pragma once
#include "base/buffer.h"
#include "channels/ssh/guarded_script.h"

enum {
    GUARDED_MARK_MAX = 72 * 1024,     /* bytes of a mark: as many as may be typed ahead, or a directory has */
    GUARDED_WAITING_MAX = 128 * 1024, /* bytes to be sent; a command has up to SHELL_LINE_MAX */
};

enum guarded_news {
    GUARDED_READY = 1, /* the first prompt */
    GUARDED_BEGUN,     /* the command runs: what is typed is for it */
    GUARDED_ENDED,     /* it is over, and nothing is left that was typed ahead */
    GUARDED_LOST,      /* it never ran: a signal came between */
    GUARDED_TYPED,     /* of what was typed while the command ran this was not read; before GUARDED_ENDED */
};

/* Called from guarded_shell_output(), in the order in which it came. Errors are handed up. */
struct guarded_calls {
    int (*output)(void *owner, bool is_error, const uint8_t *bytes, size_t n);
    int (*news)(void *owner, enum guarded_news news, const char *text, size_t n);
};

struct guarded_shell;

/* nonce: GUARDED_NONCE hex digits that nobody can guess. terminal: the target has given one; its streams are
 * one then. */
MUST_USE int guarded_shell_new(bool terminal, const char *nonce, const struct guarded_calls *calls,
                               void *owner, struct guarded_shell **ret);
void guarded_shell_free(struct guarded_shell *shell);
DEFINE_CLEANUP(struct guarded_shell *, guarded_shell_free)

/* From the target. */
MUST_USE int guarded_shell_output(struct guarded_shell *shell, bool is_error, const uint8_t *bytes, size_t n);
/* What is to be sent to the target: consumed by the caller. */
struct buffer *guarded_shell_waiting(struct guarded_shell *shell);

/* A command: UTF-8 without control characters but line ends and tabs; with `status` as $?. Only after
 * GUARDED_READY, GUARDED_ENDED, GUARDED_LOST. -ENOBUFS: it is too long. */
MUST_USE int guarded_shell_run(struct guarded_shell *shell, const char *line, size_t n, unsigned status);
/* Keys for the command that runs; only after GUARDED_BEGUN. Bytes that no UTF-8 has are left out: they are
 * how the shell's side knows the bastion. -ENOBUFS */
MUST_USE int guarded_shell_type(struct guarded_shell *shell, const uint8_t *bytes, size_t n);

bool guarded_shell_is_idle(const struct guarded_shell *shell);
bool guarded_shell_runs(const struct guarded_shell *shell);             /* a command has begun */
unsigned guarded_shell_status(const struct guarded_shell *shell);       /* of the last command */
const char *guarded_shell_directory(const struct guarded_shell *shell); /* after it, as the target says */
const char *guarded_shell_home(const struct guarded_shell *shell);
