/* psql's command line: what passes, in which spelling, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "server/launcher_psql.h"

enum { WORDS_MAX = 8 };

struct pass {
    const char *words[WORDS_MAX];
    const char *becomes; /* joined by | after program and -X */
};

/* clang-format off */
static const struct pass passes[] = {
    { { NULL }, "" },
    { { "-c", "select 1" }, "-c|select 1" },
    { { "-cselect 1" }, "-c|select 1" },
    { { "--command=select 1" }, "-c|select 1" },
    { { "--command", "select 1" }, "-c|select 1" },
    { { "--comm=select 1" }, "-c|select 1" },
    { { "-c", "-h" }, "-c|-h" },
    { { "-c", "--" }, "-c|--" },
    { { "-Atqc", "select 1" }, "-A|-t|-q|-c|select 1" },
    { { "-AtcX" }, "-A|-t|-c|X" },
    { { "-F", "," , "-R;", "-P", "border=2" }, "-F|,|-R|;|-P|border=2" },
    { { "--csv", "-x", "-H" }, "--csv|-x|-H" },
    { { "-v", "a=b", "--set=c=d", "--variable", "e=f" }, "-v|a=b|-v|c=d|-v|e=f" },
    { { "-f", "-" }, "-f|-" },
    { { "--file=-" }, "-f|-" },
    { { "-01bseESlnwz" }, "-0|-1|-b|-s|-e|-E|-S|-l|-n|-w|-z" },
    { { "-X", "--no-psqlrc" }, "-X|-X" },
    { { "--help" }, "--help" },
    { { "--help=commands" }, "--help=commands" },
    { { "-?" }, "--help" },
    { { "-V" }, "-V" },
    { { "-c", "" }, "-c|" },
    { { "-A", "--" }, "-A" },
};

static const struct {
    const char *words[WORDS_MAX];
    int fault;
    const char *says;
} refusals[] = {
    { { "-h", "x" }, COMMAND_REFUSED, "-h, --host" },
    { { "-hx" }, COMMAND_REFUSED, "-h, --host" },
    { { "-Ahx" }, COMMAND_REFUSED, "-h, --host" },
    { { "--host=x" }, COMMAND_REFUSED, "the target decides" },
    { { "--ho", "x" }, COMMAND_REFUSED, "--host" },
    { { "-p", "1" }, COMMAND_REFUSED, "--port" },
    { { "-U", "x" }, COMMAND_REFUSED, "--username" },
    { { "-d", "host=x" }, COMMAND_REFUSED, "--dbname" },
    { { "-W" }, COMMAND_REFUSED, "Gatehouse logs in" },
    { { "-o", "x" }, COMMAND_REFUSED, "redirect" },
    { { "-o", "|cat" }, COMMAND_REFUSED, "redirect" },
    { { "-L", "x" }, COMMAND_REFUSED, "redirect" },
    { { "-f", "/etc/passwd" }, COMMAND_REFUSED, "standard input" },
    { { "-f" , "" }, COMMAND_REFUSED, "standard input" },
    { { "-f--" }, COMMAND_REFUSED, "standard input" },
    { { "orders" }, COMMAND_REFUSED, "orders" },
    { { "-A", "orders", "-t" }, COMMAND_REFUSED, "orders" },
    { { "-c", "select 1", "host=evil" }, COMMAND_REFUSED, "host=evil" },
    { { "--", "-c" }, COMMAND_REFUSED, "-c" },
    { { "-" }, COMMAND_REFUSED, "\"-\"" },
    { { "" }, COMMAND_REFUSED, "one word too many" },
    { { "a\033[31mb" }, COMMAND_REFUSED, "a\\x1b[31mb" },
    { { "-k" }, COMMAND_USAGE, "-k" },
    { { "-c" }, COMMAND_USAGE, "requires an argument" },
    { { "--command" }, COMMAND_USAGE, "requires an argument" },
    { { "--csv=1" }, COMMAND_USAGE, "takes no argument" },
    { { "--e" }, COMMAND_USAGE, "ambiguous" },
    { { "--nonsense" }, COMMAND_USAGE, "--nonsense" },
};
/* clang-format on */

static int parse(const char *const words[WORDS_MAX], struct command *command, struct detail *detail)
{
    size_t n = 0;
    while (n < WORDS_MAX && words[n])
        n++;
    return psql_arguments("/psql", (char *const *)(uintptr_t)words, n, command, detail);
}

static void join(const struct words *words, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 2; i < words->count; i++) {
        size_t n = strlen(out);
        (void)snprintf(out + n, size - n, "%s%s", i > 2 ? "|" : "", words->items[i]);
    }
}

static void what_passes_is_written_in_one_spelling(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        CLEANUP(command_free) struct command command = { 0 };
        struct detail detail = { "" };
        char joined[256];
        if (parse(passes[i].words, &command, &detail))
            fail_msg("case %zu: %s", i, detail.text);
        join(&command.arguments, joined, sizeof joined);
        assert_string_equal(command.arguments.items[0], "/psql");
        assert_string_equal(command.arguments.items[1], "-X");
        assert_string_equal(joined, passes[i].becomes);
    }
}

static void what_is_refused_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        CLEANUP(command_free) struct command command = { 0 };
        struct detail detail = { "" };
        assert_int_equal(parse(refusals[i].words, &command, &detail), refusals[i].fault);
        if (!strstr(detail.text, refusals[i].says))
            fail_msg("case %zu: '%s' does not say '%s'", i, detail.text, refusals[i].says);
    }
}

static void a_command_line_beyond_the_bounds_is_refused(void **state)
{
    (void)state;
    CLEANUP(command_free) struct command command = { 0 };
    struct detail detail = { "" };
    CLEANUP(free) char *long_word = malloc(COMMAND_BYTES_MAX + 1);
    memset(long_word, 'x', COMMAND_BYTES_MAX);
    long_word[COMMAND_BYTES_MAX] = '\0';
    const char *words[WORDS_MAX] = { "-c", long_word };
    assert_int_equal(parse(words, &command, &detail), COMMAND_USAGE);
    assert_non_null(strstr(detail.text, "more arguments"));

    CLEANUP(command_free) struct command many = { 0 };
    static char *switches[COMMAND_WORDS_MAX];
    for (size_t i = 0; i < COMMAND_WORDS_MAX; i++)
        switches[i] = (char *)(uintptr_t) "-A";
    assert_int_equal(psql_arguments("/psql", switches, COMMAND_WORDS_MAX, &many, &detail), COMMAND_USAGE);
    CLEANUP(command_free) struct command just = { 0 };
    assert_int_equal(psql_arguments("/psql", switches, COMMAND_WORDS_MAX - 2, &just, &detail), 0);
}

static const char *value_of(const struct command *command, const char *name)
{
    size_t n = strlen(name);
    const char *found = NULL;
    for (size_t i = 0; i < command->environment.count; i++) {
        const char *word = command->environment.items[i];
        if (strncmp(word, name, n) != 0 || word[n] != '=')
            continue;
        assert_null(found); /* no name comes twice */
        found = word + n + 1;
    }
    return found;
}

static void only_harmless_variables_are_passed_on(void **state)
{
    (void)state;
    static const char *const given[][2] = {
        { "PGAPPNAME", "nightly" }, { "PGOPTIONS", "-c x=y" }, { "PGHOST", "evil" },
        { "LD_PRELOAD", "/x.so" },  { "PAGER", "id" },         { "PSQL_EDITOR", "sh" },
        { "PGPASSFILE", "/etc/x" }, { "TERMINFO", "/tmp" },    { "PGTZ", "\xff" },
    };
    enum { N = sizeof given / sizeof given[0] };
    Ipc__Variable variables[N], *list[N];
    for (size_t i = 0; i < N; i++) {
        variables[i] = (Ipc__Variable)IPC__VARIABLE__INIT;
        variables[i].name = (char *)(uintptr_t)given[i][0];
        variables[i].value = (char *)(uintptr_t)given[i][1];
        list[i] = &variables[i];
    }
    CLEANUP(command_free) struct command command = { 0 };
    assert_int_equal(psql_environment("orders", "ann", "xterm-256color", list, N, &command), 0);
    assert_string_equal(value_of(&command, "PGAPPNAME"), "nightly");
    assert_string_equal(value_of(&command, "PGOPTIONS"), "-c x=y");
    assert_string_equal(value_of(&command, "PGHOST"), "/gatehouse");
    assert_string_equal(value_of(&command, "PAGER"), "");
    assert_string_equal(value_of(&command, "PGDATABASE"), "orders");
    assert_string_equal(value_of(&command, "PGUSER"), "ann");
    assert_string_equal(value_of(&command, "TERM"), "xterm-256color");
    assert_null(value_of(&command, "LD_PRELOAD"));
    assert_null(value_of(&command, "PSQL_EDITOR"));
    assert_null(value_of(&command, "TERMINFO"));
    assert_null(value_of(&command, "PGTZ"));
}

static void a_terminal_type_that_is_no_plain_name_becomes_dumb(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "../x", "/etc/passwd", ".hidden", "a b", "x=y", NULL };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CLEANUP(command_free) struct command command = { 0 };
        assert_int_equal(psql_environment("orders", "ann", bad[i], NULL, 0, &command), 0);
        assert_string_equal(value_of(&command, "TERM"), "dumb");
    }
}

static void the_real_psql_is_found(void **state)
{
    (void)state;
    char path[PSQL_PATH_MAX];
    assert_int_equal(psql_find(path), 0);
    assert_string_equal(strrchr(path, '/'), "/psql");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_written_in_one_spelling),
        cmocka_unit_test(what_is_refused_says_why),
        cmocka_unit_test(a_command_line_beyond_the_bounds_is_refused),
        cmocka_unit_test(only_harmless_variables_are_passed_on),
        cmocka_unit_test(a_terminal_type_that_is_no_plain_name_becomes_dumb),
        cmocka_unit_test(the_real_psql_is_found),
    };
    return cmocka_run_group_tests_name("launcher_words", tests, NULL, NULL);
}
