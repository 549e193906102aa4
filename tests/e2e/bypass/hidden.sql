-- Functions that are reached without a call in sight: operators, rows, casts, domains, indexes, negators, partitions.

-- ## Attribute notation on rows of every kind
WITH o AS (SELECT * FROM orders) SELECT o.of_anything FROM o
--> function public.of_anything
SELECT s.of_anything FROM (SELECT 1 AS a) s
--> function public.of_anything
SELECT v.of_anything FROM (VALUES (1)) v(a)
--> function public.of_anything
SELECT g.touch FROM generate_series(1, 2) g
--> function public.touch
SELECT (g).touch FROM generate_series(1, 2) g
--> function public.touch
SELECT j.of_anything FROM (orders JOIN items USING (id)) AS j
--> function public.of_anything
SELECT orders.of_row FROM orders WHERE orders.of_row = 1
--> function public.of_row
SELECT 1 FROM orders ORDER BY orders.of_anything
--> function public.of_anything
SELECT public.orders.of_row FROM public.orders
--> function public.of_row
SELECT (orders.*).of_row FROM orders
--> function public.of_row
SELECT (SELECT o.of_row) FROM orders o
--> function public.of_row
SELECT (ROW(1, 2)).of_anything
--> function public.of_anything
SELECT (1).touch
--> function public.touch
SELECT ('x'::text).of_anything
--> function public.of_anything
SELECT (ARRAY[1, 2])[1].of_anything
-->
SELECT ((ARRAY[1, 2])[1]).touch
--> function public.touch
SELECT (SELECT 5).touch
-->
SELECT ((SELECT 5)).touch
--> function public.touch
INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET total = excluded.of_row
--> function public.of_row
UPDATE orders SET total = orders.of_row WHERE id = 1
--> function public.of_row
DELETE FROM orders USING items i WHERE i.of_anything = 1 AND orders.id = 1
--> function public.of_anything
DELETE FROM orders WHERE id = 9 RETURNING orders.of_row
--> function public.of_row
INSERT INTO orders (id) VALUES (91) RETURNING orders.of_anything
--> function public.of_anything
MERGE INTO orders o USING items i ON o.id = i.id WHEN MATCHED THEN UPDATE SET total = o.of_row
--> function public.of_row
SELECT p.of_anything FROM pay p
--> function public.of_anything
SELECT t.of_anything FROM pg_class t LIMIT 1
--> function public.of_anything
CREATE TEMP TABLE mine (id int); INSERT INTO mine VALUES (1); SELECT mine.of_anything FROM mine
--> function public.of_anything
CREATE TEMP TABLE mine AS SELECT 1 AS id; SELECT (m).of_anything FROM mine m
--> function public.of_anything
CREATE TABLE public.mine (id int); INSERT INTO mine VALUES (1); SELECT mine.of_anything FROM mine
--> function public.of_anything
SELECT x.of_anything FROM json_to_record('{"a":1}') AS x(a int)
--> function public.of_anything
SELECT x.of_anything FROM unnest(ARRAY[1]) WITH ORDINALITY AS x
--> function public.of_anything
SELECT x.of_anything FROM XMLTABLE('/r' PASSING '<r/>' COLUMNS a int PATH '@a') AS x
--> function public.of_anything
SELECT x.of_anything FROM all_pay() x
--> function public.all_pay; function public.of_anything
SELECT l.touch FROM orders o, LATERAL (SELECT o.id) l
-->
SELECT l.of_anything FROM orders o, LATERAL (SELECT o.id) l
--> function public.of_anything

-- ## Operators in odd places
SELECT 1 FROM orders WHERE (id, 1) OPERATOR(public.|+|) (1, 2) IS NULL
-->
SELECT id |+| ANY (ARRAY[1]) FROM orders
-->
SELECT 3 !== ANY (ARRAY[1, 2])
--> function public.lies_two
SELECT 3 OPERATOR(public.!==) ALL (SELECT id FROM orders)
--> function public.lies_two; select public.orders
SELECT NOT (id === 1) FROM orders
--> function public.lies_two
SELECT id FROM orders WHERE NOT (id === 1)
--> function public.lies_two
SELECT NOT 1 OPERATOR(public.===) id FROM orders
--> function public.lies_two
SELECT #-# id FROM orders
--> function public.lies
SELECT 1 + #-# 2
--> function public.lies
SELECT 1 FROM orders GROUP BY #-# id
--> function public.lies
SELECT 1 LIMIT #-# 1
--> function public.lies
SELECT 1 OFFSET #-# 1
--> function public.lies
SELECT 1 FETCH FIRST (#-# 1) ROWS ONLY
--> function public.lies
SELECT sum(id) OVER (ORDER BY #-# id) FROM orders
--> function public.lies
SELECT sum(id) OVER w FROM orders WINDOW w AS (PARTITION BY touch(id))
--> function public.touch
SELECT sum(id) OVER (ROWS BETWEEN touch(1) PRECEDING AND CURRENT ROW) FROM orders
--> function public.touch
SELECT sum(id) OVER w FROM orders WINDOW w AS (ROWS #-# 1 PRECEDING)
--> function public.lies
SELECT id FROM orders GROUP BY GROUPING SETS ((id), (touch(id)))
--> function public.touch
SELECT 1 FROM orders GROUP BY ROLLUP (touch(id))
--> function public.touch
SELECT 1 FROM orders GROUP BY CUBE (id, touch(id))
--> function public.touch
SELECT CASE #-# 1 WHEN 1 THEN 2 END
--> function public.lies
SELECT NULLIF(#-# 1, 2)
--> function public.lies
SELECT 1 IS DISTINCT FROM #-# 2
--> function public.lies
SELECT ROW(1, #-# 2) < ROW(1, 3)
--> function public.lies
SET search_path = evil, pg_catalog; SELECT 1 IN (1, 2)
--> function public.two
SET search_path = evil, pg_catalog; SELECT NULLIF(1, 2)
--> function public.two
SET search_path = evil, pg_catalog; SELECT 1 IS DISTINCT FROM 2
--> function public.two
SET search_path = evil, pg_catalog; SELECT CASE 1 WHEN 2 THEN 3 END
--> function public.two
SET search_path = evil, pg_catalog; SELECT 1 FROM public.orders JOIN public.items USING (id)
--> function public.two
SET search_path = evil, pg_catalog; SELECT 1 FROM public.orders NATURAL JOIN public.items
--> function public.two
SET search_path = evil, pg_catalog; SELECT 1 IN (SELECT id FROM public.items)
--> function public.two
SET search_path = evil, pg_catalog; SELECT (1, 2) = (1, 3)
--> function public.two
SET search_path = evil, pg_catalog; SELECT 1 = ANY ('{1}'::int[])
--> function public.two
CREATE OPERATOR public.<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = two); SELECT 1 <<< 2
--> unknown operators and types may have changed in a transaction that is not over: COMMIT first
CREATE OPERATOR pg_temp.<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = public.two); SELECT 1 OPERATOR(pg_temp.<<<) 2
--> unknown operators and types may have changed in a transaction that is not over: COMMIT first
CREATE CAST (bool AS mood) WITH FUNCTION odd_mood(bool); SELECT true::mood
-->
CREATE FUNCTION public.to_pair(int) RETURNS public.pair LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.items; RETURN NULL; END'; CREATE CAST (int AS pair) WITH FUNCTION public.to_pair(int); SELECT 5::pair
--> unknown operators and types may have changed in a transaction that is not over: COMMIT first

-- ## Casts and domains without a cast in sight
SELECT 5::checked_by_operator
--> function public.lies
SELECT 5::checked_twice
--> function public.checks
SELECT NULL::checked_twice
--> function public.checks
SELECT '{5,6}'::checked[]
--> function public.checks
SELECT '(1,5)'::pair
--> function public.checks
SELECT ROW(1, 5)::pair
--> function public.checks
SELECT checked '5'
--> function public.checks
SELECT checked(5)
-->
SELECT json_populate_record(NULL::moods, '{"c":5}')
--> function public.checks
SELECT json_populate_record(NULL::pair, '{"b":5}')
--> function public.checks
SELECT * FROM json_populate_recordset(NULL::pair, '[{"b":5}]')
--> function public.checks
SELECT * FROM json_to_record('{"c":5}') AS x(c checked)
--> function public.checks
SELECT * FROM jsonb_to_recordset('[{"c":5}]') AS x(c public.checked)
--> function public.checks
SELECT * FROM ROWS FROM (json_to_record('{"c":5}') AS (c checked)) AS x
--> function public.checks
SELECT * FROM XMLTABLE('/r' PASSING '<r a="5"/>' COLUMNS c checked PATH '@a') AS x
--> function public.checks
SELECT * FROM XMLTABLE('/r' PASSING '<r a="5"/>' COLUMNS c int PATH '@a' DEFAULT touch(1)) AS x
--> function public.touch
SELECT * FROM XMLTABLE('/r' PASSING (SELECT '<r a="5"/>'::xml FROM hr.salaries LIMIT 1) COLUMNS c int PATH '@a') AS x
--> select hr.salaries
PREPARE five(checked) AS SELECT $1; EXECUTE five(5)
--> function public.checks
PREPARE five(int) AS SELECT $1::checked; EXECUTE five(5)
--> function public.checks
CREATE TEMP TABLE tt (c checked); INSERT INTO tt VALUES (5)
--> function public.checks
CREATE TABLE public.tt (c checked); INSERT INTO tt VALUES (5)
--> function public.checks
CREATE TEMP TABLE tt (LIKE moods); INSERT INTO tt VALUES (5, 5)
--> function public.checks
CREATE TEMP TABLE tt AS SELECT * FROM moods; INSERT INTO tt (m) VALUES (5)
--> function public.to_mood
INSERT INTO fills (id) VALUES (1)
--> function public.touch
INSERT INTO fills DEFAULT VALUES
--> function public.touch
UPDATE fills SET f = DEFAULT
--> function public.touch
SELECT '[1,5)'::spread
-->
SELECT xmlserialize(CONTENT '<a/>' AS checked)
-->
COPY moods (c) FROM STDIN
--> function public.checks
COPY stamped FROM STDIN
--> copy_from public.stamp~
COPY stamped FROM STDIN WHERE touch(id) = 77
--> function public.touch
COPY stamped FROM STDIN WHERE #-# id > 0
--> function public.lies
COPY measures (value) FROM STDIN WHERE false
--> copy_from public.measures +hr.measures_secret
COPY (WITH d AS (DELETE FROM items WHERE id = 5 RETURNING id) SELECT * FROM d) TO STDOUT
--> delete public.items
COPY (DELETE FROM items WHERE id = 5 RETURNING id) TO STDOUT
--> delete public.items
COPY (INSERT INTO audit VALUES (touch(4), 'x') RETURNING id) TO STDOUT
--> insert public.audit; function public.touch
COPY (SELECT #-# id FROM orders) TO STDOUT
--> function public.lies
COPY noisy TO STDOUT
-->
COPY (TABLE noisy) TO STDOUT
--> function public.touch

-- ## What hangs on tables, further away
INSERT INTO log VALUES (1, 'x')
--> insert public.stamp~; insert public.lies~; insert public.log +hr.log_one +hr.log_rest
UPDATE log SET day = 1 WHERE day = 2
--> update public.stamp~
COPY log (day) FROM STDIN
--> copy_from public.lies~
DELETE FROM owners WHERE id = 1
--> delete public.owners +hr.owned; delete public.stamp~
UPDATE owners SET id = 7 WHERE id = 1
--> update public.owners +hr.owned; update public.stamp~
INSERT INTO signed (id) VALUES (1)
--> insert public.lies~
INSERT INTO indexed VALUES (3, 3)
--> insert public.lies~
UPDATE indexed SET n = 9
--> update public.lies~
INSERT INTO stamps VALUES (5)
--> insert public.stamps; insert public.stamped; insert public.stamp~
INSERT INTO numbered DEFAULT VALUES
--> insert public.touch~
INSERT INTO numbered (id, v) VALUES (DEFAULT, 1)
--> insert public.touch~
UPDATE numbered SET id = DEFAULT
--> update public.touch~
MERGE INTO numbered n USING (SELECT 1 AS v) s ON n.v = s.v WHEN NOT MATCHED THEN INSERT (v) VALUES (s.v)
--> merge public.numbered; insert public.numbered; insert public.touch~
MERGE INTO stamped s USING orders o ON s.id = o.id WHEN NOT MATCHED AND touch(o.id) > 0 THEN INSERT VALUES (o.id) WHEN MATCHED THEN DO NOTHING
--> insert public.stamped; function public.touch; insert public.stamp~
MERGE INTO items i USING hr.salaries s ON i.id = s.id WHEN MATCHED AND s.amount > 1 THEN UPDATE SET order_id = touch(s.id) WHEN MATCHED THEN DELETE
--> update public.items; delete public.items; select hr.salaries; function public.touch
MERGE INTO log l USING owners o ON l.day = o.id WHEN MATCHED THEN UPDATE SET note = 'x'
--> merge public.log +hr.log_one +hr.log_rest
SELECT count(*) FROM indexed WHERE lies(id) = 1
--> function public.lies
