/* See tls_server.h. A gate gets a key of its own, for names that mean its client's own machine: with it
 * nobody can be deceived but that client, who talks to this gate anyway. */
#include "vault/tls_server.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "vault/login.h"
#include "vault/tls_ca.h"

struct pair {
    struct buffer ca, certificate;
    struct secret *key;
};

static void pair_clear(struct pair *pair)
{
    buffer_free(&pair->ca);
    buffer_free(&pair->certificate);
    secret_free(pair->key);
}

static int make(struct vault *vault, const Ipc__Target *target, uint64_t now_s, struct pair *pair,
                struct detail *detail)
{
    CLEANUP(secret_free) struct secret *seed = NULL;
    CLEANUP(tls_ca_free) struct tls_ca *ca = NULL;
    int r = vault->store ? store_tls_seed(vault->store, &seed, detail)
                         : detail_fail(detail, STORE_SEALED, "STATE/vault can't be opened");

    if (!r)
        r = tls_ca_new(seed, &ca);
    if (!r)
        r = tls_ca_certificate(ca, &pair->ca);
    if (!r)
        r = tls_ca_issue(ca, target->name, now_s, &pair->certificate, &pair->key);
    return r;
}

static void refuse(struct refusal *refused, int r)
{
    refused->code = r == STORE_SEALED ? "vault_sealed" : "target_unavailable";
    detail_set(&refused->message, r == STORE_SEALED ? "the vault is sealed: its key is missing"
                                                    : "no TLS certificate can be made; plain HTTP works");
}

static ProtobufCBinaryData bytes_of(const struct buffer *buffer)
{
    return (ProtobufCBinaryData){ buffer_size(buffer), (uint8_t *)(uintptr_t)buffer_head(buffer) };
}

void tls_server_answer(struct client *client, uint32_t request, const Ipc__Target *target,
                       struct refusal *refused)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerServerCertificate answer = IPC__ANSWER_SERVER_CERTIFICATE__INIT;
    Ipc__Message message = IPC_MESSAGE(ANSWER_SERVER_CERTIFICATE, answer_server_certificate, &answer);
    struct pair pair = { .key = NULL };
    uint64_t now_s = clock_unix_ms() / 1000;
    int r = 0;

    buffer_init(&pair.ca, TLS_TEXT_MAX);
    buffer_init(&pair.certificate, TLS_TEXT_MAX);
    if (target)
        r = make(client->vault, target, now_s, &pair, &refused->log);
    if (r)
        refuse(refused, r);
    answer.request = request;
    if (refused->code) {
        log_event(LOG_WARNING, "server_certificate_refused", "connection", U64(client->connection),
                  "identity", client->name, "code", refused->code, "detail",
                  refused->log.text[0] ? refused->log.text : strerror(-r), NULL);
        refusal.code = (char *)(uintptr_t)refused->code;
        refusal.message = refused->message.text;
        answer.refusal = &refusal;
    } else {
        answer.ca = bytes_of(&pair.ca);
        answer.certificate = bytes_of(&pair.certificate);
        answer.key = (ProtobufCBinaryData){ secret_size(pair.key), secret_bytes(pair.key) };
        answer.until_ms = (now_s + TLS_CERTIFICATE_S) * 1000;
    }
    (void)ipc_peer_send(client->peer, &message, NULL, 0);
    pair_clear(&pair);
}
