/* For tests of what speaks TLS: certificates, made by openssl, and a server in Python. */
#pragma once
#include <sys/types.h>
#include "keygen.h"

enum { TLS_PORTS_MAX = 16 };

/* DIRECTORY/NAME.key and NAME.pem: the root of a CA. */
void tls_make_ca(const char *directory, const char *name);
/* The same of a certificate that the CA "ca" signs, for CN=subject. extensions: lines of openssl.cnf; days:
 * negative for one that has expired. */
void tls_make_certificate(const char *directory, const char *name, const char *subject,
                          const char *extensions, const char *days);

struct tls_server {
    pid_t pid;
    int input;
    struct {
        char name[16];
        unsigned number;
    } ports[TLS_PORTS_MAX];
};

/* Runs the script in the directory and waits until it has said its ports ("NAME PORT", "ready 0"). */
void tls_server_start(struct tls_server *server, const char *directory, const char *script);
unsigned tls_server_port(const struct tls_server *server, const char *name);
void tls_server_stop(struct tls_server *server);
