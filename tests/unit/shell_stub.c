/* For shell_bash.py: a program under many names, which writes its arguments to the descriptor that
 * SHELL_STUB_LOG names, prints a word and leaves with SHELL_STUB_STATUS. The log is one record for each call:
 * the words, each ended by a \x1f, and a NUL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *log = getenv("SHELL_STUB_LOG"), *status = getenv("SHELL_STUB_STATUS");
    char record[65536];
    size_t n = 0;
    for (int i = 0; i < argc; i++)
        n += (size_t)snprintf(record + n, sizeof record - n, "%s\x1f", argv[i]);
    record[n++] = '\0';
    if (!log || write(atoi(log), record, n) != (ssize_t)n)
        return 125;
    puts("word");
    return status ? atoi(status) : 0;
}
