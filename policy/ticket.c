/* Tickets. The MAC is over the packed bytes as they travel, so nobody has to pack an identity the same way
 * twice. */
#include <errno.h>
#include <stdlib.h>
#include <sodium.h>
#include "policy/ticket.h"

_Static_assert(TICKET_KEY == crypto_auth_KEYBYTES, "ticket_key is a crypto_auth key");

static void ticket_free(Ipc__Ticket *ticket)
{
    if (ticket)
        ipc__ticket__free_unpacked(ticket, NULL);
}
DEFINE_CLEANUP(Ipc__Ticket *, ticket_free)

int ticket_issue(const uint8_t key[TICKET_KEY], const Ipc__Identity *identity, Ipc__Ticket **ret)
{
    CLEANUP(ticket_free) Ipc__Ticket *ticket = malloc(sizeof(*ticket));
    size_t n = ipc__identity__get_packed_size(identity);

    if (!ticket)
        return -ENOMEM;
    ipc__ticket__init(ticket);
    if (n > IPC_MESSAGE_MAX)
        return -EMSGSIZE;
    ticket->identity.data = malloc(n ? n : 1);
    ticket->mac.data = malloc(crypto_auth_BYTES);
    if (!ticket->identity.data || !ticket->mac.data)
        return -ENOMEM;
    ticket->identity.len = ipc__identity__pack(identity, ticket->identity.data);
    ticket->mac.len = crypto_auth_BYTES;
    crypto_auth(ticket->mac.data, ticket->identity.data, ticket->identity.len, key);
    *ret = STEAL(ticket);
    return 0;
}

int ticket_check(const uint8_t key[TICKET_KEY], const Ipc__Ticket *ticket, Ipc__Identity **ret)
{
    Ipc__Identity *identity;

    if (!ticket || ticket->mac.len != crypto_auth_BYTES || ticket->identity.len == 0 ||
        crypto_auth_verify(ticket->mac.data, ticket->identity.data, ticket->identity.len, key) != 0)
        return -EACCES;
    identity = ipc__identity__unpack(NULL, ticket->identity.len, ticket->identity.data);
    if (!identity)
        return -EBADMSG;
    *ret = identity;
    return 0;
}
