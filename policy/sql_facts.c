/* What a statement mentions beyond its effects, and what it changes in the catalog: for those who resolve
 * names.
 *
 * What changes: most definitions leave all other names alone. Those after which a name may lead elsewhere are
 * listed; what is not listed and makes something is SQL_CHANGES_CATALOG, since the table of definitions
 * (sql_ddl_forms.c) is complete. */
#include <errno.h>

#include "policy/sql_walk.h"

enum { FACTS_FIRST = 128, PATH_TEXT_MAX = 2048 };

bool sql_next_fact(const struct sql_facts *facts, size_t *cursor, enum sql_fact *ret, const char **ret_text)
{
    if (*cursor >= facts->n)
        return false;
    *ret = (enum sql_fact)facts->bytes[*cursor];
    *ret_text = facts->bytes + *cursor + 1;
    *cursor += 2 + strlen(*ret_text);
    return true;
}

static bool is_noted(struct walk *walk, const struct sql_facts *facts, enum sql_fact fact, const char *text)
{
    size_t cursor = 0;
    enum sql_fact other;
    const char *other_text;
    while (sql_next_fact(facts, &cursor, &other, &other_text))
        if (!sql_work(walk, 1) || (other == fact && strcmp(other_text, text) == 0))
            return true;
    return false;
}

void sql_note(struct walk *walk, enum sql_fact fact, const char *text)
{
    struct sql_facts *facts = &walk->statement->facts;
    size_t n = strlen(text) + 2;
    if (facts->overflow || is_noted(walk, facts, fact, text))
        return;
    if (facts->n + n > SQL_FACTS_MAX) {
        facts->overflow = true;
        return;
    }
    if (facts->n + n > facts->capacity) {
        size_t capacity = facts->capacity ? facts->capacity : FACTS_FIRST;
        while (capacity < facts->n + n)
            capacity *= 2;
        char *bytes = realloc(facts->bytes, capacity);
        if (!bytes) {
            sql_fail(walk, -ENOMEM);
            return;
        }
        facts->bytes = bytes;
        facts->capacity = capacity;
    }
    facts->bytes[facts->n] = (char)fact;
    memcpy(facts->bytes + facts->n + 1, text, n - 1);
    facts->n += n;
}

void sql_note_operator(struct walk *walk, const List *name)
{
    if (name)
        sql_note(walk, SQL_FACT_OPERATOR, strVal(llast(name)));
}

/* The grammar's own types come with pg_catalog in front; serial is a word for columns, and no type. */
static bool is_grammars(const char *name)
{
    static const char *const words[] = {
        "serial", "serial2", "serial4", "serial8", "bigserial", "smallserial"
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return strncmp(name, "pg_catalog.", strlen("pg_catalog.")) == 0;
}

void sql_note_type(struct walk *walk, const TypeName *type)
{
    char name[EFFECT_NAME_MAX];
    if (!type->names)
        return;
    if (!sql_join_names(type->names, name))
        sql_fail(walk, -ENAMETOOLONG);
    else if (!is_grammars(name))
        sql_note(walk, SQL_FACT_TYPE, name);
}

void sql_note_cast(struct walk *walk, const TypeCast *cast)
{
    const List *names = cast->typeName->names;
    if (!names)
        return;
    if (strcmp(strVal(llast(names)), "regclass") == 0 && cast->arg && IsA(cast->arg, A_Const)) {
        const A_Const *constant = (const A_Const *)cast->arg;
        if (!constant->isnull && IsA(&constant->val, String))
            sql_note(walk, SQL_FACT_REGCLASS, constant->val.sval.sval);
    }
}

void sql_change(struct walk *walk, enum sql_change change)
{
    if (walk->statement->change < change)
        walk->statement->change = change;
}

void sql_note_made(struct walk *walk, const RangeVar *relation, bool plain)
{
    bool temporary = relation->relpersistence == SQL_TEMPORARY ||
                     (relation->schemaname && strncmp(relation->schemaname, "pg_temp", 7) == 0);
    if (temporary) {
        sql_note(walk, SQL_FACT_TEMPORARY, relation->relname);
        return;
    }
    if (plain)
        sql_note(walk, SQL_FACT_FRESH, relation->relname);
    sql_change(walk, plain ? SQL_CHANGES_CATALOG : SQL_CHANGES_NAMES);
}

static void note_altered(struct walk *walk, const AlterTableStmt *alter)
{
    const ListCell *cell;
    sql_change(walk, SQL_CHANGES_CATALOG);
    foreach (cell, alter->cmds) {
        const AlterTableCmd *command = lfirst(cell);
        walk->statement->cascades |= command->behavior == DROP_CASCADE;
        switch (command->subtype) {
        case AT_AttachPartition:
        case AT_DetachPartition:
        case AT_AddInherit:
        case AT_DropInherit:
            sql_change(walk, SQL_CHANGES_NAMES);
            break;
        default:
            break;
        }
    }
}

static bool is_about_names(ObjectType type)
{
    switch (type) {
    case PG_OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATVIEW:
    case OBJECT_INDEX:
    case OBJECT_SEQUENCE:
    case OBJECT_FOREIGN_TABLE:
    case PG_OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_AGGREGATE:
    case OBJECT_RULE:
        return true;
    default:
        return false;
    }
}

/* Of names inside of a table, and of what is found by no statement. */
static bool is_about_parts(ObjectType type)
{
    switch (type) {
    case OBJECT_COLUMN:
    case OBJECT_TABCONSTRAINT:
    case OBJECT_TRIGGER:
    case OBJECT_POLICY:
    case OBJECT_ROLE:
    case PG_OBJECT_DATABASE:
    case OBJECT_PUBLICATION:
    case OBJECT_SUBSCRIPTION:
    case OBJECT_STATISTIC_EXT:
    case OBJECT_TYPE:
    case OBJECT_ATTRIBUTE:
        return true;
    default:
        return false;
    }
}

static void note_moved(struct walk *walk, ObjectType type)
{
    if (is_about_parts(type))
        sql_change(walk, SQL_CHANGES_CATALOG);
    else
        sql_change(walk, is_about_names(type) ? SQL_CHANGES_NAMES : SQL_CHANGES_EVERYTHING);
}

static bool is_plain(const CreateStmt *create)
{
    return !create->inhRelations && !create->partbound && !create->ofTypename;
}

void sql_note_change(struct walk *walk, const Node *node)
{
    switch (nodeTag(node)) {
    case T_CreateStmt:
        sql_note_made(walk, ((const CreateStmt *)node)->relation, is_plain((const CreateStmt *)node));
        break;
    case T_CreateSeqStmt:
        sql_note_made(walk, ((const CreateSeqStmt *)node)->sequence, true);
        break;
    case T_ViewStmt: {
        const ViewStmt *view = (const ViewStmt *)node;
        sql_note_made(walk, view->view, false);
        sql_change(walk, SQL_CHANGES_NAMES);
        break;
    }
    case T_AlterTableStmt:
        note_altered(walk, (const AlterTableStmt *)node);
        break;
    case T_DropOwnedStmt:
        walk->statement->cascades = true; /* whatever they own, without being named */
        sql_change(walk, SQL_CHANGES_EVERYTHING);
        break;
    case T_RenameStmt:
        note_moved(walk, ((const RenameStmt *)node)->renameType);
        sql_note(walk, SQL_FACT_RENAMED, ((const RenameStmt *)node)->newname);
        break;
    case T_AlterObjectSchemaStmt:
        note_moved(walk, ((const AlterObjectSchemaStmt *)node)->objectType);
        break;
    case T_DropStmt:
        note_moved(walk, ((const DropStmt *)node)->removeType);
        walk->statement->cascades |= ((const DropStmt *)node)->behavior == DROP_CASCADE;
        break;
    case T_CreateForeignTableStmt:
    case T_CreateFunctionStmt:
    case T_AlterFunctionStmt:
    case T_AlterOwnerStmt:
    case T_RuleStmt:
        sql_change(walk, SQL_CHANGES_NAMES);
        break;
    case T_DefineStmt:
    case T_CreateCastStmt:
    case T_CreateOpClassStmt:
    case T_CreateOpFamilyStmt:
    case T_CreateRangeStmt:
    case T_CreateDomainStmt:
    case T_CreateExtensionStmt:
    case T_CreatePLangStmt:
    case T_CreateTransformStmt:
    case T_CreateConversionStmt:
    case T_AlterDomainStmt:
    case T_AlterExtensionStmt:
    case T_AlterExtensionContentsStmt:
    case T_AlterOperatorStmt:
    case T_AlterOpFamilyStmt:
    case T_AlterTypeStmt:
    case T_ImportForeignSchemaStmt:
    case T_ReassignOwnedStmt:
        sql_change(walk, SQL_CHANGES_EVERYTHING);
        break;
    case T_CommentStmt:
    case T_SecLabelStmt:
        break;
    default:
        sql_change(walk, SQL_CHANGES_CATALOG);
        break;
    }
}

static bool is_zero(const Node *value)
{
    if (value && IsA(value, A_Const) && IsA(&((const A_Const *)value)->val, Integer))
        return ((const A_Const *)value)->val.ival.ival == 0;
    return false;
}

void sql_note_modes(struct walk *walk, const List *modes)
{
    const ListCell *cell;
    foreach (cell, modes) {
        const DefElem *mode = lfirst(cell);
        if (IsA(mode, DefElem) && strcmp(mode->defname, "transaction_read_only") == 0 && is_zero(mode->arg))
            walk->statement->asks_read_write = true;
    }
}

/* Each value is one name, in quotes where it becomes text (flatten_set_variable_args). */
void sql_note_path(struct walk *walk, const List *args)
{
    char text[PATH_TEXT_MAX];
    size_t n = 0;
    const ListCell *cell;
    foreach (cell, args) {
        const A_Const *value = lfirst(cell);
        const char *at = IsA(value, A_Const) && IsA(&value->val, String) ? value->val.sval.sval : NULL;
        if (!at || n + 2 * strlen(at) + 4 > sizeof text) {
            walk->statement->any_path = true;
            return;
        }
        if (n)
            text[n++] = ',';
        text[n++] = '"';
        for (; *at; at++) {
            if (*at == '"')
                text[n++] = '"';
            text[n++] = *at;
        }
        text[n++] = '"';
    }
    text[n] = '\0';
    sql_note(walk, SQL_FACT_PATH, text);
}
