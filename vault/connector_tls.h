/* TLS towards a target, by OpenSSL: 1.2 or newer, with whom the target's configuration trusts and nobody
 * else. */
#pragma once
#include <openssl/ssl.h>
#include "vault/client_cert.h"
#include "vault/connector.h"

struct tls_terms {
    const ProtobufCBinaryData *ca; /* PEM; NULL: the server's certificate is not looked at */
    const char *name;              /* host name or address that the certificate must be for; NULL: any */
    const struct client_cert *own; /* shown to a server that asks; NULL: none */
    bool http;                     /* speaks HTTP/1.1 (ALPN), and reads certificates as Go does */
};

DEFINE_CLEANUP(SSL *, SSL_free)

/* The handshake on a non-blocking connection, within the job's deadline. *ret is freed with SSL_free, which
 * leaves fd open. */
MUST_USE int tls_open(const struct job *job, int fd, const struct tls_terms *terms, SSL **ret,
                      struct detail *detail);
/* The error that OpenSSL reported last, in words: detail's text, and code. */
int tls_failed(const SSL *tls, int code, struct detail *detail);
/* One SSL_read or SSL_write, repeated until something was read or written: waits within the job's deadline.
 * *ret_n is 0 when the server has ended. */
MUST_USE int tls_read(const struct job *job, SSL *tls, void *bytes, size_t size, size_t *ret_n,
                      struct detail *detail);
MUST_USE int tls_write_all(const struct job *job, SSL *tls, const void *bytes, size_t n,
                           struct detail *detail);
