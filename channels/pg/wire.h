/* Messages of the PostgreSQL protocol, version 3, as bytes: headers, the bodies that are looked into,
 * encoders. PostgreSQL documentation, chapter "Frontend/Backend Protocol", section "Message Formats". No I/O.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"

enum {
    PG_HEADER = 5,               /* type and length */
    PG_MESSAGE_MAX = 0x3fffffff, /* bytes of any message; the server's own limit */
    PG_SMALL_MAX = 64 * 1024,    /* bytes of a message that is looked into whole, texts and binds aside */
    PG_KEY_MAX = 256,            /* bytes of a cancel key (protocol 3.2; 4 before) */
    PG_VALUES_MAX = 65535,       /* of one Bind: the count is 16 bits wide */
};

struct pg_header {
    uint8_t type;
    uint32_t body; /* bytes that follow the header */
};

enum pg_fault {
    PG_SHORT = 1, /* the bytes end inside the message */
    PG_MALFORMED, /* no peer that speaks the protocol sends this */
};

/* What starts at `bytes`. 0 or a pg_fault. */
MUST_USE int pg_header_read(const uint8_t *bytes, size_t n, struct pg_header *ret);

/* The decoders take a message's body. Strings point into it. All return false for what does not add up. */

MUST_USE bool pg_read_query(struct reader body, const char **ret_text);

struct pg_parse {
    const char *statement, *text;
    struct reader types; /* n_types times: uint32 oid, 0 for not said */
    uint16_t n_types;
};
MUST_USE bool pg_read_parse(struct reader body, struct pg_parse *ret);

struct pg_bind {
    const char *portal, *statement;
    uint16_t n_formats; /* 0: all text; 1: for all values; else one for each */
    uint16_t n_values;
    struct reader formats; /* n_formats 16-bit numbers */
    struct reader
        values; /* n_values times: int32 length (-1: null), bytes; ends early when the body is cut */
    struct reader results; /* n_results formats, like those of values; none when the body is cut */
    uint16_t n_results;
};
/* `cut`: the body given is only the beginning of it. */
MUST_USE bool pg_read_bind(struct reader body, bool cut, struct pg_bind *ret);
/* The next value of a Bind; *ret_null or *ret. False at the end of what is there. */
MUST_USE bool pg_next_value(struct reader *values, struct reader *ret, bool *ret_null);

MUST_USE bool pg_read_execute(struct reader body, const char **ret_portal);

/* Close and Describe: kind 'S' (statement) or 'P' (portal). */
struct pg_named {
    uint8_t kind;
    const char *name;
};
MUST_USE bool pg_read_named(struct reader body, struct pg_named *ret);

struct pg_setting {
    const char *name, *value;
};
MUST_USE bool pg_read_setting(struct reader body, struct pg_setting *ret); /* ParameterStatus */
MUST_USE bool pg_read_ready(struct reader body, uint8_t *ret_status);      /* 'I', 'T' or 'E' */
/* One field of an ErrorResponse or NoticeResponse; NULL when it has none of that code or does not decode. */
const char *pg_error_field(struct reader body, char code);

/* ErrorResponse. NULL fields are left out. */
struct pg_error {
    const char *severity; /* "ERROR" or "FATAL" */
    const char *sqlstate;
    const char *message, *detail, *hint;
};

/* The writers append one message; -ENOBUFS, -ENOMEM. */
MUST_USE int pg_put_error(struct buffer *out, const struct pg_error *error);
MUST_USE int pg_put_notice(struct buffer *out, const struct pg_error *notice); /* severity: "NOTICE" … */
MUST_USE int pg_put_query(struct buffer *out, const char *text);
MUST_USE int pg_put_parse(struct buffer *out, const char *statement, const char *text);
MUST_USE int pg_put_authenticated(struct buffer *out);
MUST_USE int pg_put_setting(struct buffer *out, const char *name, const char *value);
MUST_USE int pg_put_key(struct buffer *out, uint32_t pid, const void *key, size_t n);
MUST_USE int pg_put_ready(struct buffer *out, char status);
/* NegotiateProtocolVersion: we speak 3.0, and know none of these options. */
MUST_USE int pg_put_negotiate(struct buffer *out, const char *const *options, size_t n);
