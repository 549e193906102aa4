/* TLS 1.2 and 1.3 towards clients (RFC 8446), HTTP/1.1 by ALPN (RFC 7301). No I/O: bytes in, bytes out. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"

enum {
    TLS_PLAIN_MAX = 64 * 1024,   /* bytes that were decrypted and wait */
    TLS_CIPHER_MAX = 256 * 1024, /* bytes that wait to be sent */
    TLS_PART = 16 * 1024,        /* bytes given in at a time; and of one record */
    TLS_FIRST_BYTE = 0x16,       /* of every ClientHello: a record of the type handshake */
};

struct tls_server; /* a certificate and its key; shared by connections */
struct tls;        /* one connection */

/* What OpenSSL loads at the first use, while files can be read. */
MUST_USE int tls_start(void);

/* Both PEM. -EINVAL when they are not what they should be. */
MUST_USE int tls_server_new(const void *certificate, size_t certificate_n, const void *key, size_t key_n,
                            struct tls_server **ret);
void tls_server_free(struct tls_server *server); /* connections go on */
DEFINE_CLEANUP(struct tls_server *, tls_server_free)

MUST_USE int tls_new(struct tls_server *server, struct tls **ret);
void tls_free(struct tls *tls);
/* At most TLS_PART bytes that the client sent, and only when tls_plain() has room for as many. What does not
 * fit in there stays inside: no bytes at all are for when there is room again. -EPROTO when the connection is
 * broken; what tls_cipher() then holds is an alert. */
MUST_USE int tls_take(struct tls *tls, const void *bytes, size_t n, struct detail *detail);
/* What the client said; the caller consumes. */
struct buffer *tls_plain(struct tls *tls);
/* Encrypts; *ret_taken is 0 before the handshake is over, and when tls_cipher() is full. */
MUST_USE int tls_give(struct tls *tls, const void *bytes, size_t n, size_t *ret_taken, struct detail *detail);
/* What is to be sent; the caller consumes. */
struct buffer *tls_cipher(struct tls *tls);
bool tls_is_open(const struct tls *tls);    /* the handshake is over */
bool tls_peer_ended(const struct tls *tls); /* close_notify came */
/* close_notify goes out. */
void tls_close(struct tls *tls);
