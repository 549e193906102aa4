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

/* Whether operations on a column's values can fail, and what form they have: see struct catalog_column. */
#define CLASS                                                                                                \
    "CASE WHEN t.typcategory IN ('B', 'D', 'E', 'I', 'S', 'V') OR t.oid IN (17, 2950) THEN 's' WHEN "        \
    "t.oid IN (20, 21, 23, 26, 700, 701) OR t.oid = 1700 AND a.atttypmod >= 0 THEN 's' WHEN "                \
    "t.typcategory IN ('N', 'T') THEN 'a' ELSE 'd' END || "                                                  \
    "CASE WHEN t.typtype IN ('c', 'r', 'm') THEN t.typtype::text WHEN t.typcategory = 'S' THEN 't' WHEN "    \
    "t.typcategory = 'A' THEN 'a' WHEN t.typname = 'hstore' THEN 'h' ELSE '-' END"

/* The table and its heirs. */
#define HEIRS                                                                                                \
    "ARRAY(WITH RECURSIVE heirs(oid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i, "          \
    "heirs WHERE i.inhparent = heirs.oid AND c.relkind IN ('r', 'p', 'f')) SELECT oid FROM heirs "           \
    "LIMIT 2049)"
/* An index of expressions, or its constraint, depends on their columns. */
#define KEY_COLUMNS                                                                                          \
    "LATERAL (SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid "        \
    "AND a.attnum > 0 AND (a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) OR EXISTS (SELECT "      \
    "FROM pg_depend p WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = i.indrelid AND "            \
    "p.refobjsubid = a.attnum AND (p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid OR "          \
    "p.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint u WHERE u.oid = "           \
    "p.objid AND u.conindid = i.indexrelid AND u.contype IN ('p', 'u', 'x'))))))) AS keys(names), "          \
    "unnest(keys.names) AS a, unnest(keys.names) AS b"
/* Pairs of columns: see struct catalog_tie. */
#define GENERATED_PAIRS                                                                                      \
    "SELECT 'g', a.attname::text, '', '', b.attname::text FROM pg_attrdef d, pg_depend p, "                  \
    "pg_attribute a, pg_attribute b WHERE d.adrelid = ANY (h.heirs) AND p.classid = "                        \
    "'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass AND "                \
    "p.refobjid = d.adrelid AND p.refobjsubid NOT IN (0, d.adnum) AND a.attrelid = d.adrelid AND "           \
    "a.attnum = d.adnum AND a.attgenerated <> '' AND b.attrelid = d.adrelid AND b.attnum = "                 \
    "p.refobjsubid"
#define FOREIGN_KEYS                                                                                         \
    "pg_constraint f, LATERAL unnest(f.conkey, f.confkey) AS z(x, y), pg_attribute a, pg_attribute b, "      \
    "pg_class r, pg_namespace m WHERE f.contype = 'f' AND a.attrelid = f.conrelid AND a.attnum = z.x "       \
    "AND b.attrelid = f.confrelid AND b.attnum = z.y AND m.oid = r.relnamespace AND "
#define REFERRING_PAIRS                                                                                      \
    "SELECT 'f', a.attname::text, m.nspname::text, r.relname::text, b.attname::text FROM " FOREIGN_KEYS      \
    "r.oid = f.confrelid AND f.conrelid = ANY (h.heirs)"
#define REFERRED_PAIRS                                                                                       \
    "SELECT 'r', b.attname::text, m.nspname::text, r.relname::text, a.attname::text FROM " FOREIGN_KEYS      \
    "r.oid = f.conrelid AND f.confrelid = ANY (h.heirs)"
#define UNIQUE_PAIRS                                                                                         \
    "SELECT 'u', a, '', '', b FROM pg_index i, " KEY_COLUMNS                                                 \
    " WHERE (i.indisunique OR i.indisexclusion) AND i.indrelid = ANY (h.heirs)"
#define EXPRESSION_PAIRS                                                                                     \
    "SELECT 'c', a, '', '', b FROM pg_index i, " KEY_COLUMNS                                                 \
    " WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND i.indrelid = ANY (h.heirs) AND a <> "      \
    "b"
#define CHECK_PAIRS                                                                                          \
    "SELECT 'c', a.attname::text, '', '', b.attname::text FROM pg_constraint k, unnest(k.conkey) AS "        \
    "x, unnest(k.conkey) AS y, pg_attribute a, pg_attribute b WHERE k.contype = 'c' AND k.conrelid = "       \
    "ANY (h.heirs) AND x <> y AND a.attrelid = k.conrelid AND a.attnum = x AND b.attrelid = "                \
    "k.conrelid AND b.attnum = y"
#define PARTITION_KEYS                                                                                       \
    "SELECT 'p', a.attname::text, '', '', a.attname::text FROM pg_partitioned_table q, pg_attribute a "      \
    "WHERE q.partrelid = ANY (h.heirs) AND a.attrelid = q.partrelid AND a.attnum > 0 AND (a.attnum = "       \
    "ANY (q.partattrs::int2[]) OR EXISTS (SELECT FROM pg_depend p WHERE p.classid = "                        \
    "'pg_class'::regclass AND p.objid = q.partrelid AND p.refclassid = 'pg_class'::regclass AND "            \
    "p.refobjid = q.partrelid AND p.refobjsubid = a.attnum))"
#define TIES                                                                                                 \
    "ARRAY(SELECT u FROM (SELECT * FROM (" GENERATED_PAIRS " UNION " REFERRING_PAIRS                         \
    " UNION " REFERRED_PAIRS " UNION " UNIQUE_PAIRS " UNION " EXPRESSION_PAIRS " UNION " CHECK_PAIRS         \
    " UNION " PARTITION_KEYS                                                                                 \
    ") AS pair(k, c, s, t, o) ORDER BY k, c, s, t, o LIMIT 2049) AS x, LATERAL unnest(ARRAY[x.k, x.c, "      \
    "x.s, x.t, x.o]) WITH ORDINALITY AS e(u, n) ORDER BY x.k, x.c, x.s, x.t, x.o, e.n)"

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
    "ARRAY(SELECT " CLASS " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE attrelid = c.oid "
    "AND attnum > 0 AND NOT attisdropped ORDER BY a.attnum), "
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
    /* what its columns have to do with others */
    TIES ", "
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
                                                  "c.relnamespace, LATERAL (SELECT " KIN
                                                  ") AS k(kin), LATERAL (SELECT " HEIRS ") AS h(heirs) "
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
                      "x.own::text]) WITH ORDINALITY AS t(u, o) ORDER BY x.nspname, x.proname, x.own, o), "
                      "ARRAY(SELECT DISTINCT oprname::text FROM pg_operator o JOIN pg_roles r ON r.oid = "
                      "o.oprowner WHERE o.oid >= 16384 AND NOT r.rolsuper AND oprname IN ('||', '->', "
                      "'->>', '#>', '#>>') ORDER BY 1) "
                      "WHERE $1::text[] IS NOT NULL AND $2::text[] IS NOT NULL";

/* A plan for any names searches whole catalogs: a hundred times as long as planning anew for these. */
const char catalog_sql_begin[] = "SELECT set_config('search_path', 'pg_catalog, pg_temp', false), "
                                 "set_config('plan_cache_mode', 'force_custom_plan', false)";
