/* JSON documents of a provider, apart from its keys: discovery, and the answers of the device flow. Pure:
 * bytes in, checked text out. Whoever wrote them is not trusted. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    DOCUMENT_URL_MAX = 2048,
    DOCUMENT_CODE_MAX = 8 * 1024, /* bytes of a device code */
    DOCUMENT_USER_CODE_MAX = 64,
};

/* OpenID Connect Discovery 1.0 3 and 4.3, RFC 8628 4. Every URL is https. */
struct discovery {
    char *jwks_uri;
    char *device_authorization; /* or NULL: has no device flow */
    char *token;                /* or NULL */
};

/* issuer: what the document's `issuer` has to be, byte by byte. -EBADMSG: detail continues a sentence that
 * began with the provider's name. */
MUST_USE int discovery_parse(const char *bytes, size_t n, const char *issuer, struct discovery *ret,
                             struct detail *detail);
void discovery_free(struct discovery *discovery); /* embedded; empty is fine */
DEFINE_CLEANUP(struct discovery *, discovery_free)

/* RFC 8628 3.2. What a person sees is printable ASCII. */
struct device_answer {
    char *device_code; /* a credential */
    char *user_code;
    char *uri, *complete_uri; /* the second may be NULL */
    uint32_t expires_s;
    uint32_t interval_s; /* 0: not said */
};

MUST_USE int device_answer_parse(const char *bytes, size_t n, struct device_answer *ret,
                                 struct detail *detail);
void device_answer_free(struct device_answer *answer); /* wipes */
DEFINE_CLEANUP(struct device_answer *, device_answer_free)

/* RFC 8628 3.5, RFC 6749 5.2. */
enum token_answer_kind {
    TOKEN_ANSWER_TOKEN,
    TOKEN_ANSWER_PENDING,
    TOKEN_ANSWER_SLOW_DOWN,
    TOKEN_ANSWER_REFUSED
};

struct token_answer {
    enum token_answer_kind kind;
    char *id_token; /* TOKEN_ANSWER_TOKEN */
    size_t n;
};

/* What was refused, and by what error, is in detail. */
MUST_USE int token_answer_parse(const char *bytes, size_t n, struct token_answer *ret, struct detail *detail);
void token_answer_free(struct token_answer *answer); /* wipes */
DEFINE_CLEANUP(struct token_answer *, token_answer_free)
/* The error of an answer that is none of the two above: "unauthorized_client: no such client". False when
 * there is none; out is then empty. */
bool document_error(const char *bytes, size_t n, char *out, size_t size);
