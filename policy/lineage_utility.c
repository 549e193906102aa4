/* Statements without rows that carry masked values elsewhere, or ask about them: what a table is made of,
 * what runs later, and what is checked while it is made. */
#include "policy/lineage_parts.h"

#include <string.h>

/* A table's masked columns, all together. */
static struct fate table_fate(struct follow *f, const RangeVar *relation)
{
    return relation ? rows_all(table_rows(f, relation)) : FATE_SHOWN;
}

static void unmask_table(struct follow *f, const RangeVar *relation)
{
    if (relation)
        follow_unmask(f, table_fate(f, relation), relation->relname);
}

/* ---- constraints ---- */

/* Whether a value is there can be asked by what refers to it. */
static void references(struct follow *f, const Constraint *constraint)
{
    const ListCell *cell;
    if (constraint->contype != CONSTR_FOREIGN || !constraint->pktable)
        return;
    if (!constraint->pk_attrs) /* the primary key, whatever that is */
        follow_predicate(f, table_fate(f, constraint->pktable), constraint->pktable->relname);
    foreach (cell, constraint->pk_attrs)
        follow_predicate(f, table_column(f, constraint->pktable, strVal(lfirst(cell))), strVal(lfirst(cell)));
}

/* A column's or a table's. False when it computes something from rows that are there. */
static bool is_plain(struct follow *f, const List *constraints)
{
    const ListCell *cell;
    bool plain = true;
    foreach (cell, constraints) {
        const Constraint *constraint = lfirst(cell);
        if (!constraint || !IsA(constraint, Constraint))
            continue;
        references(f, constraint);
        if (constraint->contype == CONSTR_DEFAULT)
            follow_unmask(f, expression_fate(f, NULL, constraint->raw_expr), "a default");
        plain = plain && (constraint->contype == CONSTR_NULL || constraint->contype == CONSTR_NOTNULL ||
                          constraint->contype == CONSTR_DEFAULT || constraint->contype == CONSTR_FOREIGN);
    }
    return plain;
}

static void follow_create(struct follow *f, const CreateStmt *create)
{
    const ListCell *cell;
    foreach (cell, create->tableElts) {
        const Node *element = lfirst(cell);
        if (IsA(element, ColumnDef))
            (void)is_plain(f, ((const ColumnDef *)element)->constraints);
        else if (IsA(element, Constraint))
            references(f, (const Constraint *)element);
    }
    if (create->partbound) /* whether rows of it are in the default partition */
        foreach (cell, create->inhRelations)
            follow_predicate(f, partition_fate(f, lfirst(cell)), "the bounds of a partition");
}

/* Its columns are checked, wherever they are. */
static void follow_domain(struct follow *f, const AlterDomainStmt *alter)
{
    enum { ADD_CONSTRAINT = 'C', VALIDATE = 'V', NOT_NULL = 'O' };
    if (alter->subtype == ADD_CONSTRAINT || alter->subtype == VALIDATE || alter->subtype == NOT_NULL)
        follow_predicate(f, fate_worst(f), "a check of a domain");
}

/* Where rows are is their order, and can be seen. */
static void follow_cluster(struct follow *f, const ClusterStmt *cluster)
{
    follow_predicate(f, cluster->relation ? table_fate(f, cluster->relation) : fate_worst(f), "CLUSTER");
}

/* ---- ALTER TABLE ---- */

static bool alters_plainly(struct follow *f, const AlterTableCmd *command)
{
    const Node *definition = command->def;
    if (definition && IsA(definition, PartitionCmd))
        unmask_table(f, ((const PartitionCmd *)definition)->name);
    if (definition && IsA(definition, RangeVar))
        unmask_table(f, (const RangeVar *)definition);
    if (definition && IsA(definition, Constraint))
        references(f, (const Constraint *)definition);
    switch (command->subtype) {
    case AT_AddColumn:
        return definition && IsA(definition, ColumnDef) &&
               is_plain(f, ((const ColumnDef *)definition)->constraints);
    case AT_ColumnDefault:
    case AT_DropConstraint:
    case AT_DropNotNull:
    case AT_SetStatistics:
    case AT_SetStorage:
    case AT_ChangeOwner:
    case AT_SetRelOptions:
    case AT_ResetRelOptions:
        return true;
    default:
        return false;
    }
}

/* USING, generated columns and checks compute with what is in the table. */
static void follow_alter(struct follow *f, const AlterTableStmt *alter)
{
    const ListCell *cell;
    foreach (cell, alter->cmds)
        if (!alters_plainly(f, lfirst(cell)))
            unmask_table(f, alter->relation);
}

/* ---- what is computed from a table's rows while it is made ---- */

static void nest_table(struct follow *f, struct nest *nest, const RangeVar *relation)
{
    nest_init(nest, NULL);
    nest_add(nest, relation->relname, relation->schemaname, table_rows(f, relation));
}

/* That it can't be unique, and how large it is, tells. */
static void follow_index(struct follow *f, const IndexStmt *index)
{
    struct nest nest;
    const ListCell *cell;
    nest_table(f, &nest, index->relation);
    foreach (cell, index->indexParams) {
        const IndexElem *element = lfirst(cell);
        struct fate fate = element->name ? table_column(f, index->relation, element->name)
                                         : expression_fate(f, &nest, element->expr);
        follow_predicate(f, fate, "an index");
    }
    foreach (cell, index->indexIncludingParams) /* an entry that is too long fails */
        if (IsA(lfirst(cell), IndexElem) && ((const IndexElem *)lfirst(cell))->name)
            follow_predicate(f, table_column(f, index->relation, ((const IndexElem *)lfirst(cell))->name),
                             "an index");
    expression_condition(f, &nest, index->whereClause);
}

static void follow_statistics(struct follow *f, const CreateStatsStmt *statistics)
{
    const ListCell *cell;
    foreach (cell, statistics->relations)
        if (IsA(lfirst(cell), RangeVar))
            follow_predicate(f, table_fate(f, lfirst(cell)), "statistics");
}

/* ---- what runs later, or is not followed ---- */

static void follow_parameters(struct follow *f, const List *parameters)
{
    follow_unmask(f, expression_fate(f, NULL, (const Node *)parameters), "a parameter of EXECUTE");
}

/* At its end deferred constraints are checked, and triggers run: of tables that other statements have named.
 */
static void hide_texts(struct follow *f)
{
    f->out->any = fate_worst(f);
}

static void follow_renamed(struct follow *f, const RenameStmt *rename)
{
    if (rename->renameType == OBJECT_SCHEMA)
        follow_unmask(f, fate_worst(f), rename->subname);
    unmask_table(f, rename->relation);
}

void follow_utility(struct follow *f, const Node *node)
{
    switch (nodeTag(node)) {
    case T_RenameStmt:
        follow_renamed(f, (const RenameStmt *)node);
        break;
    case T_AlterObjectSchemaStmt:
        unmask_table(f, ((const AlterObjectSchemaStmt *)node)->relation);
        break;
    case T_CreateStmt:
        follow_create(f, (const CreateStmt *)node);
        break;
    case T_AlterTableStmt:
        follow_alter(f, (const AlterTableStmt *)node);
        break;
    case T_IndexStmt:
        follow_index(f, (const IndexStmt *)node);
        break;
    case T_AlterDomainStmt:
        follow_domain(f, (const AlterDomainStmt *)node);
        break;
    case T_ClusterStmt:
        follow_cluster(f, (const ClusterStmt *)node);
        break;
    case T_CreateStatsStmt:
        follow_statistics(f, (const CreateStatsStmt *)node);
        break;
    case T_CreateFunctionStmt:
    case T_DoStmt:
        follow_unmask(f, fate_worst(f), "code that is not followed");
        hide_texts(f);
        break;
    case T_RuleStmt:
    case T_CreateTrigStmt:
    case T_CreatePolicyStmt:
    case T_AlterPolicyStmt:
        follow_unmask(f, fate_worst(f), "what is done with rows later");
        break;
    case T_ExecuteStmt:
        follow_parameters(f, ((const ExecuteStmt *)node)->params);
        break;
    case T_TransactionStmt:
        if (((const TransactionStmt *)node)->kind == TRANS_STMT_COMMIT ||
            ((const TransactionStmt *)node)->kind == TRANS_STMT_PREPARE)
            hide_texts(f);
        break;
    case T_ConstraintsSetStmt:
        hide_texts(f);
        break;
    default:
        break;
    }
}
