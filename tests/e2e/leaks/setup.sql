-- What test_leaks.py attacks. Every value in a column whose name begins with m_ is masked, and is one of its canaries.
create extension if not exists citext; create extension if not exists hstore;
grant create on schema public to app;
set role app;
create type leak_mood as enum ('kanarienvogel', 'spatz');
create type leak_pair as (a text, b int);
create domain leak_domain as text check (value <> '');
create table leak (id int primary key, name text, grp int,
    m_text text, m_varchar varchar(60), m_char char(20), m_citext citext, m_int2 int2, m_int4 int4, m_int8 int8,
    m_numeric numeric(12,2), m_float4 float4, m_float8 float8, m_bool bool, m_date date, m_time time, m_timetz timetz,
    m_timestamp timestamp, m_timestamptz timestamptz, m_interval interval, m_uuid uuid, m_bytea bytea, m_json json,
    m_jsonb jsonb, m_xml xml, m_inet inet, m_cidr cidr, m_macaddr macaddr, m_texts text[], m_ints int4[], m_enum leak_mood,
    m_domain leak_domain, m_pair leak_pair, m_range int4range, m_multi int4multirange, m_hstore hstore, m_money money,
    m_point point, m_bits varbit, m_tsvector tsvector, m_name name, m_oid oid);
insert into leak select n, 'name ' || n, n % 2, 'Kanarienvogel ' || n, 'kanarienvogel' || n, 'kanarienvogel', 'KANARIENVOGEL' || n, 29173, 1739462851,
    739462851739462851, 7394628.51, 7394628.5, 7394628.51739, n = 1, '1907-09-14', '07:39:46.285', '07:39:46.285+01',
    '1907-09-14 07:39:46.285', '1907-09-14 07:39:46.285+00', '73 years 9 mons 46 days', '73946285-cafe-4739-8739-463285173946', 'kanarienvogel',
    '{"kanarienvogel": 73946285}', '{"kanarienvogel": 73946285}', '<kanarienvogel n="73946285"/>', '73.94.62.85', '73.94.62.0/24', '73:94:62:85:17:39',
    '{kanarienvogel,zwei}', '{1739462851,1739462852}', 'kanarienvogel', 'kanarienvogel', row('kanarienvogel', 1739462851)::leak_pair, '[1739462851,1739462899)',
    '{[1739462851,1739462899)}', 'kanarienvogel=>73946285', 7394628.51, point(7394628.5, 7394628.5), B'0111001110010100011000101000010100010111', 'kanarienvogel', 'kanarienvogel',
    1739462851 from generate_series(1, 4) n;
create table leak_plain (id int primary key, text text, leak int);
insert into leak_plain values (1, 'one', 1), (2, 'two', 2);
create table leak_parent (id int, region text, m_text text) partition by list (region);
create table leak_part partition of leak_parent for values in ('eu');
create table leak_rest partition of leak_parent default;
insert into leak_parent values (1, 'eu', 'kanarienvogel eu'), (2, 'us', 'kanarienvogel us');
create table leak_base (id int, m_text text); create table leak_heir (more text) inherits (leak_base);
insert into leak_heir values (1, 'kanarienvogel heir', 'more');
create view leak_view as select id, upper(m_text) as shout, m_int4 + 1 as more from leak;
create view leak_view_2 as select shout as s, length(shout) as n, id from leak_view;
create materialized view leak_stored as select id, m_text as t from leak;
create table leak_ranges (id int, m_range int4range, exclude using gist (m_range with &&) deferrable initially deferred);
insert into leak_ranges values (1, '[1739462851,1739462899)');
create table leak_unique (id int primary key, m_text text unique deferrable initially deferred);
insert into leak_unique values (1, 'kanarienvogel 1');
create function leak_fn(int) returns text language sql stable as 'select m_text from leak where id = $1';
create function leak_fixed() returns text language sql immutable as 'select m_text from leak where id = 1';
create function leak_rows() returns setof leak language sql stable as 'select * from leak';
create function leak_shouts() returns void language plpgsql as $$ begin raise notice 'it is %', (select m_text from leak where id = 1); end $$;
create function leak_opens() returns refcursor language plpgsql as $$ declare c refcursor := 'opened'; begin open c for select lower(m_text) from leak; return c; end $$;
create function leak_owner(int) returns text language sql security definer as 'select m_text from leak where id = $1';
create function leak_tells() returns trigger language plpgsql as $$ begin
    perform pg_notify('leak', row_to_json(new)::text); raise notice 'row %', new; return new; end $$;
create table leak_loud (id int, m_text text); create trigger loud after insert or update on leak_loud for each row execute function leak_tells();
insert into leak_loud values (1, 'kanarienvogel loud');
create table leak_made (id int primary key, m_text text, m_int4 int, made text generated always as (lower(m_text)) stored,
    sum int generated always as (m_int4 + id) stored, twice text generated always as (id::text || id::text) stored);
insert into leak_made values (1, 'Kanarienvogel made', 1739462850), (2, 'Kanarienvogel two', 1739462849);
create table leak_key (id int primary key, m_text text unique, m_int4 int, limits int, tenant int, check (m_int4 <= limits), unique (tenant, m_int4));
insert into leak_key values (1, 'Kanarienvogel 1', 1739462851, 2000000000, 1), (2, 'Amsel', 5, 10, 2);
create table leak_refers (id int primary key, x text references leak_key (m_text) on update cascade, key int references leak_key (id));
insert into leak_refers values (1, 'Kanarienvogel 1', 1);
alter table leak_refers add unique (x); create table leak_refers_2 (id int primary key, y text references leak_refers (x));
insert into leak_refers_2 values (1, 'Kanarienvogel 1');
create table leak_amounts (id int primary key, m_numeric numeric, m_interval interval, m_money money, m_int4 int);
insert into leak_amounts values (1, 1739462851, '1739462 days', 7394628.51, 1739462851);
create table leak_owned (m_x text check (m_x not like 'K%')); create table leak_owned_int (m_x int check (m_x <> 1739462851));
create table leak_narrow (m_x varchar(14)); create table leak_domains (m_x leak_domain);
create table leak_routed (m_x text) partition by list (m_x); create table leak_routed_1 partition of leak_routed for values in ('Kanarienvogel 1');
create table leak_routed_2 partition of leak_routed default; insert into leak_routed values ('Kanarienvogel x');
create operator || (leftarg = int4, rightarg = int4, function = int4pl);
create index leak_text_index on leak (m_text); create index leak_number_index on leak (m_int4);
create unique index leak_lower_index on leak_made (lower(m_text));
create statistics leak_statistics on m_int4, grp from leak;
create table leak_added (id int primary key, m_int4 int, bonus int, other int); insert into leak_added values (1, 1739462851, 0, 0);
create index leak_added_index on leak_added ((m_int4 + bonus)); create index leak_added_where on leak_added (id) where m_int4 + other > 0;
create procedure leak_proc(inout x text) language plpgsql as $$ begin x := (select m_text from leak where id = 1); end $$;
create table leak_org (id int primary key); insert into leak_org values (1), (2);
create table leak_member (id int primary key, org int not null references leak_org on delete set null on update cascade, m_text text, check (org < 100));
insert into leak_member values (1, 1, 'kanarienvogel member');
analyze leak;
