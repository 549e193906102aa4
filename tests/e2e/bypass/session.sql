-- The session and the server around the tables: settings, roles, cursors, locks, large objects, other sessions.

SET LOCAL ROLE app
--> role role
SET SESSION ROLE app
--> role role
SET "role" TO 'app'
--> role role
SET ROLE NONE
--> role role
RESET ROLE
--> role role
SET LOCAL SESSION AUTHORIZATION DEFAULT
--> role session_authorization
RESET SESSION AUTHORIZATION
--> role session_authorization
SET session_authorization = 'app'
--> role session_authorization
SET SCHEMA 'evil'
--> set search_path
SET SCHEMA 'evil'; TABLE orders
--> select evil.orders
SET search_path FROM CURRENT
--> set search_path
RESET search_path
--> set search_path
RESET ALL
--> set all
DISCARD ALL
--> set all
DISCARD TEMP
--> set -
SET TIME ZONE 'UTC'
--> set timezone
SET NAMES 'SJIS'
--> unknown it changes how the server reads the bytes of later statements
SET client_encoding = 'GBK'
--> unknown it changes how the server reads the bytes of later statements
SET standard_conforming_strings = off
--> unknown it changes how the server reads the bytes of later statements
SET LOCAL backslash_quote = on
--> unknown it changes how the server reads the bytes of later statements
SET TRANSACTION READ ONLY
--> transaction -
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
--> transaction -
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
--> set transaction_characteristics
SET session_replication_role = replica
--> set session_replication_role
SET statement_timeout = 0
--> set statement_timeout
SET work_mem = '1MB'; SET work_mem TO DEFAULT
--> set work_mem
SET CONSTRAINTS ALL DEFERRED
--> set constraints
SET x.y = 'z'
--> set x.y
SELECT set_config('ROW_SECURITY', 'off', true)
--> set row_security
SELECT pg_catalog.set_config('session_replication_role', 'replica', false)
--> set session_replication_role
SELECT set_config(name, 'off', false) FROM (VALUES ('row_security')) v(name)
--> unknown it calls set_config() for a setting that it does not spell out
SELECT set_config(setting_name => 'row_security', new_value => 'off', is_local => false)
--> unknown it calls set_config() for a setting that it does not spell out
SELECT 1 FROM orders WHERE set_config('work_mem', '1MB', false) = 'x'
--> set work_mem
SELECT * FROM set_config('work_mem', '1MB', false)
--> set work_mem
SELECT CASE WHEN true THEN set_config('work_mem', '1MB', false) END
--> set work_mem
INSERT INTO audit VALUES (1, set_config('work_mem', '1MB', false))
--> set work_mem
COPY (SELECT set_config('work_mem', '1MB', false)) TO STDOUT
--> set work_mem
DELETE FROM items WHERE id = 5 AND set_config('work_mem', '1MB', false) = '1MB'
--> set work_mem
VALUES (set_config('work_mem', '1MB', false))
--> set work_mem
SELECT U&"set\005fconfig"('work_mem', '1MB', false)
--> set work_mem
UPDATE settings SET setting = '1MB' WHERE name = 'work_mem'
--> unknown rules on pg_settings rewrite what is written to it
UPDATE pg_catalog.pg_settings SET setting = '1MB' WHERE name = 'work_mem'
--> unknown it changes settings through pg_settings
UPDATE pg_settings p SET setting = '1MB' WHERE p.name = 'work_mem'
--> unknown it changes settings through pg_settings
WITH u AS (UPDATE pg_settings SET setting = '1MB' WHERE name = 'work_mem' RETURNING 1) SELECT * FROM u
-->
CREATE FUNCTION public.new() RETURNS int SET role = 'app' LANGUAGE sql AS 'SELECT 1'
--> create public.new
ALTER FUNCTION two(int, int) SET search_path = evil
-->
ALTER FUNCTION lies(int) VOLATILE
-->
SELECT pg_reload_conf()
--> function pg_catalog.pg_reload_conf
SELECT pg_rotate_logfile()
--> function pg_catalog.pg_rotate_logfile
SELECT pg_switch_wal()
--> function pg_catalog.pg_switch_wal
SELECT pg_cancel_backend(pg_backend_pid()) WHERE false
--> function pg_catalog.pg_cancel_backend
SELECT pg_stat_reset()
--> function pg_catalog.pg_stat_reset
SELECT pg_stat_reset_shared('bgwriter')
--> function pg_catalog.pg_stat_reset_shared
SELECT pg_try_advisory_lock(1)
--> function pg_catalog.pg_try_advisory_lock
SELECT pg_advisory_xact_lock_shared(1, 2)
--> function pg_catalog.pg_advisory_xact_lock_shared
SELECT pg_advisory_unlock_all()
--> function pg_catalog.pg_advisory_unlock_all
SELECT pg_logical_emit_message(true, 'a', 'b')
--> function pg_catalog.pg_logical_emit_message
SELECT pg_create_physical_replication_slot('s')
--> function pg_catalog.pg_create_physical_replication_slot
SELECT pg_export_snapshot()
--> function pg_catalog.pg_export_snapshot
SELECT txid_current()
-->
SELECT setseed(0.5)
--> function pg_catalog.setseed
SELECT lo_creat(-1)
--> function pg_catalog.lo_creat
SELECT lo_open(lo_creat(-1), 131072)
--> function pg_catalog.lo_open
SELECT lowrite(lo_open(lo_creat(-1), 131072), 'x')
--> function pg_catalog.lowrite
SELECT lo_unlink(lo_creat(-1))
--> function pg_catalog.lo_unlink
SELECT lo_export(1, '/tmp/x')
--> function pg_catalog.lo_export
SELECT (-1).lo_creat
--> function pg_catalog.lo_creat
SELECT loid.lo_creat FROM (VALUES (-1)) loid(loid)
--> function pg_catalog.lo_creat
SELECT lo_get(1)
--> function pg_catalog.lo_get
SELECT lastval()
-->
SELECT nextval('numbers'::regclass)
--> function pg_catalog.nextval
SELECT n.nextval FROM (SELECT 'numbers'::regclass) n(r)
-->
SELECT pg_get_keywords(), pg_notify('a', 'b')
--> notify a
SELECT pg_notify(note, 'b') FROM orders
--> function pg_catalog.pg_notify
NOTIFY c, 'x'
--> notify c
LISTEN c
--> listen c
LISTEN c; UNLISTEN *
--> listen c
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM hr.salaries; FETCH ALL FROM c
--> cursor c; select hr.salaries
DECLARE c CURSOR FOR SELECT * FROM orders FOR UPDATE; FETCH 1 FROM c; DELETE FROM orders WHERE CURRENT OF c
--> delete public.orders; lock public.orders
DECLARE c INSENSITIVE NO SCROLL CURSOR FOR SELECT touch(id) FROM orders; MOVE 2 IN c; CLOSE c
--> function public.touch
PREPARE a AS INSERT INTO audit VALUES ($1, $2); EXECUTE a(touch(1), 'x')
--> insert public.audit; function public.touch
SAVEPOINT s; DELETE FROM items WHERE id = 5; RELEASE s
--> delete public.items
SAVEPOINT s; SET LOCAL search_path = evil; ROLLBACK TO s; TABLE orders
--> select public.orders; select evil.orders
DO LANGUAGE plpgsql 'BEGIN PERFORM touch(1); END'
--> do -; unknown the code in DO is not looked into
DO 'BEGIN EXECUTE ''SET work_mem = 99''; END'
--> do -
CALL public.work(a => 1)
-->
CALL work((SELECT max(amount) FROM hr.salaries))
--> call public.work; select hr.salaries
LOAD 'plpgsql'
--> unknown LOAD runs the code of a library
CHECKPOINT
--> maintenance -
SHOW search_path
--> show search_path
ALTER SYSTEM SET work_mem = '1MB'
--> alter work_mem
ALTER DATABASE scratch SET search_path = evil
--> alter scratch
COPY orders TO '/tmp/x'
--> copy_file public.orders
COPY orders TO PROGRAM 'true'
--> copy_program public.orders
COPY (SELECT amount FROM hr.salaries) TO PROGRAM 'cat'
--> select hr.salaries; copy_program -
COPY orders FROM '/etc/passwd'
--> copy_file public.orders
CREATE ROLE other
--> create other
GRANT app TO postgres
-->
