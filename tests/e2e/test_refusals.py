"""What the rules refuse never reaches the server, and fails as if the server had refused it."""
import psycopg2
import pytest

from harness import wire
from harness.wire import Wire, error_of, rows_of, state_of

REASON = "agents do not change the schema"


@pytest.fixture
def link(forward):
    with Wire(forward.port) as made:
        yield made.login()


@pytest.mark.asan
def test_a_refusal_has_every_field(link):
    kinds, seen = link.ask(wire.query("drop table payments"))
    assert kinds == "EZ"
    fault = error_of(seen)
    assert fault["S"] == fault["V"] == "ERROR"
    assert fault["C"] == "42501"
    assert fault["M"] == f'denied by rule "no-drop": {REASON}'
    assert "code=denied" in fault["D"] and "rule=no-drop" in fault["D"]
    assert fault["H"]
    assert state_of(seen) == "I"


@pytest.mark.asan
def test_the_server_never_sees_a_refused_statement(link, postgres):
    link.ask(wire.query("drop table payments /* never-sent-1 */"))
    link.ask(wire.parse("drop table payments /* never-sent-2 */"), wire.bind(), wire.execute(), wire.SYNC)
    link.ask(wire.query("select 1; drop table payments /* never-sent-3 */"))
    assert "never-sent" not in postgres.statements()
    assert postgres.value("select count(*) from payments") == 4000


def test_the_session_goes_on_after_a_refusal(link):
    link.ask(wire.query("drop table payments"))
    _, seen = link.ask(wire.query("select count(*) from payments"))
    assert rows_of(seen) == [["4000"]]


@pytest.mark.asan
def test_inside_a_transaction_the_transaction_is_aborted(link, postgres):
    link.ask(wire.query("begin"))
    link.ask(wire.query("update customers set city = 'Nowhere' where id = 1"))
    kinds, seen = link.ask(wire.query("drop table payments"))
    assert kinds == "EZ" and state_of(seen) == "E"
    _, seen = link.ask(wire.query("select 1"))
    assert error_of(seen)["C"] == "25P02" and state_of(seen) == "E"
    kinds, seen = link.ask(wire.query("commit"))
    assert state_of(seen) == "I"
    assert b"ROLLBACK" in dict(seen)["C"]
    assert postgres.value("select city from customers where id = 1") != "Nowhere"


def test_a_savepoint_brings_the_transaction_back(link):
    link.ask(wire.query("begin"))
    link.ask(wire.query("savepoint s"))
    _, seen = link.ask(wire.query("drop table payments"))
    assert state_of(seen) == "E"
    _, seen = link.ask(wire.query("rollback to s"))
    assert state_of(seen) == "T"
    _, seen = link.ask(wire.query("rollback"))
    assert state_of(seen) == "I"


@pytest.mark.asan
def test_one_bad_statement_refuses_the_whole_string(link, postgres):
    kinds, seen = link.ask(wire.query("update customers set city = 'Nowhere' where id = 2; drop table payments"))
    assert kinds.endswith("EZ") and error_of(seen)["C"] == "42501" and state_of(seen) == "I"
    assert postgres.value("select city from customers where id = 2") != "Nowhere"


@pytest.mark.asan
def test_in_extended_protocol_the_rest_up_to_sync_is_skipped(link):
    kinds, seen = link.ask(wire.parse("drop table payments"), wire.bind(), wire.describe(what=b"P"), wire.execute(), wire.SYNC)
    assert kinds == "EZ" and error_of(seen)["C"] == "42501"
    kinds, _ = link.ask(wire.parse("select 1"), wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12DCZ"


@pytest.mark.asan
def test_in_a_pipeline_what_came_before_is_rolled_back(link, postgres):
    kinds, seen = link.ask(
        wire.parse("update customers set city = 'Nowhere' where id = 3"), wire.bind(), wire.execute(),
        wire.parse("drop table payments"), wire.bind(), wire.execute(),
        wire.parse("update customers set city = 'Nowhere' where id = 4"), wire.bind(), wire.execute(), wire.SYNC)
    assert kinds == "12CEZ", seen
    assert error_of(seen)["C"] == "42501" and state_of(seen) == "I"
    assert postgres.value("select count(*) from customers where city = 'Nowhere'") == 0


def test_two_pipelines_in_one_packet_keep_their_answers_apart(link):
    link.send(wire.parse("select 1"), wire.bind(), wire.execute(), wire.SYNC,
              wire.parse("truncate payments"), wire.bind(), wire.execute(), wire.SYNC,
              wire.parse("select 3"), wire.bind(), wire.execute(), wire.SYNC)
    answers = ["".join(kind for kind, _ in link.until()) for _ in range(3)]
    assert answers == ["12DCZ", "EZ", "12DCZ"]


def test_many_refusals_in_a_row_and_between_answers(link):
    link.send(*[wire.query("drop table payments") if n % 2 else wire.query(f"select {n}") for n in range(200)])
    for n in range(200):
        kinds = "".join(kind for kind, _ in link.until())
        assert kinds == ("EZ" if n % 2 else "TDCZ"), n


def test_a_flush_shows_the_refusal_before_sync(link):
    link.send(wire.parse("drop table payments"), wire.FLUSH)
    kind, body = link.receive()
    assert kind == "E" and wire.fields(body)["C"] == "42501"
    link.send(wire.SYNC)
    assert link.receive()[0] == "Z"


@pytest.mark.parametrize("sql,rule", [
    ("with gone as (delete from payments returning *) select count(*) from gone", "no-mass-write"),
    ("explain analyze delete from payments", "no-mass-write"),
    ("prepare p as drop table payments", None),
    ("prepare p as delete from payments", "no-mass-write"),
    ("delete from payments where true", "no-mass-write"),
    ("delete from payments where 1 = 1", "no-mass-write"),
    ("update payments set amount = 0 where id = id", "no-mass-write"),
    ("copy payments to program 'cat > /tmp/x'", "no-files"),
    ("copy payments from '/etc/passwd'", "no-files"),
    ("select pg_read_file('/etc/passwd')", "no-files"),
    ("select pg_catalog.pg_read_file('/etc/passwd')", "no-files"),
    ("do $$ begin execute 'drop table payments'; end $$", "default"),
    ("set role postgres", "default"),
    ("set session authorization postgres", "default"),
    ("select set_config('standard_conforming_strings', 'off', false)", None),
    ("set standard_conforming_strings = off", None),
    ("set client_encoding = 'SJIS'", None),
    ("alter table payments add column x int", "no-drop"),
    ("grant all on payments to public", "no-drop"),
    ("truncate payments", "no-drop"),
    ("create table x (i int)", "default"),
    ("vacuum payments", "default"),
    ("select query_to_xml('delete from payments', true, true, '')", None),
    ("this is not sql", None),
    ("select 'unfinished", None),
    ("merge into payments p using orders o on p.order_id = o.id when matched then delete", "default"),
])
def test_every_way_around_the_rules_is_refused(link, postgres, sql, rule):
    link.ask(wire.query("begin"))
    kinds, seen = link.ask(wire.query(sql))
    assert "E" in kinds, (sql, seen)
    fault = error_of(seen)
    assert fault["C"] == "42501", fault
    if rule:
        assert f"rule={rule}" in fault["D"], fault
    assert sql not in postgres.statements()
    assert postgres.value("select count(*) from payments") == 4000


@pytest.mark.asan
def test_what_does_not_parse_is_refused_as_unparsable(link):
    _, seen = link.ask(wire.query("selec 1"))
    assert error_of(seen)["C"] == "42501" and "code=unparsable" in error_of(seen)["D"]


def test_execute_of_a_prepared_statement_keeps_its_verdict(link):
    link.ask(wire.query("prepare ok (int) as select $1 + 1"))
    _, seen = link.ask(wire.query("execute ok(41)"))
    assert rows_of(seen) == [["42"]]
    link.ask(wire.query("prepare bad as truncate payments"))
    _, seen = link.ask(wire.query("execute bad"))
    assert "E" in dict(seen)


def test_a_prepared_name_can_be_used_again_after_deallocate(link):
    link.ask(wire.query("prepare p as select 1"))
    link.ask(wire.query("deallocate p"))
    _, seen = link.ask(wire.query("prepare p as select 2"), )
    assert "E" not in dict(seen)
    _, seen = link.ask(wire.query("execute p"))
    assert rows_of(seen) == [["2"]]


def test_standard_conforming_strings_cannot_be_turned_off(link, postgres):
    before = postgres.value("select count(*) from payments")
    for sql in ("set standard_conforming_strings = off", "set local standard_conforming_strings to off",
                "select set_config('standard_conforming_strings', 'off', false)",
                "begin; set standard_conforming_strings = off; commit"):
        _, seen = link.ask(wire.query(sql))
        assert "E" in dict(seen), sql
        link.ask(wire.query("rollback"))
    _, seen = link.ask(wire.query("show standard_conforming_strings"))
    assert rows_of(seen) == [["on"]]
    # To the parser one string after another; with the setting off, the server would drop the table.
    _, seen = link.ask(wire.query("select 'a\\' || '; drop table payments; --'"))
    assert rows_of(seen) == [["a\\; drop table payments; --"]]
    assert postgres.value("select count(*) from payments") == before


@pytest.mark.asan
def test_invalid_utf8_is_refused(link):
    for sql in (b"select '\xff'", b"select '\xc3'", b"select '\xed\xa0\x80'"):
        _, seen = link.ask(wire.query(sql))
        assert "E" in dict(seen), sql
    _, seen = link.ask(wire.query("select 'still here'"))
    assert rows_of(seen) == [["still here"]]


def test_function_calls_by_the_old_message_are_refused(link):
    import struct
    link.send(wire.message(b"F", struct.pack("!IHHH", 1598, 0, 0, 0)))
    try:
        seen = link.until()
        assert "E" in dict(seen)
    except (EOFError, ConnectionError):
        pass


def test_replication_is_refused(forward):
    with Wire(forward.port) as link:
        link.send(wire.startup(replication="database"))
        kind, body = link.receive()
        assert kind == "E", body


def test_a_refusal_by_psql_reads_well(forward):
    done = forward.psql("-c", "drop table payments")
    assert done.returncode == 1
    assert f'ERROR:  denied by rule "no-drop": {REASON}' in done.stderr
    assert "DETAIL:" in done.stderr and "HINT:" in done.stderr


def test_no_rule_means_no_and_says_so(link):
    _, seen = link.ask(wire.query("create table nothing (i int)"))
    fault = error_of(seen)
    assert fault["C"] == "42501" and "rule=default" in fault["D"]


def test_a_role_with_more_rights_may_do_it(bastion, ops, postgres):
    with ops.forward() as forward:
        assert forward.psql("-c", "create table scratch (i int)", "-c", "drop table scratch").returncode == 0
    assert postgres.value("select count(*) from pg_class where relname = 'scratch'") == 0


def test_psycopg2_sees_an_ordinary_error(forward):
    link = psycopg2.connect(forward.dsn)
    try:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege) as refusal:
            link.cursor().execute("drop table payments")
        assert refusal.value.diag.message_hint
        link.rollback()
        link.cursor().execute("select 1")
    finally:
        link.close()
