/* For shell_bash.py: command lines on stdin, each ended by a NUL; for each the effects on stdout, one a line,
 * and a NUL. A command is "run", a tab and its words, each ended by a \x1f, holes as \x01; line ends are
 * shown as \x02. With --described: as effect_describe() has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/shell.h"

static void put(const char *text)
{
    for (; *text; text++)
        putchar(*text == '\n' ? '\x02' : *text);
    putchar('\n');
}

static void show(const struct effect *e, bool described)
{
    char text[4096];
    if (described) {
        put(effect_describe(e, text, sizeof text));
        return;
    }
    printf("%s\t", effect_kind_name(e->kind));
    put(e->exact ? e->exact : e->object ? e->object : e->why);
}

static void show_all(const char *line, size_t n, bool described)
{
    struct effects effects = { 0 };
    if (shell_effects(line, n, &effects) != 0)
        abort();
    for (size_t i = 0; i < effects.count; i++)
        show(&effects.items[i], described);
    putchar('\0');
    fflush(stdout);
    effects_free(&effects);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    bool described = argc > 1 && strcmp(argv[1], "--described") == 0;
    while ((n = getdelim(&line, &size, '\0', stdin)) > 0)
        show_all(line, (size_t)n - (line[n - 1] == '\0'), described);
    free(line);
    return 0;
}
