"""Limits of rules: a result ends with an error where the rule says, and so many statements a minute run."""
import asyncio
import json
import threading

import asyncpg
import psycopg2
import psycopg2.extras
import pytest

from harness import wire
from harness.system import wait_until
from harness.wire import Wire, error_of, rows_of, state_of

MANY = "select generate_series(1, 1000)"
ROWS, BYTES = 10, 4096
STATEMENTS = 5

KINDS = ["select", "insert", "update", "delete", "explain", "show", "set", "transaction", "copy", "cursor", "create",
         "lock", "function"]


def everything():
    return {"statements": list(KINDS)}


RULES = [
    {"name": "ten-rows", "roles": ["rows"], "targets": ["orders"], "action": "allow", "limits": {"rows": ROWS}, "match": everything()},
    {"name": "few-bytes", "roles": ["bytes"], "targets": ["orders"], "action": "allow", "limits": {"bytes": "4KiB"}, "match": everything()},
    {"name": "five", "roles": ["counted"], "targets": ["orders"], "action": "allow", "limits": {"statements_per_minute": STATEMENTS},
     "match": everything()},
    {"name": "narrow", "roles": ["mixed"], "targets": ["orders"], "action": "allow", "limits": {"rows": 3},
     "match": {"statements": ["select"], "tables": ["payments"]}},
    {"name": "wide", "roles": ["mixed"], "targets": ["orders"], "action": "allow", "limits": {"rows": 20}, "match": everything()},
    {"name": "masked-rows", "roles": ["masked"], "targets": ["orders"], "action": "allow", "limits": {"rows": ROWS}, "match": everything()},
    {"name": "all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
]
ROLES = ["rows", "bytes", "counted", "mixed", "masked", "ops"]
MASKS = [{"name": "pii", "roles": ["masked"], "columns": ["customers.email"], "with": "redact"}]


@pytest.fixture(scope="module")
def limited(postgres):
    from harness.bastion import Bastion, settings
    postgres.query("set role app; create table noted (id int primary key, text text)")
    made = Bastion(postgres, settings(postgres, rules=RULES, masks=MASKS, roles=[{"name": role} for role in ROLES])).start()
    yield made
    try:
        made.end()
    finally:
        postgres.query("drop table noted")


def forward_of(limited, role, name=None):
    return limited.client(name or f"{role}-agent", principals=[role]).forward()


@pytest.fixture(scope="module")
def rows_forward(limited):
    with forward_of(limited, "rows") as made:
        yield made


@pytest.fixture
def link(rows_forward):
    with Wire(rows_forward.port) as made:
        yield made.login()


@pytest.fixture
def database(rows_forward):
    made = psycopg2.connect(rows_forward.dsn)
    yield made
    made.close()


def is_ended(seen, rule="ten-rows", why="the result has more than 10 rows"):
    fault = error_of(seen)
    assert fault["S"] == fault["V"] == "ERROR" and fault["C"] == "54000"
    assert fault["M"] == f'denied by rule "{rule}": {why}'
    assert "code=limit" in fault["D"] and f"rule={rule}" in fault["D"]
    assert "LIMIT" in fault["H"]
    return fault


def goes_on(link):
    kinds, seen = link.ask(wire.query("select 1"))
    assert kinds == "TDCZ" and rows_of(seen) == [["1"]]
    return state_of(seen)


# ---- rows ----

@pytest.mark.asan
def test_a_result_at_the_limit_is_whole(link):
    kinds, seen = link.ask(wire.query(f"select generate_series(1, {ROWS})"))
    assert kinds == "T" + "D" * ROWS + "CZ"


@pytest.mark.asan
def test_the_row_behind_the_limit_ends_the_result_in_the_simple_protocol(link):
    kinds, seen = link.ask(wire.query(MANY))
    assert kinds == "T" + "D" * ROWS + "EZ"
    is_ended(seen)
    assert state_of(seen) == "I"
    assert goes_on(link) == "I"


@pytest.mark.asan
def test_the_row_behind_the_limit_ends_the_result_in_the_extended_protocol(link):
    kinds, seen = link.ask(wire.parse(MANY), wire.bind(), wire.describe("", b"P"), wire.execute(), wire.SYNC)
    assert kinds == "12T" + "D" * ROWS + "EZ"
    is_ended(seen)
    assert goes_on(link) == "I"


def test_a_result_in_portions_is_one_result(link):
    kinds, seen = link.ask(wire.query("begin"))
    link.ask(wire.parse(MANY, "s"), wire.bind("s", "p"), wire.SYNC)
    kinds, _ = link.ask(wire.execute("p", 6), wire.SYNC)
    assert kinds == "DDDDDDsZ"
    kinds, seen = link.ask(wire.execute("p", 6), wire.SYNC)
    assert kinds == "DDDDEZ"
    is_ended(seen)
    assert state_of(seen) == "E"
    link.ask(wire.query("rollback"))
    assert goes_on(link) == "I"


def test_what_is_pipelined_behind_an_ended_result_does_not_run(link, postgres):
    kinds, seen = link.ask(wire.parse(MANY), wire.bind(), wire.execute(), wire.parse("insert into noted values (1, 'never')"),
                           wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12" + "D" * ROWS + "EZ"
    assert postgres.value("select count(*) from noted") == 0
    assert goes_on(link) == "I"


def test_what_is_pipelined_before_an_ended_result_is_rolled_back_with_it(link, postgres):
    kinds, seen = link.ask(wire.parse("insert into noted values (2, 'undone')"), wire.bind(), wire.execute(), wire.parse(MANY),
                           wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12C12" + "D" * ROWS + "EZ"
    assert postgres.value("select count(*) from noted") == 0


def test_a_small_result_over_the_limit_is_rolled_back_too_where_the_server_was_faster(link, postgres):
    """11 rows are out before any cancel: the server has completed them, and is made to fail all the same."""
    values = ", ".join(f"({n}, 'x')" for n in range(100, 100 + ROWS + 1))
    kinds, seen = link.ask(wire.parse(f"insert into noted values {values} returning id"), wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12" + "D" * ROWS + "EZ"
    is_ended(seen)
    assert postgres.value("select count(*) from noted") == 0
    link.ask(wire.query("begin"))
    kinds, seen = link.ask(wire.query(f"insert into noted values {values} returning id"))
    assert kinds == "T" + "D" * ROWS + "EZ" and state_of(seen) == "E"
    assert "statement=cancelled" in is_ended(seen)["D"]
    link.ask(wire.query("commit"))
    assert postgres.value("select count(*) from noted") == 0
    assert goes_on(link) == "I"


def test_outside_of_a_transaction_the_error_says_what_became_of_the_statement(link, postgres):
    values = ", ".join(f"({n}, 'x')" for n in range(200, 200 + ROWS + 1))
    kinds, seen = link.ask(wire.query(f"insert into noted values {values} returning id"))
    assert kinds == "T" + "D" * ROWS + "EZ"
    completed = "statement=completed" in is_ended(seen)["D"]
    assert postgres.value("select count(*) from noted") == (ROWS + 1 if completed else 0)
    postgres.query("delete from noted")


def test_each_result_of_a_string_is_counted_by_itself(link):
    kinds, seen = link.ask(wire.query("select generate_series(1, 8); select generate_series(1, 8)"))
    assert kinds == "T" + "D" * 8 + "CT" + "D" * 8 + "CZ"
    kinds, seen = link.ask(wire.query(f"select generate_series(1, 8); {MANY}; select 1"))
    assert kinds == "T" + "D" * 8 + "CT" + "D" * ROWS + "EZ"
    is_ended(seen)


def test_copy_out_is_a_result(link):
    kinds, seen = link.ask(wire.query("copy (select generate_series(1, 1000)) to stdout"))
    assert kinds == "H" + "d" * ROWS + "EZ"
    is_ended(seen)
    kinds, _ = link.ask(wire.query("copy (select generate_series(1, 5)) to stdout"))
    assert kinds == "H" + "d" * 5 + "cCZ"


def test_copy_out_in_binary_is_counted_message_by_message(link):
    kinds, seen = link.ask(wire.query("copy (select generate_series(1, 1000)) to stdout (format binary)"))
    assert kinds == "H" + "d" * ROWS + "EZ"
    is_ended(seen)
    kinds, seen = link.ask(wire.parse("copy (select generate_series(1, 1000)) to stdout"), wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12H" + "d" * ROWS + "EZ"
    assert goes_on(link) == "I"


def test_a_savepoint_brings_the_transaction_back(link):
    link.ask(wire.query("begin; savepoint a"))
    kinds, seen = link.ask(wire.query(MANY))
    assert kinds.endswith("EZ") and state_of(seen) == "E"
    kinds, seen = link.ask(wire.query("rollback to a"))
    assert kinds == "CZ" and state_of(seen) == "T"
    assert goes_on(link) == "T"
    kinds, seen = link.ask(wire.query("commit"))
    assert b"COMMIT" in dict(seen)["C"] and state_of(seen) == "I"


def test_a_cursor_that_outlives_its_transaction_keeps_its_limit(link):
    link.ask(wire.query("begin"))
    link.ask(wire.query(f"declare held cursor with hold for {MANY}"))
    link.ask(wire.query("commit"))
    assert link.ask(wire.query("fetch 9 from held"))[0] == "T" + "D" * 9 + "CZ"
    kinds, seen = link.ask(wire.query("fetch 9 from held"))
    assert kinds == "TDEZ"
    is_ended(seen)
    link.ask(wire.query("close held"))


def test_copy_in_works_as_ever_and_what_comes_behind_it_is_limited(link, postgres):
    link.send(wire.query(f"copy noted from stdin; {MANY}"))
    assert link.until("G")
    link.send(wire.message(b"d", b"300\tx\n"), wire.message(b"c"))
    seen = link.until("Z")
    assert "".join(kind for kind, _ in seen) == "CT" + "D" * ROWS + "EZ"
    is_ended(seen)
    kinds = link.ask(wire.parse("copy noted from stdin"), wire.bind(), wire.execute(), wire.message(b"d", b"301\tx\n"),
                     wire.message(b"c"), wire.SYNC)[0]
    assert kinds == "12GCZ"
    postgres.query("delete from noted")


def test_a_cursor_is_one_result_however_it_is_fetched(link):
    link.ask(wire.query("begin"))
    link.ask(wire.query(f"declare c cursor for {MANY}"))
    kinds, _ = link.ask(wire.query("fetch 6 from c"))
    assert kinds == "T" + "D" * 6 + "CZ"
    kinds, seen = link.ask(wire.parse("fetch 6 from c"), wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12DDDDEZ"
    is_ended(seen)
    link.ask(wire.query("rollback"))


def test_prepared_statements_are_limited_under_any_name(link):
    link.ask(wire.query(f"prepare many as {MANY}"))
    kinds, seen = link.ask(wire.query("execute many"))
    assert kinds == "T" + "D" * ROWS + "EZ"
    is_ended(seen)
    link.ask(wire.parse(MANY, "named"), wire.SYNC)
    for _ in range(3):
        kinds, seen = link.ask(wire.bind("named", "p"), wire.execute("p"), wire.SYNC)
        assert kinds == "2" + "D" * ROWS + "EZ"


def test_an_error_of_the_server_is_its_own(link):
    kinds, seen = link.ask(wire.query("select 1 / (3 - n) from generate_series(1, 5) n"))
    assert kinds.endswith("EZ") and error_of(seen)["C"] == "22012"
    assert goes_on(link) == "I"


def test_a_huge_result_is_not_computed_to_its_end(link, postgres):
    kinds, seen = link.ask(wire.query("select repeat('x', 1000), generate_series(1, 1000000000)"))
    assert kinds == "T" + "D" * ROWS + "EZ"
    assert "statement=cancelled" in is_ended(seen)["D"]
    assert postgres.query("select count(*) from pg_stat_activity where state = 'active' and query like '%1000000000%' "
                          "and pid <> pg_backend_pid()")[0][0] == 0
    assert goes_on(link) == "I"


def test_a_late_cancel_hits_nothing_that_comes_next(link):
    for n in range(30):
        kinds, seen = link.ask(wire.query(f"select generate_series(1, {ROWS + 1})"))
        assert kinds == "T" + "D" * ROWS + "EZ"
        kinds, seen = link.ask(wire.query(f"select pg_sleep(0.002), {n}"))
        assert kinds == "TDCZ", error_of(seen)


def test_pipelined_queries_are_answered_in_order(link):
    link.send(*[wire.query(f"select generate_series(1, {n})") for n in (3, 20, 4, 1000, 1)])
    answers = ["".join(kind for kind, _ in link.until("Z")) for _ in range(5)]
    assert [a.count("D") for a in answers] == [3, ROWS, 4, ROWS, 1]
    assert ["E" in a for a in answers] == [False, True, False, True, False]


def test_a_query_whose_client_vanished_is_cancelled(limited, postgres):
    running = ("select count(*) from pg_stat_activity where query like 'select pg_sleep(62)%' and state = 'active'"
               " and pid <> pg_backend_pid()")
    with forward_of(limited, "rows") as forward:
        link = psycopg2.connect(forward.dsn, async_=1)
        psycopg2.extras.wait_select(link)
        link.cursor().execute("select pg_sleep(62)")
        wait_until(lambda: postgres.value(running) == 1, "the query runs", 20)
        forward.process.kill()
        wait_until(lambda: postgres.value(running) == 0, "the query is cancelled", 20)
        link.close()


def test_the_clients_own_cancel_works_as_ever(rows_forward):
    link = psycopg2.connect(rows_forward.dsn)
    try:
        timer = threading.Timer(0.3, link.cancel)
        timer.start()
        cursor = link.cursor()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("select pg_sleep(30)")
        timer.join()
        link.rollback()
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)
    finally:
        link.close()


# ---- bytes, several rules, masks ----

def test_bytes_are_counted_as_they_are_on_the_wire(limited):
    with forward_of(limited, "bytes") as forward, Wire(forward.port) as link:
        link.login()
        # A DataRow of one column has six bytes beside the value.
        kinds, _ = link.ask(wire.query(f"select repeat('x', {BYTES - 6})"))
        assert kinds == "TDCZ"
        kinds, seen = link.ask(wire.query(f"select repeat('x', {BYTES - 5})"))
        assert kinds == "TEZ"
        is_ended(seen, "few-bytes", f"the result has more than {BYTES} bytes")
        kinds, seen = link.ask(wire.query("copy (select repeat('x', 1023) from generate_series(1, 100)) to stdout"))
        assert kinds == "HddddEZ"[:kinds.count("d") + 3] and kinds.count("d") == 4
        is_ended(seen, "few-bytes", f"the result has more than {BYTES} bytes")
        kinds, _ = link.ask(wire.query("select repeat('x', 50000000)"))
        assert kinds == "TEZ"
        assert goes_on(link) == "I"


def test_of_several_rules_the_smallest_limit_counts(limited):
    with forward_of(limited, "mixed") as forward, Wire(forward.port) as link:
        link.login()
        kinds, seen = link.ask(wire.query("select id from payments"))
        assert kinds == "TDDDEZ"
        is_ended(seen, "narrow", "the result has more than 3 rows")
        kinds, seen = link.ask(wire.query("select p.id from payments p, customers c"))
        assert kinds == "TDDDEZ"
        kinds, seen = link.ask(wire.query("select id from customers"))
        assert kinds == "T" + "D" * 20 + "EZ"
        is_ended(seen, "wide", "the result has more than 20 rows")


def test_masks_and_limits_hold_together(limited, postgres):
    shown = {row[0] for row in postgres.query("select email from customers")}
    with forward_of(limited, "masked") as forward, Wire(forward.port) as link:
        link.login()
        kinds, seen = link.ask(wire.query("select email from customers"))
        assert kinds == "T" + "D" * ROWS + "EZ"
        is_ended(seen, "masked-rows")
        assert not shown & {row[0] for row in rows_of(seen)}
        kinds, seen = link.ask(wire.parse("select email, id from customers"), wire.bind(), wire.describe("", b"P"), wire.execute(), wire.SYNC)
        assert kinds == "12T" + "D" * ROWS + "EZ"


def test_whoever_has_no_limits_sees_everything(limited):
    with forward_of(limited, "ops") as forward, Wire(forward.port) as link:
        link.login()
        kinds, _ = link.ask(wire.query(MANY))
        assert kinds == "T" + "D" * 1000 + "CZ"


# ---- drivers ----

def test_psycopg2_gets_an_ordinary_error(database):
    cursor = database.cursor()
    with pytest.raises(psycopg2.Error) as raised:
        cursor.execute(MANY)
    assert raised.value.pgcode == "54000" and "ten-rows" in str(raised.value)
    database.rollback()
    cursor.execute("select 7")
    assert cursor.fetchone() == (7,)
    named = database.cursor("named")
    named.itersize = 4
    named.execute(MANY)
    got = []
    with pytest.raises(psycopg2.Error) as raised:
        for row in named:
            got.append(row[0])
    assert len(got) <= ROWS and raised.value.pgcode == "54000"
    database.rollback()


def test_asyncpg_gets_an_ordinary_error_in_binary(rows_forward):
    async def run():
        connection = await asyncpg.connect(host="127.0.0.1", port=rows_forward.port, user="whoever", database="whatever", ssl=False)
        try:
            with pytest.raises(asyncpg.PostgresError) as raised:
                await connection.fetch("select n, now() from generate_series(1, $1::int) n", 1000)
            assert raised.value.sqlstate == "54000"
            assert len(await connection.fetch("select generate_series(1, $1::int)", ROWS)) == ROWS
        finally:
            await connection.close()
    asyncio.run(run())


def test_psql_shows_the_error_and_goes_on(limited, rows_forward):
    done = rows_forward.psql("-At", "-c", MANY, "-c", "select 'after'")
    assert 'denied by rule "ten-rows": the result has more than 10 rows' in done.stderr
    assert "code=limit" in done.stderr and "HINT:  narrow the query" in done.stderr
    assert "after" in done.stdout
    agent = limited.client("rows-agent", principals=["rows"])
    done = agent.psql("-c", MANY)
    assert done.returncode != 0 and "the result has more than 10 rows" in done.stderr


# ---- what is told and recorded ----

def test_an_ended_result_is_recorded(limited):
    agent = limited.client("recorded-agent", principals=["rows"])
    agent.psql("-c", "select generate_series(1, 1000) as recorded_here")

    def found():
        listed = agent.must("sessions", "--json", "--grep", "recorded_here").splitlines()
        return [session for session in map(json.loads, listed) if session.get("state", "sealed") != "live"]

    session = wait_until(found, "a sealed session", 15, 0.2)[-1]
    events = [json.loads(line) for line in agent.must("replay", session["id"], "--events").splitlines()]
    ended = [event for event in events if event.get("code") == "limit"]
    assert len(ended) == 1 and ended[0]["verdict"] == "deny" and ended[0]["rule"] == "ten-rows"


def test_describe_tells_the_limits(limited):
    agent = limited.client("rows-agent", principals=["rows"])
    assert "at most 10 rows of a result" in agent.must("describe")
    rules = json.loads(agent.must("describe", "--json"))["targets"][0]["rules"]
    assert rules[0]["limits"] == {"rows": 10}
    counted = limited.client("told", principals=["counted"])
    assert "at most 5 statements a minute" in counted.must("describe")


# ---- statements a minute ----

def is_counted_out(seen):
    fault = error_of(seen)
    assert fault["C"] == "53400" and "code=limit" in fault["D"] and "rule=five" in fault["D"]
    assert fault["M"] == f'denied by rule "five": it allows {STATEMENTS} statements a minute, on all connections together'
    assert fault["H"].startswith("wait ") and 0 < int(fault["H"].split()[1]) <= 61
    return True


def test_statements_are_counted_across_connections(limited, postgres):
    with forward_of(limited, "counted", "shared") as one, forward_of(limited, "counted", "shared") as two, \
            Wire(one.port) as first, Wire(two.port) as second:
        first.login(), second.login()
        for n in range(STATEMENTS):
            kinds, seen = (first, second)[n % 2].ask(wire.query(f"select {n}"))
            assert kinds == "TDCZ", error_of(seen)
        for link in (first, second):
            kinds, seen = link.ask(wire.query("select 'never-counted'"))
            assert kinds == "EZ" and is_counted_out(seen) and state_of(seen) == "I"
        kinds, seen = second.ask(wire.parse("select 'never-counted'"), wire.bind(), wire.execute(), wire.SYNC)
        assert kinds == "1EZ" and is_counted_out(seen)
    assert "select 'never-counted'" not in [q for q, in postgres.query("select query from pg_stat_activity where pid <> pg_backend_pid()")]
    with forward_of(limited, "counted", "another") as other, Wire(other.port) as link:
        link.login()
        assert link.ask(wire.query("select 1"))[0] == "TDCZ"


def test_statements_of_one_string_count_one_by_one(limited):
    with forward_of(limited, "counted", "strings") as forward, Wire(forward.port) as link:
        link.login()
        kinds, seen = link.ask(wire.query(";".join(["select 1"] * (STATEMENTS + 1))))
        assert kinds == "EZ" and f"{STATEMENTS + 1} statements at once" in error_of(seen)["M"]
        kinds, _ = link.ask(wire.query(";".join(["select 1"] * (STATEMENTS - 1))))
        assert kinds == "TDC" * (STATEMENTS - 1) + "Z"
        kinds, seen = link.ask(wire.query("select 1; select 2"))
        assert kinds == "EZ" and is_counted_out(seen)
        kinds, _ = link.ask(wire.query("select 1"))
        assert kinds == "TDCZ"
        assert is_counted_out(link.ask(wire.query("select 1"))[1])


def test_a_pipeline_is_counted_bind_by_bind(limited):
    with forward_of(limited, "counted", "pipeline") as forward, Wire(forward.port) as link:
        link.login()
        kinds, seen = link.ask(wire.parse("select 1", "s"), *[m for _ in range(STATEMENTS + 3) for m in (wire.bind("s"), wire.execute())],
                               wire.SYNC)
        assert kinds == "1" + "2DC" * STATEMENTS + "EZ"
        is_counted_out(seen)


def test_refused_and_unparsable_statements_are_not_counted(limited):
    with forward_of(limited, "counted", "careless") as forward, Wire(forward.port) as link:
        link.login()
        for _ in range(STATEMENTS + 2):
            assert link.ask(wire.query("drop table payments"))[0] == "EZ"
        for _ in range(STATEMENTS):
            assert link.ask(wire.query("select 1"))[0] == "TDCZ"
        assert is_counted_out(link.ask(wire.query("select 1"))[1])


def test_a_fuller_minute_aborts_a_transaction_as_any_error_would(limited, postgres):
    with forward_of(limited, "counted", "in-transaction") as forward, Wire(forward.port) as link:
        link.login()
        for sql in ["begin", "insert into noted values (900, 'x')", "select 1", "select 1", "select 1"]:
            link.ask(wire.query(sql))
        kinds, seen = link.ask(wire.query("commit"))
        assert kinds == "EZ" and is_counted_out(seen) and state_of(seen) == "E"
    assert postgres.value("select count(*) from noted where id = 900") == 0
