/* CREATE, ALTER, DROP, GRANT, COMMENT: mostly a table of what each statement names and which of its parts
 * hold more names and expressions. Whatever relation such a statement names (an index's table, a foreign
 * key's, a partition's parent) is an effect of the statement's kind on it, and the queries in views, rules
 * and SQL function bodies bring their own effects: what they will do when used. Bodies in strings are not
 * seen: their functions are not harmless. */
#include "policy/sql_ddl_forms.h"
#include "policy/sql_walk.h"

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
    const struct form *form = form_of(nodeTag(node));
    if (!form)
        return false;
    emit_form(walk, form, node);
    emit_called(walk, node);
    if (IsA(node, ReassignOwnedStmt) || IsA(node, AlterDomainStmt))
        sql_emit(walk, form->kind, OBJECT_NONE, NULL); /* whatever they own; every column that it checks */
    struct context inner = inside(context, form->kind);
    for (size_t k = 0; k < PARTS_MAX && form->parts[k]; k++)
        sql_push(walk, member(node, form->parts[k]), &inner);
    return true;
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
        if (((const GrantStmt *)node)->targtype != ACL_TARGET_OBJECT)
            sql_emit(walk, EFFECT_GRANT, OBJECT_NONE, NULL); /* on all in a schema, on what is to come */
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
    if (!visit_form(walk, node, context) && !visit_alter_settings(walk, node) &&
        !visit_alter_object(walk, node) && !visit_about_object(walk, node, context))
        return false;
    sql_note_change(walk, node);
    return true;
}
