/* A TLS connection to an API server, and what each request on it has to say. */
#pragma once
#include "base/buffer.h"
#include "vault/connector_tls.h"

enum {
    KUBE_LINES_MAX = 60 * 1024, /* of all lines that are added */
};

/* Embedded. */
struct kube_login {
    SSL *tls;
    int fd;
    struct buffer lines; /* whole header lines with CRLF; holds the token */
};

/* Wipes the secret, also on failure. Negative with detail for the log: never a secret. */
MUST_USE int kube_login(const struct job *job, char *secret, size_t secret_n, struct kube_login *ret,
                        struct detail *detail);
void kube_login_free(struct kube_login *login); /* wipes the lines */
