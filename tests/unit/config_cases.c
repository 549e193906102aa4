/* config_cases/NAME.yaml is read, and what is said about it compared with NAME.expected: a line for each
 * fault, "LINE:COL: error: …", nothing for a good file. In both, @ stands for the directory that holds the
 * file. GATEHOUSE_WRITE_EXPECTED=1 writes
 * the .expected files anew: read the diff before you believe it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buffer.h"
#include "base/io.h"
#include "config_fixture.h"
#include "policy/config_parse.h"

enum { CASES_MAX = 400, TEXT_MAX = 128 * 1024 };

static uint8_t *contents_of(const char *path, size_t *ret_n)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = NULL;

    assert_true(fd >= 0);
    assert_int_equal(fd_contents(fd, TEXT_MAX, &bytes, ret_n), 0);
    return bytes;
}

/* Appends text, with the fixture's directory as @. */
static void append_masked(struct buffer *out, const char *text)
{
    for (const char *found; (found = strstr(text, directory)); text = found + strlen(directory)) {
        assert_int_equal(buffer_append(out, text, (size_t)(found - text)), 0);
        assert_int_equal(buffer_append(out, "@", 1), 0);
    }
    assert_int_equal(buffer_append(out, text, strlen(text)), 0);
}

static void render(const struct config_faults *faults, struct buffer *out)
{
    char line[2048], more[64];

    for (size_t i = 0; i < faults->count; i++) {
        config_fault_line(&faults->items[i], "", line, sizeof line);
        append_masked(out, line + 1); /* without the colon behind the empty path */
        append_masked(out, "\n");
    }
    snprintf(more, sizeof more, "and %zu more\n", faults->unreported);
    if (faults->unreported)
        append_masked(out, more);
    assert_int_equal(buffer_append(out, "", 1), 0); /* the NUL of a string */
}

static void check_case(const char *yaml, const char *expected_path)
{
    CLEANUP(free) uint8_t *bytes = NULL, *expected = NULL;
    struct config_faults faults = { 0 };
    struct buffer said;
    Ipc__Config *config = NULL;
    char path[512];
    size_t n = 0, expected_n = 0;

    snprintf(path, sizeof path, "%s/gatehouse.yaml", directory);
    bytes = contents_of(yaml, &n);
    int r = config_parse(path, bytes, n, true, &config, &faults);
    assert_int_equal(r, faults.count ? 1 : 0);
    assert_int_equal(config != NULL, r == 0);

    buffer_init(&said, TEXT_MAX);
    render(&faults, &said);
    if (getenv("GATEHOUSE_WRITE_EXPECTED")) {
        CLEANUP(fd_close) int fd = open(expected_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_int_equal(fd_write_all(fd, buffer_head(&said), buffer_size(&said) - 1, 1000), 0);
    }
    expected = contents_of(expected_path, &expected_n);
    assert_string_equal((const char *)buffer_head(&said), (const char *)expected);

    buffer_free(&said);
    config_faults_free(&faults);
    if (config)
        ipc__config__free_unpacked(config, NULL);
}

static void the_file_gets_exactly_these_faults(void **state)
{
    const char *yaml = *state;
    char expected[512];

    snprintf(expected, sizeof expected, "%.*s.expected", (int)(strlen(yaml) - strlen(".yaml")), yaml);
    check_case(yaml, expected);
}

int main(void)
{
    static struct CMUnitTest tests[CASES_MAX];
    glob_t found;

    if (glob("config_cases/*.yaml", 0, NULL, &found) || found.gl_pathc > CASES_MAX) {
        fprintf(stderr, "config_cases: run it in tests/unit; at most %d cases\n", CASES_MAX);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i] = (struct CMUnitTest){ .name = found.gl_pathv[i],
                                        .test_func = the_file_gets_exactly_these_faults,
                                        .initial_state = found.gl_pathv[i] };
    int failed = _cmocka_run_group_tests("config_cases", tests, found.gl_pathc, make_fixture, remove_fixture);
    globfree(&found);
    return failed;
}
