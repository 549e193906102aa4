/* Logins at SSH targets: what a gate may ask for, and the certificates that the target CA signs. */
#pragma once
#include "vault/vault.h"

enum {
    HOST_LOGIN_MAX = 64,            /* bytes of a user name, as policy/config_ssh.c has it */
    HOST_CERTIFICATE_BEFORE_S = 60, /* how far a target's clock may be behind ours */
    HOST_CERTIFICATE_AFTER_S = 60,  /* and how long the login may take */
    HOST_COMMAND_MAX = 8 * 1024,    /* bytes of a force-command */
    HOST_PASSWORD_MAX = 512,        /* bytes of a password for a host, as channels/ssh/upstream.h has it */
};

/* One login that was asked for and granted. */
struct host_login {
    char *login;
    char *command; /* force-command, or NULL */
    uint8_t *key;  /* to be certified, wire form; NULL when the target has a credential */
    size_t key_n;
    bool by_password;     /* which the connector asks for, once */
    bool pty, forwarding; /* what its channels may need */
};

bool target_is_host(const Ipc__Target *target);

/* 0 when this may be asked for, with *ret. -EACCES: another login than the target's, with words for the
 * person in detail; -EPROTO: no sane gate says that. */
MUST_USE int host_login_new(const Ipc__Target *target, const Ipc__AskLogin *asked,
                            const Ipc__Identity *identity, struct host_login **ret, struct detail *detail);
void host_login_free(struct host_login *login);
DEFINE_CLEANUP(struct host_login *, host_login_free)

/* Has the target's CA sign: for the identity's name, from that address. *ret is malloc'ed. 0, a store_fault
 * or negative, with the reason for the log. */
MUST_USE int host_certify(struct vault *vault, const Ipc__Target *target, const struct host_login *login,
                          const char *name, const char *source_address, uint8_t **ret, size_t *ret_n,
                          uint64_t *ret_serial, struct detail *detail);

/* The password of a target with password_to_gate, for one login. 0, a store_fault or negative, with the
 * reason for the log; STORE_WRONG_TYPE also beyond HOST_PASSWORD_MAX. */
MUST_USE int host_password(struct vault *vault, const Ipc__Target *target, struct secret **ret,
                           struct detail *detail);
/* Whether the target would do with password_to_gate. */
bool host_has_password(struct vault *vault, const Ipc__Target *target);
