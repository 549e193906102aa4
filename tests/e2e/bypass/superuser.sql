-- The same for a login that may do everything: what a server otherwise refuses has happened here.

SELECT pg_read_file('PG_VERSION')
--> function pg_catalog.pg_read_file
SELECT pg_read_binary_file('PG_VERSION')
--> function pg_catalog.pg_read_binary_file
SELECT pg_ls_dir('.')
--> function pg_catalog.pg_ls_dir
SELECT * FROM pg_stat_file('PG_VERSION')
--> function pg_catalog.pg_stat_file
COPY (SELECT 1) TO PROGRAM 'cat > made_by_program'
--> copy_program -
COPY audit FROM PROGRAM 'echo 5,x' CSV
--> copy_program public.audit
COPY orders TO '/tmp/gatehouse-no-such-directory/x'
--> copy_file public.orders
COPY public.base_of FROM 'PG_VERSION'
-->
COPY owners FROM 'PG_VERSION' WHERE touch(id) > 0
--> copy_file public.owners; function public.touch
SELECT lo_import('PG_VERSION')
--> function pg_catalog.lo_import
SELECT lo_export(lo_from_bytea(0, 'x'), 'made_by_export')
--> function pg_catalog.lo_export
SELECT lo_put(lo_creat(-1), 0, 'x')
--> function pg_catalog.lo_put
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE false
--> function pg_catalog.pg_terminate_backend
SELECT pg_reload_conf()
--> function pg_catalog.pg_reload_conf
SELECT pg_switch_wal()
--> function pg_catalog.pg_switch_wal
SELECT pg_create_restore_point('x')
--> function pg_catalog.pg_create_restore_point
SELECT pg_create_physical_replication_slot('slot', true, true)
--> function pg_catalog.pg_create_physical_replication_slot
SELECT pg_logical_emit_message(false, 'a', 'b')
--> function pg_catalog.pg_logical_emit_message
SELECT pg_stat_reset_single_table_counters('hr.salaries'::regclass)
--> function pg_catalog.pg_stat_reset_single_table_counters
SELECT pg_import_system_collations('pg_catalog')
--> function pg_catalog.pg_import_system_collations
SELECT brin_summarize_new_values('indexed_lies')
--> function pg_catalog.brin_summarize_new_values
SELECT pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')
--> function pg_catalog.pg_nextoid
SELECT pg_extension_config_dump('pg_class', '')
--> function pg_catalog.pg_extension_config_dump
SELECT pg_log_backend_memory_contexts(pg_backend_pid())
--> function pg_catalog.pg_log_backend_memory_contexts
SELECT heap_page_items(get_raw_page('hr.salaries', 0))
--> function public.get_raw_page
SELECT * FROM dblink('dbname=scratch', 'SELECT 1') AS t(a int)
--> function public.dblink
UPDATE pg_class SET relowner = relowner WHERE relname = 'orders'
--> update pg_catalog.pg_class
UPDATE pg_proc SET prosecdef = true WHERE proname = 'touch'
--> update pg_catalog.pg_proc
DELETE FROM pg_catalog.pg_description WHERE false
--> delete pg_catalog.pg_description
INSERT INTO pg_largeobject_metadata SELECT 4711, 10, NULL WHERE false
--> insert pg_catalog.pg_largeobject_metadata
SELECT passwd FROM pg_shadow
--> select pg_catalog.pg_shadow
SELECT * FROM pg_largeobject
--> select pg_catalog.pg_largeobject
SELECT * FROM pg_stat_activity
--> select pg_catalog.pg_stat_activity
SELECT * FROM pg_stats WHERE tablename = 'salaries'
--> select pg_catalog.pg_stats
SELECT stavalues1 FROM pg_statistic
--> select pg_catalog.pg_statistic
SELECT * FROM pg_hba_file_rules
--> select pg_catalog.pg_hba_file_rules
SET ROLE app; SELECT touch(1)
--> role role; function public.touch
SET SESSION AUTHORIZATION app; SELECT amount FROM pay
--> role session_authorization; select hr.salaries
SET session_replication_role = replica; DELETE FROM owners
--> set session_replication_role; delete public.owners +hr.owned
SET row_security = off; TABLE guarded
--> set row_security
SET default_transaction_read_only = off
--> set default_transaction_read_only
SET log_statement = 'none'
--> set log_statement
SET session_preload_libraries = 'x'
--> set session_preload_libraries
ALTER ROLE app SUPERUSER
--> alter app
ALTER ROLE ALL SET work_mem = '1MB'
--> alter work_mem
ALTER ROLE app SET role = 'postgres'
--> alter app; role role
ALTER DATABASE scratch SET session_replication_role = replica
--> alter scratch
ALTER DATABASE scratch OWNER TO app
--> alter scratch
ALTER TABLE pg_catalog.pg_authid OWNER TO app
--> alter pg_catalog.pg_authid
ALTER FUNCTION boss_read(int) RENAME TO boss
-->
ALTER FUNCTION touch(int) OWNER TO postgres
-->
ALTER FUNCTION two(int, int) IMMUTABLE
-->
CREATE ROLE other IN ROLE app
--> create other
DROP ROLE IF EXISTS nobody
--> drop nobody
GRANT postgres TO app
--> grant postgres
GRANT SET ON PARAMETER log_statement TO app
--> grant log_statement
GRANT USAGE ON LANGUAGE plpgsql TO app
--> grant plpgsql
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT ALL ON TABLES TO PUBLIC
--> grant -
REASSIGN OWNED BY app TO postgres
--> alter -
DROP OWNED BY app CASCADE
--> drop -
CREATE EXTENSION cube
--> create cube
ALTER EXTENSION hstore ADD TABLE hr.salaries
--> alter hstore; alter hr.salaries
DROP EXTENSION citext CASCADE
--> drop citext; drop -
CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION watch.note_drop()
--> create e; function watch.note_drop
ALTER EVENT TRIGGER watch_ddl DISABLE
--> alter watch_ddl
CREATE CAST (bigint AS mood) WITH INOUT AS IMPLICIT; INSERT INTO moods (m) VALUES (5::bigint)
--> unknown moods may have changed in a transaction that is not over: COMMIT first
CREATE CAST (int AS date) WITH FUNCTION to_day(int) AS IMPLICIT
-->
CREATE FUNCTION public.c() RETURNS int LANGUAGE c AS '/nowhere', 'f'
--> create public.c
CREATE FUNCTION public.i(int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4abs'; SELECT i(1)
--> create public.i; function i
CREATE OPERATOR CLASS public.oc FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 two(int, int)
--> create public.oc
CREATE ACCESS METHOD am TYPE TABLE HANDLER heap_tableam_handler
--> create am
CREATE FOREIGN DATA WRAPPER w
--> create w
CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'scratch')
--> create back
CREATE FOREIGN TABLE public.shell (line text) SERVER files OPTIONS (program 'echo made; touch made_by_table'); SELECT * FROM shell
--> create public.shell; select public.shell
IMPORT FOREIGN SCHEMA hr FROM SERVER files INTO public
--> create public
CREATE PUBLICATION p FOR ALL TABLES
--> create p
CREATE TEXT SEARCH TEMPLATE public.tt (LEXIZE = dsimple_lexize)
--> create public.tt
CREATE TYPE public.shell_type
--> create public.shell_type
CREATE DEFAULT CONVERSION public.c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8
--> create public.c
CREATE TRUSTED LANGUAGE other HANDLER plpgsql_call_handler
--> create other
CREATE TRANSFORM FOR mood LANGUAGE plpgsql (FROM SQL WITH FUNCTION f(internal))
-->
ALTER OPERATOR public.|+| (int, int) OWNER TO postgres
-->
ALTER TYPE citext SET (STORAGE = plain)
-->
ALTER LARGE OBJECT 1 OWNER TO app
-->
COMMENT ON DATABASE scratch IS 'x'
--> comment scratch
COMMENT ON ROLE app IS 'x'
--> comment app
ALTER SYSTEM SET work_mem = '1MB'
--> alter work_mem
ALTER SYSTEM RESET ALL
--> alter all
CREATE DATABASE other
--> create other
DROP DATABASE other
--> drop other
CREATE TABLESPACE ts LOCATION '/nowhere'
--> create ts
VACUUM
--> maintenance -
REINDEX SYSTEM scratch
--> maintenance scratch
CHECKPOINT
--> maintenance -
LOAD 'plpgsql'
--> unknown LOAD runs the code of a library
