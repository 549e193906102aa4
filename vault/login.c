/* One login that a gate asked for, by the target's kind: what may be asked for, with which secret, and the
 * connector that is sent. */
#include "vault/login.h"

#include <errno.h>
#include <string.h>

#include "vault/errand.h"
#include "vault/host.h"
#include "vault/kube.h"

/* What is told when there is no secret. r: 0, a store_fault or negative. */
static void refuse_entry(int r, const Ipc__Target *target, struct refusal *refused)
{
    if (r == STORE_SEALED) {
        detail_set(&refused->message, "the vault is sealed; ask an operator to give it its key back");
        refused->code = "vault_sealed";
    } else if (r) {
        if (r < 0)
            detail_set(&refused->log, "the vault's store: %s", strerror(-r));
        detail_set(
            &refused->message,
            "target \"%s\" is unavailable; ask an operator: the log says why, and trying again won't help",
            target->name);
        refused->code = "target_unavailable";
    }
}

static void unlock(struct vault *vault, const Ipc__Target *target, enum sealed_type type, struct secret **ret,
                   struct refusal *refused)
{
    bool by_ca = target->certificate_authority[0] != '\0';
    int r = vault_secret(vault, by_ca ? target->certificate_authority : target->credential, type, ret,
                         &refused->log);

    refuse_entry(r, target, refused);
}

/* -EACCES: a login that may not be, which the person is told. Other errors: no gate says such a thing. */
static int denied_or(int r, struct refusal *refused)
{
    if (r != -EACCES)
        return r;
    refused->log = refused->message;
    refused->code = "denied";
    return 0;
}

/* Each of the three: what errand_login() and its like return, or 0 with a refusal. Negative ones that no
 * connector is to blame for are fatal to the gate: *ret_fatal. */

/* The key of a host or of its CA. A password stays in the store until the host asks for it (vault/errand.c);
 * what is wrong with it is told now. */
static void unlock_host(struct vault *vault, const Ipc__Target *target, struct secret **ret,
                        struct refusal *refused)
{
    CLEANUP(secret_free) struct secret *password = NULL;

    if (target->password_to_gate) {
        refuse_entry(host_password(vault, target, &password, &refused->log), target, refused);
        return;
    }
    unlock(vault, target, SEALED_SSH_KEY, ret, refused);
    if (!refused->code || !host_has_password(vault, target))
        return;
    detail_set(&refused->log,
               "the vault's entry \"%s\" is a password, not a ssh-key: a gate gets it only with "
               "`password_to_gate: true` at the target",
               target->credential);
    detail_set(&refused->message,
               "target \"%s\" can't be logged in to: its credential is a password, which is used only with "
               "`password_to_gate: true` in its configuration; ask an operator",
               target->name);
}

static int to_host(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                   const Ipc__Identity *identity, struct refusal *refused, int *ret_gate, int *ret_fatal)
{
    CLEANUP(secret_free) struct secret *secret = NULL;
    CLEANUP(host_login_free) struct host_login *host = NULL;

    *ret_fatal = denied_or(host_login_new(target, asked, identity, &host, &refused->message), refused);
    if (!*ret_fatal && !refused->code)
        unlock_host(client->vault, target, &secret, refused);
    if (*ret_fatal || refused->code)
        return 0;
    return errand_host(client, target, asked, &host, secret, ret_gate);
}

static int to_kube(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                   const Ipc__Identity *identity, struct refusal *refused, int *ret_gate, int *ret_fatal)
{
    CLEANUP(secret_free) struct secret *secret = NULL;
    CLEANUP(kube_grant_free) struct kube_grant *grant = NULL;

    *ret_fatal =
        denied_or(kube_grant_new(client->vault, target, asked, identity, &grant, &refused->message), refused);
    if (!*ret_fatal && !refused->code)
        unlock(client->vault, target, grant->type, &secret, refused);
    if (*ret_fatal || refused->code)
        return 0;
    return errand_kube(client, target, asked, &grant, secret, ret_gate);
}

static int to_database(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                       const Ipc__Identity *identity, struct refusal *refused, int *ret_gate, int *ret_fatal)
{
    CLEANUP(secret_free) struct secret *secret = NULL;

    *ret_fatal = 0;
    unlock(client->vault, target, SEALED_PASSWORD, &secret, refused);
    if (refused->code)
        return 0;
    return errand_login(client, target, asked,
                        roles_are_read_only(client->vault->config, identity->roles, identity->n_roles),
                        secret, ret_gate);
}

int login_begin(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                const Ipc__Identity *identity, struct refusal *refused, int *ret_gate)
{
    int fatal = 0;
    int r =
        (target_is_host(target)   ? to_host
         : target_is_kube(target) ? to_kube
                                  : to_database)(client, target, asked, identity, refused, ret_gate, &fatal);

    if (fatal)
        return fatal;
    if (r == -EBUSY) {
        detail_set(&refused->message, "too many logins to targets are under way; try again in a moment");
        detail_set(&refused->log, "too many logins under way");
        refused->code = "limit";
    } else if (r) {
        detail_set(&refused->message, "target \"%s\" is unavailable; try again later", target->name);
        detail_set(&refused->log, "starting a connector: %s", strerror(-r));
        refused->code = "target_unavailable";
    }
    return 0;
}
