/* What the connector to a host asks for once it has connected: a certificate for the gate's key, or, when the
 * host has asked for it, the password. What is in no audit chain is given to nobody; and the configuration
 * may be another one by now. */
#include "vault/errand_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "vault/audit.h"

/* ---- certificates ---- */

static int audit_certificate(struct errand *errand, const Ipc__Target *target, const char *source,
                             uint64_t serial, struct detail *detail)
{
    struct client *client = errand->client;
    int r = vault_audit(client->vault, "target_certificate", "connection", U64(client->connection),
                        "identity", client->name, "target", errand->target, "principal", errand->host->login,
                        "serial", U64(serial), "ca", target->certificate_authority, "source", source,
                        "command", errand->host->command, "recording", errand->recording, NULL);

    return r ? detail_fail(detail, r, "no certificate is signed that is not in the audit chain: %s",
                           strerror(-r))
             : 0;
}

static int certify(struct errand *errand, const char *source, Ipc__AnswerCertificate *answer,
                   struct detail *detail)
{
    struct client *client = errand->client;
    const Ipc__Target *target = vault_target(client->vault, errand->target);
    uint64_t serial = 0;
    int r;

    if (!target || !target->certificate_authority[0])
        return detail_fail(detail, -ENOENT, "the target has no certificate_authority any more");
    r = host_certify(client->vault, target, errand->host, client->name, source, &answer->certificate.data,
                     &answer->certificate.len, &serial, detail);
    /* What is in no chain is given to nobody. */
    if (!r)
        r = audit_certificate(errand, target, source, serial, detail);
    if (!r)
        log_event(LOG_INFO, "target_certificate", "connection", U64(client->connection), "identity",
                  client->name, "target", errand->target, "principal", errand->host->login, "serial",
                  U64(serial), "ca", target->certificate_authority, "command", errand->host->command,
                  "recording", errand->recording[0] ? errand->recording : NULL, NULL);
    return r;
}

int errand_ask_certificate(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct errand *errand = owner;
    struct detail detail = { "" };
    Ipc__AnswerCertificate answer = IPC__ANSWER_CERTIFICATE__INIT;
    Ipc__Message reply = IPC_MESSAGE(ANSWER_CERTIFICATE, answer_certificate, &answer);

    (void)fds, (void)n_fds;
    if (!errand->host || !errand->host->key)
        return -EPROTO;
    int r = certify(errand, message->ask_certificate->source_address, &answer, &detail);
    if (r) {
        answer.error = detail.text[0] ? detail.text : strerror(-r);
        answer.certificate.len = 0;
    }
    (void)ipc_peer_send(errand->peer, &reply, NULL, 0);
    free(answer.certificate.data);
    return 0;
}

/* ---- passwords ---- */

static int lend_password(struct errand *errand, struct secret **ret, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *password = NULL;
    struct client *client = errand->client;
    const Ipc__Target *target = vault_target(client->vault, errand->target);

    if (!target || !target->password_to_gate)
        return detail_fail(detail, -ENOENT, "the target has no password_to_gate any more");
    int r = host_password(client->vault, target, &password, detail);
    if (r)
        return r;
    r = vault_audit(client->vault, "target_password", "connection", U64(client->connection), "identity",
                    client->name, "target", errand->target, "login", errand->host->login, "credential",
                    target->credential, "recording", errand->recording, NULL);
    if (r)
        return detail_fail(detail, r, "no password is given that is not in the audit chain: %s",
                           strerror(-r));
    log_event(LOG_INFO, "target_password", "connection", U64(client->connection), "identity", client->name,
              "target", errand->target, "login", errand->host->login, "credential", target->credential,
              "recording", errand->recording[0] ? errand->recording : NULL, NULL);
    *ret = STEAL(password);
    return 0;
}

int errand_ask_password(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    CLEANUP(secret_free) struct secret *password = NULL;
    struct errand *errand = owner;
    struct detail detail = { "" };
    Ipc__AnswerPassword answer = IPC__ANSWER_PASSWORD__INIT;
    Ipc__Message reply = IPC_MESSAGE(ANSWER_PASSWORD, answer_password, &answer);

    (void)message, (void)fds, (void)n_fds;
    if (!errand->host || !errand->host->by_password)
        return -EPROTO;
    int r = lend_password(errand, &password, &detail);
    if (r) {
        answer.error = detail.text[0] ? detail.text : strerror(r < 0 ? -r : EIO);
    } else {
        answer.password.data = secret_bytes(password); /* packed into a buffer that ipc wipes */
        answer.password.len = secret_size(password);
    }
    (void)ipc_peer_send(errand->peer, &reply, NULL, 0);
    return 0;
}
