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
#define USER_CA_PUB                                                                                          \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM6IXwGJtbhhTT7FmZ3S/kqkOJ9zb1FvhqHShLiqEBnP user-ca\n"
#define PRIVATE "-----BEGIN OPENSSH PRIVATE KEY-----\n(only its first line is looked at)\n"
/* Made for these tests: what they open is nowhere else. */
#define PEM_ED25519                                                                                          \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MC4CAQAwBQYDK2VwBCIEILzPccS+IEHz0xZsmEZahagAlogvckngyJ2Qqm6eU4Ed\n"                                     \
    "-----END PRIVATE KEY-----\n"
#define PEM_P256                                                                                             \
    "-----BEGIN EC PRIVATE KEY-----\n"                                                                       \
    "MHcCAQEEICjiBZ0AaWrqfhrB0/5GAvjGl+ypTCVlx8IARC5Hm9tWoAoGCCqGSM49\n"                                     \
    "AwEHoUQDQgAEt910Ire8v49AxHqzjUlWnJvBvflAXup84PaAABNpOqx4f0PjF/WA\n"                                     \
    "o2I4i/ebdGNKdf2D/BC3Ci2yjIcnxd9PxQ==\n"                                                                 \
    "-----END EC PRIVATE KEY-----\n"
#define PEM_SECP256K1                                                                                        \
    "-----BEGIN EC PRIVATE KEY-----\n"                                                                       \
    "MHQCAQEEICigJ87BACE1Cu/jpEy+Kew/3gRow4VXMSxtrYtUQ9hcoAcGBSuBBAAK\n"                                     \
    "oUQDQgAEMnEBiWPZWC5hbEUFWTy7wfhVzI8gLXMCaGLmOZlKKCFLFldu7XA53IBF\n"                                     \
    "MYOiJZp33gv5kJ3Dz533qaUkfTDgCQ==\n"                                                                     \
    "-----END EC PRIVATE KEY-----\n"
#define PEM_RSA_1024                                                                                         \
    "-----BEGIN RSA PRIVATE KEY-----\n"                                                                      \
    "MIICXQIBAAKBgQDZf2oDT+Uy3uNmGhUEFXlIGoPqdlunt8+pwDqiirXWcSnGs1EI\n"                                     \
    "CiURaYx881wyjLnVfnUMQ8LW7u5tO/Gi+l8fgz28uJSo1FGh0rKJ9YlxAuFfEsKL\n"                                     \
    "VlZrXrS7ZB/vXM3i/sssU65/fou/6/Eip+UygtKCeHh9QBZPWSJKC5wiXwIDAQAB\n"                                     \
    "AoGBALDUkbmdpIgGhTWG8R0/5DpGLIhcsEoc/L5TpphuVEbD/KYrNi9mKBsPCISy\n"                                     \
    "S3xhw9kbFkjhcrDS05CGEwBhtSFnBvF58Gx2I9mg0M1MaURKaIeSTRRMh3cokuY7\n"                                     \
    "k70eJimtVjlOzBmMTcZ6EjGxFMCZuFGQPIPCNQFtpLnmUi/pAkEA8RxIKZQLqtzv\n"                                     \
    "E4OAsgtRRSw84x47RbuGtoPqN1ifd8/eUe8RleK1BQQf3docFOQT39dTRCVbN7aA\n"                                     \
    "ZI+TGslpuwJBAObt1niEhT4EjA64gf2vVCLUVs5hapU9eunvh3nS/4jOanALYf4W\n"                                     \
    "n+tFUaLb75QS2tBGH8iyr3+ufAL2QdR4na0CQQCULdJ3oyGsh41yy63LPkNbJL3i\n"                                     \
    "wxCgYYiAIQBPtWqEAr9aUXfYSvT/OTKwcLwzZpyEQ9xLlD3ENqgfpVE99CzDAkAM\n"                                     \
    "0MQnOgt+7perNXgZUQKVUD1lBKj6kUfh9aYKD7iYqgPkJe2RQUYss1Mde6EnEYjN\n"                                     \
    "KCcZZzkwF8nQDESI+wydAkAec+XzyILGnEg4SSeLzwDJgEU3BB4Uv42mRb1lMyn+\n"                                     \
    "HcdPji5iWjTIYVMNckVd1hNE922ueRQtKxCKEssWZyAU\n"                                                         \
    "-----END RSA PRIVATE KEY-----\n"
#define USER_CA                                                                                              \
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"                                                                  \
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"                               \
    "QyNTUxOQAAACDOiF8BibW4YU0+xZmd0v5KpDifc29Rb4ah0oS4qhAZzwAAAJB950r4fedK\n"                               \
    "+AAAAAtzc2gtZWQyNTUxOQAAACDOiF8BibW4YU0+xZmd0v5KpDifc29Rb4ah0oS4qhAZzw\n"                               \
    "AAAEBTaFK/Rv6gEmwzAFoyouwM1yEk68sxwz1cw7RS5qGsE86IXwGJtbhhTT7FmZ3S/kqk\n"                               \
    "OJ9zb1FvhqHShLiqEBnPAAAAB3VzZXItY2EBAgMEBQY=\n"                                                         \
    "-----END OPENSSH PRIVATE KEY-----\n"
#define USER_CA_ENCRYPTED                                                                                    \
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"                                                                  \
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDL8waG5l\n"                               \
    "PRh4UBklTd5oJIAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIHuZcJpclSlfnT3Y\n"                               \
    "46vKaYU7FTLhj/EoipD2iECVsLs/AAAAkJedtagtAoJM5Q0KawmCspXzKWmGnnqV425UEj\n"                               \
    "WL/0Tt8bJQeCDYz5VwGP8I3tDYRAa0//I2BLXYumT1JWxCTlr84IZ5ZXjQvlblumN0qWpt\n"                               \
    "MzcNw4oRQPP/rYctCXmC1IuQ5BdPvUXDslw93HjmmImX9PsZ0nlyVYD0/U7cfCW3n83Rbt\n"                               \
    "PzIYOZ9zUQwGHgYA==\n"                                                                                   \
    "-----END OPENSSH PRIVATE KEY-----\n"
#define JWK_P256                                                                                             \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\",\"alg\":\"ES256\",\"use\":\"sig\","                    \
    "\"x\":\"t910Ire8v49AxHqzjUlWnJvBvflAXup84PaAABNpOqw\","                                                 \
    "\"y\":\"eH9D4xf1gKNiOIv3m3RjSnX9g_wQtwotsoyHJ8XfT8U\""

static const struct {
    const char *name, *content;
    unsigned mode;
} FILES[] = {
    { "state/host_ed25519", PRIVATE, 0600 },
    { "state/host_rsa", PRIVATE, 0600 },
    { "state/host_1", PRIVATE, 0600 },
    { "state/host_2", PRIVATE, 0600 },
    { "state/host_3", PRIVATE, 0600 },
    { "state/host_open", PRIVATE, 0644 },
    { "state/host_group", PRIVATE, 0640 },
    { "state/user_ca", USER_CA, 0600 },
    { "state/encrypted_ca", USER_CA_ENCRYPTED, 0600 },
    { "state/encrypted_ca.pub", USER_CA_PUB, 0644 },
    { "state/swapped_ca", USER_CA, 0600 },
    { "state/swapped_ca.pub", ED25519, 0644 },
    { "state/broken_ca", PRIVATE, 0600 },
    { "state/broken_ca.pub", ED25519, 0644 },
    { "state/open_ca", USER_CA, 0644 },
    { "state/open_ca.pub", USER_CA_PUB, 0644 },
    { "state/local_issuer", PEM_ED25519, 0600 },
    { "state/ec.pem", PEM_P256, 0600 },
    { "state/k1.pem", PEM_SECP256K1, 0600 },
    { "state/weak.pem", PEM_RSA_1024, 0600 },
    { "state/open.pem", PEM_ED25519, 0644 },
    { "state/keys.json", "{\"keys\":[" JWK_P256 "}]}\n", 0644 },
    { "state/private.json",
      "{\"keys\":[" JWK_P256 ",\"d\":\"KOIFnQBpaup-GsHT_kYC-MaX7KlMJWXHwgBELkeb21Y\"}]}", 0600 },
    { "state/symmetric.json", "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"c2VjcmV0\"}]}", 0600 },
    { "state/no_keys.json", "{\"keys\":[]}", 0644 },
    { "state/single.json", JWK_P256 "}", 0644 },
    { "state/not.json", "{\"keys\":[", 0644 },
    { "state/revoked", "# who left\nserial:7\nid:corp/eve\n", 0644 },
    { "state/revoked_garbled", "serial:7\nserial:seven\n", 0644 },
    { "state/user_ca.pub", USER_CA_PUB, 0644 },
    { "state/corp_ca.pub", "# ours since 2024\n\n" ECDSA "\n", 0644 },
    { "state/other_ca.pub", ED25519, 0644 },
    { "state/two.pub", ED25519 "\n" ECDSA "\n", 0644 },
    { "state/garbage.pub", "ssh-ed25519 AAAA!\n", 0644 },
    { "state/empty.pub", "", 0644 },
    { "state/ca.crt", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", 0644 },
};

char *directory;

void fixture_write(const char *place, const char *name, unsigned mode, const void *bytes, unsigned long n)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", place, name);
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

int make_fixture(void **state)
{
    char fifo[512];

    (void)state;
    directory = strdup("/tmp/gatehouse-config-XXXXXX");
    assert_non_null(directory);
    assert_non_null(mkdtemp(directory));
    make_directory(directory, "state");
    make_directory(directory, "state/more");
    make_directory(directory, "state/directory");
    make_directory(directory, "state/notify");
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
        fixture_write(directory, FILES[i].name, FILES[i].mode, FILES[i].content, strlen(FILES[i].content));
    fixture_write(directory, "state/binary.pub", 0644, "ssh-ed25519\0AAAA", 16);
    snprintf(fifo, sizeof fifo, "%s/state/fifo", directory);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

int remove_fixture(void **state)
{
    (void)state;
    (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(directory);
    directory = NULL;
    return 0;
}
