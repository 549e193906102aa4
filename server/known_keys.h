/* Keys whose owners log in by certificate: they need not be told how to get one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOWN_KEYS_MAX = 4096 };

/* The last KNOWN_KEYS_MAX that were added; embedded, all zeroes at first. */
struct known_keys {
    uint64_t keys[KNOWN_KEYS_MAX];
    size_t next;
};

bool known_keys_has(const struct known_keys *known, uint64_t key);
void known_keys_add(struct known_keys *known, uint64_t key);
