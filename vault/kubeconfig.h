/* A kubeconfig (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"): the credential of its
 * current context, and what the configuration has to say of its cluster. No I/O: nothing that it names is
 * opened or run. For the `gatehouse` command alone, which reads YAML. */
#pragma once
#include "base/secret.h"
#include "vault/sealed.h"

enum {
    KUBECONFIG_MAX = 512 * 1024, /* bytes */
    KUBECONFIG_NAME_MAX = 253,   /* of a context, a cluster, a user; and of a server's name */
    KUBECONFIG_NOTES_MAX = 8,
};

struct kubeconfig {
    enum sealed_type type; /* SEALED_TOKEN or SEALED_CLIENT_CERT */
    struct secret *secret;
    char *context, *server, *tls_server_name;  /* printable; the last is empty when there is none */
    char *ca;                                  /* PEM, written anew from what was read; or NULL */
    struct detail notes[KUBECONFIG_NOTES_MAX]; /* what could not be taken over, in words for the operator */
    size_t n_notes;
};

/* -EBADMSG with the reason, which holds no secret: no kubeconfig, or one whose credential can't be kept. */
MUST_USE int kubeconfig_read(const uint8_t *bytes, size_t n, struct kubeconfig **ret, struct detail *detail);
void kubeconfig_free(struct kubeconfig *config);
DEFINE_CLEANUP(struct kubeconfig *, kubeconfig_free)
