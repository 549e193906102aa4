/* What the grammar of this version cannot make, and that of the next one may. */
#include "policy/sql_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void assert_unknown(struct sql_statement *statement, Node *node)
{
    const char *why = NULL;
    assert_int_equal(sql_walk_run(statement, node, &why), 0);
    assert_null(why);
    bool unknown = false;
    for (size_t i = 0; i < statement->effects.count; i++)
        unknown |= statement->effects.items[i].kind == EFFECT_UNKNOWN;
    assert_true(unknown);
    effects_free(&statement->effects);
}

static void a_statement_of_an_unknown_kind_is_unknown(void **state)
{
    (void)state;
    struct sql_statement statement = { 0 };
    static const NodeTag tags[] = { T_PlannedStmt, T_PLAssignStmt, T_Query, T_SetOperationStmt,
                                    (NodeTag)30000 };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        Node node = { tags[i] };
        assert_unknown(&statement, &node);
    }
}

static void an_expression_of_an_unknown_kind_makes_its_statement_unknown(void **state)
{
    (void)state;
    struct sql_statement statement = { 0 };
    Node strange = { (NodeTag)30000 };
    SelectStmt select = { .type = T_SelectStmt, .whereClause = &strange };
    assert_unknown(&statement, (Node *)&select);
    DeleteStmt delete = { .type = T_DeleteStmt,
                          .relation = &(RangeVar){ .type = T_RangeVar, .relname = (char[]){ "t" } },
                          .whereClause = &strange };
    assert_unknown(&statement, (Node *)&delete);
    MergeWhenClause when = { .type = T_MergeWhenClause, .commandType = CMD_UTILITY };
    List whens = { .type = T_List, .length = 1, .elements = (ListCell[]){ { .ptr_value = &when } } };
    MergeStmt merge = { .type = T_MergeStmt, .relation = delete.relation, .mergeWhenClauses = &whens };
    assert_unknown(&statement, (Node *)&merge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_of_an_unknown_kind_is_unknown),
        cmocka_unit_test(an_expression_of_an_unknown_kind_makes_its_statement_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
