"""What test_transparent.py plays by the simple protocol: conversations, each a list of exchanges in one session. See
twin.steps_of() for their form. Nothing in them may depend on clock, process, transaction numbers or chance."""
from .twin import Step
from .wire import message, query

SETUP = """
create type mood as enum ('sad', 'ok', 'happy');
create type pair as (a int, b text);
create domain positive as int check (value > 0);
create table people (id int primary key, name text not null, email text unique, score numeric(8,3), born date,
                     tags text[], info jsonb, feeling mood, extra pair, photo bytea);
insert into people select i, 'Name ' || i, 'p' || i || '@example.com', i * 1.125, date '1970-01-01' + i, array['t' || i, null, 'x,y'],
       jsonb_build_object('n', i, 'deep', jsonb_build_array(1, null, 'ü')), (array['sad', 'ok', 'happy'])[1 + i % 3]::mood,
       row(i, 'b' || i)::pair, decode(lpad(to_hex(i), 4, '0'), 'hex') from generate_series(1, 200) i;
create table orders (id int primary key, person int not null references people, amount int check (amount > 0), note varchar(10));
insert into orders select i, 1 + i % 200, i, 'n' || i from generate_series(1, 500) i;
create table parted (k int, v text) partition by range (k);
create table parted_low partition of parted for values from (0) to (10);
create table parted_high partition of parted for values from (10) to (20);
create table sink (id int, v text);
create table guarded (id int, v text);
alter table guarded enable row level security;
alter table guarded force row level security;
create policy odd on guarded using (id % 2 = 1);
insert into guarded values (1, 'odd');
create sequence counter;
create view grown_up as select id, name, upper(email) as mail from people where id <= 20;
create materialized view totals as select person, sum(amount) as total from orders group by person;
create function chatty(n int) returns int language plpgsql as $$ begin for i in 1..n loop raise notice 'line % of %', i, n; end loop; return n; end $$;
create function fails(code text) returns void language plpgsql as $$ begin raise exception 'made up: %', code using errcode = code,
    detail = 'a detail', hint = 'a hint', column = 'c', constraint = 'k', datatype = 'd', table = 't', schema = 's'; end $$;
create function several() returns setof pair language sql as $$ select 1, 'one' union all select 2, 'two' $$;
create procedure twice(inout n int) language plpgsql as $$ begin n := n * 2; commit; end $$;
create function on_sink() returns trigger language plpgsql as $$ begin raise warning 'sink gets %', new.id; return new; end $$;
create trigger watch before insert on sink for each row execute function on_sink();
"""


def copy_in(statement, *chunks, end=message(b"c")):
    return Step(query(statement) + b"".join(message(b"d", chunk) for chunk in chunks) + end, 1)


SIMPLE = {
    "plain rows": [
        "select 1", "select 1 as a, 'b' as b, null as c", "select", "select *  from people order by id limit 3",
        "select id, name from people where false", "table orders", "values (1, 'a'), (2, null)",
        "select p.name, o.* from people p join orders o on o.person = p.id where o.id < 5 order by o.id",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 50) select sum(n), count(*) from t",
        "select person, amount, rank() over (partition by person order by amount) from orders where person < 4 order by 1, 2",
        "select name, string_agg(note, ',' order by o.id) from people p join orders o on o.person = p.id group by 1 order by 1 limit 7",
        "select row(1, 'x', null), array[[1,2],[3,4]], '{\"a\": [1]}'::json, int4range(1, 5), null::text",
        "select p from people p where id = 3", "select row_to_json(o) from orders o where id = 1",
        "select several(), several()", "select * from grown_up order by id",
        "select * from totals where person < 5 order by 1", "select count(*) from pg_class where relname = 'people'",
        "select relname, relkind from pg_class where relname like 'parted%' order by 1",
        "select 'people'::regclass, 'mood'::regtype, 'int4'::regtype",
        "explain (costs off) select * from people where id = 1",
        "explain (costs off, format json) select * from orders order by amount",
        "explain (analyze, costs off, timing off, summary off) select count(*) from people", "show datestyle",
        "show server_version",
    ],
    "values and how they look": [
        "select 1::smallint, 2::int, 3::bigint, 1.5::real, 2.5::float8, 'NaN'::float8, 'infinity'::numeric, 1e100::numeric",
        "select timestamp '2001-02-03 04:05:06.789', timestamptz '2001-02-03 04:05:06+05', date 'infinity', interval '1 year 2 days 3.5 s'",
        "set timezone to 'Asia/Kolkata'", "select timestamptz '2001-02-03 04:05:06+05'", "set datestyle to 'SQL, DMY'",
        "select date '2001-02-03'", "set intervalstyle to 'iso_8601'", "select interval '1 year 2 days'",
        "set bytea_output to 'escape'", "select '\\x00ff41'::bytea", "reset bytea_output",
        "select '\\x00ff41'::bytea, photo from people where id = 7", "set extra_float_digits to 0",
        "select 0.1::float4, 1.0::float8 / 3", "reset all", "show timezone",
        "select 'ü', '日本語', '🐘', E'tab\\tnewline\\n', U&'\\0441', chr(128169), repeat('é', 300)",
        "select $$dollar $tag$ quotes$$, 'it''s', E'\\\\', \"Q\".* from (values (1)) as \"Q\"(\"cölumn ❤\")",
        "select true, false, null::bool, 'a'::char(5), 'b'::varchar, B'101', '10.0.0.1/8'::inet, 'aa:bb:cc:dd:ee:ff'::macaddr",
        "select point(1,2), box '(1,1),(0,0)', 'a b'::tsvector, 'a & b'::tsquery, '<a/>'::xml, 'c8c3bdfc-a4b5-4e0c-a6b0-8a4e61b6a3a7'::uuid",
        "select feeling, extra, (extra).b, tags[1:2], info -> 'deep', info #>> '{deep,2}' from people where id = 9",
        "select money '12.34', 1::oid, 'pg_class'::regclass, '(0,1)'::tid, 'a'::\"char\", 'x'::name",
    ],
    "errors in each phase": [
        "selec 1", "select", "select 'unterminated", "select (", "select 1 from nowhere", "select nothing from people",
        "select nofunction(1)", "select 1 + 'x'", "select 1/0", "select 'x'::int", "select '2001-13-40'::date",
        "select 1::mood", "insert into people (id, name) values (1, 'again')", "insert into people (id) values (1000)",
        "insert into orders values (10001, 99999, 1, 'x')", "insert into orders values (10001, 1, -1, 'x')",
        "insert into orders values (10001, 1, 1, 'much too long for it')", "select 0::positive", "select fails('P0001')",
        "select fails('22012')", "select fails('ABCDE')", "select * from people order by 99",
        "select max(id), name from people", "insert into guarded values (2, 'even')", "select count(*) from pg_authid",
        "select generate_series(1, 3) / (2 - generate_series(1, 3))", "create table people (x int)", "drop table nowhere",
        "alter table people add column name text", "select 1 as ä, nix as ö from people",
        "/* comment */ select 'line one\nline two' || \n\n nix", "-- only a comment", "select 9999999999999999999::int",
        "set nosuch to 1", "set work_mem to 'lots'", "select set_config('nosuch.thing', 'x', false)",
        "copy nowhere to stdout", "copy people (nix) from stdin", "fetch 1 from nowhere", "deallocate nowhere",
        "rollback to nowhere", "select pg_sleep('x')", "lock table nowhere",
    ],
    "several statements in one message": [
        "", ";", ";;;", " \n\t", "select 1; select 2; select 3", "select 1;; ;select 2", "select 1; select 1/0; select 3",
        "begin; select 1; commit", "insert into sink values (100, 'kept?'); select 1/0",
        "select count(*) from sink where id = 100", "begin; insert into sink values (101, 'x'); savepoint s; select 1/0",
        "rollback to s; select count(*) from sink where id = 101", "rollback; select 'after'", "commit", "rollback",
        "begin; begin; commit; commit",
        "create temp table t1 (a int); insert into t1 values (1), (2); select * from t1 order by 1; drop table t1",
        "set local work_mem = '1MB'", "select 1; -- and nothing more", "select 1; selec 2", "; select chatty(2);",
    ],
    "transactions": [
        "begin", "select 1", "select 1/0", "select 2", "selec", "", "rollback",
        "begin isolation level serializable read only deferrable", "insert into sink values (1, 'x')", "commit",
        "start transaction", "savepoint a", "insert into sink values (2, 'y')", "savepoint b", "select nix",
        "rollback to savepoint b", "release savepoint a", "select count(*) from sink where id = 2", "rollback",
        "set transaction isolation level serializable", "begin", "set transaction isolation level serializable",
        "show transaction_isolation", "commit and chain", "show transaction_isolation", "rollback and no chain",
        "prepare transaction 'x'", "abort", "end", "begin; set constraints all deferred; commit", "call twice(21)", "begin",
        "call twice(3)", "rollback",
    ],
    "writing": [
        "insert into sink values (1, 'one'), (2, 'two') returning *",
        "insert into people (id, name) values (1, 'x') on conflict (id) do nothing",
        "insert into people (id, name) values (1, 'x') on conflict (id) do update set score = 1 returning id, score, xmax <> 0",
        "update people set score = score + 1 where id = 2 returning id, score", "update people set name = name where false",
        "delete from sink where id = 1 returning v", "delete from sink", "truncate sink",
        "insert into parted values (1, 'low'), (11, 'high')", "select tableoid::regclass, * from parted order by k",
        "insert into parted values (99, 'nowhere')",
        "merge into sink s using (values (1, 'm'), (2, 'n')) as n(id, v) on s.id = n.id when matched then update set v = n.v "
            "when not matched then insert values (n.id, n.v)",
        "with gone as (delete from sink returning *) select count(*) from gone",
        "select nextval('counter'), currval('counter')", "select setval('counter', 41)", "select nextval('counter')",
        "create table fresh (a int primary key, b text default 'd')", "insert into fresh select generate_series(1, 5)",
        "select * from fresh", "alter table fresh add column c int not null default 7", "select * from fresh limit 1",
        "create index on fresh (b)", "comment on table fresh is 'new'", "analyze fresh", "vacuum fresh",
        "create table if not exists fresh (a int)", "drop table if exists nowhere", "select * into temp copy_of from fresh",
        "table copy_of", "create view fresh_view as select * from fresh", "drop table fresh", "drop table fresh cascade",
        "refresh materialized view totals", "create temp view v as select 1 as one", "table v",
        "grant select on people to public", "revoke select on people from public", "do $$ begin perform chatty(1); end $$",
        "reindex table orders", "cluster people using people_pkey", "checkpoint", "lock table orders",
        "begin; lock table orders in share mode; commit",
        "explain (analyze, costs off, timing off, summary off) " "update people set score = 1 where id = 1",
        "create schema side; create table side.t (x int); drop schema side cascade",
    ],
    "notices and settings": [
        "select chatty(3)",
        "do $$ begin raise info 'i'; raise log 'l'; raise debug 'd'; raise warning using message = 'w', errcode = '01234'; end $$",
        "set client_min_messages to debug1", "do $$ begin raise debug 'seen now'; end $$", "set client_min_messages to error",
        "select chatty(2)", "reset client_min_messages", "insert into sink values (5, 'x')",
        "set application_name to 'transparent ü'", "show application_name", "set search_path to pg_catalog, public",
        "show search_path", "reset search_path", "set role none", "set session authorization default",
        "set my.own to 'value'", "select current_setting('my.own'), current_setting('nix', true)",
        "select set_config('timezone', 'UTC', false)", "begin", "set local timezone to 'Asia/Tokyo'",
        "select set_config('datestyle', 'German', true)", "rollback", "show timezone", "discard all", "discard temp",
        "commit", "create temp table t (x int) on commit drop", "drop table if exists a, b", "show all_nothing",
        "set statement_timeout to 60", "select pg_sleep(5)", "reset statement_timeout", "begin read only", "delete from sink",
        "rollback",
    ],
    "cursors": [
        "begin", "declare c scroll cursor for select id, name from people order by id", "fetch 3 from c", "fetch all from c",
        "fetch backward 2 from c", "fetch absolute 5 from c", "fetch relative 0 from c", "move 10 in c", "fetch next from c",
        "fetch prior from c", "close c", "fetch 1 from c", "rollback", "declare outside cursor for select 1",
        "begin; declare h cursor with hold for select generate_series(1, 4); commit", "fetch 2 from h",
        "fetch forward all in h", "close all", "begin",
        "declare b binary cursor for select id, score, name from people order by id", "fetch 2 from b",
        "declare u cursor for select * from sink for update", "commit",
    ],
    "prepared by name": [
        "prepare p (int, text) as select $1 + 1, $2 || '!'", "execute p (41, 'a')", "execute p ('x', 'a')", "execute p (1)",
        "prepare p as select 1", "explain (costs off) execute p (1, 'a')", "deallocate p", "execute p (1, 'a')",
        "prepare w as insert into sink values ($1, $2) returning id", "execute w (7, 'seven')", "deallocate all",
        "prepare broken as select nix", "prepare t as select * from people where id = $1", "execute t (5)",
        "create temp table from_p as execute t (6)", "table from_p", "execute t (5); execute t (6); execute t (7)",
    ],
    "copy": [
        "copy people to stdout", "copy (select id, name from people order by id limit 5) to stdout (format csv, header)",
        "copy (select id, score, name from people order by id limit 5) to stdout (format binary)",
        "copy (select 1 where false) to stdout", "copy (select 1/(3 - g) from generate_series(1, 5) g) to stdout",
        "copy orders (id, note) to stdout with delimiter '|' null 'NIL'",
        copy_in("copy sink from stdin", b"1\tone\n2\ttwo\n", b"3\tth", b"ree\n"), "select * from sink order by id",
        copy_in("copy sink from stdin (format csv)", b'4,"a,b"\n5,\n'),
        copy_in("copy sink from stdin", b"x\tbad\n", b"6\tnever\n"), copy_in("copy sink from stdin", b"1\n"),
        copy_in("copy sink from stdin", b"7\tno\n", end=message(b"f", b"gave up\0")), copy_in("copy sink from stdin"),
        copy_in("copy sink from stdin", b"8\teight\n\\.\n"), copy_in("copy nowhere from stdin", b"1\n"),
        copy_in("copy sink from stdin where id > 100", *(b"%d\tv%d\n" % (n, n) for n in range(99, 103))),
        copy_in("copy sink (id, v) from stdin (format binary)", b"PGCOPY\n\xff\r\n\0" + bytes(8),
            b"\0\x02\0\0\0\x04\0\0\0\x2a\0\0\0\x02hi", b"\xff\xff"),
        copy_in("copy sink from stdin (format binary)", b"not binary at all"),
        copy_in("copy sink from stdin; select count(*) from sink", b"9\tnine\n"), "begin",
        copy_in("copy sink from stdin", b"bad\n"), "select 1", "rollback", "copy sink from '/nowhere'",
        "copy sink to program 'true'", copy_in("copy parted from stdin", b"5\tfive\n15\tfifteen\n"), "copy parted to stdout",
        "copy (select * from parted order by k) to stdout",
    ],
    "large things": [
        "select repeat('x', 3000000)", "select repeat('é', 100000), repeat('y', 70000), null",
        "select g, repeat('z', g) from generate_series(1, 900) g", "select g from generate_series(1, 20000) g",
        "select '" + "q" * 300000 + "'", "copy (select repeat('c', 100000) from generate_series(1, 10)) to stdout",
        copy_in("copy sink from stdin", *(b"1\t" + b"w" * 70000 + b"\n" for _ in range(4)), b"2\t" + b"v" * 9000,
            b"v" * 150000 + b"\n"), "select id, length(v) from sink order by 1, 2",
        "select " + ", ".join(f"{n} as c{n}" for n in range(1600)), "select " + ", ".join(str(n) for n in range(1700)),
        "select array_agg(g) from generate_series(1, 30000) g", "do $$ begin raise notice '%', repeat('n', 100000); end $$",
        "do $$ begin raise exception '%', repeat('e', 200000); end $$", "select " + "1 + " * 800 + "1",
        "select 1 where 1 in (" + ", ".join(str(n) for n in range(5000)) + ")",
    ],
    "notifications": [
        "listen news", "notify news", "notify news, 'to myself ü'",
        [Step(query("notify news, 'from another'"), other=True), Step(b"", 1, "A")],
        [Step(query("begin; notify news, 'a'; notify news, 'b'; notify news, 'a'; commit"), other=True), Step(b"", 2, "A")],
        "begin", [Step(query("notify news, 'waits'"), other=True)], "select 1", "commit",
        "select pg_notify('news', 'by function')", "select * from pg_listening_channels()", "unlisten news",
        "notify news, 'unheard'", "listen \"Ünïcode\"", "notify \"Ünïcode\", 'x'", "unlisten *",
    ],
    "large objects": [
        "select lo_create(424242)", "select lo_put(424242, 0, '\\x010203')", "select lo_get(424242)",
        "select lo_from_bytea(424243, '\\xff')", "begin", "select lo_open(424242, 131072 | 262144)",
        "select lowrite(0, '\\x0909')", "select lo_lseek(0, 0, 0), loread(0, 10)", "select lo_close(0)", "commit",
        "select loread(0, 1)", "select lo_unlink(424242), lo_unlink(424243)", "select lo_get(424242)",
    ],
    "cancel": [
        Step(query("select pg_sleep(30)"), cancel=True), "select 'still here'", "begin",
        Step(query("select pg_sleep(30)"), cancel=True), "select 1", "rollback",
        Step(query("select 1; select pg_sleep(30); select 2"), cancel=True),
    ],
}
