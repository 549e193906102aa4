/* A line is read by a strict reader of our own (shell_parse.c), which refuses whatever it is not sure of:
 * rare quoting, bashisms that another shell reads in another way, control characters. tree-sitter's grammar
 * of bash then has to find the same commands at the same places (shell_tree.c). Either of the two alone would
 * be a single point of error: the grammar is made for editors and lenient, the reader is young. */
#include "policy/shell.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "policy/shell_parts.h"

enum { CHUNK_SIZE = 16 * 1024, WHY_MAX = 256 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

void shell_refuse(struct shell *shell, const char *why)
{
    if (shell_failed(shell))
        return;
    shell->why = why;
    shell->inner = shell->level > 1;
}

static void keep_error(struct shell *shell, int r)
{
    if (r == -ENOBUFS || r == -ENAMETOOLONG)
        shell_refuse(shell, "it does too many things");
    else if (r < 0 && shell->error == 0)
        shell->error = r;
}

void shell_unknown(struct shell *shell, const char *format, ...)
{
    char why[WHY_MAX];
    va_list arguments;
    if (shell_failed(shell))
        return;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (shell->left && shell->elsewhere == 0)
        shell->left->changes = true;
    keep_error(shell, effects_add_opaque(shell->effects, EFFECT_UNKNOWN, why));
}

static struct chunk *add_chunk(struct shell *shell, size_t n)
{
    size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;
    if (size > SHELL_MEMORY_MAX - shell->used) {
        shell_refuse(shell, "it takes too much memory");
        return NULL;
    }
    struct chunk *chunk = calloc(1, sizeof *chunk + size);
    if (!chunk) {
        shell->error = -ENOMEM;
        return NULL;
    }
    chunk->size = size;
    chunk->next = shell->chunks;
    shell->chunks = chunk;
    shell->used += size;
    return chunk;
}

void *shell_alloc(struct shell *shell, size_t n)
{
    size_t rounded = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (shell_failed(shell))
        return NULL;
    struct chunk *chunk = shell->chunks;
    if (!chunk || rounded > chunk->size - chunk->used)
        chunk = add_chunk(shell, rounded);
    if (!chunk)
        return NULL;
    void *bytes = chunk->bytes + chunk->used;
    chunk->used += rounded;
    return bytes;
}

char *shell_copy(struct shell *shell, const char *text, size_t n)
{
    char *copy = shell_alloc(shell, n + 1);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

bool shell_enter(struct shell *shell)
{
    if (shell->depth == SHELL_DEPTH_MAX)
        shell_refuse(shell, "it is nested too deeply");
    if (shell_failed(shell))
        return false;
    shell->depth++;
    return true;
}

void shell_leave(struct shell *shell)
{
    shell->depth--;
}

static void free_chunks(struct shell *shell)
{
    while (shell->chunks) {
        struct chunk *next = shell->chunks->next;
        free(shell->chunks);
        shell->chunks = next;
    }
}

/* Of a list that is full there may be more to say than is in it: then it says only that. */
static int add_refusal(struct effects *effects, const char *why)
{
    int r = effects_add_opaque(effects, EFFECT_UNPARSABLE, why);
    if (r != -ENOBUFS)
        return r;
    effects_free(effects);
    return effects_add_opaque(effects, EFFECT_UNPARSABLE, why);
}

int shell_effects_left(const char *command, size_t n, struct shell_marks_left *left, struct effects *ret,
                       const char **ret_open)
{
    struct shell shell = { .effects = ret, .left = left };
    shell_text(&shell, command, n);
    if (ret_open)
        *ret_open = shell.at_end && !shell.inner ? shell.why : NULL;
    if (shell.error == 0 && shell.why)
        shell.error = add_refusal(ret, shell.why);
    free_chunks(&shell);
    return shell.error;
}

int shell_effects(const char *command, size_t n, struct effects *ret)
{
    return shell_effects_left(command, n, NULL, ret, NULL);
}
