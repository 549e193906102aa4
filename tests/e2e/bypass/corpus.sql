-- Statements that hide what they do, and what has to be seen of them. One statement string on a line; then "--> effect; …":
-- these must be among what is said; what the server then really did must be said, too (tests/unit/pg_bypass.py).

-- ## Functions that are not what they look like
SELECT pg_terminate_backend(0)
--> function pg_catalog.pg_terminate_backend
SELECT pg_catalog.pg_terminate_backend(0)
--> function pg_catalog.pg_terminate_backend
SELECT "pg_terminate_backend"(0)
--> function pg_catalog.pg_terminate_backend
SELECT * FROM pg_terminate_backend(0)
--> function pg_catalog.pg_terminate_backend
SELECT 1 ORDER BY pg_terminate_backend(0)
--> function pg_catalog.pg_terminate_backend
SELECT 1 LIMIT (SELECT pg_terminate_backend(0)::int)
--> function pg_catalog.pg_terminate_backend
SELECT lo_import('/etc/passwd')
--> function pg_catalog.lo_import
SELECT lo_create(0)
--> function pg_catalog.lo_create
SELECT lo_from_bytea(0, 'x')
--> function pg_catalog.lo_from_bytea
SELECT pg_read_file('/etc/passwd')
--> function pg_catalog.pg_read_file
SELECT ('/etc/passwd'::text).pg_read_file
--> function pg_catalog.pg_read_file
SELECT pg_ls_dir('.')
--> function pg_catalog.pg_ls_dir
SELECT query_to_xml('SELECT * FROM hr.salaries', true, true, '')
--> function pg_catalog.query_to_xml
SELECT table_to_xml('hr.salaries', true, true, '')
--> function pg_catalog.table_to_xml
SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM hr.salaries')
--> function pg_catalog.ts_stat
SELECT dblink_exec('host=/nowhere', 'DELETE FROM hr.salaries')
--> function public.dblink_exec
SELECT * FROM dblink('host=/nowhere', 'SELECT 1') AS t(a int)
--> function public.dblink
SELECT * FROM crosstab('SELECT name, name, amount FROM hr.salaries') AS c(n text, a int)
--> function public.crosstab
SELECT * FROM connectby('hr.salaries', 'id', 'id', '1', 0) AS t(k int, p int, l int)
--> function public.connectby
SELECT touch(1)
--> function public.touch
SELECT public.touch(1)
--> function public.touch
SELECT id FROM orders WHERE touch(id) = 1
--> function public.touch; select public.orders
SELECT sum(touch(id)) OVER () FROM orders
--> function public.touch
SELECT CASE WHEN false THEN touch(1) ELSE 2 END
--> function public.touch
WITH x AS (SELECT touch(1)) SELECT 1 FROM x
--> function public.touch
SELECT (SELECT touch(2))
--> function public.touch
SELECT * FROM touch(1) AS t
--> function public.touch
SELECT * FROM orders, LATERAL touch(orders.id) t
--> function public.touch
SELECT * FROM ROWS FROM (touch(1), touch(2)) AS r
--> function public.touch
SELECT 1 GROUP BY touch(1)
--> function public.touch
SELECT 1 HAVING touch(1) = 1
--> function public.touch
SELECT DISTINCT ON (touch(id)) id FROM orders
--> function public.touch
VALUES (touch(1))
--> function public.touch
SELECT claims_stable(1)
--> function public.claims_stable
SELECT claims_immutable(1)
--> function public.claims_immutable
SELECT boss_read(1)
--> function public.boss_read
SELECT boss_plus(1)
--> select boss_plus~
SELECT * FROM all_pay()
--> function public.all_pay
SELECT total_touch(id) FROM orders
--> function public.total_touch
SELECT orders.of_row FROM orders
--> function public.of_row
SELECT o.of_row FROM orders o
--> function public.of_row
SELECT (o).of_row FROM orders o
--> function public.of_row
SELECT of_row(o) FROM orders o
--> function public.of_row
SELECT of_row(o.*) FROM orders o
--> function public.of_row
SELECT o.of_anything FROM orders o
--> function public.of_anything
SELECT format('%s', touch(1))
--> function public.touch
SELECT array_agg(touch(id) ORDER BY id) FROM orders
--> function public.touch
SELECT count(*) FILTER (WHERE touch(id) = 1) FROM orders
--> function public.touch
SELECT ARRAY[touch(1)]
--> function public.touch
SELECT ROW(touch(1))
--> function public.touch
SELECT (ARRAY[1,2])[touch(1)]
--> function public.touch
SELECT coalesce(NULL, touch(1))
--> function public.touch
SELECT greatest(touch(1), 2)
--> function public.touch
SELECT touch(1) IS NULL
--> function public.touch
SELECT touch(1) IN (1, 2)
--> function public.touch
SELECT touch(1) BETWEEN 0 AND 3
--> function public.touch
SELECT xmlelement(name a, touch(1))
--> function public.touch
SELECT nextval('numbers')
--> function pg_catalog.nextval
SELECT setval('numbers', 9)
--> function pg_catalog.setval
SELECT pg_notify('c', 'x')
--> notify c
SELECT set_config('role', 'app', false)
--> role role
SELECT set_config('row_security', 'off', false)
--> set row_security
SELECT pg_advisory_lock(1)
--> function pg_catalog.pg_advisory_lock
SELECT pg_sleep(0)
--> function pg_catalog.pg_sleep
CALL work(1)
--> call public.work
DO $$ BEGIN INSERT INTO audit VALUES (1, 'do'); END $$
--> do -; unknown the code in DO is not looked into
EXPLAIN SELECT touch(1)
--> function public.touch
EXPLAIN ANALYZE SELECT touch(1)
--> function public.touch
EXPLAIN ANALYZE DELETE FROM orders WHERE id = 1
--> delete public.orders
PREPARE p AS SELECT touch(1)
--> function public.touch
PREPARE q AS DELETE FROM orders; EXECUTE q
--> delete public.orders
DECLARE c CURSOR FOR SELECT touch(1)
--> function public.touch
COPY (SELECT touch(1)) TO STDOUT
--> function public.touch
COPY hr.salaries TO STDOUT
--> copy_to hr.salaries
CREATE TABLE public.made AS SELECT touch(1) AS a
--> function public.touch; create public.made
SELECT touch(1) INTO public.made FROM orders
--> function public.touch; create public.made
CREATE VIEW public.made AS SELECT touch(1)
--> function public.touch; create public.made

-- ## Views, partitions, children
SELECT * FROM pay
--> select public.pay; select hr.salaries
SELECT amount FROM pay_of_pay
--> select public.pay_of_pay; select public.pay; select hr.salaries; select public.orders
SELECT * FROM odd
--> select public.odd; select hr."Odd.Name"
TABLE pay
--> select hr.salaries
SELECT (SELECT max(amount) FROM pay)
--> select hr.salaries
WITH p AS (SELECT * FROM pay) SELECT * FROM p
--> select hr.salaries
SELECT 1 WHERE EXISTS (SELECT FROM pay)
--> select hr.salaries
SELECT * FROM orders NATURAL JOIN pay
--> select hr.salaries; select public.orders
UPDATE pay SET amount = 0 WHERE id = 1
--> update public.pay; update hr.salaries
DELETE FROM pay WHERE id = 1
--> delete hr.salaries
INSERT INTO pay VALUES (100, 1)
--> insert hr.salaries
INSERT INTO doors VALUES (3)
--> function public.through_door; insert public.doors
SELECT * FROM pay FOR UPDATE
--> select hr.salaries
SELECT * FROM pay_copy
--> select public.pay_copy; select hr.salaries
COPY (SELECT * FROM pay) TO STDOUT
--> select hr.salaries
CREATE TEMP TABLE stolen AS SELECT * FROM pay
--> select hr.salaries; create pg_temp.stolen
SELECT * FROM measures
--> select public.measures +hr.measures_secret
SELECT * FROM hr.measures_secret
--> select hr.measures_secret +public.measures
DELETE FROM measures
--> delete public.measures +hr.measures_secret
INSERT INTO measures VALUES ('2024-06-06', 2)
--> insert public.measures +hr.measures_secret
SELECT * FROM animals
--> select public.animals +hr.cats
SELECT * FROM animals*
--> select public.animals +hr.cats
UPDATE animals SET id = 2
--> update public.animals +hr.cats
SELECT * FROM ONLY animals
--> select public.animals +hr.cats
SELECT * FROM hr.cats
--> select hr.cats +public.animals
SELECT 'hr.salaries'::regclass
--> select hr.salaries
SELECT regclass 'pay'
--> select public.pay; select hr.salaries
SELECT CAST('hr."Odd.Name"' AS regclass)
--> select hr."Odd.Name"
SELECT * FROM hr."Odd.Name"
--> select hr."Odd.Name"
SELECT * FROM "orders"
--> select public.orders
SELECT * FROM scratch.hr.salaries
--> select hr.salaries
SELECT * FROM pg_catalog.pg_authid
--> select pg_catalog.pg_authid
SELECT * FROM pg_shadow
--> select pg_catalog.pg_shadow

-- ## Names by way of the search_path, temporary tables
SET search_path = evil, public; SELECT * FROM orders
--> select evil.orders; set search_path
SET search_path TO 'evil'; SELECT lower('x')
--> select -
SET search_path = evil, pg_catalog; SELECT lower('x')
--> function evil.lower
SET LOCAL search_path = evil, pg_catalog; SELECT count(1)
--> function evil.count
SELECT set_config('search_path', 'evil,pg_catalog', false); SELECT lower('x')
--> function evil.lower
SELECT set_config('search_path', lower('EVIL') || ',pg_catalog', false); SELECT lower('x')
--> function evil.lower
SELECT evil.lower('x')
--> function evil.lower
SET search_path = evil, pg_catalog; SELECT id FROM public.orders WHERE id = 1
--> function public.two; select public.orders
SET search_path = hr; SELECT amount FROM salaries
--> select hr.salaries
SET search_path = "$user", hr; TABLE salaries
--> select hr.salaries
CREATE TEMP TABLE orders (id int); SELECT * FROM orders
--> select pg_temp.orders; select public.orders
CREATE TEMP VIEW orders AS SELECT * FROM hr.salaries; SELECT * FROM orders
--> select hr.salaries; select pg_temp.orders
CREATE TABLE pg_temp.orders (id int); INSERT INTO orders VALUES (1)
--> insert pg_temp.orders; insert public.orders
CREATE TABLE public.fresh (a int); INSERT INTO fresh VALUES (1); SELECT * FROM fresh
--> insert public.fresh; select public.fresh
CREATE VIEW public.fresh AS SELECT * FROM orders; DELETE FROM fresh
--> unknown fresh may have changed in a transaction that is not over: COMMIT first
ALTER TABLE hr.salaries RENAME TO plain; SELECT * FROM hr.plain
--> alter hr.salaries; unknown plain may have changed in a transaction that is not over: COMMIT first
CREATE FUNCTION public.length(orders) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.items; RETURN 1; END'; SELECT length(o) FROM orders o
--> function length
CREATE OPERATOR public.<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = two); SELECT id <<< 1 FROM orders
--> unknown orders may have changed in a transaction that is not over: COMMIT first

-- ## Operators, casts, domains
SELECT 1 |+| 2
--> function public.two
SELECT 1 OPERATOR(public.|+|) 2
--> function public.two
SELECT @@@ id FROM orders
--> function public.touch
SELECT id FROM orders ORDER BY id |+| 1
--> function public.two
SELECT 5::mood
--> function public.to_mood
SELECT CAST(5 AS mood)
--> function public.to_mood
SELECT mood(5)
--> function mood
INSERT INTO moods (m) VALUES (5)
--> function public.to_mood; insert public.moods
INSERT INTO moods (c) VALUES (5)
--> function public.checks; insert public.moods
SELECT 5::checked
--> function public.checks
SELECT 'a'::citext = 'A'
--> select -
SELECT 'a=>1'::hstore -> 'a'
--> select -

-- ## What hangs on tables
INSERT INTO stamped VALUES (1)
--> insert public.stamped; insert public.stamp~
INSERT INTO ruled VALUES (4)
--> unknown rules on ruled rewrite what is written to it
DELETE FROM orders WHERE id = 2
--> delete public.orders +public.items
TRUNCATE orders CASCADE
--> truncate public.orders; truncate -
DROP TABLE orders CASCADE
--> drop public.orders; drop -
INSERT INTO numbered (v) VALUES (1)
--> insert public.touch~
INSERT INTO guarded VALUES (1, 'x')
--> insert public.may_see~
SELECT * FROM guarded
--> select public.may_see~

-- ## Writes inside of reads
WITH d AS (DELETE FROM orders WHERE id = 3 RETURNING *) SELECT count(*) FROM d
--> delete public.orders; select public.orders
WITH i AS (INSERT INTO audit VALUES (1, 'cte')) SELECT 1
--> insert public.audit
INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET total = 0
--> insert public.orders; update public.orders
MERGE INTO orders o USING items i ON o.id = i.id WHEN MATCHED THEN DELETE
--> merge public.orders; delete public.orders; select public.items
INSERT INTO audit SELECT id, name FROM hr.salaries
--> insert public.audit; select hr.salaries
UPDATE orders SET total = s.amount FROM hr.salaries s WHERE s.id = orders.id
--> update public.orders; select hr.salaries
SELECT * FROM orders FOR UPDATE
--> lock public.orders
LOCK TABLE orders
--> lock public.orders
SELECT 1; DROP TABLE orders CASCADE
--> drop public.orders

-- ## The session itself
SET ROLE app
--> role role
SET SESSION AUTHORIZATION app
--> role session_authorization
SET row_security = off
--> set row_security
SET default_transaction_read_only = on
--> set default_transaction_read_only
UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'
--> unknown it changes settings through pg_settings
COMMENT ON TABLE orders IS 'x'
--> comment public.orders
GRANT SELECT ON hr.salaries TO PUBLIC
--> grant hr.salaries
CREATE FUNCTION public.new() RETURNS int LANGUAGE sql AS 'SELECT 1'
--> create public.new
CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp()
--> create public.orders; function public.stamp
