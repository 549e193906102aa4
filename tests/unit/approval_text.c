/* channels/commands/approval_text: all that there is to know of a request, and nothing that a terminal obeys.
 */
#include "channels/commands/approval_text.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#define BYTES(text) ((ProtobufCBinaryData){ sizeof(text) - 1, (uint8_t *)(uintptr_t)(text) })

static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* What `change` does not touch is as in a plain request. */
static char *text_of(void (*change)(Ipc__Approval *, Ipc__ApprovalContent *))
{
    Ipc__Approval a = IPC__APPROVAL__INIT;
    Ipc__ApprovalContent c = IPC__APPROVAL_CONTENT__INIT;
    Ipc__Person who = IPC__PERSON__INIT;
    Ipc__Approve terms = IPC__APPROVE__INIT;
    Ipc__RoleGroup first = IPC__ROLE_GROUP__INIT, second = IPC__ROLE_GROUP__INIT;
    Ipc__RoleGroup *groups[] = { &first, &second };
    char *roles[] = { lent("dba"), lent("ops") }, *others[] = { lent("security") };
    char *effects[] = { lent("delete public.orders") };
    first.roles = roles, first.n_roles = 2;
    second.roles = others, second.n_roles = 1;
    who.name = lent("corp/bot"), who.actor = lent("agent-7");
    terms.by = groups, terms.n_by = 2, terms.quorum = 2, terms.mode = lent("hold");
    a.id = lent("A7K2MQ"), a.state = IPC__APPROVAL_STATE__APPROVAL_OPEN;
    a.requester = &who, a.approve = &terms, a.content = &c;
    a.source = lent("192.0.2.4"), a.target = lent("orders"), a.login = lent("app"), a.kind = lent("sql");
    a.rule = lent("destructive"), a.reason = lent("a second pair of eyes");
    a.recording = lent("0123456789ab"), a.number = 3;
    a.created_ms = 1767225600000, a.expires_ms = a.created_ms + 600000;
    a.digest = BYTES("0123456789abcdef0123456789abcdef");
    c.statement = BYTES("DELETE FROM orders\nWHERE id = $1"), c.effects = effects, c.n_effects = 1;
    if (change)
        change(&a, &c);
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(approval_text(&out, &a, a.created_ms + 60000), 0);
    assert_int_equal(buffer_put_u8(&out, 0), 0);
    char *text = strdup((const char *)buffer_head(&out));
    buffer_free(&out);
    return text;
}

static void everything_about_it_is_told(void **state)
{
    (void)state;
    CLEANUP(free) char *text = text_of(NULL);
    assert_string_equal(text,
                        "A7K2MQ  open, 9m left\n"
                        "  who        agent-7 for corp/bot\n"
                        "  from       192.0.2.4\n"
                        "  where      orders as app\n"
                        "  rule       destructive: a second pair of eyes\n"
                        "  decided by dba or ops, and security, 2 people\n"
                        "  asked      2026-01-01T00:00:00.000Z, until 2026-01-01T00:10:00.000Z\n"
                        "  recording  0123456789ab, request 3\n"
                        "  digest     3031323334353637383961626364656630313233343536373839616263646566\n"
                        "\nstatement (sql)\n    DELETE FROM orders\n    WHERE id = $1\n"
                        "\neffects\n    delete public.orders\n");
}

static void values_and_decisions(Ipc__Approval *a, Ipc__ApprovalContent *c)
{
    static Ipc__ApprovalValue values[3], *list[3];
    static Ipc__ApprovalDecision decision, *decisions[1];
    static Ipc__Person olga;
    for (size_t i = 0; i < 3; i++) {
        ipc__approval_value__init(&values[i]);
        list[i] = &values[i];
    }
    values[0].value = BYTES("17");
    values[1].null = true;
    values[2].value = BYTES("\x00\xff"), values[2].format = 1;
    c->values = list, c->n_values = 3, c->values_omitted = 2, c->omitted = 9, c->effects_omitted = 4;
    c->preview = lent("3 rows\nof 7");
    ipc__person__init(&olga);
    ipc__approval_decision__init(&decision);
    olga.name = lent("corp/olga");
    decision.by = &olga, decision.approve = true, decision.reason = lent("fine"), decision.for_ms = 1800000;
    decision.at_ms = a->created_ms, decision.signature = BYTES("x");
    decisions[0] = &decision;
    a->decisions = decisions, a->n_decisions = 1;
    a->state = IPC__APPROVAL_STATE__APPROVAL_APPROVED;
    a->approve->touch = a->approve->must_sign = true;
}

static void values_previews_and_decisions_are_told(void **state)
{
    (void)state;
    CLEANUP(free) char *text = text_of(values_and_decisions);
    assert_non_null(strstr(text, "A7K2MQ  approved, to be used within 9m\n"));
    assert_non_null(strstr(text, ", 2 people, with a security key, signed\n"));
    assert_non_null(strstr(text, "    … and 9 bytes that are not kept\n"));
    assert_non_null(
        strstr(text, "    $1  17\n    $2  NULL\n    $3  \\x00\\xff  (binary)\n    … 2 of them are"));
    assert_non_null(strstr(text, "    … and 4 more\n"));
    assert_non_null(strstr(text, "\npreview\n    3 rows\n    of 7\n"));
    assert_non_null(strstr(
        text, "\ndecisions\n    2026-01-01T00:00:00.000Z  approved by corp/olga, for 30m, signed: fine\n"));
}

static void hostile(Ipc__Approval *a, Ipc__ApprovalContent *c)
{
    a->requester->name = a->requester->actor = a->target = a->login = a->rule = a->reason = a->recording =
        a->source = a->why = lent("\x1b[31m\r\n\x07\xff\xe2\x80\xae");
    a->approve->by[0]->roles[0] = a->target;
    c->statement = BYTES("\x1b]0;x\x07\rDELETE\x00\n\x9b"
                         "31m");
    c->effects[0] = c->preview = a->target;
}

static void control_characters_never_reach_the_terminal(void **state)
{
    (void)state;
    CLEANUP(free) char *text = text_of(hostile);
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    assert_null(strchr(text, '\x7f'));
    assert_null(strstr(text, "\xe2\x80\xae"));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_non_null(strstr(text, "    \\x1b]0;x\\x07\\x0dDELETE\\x00\n    \\x9b31m\n"));
}

static void long_lists_of_approvers_are_cut(Ipc__Approval *a, Ipc__ApprovalContent *c)
{
    static char *roles[200], name[129];
    (void)c;
    memset(name, 'r', sizeof name - 1);
    for (size_t i = 0; i < 200; i++)
        roles[i] = name;
    a->approve->by[0]->roles = roles;
    a->approve->by[0]->n_roles = 200;
    a->roles = roles, a->n_roles = 200;
}

static void long_lists_fit(void **state)
{
    (void)state;
    CLEANUP(free) char *text = text_of(long_lists_of_approvers_are_cut);
    assert_non_null(strstr(text, "statement (sql)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_about_it_is_told),
        cmocka_unit_test(values_previews_and_decisions_are_told),
        cmocka_unit_test(control_characters_never_reach_the_terminal),
        cmocka_unit_test(long_lists_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
