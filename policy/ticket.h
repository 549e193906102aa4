/* Tickets: the vault's word, to other processes, on who a gate works for. */
#pragma once
#include "base/ipc.h"

enum { TICKET_KEY = 32 };

/* Packs and authenticates (libsodium crypto_auth, HMAC-SHA512-256). *ret is freed with
 * ipc__ticket__free_unpacked. */
MUST_USE int ticket_issue(const uint8_t key[TICKET_KEY], const Ipc__Identity *identity, Ipc__Ticket **ret);
/* Checks and unpacks; -EACCES for a forged one. *ret is freed with ipc__identity__free_unpacked. */
MUST_USE int ticket_check(const uint8_t key[TICKET_KEY], const Ipc__Ticket *ticket, Ipc__Identity **ret);
