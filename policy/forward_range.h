/* What may be reached through an SSH target: the patterns of `forwards` (docs/ssh-targets.md). Names are
 * looked up at the target, so a pattern of addresses never holds for a name, nor one of names for an address.
 */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"

/* "10.0.0.0/8:443", "[fd00::/8]:443", "*.internal:8000-8099", "10.0.0.7:*". NULL, or what is wrong with it
 * (static); "out of memory" is one of that. *ret's fields are the caller's, as in a message of protobuf-c. */
MUST_USE const char *forward_range_parse(const char *text, Ipc__ForwardRange *ret);

/* The pattern that it was read from, in its shortest form. Returns out. */
enum { FORWARD_RANGE_TEXT_MAX = 288 };
const char *forward_range_text(const Ipc__ForwardRange *range, char out[FORWARD_RANGE_TEXT_MAX]);

/* Whether one of the target's patterns holds for what a client asked for. */
bool forward_is_listed(const Ipc__Target *target, const char *host, uint32_t port);

/* Whether that is where the target is: the same address in any spelling, or the same name. Names are not
 * looked up. */
bool forward_is_to(const Ipc__Target *target, const char *host, uint32_t port);
/* "localhost", or an address that a host reaches itself by. */
bool forward_is_loopback(const char *host);
