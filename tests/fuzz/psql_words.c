/* Whatever words a user gives psql. What passes is read again by getopt_long with psql 15's own options, as
 * psql does: it must not find anything there that was to be refused. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/launcher_psql.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { WORDS_MAX = 32, CSV = 2, HELP = 1 };

static const struct option long_options[] = {
    { "echo-all", no_argument, NULL, 'a' },
    { "no-align", no_argument, NULL, 'A' },
    { "command", required_argument, NULL, 'c' },
    { "dbname", required_argument, NULL, 'd' },
    { "echo-queries", no_argument, NULL, 'e' },
    { "echo-errors", no_argument, NULL, 'b' },
    { "echo-hidden", no_argument, NULL, 'E' },
    { "file", required_argument, NULL, 'f' },
    { "field-separator", required_argument, NULL, 'F' },
    { "field-separator-zero", no_argument, NULL, 'z' },
    { "host", required_argument, NULL, 'h' },
    { "html", no_argument, NULL, 'H' },
    { "list", no_argument, NULL, 'l' },
    { "log-file", required_argument, NULL, 'L' },
    { "no-readline", no_argument, NULL, 'n' },
    { "single-transaction", no_argument, NULL, '1' },
    { "output", required_argument, NULL, 'o' },
    { "port", required_argument, NULL, 'p' },
    { "pset", required_argument, NULL, 'P' },
    { "quiet", no_argument, NULL, 'q' },
    { "record-separator", required_argument, NULL, 'R' },
    { "record-separator-zero", no_argument, NULL, '0' },
    { "single-step", no_argument, NULL, 's' },
    { "single-line", no_argument, NULL, 'S' },
    { "tuples-only", no_argument, NULL, 't' },
    { "table-attr", required_argument, NULL, 'T' },
    { "username", required_argument, NULL, 'U' },
    { "set", required_argument, NULL, 'v' },
    { "variable", required_argument, NULL, 'v' },
    { "version", no_argument, NULL, 'V' },
    { "no-password", no_argument, NULL, 'w' },
    { "password", no_argument, NULL, 'W' },
    { "expanded", no_argument, NULL, 'x' },
    { "no-psqlrc", no_argument, NULL, 'X' },
    { "help", optional_argument, NULL, HELP },
    { "csv", no_argument, NULL, CSV },
    { NULL, 0, NULL, 0 },
};

static void read_as_psql(const struct words *words)
{
    static const char letters[] = "aAbc:d:eEf:F:h:HlL:no:p:P:qR:sStT:U:v:VwWxXz?01";
    int option;
    opterr = 0;
    optind = 0; /* starts anew, glibc's way */
    while ((option = getopt_long((int)words->count, words->items, letters, long_options, NULL)) != -1) {
        if (strchr("dhLopUW?", option))
            abort();
        if (option == 'f' && strcmp(optarg, "-") != 0)
            abort();
    }
    if (optind != (int)words->count)
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
    if (psql_arguments("/psql", words, count, &command, &detail) == 0)
        read_as_psql(&command.arguments);
    return 0;
}
