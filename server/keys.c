/* See keys.h. libssh writes private keys in OpenSSH's own format, OpenSSL in PEM. */
#include "server/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

static void ssh_key_free_ptr(ssh_key *key)
{
    ssh_key_free(*key);
}

static void ssh_string_free_char_ptr(char **text)
{
    ssh_string_free_char(*text);
}

static int write_public(ssh_key key, const char *path, const char *comment, struct detail *detail)
{
    char name[4096], line[1024];
    CLEANUP(ssh_string_free_char) char *encoded = NULL;
    if (ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK)
        return detail_fail(detail, -EIO, "%s: the public key can't be encoded", path);
    (void)snprintf(name, sizeof name, "%s.pub", path);
    int n =
        snprintf(line, sizeof line, "%s %s %s\n", ssh_key_type_to_char(ssh_key_type(key)), encoded, comment);
    CLEANUP(fd_close) int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s: %s", name, strerror(errno));
    int r = fd_write_all(fd, line, (size_t)n, -1);
    return r ? detail_fail(detail, r, "%s: %s", name, strerror(-r)) : 0;
}

int keys_generate(const char *path, const char *comment, struct detail *detail)
{
    CLEANUP(ssh_key_free) ssh_key key = NULL;
    if (access(path, F_OK) == 0)
        return detail_fail(detail, -EEXIST, "%s exists already", path);
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK)
        return detail_fail(detail, -EIO, "%s: no key could be generated", path);
    mode_t before = umask(0077);
    int written = ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path);
    (void)umask(before);
    if (written != SSH_OK)
        return detail_fail(detail, -EIO, "%s: the key can't be written", path);
    return write_public(key, path, comment, detail);
}

static void pkey_free(EVP_PKEY *pkey)
{
    EVP_PKEY_free(pkey);
}
DEFINE_CLEANUP(EVP_PKEY *, pkey_free)

static void bio_free(BIO *bio)
{
    (void)BIO_free(bio);
}
DEFINE_CLEANUP(BIO *, bio_free)

int keys_generate_pem(const char *path, struct detail *detail)
{
    CLEANUP(pkey_free) EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CLEANUP(bio_free) BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;

    if (!pkey || !bio || PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
        return detail_fail(detail, -EIO, "%s: no key could be generated", path);
    long n = BIO_get_mem_data(bio, &pem);
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    int r = fd_write_all(fd, pem, (size_t)n, -1);
    return r ? detail_fail(detail, r, "%s: %s", path, strerror(-r)) : 0;
}
