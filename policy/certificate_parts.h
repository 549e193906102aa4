/* What the certificate_*.c files, key_verify.c and sshsig.c share; nobody else includes this. */
#pragma once
#include <stdbool.h>
#include <openssl/types.h>
#include "policy/certificate.h"

enum {
    CERTIFICATE_KEY_ID_MAX = 512,    /* bytes */
    CERTIFICATE_PRINCIPAL_MAX = 256, /* bytes of one principal */
    CERTIFICATE_PRINCIPALS_BYTES =
        16 * 1024,                      /* of all principals: identities ride in messages and recordings */
    CERTIFICATE_COMMAND_MAX = 8 * 1024, /* bytes of force-command */
    CERTIFICATE_SOURCES_MAX = 256,      /* entries of source-address */
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 16384,
};

/* Where opkssh puts the ID token with the proof of possession (docs/identity.md). */
#define PACKET_EXTENSION "openpubkey-pkt"

/* Borrowed bytes. */
struct span {
    const uint8_t *bytes;
    size_t n;
};

enum key_family { KEY_ED25519, KEY_ECDSA, KEY_RSA };

struct key_type {
    const char *plain, *certified; /* names on the wire */
    enum key_family family;
    bool hardware;     /* FIDO: an application string follows the key (OpenSSH PROTOCOL.u2f) */
    const char *curve; /* of ECDSA: name on the wire, name in OpenSSL, bytes of an uncompressed point */
    const char *group;
    size_t point;
    const char *digest; /* of ECDSA signatures */
};

/* A public key taken apart; borrows from the wire form. */
struct public_key {
    const struct key_type *type;
    struct span point;             /* Ed25519: the key; ECDSA: the uncompressed point */
    struct span exponent, modulus; /* RSA: magnitudes, big-endian, without leading zeroes */
    struct span application;       /* of hardware keys */
};

struct certificate {
    uint8_t *blob;
    size_t n;
    struct public_key key;
    struct span key_fields; /* the bytes of the key between nonce and serial */
    uint64_t serial, valid_after, valid_before;
    uint32_t kind; /* CERTIFICATE_KIND_USER or _HOST */
    char *key_id;
    char **principals;
    size_t n_principals;
    char *source_address;  /* critical option, or NULL */
    char *force_command;   /* critical option, or NULL */
    char *unknown_option;  /* name of a critical option that we do not know, or NULL */
    bool pty, forwarding;  /* extensions */
    bool no_touch;         /* extension: a security key may sign with nobody there (PROTOCOL.u2f) */
    struct span claims;    /* data of the extension claims@gatehouse; n is 0 when there is none */
    struct span packet;    /* value of the extension openpubkey-pkt; n is 0 when there is none */
    struct span ca;        /* the signature key's wire form */
    struct span to_sign;   /* what the signature covers */
    struct span signature; /* format and bytes */
};

enum { CERTIFICATE_KIND_USER = 1, CERTIFICATE_KIND_HOST = 2 };

/* ---- certificate_key.c ---- */
/* Before any other call of OpenSSL; cheap and idempotent. */
void start_openssl(void);
bool span_is(struct span span, const char *text);
/* An SSH string as a span. */
MUST_USE bool span_read(struct reader *r, struct span *ret);
/* An mpint (RFC 4251 §5) that must be positive and in its shortest form; its magnitude. */
MUST_USE bool mpint_read(struct reader *r, struct span *ret);
/* Finds a type by its plain or its certified name; NULL when there is none. */
const struct key_type *key_type_of(struct span name, bool certified);
/* Reads the fields that follow the type name (and nonce). 0, CERTIFICATE_MALFORMED or CERTIFICATE_WEAK. */
MUST_USE int key_read(const struct key_type *type, struct reader *r, struct public_key *ret,
                      struct detail *detail);
/* Reads a whole plain key, with nothing behind it. */
MUST_USE int key_read_plain(struct span blob, struct public_key *ret, struct detail *detail);
/* Appends the wire form of the plain key that the certificate certifies. */
MUST_USE int key_plain(const struct certificate *certificate, struct buffer *out);
/* "SHA256:…" of a plain key's wire form; out >= 64 bytes. */
MUST_USE int key_fingerprint(const void *blob, size_t n, char *out, size_t size);

/* ---- certificate_options.c ---- */
MUST_USE int options_read_critical(struct span options, struct certificate *certificate,
                                   struct detail *detail);
MUST_USE int options_read_extensions(struct span options, struct certificate *certificate,
                                     struct detail *detail);
/* Copies text that must be UTF-8 without NUL and at most max bytes long; a fault or -ENOMEM. */
MUST_USE int span_text(struct span span, const char *what, size_t max, char **ret, struct detail *detail);

/* ---- certificate_role.c ---- */
bool ca_is(const Ipc__Ca *ca, struct span blob);
/* Appends a copy of text unless it is there already. */
MUST_USE int texts_add(char ***list, size_t *count, const char *text);
/* Fills roles and may; principals and claims are there already. */
MUST_USE int roles_fill(Ipc__Identity *identity, struct span ca, const Ipc__Config *config);
/* Tells why there are none; CERTIFICATE_NO_ROLE. */
MUST_USE int roles_none(const Ipc__Identity *identity, struct span ca, const Ipc__Config *config,
                        struct detail *detail);

/* ---- certificate_source.c ---- */
/* Whether the address is in the comma-separated list of CIDR networks; CERTIFICATE_WRONG_SOURCE when not,
 * CERTIFICATE_MALFORMED when any entry is not one. IPv4-mapped IPv6 counts as IPv4 on both sides. */
MUST_USE int source_match(const char *list, const char *address, struct detail *detail);

/* ---- key_verify.c ---- */
/* OpenSSL's form of a public key; NULL when it is none, such as a point beside the curve. Freed with
 * EVP_PKEY_free. */
EVP_PKEY *key_open(const struct public_key *key);
/* Whether `signature` (format, bytes, and what a security key adds) is the key's over the message. 0,
 * CERTIFICATE_BAD_SIGNATURE, CERTIFICATE_WEAK (SHA-1), or negative. ret_touched may be NULL: somebody has
 * touched the security key for it. */
MUST_USE int key_verify(const struct public_key *key, struct span signature, struct span message,
                        bool *ret_touched);

/* ---- certificate_verify.c ---- */
/* The CA's signature over the certificate; 0, a certificate_fault, or negative. */
MUST_USE int certificate_verify(const struct certificate *certificate, struct detail *detail);
