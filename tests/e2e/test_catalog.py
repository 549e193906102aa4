"""Rules judge what names mean in the target's catalog, however they are reached."""
import threading
import time

import psycopg2
import pytest

from harness import wire
from harness.system import wait_until
from harness.wire import Wire, error_of, rows_of, state_of

RULES = [
    {"name": "no-pay", "targets": ["*"], "match": {"tables": ["hidden.*"]}, "action": "deny", "reason": "pay is private"},
    {"name": "public-sql", "roles": ["agent"], "targets": ["*"], "action": "allow",
     "match": {"statements": ["select", "insert", "update", "delete", "create", "alter", "explain", "show", "set",
                              "transaction", "cursor", "lock"]}},
]


@pytest.fixture(scope="module")
def shop(postgres):
    """Things that lead to a table that is denied."""
    postgres.query("""
        DROP SCHEMA IF EXISTS hidden, other CASCADE;
        SET ROLE postgres;
        GRANT CREATE ON DATABASE orders TO app;
        SET ROLE app;
        CREATE SCHEMA hidden; CREATE SCHEMA other;
        CREATE TABLE hidden.pay (id int, amount int);
        INSERT INTO hidden.pay VALUES (1, 4711);
        CREATE VIEW public.harmless_view AS SELECT amount FROM hidden.pay;
        CREATE VIEW public.view_of_view AS SELECT * FROM public.harmless_view;
        CREATE TABLE public.log_entries (day date, what text) PARTITION BY RANGE (day);
        CREATE TABLE hidden.log_2024 PARTITION OF public.log_entries FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE other.customers (id int);
        CREATE FUNCTION public.write_it(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
        CREATE OPERATOR public.|+| (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
        CREATE FUNCTION public.int_op(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
        CREATE OPERATOR public.|-| (LEFTARG = int, RIGHTARG = int, FUNCTION = public.int_op);
        CREATE FUNCTION other.lower(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'""")
    yield postgres
    postgres.query("""DROP SCHEMA hidden, other CASCADE; DROP TABLE public.log_entries;
        DROP FUNCTION public.write_it(int); DROP OPERATOR public.|+| (int, int);
        DROP OPERATOR public.|-| (int, int); DROP FUNCTION public.int_op(int, int)""")


@pytest.fixture
def link(shop, new_bastion):
    bastion = new_bastion(rules=RULES)
    with bastion.client("agent-7", principals=["agent"]).forward() as forward:
        with Wire(forward.port) as made:
            yield made.login()


def verdict(link, *texts):
    """The rule that refuses the last one; "" when it runs."""
    for text in texts:
        _, seen = link.ask(wire.query(text))
    fault = error_of(seen) if any(kind == "E" for kind, _ in seen) else None
    return fault["D"].split("rule=")[1].split()[0] if fault and "rule=" in fault.get("D", "") else fault["M"] if fault else ""


@pytest.mark.parametrize("text", [
    "select * from hidden.pay", "select * from harmless_view", "select * from view_of_view",
    "select (select max(amount) from public.harmless_view)", "table view_of_view", "select * from hidden.log_2024",
    "select * from log_entries", "with x as (select * from harmless_view) select * from x",
    "explain select * from harmless_view", "create table copied as select * from harmless_view",
    "create temp view t as select * from hidden.pay", "declare c cursor for select * from harmless_view",
])
def test_every_way_to_a_denied_table_is_seen(link, text):
    link.ask(wire.query("begin"))
    assert verdict(link, text) == "no-pay"


@pytest.mark.parametrize("text, effect", [
    ("select pg_terminate_backend(0)", "pg_catalog.pg_terminate_backend"),
    ("select lo_import('/etc/passwd')", "pg_catalog.lo_import"),
    ("select write_it(1)", "public.write_it"), ("select id |-| 1 from customers", "public.int_op"),
    ("select other.lower('x')", "other.lower"),
    ("set search_path = other, pg_catalog; select lower('x')", "other.lower"),
])
def test_functions_are_named_for_what_they_are(link, text, effect):
    _, seen = link.ask(wire.query(text))
    assert effect in error_of(seen)["D"]
    assert error_of(seen)["C"] == "42501"


@pytest.mark.parametrize("text", [
    "select count(*) from customers", "select id |+| 1 from customers limit 1", "select lower('X')",
    "select * from other.customers", "show search_path",
])
def test_what_is_allowed_runs(link, text):
    assert verdict(link, text) == ""


def test_a_transaction_may_use_what_it_makes(link, shop):
    for text in ("begin", "create table made_here (id int)", "insert into made_here values (1)",
                 "alter table made_here add column b int", "update made_here set b = 2 where id = 1"):
        assert verdict(link, text) == "", text
    _, seen = link.ask(wire.query("select b from made_here"))
    assert rows_of(seen) == [["2"]]
    link.ask(wire.query("rollback"))
    assert verdict(link, "select * from made_here") == 'relation "made_here" does not exist'


def test_temporary_tables_work_and_shadow_nothing(link):
    assert verdict(link, "create temp table pay_copy (id int)", "insert into pay_copy values (1)") == ""
    assert verdict(link, "create temp table harmless_view (id int)", "select * from harmless_view") == "no-pay"


def test_a_new_meaning_is_seen_by_the_next_statement(link):
    assert verdict(link, "create view late_view as select id from customers", "select * from late_view limit 1") == ""
    assert verdict(link, "create or replace view late_view as select id from hidden.pay") == "no-pay"
    assert verdict(link, "select * from late_view limit 1") == ""


def test_prepared_statements_are_judged_anew_when_a_view_changes(link, shop):
    shop.query("SET ROLE app; CREATE VIEW public.moving AS SELECT id FROM public.customers")
    try:
        link.ask(wire.parse("select id from moving limit 1", "s"), wire.SYNC)
        kinds, _ = link.ask(wire.bind("s"), wire.execute(), wire.SYNC)
        assert "D" in kinds
        shop.query("SET ROLE app; CREATE OR REPLACE VIEW public.moving AS SELECT id FROM hidden.pay")
        # What somebody else defines is seen within 20 seconds; what this gate's sessions define, at once.
        link.ask(wire.query("create table poke (id int)"))
        kinds, seen = link.ask(wire.bind("s"), wire.execute(), wire.SYNC)
        assert "D" not in kinds and "rule=no-pay" in error_of(seen)["D"]
    finally:
        shop.query("DROP VIEW public.moving; DROP TABLE IF EXISTS public.poke")


def test_without_the_catalog_what_needs_it_is_refused_and_the_session_lives(shop, new_bastion):
    bastion = new_bastion(rules=RULES)
    with bastion.client("agent-7", principals=["agent"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        shop.query("ALTER ROLE app CONNECTION LIMIT 1")
        try:
            kinds, seen = link.ask(wire.query("select count(*) from customers"))
            assert kinds == "EZ" and state_of(seen) == "I"
            assert "code=target_unavailable" in error_of(seen)["D"]
            assert verdict(link, "begin", "commit") == ""
        finally:
            shop.query("ALTER ROLE app CONNECTION LIMIT -1")
        time.sleep(2.1)
        assert verdict(link, "select count(*) from customers") == ""


def test_a_cancel_ends_a_statement_that_waits_for_the_catalog(shop, new_bastion):
    bastion = new_bastion(rules=RULES)
    with bastion.client("agent-7", principals=["agent"]).forward() as forward:
        with psycopg2.connect(forward.dsn) as link:
            shop.freeze()
            try:
                timer = threading.Timer(1, link.cancel)
                timer.start()
                with pytest.raises(psycopg2.Error) as caught:
                    link.cursor().execute("select count(*) from customers")
            finally:
                shop.thaw()
                timer.join()
            assert caught.value.pgcode in ("57014", "42501")


def test_one_rule_for_everything_needs_no_catalog(shop, new_bastion):
    side = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatehouse catalog'"
    bastion = new_bastion(rules=[{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}])
    wait_until(lambda: shop.value(side) == 0, "side connections of other tests end", 20)
    with bastion.client("agent-7", principals=["agent"]).forward() as forward:
        assert forward.query("select count(*) from customers") == "2000"
        assert forward.query("select count(*) from pg_stat_activity where application_name = 'gatehouse catalog'") == "0"


def test_a_read_only_role_cannot_write_nor_become_read_write(shop, new_bastion):
    bastion = new_bastion(roles=[{"name": "reader", "read_only": True}],
                          rules=[{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}])
    with bastion.client("reader-1", principals=["reader"]).forward() as forward, Wire(forward.port) as link:
        link.login(options="-c default_transaction_read_only=off")
        assert verdict(link, "select count(*) from customers") == ""
        assert "read-only transaction" in verdict(link, "delete from customers where id = 1")
        for text in ("set default_transaction_read_only = off", "begin read write", "set transaction read write",
                     "set session characteristics as transaction read write", "do $$ begin end $$",
                     "select set_config('transaction_read_only', 'off', false)", "start transaction read write",
                     "update pg_settings set setting = 'off' where name = 'default_transaction_read_only'"):
            assert verdict(link, text) == "built-in", text
            link.ask(wire.query("rollback"))
        assert verdict(link, "reset all", "discard all", "begin", "create table nope (id int)") != ""
