/* Whatever words a user gives kubectl. What passes begins with the program, keeps what stands behind "--" as
 * it is, and has none of the options in their plain spelling that were to be refused; a `cp` has become an
 * exec, and a `port-forward` listens where we say. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "server/launcher_kubectl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { WORDS_MAX = 32 };

static const char *const refused[] = { "--server",  "--kubeconfig", "--token",    "--as",
                                       "--context", "--cluster",    "--kustomize" };

/* The given words with one of ours among them, before any "--". */
static void check_forward(const struct words *words, char *const *given, size_t count)
{
    size_t i = 0;
    if (words->count != count + 2)
        abort();
    while (i < count && strcmp(words->items[i + 1], given[i]) == 0)
        i++;
    if (i == 0 || strcmp(given[i - 1], "port-forward") != 0 ||
        strcmp(words->items[i + 1], "--address=127.0.0.1") != 0)
        abort();
    for (size_t k = 0; k < count; k++)
        if (strcmp(words->items[k + 1 + (k >= i)], given[k]) != 0 || (k < i && strcmp(given[k], "--") == 0))
            abort();
}

static void check(const struct words *words, char *const *given, size_t count)
{
    size_t end = 1;
    if (words->count < 1 || strcmp(words->items[0], "/kubectl") != 0)
        abort();
    for (; end < words->count && strcmp(words->items[end], "--") != 0; end++)
        for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
            size_t length = strlen(refused[i]);
            if (strncmp(words->items[end], refused[i], length) == 0 &&
                (!words->items[end][length] || words->items[end][length] == '='))
                abort();
        }
    /* An exec that a `cp` became has its own; anything else is as it was given. */
    bool same = words->count == count + 1;
    for (size_t i = 0; same && i < count; i++)
        same = strcmp(words->items[i + 1], given[i]) == 0;
    bool exec = false;
    for (size_t i = 1; i < end; i++)
        exec = exec || strcmp(words->items[i], "exec") == 0;
    if (!same && !exec)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(free) char *text = malloc(n + 1);
    CLEANUP(command_free) struct command command = { 0 };
    char *words[WORDS_MAX];
    size_t count = 0;
    struct detail detail;
    if (!text)
        return 0;
    memcpy(text, bytes, n);
    text[n] = '\0';
    for (char *word = text; word <= text + n && count < WORDS_MAX; word += strlen(word) + 1)
        words[count++] = word;
    if (kubectl_arguments("/kubectl", words, count, &command, &detail))
        return 0;
    if (command.forwards)
        check_forward(&command.arguments, words, count);
    else
        check(&command.arguments, words, count);
    return 0;
}
