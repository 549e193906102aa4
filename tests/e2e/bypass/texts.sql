-- Texts that are read in another way than they look: escapes, comments, blanks, names that are cut off, catalogs of names.
-- White space that no editor keeps stands as its picture: ␍ ␌ ␋ ␉.

SELECT U&"\0074ouch"(1)
--> function public.touch
SELECT * FROM hr.U&"s!0061laries" UESCAPE '!'
--> select hr.salaries
SELECT * FROM U&"h\0072".U&"\+000073alaries"
--> select hr.salaries
SELECT "touch"(1)
--> function public.touch
SELECT PUBLIC.TOUCH(1)
--> function public.touch
SELECT "Tou.ch"(1)
--> function public."Tou.ch"
SELECT 1 FROM "sel""ect"
--> select public."sel""ect"
SELECT * FROM "hr"."salaries"
--> select hr.salaries
SELECT * FROM HR . SALARIES
--> select hr.salaries
SELECT 1; -- two; DROP TABLE x␍ DELETE FROM items WHERE id = 5
--> delete public.items
SELECT 1 --␍; DELETE FROM items WHERE id = 5
--> delete public.items
SELECT 1 /* /* nested */ ; DROP TABLE orders; */ ; DELETE FROM items WHERE id = 5
--> delete public.items
SELECT 1 /* ' */ ; DELETE FROM items /* ' */ WHERE id = 5
--> delete public.items
SELECT '/*'; DELETE FROM items WHERE id = 5; SELECT '*/'
--> delete public.items
SELECT '--'; DELETE FROM items WHERE id = 5
--> delete public.items
SELECT $$ ' $$; DELETE FROM items WHERE id = 5; SELECT $$ ' $$
--> delete public.items
SELECT $a$ $b$ $a$; DELETE FROM items WHERE id = 5; SELECT $b$ $b$
--> delete public.items
SELECT E'\''; DELETE FROM items WHERE id = 5; SELECT '\''
-->
SELECT E'\''; DELETE FROM items WHERE id = 5; SELECT E'\''
--> delete public.items
SELECT '\'; DELETE FROM items WHERE id = 5; SELECT '\'
--> delete public.items
SELECT 'a' 'b'; DELETE FROM items WHERE id = 5
-->
SELECT 'a'␍'b'; DELETE FROM items WHERE id = 5
--> delete public.items
SELECT B'1'; DELETE FROM items WHERE id = 5; SELECT X'1F'
--> delete public.items
SELECT N'x'; DELETE FROM items WHERE id = 5
--> delete public.items
SELECT U&'\0027; DELETE FROM items; --'; DELETE FROM items WHERE id = 5
--> delete public.items
;;;DELETE FROM items WHERE id = 5;;;
--> delete public.items
␌DELETE␌FROM␉items␍WHERE id = 5
--> delete public.items
DELETE␋FROM items WHERE id = 5
-->
DELETE/**/FROM/**/items/**/WHERE/**/id=5
--> delete public.items
(((SELECT touch(1))))
--> function public.touch
(SELECT 1) UNION (SELECT touch(1) LIMIT 1)
--> function public.touch
TABLE orders UNION ALL TABLE hr.salaries
--> select public.orders; select hr.salaries
SELECT 1 UNION SELECT amount FROM hr.salaries ORDER BY 1
--> select hr.salaries
SELECT 1 EXCEPT TABLE noisy
--> function public.touch
SELECT * FROM orders WHERE id IN (TABLE numbers_of)
-->
SELECT 1 WHERE 1 IN (VALUES (touch(1)))
--> function public.touch
SELECT ARRAY(SELECT amount FROM hr.salaries)
--> select hr.salaries
SELECT (SELECT array_agg(s) FROM hr.salaries s)
--> select hr.salaries
SELECT * FROM orders o, LATERAL (SELECT * FROM hr.salaries s WHERE s.id = o.id) l
--> select hr.salaries
SELECT * FROM public.orders, ONLY (hr.cats)
--> select hr.cats +public.animals
WITH x AS (SELECT * FROM pay), pay AS (SELECT 1) SELECT * FROM x
--> select hr.salaries
WITH pay AS (SELECT 1 AS amount) SELECT * FROM pay, public.pay p
--> select hr.salaries
WITH orders AS (SELECT 1) INSERT INTO items SELECT 900, NULL FROM orders
--> insert public.items
WITH RECURSIVE r AS (SELECT touch(1) AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r
--> function public.touch
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SEARCH DEPTH FIRST BY n SET o CYCLE n SET c USING p SELECT touch(n) FROM r
--> function public.touch
WITH a AS MATERIALIZED (UPDATE orders SET total = 1 WHERE id = 1 RETURNING *), b AS (DELETE FROM items WHERE id = 2 RETURNING *) SELECT 1
--> update public.orders; delete public.items
WITH a AS (WITH b AS (DELETE FROM items WHERE id = 2 RETURNING *) SELECT * FROM b) SELECT * FROM a
-->
WITH a AS (MERGE INTO items i USING orders o ON false WHEN MATCHED THEN DELETE) SELECT 1
-->
SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM deep) a) b) c
--> select hr.salaries
SELECT * FROM both_pays
--> select hr.salaries; select public.measures +hr.measures_secret
SELECT * FROM noisy
--> function public.touch; select public.orders
SELECT t FROM noisy LIMIT 1
--> function public.touch
SELECT * FROM signs
--> function public.lies; function public.two
SELECT count(*) FROM own_pay
--> select hr.salaries
SELECT * FROM low_low
--> select public.low_pay; select hr.salaries; function public.touch
INSERT INTO low_pay VALUES (50, 1, 'x')
--> insert hr.salaries
UPDATE low_low SET amount = 1 WHERE id = 1
--> update public.low_pay; update hr.salaries; function public.touch
DELETE FROM low_low WHERE id = 1
--> delete hr.salaries; function public.touch
INSERT INTO low_pay VALUES (50, 99999, 'x')
--> insert hr.salaries
SELECT * FROM base_of
--> select public.base_of; select hr.salaries
SELECT * FROM noise
--> select public.noise
SELECT * FROM abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789_and_more
--> select public.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789
SELECT abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_987654321_and_more(1)
--> function public.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_987654321
SELECT 'abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789_and_more'::regclass
--> select public.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789
SELECT ' hr . salaries '::regclass
--> select hr.salaries
SELECT 'HR.Salaries'::pg_catalog.regclass
--> select hr.salaries
SELECT regclass '"hr"."salaries"'
--> select hr.salaries
SELECT E'hr.\x73alaries'::regclass
--> select hr.salaries
SELECT U&'hr.\0073alaries'::regclass
--> select hr.salaries
SELECT $$hr.salaries$$::regclass::oid
--> select hr.salaries
SELECT to_regclass('hr.salaries')
-->
SELECT 'touch'::regproc, 'touch(int)'::regprocedure
-->
SELECT touch(id), pg_catalog.lower('x') FROM public.orders AS "public.orders"
--> function public.touch; select public.orders
SELECT many(1, 2)
--> function public.many
SELECT many(VARIADIC ARRAY[3])
--> function public.many
SELECT moves($1 => 1, 2)
-->
SELECT moves(1, 2)
--> function public.moves
SELECT of_default()
--> function public.of_default
SELECT window_touch(id) OVER (ORDER BY id ROWS 2 PRECEDING) FROM orders
--> function public.window_touch
SELECT last_touch(id) FROM orders
--> function public.last_touch
SELECT last_touch(id) FILTER (WHERE id > 3) FROM orders
--> function public.last_touch
SELECT * FROM orders TABLESAMPLE system_rows(touch(2))
--> function public.system_rows; function public.touch
SELECT * FROM orders TABLESAMPLE bernoulli(50) REPEATABLE (touch(2))
--> function public.touch
SELECT * FROM hr.salaries TABLESAMPLE system (100)
--> select hr.salaries
SELECT xmlforest(touch(1) AS a), xmlelement(name b, xmlattributes(touch(2) AS c))
--> function public.touch
SELECT * FROM xpath_table('id', 'note', 'orders', '/a', 'true') AS t(id int, n text)
--> function public.xpath_table
SELECT xmlconcat(xmlparse(CONTENT touch(1)::text))
--> function public.touch
SELECT query_to_xml_and_xmlschema('DELETE FROM items RETURNING 1', true, true, '')
--> function pg_catalog.query_to_xml_and_xmlschema
SELECT cursor_to_xml('c', 1, true, true, '')
--> function pg_catalog.cursor_to_xml
SELECT schema_to_xml('hr', true, true, '')
--> function pg_catalog.schema_to_xml
SELECT database_to_xml(true, true, '')
--> function pg_catalog.database_to_xml
SELECT ts_rewrite('a'::tsquery, 'SELECT note::tsquery, note::tsquery FROM orders')
--> function pg_catalog.ts_rewrite
SELECT ts_debug('english', 'x')
-->
SELECT * FROM crosstab3('SELECT name, name, amount FROM hr.salaries')
--> function public.crosstab3
SELECT * FROM pgrowlocks('hr.salaries')
--> function public.pgrowlocks
SELECT * FROM pgstattuple('hr.salaries')
--> function public.pgstattuple
SELECT get_raw_page('hr.salaries', 0)
--> function public.get_raw_page
SELECT dblink_connect('c', 'host=/nowhere')
--> function public.dblink_connect
SELECT dblink_send_query('c', 'DELETE FROM items')
--> function public.dblink_send_query
SELECT dblink_open('c', 'SELECT 1')
--> function public.dblink_open
SELECT dblink_build_sql_delete('hr.salaries', '1', 1, '{1}')
--> function public.dblink_build_sql_delete
SELECT set_limit(0.5)
--> function public.set_limit
