-- The scratch database of the bypass corpus. Run by its superuser; app is who the statements log in as.
CREATE SCHEMA hr; CREATE SCHEMA evil; CREATE SCHEMA watch;
GRANT ALL ON SCHEMA public, hr, evil TO app;
GRANT USAGE ON SCHEMA watch TO app; GRANT CREATE ON DATABASE scratch TO app;
CREATE TABLE watch.ddl (tag text, object text);
GRANT INSERT, SELECT ON watch.ddl TO app;
CREATE FUNCTION watch.note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO watch.ddl SELECT tg_tag, object_identity FROM pg_event_trigger_ddl_commands(); END $$;
CREATE FUNCTION watch.note_drop() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO watch.ddl SELECT tg_tag, object_identity FROM pg_event_trigger_dropped_objects(); END $$;
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION tablefunc; CREATE EXTENSION dblink;
CREATE FUNCTION public.boss_read(int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT $1 + 1';
CREATE FUNCTION public.boss_plus(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
SET ROLE app;
CREATE TABLE public.orders (id int PRIMARY KEY, customer int, total int, note text);
CREATE TABLE public.items (id int PRIMARY KEY, order_id int REFERENCES public.orders ON DELETE CASCADE);
CREATE TABLE public.audit (id int, what text);
CREATE TABLE hr.salaries (id int PRIMARY KEY, amount int, name text);
CREATE TABLE hr."Odd.Name" (id int, "Secret" text);
CREATE TABLE evil.orders (id int, customer int, total int, note text);
INSERT INTO public.orders SELECT i, i, i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO public.items SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO hr.salaries SELECT i, i * 1000, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO hr."Odd.Name" VALUES (1, 's');
INSERT INTO evil.orders VALUES (1, 1, 1, 'evil');
CREATE VIEW public.pay AS SELECT id, amount FROM hr.salaries;
CREATE VIEW public.pay_of_pay AS SELECT p.amount FROM public.pay p JOIN public.orders o USING (id);
CREATE VIEW public.odd AS SELECT "Secret" AS s FROM hr."Odd.Name";
CREATE VIEW public.doors AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW public.pay_copy AS SELECT amount FROM hr.salaries;
CREATE TABLE public.measures (day date, value int) PARTITION BY RANGE (day);
CREATE TABLE hr.measures_secret PARTITION OF public.measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO public.measures VALUES ('2024-05-05', 1);
CREATE TABLE public.animals (id int);
CREATE TABLE hr.cats (lives int) INHERITS (public.animals);
INSERT INTO hr.cats VALUES (1, 9);
CREATE FUNCTION public.touch(int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES ($1, 'touched'); RETURN $1; END $$;
CREATE FUNCTION public.claims_stable(int) RETURNS int LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM set_config('x.y', 'z', true); RETURN (SELECT amount FROM hr.salaries WHERE id = $1); END $$;
CREATE FUNCTION public.claims_immutable(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT amount FROM hr.salaries WHERE id = $1';
CREATE FUNCTION public.of_row(public.orders) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (1, 'row'); RETURN 1; END $$;
CREATE FUNCTION public.of_anything(anyelement) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (1, 'any'); RETURN 1; END $$;
CREATE FUNCTION public.all_pay() RETURNS SETOF hr.salaries LANGUAGE sql STABLE AS 'SELECT * FROM hr.salaries';
CREATE FUNCTION public.two(int, int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES ($1, 'two'); RETURN $1 + $2; END $$;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (1, 'lower'); RETURN $1; END $$;
CREATE FUNCTION evil.count(int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (1, 'count'); RETURN $1; END $$;
CREATE OPERATOR public.|+| (LEFTARG = int, RIGHTARG = int, FUNCTION = public.two);
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.two);
CREATE OPERATOR public.@@@ (RIGHTARG = int, FUNCTION = public.touch);
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE FUNCTION public.to_mood(int) RETURNS public.mood LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES ($1, 'mood'); RETURN 'good'; END $$;
CREATE CAST (int AS public.mood) WITH FUNCTION public.to_mood(int) AS ASSIGNMENT;
CREATE FUNCTION public.checks(int) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES ($1, 'checked'); RETURN true; END $$;
CREATE DOMAIN public.checked AS int CHECK (public.checks(VALUE));
CREATE TABLE public.moods (m public.mood, c public.checked);
CREATE AGGREGATE public.total_touch(int) (SFUNC = public.two, STYPE = int, INITCOND = '0');
CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (1, 'stamp'); RETURN NEW; END $$;
CREATE TABLE public.stamped (id int);
CREATE TRIGGER stamp BEFORE INSERT ON public.stamped FOR EACH ROW EXECUTE FUNCTION public.stamp();
CREATE FUNCTION public.through_door() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM public.items WHERE id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER door INSTEAD OF INSERT ON public.doors FOR EACH ROW EXECUTE FUNCTION public.through_door();
CREATE TABLE public.ruled (id int);
CREATE RULE also AS ON INSERT TO public.ruled DO ALSO DELETE FROM public.items WHERE id = NEW.id;
CREATE TABLE public.guarded (id int, owner text);
CREATE FUNCTION public.may_see(text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (1, 'policy'); RETURN true; END $$;
ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE public.guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY see ON public.guarded USING (public.may_see(owner));
INSERT INTO public.audit VALUES (0, 'begin');
CREATE SEQUENCE public.numbers;
CREATE TABLE public.numbered (id int DEFAULT public.touch(7), v int);
CREATE PROCEDURE public.work(int) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES ($1, 'work'); END $$;
CREATE FUNCTION public.lies(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
CREATE FUNCTION public.lies_two(int, int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 <> $2; END $$;
CREATE OPERATOR public.#-# (RIGHTARG = int, FUNCTION = public.lies);
CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq, NEGATOR = OPERATOR(public.!==));
CREATE OPERATOR public.!== (LEFTARG = int, RIGHTARG = int, FUNCTION = public.lies_two, NEGATOR = OPERATOR(public.===));
CREATE DOMAIN public.checked_by_operator AS int CHECK (OPERATOR(public.#-#) VALUE > 0);
CREATE DOMAIN public.checked_twice AS public.checked NOT NULL;
CREATE DOMAIN public.filled AS int DEFAULT public.touch(8);
CREATE TABLE public.fills (id int, f public.filled);
CREATE TYPE public.pair AS (a int, b public.checked);
CREATE TABLE public.signed (id int CHECK (OPERATOR(public.#-#) id > 0), g int GENERATED ALWAYS AS (public.lies(id)) STORED);
CREATE TABLE public.indexed (id int, n int);
INSERT INTO public.indexed VALUES (1, 1), (2, 2);
CREATE INDEX indexed_lies ON public.indexed (public.lies(id));
CREATE INDEX indexed_sign ON public.indexed ((OPERATOR(public.#-#) n)) WHERE public.lies(n) > 0;
CREATE STATISTICS public.indexed_more ON (public.lies(id)), (n + 1) FROM public.indexed;
CREATE TABLE public.log (day int, note text) PARTITION BY LIST (public.lies(day));
CREATE TABLE hr.log_one PARTITION OF public.log FOR VALUES IN (1);
CREATE TABLE hr.log_rest PARTITION OF public.log DEFAULT;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON hr.log_one FOR EACH ROW EXECUTE FUNCTION public.stamp();
INSERT INTO public.log VALUES (1, 'a'), (2, 'b');
CREATE TABLE public.owners (id int PRIMARY KEY);
CREATE TABLE hr.owned (id int, owner int REFERENCES public.owners ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TRIGGER gone AFTER DELETE OR UPDATE ON hr.owned FOR EACH ROW EXECUTE FUNCTION public.stamp();
INSERT INTO public.owners VALUES (1), (2); INSERT INTO hr.owned VALUES (1, 1);
CREATE VIEW public.noisy AS SELECT public.touch(id) AS t FROM public.orders;
CREATE VIEW public.signs AS SELECT OPERATOR(public.#-#) id AS s, id OPERATOR(public.|+|) 1 AS t FROM public.orders;
CREATE VIEW public.own_pay WITH (security_invoker = true) AS SELECT * FROM hr.salaries;
CREATE VIEW public.low_pay AS SELECT * FROM hr.salaries WHERE amount < 5000 WITH CASCADED CHECK OPTION;
CREATE VIEW public.low_low AS SELECT id, amount FROM public.low_pay WHERE public.touch(id) > 0;
CREATE VIEW public.both_pays AS SELECT amount FROM hr.salaries UNION ALL SELECT value FROM public.measures;
CREATE VIEW public.stamps AS SELECT * FROM public.stamped;
CREATE VIEW public.settings AS SELECT * FROM pg_catalog.pg_settings;
CREATE VIEW public.deep AS WITH RECURSIVE r AS (SELECT id, 1 AS n FROM hr.salaries UNION ALL SELECT id, n + 1 FROM r WHERE n < 3)
  SELECT * FROM r;
CREATE MATERIALIZED VIEW public.noise AS SELECT public.lies(id) AS l FROM hr.salaries;
CREATE UNIQUE INDEX noise_l ON public.noise (l);
CREATE TABLE public.base_of (id int);
CREATE RULE "_RETURN" AS ON SELECT TO public.base_of DO INSTEAD SELECT id FROM hr.salaries WHERE false;
CREATE TABLE public.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 (id int);
CREATE FUNCTION public.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_987654321(int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES ($1, 'long'); RETURN $1; END $$;
CREATE FUNCTION public."Tou.ch"(int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES ($1, 'quoted'); RETURN $1; END $$;
CREATE TABLE public."sel""ect" (id int);
INSERT INTO public."sel""ect" VALUES (1);
CREATE FUNCTION public.moves(int, int) RETURNS int LANGUAGE sql AS 'UPDATE public.orders SET total = $2 WHERE id = $1 RETURNING id';
CREATE FUNCTION public.many(VARIADIC int[]) RETURNS int LANGUAGE sql AS 'DELETE FROM public.items WHERE id = ANY ($1) RETURNING id';
CREATE FUNCTION public.of_default(int DEFAULT public.touch(3)) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE public.window_touch(int) (SFUNC = public.two, STYPE = int, INITCOND = '0', MSFUNC = public.two,
  MINVFUNC = public.two, MSTYPE = int, MINITCOND = '0');
CREATE AGGREGATE public.last_touch(int) (SFUNC = int4larger, STYPE = int, FINALFUNC = public.touch);
CREATE TYPE public.spread AS RANGE (SUBTYPE = int);
CREATE PROCEDURE public.hidden_work(INOUT a int) LANGUAGE sql BEGIN ATOMIC DELETE FROM public.items WHERE id = a; SELECT 1; END;
CREATE PUBLICATION everything FOR TABLE public.orders;
RESET ROLE;
CREATE EXTENSION pg_trgm; CREATE EXTENSION tsm_system_rows; CREATE EXTENSION pageinspect; CREATE EXTENSION postgres_fdw;
CREATE EXTENSION pgstattuple; CREATE EXTENSION xml2; CREATE EXTENSION file_fdw; CREATE EXTENSION pgrowlocks;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE public.version_file (line text) SERVER files OPTIONS (filename 'PG_VERSION');
GRANT SELECT ON public.version_file TO app; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO app;
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end EXECUTE FUNCTION watch.note_ddl();
CREATE EVENT TRIGGER watch_drop ON sql_drop EXECUTE FUNCTION watch.note_drop();
