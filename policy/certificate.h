/* OpenSSH user certificates: decode, verify, and say who it is.
 * Format: OpenSSH PROTOCOL.certkeys (draft-miller-ssh-cert). Ed25519, ECDSA P-256/384/521 and RSA keys and
 * CAs. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/ipc.h"

enum {
    CERTIFICATE_MAX = 64 * 1024, /* bytes of a certificate in its wire form */
    CERTIFICATE_PRINCIPALS_MAX = 256,
    CERTIFICATE_OPTIONS_MAX = 64,
};

struct certificate;

/* Why a certificate is refused: each with its own message in detail, fit for the person who tries to log in.
 */
enum certificate_fault {
    CERTIFICATE_MALFORMED = 1,
    CERTIFICATE_NOT_USER, /* a host certificate */
    CERTIFICATE_UNKNOWN_CA,
    CERTIFICATE_BAD_SIGNATURE,
    CERTIFICATE_NOT_YET_VALID,
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NO_PRINCIPALS,
    CERTIFICATE_UNKNOWN_OPTION, /* a critical option that we do not know */
    CERTIFICATE_WRONG_SOURCE,   /* source-address */
    CERTIFICATE_NO_ROLE,        /* valid, but no role of ours matches */
    CERTIFICATE_WEAK,           /* RSA below 2048 bits, SHA-1 signature, unsupported type */
    CERTIFICATE_REVOKED,
    CERTIFICATE_TO_EXCHANGE, /* OpenPubkey: see certificate_is_packet() */
};

/* Decodes the whole wire form; refuses trailing bytes. Checks no signature. */
MUST_USE int certificate_parse(const uint8_t *blob, size_t n, struct certificate **ret,
                               struct detail *detail);
void certificate_free(struct certificate *certificate);
DEFINE_CLEANUP(struct certificate *, certificate_free)

/* Everything that must hold for a login now from source_address (numeric): known CA, signature, not in the
 * list revoked (NULL: nothing is), type, validity at now_unix (seconds), critical options, principals, and at
 * least one role of config. On success fills *ret_identity (freed with ipc__identity__free_unpacked),
 * connection and source_port left 0. 0, a certificate_fault, or negative. */
MUST_USE int certificate_admit(const struct certificate *certificate, const Ipc__Config *config,
                               const Ipc__RevocationList *revoked, uint64_t now_unix,
                               const char *source_address, Ipc__Identity **ret_identity,
                               struct detail *detail);

/* An OpenPubkey certificate: it has the extension openpubkey-pkt, and the key that it certifies has signed it
 * itself. No CA vouches for it: the issuer exchanges it for one of ours. certificate_admit refuses it with
 * CERTIFICATE_TO_EXCHANGE, whose detail says that this isn't possible here. */
bool certificate_is_packet(const struct certificate *certificate);
/* The value of openpubkey-pkt, borrowed; false when there is none. */
bool certificate_packet(const struct certificate *certificate, const uint8_t **ret, size_t *ret_n);
/* For one that certificate_is_packet(): all that certificate_admit checks but CA, principals and roles. 0, a
 * certificate_fault, or negative. */
MUST_USE int certificate_check_packet(const struct certificate *certificate,
                                      const Ipc__RevocationList *revoked, uint64_t now_unix,
                                      const char *source_address, struct detail *detail);

/* "SHA256:…" of a public key or certificate blob's key, as ssh-keygen -l prints it. out >= 64 bytes. */
MUST_USE int certificate_fingerprint(const struct certificate *certificate, char *out, size_t size);
/* The same of a plain key in wire form. */
MUST_USE int public_key_fingerprint(const uint8_t *key, size_t n, char *out, size_t size);
/* Reads the public key file of a CA (authorized_keys form) into its wire form, malloc'ed. */
MUST_USE int public_key_parse(const char *line, uint8_t **ret_blob, size_t *ret_n, struct detail *detail);
/* Whether the text is fit for a certificate's source-address: networks, separated by commas. */
bool certificate_source_is_valid(const char *list);
/* Readies OpenSSL and warms it up; takes a few milliseconds, which the children of a zygote then need not.
 * Once, before the jail; not required. */
void certificate_start(void);
