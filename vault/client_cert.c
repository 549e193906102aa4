/* See client_cert.h. */
#include "vault/client_cert.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

void client_cert_free(struct client_cert *cert)
{
    if (!cert)
        return;
    X509_free(cert->leaf);
    sk_X509_pop_free(cert->chain, X509_free);
    EVP_PKEY_free(cert->key);
    free(cert);
}

/* The first stands for us, the others follow in the order in which they are sent. */
static int read_certificates(const void *pem, size_t n, struct client_cert *cert, struct detail *detail)
{
    CLEANUP(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem, (int)n);

    cert->chain = sk_X509_new_null();
    if (!bio || !cert->chain)
        return -ENOMEM;
    for (;;) {
        CLEANUP(X509_free) X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (!next)
            break;
        if (!cert->leaf) {
            cert->leaf = STEAL(next);
            continue;
        }
        if (sk_X509_num(cert->chain) == CLIENT_CERT_CHAIN_MAX)
            return detail_fail(detail, -EBADMSG, "there are more than %d certificates",
                               CLIENT_CERT_CHAIN_MAX + 1);
        if (sk_X509_push(cert->chain, next) == 0)
            return -ENOMEM;
        (void)STEAL(next);
    }
    /* "No start line" is how the end of the text is told. */
    bool bad = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!cert->leaf || bad)
        return detail_fail(detail, -EBADMSG,
                           bad ? "a certificate in it is damaged"
                               : "there is no certificate in it: PEM with certificate and key is wanted");
    return 0;
}

/* Nobody is there to type a passphrase. */
static int no_passphrase(char *bytes, int size, int writing, void *unused)
{
    (void)bytes, (void)size, (void)writing, (void)unused;
    return -1;
}

static int read_key(const void *pem, size_t n, EVP_PKEY **ret, struct detail *detail)
{
    CLEANUP(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem, (int)n);
    CLEANUP(EVP_PKEY_free)
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    CLEANUP(EVP_PKEY_free)
    EVP_PKEY *other = key ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    ERR_clear_error();
    if (other)
        return detail_fail(detail, -EBADMSG, "there are two private keys in it");
    if (!key && memmem(pem, n, "ENCRYPTED", 9))
        return detail_fail(detail, -EBADMSG,
                           "the private key has a passphrase; take it off, the vault encrypts what it keeps: "
                           "openssl pkey -in FILE");
    if (!key)
        return detail_fail(detail, -EBADMSG,
                           "there is no private key in it that can be read: PEM with certificate and key is "
                           "wanted");
    *ret = STEAL(key);
    return 0;
}

static int check_time(const X509 *leaf, struct detail *detail)
{
    CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
    char *when = NULL;
    long n;

    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0)
        return 0;
    if (!bio || ASN1_TIME_print(bio, X509_get0_notAfter(leaf)) != 1)
        return detail_fail(detail, -EKEYEXPIRED, "the client certificate has expired");
    n = BIO_get_mem_data(bio, &when);
    return detail_fail(detail, -EKEYEXPIRED, "the client certificate expired on %.*s", (int)n, when);
}

int client_cert_read(const void *pem, size_t n, struct client_cert **ret, struct detail *detail)
{
    CLEANUP(client_cert_free) struct client_cert *cert = calloc(1, sizeof(*cert));
    int r;

    if (!cert)
        return -ENOMEM;
    if (n > INT_MAX)
        return detail_fail(detail, -EBADMSG, "too long");
    r = read_certificates(pem, n, cert, detail);
    if (!r)
        r = read_key(pem, n, &cert->key, detail);
    if (!r && X509_check_private_key(cert->leaf, cert->key) != 1) {
        ERR_clear_error();
        r = detail_fail(detail, -EBADMSG,
                        "the private key is not that of the first certificate: the certificate of the client "
                        "comes first, then those that signed it");
    }
    if (!r)
        r = check_time(cert->leaf, detail);
    if (!r)
        *ret = STEAL(cert);
    return r;
}
