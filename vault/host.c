/* A certificate for a host is for one login of one gate: the key is the gate's own and dies with it, the
 * principal is the login, the key id says who it is for, so that the host's log names the person or the
 * agent. It holds for a minute, from the address that the connection comes from, and for the one command when
 * the gate asks for no more than that.
 *
 * A password goes to a gate where the configuration says so (docs/adr/0033-a-password-for-a-gate.md): once
 * for each login, when the host has proven its key. Until then it is not even in the connector. */
#include "vault/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>
#include "base/clock.h"
#include "base/text.h"
#include "policy/certificate_issue.h"

bool target_is_host(const Ipc__Target *target)
{
    return strcmp(target->kind, "ssh") == 0;
}

void host_login_free(struct host_login *login)
{
    if (!login)
        return;
    free(login->login);
    free(login->command);
    free(login->key);
    free(login);
}

/* ---- what is asked ---- */

static bool has_login(const Ipc__Target *target, const char *login)
{
    for (size_t i = 0; i < target->n_logins; i++)
        if (strcmp(target->logins[i], login) == 0)
            return true;
    return strcmp(target->login, login) == 0;
}

static int other_login(const Ipc__Target *target, const char *login, struct detail *detail)
{
    char others[DETAIL_MAX / 2] = "";
    size_t used = 0;

    for (size_t i = 0; i < target->n_logins && used < sizeof(others) - 1; i++) {
        int n = snprintf(others + used, sizeof(others) - used, ", %s", target->logins[i]);

        used += n > 0 ? (size_t)n : 0;
    }
    return detail_fail(detail, -EACCES,
                       "nobody logs in as \"%.64s\" at target \"%s\" from here; its logins: %s%s", login,
                       target->name, target->login, others);
}

static int copy_key(const Ipc__AskLogin *asked, struct host_login *login, struct detail *detail)
{
    const ProtobufCBinaryData *key = &asked->ssh_public_key;

    if (certificate_key_check(key->data, key->len, detail) != 0)
        return -EPROTO;
    login->key = malloc(key->len);
    if (!login->key)
        return -ENOMEM;
    memcpy(login->key, key->data, key->len);
    login->key_n = key->len;
    return 0;
}

int host_login_new(const Ipc__Target *target, const Ipc__AskLogin *asked, const Ipc__Identity *identity,
                   struct host_login **ret, struct detail *detail)
{
    CLEANUP(host_login_free) struct host_login *login = NULL;
    const char *name = asked->login[0] ? asked->login : target->login;

    if (strlen(asked->login) > HOST_LOGIN_MAX || strlen(asked->command) > HOST_COMMAND_MAX ||
        asked->n_options > 0)
        return detail_fail(detail, -EPROTO, "the login that was asked for is too long");
    if (!has_login(target, name))
        return other_login(target, name, detail);
    login = calloc(1, sizeof(*login));
    if (!login || !(login->login = strdup(name)))
        return -ENOMEM;
    /* What no certificate can hold is not fixed by it; the gate decides on it all the same. */
    if (asked->command[0] && text_is_utf8(asked->command, strlen(asked->command)) &&
        !(login->command = strdup(asked->command)))
        return -ENOMEM;
    login->pty = identity->pty;
    login->by_password = target->password_to_gate;
    login->forwarding = target->n_forwards > 0 && identity->forwarding;
    int r = target->certificate_authority[0] ? copy_key(asked, login, detail) : 0;
    if (!r)
        *ret = STEAL(login);
    return r;
}

/* ---- certificates ---- */

static int random_serial(uint64_t *ret)
{
    uint64_t serial = 0;

    while (serial == 0)
        if (RAND_bytes((uint8_t *)&serial, sizeof(serial)) != 1)
            return -EIO;
    *ret = serial;
    return 0;
}

static int sign(const struct secret *key, struct certificate_grant *grant, uint8_t **ret, size_t *ret_n,
                struct detail *detail)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    int r = certificate_signer_again(secret_bytes(key), secret_size(key), &signer, detail);

    if (!r)
        r = random_serial(&grant->serial);
    return r ? r : certificate_issue(signer, grant, ret, ret_n, detail);
}

/* Behind NAT the target sees another address than ours. */
static const char *source_of(const Ipc__Target *target, const char *near_end)
{
    if (!target->source_address[0])
        return near_end;
    return strcmp(target->source_address, "any") == 0 ? NULL : target->source_address;
}

int host_certify(struct vault *vault, const Ipc__Target *target, const struct host_login *login,
                 const char *name, const char *source_address, uint8_t **ret, size_t *ret_n,
                 uint64_t *ret_serial, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *key = NULL;
    char *principals[] = { login->login };
    uint64_t now = clock_unix_ms() / 1000;
    struct certificate_grant grant = {
        .key = login->key,
        .key_n = login->key_n,
        .key_id = name,
        .valid_after = now - HOST_CERTIFICATE_BEFORE_S,
        .valid_before = now + HOST_CERTIFICATE_AFTER_S,
        .principals = principals,
        .n_principals = 1,
        .force_command = login->command,
        .source_address = source_of(target, source_address),
        .pty = login->pty,
        .forwarding = login->forwarding,
    };
    int r;

    if (!login->key)
        return detail_fail(detail, -EPROTO, "there is no key to certify");
    r = vault_secret(vault, target->certificate_authority, SEALED_SSH_KEY, &key, detail);
    if (!r)
        r = sign(key, &grant, ret, ret_n, detail);
    if (!r)
        *ret_serial = grant.serial;
    return r;
}

/* ---- passwords ---- */

int host_password(struct vault *vault, const Ipc__Target *target, struct secret **ret, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *password = NULL;
    int r = vault_secret(vault, target->credential, SEALED_PASSWORD, &password, detail);

    if (r)
        return r;
    if (secret_size(password) > HOST_PASSWORD_MAX)
        return detail_fail(detail, STORE_WRONG_TYPE,
                           "the vault's entry \"%s\" is longer than the %d bytes of a password for a host",
                           target->credential, HOST_PASSWORD_MAX);
    *ret = STEAL(password);
    return 0;
}

bool host_has_password(struct vault *vault, const Ipc__Target *target)
{
    enum sealed_type type;

    return target->credential[0] && vault->store &&
           store_type(vault->store, target->credential, &type, NULL) == 0 && type == SEALED_PASSWORD;
}
