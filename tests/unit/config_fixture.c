#include "config_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP9f04497YQ6A2aTk8ceZ+g7aJgKmIJcElzyV0LTw07u"
#define ECDSA                                                                                                \
    "ecdsa-sha2-nistp256 "                                                                                   \
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFyQaGvaXuxzBSCjtMGN3H7BP0LH2I5a7boH1"              \
    "JcuZzEgH+JBIr6DLVKrN5PEVPUW4Zkt0rlFt1/aqOqK1zkLcN0="
#define PRIVATE "-----BEGIN OPENSSH PRIVATE KEY-----\n(only its first line is looked at)\n"

static const struct {
    const char *name, *content;
    unsigned mode;
} FILES[] = {
    { "state/host_ed25519", PRIVATE, 0600 },
    { "state/host_rsa", PRIVATE, 0640 },
    { "state/host_1", PRIVATE, 0600 },
    { "state/host_2", PRIVATE, 0600 },
    { "state/host_3", PRIVATE, 0600 },
    { "state/host_open", PRIVATE, 0644 },
    { "state/user_ca.pub", ED25519 " user-ca\n", 0644 },
    { "state/corp_ca.pub", "# ours since 2024\n\n" ECDSA "\n", 0644 },
    { "state/other_ca.pub", ED25519, 0644 },
    { "state/two.pub", ED25519 "\n" ECDSA "\n", 0644 },
    { "state/garbage.pub", "ssh-ed25519 AAAA!\n", 0644 },
    { "state/empty.pub", "", 0644 },
    { "state/ca.crt", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", 0644 },
};

void fixture_write(const char *directory, const char *name, unsigned mode, const void *bytes, unsigned long n)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void make_directory(const char *parent, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", parent, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

char *fixture_new(void)
{
    char *directory = strdup("/tmp/gatehouse-config-XXXXXX");
    char fifo[512];

    assert_non_null(directory);
    assert_non_null(mkdtemp(directory));
    make_directory(directory, "state");
    make_directory(directory, "state/more");
    make_directory(directory, "state/directory");
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
        fixture_write(directory, FILES[i].name, FILES[i].mode, FILES[i].content, strlen(FILES[i].content));
    fixture_write(directory, "state/binary.pub", 0644, "ssh-ed25519\0AAAA", 16);
    snprintf(fifo, sizeof fifo, "%s/state/fifo", directory);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    return directory;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

void fixture_free(char *directory)
{
    if (directory)
        nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(directory);
}
