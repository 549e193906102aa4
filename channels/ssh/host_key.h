/* A target's host key, against those that the configuration pins. */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"

enum { HOST_KEY_ALGORITHMS_MAX = 256, HOST_KEY_WORDS_MAX = 512 };

/* The signature algorithms by which the pinned keys can be proven, best first, joined by commas: so that a
 * host with several keys shows one that is pinned. Empty when none is of a type that is supported. */
void host_key_algorithms(const Ipc__Target *target, char ret[HOST_KEY_ALGORITHMS_MAX]);
/* Whether the wire form of a public key is one of those pinned; byte for byte. */
bool host_key_is_pinned(const Ipc__Target *target, const uint8_t *key, size_t n);
/* "TYPE SHA256:…", several joined by ", ", cut where it gets too long: for the log and the audit chain. */
void host_key_words(const ProtobufCBinaryData *keys, size_t n, char ret[HOST_KEY_WORDS_MAX]);
