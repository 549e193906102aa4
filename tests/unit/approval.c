/* replay/approval, policy/approval_digest: who may decide, who is whom, how many agree, what the digest is
 * of.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "check.h"
#include "replay/approval.h"

static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---- ids ---- */

static void ids_are_read_as_people_type_them(void **state)
{
    (void)state;
    char id[APPROVAL_ID + 1], again[APPROVAL_ID + 1];
    assert_true(approval_read_id("a7k2mq", id));
    assert_string_equal(id, "A7K2MQ");
    static const char *const bad[] = { "",       "A7K2M",  "A7K2MQQ", "A7K2M0",
                                       "A7K2M1", "AIK2MQ", "A7K2M-",  "A7K2M\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(approval_read_id(bad[i], id));
    for (int i = 0; i < 1000; i++) {
        approval_new_id(id);
        assert_true(approval_read_id(id, again));
        assert_string_equal(id, again);
    }
}

/* ---- the digest ---- */

static const Ipc__ApprovalValue one_value = IPC__APPROVAL_VALUE__INIT;

static Ipc__ApprovalContent content_of(const char *statement, Ipc__ApprovalValue **values, char **effects,
                                       Ipc__Variable **context)
{
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    content.statement = (ProtobufCBinaryData){ strlen(statement), (uint8_t *)lent(statement) };
    content.values = values;
    content.n_values = values ? 1 : 0;
    content.effects = effects;
    content.n_effects = effects ? 1 : 0;
    content.context = context;
    content.n_context = context ? 1 : 0;
    return content;
}

static void what_is_signed_names_the_request(void **state)
{
    (void)state;
    static const uint8_t digest[APPROVAL_DIGEST] = { 0x0f, 0xa0 };
    static const char zeroes[] = "000000000000000000000000000000000000000000000000000000000000";
    char message[APPROVAL_MESSAGE_MAX], expected[APPROVAL_MESSAGE_MAX];
    (void)snprintf(expected, sizeof expected, "0fa0%s\nrequest A7K2MQ\n", zeroes);
    assert_string_equal(approval_message("A7K2MQ", digest, 0, message), expected);
    (void)snprintf(expected, sizeof expected, "0fa0%s\nrequest A7K2MQ\nfor 90m\n", zeroes);
    assert_string_equal(approval_message("A7K2MQ", digest, 5400000, message), expected);
    (void)approval_message("0123456789abcdef and more", digest, APPROVAL_FOR_MAX_MS - 1, message);
    assert_non_null(strstr(message, "request 0123456789abcdef\nfor 2591999999ms\n"));
}

/* The encoding of docs/approvals.md, written down a second time. */
static void the_digest_is_of_the_documented_bytes(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "gatehouse approval 1\0"
                                   "\0\0\0\3sql"
                                   "\0\0\0\6corp/b"
                                   "\0\0\0\0"
                                   "\0\0\0\6orders"
                                   "\0\0\0\3app"
                                   "\0\0\0\2p1"
                                   "\0\0\0\10DELETE 1"
                                   "\0\0\0\1"
                                   "\0\0\0\0\0\0\0\27\0\0\0\1\0\0\0\2\xff\0"
                                   "\0\0\0\1\0\0\0\6delete"
                                   "\0\0\0\1\0\0\0\4role\0\0\0\3dba";
    uint8_t expected[32], got[APPROVAL_DIGEST];
    char *effects[] = { lent("delete") };
    Ipc__Variable setting = IPC__VARIABLE__INIT, *context[] = { &setting };
    Ipc__ApprovalValue value = one_value, *values[] = { &value };
    struct approval_subject subject = { "sql", "corp/b", "", "orders", "app", "p1" };
    setting.name = lent("role");
    setting.value = lent("dba");
    value.type = 23;
    value.format = 1;
    value.value = (ProtobufCBinaryData){ 2, (uint8_t[]){ 0xff, 0 } };
    Ipc__ApprovalContent content = content_of("DELETE 1", values, effects, context);
    crypto_hash_sha256(expected, bytes, sizeof bytes - 1);
    approval_digest(&subject, &content, got);
    assert_memory_equal(got, expected, sizeof got);
    content.preview = lent("3 rows");
    content.omitted = 7;
    approval_digest(&subject, &content, got);
    assert_memory_equal(got, expected, sizeof got);
}

static void everything_that_matters_changes_the_digest(void **state)
{
    (void)state;
    struct approval_subject plain = { "sql", "b", "c", "d", "e", "f" };
    uint8_t first[APPROVAL_DIGEST], other[APPROVAL_DIGEST];
    Ipc__ApprovalValue value = one_value, *values[] = { &value };
    char *effects[] = { lent("x") };
    Ipc__Variable setting = IPC__VARIABLE__INIT, *context[] = { &setting };
    Ipc__ApprovalContent content = content_of("s", values, effects, context);
    approval_digest(&plain, &content, first);
    const struct approval_subject subjects[] = {
        { "cmd", "b", "c", "d", "e", "f" }, { "sql", "bc", "", "d", "e", "f" },
        { "sql", "b", "", "cd", "e", "f" }, { "sql", "b", "c", "", "de", "f" },
        { "sql", "b", "c", "d", "ef", "" }, { "sql", "b", "c", "d", "e", "g" },
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        approval_digest(&subjects[i], &content, other);
        assert_memory_not_equal(first, other, sizeof first);
    }
    for (int i = 0; i < 7; i++) {
        Ipc__ApprovalContent changed = content;
        Ipc__ApprovalValue odd = value, *odds[] = { &odd };
        changed.values = odds;
        odd.null = i == 0;
        odd.type = i == 1;
        odd.format = i == 2;
        odd.value.len = i == 3;
        odd.value.data = (uint8_t *)lent("s");
        changed.n_values = i != 4;
        changed.n_effects = i != 5;
        changed.n_context = i != 6;
        approval_digest(&plain, &changed, other);
        assert_memory_not_equal(first, other, sizeof first);
    }
}

/* ---- people ---- */

static void any_name_in_common_makes_two_people_one(void **state)
{
    (void)state;
    static const struct {
        const char *a[4], *b[4]; /* name, subject, username, actor */
        bool near;
    } cases[] = {
        { { "corp/anna", "1", "anna", "" }, { "corp/olga", "2", "olga", "" }, false },
        { { "corp/anna", "1", "anna", "" }, { "corp/anna", "", "", "" }, true },
        { { "corp/anna", "1", "anna", "" }, { "other/anna", "9", "anna", "" }, true },
        { { "corp/anna", "1", "", "" }, { "corp/x", "1", "", "" }, true },
        { { "corp/anna", "1", "", "bot" }, { "corp/olga", "2", "", "bot" }, true },
        { { "corp/anna", "1", "", "bot" }, { "corp/b", "bot", "", "" }, true },
        { { "corp/anna", "", "", "" }, { "corp/olga", "", "", "" }, false },
        { { "", "", "", "" }, { "", "", "", "" }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ipc__Person a = IPC__PERSON__INIT, b = IPC__PERSON__INIT;
        a.name = lent(cases[i].a[0]), a.subject = lent(cases[i].a[1]);
        a.username = lent(cases[i].a[2]), a.actor = lent(cases[i].a[3]);
        b.name = lent(cases[i].b[0]), b.subject = lent(cases[i].b[1]);
        b.username = lent(cases[i].b[2]), b.actor = lent(cases[i].b[3]);
        assert_int_equal(person_is_near(&a, &b), cases[i].near);
        assert_int_equal(person_is_near(&b, &a), cases[i].near);
    }
}

/* ---- how many ---- */

enum { PEOPLE = 5, GROUPS = 3 };

/* Groups and people are strings of roles, one letter each. */
static bool complete(const char *const groups[GROUPS], uint32_t quorum, const char *const people[PEOPLE])
{
    static char names[26][2];
    char *roles[GROUPS + PEOPLE][8];
    Ipc__RoleGroup group[GROUPS], *by[GROUPS];
    Ipc__ApprovalDecision decision[PEOPLE], *decisions[PEOPLE];
    Ipc__Approve approve = IPC__APPROVE__INIT;
    Ipc__Approval approval = IPC__APPROVAL__INIT;
    for (int i = 0; i < 26; i++)
        names[i][0] = (char)('a' + i);
    for (size_t g = 0; g < GROUPS && groups[g]; g++) {
        ipc__role_group__init(&group[g]);
        group[g].roles = roles[g];
        for (const char *r = groups[g]; *r; r++)
            roles[g][group[g].n_roles++] = names[*r - 'a'];
        by[approve.n_by++] = &group[g];
    }
    for (size_t p = 0; p < PEOPLE && people[p]; p++) {
        ipc__approval_decision__init(&decision[p]);
        decision[p].roles = roles[GROUPS + p];
        for (const char *r = people[p]; *r; r++)
            roles[GROUPS + p][decision[p].n_roles++] = names[*r - 'a'];
        decisions[approval.n_decisions++] = &decision[p];
    }
    approve.by = by;
    approve.quorum = quorum;
    approval.approve = &approve;
    approval.decisions = decisions;
    return approval_is_complete(&approval);
}

static void enough_agree_when_the_quorum_is_met_and_each_group_has_somebody_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *groups[GROUPS];
        uint32_t quorum;
        const char *people[PEOPLE];
        bool complete;
    } cases[] = {
        { { "d" }, 1, { NULL }, false },
        { { "d" }, 0, { NULL }, false },
        { { "d" }, 1, { "d" }, true },
        { { "d" }, 2, { "d" }, false },
        { { "d" }, 2, { "d", "d" }, true },
        { { "de" }, 1, { "e" }, true },
        { { "d", "s" }, 1, { "d", "d" }, false },
        { { "d", "s" }, 1, { "ds" }, false },
        { { "d", "s" }, 1, { "ds", "s" }, true },
        { { "d", "s" }, 1, { "ds", "d" }, true },
        { { "d", "s" }, 3, { "ds", "d" }, false },
        { { "d", "s", "x" }, 1, { "dsx", "ds", "d" }, true },
        { { "d", "s", "x" }, 1, { "d", "ds", "dsx" }, true },
        { { "d", "s", "x" }, 1, { "ds", "ds", "d" }, false },
        { { "d", "d", "s" }, 1, { "d", "s" }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (complete(cases[i].groups, cases[i].quorum, cases[i].people) != cases[i].complete)
            fail_msg("case %zu", i);
}

/* ---- what is kept ---- */

static void what_is_kept_is_bounded_and_says_what_is_missing(void **state)
{
    (void)state;
    enum { STATEMENT = APPROVAL_STATEMENT_MAX + 5, MANY = APPROVAL_VALUES_MAX + 3 };
    CLEANUP(free) char *statement = malloc(STATEMENT + 1);
    char effect[APPROVAL_EFFECT_MAX + 3], *effects[MANY];
    uint8_t large[APPROVAL_VALUE_MAX + 1] = { 0 };
    Ipc__ApprovalValue value = one_value, *values[MANY];
    Ipc__ApprovalContent *kept = NULL;
    assert_non_null(statement);
    memset(statement, 's', STATEMENT);
    statement[STATEMENT] = 0;
    memset(effect, 'e', sizeof effect - 1);
    memcpy(effect + APPROVAL_EFFECT_MAX - 1, "\xc3\xa9", 2); /* a character across the limit */
    effect[sizeof effect - 1] = 0;
    value.value = (ProtobufCBinaryData){ sizeof large, large };
    for (size_t i = 0; i < MANY; i++)
        values[i] = &value, effects[i] = effect;
    Ipc__ApprovalContent whole = content_of(statement, values, effects, NULL);
    whole.n_values = whole.n_effects = MANY;
    assert_int_equal(approval_cut(&whole, &kept), 0);
    assert_int_equal(kept->statement.len, APPROVAL_STATEMENT_MAX);
    assert_int_equal(kept->omitted, 5);
    assert_int_equal(kept->n_values, APPROVAL_VALUES_MAX);
    assert_int_equal(kept->values[0]->value.len, APPROVAL_VALUE_MAX);
    assert_int_equal(kept->values_omitted, MANY); /* three not at all, the others not whole */
    assert_int_equal(kept->n_effects, APPROVAL_EFFECTS_MAX);
    assert_int_equal(kept->effects_omitted, MANY - APPROVAL_EFFECTS_MAX);
    assert_int_equal(strlen(kept->effects[0]), APPROVAL_EFFECT_MAX - 1);
    ipc__approval_content__free_unpacked(kept, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_read_as_people_type_them),
        cmocka_unit_test(what_is_signed_names_the_request),
        cmocka_unit_test(the_digest_is_of_the_documented_bytes),
        cmocka_unit_test(everything_that_matters_changes_the_digest),
        cmocka_unit_test(any_name_in_common_makes_two_people_one),
        cmocka_unit_test(enough_agree_when_the_quorum_is_met_and_each_group_has_somebody_of_its_own),
        cmocka_unit_test(what_is_kept_is_bounded_and_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
