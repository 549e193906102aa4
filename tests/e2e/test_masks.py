"""What a mask names never reaches the agent: not in any shape of query, in any format, by any way out."""
import asyncio
import re
import struct
import subprocess

import asyncpg
import psycopg2
import pytest

from harness import wire
from harness.wire import Wire, error_of, rows_of, state_of

CANARY = "kanarienvogel"  # in every value that is masked
SETUP = f"""
create table people (id int primary key, name text not null, email text unique, ssn text, salary int, born date,
                     tags text[], note text, token uuid, extra jsonb);
insert into people select n, 'Name ' || n, '{CANARY}-' || n || '@leak.example', '{CANARY}-ssn-' || n, 900000 + n,
    date '1984-02-29' + n, array['{CANARY}-tag-' || n], 'note ' || n,
    ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, jsonb_build_object('k', '{CANARY}-json-' || n)
    from generate_series(1, 20) n;
create table logins (id int primary key, person int, token uuid);
insert into logins select n, n, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(1, 20) n;
create view v_people as select id, upper(email) as mail, ssn as s from people where email is not null;
create function email_of(int) returns text language sql stable as 'select email from people where id = $1';
create table plain (id int primary key, text text);
insert into plain values (1, 'write to jane.doe@corp.example or pay with 4111 1111 1111 1111'), (2, 'nothing here');
analyze people;
grant all on all tables in schema public to bulk;
"""
TEARDOWN = "drop function email_of(int); drop view v_people; drop table people, logins, plain;"

MASKS = [
    {"name": "pii", "roles": ["agent"], "targets": ["orders"], "columns": ["public.people.email"], "with": "partial"},
    {"name": "hard", "roles": ["agent"], "columns": ["people.ssn", "people.salary", "people.born", "people.tags", "people.extra"],
     "with": "redact"},
    {"name": "joined", "roles": ["agent"], "columns": ["*.token"], "with": "hash"},
    {"name": "found", "roles": ["agent"], "detect": ["email", "credit_card"], "with": "redact"},
]

# Statements whose answers hold nothing of a masked value; {0} stands for it.
SHOWN_MASKED = [
    "select email from people", "select * from people", "select p.* from people p where id < 5", "table people",
    "select lower(email), reverse(email), substr(email, 1, 3), md5(email) from people where id = 1",
    "select name || ' ' || email from people", "select email::varchar(100) from people", "select email collate \"C\" from people",
    "select e from (select email as e from people) q", "with c as (select ssn from people) select * from c",
    "with recursive r(n, e) as (select 1, email from people where id = 1 union all select n + 1, e from r where n < 3) select * from r",
    "select row_to_json(p) from people p", "select p from people p", "select to_jsonb(p) from people p",
    "select json_agg(q) from (select id, email from people) q", "select (select email from people where id = 3)",
    "select array(select email from people)", "select array_agg(ssn) from people", "select string_agg(email, ',') from people",
    "select max(email), min(ssn) from people", "select id, name from people union all select id, email from people",
    "select * from v_people", "select mail from v_people where id = 2", "select first_value(email) over (partition by id) from people",
    "select coalesce(email, 'x'), greatest(email, 'a') from people",
    "select case when id < 3 then email else name end from people", "select tags[1] from people",
    "select extra ->> 'k' from people", "select extra from people", "select (p).email from people p",
    "select (row(email, id)).f1 from people", "select x.* from people p, lateral (select p.email as k) x",
    "values ((select email from people limit 1))",
    "select email_of(3)", "select people from people", "select people.* from people natural join logins",
    "delete from people where id = -1 returning *", "update people set note = 'x' where id = 3 returning email, ssn",
    "select format('%s', email) from people", "select concat(ssn, id) from people", "select concat_ws('-', email, ssn) from people",
    "explain (verbose, costs off) select email from people", "select most_common_vals, histogram_bounds from pg_stats where tablename = 'people'",
    "insert into people (id, name, email) select 1, name, email from people where id = 2",
]
# Statements that would let something be inferred or written elsewhere: refused.
REFUSED = [
    "select id from people where email like 'k%'", "select id from people where email = 'x'", "select count(*) from people where ssn > 'a'",
    "select id from people order by email", "select id from people order by salary desc limit 1", "select count(*) from people group by email",
    "select id from people where id = (select id from people order by salary limit 1)", "select id from people p where exists (select 1 from logins l where l.person = length(p.email))",
    "select p.id from people p join plain q on q.text = p.email", "select count(*) from people having max(salary) > 5",
    "select id from people where email is not null", "select id from v_people where s like 'k%'", "select id from people limit (select length(email) from people limit 1)",
    "select row_number() over (order by salary) from people", "delete from people where email like 'zz%'", "update people set note = 'x' where ssn = 'y'",
    "select id from people where token = '00000000-0000-4000-8000-000000000001'",
    "update people set note = email where id = 1", "insert into plain select 100 + id, email from people where id = 1",
    "create table copied as select email from people", "select email into copied from people", "select id from people where salary between 1 and 900010",
    "explain select id from people where email = 'x'", "update plain set text = (select ssn from people where id = 1) where id = 2",
    "with x as (select id from people where email like 'k%') select * from x", "prepare q as select id from people where email like 'k%'",
    "select email::int from people where id = 1", "select 1 / (length(email) - length(email)) from people", "select cast(ssn as date) from people",
    "select distinct email from people", "select nullif(email, 'y') from people", "select unnest(tags) from people", "select to_jsonb(p) - 'email' from people p",
    "select j.value from people p, jsonb_each_text(p.extra) j", "select convert_to(email, 'LATIN1') from people",
    "merge into plain t using people p on t.id = p.id when matched then update set text = p.email",
    "select id from (select id, email from people) q where nosuch = 'x'", "with q as (select id from people) select id from q order by nosuch",
    "select count(*) from (select id, email || '' from people) q, current_date d where nosuch = 'x'",
    "select id from people, generate_series(1, 2) g where case when nosuch = g then true end",
]
# Statements about the same tables that work as ever.
UNTOUCHED = [
    ("select id, name from people where id = 3", [["3", "Name 3"]]), ("select count(*) from people", [["20"]]),
    ("select note from people where name = 'Name 4'", [["note 4"]]), ("select name from people order by id desc limit 1", [["Name 20"]]),
    ("select p.id from people p join logins l using (token) where p.id = 7", [["7"]]),
    ("select p.id from people p, logins l where p.token = l.token and l.id = 9", [["9"]]),
    ("select ctid, xmax, id from logins where id = 3", [["(0,3)", "0", "3"]]), ("select id from v_people where id = 2", [["2"]]), ("select text from plain where id = 2", [["nothing here"]]),
]
# Names that are found in every kind of FROM: conditions by them are free.
FOUND = [
    "select n.nspname, relname from pg_class c join pg_namespace n on n.oid = relnamespace left join pg_description d on objoid = c.oid where relkind = 'r'",
    "select conname, x.attname from pg_constraint, unnest(conkey) with ordinality as k(num, pos) join pg_attribute x on x.attnum = num where conrelid = x.attrelid order by pos",
    "select i.relname, array_agg(attname order by ord) from pg_index ix join pg_class i on i.oid = indexrelid, lateral unnest(indkey) with ordinality as k(att, ord) join pg_attribute a on a.attnum = att where a.attrelid = indrelid group by i.relname",
    "select constraint_name, column_name from information_schema.key_column_usage join information_schema.table_constraints using (constraint_name, table_name) where constraint_type = 'PRIMARY KEY'",
    "select grantee, privilege_type from pg_class, aclexplode(relacl) where relname = 'people' and privilege_type = 'SELECT' and grantee > 0",
    "select word from pg_get_keywords() where catcode = 'R' order by word",
    "select p.id, n from people p, lateral (select count(*) as n from logins where person = p.id) l where n > 0 order by n, id",
    "select d::date, count(*) from generate_series(now() - interval '3 days', now(), '1 day') d left join people on id = 3 group by d order by d",
    "select name, count from (select name, count(*) from people group by name) q where count > 0 order by count desc",
    "select value from people, jsonb_array_elements_text('[\"a\"]') where value = 'a' and id = 1",
    "select a from people, json_to_recordset('[{\"a\": 1}]') as x(a int) where a = 1",
    "select p.id from json_populate_recordset(null::plain, '[]') r join (select id, email || 'x' as mail from people) p on p.id = r.id where text = 'x'",
    "select u from people, unnest(array[1, 2]) u where u = id",
    "select id from people where exists (select from (select person, max(id) from logins group by 1) q where person = people.id and max > 0)",
    "select id from people where exists (select from (select person, id::text || 'x' from logins) q where person = people.id and name <> 'x')",
    "with t as (select id, name from people), u as (select person from logins) select name from t join u on person = id where name like 'N%' order by name",
    "with recursive r as (select id, 1 as depth from people where id = 1 union all select p.id, depth + 1 from people p join r on p.id = r.id + 1 where depth < 3) select * from r order by depth",
    "select * from (select id, row_number() over (order by id) from people) q where row_number < 3",
    "select anon_1.people_id from (select people.id as people_id, people.email as people_email from people) as anon_1 where people_id = 3",
    'select "t0"."id" from "people" as "t0" left join (select "person", count(*) as "_aggr_count" from "logins" group by "person") as "t1" on "t0"."id" = "t1"."person" where _aggr_count > 0',
    "select id, id::text || 'x' from people order by id limit 3",
]
DESCRIBE = ["", *"+ S+ a+ A+ c C+ d D+ ddp des+ df+ dg+ di+ l L+ m+ n+ O+ p P+ drds Rp+ s+ T+ u+ v+ x+ y X Ac Af Ao Ap".split(),
            *(f"+ {name}" for name in ("people", "v_people", "people_pkey", "pg_attribute", "pg_stats"))]


@pytest.fixture(scope="module")
def masked(postgres, module_bastion):
    postgres.query("set role app;" + SETUP)
    everything = {"statements": ["select", "insert", "update", "delete", "merge", "explain", "show", "set", "transaction", "copy", "cursor",
                                 "lock", "listen", "notify", "create", "function"]}
    rules = [{"name": "agent-sql", "roles": ["agent"], "targets": ["orders"], "action": "allow", "match": everything},
             {"name": "ops-all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"}]
    yield module_bastion(masks=MASKS, rules=rules)
    postgres.query(TEARDOWN)


@pytest.fixture(scope="module")
def module_bastion(postgres):
    from harness.bastion import Bastion, settings
    made = []

    def make(**changes):
        made.append(Bastion(postgres, settings(postgres, **changes)).start())
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture(scope="module")
def through(masked):
    with masked.client("agent-7", principals=["agent"]).forward() as made:
        yield made


@pytest.fixture
def link(through):
    with Wire(through.port) as made:
        yield made.login()


def assert_no_canary(seen):
    for kind, body in seen:
        low = body.lower()
        assert CANARY.encode() not in low and CANARY.encode().hex().encode() not in low, (kind, body[:400])
        assert CANARY[::-1].encode() not in low, (kind, body[:400])
        shown = re.sub(rb"\[joined:[0-9a-f]{24}\]", b"", body)  # tokens may have any digits
        assert b"9000" not in shown or kind in "ZSK", (kind, body[:400])  # salaries


@pytest.mark.asan
def test_no_shape_of_query_shows_a_masked_value(link):
    for sql in SHOWN_MASKED:
        _, seen = link.ask(wire.query(sql))
        assert_no_canary(seen)
        fault = [wire.fields(body) for kind, body in seen if kind == "E"]
        assert not fault or fault[0]["C"] != "42501" or "insert" in sql, (sql, fault)


def test_no_shape_shows_one_in_extended_protocol_and_binary_format(link):
    binary = b"\0\1" + struct.pack("!H", 1)
    for sql in SHOWN_MASKED:
        for formats in (struct.pack("!H", 0), struct.pack("!HH", 1, 1)):
            body = b"\0\0" + struct.pack("!HH", 0, 0) + formats
            _, seen = link.ask(wire.parse(sql), wire.describe(), wire.message(b"B", body), wire.describe(what=b"P"), wire.execute(), wire.SYNC)
            assert_no_canary(seen)
            _, seen = link.ask(wire.parse(sql), wire.message(b"B", body), wire.execute(), wire.SYNC)  # described never
            assert_no_canary(seen)
    assert binary


def test_plain_columns_keep_what_their_mask_keeps(link):
    _, seen = link.ask(wire.query("select email, ssn, salary, born, tags, token, extra from people where id = 1"))
    row = rows_of(seen)[0]
    assert row[0] == "k***@l***.example" and row[1] == "[masked:hard]" and row[2] == "0" and row[3] == "2000-01-01"
    assert row[4] == "{}" and row[6] == '"[masked:hard]"'
    _, seen = link.ask(wire.query("select token from logins where id = 1"))
    assert rows_of(seen) == [[row[5]]] and row[5] != "00000000-0000-4000-8000-000000000001"


def test_what_is_computed_keeps_nothing(link):
    _, seen = link.ask(wire.query("select substr(email, 1, 1), lower(email) from people where id = 1"))
    assert rows_of(seen) == [["[masked:pii]", "[masked:pii]"]]


@pytest.mark.asan
def test_conditions_and_writes_that_would_leak_are_refused(link, postgres):
    for sql in REFUSED:
        _, seen = link.ask(wire.query(sql))
        fault = error_of(seen)
        assert fault["C"] == "42501", (sql, fault)
        assert "mask" in fault["M"] and fault["H"], (sql, fault)
        assert_no_canary(seen)
    assert postgres.value("select count(*) from pg_class where relname = 'copied'") == 0


def test_refused_conditions_have_a_code_of_their_own(link):
    _, seen = link.ask(wire.query("select id from people where email like 'k%'"))
    assert "code=masked_predicate" in error_of(seen)["D"] and "pii" in error_of(seen)["M"]
    _, seen = link.ask(wire.parse("select id from people where email like $1"), wire.bind(values=[b"k%"]), wire.execute(), wire.SYNC)
    assert "code=masked_predicate" in error_of(seen)["D"]


def test_the_rest_works_as_ever(link):
    for sql, expected in UNTOUCHED:
        _, seen = link.ask(wire.query(sql))
        assert rows_of(seen) == expected, sql
        _, seen = link.ask(wire.parse(sql), wire.bind(), wire.describe(what=b"P"), wire.execute(), wire.SYNC)
        assert rows_of(seen) == expected, sql


def test_names_in_every_kind_of_from_are_found(link):
    for sql in FOUND:
        _, seen = link.ask(wire.query(sql))
        assert state_of(seen) == "I" and not [body for kind, body in seen if kind == "E"], (sql, seen)


def test_cursors_and_prepared_statements_are_followed(link):
    for sqls in (["begin", "declare c cursor for select id, email from people", "fetch 3 from c", "fetch all from c", "commit"],
                 ["prepare p1 as select ssn from people", "execute p1", "deallocate p1"],
                 ["begin", "declare d binary cursor for select salary, email from people", "fetch 2 from d", "move 1 in d", "close d", "commit"]):
        for sql in sqls:
            _, seen = link.ask(wire.query(sql))
            assert_no_canary(seen)
            assert all(kind != "E" for kind, _ in seen), (sql, seen)
    _, seen = link.ask(wire.query("begin; declare e cursor for select email from people where id = 1; fetch e; commit"))
    assert rows_of(seen) == [["k***@l***.example"]]
    link.ask(wire.parse("select email from people where id = 1", "s1"), wire.SYNC)
    _, seen = link.ask(wire.query("execute s1"))
    assert rows_of(seen) == [["k***@l***.example"]]
    link.ask(wire.query("prepare s2 as select id, ssn from people where id = 2"))
    _, seen = link.ask(wire.bind("s2"), wire.describe(what=b"P"), wire.execute(), wire.SYNC)
    assert rows_of(seen) == [["2", "[masked:hard]"]]


def test_portals_that_are_read_in_parts_stay_masked(link):
    link.ask(wire.query("begin"))
    link.send(wire.parse("select id, email from people order by id"), wire.bind(portal="x"), wire.describe("x", b"P"), wire.execute("x", 2),
              wire.execute("x", 2), wire.execute("x", 0), wire.SYNC)
    seen = link.until("Z")
    assert len(rows_of(seen)) == 20 and all(row[1] == "k***@l***.example" for row in rows_of(seen))
    link.ask(wire.query("rollback"))


@pytest.mark.parametrize("options", ["", "(format csv, header)", "(format csv, delimiter ';', quote '|', force_quote *)", "(format text, delimiter '|', null 'nil')",
                                     "(format binary)"])
def test_copied_data_is_masked(link, options):
    for source in ("people", "people (id, email)", "(select id, email, ssn from people)", "(select lower(email) from people)", "(table v_people)"):
        kinds, seen = link.ask(wire.query(f"copy {source} to stdout {options}"))
        assert "H" in kinds and "E" not in kinds, (source, seen)
        assert kinds.count("d") >= 19
        assert_no_canary(seen)
    _, seen = link.ask(wire.query("copy (select id, name, email from people where id = 1) to stdout"))
    assert dict(seen)["d"] == b"1\tName 1\tk***@l***.example\n"


@pytest.mark.asan
def test_errors_and_notices_do_not_quote_masked_values(link):
    link.ask(wire.query("begin"))
    for sql, code in (("insert into people (id, name, ssn) values (1, 'x', 'kanarienvogel')", "23505"),
                      ("insert into people (id, name, ssn) values (99, null, 'kanarienvogel')", "23502"),
                      ("insert into people (id, name, email) values (99, 'x', 'kanarienvogel-1@leak.example')", "42501")):
        link.ask(wire.query("savepoint s"))
        _, seen = link.ask(wire.query(sql))
        fault = error_of(seen)
        assert CANARY not in fault["M"] + fault.get("D", "") and fault["C"] == code and "mask" in fault["M"]
        link.ask(wire.query("rollback to s"))
    link.ask(wire.query("rollback"))
    _, seen = link.ask(wire.query("select nothing from plain"))
    assert "nothing" in error_of(seen)["M"]  # errors of other statements stay whole


def test_detectors_find_what_no_column_mask_names(link):
    _, seen = link.ask(wire.query("select id, text from plain order by id"))
    rows = rows_of(seen)
    assert "jane.doe" not in rows[0][1] and "4111" not in rows[0][1] and rows[0][1].startswith("write to [masked:email]")
    assert rows[1] == ["2", "nothing here"]
    _, seen = link.ask(wire.query("copy plain to stdout"))
    assert b"jane.doe" not in b"".join(body for kind, body in seen if kind == "d")
    _, seen = link.ask(wire.query("select 'x' as \"from jane.doe@corp.example\", 1/0"))
    assert state_of(seen) == "I"


def test_operators_without_masks_see_everything(masked):
    with masked.client("olga", principals=["ops"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        _, seen = link.ask(wire.query("select email from people where email like 'k%' order by id limit 1"))
        assert rows_of(seen) == [[f"{CANARY}-1@leak.example"]]


def test_drivers_get_values_of_the_columns_types(through):
    async def run():
        link = await asyncpg.connect(host="127.0.0.1", port=through.port, user="a", password="b", database="c", ssl=False)
        try:
            return await link.fetch("select id, email, salary, born, tags, token, extra from people where id = $1", 3)
        finally:
            await link.close()

    row = asyncio.run(run())[0]
    assert row["id"] == 3 and row["email"] == "k***@l***.example" and row["salary"] == 0 and row["born"].year == 2000
    assert row["tags"] == [] and row["token"].version == 8 and "masked" in row["extra"]
    link = psycopg2.connect(host="127.0.0.1", port=through.port, user="a", password="b", dbname="c", sslmode="disable")
    with link.cursor() as cursor:
        cursor.execute("select salary, born, tags, email from people where id = %s", [4])
        salary, born, tags, email = cursor.fetchone()
    link.close()
    assert salary == 0 and born.year == 2000 and tags == [] and email == "k***@l***.example"


def test_psql_and_its_describe_commands_work(masked):
    client = masked.client("agent-7", principals=["agent"])
    done = client.psql("-At", "-c", "select id, email from people where id = 5")
    assert done.returncode == 0 and done.stdout == "5|k***@l***.example\n", done.stderr
    assert "email" in client.psql(input="\\d people\n").stdout
    described = client.psql(input="".join(f"\\d{rest}\n" for rest in DESCRIBE) + "\\echo done\n")
    assert "done" in described.stdout and "ERROR" not in described.stderr, described.stderr


def test_recordings_hold_masked_values_only(masked):
    client = masked.client("agent-9", principals=["agent"])
    client.psql("-At", "-c", "select email, ssn from people")
    with client.forward() as forward, Wire(forward.port) as link:
        link.login()
        link.ask(wire.query("copy people to stdout"))
    found = subprocess.run(["grep", "-rlaF", CANARY + "-", str(masked.state / "recordings")], capture_output=True, text=True)
    held = [path for path in found.stdout.split() if b"@leak.example" in open(path, "rb").read()]
    for path in held:  # the test itself sends one such value, as a part of a statement
        assert open(path, "rb").read().count(CANARY.encode() + b"-") <= 2, path


def test_blind_extraction_gets_nothing(link):
    """Questions whose answers depend on the value: every one is refused, or its answer is the same for all values."""
    learned = set()
    for guess in ("a", "k", "z"):
        for sql in (f"select count(*) from people where email like '{guess}%'", f"select 1 from people where substr(ssn, 1, 1) = '{guess}' limit 1",
                    f"select (select email from people where id = 1) like '{guess}%'", f"select case when email like '{guess}%' then 1/0 else 1 end from people",
                    f"select count(*) filter (where email like '{guess}%') from people", f"select bool_or(email like '{guess}%') from people",
                    f"select p.email ~ '^{guess}' from people p where id = 1", f"select position('{guess}' in email) from people where id = 1",
                    f"select greatest(email, '{guess}') = email from people", f"select sum((email like '{guess}%')::int) from people",
                    f"select pg_sleep(0) from people where email like '{guess}%'", f"select generate_series(1, length(email) - length(email) + 1) from people where id = 1"):
            _, seen = link.ask(wire.query(sql))
            learned.add((sql.replace(guess, "?", 1), str(rows_of(seen)), "".join(k for k, _ in seen)))
    answers = {}
    for sql, rows, kinds in learned:
        answers.setdefault(sql.split("'")[0], set()).add((rows, kinds))
    leaky = {sql: seen for sql, seen in answers.items() if len(seen) > 1}
    # That an expression fails for one guess and not for another is what remains of a division by zero: known, documented.
    assert {sql for sql in leaky if "1/0" not in sql and "case when" not in sql} == set(), leaky
