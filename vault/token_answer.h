/* An API server's answer to a TokenRequest: one HTTP/1.1 response (RFC 9112) and the JSON in it. No I/O. The
 * connector's one user of Jansson. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    TOKEN_ANSWER_MAX = 64 * 1024, /* bytes of the whole response */
};

struct token_answer {
    char *token; /* visible ASCII; wiped and freed by token_answer_free() */
    uint64_t lifetime_s;
};

/* In the zygote, before the jail. */
void token_answer_start(void);
/* 0 with *ret; -EAGAIN: the response is not whole yet (never when `ended`); -EACCES: the server refused, and
 * said why in detail; -EPROTO with the reason: it is no such answer. secret: never repeated in detail. */
MUST_USE int token_answer_read(const char *bytes, size_t n, bool ended, const char *secret, size_t secret_n,
                               struct token_answer *ret, struct detail *detail);
void token_answer_free(struct token_answer *answer);
