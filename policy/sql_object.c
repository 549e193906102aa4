/* What DROP, COMMENT, GRANT, ALTER … RENAME and their like name: relations, lists of strings, functions with
 * their argument types, types. A trigger, rule, policy or column is judged as its table. */
#include "policy/sql_walk.h"

static bool is_part_of_table(ObjectType type)
{
    return type == OBJECT_COLUMN || type == OBJECT_TRIGGER || type == OBJECT_RULE || type == OBJECT_POLICY ||
           type == OBJECT_TABCONSTRAINT || type == OBJECT_DEFAULT;
}

static bool is_relation(ObjectType type)
{
    return type == PG_OBJECT_TABLE || type == OBJECT_VIEW || type == OBJECT_MATVIEW || type == OBJECT_INDEX ||
           type == OBJECT_SEQUENCE || type == OBJECT_FOREIGN_TABLE;
}

static bool is_routine(ObjectType type)
{
    return type == PG_OBJECT_FUNCTION || type == OBJECT_PROCEDURE || type == OBJECT_ROUTINE ||
           type == OBJECT_AGGREGATE;
}

static void emit_list(struct walk *walk, enum effect_kind kind, ObjectType type, const List *names)
{
    if (is_relation(type))
        sql_emit_table_names(walk, kind, names, 0);
    else if (is_part_of_table(type))
        sql_emit_table_names(walk, kind, names, 1);
    else
        sql_emit_names(walk, kind, OBJECT_OTHER, names);
}

void sql_emit_object(struct walk *walk, enum effect_kind kind, ObjectType type, const RangeVar *relation,
                     Node *object)
{
    if (relation) {
        sql_emit_relation(walk, kind, relation);
        return;
    }
    if (!object) {
        sql_emit(walk, kind, OBJECT_NONE, NULL);
        return;
    }
    switch (nodeTag(object)) {
    case T_List:
        emit_list(walk, kind, type, (const List *)object);
        return;
    case T_String:
        sql_emit(walk, kind, type == PG_OBJECT_DATABASE ? OBJECT_DATABASE : OBJECT_OTHER, strVal(object));
        return;
    case T_RangeVar:
        sql_emit_relation(walk, kind, (const RangeVar *)object);
        return;
    case T_ObjectWithArgs:
        sql_emit_names(walk, kind, is_routine(type) ? OBJECT_FUNCTION : OBJECT_OTHER,
                       ((const ObjectWithArgs *)object)->objname);
        return;
    case T_TypeName:
        sql_emit_names(walk, kind, OBJECT_OTHER, ((const TypeName *)object)->names);
        return;
    case T_RoleSpec:
        sql_emit(walk, kind, OBJECT_OTHER, ((const RoleSpec *)object)->rolename);
        return;
    case T_AccessPriv: /* GRANT role TO … */
        sql_emit(walk, kind, OBJECT_OTHER, ((const AccessPriv *)object)->priv_name);
        return;
    default:
        sql_emit(walk, kind, OBJECT_NONE, NULL); /* large objects by number */
        return;
    }
}
