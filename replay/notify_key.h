/* Keys of webhooks, and what they sign. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    NOTIFY_KEY_MIN = 16, /* bytes without the line end; the same as CONFIG_HMAC_KEY_MIN and _MAX */
    NOTIFY_KEY_MAX = 1024,
    NOTIFY_SIGNATURE = 96, /* bytes of a signature's text with its NUL */
};

struct notify_key; /* in guarded memory */

/* Reads STATE/notify/NAME; line ends at its end do not count. */
MUST_USE int notify_key_read(const char *state, const char *name, struct notify_key **ret,
                             struct detail *detail);
/* From n bytes, which are wiped. */
MUST_USE int notify_key_new(uint8_t *bytes, size_t n, struct notify_key **ret);
void notify_key_free(struct notify_key *key);
DEFINE_CLEANUP(struct notify_key *, notify_key_free)

/* "t=SECONDS,v1=HEX": HMAC-SHA256 (RFC 2104) over "SECONDS.BODY". Returns out. */
char *notify_sign(const struct notify_key *key, uint64_t unix_s, const void *body, size_t n,
                  char out[NOTIFY_SIGNATURE]);
