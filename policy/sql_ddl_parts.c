/* The parts of definitions: nothing by themselves, but they hold expressions and names of relations. */
#include "policy/sql_walk.h"

enum { CHILDREN_MAX = 5 };

struct part {
    NodeTag tag;
    size_t children[CHILDREN_MAX]; /* offsets of nodes; 0 ends */
};

#define AT(type, member) offsetof(type, member)

static const struct part parts[] = {
    { T_ColumnDef,
      { AT(ColumnDef, typeName), AT(ColumnDef, raw_default), AT(ColumnDef, constraints),
        AT(ColumnDef, fdwoptions) } },
    { T_Constraint,
      { AT(Constraint, raw_expr), AT(Constraint, exclusions), AT(Constraint, options),
        AT(Constraint, where_clause), AT(Constraint, pktable) } },
    { T_DefElem, { AT(DefElem, arg) } },
    { T_IndexElem, { AT(IndexElem, expr), AT(IndexElem, opclassopts) } },
    { T_StatsElem, { AT(StatsElem, expr) } },
    { T_FunctionParameter, { AT(FunctionParameter, defexpr) } },
    { T_TableLikeClause, { AT(TableLikeClause, relation) } },
    { T_PartitionSpec, { AT(PartitionSpec, partParams) } },
    { T_PartitionElem, { AT(PartitionElem, expr) } },
    { T_PartitionBoundSpec,
      { AT(PartitionBoundSpec, listdatums), AT(PartitionBoundSpec, lowerdatums),
        AT(PartitionBoundSpec, upperdatums) } },
    { T_PartitionRangeDatum, { AT(PartitionRangeDatum, value) } },
    { T_PartitionCmd, { AT(PartitionCmd, name), AT(PartitionCmd, bound) } },
    { T_AlterTableCmd, { AT(AlterTableCmd, def) } },
    { T_PublicationObjSpec, { AT(PublicationObjSpec, pubtable) } },
    { T_PublicationTable, { AT(PublicationTable, relation), AT(PublicationTable, whereClause) } },
    { T_RoleSpec, { 0 } },
    { T_ReplicaIdentityStmt, { 0 } },
    { T_ObjectWithArgs, { 0 } },
};

bool sql_visit_ddl_part(struct walk *walk, Node *node, const struct context *context)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].tag != nodeTag(node))
            continue;
        for (size_t k = 0; k < CHILDREN_MAX && parts[i].children[k]; k++) {
            const void *child;
            memcpy(&child, (const char *)node + parts[i].children[k], sizeof child);
            sql_push(walk, child, context);
        }
        return true;
    }
    return false;
}
