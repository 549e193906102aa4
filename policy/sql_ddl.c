/* CREATE, ALTER, DROP, GRANT, COMMENT: mostly a table of what each statement names and which of its parts
 * hold more names and expressions. Whatever relation such a statement names (an index's table, a foreign
 * key's, a partition's parent) is an effect of the statement's kind on it, and the queries in views, rules
 * and SQL function bodies bring their own effects: what they will do when used. Bodies in strings are not
 * seen: their functions are not harmless. */
#include "policy/sql_walk.h"

enum naming { BY_NOTHING, BY_STRING, BY_NAMES, BY_RELATION, BY_NODE, BY_NODES };

enum { PARTS_MAX = 6 };

struct form {
    NodeTag tag;
    enum effect_kind kind;
    enum object_kind object_kind;
    enum naming naming;
    size_t name;             /* offset */
    size_t parts[PARTS_MAX]; /* offsets of nodes to visit; 0 ends */
};

#define AT(type, member) offsetof(type, member)

static const struct form forms[] = {
    { T_CreateStmt,
      EFFECT_CREATE,
      OBJECT_TABLE,
      BY_RELATION,
      AT(CreateStmt, relation),
      { AT(CreateStmt, tableElts), AT(CreateStmt, inhRelations), AT(CreateStmt, partbound),
        AT(CreateStmt, partspec), AT(CreateStmt, constraints), AT(CreateStmt, options) } },
    { T_CreateForeignTableStmt,
      EFFECT_CREATE,
      OBJECT_TABLE,
      BY_RELATION,
      AT(CreateForeignTableStmt, base.relation),
      { AT(CreateForeignTableStmt, base.tableElts), AT(CreateForeignTableStmt, base.inhRelations),
        AT(CreateForeignTableStmt, base.partbound), AT(CreateForeignTableStmt, base.constraints) } },
    { T_ViewStmt, EFFECT_CREATE, OBJECT_TABLE, BY_RELATION, AT(ViewStmt, view), { AT(ViewStmt, query) } },
    { T_IndexStmt,
      EFFECT_CREATE,
      OBJECT_TABLE,
      BY_RELATION,
      AT(IndexStmt, relation),
      { AT(IndexStmt, indexParams), AT(IndexStmt, whereClause), AT(IndexStmt, options) } },
    { T_RuleStmt,
      EFFECT_CREATE,
      OBJECT_TABLE,
      BY_RELATION,
      AT(RuleStmt, relation),
      { AT(RuleStmt, whereClause), AT(RuleStmt, actions) } },
    { T_CreateTrigStmt,
      EFFECT_CREATE,
      OBJECT_TABLE,
      BY_RELATION,
      AT(CreateTrigStmt, relation),
      { AT(CreateTrigStmt, whenClause), AT(CreateTrigStmt, constrrel) } },
    { T_CreatePolicyStmt,
      EFFECT_CREATE,
      OBJECT_TABLE,
      BY_RELATION,
      AT(CreatePolicyStmt, table),
      { AT(CreatePolicyStmt, qual), AT(CreatePolicyStmt, with_check) } },
    { T_CreateSeqStmt, EFFECT_CREATE, OBJECT_TABLE, BY_RELATION, AT(CreateSeqStmt, sequence), { 0 } },
    { T_CompositeTypeStmt, EFFECT_CREATE, OBJECT_TABLE, BY_RELATION, AT(CompositeTypeStmt, typevar), { 0 } },
    { T_CreateStatsStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_NAMES,
      AT(CreateStatsStmt, defnames),
      { AT(CreateStatsStmt, relations), AT(CreateStatsStmt, exprs) } },
    { T_CreateSchemaStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateSchemaStmt, schemaname),
      { AT(CreateSchemaStmt, schemaElts) } },
    { T_CreateFunctionStmt,
      EFFECT_CREATE,
      OBJECT_FUNCTION,
      BY_NAMES,
      AT(CreateFunctionStmt, funcname),
      { AT(CreateFunctionStmt, parameters), AT(CreateFunctionStmt, options),
        AT(CreateFunctionStmt, sql_body) } },
    { T_DefineStmt, EFFECT_CREATE, OBJECT_OTHER, BY_NAMES, AT(DefineStmt, defnames), { 0 } },
    { T_CreateEnumStmt, EFFECT_CREATE, OBJECT_OTHER, BY_NAMES, AT(CreateEnumStmt, typeName), { 0 } },
    { T_CreateRangeStmt, EFFECT_CREATE, OBJECT_OTHER, BY_NAMES, AT(CreateRangeStmt, typeName), { 0 } },
    { T_CreateDomainStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_NAMES,
      AT(CreateDomainStmt, domainname),
      { AT(CreateDomainStmt, constraints) } },
    { T_CreatePublicationStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreatePublicationStmt, pubname),
      { AT(CreatePublicationStmt, pubobjects) } },
    { T_CreateSubscriptionStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateSubscriptionStmt, subname),
      { 0 } },
    { T_CreateExtensionStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateExtensionStmt, extname),
      { 0 } },
    { T_CreateFdwStmt, EFFECT_CREATE, OBJECT_OTHER, BY_STRING, AT(CreateFdwStmt, fdwname), { 0 } },
    { T_CreateForeignServerStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateForeignServerStmt, servername),
      { 0 } },
    { T_CreateUserMappingStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateUserMappingStmt, servername),
      { 0 } },
    { T_ImportForeignSchemaStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(ImportForeignSchemaStmt, local_schema),
      { 0 } },
    { T_CreatePLangStmt, EFFECT_CREATE, OBJECT_OTHER, BY_STRING, AT(CreatePLangStmt, plname), { 0 } },
    { T_CreateConversionStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_NAMES,
      AT(CreateConversionStmt, conversion_name),
      { 0 } },
    { T_CreateCastStmt, EFFECT_CREATE, OBJECT_NONE, BY_NOTHING, 0, { 0 } },
    { T_CreateTransformStmt, EFFECT_CREATE, OBJECT_NONE, BY_NOTHING, 0, { 0 } },
    { T_CreateOpClassStmt, EFFECT_CREATE, OBJECT_OTHER, BY_NAMES, AT(CreateOpClassStmt, opclassname), { 0 } },
    { T_CreateOpFamilyStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_NAMES,
      AT(CreateOpFamilyStmt, opfamilyname),
      { 0 } },
    { T_CreateAmStmt, EFFECT_CREATE, OBJECT_OTHER, BY_STRING, AT(CreateAmStmt, amname), { 0 } },
    { T_CreateTableSpaceStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateTableSpaceStmt, tablespacename),
      { 0 } },
    { T_CreateEventTrigStmt,
      EFFECT_CREATE,
      OBJECT_OTHER,
      BY_STRING,
      AT(CreateEventTrigStmt, trigname),
      { 0 } },
    { T_CreateRoleStmt, EFFECT_CREATE, OBJECT_OTHER, BY_STRING, AT(CreateRoleStmt, role), { 0 } },
    { T_CreatedbStmt, EFFECT_CREATE, OBJECT_DATABASE, BY_STRING, AT(CreatedbStmt, dbname), { 0 } },

    { T_AlterTableStmt,
      EFFECT_ALTER,
      OBJECT_TABLE,
      BY_RELATION,
      AT(AlterTableStmt, relation),
      { AT(AlterTableStmt, cmds) } },
    { T_AlterSeqStmt, EFFECT_ALTER, OBJECT_TABLE, BY_RELATION, AT(AlterSeqStmt, sequence), { 0 } },
    { T_AlterPolicyStmt,
      EFFECT_ALTER,
      OBJECT_TABLE,
      BY_RELATION,
      AT(AlterPolicyStmt, table),
      { AT(AlterPolicyStmt, qual), AT(AlterPolicyStmt, with_check) } },
    { T_AlterDomainStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_NAMES,
      AT(AlterDomainStmt, typeName),
      { AT(AlterDomainStmt, def) } },
    { T_AlterTypeStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NAMES, AT(AlterTypeStmt, typeName), { 0 } },
    { T_AlterEnumStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NAMES, AT(AlterEnumStmt, typeName), { 0 } },
    { T_AlterFunctionStmt,
      EFFECT_ALTER,
      OBJECT_FUNCTION,
      BY_NODE,
      AT(AlterFunctionStmt, func),
      { AT(AlterFunctionStmt, actions) } },
    { T_AlterOperatorStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NODE, AT(AlterOperatorStmt, opername), { 0 } },
    { T_AlterOpFamilyStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NAMES, AT(AlterOpFamilyStmt, opfamilyname), { 0 } },
    { T_AlterPublicationStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_STRING,
      AT(AlterPublicationStmt, pubname),
      { AT(AlterPublicationStmt, pubobjects) } },
    { T_AlterSubscriptionStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_STRING,
      AT(AlterSubscriptionStmt, subname),
      { 0 } },
    { T_AlterExtensionStmt, EFFECT_ALTER, OBJECT_OTHER, BY_STRING, AT(AlterExtensionStmt, extname), { 0 } },
    { T_AlterFdwStmt, EFFECT_ALTER, OBJECT_OTHER, BY_STRING, AT(AlterFdwStmt, fdwname), { 0 } },
    { T_AlterForeignServerStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_STRING,
      AT(AlterForeignServerStmt, servername),
      { 0 } },
    { T_AlterUserMappingStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_STRING,
      AT(AlterUserMappingStmt, servername),
      { 0 } },
    { T_AlterTableSpaceOptionsStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_STRING,
      AT(AlterTableSpaceOptionsStmt, tablespacename),
      { 0 } },
    { T_AlterTableMoveAllStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_STRING,
      AT(AlterTableMoveAllStmt, orig_tablespacename),
      { 0 } },
    { T_AlterEventTrigStmt, EFFECT_ALTER, OBJECT_OTHER, BY_STRING, AT(AlterEventTrigStmt, trigname), { 0 } },
    { T_AlterTSDictionaryStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_NAMES,
      AT(AlterTSDictionaryStmt, dictname),
      { 0 } },
    { T_AlterTSConfigurationStmt,
      EFFECT_ALTER,
      OBJECT_OTHER,
      BY_NAMES,
      AT(AlterTSConfigurationStmt, cfgname),
      { 0 } },
    { T_AlterStatsStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NAMES, AT(AlterStatsStmt, defnames), { 0 } },
    { T_AlterCollationStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NAMES, AT(AlterCollationStmt, collname), { 0 } },
    { T_AlterRoleStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NODE, AT(AlterRoleStmt, role), { 0 } },
    { T_AlterDatabaseStmt, EFFECT_ALTER, OBJECT_DATABASE, BY_STRING, AT(AlterDatabaseStmt, dbname), { 0 } },
    { T_AlterDatabaseRefreshCollStmt,
      EFFECT_ALTER,
      OBJECT_DATABASE,
      BY_STRING,
      AT(AlterDatabaseRefreshCollStmt, dbname),
      { 0 } },
    { T_ReassignOwnedStmt, EFFECT_ALTER, OBJECT_OTHER, BY_NODES, AT(ReassignOwnedStmt, roles), { 0 } },

    { T_DropTableSpaceStmt,
      EFFECT_DROP,
      OBJECT_OTHER,
      BY_STRING,
      AT(DropTableSpaceStmt, tablespacename),
      { 0 } },
    { T_DropSubscriptionStmt,
      EFFECT_DROP,
      OBJECT_OTHER,
      BY_STRING,
      AT(DropSubscriptionStmt, subname),
      { 0 } },
    { T_DropUserMappingStmt,
      EFFECT_DROP,
      OBJECT_OTHER,
      BY_STRING,
      AT(DropUserMappingStmt, servername),
      { 0 } },
    { T_DropRoleStmt, EFFECT_DROP, OBJECT_OTHER, BY_NODES, AT(DropRoleStmt, roles), { 0 } },
    { T_DropOwnedStmt, EFFECT_DROP, OBJECT_OTHER, BY_NODES, AT(DropOwnedStmt, roles), { 0 } },
    { T_DropdbStmt, EFFECT_DROP, OBJECT_DATABASE, BY_STRING, AT(DropdbStmt, dbname), { 0 } },
    { T_GrantRoleStmt, EFFECT_GRANT, OBJECT_OTHER, BY_NODES, AT(GrantRoleStmt, granted_roles), { 0 } },
};

/* The pointer that stands at this offset of a node. */
static const void *member(const Node *node, size_t offset)
{
    const void *pointer;
    memcpy(&pointer, (const char *)node + offset, sizeof pointer);
    return pointer;
}

static void emit_nodes(struct walk *walk, enum effect_kind kind, ObjectType type, const List *objects)
{
    const ListCell *cell;
    if (objects == NIL)
        sql_emit(walk, kind, OBJECT_NONE, NULL);
    foreach (cell, objects)
        sql_emit_object(walk, kind, type, NULL, lfirst(cell));
}

static void emit_form(struct walk *walk, const struct form *form, const Node *node)
{
    ObjectType type = form->object_kind == OBJECT_FUNCTION ? PG_OBJECT_FUNCTION : OBJECT_ROLE;
    const void *name = form->naming == BY_NOTHING ? NULL : member(node, form->name);
    switch (form->naming) {
    case BY_NOTHING:
        sql_emit(walk, form->kind, OBJECT_NONE, NULL);
        return;
    case BY_STRING:
        sql_emit(walk, form->kind, form->object_kind, name);
        return;
    case BY_NAMES:
        sql_emit_names(walk, form->kind, form->object_kind, name);
        return;
    case BY_RELATION:
        sql_emit_relation(walk, form->kind, name);
        return;
    case BY_NODE:
        sql_emit_object(walk, form->kind, type, NULL, (Node *)name);
        return;
    case BY_NODES:
        emit_nodes(walk, form->kind, type, name);
        return;
    }
}

static struct context inside(const struct context *context, enum effect_kind kind)
{
    struct context inner = *context;
    inner.level = NULL;
    inner.reads = inner.calls = kind;
    return inner;
}

/* Code that the new object will call by itself. */
static void emit_called(struct walk *walk, const Node *node)
{
    if (IsA(node, CreateTrigStmt))
        sql_emit_names(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, ((const CreateTrigStmt *)node)->funcname);
    else if (IsA(node, CreateEventTrigStmt))
        sql_emit_names(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, ((const CreateEventTrigStmt *)node)->funcname);
}

static bool visit_form(struct walk *walk, Node *node, const struct context *context)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        if (form->tag != nodeTag(node))
            continue;
        emit_form(walk, form, node);
        emit_called(walk, node);
        struct context inner = inside(context, form->kind);
        for (size_t k = 0; k < PARTS_MAX && form->parts[k]; k++)
            sql_push(walk, member(node, form->parts[k]), &inner);
        return true;
    }
    return false;
}

/* ALTER ROLE | DATABASE | SYSTEM … SET: for sessions to come. */
static bool visit_alter_settings(struct walk *walk, const Node *node)
{
    switch (nodeTag(node)) {
    case T_AlterRoleSetStmt: {
        const AlterRoleSetStmt *alter = (const AlterRoleSetStmt *)node;
        sql_emit_object(walk, EFFECT_ALTER, OBJECT_ROLE, NULL, (Node *)alter->role);
        sql_visit_set(walk, alter->setstmt, EFFECT_ALTER);
        return true;
    }
    case T_AlterDatabaseSetStmt:
        sql_emit(walk, EFFECT_ALTER, OBJECT_DATABASE, ((const AlterDatabaseSetStmt *)node)->dbname);
        sql_visit_set(walk, ((const AlterDatabaseSetStmt *)node)->setstmt, EFFECT_ALTER);
        return true;
    case T_AlterSystemStmt:
        sql_visit_set(walk, ((const AlterSystemStmt *)node)->setstmt, EFFECT_ALTER);
        return true;
    default:
        return false;
    }
}

static bool visit_alter_object(struct walk *walk, const Node *node)
{
    switch (nodeTag(node)) {
    case T_RenameStmt: {
        const RenameStmt *s = (const RenameStmt *)node;
        if (s->relation || s->object)
            sql_emit_object(walk, EFFECT_ALTER, s->renameType, s->relation, s->object);
        else
            sql_emit(walk, EFFECT_ALTER, s->renameType == PG_OBJECT_DATABASE ? OBJECT_DATABASE : OBJECT_OTHER,
                     s->subname);
        return true;
    }
    case T_AlterOwnerStmt: {
        const AlterOwnerStmt *s = (const AlterOwnerStmt *)node;
        sql_emit_object(walk, EFFECT_ALTER, s->objectType, s->relation, s->object);
        return true;
    }
    case T_AlterObjectSchemaStmt: {
        const AlterObjectSchemaStmt *s = (const AlterObjectSchemaStmt *)node;
        sql_emit_object(walk, EFFECT_ALTER, s->objectType, s->relation, s->object);
        return true;
    }
    case T_AlterExtensionContentsStmt: {
        const AlterExtensionContentsStmt *s = (const AlterExtensionContentsStmt *)node;
        sql_emit(walk, EFFECT_ALTER, OBJECT_OTHER, s->extname);
        sql_emit_object(walk, EFFECT_ALTER, s->objtype, NULL, s->object);
        return true;
    }
    case T_AlterObjectDependsStmt: {
        const AlterObjectDependsStmt *s = (const AlterObjectDependsStmt *)node;
        sql_emit_object(walk, EFFECT_ALTER, s->objectType, s->relation, s->object);
        return true;
    }
    default:
        return false;
    }
}

static bool visit_about_object(struct walk *walk, const Node *node, const struct context *context)
{
    switch (nodeTag(node)) {
    case T_DropStmt:
        emit_nodes(walk, EFFECT_DROP, ((const DropStmt *)node)->removeType,
                   ((const DropStmt *)node)->objects);
        return true;
    case T_CommentStmt: {
        const CommentStmt *s = (const CommentStmt *)node;
        sql_emit_object(walk, EFFECT_COMMENT, s->objtype, NULL, s->object);
        return true;
    }
    case T_SecLabelStmt: {
        const SecLabelStmt *s = (const SecLabelStmt *)node;
        sql_emit_object(walk, EFFECT_COMMENT, s->objtype, NULL, s->object);
        return true;
    }
    case T_GrantStmt:
        emit_nodes(walk, EFFECT_GRANT, ((const GrantStmt *)node)->objtype,
                   ((const GrantStmt *)node)->objects);
        return true;
    case T_AlterDefaultPrivilegesStmt:
        sql_push(walk, ((const AlterDefaultPrivilegesStmt *)node)->action, context);
        return true;
    default:
        return false;
    }
}

bool sql_visit_ddl(struct walk *walk, Node *node, const struct context *context)
{
    return visit_form(walk, node, context) || visit_alter_settings(walk, node) ||
           visit_alter_object(walk, node) || visit_about_object(walk, node, context);
}
