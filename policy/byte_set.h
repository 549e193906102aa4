/* Many byte strings in two allocations (ipc.proto, ByteSet): a million of them travel and load in
 * milliseconds. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ipc.h"

/* Appends a copy; *set is made when it is NULL, and may not be one that was unpacked. -ENOMEM, -E2BIG beyond
 * 4 GiB together. */
MUST_USE int byte_set_add(Ipc__ByteSet **set, const void *bytes, size_t n);
/* Sorts and drops repeats; set may be NULL. */
MUST_USE int byte_set_seal(Ipc__ByteSet *set);
/* Whether a sealed set (or NULL) has it. */
bool byte_set_has(const Ipc__ByteSet *set, const void *bytes, size_t n);
/* Entries; 0 for NULL. */
size_t byte_set_count(const Ipc__ByteSet *set);
/* Whether a set that came from elsewhere is one: every entry within the pool, in order, none twice. */
bool byte_set_is_sealed(const Ipc__ByteSet *set);
void byte_set_free(Ipc__ByteSet *set);
