/* Plain catalog queries, for PostgreSQL 12 and newer. They run under search_path = pg_catalog, so that every
 * name in them, and in the view definitions that they print, means what it says.
 *
 * A function counts as harmless here by the same rule as in policy/sql_resolve_function.c; PostgreSQL's own
 * are left to the table there. */
#include "channels/pg/catalog_sql.h"

#define HARMLESS(p)                                                                                          \
    "(" p ".oid < 16384 OR (NOT " p ".prosecdef AND EXISTS (SELECT FROM pg_roles ro, pg_language la WHERE "  \
    "ro.oid = " p ".proowner AND ro.rolsuper AND la.oid = " p ".prolang AND (la.lanname IN ('c', "           \
    "'internal') AND " p ".provolatile <> 'v' OR la.lanname = 'sql' AND " p ".provolatile = 'i'))))"

/* Names of relations, schema and name by turns. */
#define RELATION_NAMES(source)                                                                               \
    "ARRAY(SELECT u FROM (" source ") AS found(oid), pg_class fc, pg_namespace fn, LATERAL unnest("          \
    "ARRAY[fn.nspname::text, fc.relname::text]) WITH ORDINALITY AS t(u, o) WHERE fc.oid = found.oid AND "    \
    "fn.oid = fc.relnamespace ORDER BY fc.oid, o)"
#define FUNCTION_NAMES(source)                                                                               \
    "ARRAY(SELECT u FROM (" source ") AS found(oid), pg_proc fp, pg_namespace fn, LATERAL unnest("           \
    "ARRAY[fn.nspname::text, fp.proname::text]) WITH ORDINALITY AS t(u, o) WHERE fp.oid = found.oid AND "    \
    "fn.oid = fp.pronamespace ORDER BY fp.oid, o)"

/* What writing to a relation, or keeping it up, may reach: itself, its heirs, and those that follow a row by
 * a foreign key. */
#define KIN                                                                                                  \
    "ARRAY(WITH RECURSIVE kin(oid) AS (SELECT c.oid UNION SELECT n.oid FROM kin, LATERAL (SELECT inhrelid "  \
    "FROM pg_inherits WHERE inhparent = kin.oid UNION ALL SELECT conrelid FROM pg_constraint WHERE "         \
    "confrelid = kin.oid AND contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', "     \
    "'n', 'd'))) AS n(oid)) SELECT oid FROM kin LIMIT 2049)"
/* The functions that an object depends on, also by way of an operator. */
#define NEEDED                                                                                               \
    "coalesce(op.oprcode::oid, d.refobjid) FROM pg_depend d LEFT JOIN pg_operator op ON d.refclassid = "     \
    "'pg_operator'::regclass AND op.oid = d.refobjid WHERE d.refclassid IN ('pg_proc'::regclass, "           \
    "'pg_operator'::regclass) AND "
/* Checks and defaults of domains. */
#define NEEDED_BY_DOMAINS                                                                                    \
    "fn.oid, true FROM (SELECT " NEEDED "(d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid " \
    "FROM pg_constraint WHERE contypid <> 0) OR d.classid = 'pg_type'::regclass AND d.objid IN (SELECT oid " \
    "FROM pg_type WHERE typtype = 'd'))) AS fn(oid)"

const char catalog_sql_relations[] =
    "SELECT c.oid::text, n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, "
    "c.relkind::text, "
    "c.relrowsecurity::text, "
    "EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = ANY (k.kin) AND w.rulename <> '_RETURN')::text, "
    "c.reltype::text, "
    /* a view's definition, up to a bound */
    "(SELECT d FROM (SELECT CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384 THEN pg_get_viewdef(c.oid) "
    "END) AS v(d) WHERE length(d) < 262144), "
    /* columns */
    "ARRAY(SELECT attname::text FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT "
    "attisdropped "
    "ORDER BY a.attnum), "
    "ARRAY(SELECT attnum::text FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT "
    "attisdropped "
    "ORDER BY a.attnum), "
    "ARRAY(SELECT atttypid::oid::text FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT "
    "attisdropped ORDER BY a.attnum), "
    /* what a view's definition depends on: oid, schema, name, column, number by turns */
    "CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384 THEN ARRAY(SELECT u FROM (SELECT DISTINCT rc.oid, "
    "rn.nspname, rc.relname, coalesce(ra.attname, '') AS attname, d.refobjsubid FROM pg_rewrite w JOIN "
    "pg_depend d "
    "ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND "
    "d.refobjid <> c.oid JOIN pg_class rc ON rc.oid = d.refobjid JOIN pg_namespace rn ON rn.oid = "
    "rc.relnamespace "
    "LEFT JOIN pg_attribute ra ON ra.attrelid = rc.oid AND ra.attnum = d.refobjsubid AND d.refobjsubid <> 0 "
    "WHERE "
    "w.ev_class = c.oid ORDER BY 1, 5 LIMIT 2049) AS x, LATERAL unnest(ARRAY[x.oid::text, x.nspname::text, "
    "x.relname::text, x.attname::text, x.refobjsubid::text]) WITH ORDINALITY AS t(u, o) ORDER BY x.oid, "
    "x.refobjsubid, o) ELSE '{}'::text[] END, "
    /* ancestors (an index's table), descendants */
    RELATION_NAMES("WITH RECURSIVE up(oid) AS (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid "
                   "UNION SELECT indrelid FROM pg_index WHERE indexrelid = c.oid UNION SELECT "
                   "i.inhparent FROM pg_inherits i, up WHERE i.inhrelid = up.oid) SELECT oid FROM up LIMIT "
                   "2049") ", " RELATION_NAMES("WITH RECURSIVE down(oid) AS (SELECT inhrelid FROM "
                                               "pg_inherits WHERE inhparent = c.oid AND "
                                               "c.relkind IN ('r', 'p', 'f') UNION SELECT i.inhrelid FROM "
                                               "pg_inherits i, down WHERE i.inhparent = "
                                               "down.oid) SELECT oid FROM down LIMIT 2049") ", "
    /* whose rows go or change along */
    RELATION_NAMES(
        "WITH RECURSIVE after(oid) AS (SELECT conrelid FROM pg_constraint WHERE confrelid = c.oid AND "
        "contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')) UNION SELECT "
        "k.conrelid FROM pg_constraint k, after WHERE k.confrelid = after.oid AND k.contype = 'f' AND "
        "(k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))) SELECT oid FROM after "
        "LIMIT 2049") ", "
    /* functions of triggers; of defaults, constraints, policies, indexes, statistics, partition keys */
    FUNCTION_NAMES(
        "SELECT DISTINCT tgfoid FROM pg_trigger WHERE tgrelid = ANY (k.kin) AND NOT tgisinternal "
        "LIMIT 2049") ", " FUNCTION_NAMES("SELECT DISTINCT " NEEDED
                                          "(d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid "
                                          "FROM pg_attrdef WHERE adrelid = ANY "
                                          "(k.kin)) OR d.classid = 'pg_constraint'::regclass AND d.objid IN "
                                          "(SELECT oid FROM pg_constraint "
                                          "WHERE conrelid = ANY (k.kin)) OR d.classid = "
                                          "'pg_policy'::regclass AND d.objid IN (SELECT oid FROM "
                                          "pg_policy WHERE polrelid = ANY (k.kin)) OR d.classid = "
                                          "'pg_trigger'::regclass AND d.objid IN "
                                          "(SELECT oid FROM pg_trigger WHERE tgrelid = ANY (k.kin)) OR "
                                          "d.classid = "
                                          "'pg_statistic_ext'::regclass AND d.objid IN (SELECT oid FROM "
                                          "pg_statistic_ext WHERE stxrelid = ANY "
                                          "(k.kin)) OR d.classid = 'pg_class'::regclass AND d.objid IN "
                                          "(SELECT unnest(k.kin) UNION ALL SELECT "
                                          "indexrelid FROM pg_index WHERE indrelid = ANY (k.kin))) LIMIT "
                                          "2049") " FROM pg_class c JOIN pg_namespace n ON n.oid = "
                                                  "c.relnamespace, LATERAL (SELECT " KIN ") AS k(kin) "
                                                  "WHERE (c.relname = ANY ($1::text[]::name[]) OR c.oid = "
                                                  "ANY ($2::text[]::oid[])) AND c.relpersistence "
                                                  "<> 't' ORDER BY c.relname, n.nspname LIMIT 20000";

const char catalog_sql_functions[] =
    "SELECT p.oid::text, n.nspname::text, p.proname::text, pg_get_userbyid(p.proowner)::text, "
    "l.lanname::text, "
    "p.prokind::text, p.provolatile::text, p.prosecdef::text, "
    "coalesce((SELECT rolsuper FROM pg_roles ro WHERE ro.oid = p.proowner), false)::text, "
    "l.lanpltrusted::text, "
    "(p.oid < 16384 OR p.prokind <> 'a' OR NOT EXISTS (SELECT FROM pg_aggregate a, LATERAL unnest(ARRAY["
    "a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggserialfn::oid, a.aggdeserialfn::oid, "
    "a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid]) AS part(oid), pg_proc pp WHERE "
    "a.aggfnoid = "
    "p.oid AND pp.oid = part.oid AND NOT " HARMLESS(
        "pp") "))::text, "
              "p.proretset::text, p.pronargs::text, p.pronargdefaults::text, (p.provariadic <> 0)::text, "
              "p.prorettype::text, "
              "ARRAY(SELECT coalesce(an, '') FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS "
              "t(an, am, o) WHERE am "
              "IN ('o', 'b', 't') ORDER BY o) "
              "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = "
              "p.prolang "
              "WHERE p.proname = ANY ($1::text[]::name[]) AND $2::text[] IS NOT NULL ORDER BY p.proname, "
              "p.oid LIMIT 20000";

const char catalog_sql_types[] =
    "SELECT t.oid::text, n.nspname::text, t.typname::text, t.typtype::text, t.typelem::text, "
    "t.typbasetype::text, "
    "t.typrelid::text, "
    "EXISTS (SELECT FROM pg_constraint k, pg_depend d, pg_proc p WHERE k.contypid = t.oid AND d.classid = "
    "'pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid = 'pg_proc'::regclass AND p.oid = "
    "d.refobjid AND "
    "NOT " HARMLESS("p") ")::text "
                         "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = ANY "
                         "($1::text[]::name[]) OR "
                         "t.oid = ANY ($2::text[]::oid[]) ORDER BY t.typname, t.oid LIMIT 20000";

const char catalog_sql_basics[] =
    "SELECT current_user::text, "
    /* what a login gets now (the settings of a role come after those of a database) */
    "coalesce((SELECT substr(k, 13) FROM pg_db_role_setting s, unnest(s.setconfig) AS u(k) WHERE k LIKE "
    "'search\\_path=%' AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) AND "
    "s.setdatabase "
    "IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY s.setrole <> 0 AND "
    "s.setdatabase <> 0 DESC, s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1), (SELECT reset_val FROM "
    "pg_settings WHERE name = 'search_path')), "
    "ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_' ORDER BY oid LIMIT "
    "20001), "
    "ARRAY(SELECT has_schema_privilege(oid, 'USAGE')::text FROM pg_namespace WHERE nspname !~ "
    "'^pg_(toast_)?temp_' ORDER BY oid LIMIT 20001), "
    /* schema and name of the operator, of the function (or of the negator's or commutator's, which the
     * planner may take), own types; by turns */
    "ARRAY(SELECT u FROM (SELECT DISTINCT q.nspname AS s, o.oprname, n.nspname, p.proname FROM pg_operator o "
    "JOIN pg_namespace q ON q.oid = o.oprnamespace JOIN pg_operator w ON w.oid IN (o.oid, o.oprnegate, "
    "o.oprcom) JOIN pg_proc p ON p.oid = w.oprcode JOIN pg_namespace n "
    "ON n.oid = "
    "p.pronamespace WHERE NOT " HARMLESS(
        "p") " ORDER BY 1, 2, 3, 4 LIMIT 1025) AS x, LATERAL unnest(ARRAY[x.s::text, x.oprname::text, "
             "x.nspname::text, "
             "x.proname::text, 'true']) WITH ORDINALITY AS t(u, o) ORDER BY x.s, x.oprname, x.nspname, "
             "x.proname, o), "
             "ARRAY(SELECT u FROM (SELECT DISTINCT n.nspname, p.proname, h.own FROM (SELECT castfunc AS oid, "
             "castsource >= "
             "16384 OR casttarget >= 16384 AS own FROM pg_cast UNION SELECT " NEEDED_BY_DOMAINS
             ") AS h JOIN pg_proc p ON p.oid = h.oid JOIN "
             "pg_namespace n ON n.oid = "
             "p.pronamespace WHERE NOT " HARMLESS(
                 "p") " ORDER BY 1, 2, 3 LIMIT 1025) AS x, LATERAL unnest(ARRAY['', '', x.nspname::text, "
                      "x.proname::text, "
                      "x.own::text]) WITH ORDINALITY AS t(u, o) ORDER BY x.nspname, x.proname, x.own, o) "
                      "WHERE $1::text[] IS NOT NULL AND $2::text[] IS NOT NULL";

const char catalog_sql_begin[] = "SELECT set_config('search_path', 'pg_catalog, pg_temp', false)";
