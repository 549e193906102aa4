/* What a target says, and a user types, to a guarded shell. The first byte of each piece says what it is; '@'
 * in what the target says is the nonce. What goes to the target has the byte 0xff only at the beginning of
 * what the bastion itself says. */
#include <stdlib.h>
#include <string.h>

#include "channels/ssh/guarded_shell.h"

#define NONCE "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int output(void *owner, bool is_error, const uint8_t *bytes, size_t n)
{
    (void)owner;
    (void)is_error;
    return bytes == NULL && n > 0 ? -1 : 0;
}

static int news(void *owner, enum guarded_news news, const char *text, size_t n)
{
    (void)owner;
    return news == 0 || (text == NULL && n > 0) ? -1 : 0;
}

static void sent(struct guarded_shell *shell)
{
    struct buffer *waiting = guarded_shell_waiting(shell);
    const uint8_t *at = buffer_head(waiting), *begin = at, *end = begin;
    if (buffer_size(waiting) == 0)
        return;
    end += buffer_size(waiting);
    for (; at < end; at++)
        if (*at == 0xff &&
            ((at > begin && at[-1] != '\n') || at + 1 == end || (at[1] != 'R' && at[1] != 'S')))
            abort();
    buffer_consume(waiting, buffer_size(waiting));
}

static int act(struct guarded_shell *shell, unsigned what, const uint8_t *bytes, size_t n)
{
    int r = 0;
    switch (what) {
    case 0: /* keys */
        if (guarded_shell_runs(shell))
            r = guarded_shell_type(shell, bytes, n);
        sent(shell);
        return r;
    case 1:
        if (guarded_shell_is_idle(shell))
            r = guarded_shell_run(shell, "ls\nid", 5, 1);
        sent(shell);
        return r;
    default:
        for (size_t i = 0; i < n && r == 0; i++) {
            bool nonce = bytes[i] == '@';
            r = guarded_shell_output(shell, what == 2, nonce ? (const uint8_t *)NONCE : bytes + i,
                                     nonce ? GUARDED_NONCE : 1);
        }
        return r;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct guarded_calls calls = { output, news };
    struct guarded_shell *shell = NULL;
    if (n < 2 || guarded_shell_new(data[0] & 1, NONCE, &calls, NULL, &shell))
        return 0;
    for (size_t i = 1; i < n;) {
        unsigned what = data[i] & 3;
        size_t size = data[i] >> 2;
        i++;
        size = size < n - i ? size : n - i;
        if (act(shell, what, data + i, size))
            abort();
        i += size;
    }
    guarded_shell_free(shell);
    return 0;
}
