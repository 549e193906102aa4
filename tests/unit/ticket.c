/* Tickets: the vault's word is taken, nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include "policy/ticket.h"

static const uint8_t key[TICKET_KEY] = "a key that only its holders know";

static Ipc__Ticket *issue(void)
{
    Ipc__Identity identity = IPC__IDENTITY__INIT;
    char *roles[] = { (char *)"agent", (char *)"dba" };
    Ipc__Ticket *ticket = NULL;

    identity.name = (char *)"anna";
    identity.roles = roles;
    identity.n_roles = 2;
    identity.connection = 7;
    assert_int_equal(ticket_issue(key, &identity, &ticket), 0);
    return ticket;
}

static void an_issued_ticket_gives_the_identity_back(void **state)
{
    Ipc__Ticket *ticket = issue();
    Ipc__Identity *identity = NULL;

    (void)state;
    assert_int_equal(ticket_check(key, ticket, &identity), 0);
    assert_string_equal(identity->name, "anna");
    assert_int_equal(identity->n_roles, 2);
    assert_string_equal(identity->roles[1], "dba");
    assert_int_equal(identity->connection, 7);
    ipc__identity__free_unpacked(identity, NULL);
    ipc__ticket__free_unpacked(ticket, NULL);
}

static void a_changed_byte_makes_it_a_forgery(void **state)
{
    Ipc__Ticket *ticket = issue();
    Ipc__Identity *identity = NULL;

    (void)state;
    for (size_t i = 0; i < ticket->identity.len; i++) {
        ticket->identity.data[i] ^= 1;
        assert_int_equal(ticket_check(key, ticket, &identity), -EACCES);
        ticket->identity.data[i] ^= 1;
    }
    for (size_t i = 0; i < ticket->mac.len; i++) {
        ticket->mac.data[i] ^= 0x80;
        assert_int_equal(ticket_check(key, ticket, &identity), -EACCES);
        ticket->mac.data[i] ^= 0x80;
    }
    assert_null(identity);
    ipc__ticket__free_unpacked(ticket, NULL);
}

static void another_key_a_short_mac_and_nothing_are_refused(void **state)
{
    const uint8_t other[TICKET_KEY] = "a key that only others would kno";
    Ipc__Ticket empty = IPC__TICKET__INIT;
    Ipc__Ticket *ticket = issue();
    Ipc__Identity *identity = NULL;

    (void)state;
    assert_int_equal(ticket_check(other, ticket, &identity), -EACCES);
    ticket->mac.len--;
    assert_int_equal(ticket_check(key, ticket, &identity), -EACCES);
    assert_int_equal(ticket_check(key, &empty, &identity), -EACCES);
    assert_int_equal(ticket_check(key, NULL, &identity), -EACCES);
    assert_null(identity);
    ipc__ticket__free_unpacked(ticket, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issued_ticket_gives_the_identity_back),
        cmocka_unit_test(a_changed_byte_makes_it_a_forgery),
        cmocka_unit_test(another_key_a_short_mac_and_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
