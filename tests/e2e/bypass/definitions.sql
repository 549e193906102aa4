-- Definitions that run code, read rows, or reach further than the object that they name.

-- ## Tables
CREATE TABLE public.made (a int DEFAULT touch(1)); INSERT INTO made DEFAULT VALUES
--> function public.touch; create public.made
CREATE TABLE public.made (a int CHECK (touch(a) > 0))
--> function public.touch
CREATE TABLE public.made (a int, b int GENERATED ALWAYS AS (lies(a)) STORED)
--> function public.lies
CREATE TABLE public.made (a int, EXCLUDE USING gist (int4range(a, lies(a)) WITH &&))
--> function public.lies
CREATE TABLE public.made (LIKE hr.salaries INCLUDING ALL)
--> create public.made; create hr.salaries
CREATE TABLE public.made () INHERITS (hr.salaries)
--> create public.made; create hr.salaries
CREATE TABLE public.made PARTITION OF hr.log_rest FOR VALUES IN (touch(5))
--> function public.touch
CREATE TABLE public.made PARTITION OF log FOR VALUES IN (2)
--> create public.made; create public.log
CREATE TABLE public.made (a int) PARTITION BY RANGE (lies(a))
--> function public.lies
CREATE TABLE public.made (a int REFERENCES hr.salaries)
--> create hr.salaries
CREATE TABLE public.made OF pair
--> create public.made
CREATE TABLE public.made AS TABLE pay
--> select hr.salaries; create public.made
CREATE TABLE public.made AS VALUES (touch(1))
--> function public.touch
CREATE TABLE public.made AS SELECT #-# id FROM orders WITH NO DATA
--> function public.lies
CREATE TABLE IF NOT EXISTS orders AS SELECT touch(1)
--> function public.touch
PREPARE q AS SELECT touch(id) FROM hr.salaries; CREATE TABLE public.made AS EXECUTE q
--> function public.touch; select hr.salaries; create public.made
PREPARE q AS DELETE FROM items; EXPLAIN ANALYZE EXECUTE q
--> delete public.items
PREPARE q(int) AS SELECT touch($1); EXPLAIN (ANALYZE, VERBOSE) EXECUTE q(1)
--> function public.touch
PREPARE q(int) AS SELECT $1; EXECUTE q(touch(1))
--> function public.touch
PREPARE q AS SELECT 1; DEALLOCATE q; PREPARE q AS DELETE FROM items; EXECUTE q
--> delete public.items
EXPLAIN ANALYZE CREATE TABLE public.made AS SELECT * FROM pay
--> create public.made; select hr.salaries
EXPLAIN (ANALYZE 1) DELETE FROM items
--> delete public.items
EXPLAIN (ANALYZE off) DELETE FROM items
--> explain public.items
EXPLAIN SELECT lies(1)
--> function public.lies
EXPLAIN (ANALYZE) DECLARE c CURSOR FOR SELECT touch(1)
--> function public.touch
EXPLAIN (ANALYZE) REFRESH MATERIALIZED VIEW pay_copy
-->
ALTER TABLE orders ADD COLUMN x int DEFAULT touch(2)
--> function public.touch; alter public.orders
ALTER TABLE orders ADD COLUMN x int DEFAULT #-# 2
--> function public.lies; alter public.orders
ALTER TABLE orders ADD COLUMN x checked DEFAULT 5
--> function public.checks
ALTER TABLE orders ADD COLUMN x filled
--> function public.touch
ALTER TABLE orders ALTER COLUMN total TYPE bigint USING touch(total)
--> function public.touch
ALTER TABLE orders ALTER COLUMN total TYPE int USING #-# total
--> function public.lies
ALTER TABLE orders ALTER COLUMN customer TYPE checked
--> function public.checks
ALTER TABLE orders ADD CHECK (touch(id) > 0)
--> function public.touch
ALTER TABLE orders ADD CHECK (#-# id > 0)
--> function public.lies
ALTER TABLE orders ADD CHECK (touch(id) > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT orders_id_check
--> function public.touch
ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES hr.salaries
--> alter public.orders; alter hr.salaries
ALTER TABLE orders ADD UNIQUE (customer)
--> alter public.orders
ALTER TABLE indexed ALTER COLUMN n TYPE bigint
--> alter public.indexed
ALTER TABLE measures ADD COLUMN x int
--> alter public.measures +hr.measures_secret
ALTER TABLE measures ATTACH PARTITION evil.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
--> alter evil.orders
ALTER TABLE measures DETACH PARTITION hr.measures_secret
--> alter hr.measures_secret
ALTER TABLE animals RENAME COLUMN id TO key
--> alter public.animals +hr.cats
ALTER TABLE animals NO INHERIT hr.cats
-->
ALTER TABLE hr.cats NO INHERIT animals
--> alter hr.cats; alter public.animals
ALTER TABLE orders DROP COLUMN id CASCADE
--> alter public.orders; drop -
ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE
--> alter public.orders; drop -
ALTER TABLE hr.salaries SET SCHEMA public
--> alter hr.salaries
ALTER TABLE orders OWNER TO app
--> alter public.orders
ALTER TABLE guarded DISABLE ROW LEVEL SECURITY
--> alter public.guarded
ALTER TABLE stamped DISABLE TRIGGER ALL
--> alter public.stamped
ALTER TABLE orders SET (fillfactor = 50)
--> alter public.orders
ALTER INDEX indexed_lies ALTER COLUMN 1 SET STATISTICS 10
--> alter public.indexed_lies
ALTER VIEW pay SET (security_invoker = true)
--> alter public.pay
ALTER VIEW pay ALTER COLUMN amount SET DEFAULT touch(1)
--> function public.touch
DROP TABLE measures
--> drop public.measures +hr.measures_secret
DROP TABLE log
--> drop public.log +hr.log_one +hr.log_rest
DROP TABLE animals CASCADE
--> drop public.animals +hr.cats; drop -
DROP VIEW pay CASCADE
--> drop public.pay; drop -
DROP SCHEMA hr CASCADE
--> drop hr; drop -
DROP TYPE mood CASCADE
--> drop mood; drop -
DROP OWNED BY app CASCADE
--> drop -
DROP OWNED BY CURRENT_USER
--> drop -
DROP FUNCTION two CASCADE
--> drop -
DROP OPERATOR #-# (NONE, int) CASCADE
--> drop -
DROP DOMAIN checked CASCADE
--> drop -
TRUNCATE measures
--> truncate public.measures +hr.measures_secret
TRUNCATE ONLY animals
--> truncate public.animals
TRUNCATE orders, items RESTART IDENTITY
--> truncate public.orders; truncate public.items

-- ## Indexes, statistics, upkeep
CREATE INDEX ON orders (lies(id))
--> function public.lies; create public.orders
CREATE INDEX ON orders ((#-# id))
--> function public.lies
CREATE INDEX ON orders (id) WHERE lies(id) > 0
--> function public.lies
CREATE INDEX ON measures (value)
--> create public.measures +hr.measures_secret
CREATE STATISTICS public.st ON (lies(id)), total FROM orders
--> function public.lies
REINDEX TABLE indexed
--> maintenance public.indexed; maintenance public.lies~
REINDEX INDEX indexed_lies
--> maintenance public.indexed_lies +public.indexed; maintenance public.lies~
ANALYZE indexed
--> maintenance public.indexed; maintenance public.lies~
ANALYZE measures
--> maintenance public.measures +hr.measures_secret
ANALYZE
--> maintenance -
VACUUM FULL indexed
--> maintenance public.lies~
CLUSTER indexed USING indexed_lies
--> maintenance public.lies~
CLUSTER
--> maintenance -
REFRESH MATERIALIZED VIEW pay_copy
--> maintenance public.pay_copy; select hr.salaries
REFRESH MATERIALIZED VIEW noise
--> maintenance public.noise; function public.lies; select hr.salaries
REFRESH MATERIALIZED VIEW CONCURRENTLY noise
--> maintenance public.noise; function public.lies; select hr.salaries
CREATE MATERIALIZED VIEW public.made AS SELECT touch(id) FROM pay
--> function public.touch; select hr.salaries
LOCK TABLE measures IN ACCESS EXCLUSIVE MODE
--> lock public.measures +hr.measures_secret
LOCK pay
--> lock public.pay; lock hr.salaries
SELECT * FROM pay FOR NO KEY UPDATE
--> lock hr.salaries
SELECT * FROM orders o JOIN hr.salaries s USING (id) FOR SHARE OF s
--> lock hr.salaries; select public.orders

-- ## Views, rules, triggers, policies
CREATE VIEW public.made AS SELECT * FROM hr.salaries; SELECT * FROM made
--> select hr.salaries
CREATE OR REPLACE VIEW pay AS SELECT id, touch(id) AS amount FROM orders; SELECT * FROM pay
--> function public.touch
CREATE RECURSIVE VIEW public.made (n) AS SELECT touch(1) UNION ALL SELECT n + 1 FROM made WHERE n < 3
--> function public.touch
CREATE RULE r AS ON INSERT TO orders DO ALSO DELETE FROM items; INSERT INTO orders (id) VALUES (50)
--> delete public.items; unknown orders may have changed in a transaction that is not over: COMMIT first
CREATE RULE r AS ON UPDATE TO pay DO INSTEAD SELECT touch(1)
--> function public.touch
CREATE RULE r AS ON DELETE TO ruled WHERE touch(OLD.id) = 1 DO INSTEAD (INSERT INTO audit VALUES (1, 'r'); DELETE FROM items)
--> function public.touch; delete public.items; insert public.audit
CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW WHEN (touch(NEW.id) > 0) EXECUTE FUNCTION stamp()
--> function public.touch; function public.stamp
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON orders FROM hr.salaries DEFERRABLE FOR EACH ROW EXECUTE FUNCTION stamp()
--> function public.stamp; create hr.salaries
CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION stamp()
--> create public.log +hr.log_one +hr.log_rest
CREATE POLICY p ON guarded USING (touch(id) > 0) WITH CHECK (id IN (SELECT id FROM hr.salaries))
--> function public.touch; create public.guarded; select hr.salaries
ALTER POLICY see ON guarded USING (touch(id) > 0)
--> function public.touch
ALTER RULE also ON ruled RENAME TO alse
--> alter public.ruled
DROP RULE also ON ruled
--> drop public.ruled
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION watch.note_ddl()
--> function watch.note_ddl

-- ## Functions, types, operators and the rest
CREATE FUNCTION public.new() RETURNS int BEGIN ATOMIC DELETE FROM items; SELECT 1; END
--> delete public.items; create public.new
CREATE FUNCTION public.new(a int DEFAULT touch(1)) RETURNS int LANGUAGE sql RETURN (SELECT max(amount) FROM hr.salaries)
--> function public.touch; select hr.salaries
CREATE OR REPLACE FUNCTION touch(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.items; RETURN 1; END'; SELECT touch(1)
--> create touch; function touch
CREATE PROCEDURE public.new() BEGIN ATOMIC UPDATE orders SET total = 0; END; CALL public.new()
--> create public.new; call public.new
CALL hidden_work(touch(4))
--> call public.hidden_work; function public.touch
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.items; RETURN 1; END'; SELECT pg_temp.f()
--> function pg_temp.f
CREATE AGGREGATE public.agg(int) (SFUNC = touch2, STYPE = int)
-->
CREATE AGGREGATE public.agg(int) (SFUNC = two, STYPE = int, INITCOND = '0'); SELECT agg(id) FROM orders
--> function agg
CREATE DOMAIN public.d AS int CHECK (touch(VALUE) > 0); SELECT 5::d
--> function public.touch
ALTER DOMAIN checked_by_operator ADD CHECK (touch(VALUE) > 0)
--> function public.touch
ALTER DOMAIN filled ADD CONSTRAINT c CHECK (VALUE > 0)
--> alter filled; alter -
CREATE TYPE public.ty AS (a int, b checked)
--> create public.ty
ALTER TYPE pair ADD ATTRIBUTE c int CASCADE
--> alter public.pair
ALTER TYPE mood ADD VALUE 'odd'
--> alter mood
ALTER TYPE pair DROP ATTRIBUTE b CASCADE
--> alter public.pair; drop -
CREATE COLLATION public.co (LOCALE = 'C')
--> create public.co
CREATE TEXT SEARCH CONFIGURATION public.ts (COPY = simple)
--> create public.ts
CREATE CAST (mood AS int) WITH INOUT
--> create -
CREATE OPERATOR CLASS public.oc FOR TYPE int USING btree AS FUNCTION 1 lies_two(int, int)
-->
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost')
--> create elsewhere
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR app SERVER elsewhere; CREATE FOREIGN TABLE public.far (a int DEFAULT touch(1)) SERVER elsewhere
--> create public.far; function public.touch
SELECT * FROM version_file
--> select public.version_file
CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)
--> create s
CREATE PUBLICATION p FOR TABLE hr.salaries WHERE (amount > 1)
--> create p
ALTER PUBLICATION everything ADD TABLE items
--> alter everything
CREATE SCHEMA fresh CREATE TABLE t (a int DEFAULT touch(1)) CREATE VIEW v AS SELECT * FROM hr.salaries
--> function public.touch; select hr.salaries
CREATE SEQUENCE public.s OWNED BY orders.id
--> create public.s
ALTER SEQUENCE numbers RESTART WITH 5
--> alter public.numbers
CREATE EXTENSION IF NOT EXISTS intarray SCHEMA public
--> create intarray
CREATE LANGUAGE plsh HANDLER h
--> create plsh
COMMENT ON COLUMN hr.salaries.amount IS 'x'
--> comment hr.salaries
SECURITY LABEL FOR dummy ON TABLE orders IS 'x'
--> comment public.orders
REASSIGN OWNED BY app TO app
--> alter -
GRANT ALL ON ALL TABLES IN SCHEMA hr TO PUBLIC
--> grant hr; grant -
GRANT SELECT (amount) ON pay TO PUBLIC WITH GRANT OPTION
--> grant public.pay
REVOKE ALL ON hr.salaries FROM app CASCADE
--> grant hr.salaries
GRANT EXECUTE ON FUNCTION two(int, int) TO PUBLIC
--> grant two
ALTER DEFAULT PRIVILEGES IN SCHEMA hr GRANT SELECT ON TABLES TO PUBLIC
-->
ALTER ROLE app SET search_path = evil
-->
ALTER ROLE app IN DATABASE scratch RESET ALL
-->
ALTER ROLE app PASSWORD 'x'
-->
