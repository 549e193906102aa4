/* `gatehouse vault …`: what an administrator does to the store. Each returns 0, a store_fault (vault/store.h)
 * or a negative errno, with what went wrong in detail. `state` is the state directory. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include "base/error.h"

/* For `gatehouse init`: STATE/vault with a new key and an empty store. */
MUST_USE int vault_admin_init(const char *state, struct detail *detail);
/* Reads the secret from fd up to its end; a password's and a token's last newline is not part of it. -EINVAL
 * for a name, type or secret that can't be. */
MUST_USE int vault_admin_set(const char *state, const char *name, const char *type, int fd,
                             struct detail *detail);
/* A table of names, types and ages; never values. as_json: one object per line. */
MUST_USE int vault_admin_list(const char *state, FILE *out, bool as_json, struct detail *detail);
MUST_USE int vault_admin_remove(const char *state, const char *name, struct detail *detail);
MUST_USE int vault_admin_rekey(const char *state, struct detail *detail);
