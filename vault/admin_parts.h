/* What vault/admin.c and import.c share. */
#pragma once
#include "base/secret.h"
#include "vault/admin.h"
#include "vault/sealed.h"

MUST_USE int admin_check_name(const char *name, struct detail *detail);
/* Up to the end of fd or size bytes. */
MUST_USE int admin_read(int fd, uint8_t *bytes, size_t size, size_t *ret_n);
/* Adds or replaces one entry under the lock. */
MUST_USE int admin_put(const char *state, const char *name, enum sealed_type type, const struct secret *value,
                       struct detail *detail);
