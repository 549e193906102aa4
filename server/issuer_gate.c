/* One enrolment, or one exchange:
 *
 *   Certify     token                      --> keys of its issuer --> verified --> Certified
 *   DeviceStart --> DeviceCode --> token   --> the same
 *   Exchange    certificate with PK token  --> the same
 *
 * One question per gate. A token lives here until its answer, at most ISSUER_TOKEN_MS; it is in no log and no
 * report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/certificate.h"
#include "policy/openpubkey.h"
#include "server/issuer.h"

enum { ADDRESS_MAX = 64, ASKING = 1, ASKED = 2 };

struct issuer_gate {
    struct issuer_gate *next, **slot;
    struct issuer *issuer;
    struct ipc_peer *peer;
    struct timer *limit;
    uint64_t connection;
    char source[ADDRESS_MAX];
    const char *how;
    uint8_t *key; /* plain, in wire form; NULL: not asked yet */
    size_t key_n;
    struct token *token;       /* of Certify and DeviceStart, or */
    struct openpubkey *packet; /* of Exchange */
    bool refreshed;            /* newer keys were asked for already */
    struct provider_wait *wait;
    struct device *device;
    bool answered;
};

static void forget_token(struct issuer_gate *gate)
{
    provider_forget(STEAL(gate->wait));
    token_free(STEAL(gate->token));
    openpubkey_free(STEAL(gate->packet));
}

void issuer_gate_free(struct issuer_gate *gate)
{
    if (!gate)
        return;
    if (gate->slot) {
        *gate->slot = gate->next;
        if (gate->next)
            gate->next->slot = gate->slot;
        gate->issuer->n_gates--;
    }
    device_free(gate->device);
    forget_token(gate);
    ipc_peer_free(gate->peer);
    timer_free(gate->limit);
    free(gate->key);
    free(gate);
}

/* ---- the answer ---- */

static const struct token *token_of(const struct issuer_gate *gate)
{
    return gate->packet ? openpubkey_token(gate->packet) : gate->token;
}

static struct issuer_request request_of(const struct issuer_gate *gate)
{
    return (struct issuer_request){ .connection = gate->connection,
                                    .source = gate->source,
                                    .key = gate->key,
                                    .key_n = gate->key_n,
                                    .how = gate->how };
}

/* The gate stays until it goes by itself; its memory is never freed from inside of what is under way. */
static void answer(struct issuer_gate *gate, Ipc__Certified *certified)
{
    Ipc__Message message = IPC_MESSAGE(CERTIFIED, certified, certified);
    gate->answered = true;
    forget_token(gate);
    timer_set(gate->limit, ISSUER_LINGER_MS);
    (void)ipc_peer_send(gate->peer, &message, NULL, 0);
}

static void refuse(struct issuer_gate *gate, const char *code, const char *reason)
{
    struct issuer_request request = request_of(gate);
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__Certified certified = IPC__CERTIFIED__INIT;
    if (gate->answered)
        return;
    issuer_report_refusal(gate->issuer, &request, code, reason);
    refusal.code = (char *)(uintptr_t)code;
    refusal.message = (char *)(uintptr_t)reason;
    certified.refusal = &refusal;
    answer(gate, &certified);
}

/* r: negative, or a token_fault. */
static void refuse_fault(struct issuer_gate *gate, int r, const struct detail *detail)
{
    const char *code = r == TOKEN_MALFORMED                    ? "malformed"
                       : r > 0 || r == -EACCES || r == -EINVAL ? "denied"
                                                               : "issuer_unavailable";
    refuse(gate, code, detail->text[0] ? detail->text : strerror(r < 0 ? -r : EIO));
}

static void grant(struct issuer_gate *gate, const Ipc__Claims *claims)
{
    struct issuer_request request = request_of(gate);
    struct issuer_grant granted;
    struct detail detail = { "" };
    int r = issuer_certify(gate->issuer, &request, claims, token_expires(token_of(gate)), &granted, &detail);
    if (r) {
        refuse_fault(gate, r, &detail);
        return;
    }
    Ipc__Certified certified = IPC__CERTIFIED__INIT;
    certified.certificate =
        (ProtobufCBinaryData){ .len = granted.certificate_n, .data = granted.certificate };
    certified.identity = granted.identity;
    certified.valid_before = granted.valid_before;
    answer(gate, &certified);
    free(granted.certificate);
}

/* ---- the token ---- */

static void ask_keys(struct issuer_gate *gate, const Ipc__Issuer *issuer, bool refresh);

static int verify(const struct issuer_gate *gate, const Ipc__Issuer *issuer, const struct jwks *keys,
                  struct detail *detail)
{
    uint64_t now = clock_unix_ms() / 1000;
    return gate->packet ? openpubkey_verify(gate->packet, issuer, keys, now, gate->key, gate->key_n, detail)
                        : token_verify(gate->token, issuer, keys, now, detail);
}

static void judge(struct issuer_gate *gate, const Ipc__Issuer *issuer, const struct jwks *keys)
{
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };
    int r = verify(gate, issuer, keys, &detail);
    if (r == TOKEN_UNKNOWN_KEY && !gate->refreshed) {
        ask_keys(gate, issuer, true);
        return;
    }
    if (r == 0)
        r = token_claims(token_of(gate), issuer, gate->issuer->config, &claims, &detail);
    if (r) {
        refuse_fault(gate, r, &detail);
        return;
    }
    grant(gate, claims);
    ipc__claims__free_unpacked(claims, NULL);
}

/* The configuration may be a newer one than when the keys were asked for. */
static void keys_came(void *owner, const struct jwks *keys, const char *why)
{
    struct issuer_gate *gate = owner;
    struct detail detail = { "" };
    gate->wait = NULL;
    const Ipc__Issuer *issuer = token_issuer(token_of(gate), gate->issuer->config, &detail);
    if (!issuer)
        refuse(gate, "denied", detail.text);
    else if (!keys)
        refuse(gate, "provider_unavailable", why);
    else
        judge(gate, issuer, keys);
}

static void ask_keys(struct issuer_gate *gate, const Ipc__Issuer *issuer, bool refresh)
{
    struct provider *provider = providers_find(gate->issuer->providers, issuer->name);
    struct provider_wait *wait = NULL;
    gate->refreshed = refresh;
    if (!provider) {
        refuse(gate, "issuer_unavailable", "the configuration has just changed; try again");
        return;
    }
    provider_keys(provider, refresh, keys_came, gate, &wait);
    if (wait) /* else it was answered, and perhaps asked once more */
        gate->wait = wait;
}

/* Who issued it is known now. Empty `wanted`: any that is configured. */
static void begin(struct issuer_gate *gate, const char *wanted)
{
    struct detail detail = { "" };
    const Ipc__Issuer *issuer = token_issuer(token_of(gate), gate->issuer->config, &detail);
    timer_set(gate->limit, ISSUER_TOKEN_MS);
    if (!issuer)
        refuse(gate, "denied", detail.text);
    else if (wanted[0] && strcmp(wanted, issuer->name) != 0)
        refuse(gate, "denied", "the provider gave a token of another issuer");
    else if (gate->packet && !issuer->openpubkey)
        refuse(gate, "denied", "your certificate is of OpenPubkey, which is not accepted of its issuer here");
    else if (!gate->packet && !wanted[0] && issuer->openpubkey && openpubkey_may_hold(gate->token))
        refuse(gate, "denied",
               "the token may be out of an OpenPubkey certificate, which others have seen: log in with that "
               "certificate instead");
    else
        ask_keys(gate, issuer, false);
}

/* ---- what gates ask ---- */

/* False: refused. The key is checked before anything is fetched for it. */
static bool take_key(struct issuer_gate *gate, const ProtobufCBinaryData *key, const char *how)
{
    struct detail detail = { "" };
    gate->how = how;
    ipc_peer_state(gate->peer, ASKED);
    if (!gate->issuer->signer) {
        refuse(gate, "denied", "no certificates are issued here");
        return false;
    }
    int r = certificate_key_check(key->data, key->len, &detail);
    if (r == 0) {
        gate->key = malloc(key->len);
        if (!gate->key)
            r = -ENOMEM;
    }
    if (r) {
        refuse_fault(gate, r > 0 ? -EINVAL : r, &detail); /* a certificate_fault */
        return false;
    }
    memcpy(gate->key, key->data, key->len);
    gate->key_n = key->len;
    return true;
}

static int on_certify(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer_gate *gate = owner;
    char *text = message->certify->token;
    size_t n = strlen(text);
    struct detail detail = { "" };
    (void)fds;
    (void)n_fds;
    if (take_key(gate, &message->certify->key, "token")) {
        int r = token_parse(text, n, &gate->token, &detail);
        if (r)
            refuse_fault(gate, r, &detail);
        else
            begin(gate, "");
    }
    explicit_bzero(text, n);
    return 0;
}

static void device_code(void *owner, const Ipc__DeviceCode *code)
{
    struct issuer_gate *gate = owner;
    Ipc__Message message = IPC_MESSAGE(DEVICE_CODE, device_code, (Ipc__DeviceCode *)(uintptr_t)code);
    (void)ipc_peer_send(gate->peer, &message, NULL, 0);
}

static void device_token(void *owner, const char *issuer, const char *id_token, size_t n)
{
    struct issuer_gate *gate = owner;
    struct detail detail = { "" };
    int r = token_parse(id_token, n, &gate->token, &detail);
    if (r)
        refuse_fault(gate, r, &detail);
    else
        begin(gate, issuer);
    device_free(STEAL(gate->device));
}

static void device_failed(void *owner, const char *code, const char *message)
{
    struct issuer_gate *gate = owner;
    refuse(gate, code, message);
    device_free(STEAL(gate->device));
}

static const struct device_handlers device_handlers = { device_code, device_token, device_failed };

static int on_device_start(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer_gate *gate = owner;
    struct issuer *issuer = gate->issuer;
    struct detail detail = { "" };
    (void)fds;
    (void)n_fds;
    if (!take_key(gate, &message->device_start->key, "device"))
        return 0;
    int r = device_start(issuer->loop, issuer->fetcher, issuer->providers, message->device_start->issuer,
                         &device_handlers, gate, &gate->device, &detail);
    if (r == -EINVAL)
        refuse(gate, "usage", detail.text);
    else if (r)
        refuse_fault(gate, r, &detail);
    else
        timer_set(gate->limit, DEVICE_LIFE_MAX_MS + ISSUER_TOKEN_MS);
    return 0;
}

/* All of the certificate that needs no key of the provider; the gate has done the same. */
static int take_packet(struct issuer_gate *gate, const ProtobufCBinaryData *blob, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    CLEANUP(free) uint8_t *key = NULL;
    const uint8_t *packet = NULL;
    size_t n = 0, key_n = 0;
    int r = certificate_parse(blob->data, blob->len, &certificate, detail);
    if (r == 0 && (!certificate_is_packet(certificate) || !certificate_packet(certificate, &packet, &n)))
        r = detail_fail(detail, -EINVAL, "your certificate is not one of OpenPubkey");
    if (r == 0)
        r = certificate_check_packet(certificate, revoked_list(gate->issuer->revoked), clock_unix_ms() / 1000,
                                     gate->source, detail);
    if (r == 0)
        r = certificate_plain_key(blob->data, blob->len, &key, &key_n, detail);
    if (r)
        return r < 0 ? r : -EINVAL;
    if (!take_key(gate, &(ProtobufCBinaryData){ .len = key_n, .data = key }, "openpubkey"))
        return 0;
    return openpubkey_parse(packet, n, &gate->packet, detail);
}

static int on_exchange(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer_gate *gate = owner;
    struct detail detail = { "" };
    (void)fds;
    (void)n_fds;
    gate->how = "openpubkey";
    ipc_peer_state(gate->peer, ASKED);
    int r = take_packet(gate, &message->exchange->certificate, &detail);
    if (r)
        refuse_fault(gate, r, &detail);
    else if (gate->packet)
        begin(gate, "");
    return 0;
}

/* ---- life ---- */

static void gone(void *owner, const char *reason)
{
    (void)reason;
    issuer_gate_free(owner);
}

static void took_too_long(void *owner)
{
    struct issuer_gate *gate = owner;
    if (gate->answered || !gate->key) {
        issuer_gate_free(gate);
        return;
    }
    device_free(STEAL(gate->device));
    refuse(gate, "provider_unavailable", "the provider did not answer in time");
}

int issuer_gate_new(struct issuer *issuer, const Ipc__Peer *peer, int fd)
{
    static const struct ipc_rule rules[] = {
        { IPC__MESSAGE__BODY_CERTIFY, ASKING, true, 0, 0, on_certify },
        { IPC__MESSAGE__BODY_DEVICE_START, ASKING, true, 0, 0, on_device_start },
        { IPC__MESSAGE__BODY_EXCHANGE, ASKING, true, 0, 0, on_exchange },
    };
    struct issuer_gate *gate = issuer->n_gates < ISSUER_GATES_MAX ? calloc(1, sizeof *gate) : NULL;
    if (!gate) {
        fd_close(fd);
        return issuer->n_gates < ISSUER_GATES_MAX ? -ENOMEM : -ENOBUFS;
    }
    *gate = (struct issuer_gate){ .issuer = issuer, .connection = peer->connection, .how = "token" };
    (void)snprintf(gate->source, sizeof gate->source, "%s", peer->source_address);
    int r = timer_new(issuer->loop, took_too_long, gate, &gate->limit);
    if (r)
        fd_close(fd);
    else
        r = ipc_peer_new(issuer->loop, fd, "gate", rules, sizeof rules / sizeof rules[0], gone, gate,
                         &gate->peer);
    if (r) {
        issuer_gate_free(gate);
        return r;
    }
    timer_set(gate->limit, ISSUER_GATE_MS);
    gate->next = issuer->gates;
    gate->slot = &issuer->gates;
    if (gate->next)
        gate->next->slot = &gate->next;
    issuer->gates = gate;
    issuer->n_gates++;
    return 0;
}
