/* See keygen.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/text.h"
#include "keygen.h"

extern char **environ;

enum { ARGUMENTS_MAX = 40 };

void keygen_directory(char out[KEYGEN_PATH])
{
    snprintf(out, KEYGEN_PATH, "/tmp/gatehouse-test-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

void keygen_remove(const char *directory)
{
    assert_int_equal(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void keygen_run(const char *directory, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addchdir_np(&actions, directory), 0);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "output", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char *output = keygen_read(directory, "output", NULL);
        fail_msg("%s: status %#x: %s", argv[0], (unsigned)status, output);
    }
}

void keygen_key(const char *directory, const char *name, const char *type, const char *bits)
{
    const char *argv[] = { "ssh-keygen",       "-q", "-N", "", "-t", type, "-f", name,
                           bits ? "-b" : NULL, bits, NULL };

    keygen_run(directory, argv);
}

uint8_t *keygen_certify(const char *directory, const char *key, const char *ca, const char *const *options,
                        size_t *ret_n)
{
    const char *argv[ARGUMENTS_MAX] = { "ssh-keygen", "-q", "-s", ca };
    char file[KEYGEN_PATH], certificate[KEYGEN_PATH];
    size_t n = 4;

    for (; options && *options; options++) {
        assert_in_range(n, 0, ARGUMENTS_MAX - 3);
        argv[n++] = *options;
    }
    snprintf(file, sizeof(file), "%s.pub", key);
    snprintf(certificate, sizeof(certificate), "%s-cert.pub", key);
    argv[n] = file;
    keygen_run(directory, argv);
    return keygen_blob(directory, certificate, ret_n);
}

char *keygen_read(const char *directory, const char *name, size_t *ret_n)
{
    char path[2 * KEYGEN_PATH];
    struct stat status;
    char *content;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    content = calloc(1, (size_t)status.st_size + 1);
    assert_non_null(content);
    assert_int_equal(read(fd, content, (size_t)status.st_size), status.st_size);
    close(fd);
    if (ret_n)
        *ret_n = (size_t)status.st_size;
    return content;
}

uint8_t *keygen_blob(const char *directory, const char *name, size_t *ret_n)
{
    char *line = keygen_read(directory, name, NULL);
    char *start = strchr(line, ' ') + 1;
    size_t length = strcspn(start, " \n");
    uint8_t *blob = malloc(length);

    assert_non_null(blob);
    assert_true(text_from_base64(start, length, blob, length, ret_n));
    free(line);
    return blob;
}
