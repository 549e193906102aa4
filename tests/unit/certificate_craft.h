/* Certificates made field by field, good or bad, with a valid signature over whatever is in them. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "policy/certificate_issue.h"

struct bytes {
    const void *at;
    size_t n;
};
#define BYTES(literal)                                                                                       \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

enum craft_field {
    CRAFT_TYPE = 1,
    CRAFT_NONCE,
    CRAFT_KEY,
    CRAFT_SERIAL,
    CRAFT_KIND,
    CRAFT_KEY_ID,
    CRAFT_PRINCIPALS,
    CRAFT_AFTER,
    CRAFT_BEFORE,
    CRAFT_CRITICAL,
    CRAFT_EXTENSIONS,
    CRAFT_RESERVED,
    CRAFT_CA,
    CRAFT_SIGNATURE,
};

enum { CRAFT_ZERO = 0xffff };

/* What is not set is as in a good certificate: of Ed25519, for ever, serial 5, key id corp/anna, principal
 * agent.
 */
struct craft {
    struct bytes type, key; /* key: the fields behind the nonce */
    struct bytes key_id, reserved, ca;
    struct bytes signature; /* as a whole; else the signer's */
    const char *principals; /* "agent,dba" */
    const char
        *critical; /* "name=value|name|name~raw": a string in a string, nothing, or the bytes as they are */
    const char *extensions;                                    /* the same; else permit-pty */
    struct bytes raw_principals, raw_critical, raw_extensions; /* before those */
    uint64_t serial, after, before;                            /* CRAFT_ZERO: 0 */
    uint32_t kind;                                             /* CRAFT_ZERO: 0 */
    enum craft_field cut;  /* this field is missing its last byte, and those behind it */
    struct bytes trailing; /* behind the signature */
};

/* malloc'ed. */
uint8_t *craft_make(const struct craft *craft, const struct certificate_signer *signer, size_t *ret_n);
/* Appends a list of options in the form above. */
void craft_options(struct buffer *out, const char *text);
