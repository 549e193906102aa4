/* Secrets: guarded memory, no printing, wiped when freed. Only base/ and vault/ include this. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

struct secret;

/* size bytes of zeroes; size <= 1 MiB. */
MUST_USE int secret_new(size_t size, struct secret **ret);
/* Copies and then wipes the source. */
MUST_USE int secret_take(void *bytes, size_t n, struct secret **ret);
void secret_free(struct secret *secret);
DEFINE_CLEANUP(struct secret *, secret_free)
uint8_t *secret_bytes(const struct secret *secret);
size_t secret_size(const struct secret *secret);
bool secret_equal(const struct secret *a, const struct secret *b); /* constant time */
/* Wipes n bytes in a way that the compiler does not remove. */
void secret_wipe(void *bytes, size_t n);
