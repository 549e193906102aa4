"""`action: approve`: a statement waits on its connection until somebody has agreed, and runs once."""
import signal
import threading

import psycopg2
import pytest

from harness import wire
from harness.holding import Asking, Operator, log_in, notices_of
from harness.system import wait_until
from harness.terminal import Terminal
from harness.wire import Wire, error_of, rows_of, state_of

KINDS = ["select", "insert", "explain", "show", "set", "transaction", "copy", "cursor", "function", "create", "drop"]


def approve(name, match, **how):
    return {"name": name, "roles": ["agent"], "targets": ["orders"], "match": match, "action": "approve",
            "approve": {"by": ["dba"], "wait": "10m", **how}, "reason": f"{name} wants a second pair of eyes"}


RULES = [
    approve("both", {"tables": ["held_by_two"]}, by=[["dba"], ["security"]]),
    approve("quorum", {"tables": ["held_by_quorum"]}, quorum=2),
    approve("quick", {"tables": ["held_briefly"]}, wait="1s"),
    approve("outside", {"tables": ["held_outside"]}, in_transaction="deny"),
    approve("later", {"tables": ["held_later"]}, mode="retry", **{"for": "5m"}),
    approve("securitys", {"tables": ["also_security"]}, by=["security"]),
    approve("copied", {"statements": ["copy_from"]}),
    approve("read", {"statements": ["select"], "tables": ["held_reads"]}),
    approve("destructive", {"statements": ["delete", "update", "truncate"]}, preview="count"),
    {"name": "agent-sql", "roles": ["agent"], "targets": ["orders"], "match": {"statements": KINDS}, "action": "allow"},
    {"name": "ops", "roles": ["dba"], "targets": ["*"], "match": "anything", "action": "allow"},
]
MASKS = [{"name": "pii", "roles": ["masked"], "columns": ["customers.email"], "with": "redact", "masked_predicates": "approve",
          "approve": {"by": ["security"], "wait": "5m", "preview": "count"}}]
TABLES = ["things", "held_reads", "held_by_two", "held_by_quorum", "held_briefly", "held_outside", "held_later", "also_security"]


@pytest.fixture(scope="module")
def held(postgres):
    from harness.bastion import Bastion, settings
    for table in TABLES:
        postgres.query(f"set role app; create table {table} (id int primary key, text text)")
    made = Bastion(postgres, settings(postgres, rules=RULES, masks=MASKS, roles=[{"name": role} for role in ("agent", "dba", "security", "masked")])).start()
    yield made
    try:
        made.end()
    finally:
        for table in TABLES:
            postgres.query(f"drop table {table}")


@pytest.fixture(scope="module")
def forward(held):
    with held.client("local/agent-7", principals=["agent"]).forward() as made:
        yield made


def operator_of(held, name, role):
    with held.client(name, principals=[role]).master() as client:
        yield Operator(client)


@pytest.fixture(scope="module")
def anna(held):
    yield from operator_of(held, "local/anna", "dba")


@pytest.fixture(scope="module")
def ben(held):
    yield from operator_of(held, "local/ben", "dba")


@pytest.fixture(scope="module")
def sara(held):
    yield from operator_of(held, "local/sara", "security")


@pytest.fixture
def link(forward, postgres):
    for table in TABLES:
        postgres.query(f"truncate {table}; insert into {table} select n, 'x' from generate_series(1, 5) n")
    with log_in(forward) as made:
        yield made


def left(postgres, table="things"):
    return postgres.value(f"select count(*) from {table}")


# ---- the simple protocol ----

@pytest.mark.asan
def test_a_held_statement_runs_when_somebody_has_agreed(link, anna, postgres):
    asked = Asking(link, wire.query("delete from things where id = 1"))
    request = anna.open("delete from things where id = 1")
    assert request["rule"] == "destructive" and request["effects"] == ["delete public.things"] and request["by"] == [["dba"]]
    assert asked.waits() and left(postgres) == 5
    anna.approve(request["id"], "--reason", "fine")
    kinds, seen = asked.answer()
    assert kinds == "CZ" and left(postgres) == 4
    notice = notices_of(seen)[0]
    assert notice["S"] == notice["V"] == "NOTICE" and notice["C"] == "00000"
    assert notice["M"] == f'waiting for approval {request["id"]} by dba (rule "destructive"), up to 10m'
    assert notice["D"] == f'code=pending rule=destructive request={request["id"]}' and "Ctrl-C" in notice["H"]
    assert anna.state(request["id"]) == "consumed"


@pytest.mark.asan
def test_a_denied_statement_fails_with_the_deciders_reason_and_the_session_goes_on(link, anna, postgres):
    asked = Asking(link, wire.query("delete from things"))
    request = anna.open("delete from things")
    anna.deny(request["id"], "--reason", "not on a Friday")
    kinds, seen = asked.answer()
    fault = error_of(seen)
    assert kinds == "EZ" and left(postgres) == 5 and state_of(seen) == "I"
    assert fault["C"] == "42501" and fault["M"] == 'denied by rule "destructive": denied by local/anna: not on a Friday'
    assert f'code=approval_denied rule=destructive request={request["id"]}' in fault["D"] and fault["H"]
    assert rows_of(link.ask(wire.query("select 1"))[1]) == [["1"]]


def test_nobody_decides_in_time(link, anna, postgres):
    kinds, seen = Asking(link, wire.query("delete from held_briefly")).answer()
    fault = error_of(seen)
    assert kinds == "EZ" and left(postgres, "held_briefly") == 5
    assert "code=approval_expired rule=quick request=" in fault["D"] and "nobody decided within 1s" in fault["M"]


def test_a_string_of_statements_is_held_as_one(link, anna, postgres):
    asked = Asking(link, wire.query("insert into things values (10, 'y'); delete from things where id < 3; select count(*) from things"))
    request = anna.open("insert into things values (10")
    assert left(postgres) == 5
    anna.approve(request["id"])
    kinds, seen = asked.answer()
    assert kinds == "CCTDCZ" and rows_of(seen) == [["4"]]


def test_a_denied_statement_aborts_its_transaction(link, anna, postgres):
    link.ask(wire.query("begin"))
    link.ask(wire.query("insert into things values (11, 'y')"))
    asked = Asking(link, wire.query("delete from things where id = 1"))
    anna.deny(anna.open("delete from things where id = 1")["id"])
    kinds, seen = asked.answer()
    assert kinds == "EZ" and state_of(seen) == "E"
    kinds, seen = link.ask(wire.query("commit"))
    assert state_of(seen) == "I" and left(postgres) == 5


@pytest.mark.slow
def test_it_says_every_half_minute_that_it_still_waits(link, anna):
    asked = Asking(link, wire.query("delete from things where id = 1"))
    request = anna.open("delete from things where id = 1")
    wait_until(lambda: len(notices_of(link.seen)) >= 2, "a second notice", 60, 0.5)
    assert notices_of(link.seen)[1]["M"].startswith(f'still waiting for approval {request["id"]} by dba (rule "destructive"), up to 9m')
    anna.approve(request["id"])
    assert asked.answer()[0] == "CZ"


# ---- the extended protocol ----

@pytest.mark.asan
def test_a_bind_is_held_with_its_values(link, anna, postgres):
    kinds, _ = link.ask(wire.parse("delete from things where id = $1", "s"), wire.describe("s"), wire.SYNC)
    assert kinds == "1tnZ"
    asked = Asking(link, wire.bind("s", values=[b"2"]), wire.execute(), wire.SYNC)
    request = anna.open("delete from things where id = $1")
    assert [value["text"] if isinstance(value, dict) else value for value in request["values"]] == ["2"]
    anna.approve(request["id"])
    assert asked.answer()[0] == "2CZ" and left(postgres) == 4


def test_an_approval_is_for_these_values_once(link, anna, postgres):
    link.ask(wire.parse("delete from things where id = $1", "s"), wire.SYNC)
    for n, value in enumerate(("2", "2", "3")):
        asked = Asking(link, wire.bind("s", values=[value.encode()]), wire.execute(), wire.SYNC)
        request = anna.open("delete from things")
        assert left(postgres) == 5 - min(n, 1)
        anna.approve(request["id"])
        assert asked.answer()[0] == "2CZ"
    assert left(postgres) == 3


def test_what_is_pipelined_behind_a_held_statement_waits_with_it(link, anna, postgres):
    asked = Asking(link, wire.parse("insert into things values (20, 'y')"), wire.bind(), wire.execute(),
                   wire.parse("delete from things where id = 1"), wire.bind(), wire.execute(),
                   wire.parse("insert into things values (21, 'y')"), wire.bind(), wire.execute(), wire.SYNC)
    anna.deny(anna.open("delete from things where id = 1")["id"])
    kinds, seen = asked.answer()
    assert kinds.endswith("EZ") and left(postgres) == 5  # as if the server had refused it: all of the pipeline is undone
    assert error_of(seen)["D"].startswith("code=approval_denied")


def test_execute_of_what_was_prepared_is_held_with_its_arguments_and_its_text(link, anna, postgres):
    assert link.ask(wire.query("prepare gone (int) as delete from things where id = $1"))[0] == "CZ"
    asked = Asking(link, wire.query("execute gone (4)"))
    request = anna.open("execute gone (4)")
    assert "delete from things where id = $1" in str(request["context"]) and "delete public.things" in request["effects"]
    anna.approve(request["id"])
    assert asked.answer()[0] == "CZ" and left(postgres) == 4


def test_a_driver_waits_too(forward, link, anna, postgres):
    database = psycopg2.connect(forward.dsn)
    database.autocommit = True
    cursor = database.cursor()
    done = threading.Thread(target=cursor.execute, args=("delete from things where id = any(%s)", ([1, 2],)))
    done.start()
    anna.approve(anna.open("delete from things where id = any")["id"])
    done.join(30)
    assert cursor.rowcount == 2 and left(postgres) == 3 and any("waiting for approval" in notice for notice in database.notices)
    database.close()


def test_copy_from_stdin_waits_and_then_takes_its_data(link, anna, postgres):
    asked = Asking(link, wire.query("copy things from stdin"), until="G")
    anna.approve(anna.open("copy things from stdin")["id"])
    assert asked.answer()[0] == "G"
    kinds, _ = link.ask(wire.message(b"d", b"50\tx\n51\ty\n"), wire.message(b"c"))
    assert kinds == "CZ" and left(postgres) == 7


def test_a_cursor_waits_once_and_its_rows_do_not(link, anna, postgres):
    link.ask(wire.query("begin"))
    asked = Asking(link, wire.query("declare c cursor for select id from held_reads order by id"))
    anna.approve(anna.open("declare c cursor")["id"])
    assert asked.answer()[0] == "CZ"
    for _ in range(2):
        assert len(rows_of(link.ask(wire.query("fetch 2 from c"))[1])) == 2
    link.ask(wire.query("rollback"))


def test_a_portal_that_is_fetched_in_parts_waits_once(link, anna):
    link.ask(wire.query("begin"))
    asked = Asking(link, wire.parse("select id from held_reads"), wire.bind(portal="p"), wire.execute("p", 2), wire.SYNC)
    anna.approve(anna.open("select id from held_reads")["id"])
    assert asked.answer()[0] == "12DDsZ"
    assert link.ask(wire.execute("p", 9), wire.SYNC)[0] == "DDDCZ"
    link.ask(wire.query("rollback"))


# ---- masks ----

def test_a_condition_by_a_masked_column_waits_for_those_of_the_mask(held, sara, postgres):
    with held.client("local/masked-7", principals=["agent", "masked"]).forward() as forward, log_in(forward) as link:
        assert link.ask(wire.query("select id from customers where id = 3"))[0] == "TDCZ"
        asked = Asking(link, wire.query("select id from customers where email like 'a%' order by id limit 1"))
        request = sara.open("where email like")
        assert request["rule"] == "pii" and request["by"] == [["security"]] and 'mask "pii" hides' in request["reason"] and not request["preview"]
        sara.approve(request["id"])
        assert asked.answer()[0] == "TDCZ"
        asked = Asking(link, wire.query("select id from customers where email like 'b%'"))
        sara.deny(sara.open("like 'b%'")["id"])
        assert "code=approval_denied rule=pii" in error_of(asked.answer()[1])["D"]


# ---- giving up ----

@pytest.mark.asan
def test_a_cancel_request_withdraws(forward, link, anna, postgres):
    asked = Asking(link, wire.query("delete from things"))
    request = anna.open("delete from things")
    with Wire(forward.port) as canceller:
        canceller.send(wire.cancel(link.key))
        assert canceller.ended()
    kinds, seen = asked.answer()
    assert kinds == "EZ" and error_of(seen)["C"] == "57014"
    assert anna.state(request["id"]) == "withdrawn" and left(postgres) == 5
    assert rows_of(link.ask(wire.query("select 1"))[1]) == [["1"]]


def test_a_client_that_closes_withdraws(forward, link, anna, postgres):
    gone = log_in(forward)
    gone.send(wire.query("delete from things"))
    request = anna.open("delete from things")
    gone.socket.close()
    wait_until(lambda: anna.state(request["id"]) == "withdrawn", "the request is withdrawn")
    assert left(postgres) == 5


@pytest.mark.kills
def test_a_killed_ssh_client_withdraws(held, link, anna, postgres):
    client = held.client("local/agent-8", principals=["agent"])
    with client.running("psql", "orders", "-c", "'delete from things'") as process:
        request = anna.open("delete from things")
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: anna.state(request["id"]) == "withdrawn", "the request is withdrawn")
    assert left(postgres) == 5


def test_ctrl_c_in_the_bastions_psql_withdraws(held, link, anna, postgres):
    client = held.client("local/agent-9", principals=["agent"])
    with Terminal(client.argv("psql", "orders", options=["-t"])) as terminal:
        terminal.expect(r"orders=>")
        terminal.line("delete from things;")
        terminal.expect(r"waiting for approval (\w{6}) by dba")
        request = anna.open("delete from things")
        terminal.send("\x03")
        terminal.expect(r"ERROR: +canceling statement due to user request")
        assert anna.state(request["id"]) == "withdrawn"
        terminal.line("\\q")
    assert left(postgres) == 5


def test_other_channels_of_the_connection_go_on(forward, link, anna):
    asked = Asking(link, wire.query("delete from things where id = 1"))
    request = anna.open("delete from things where id = 1")
    with log_in(forward) as other:
        assert rows_of(other.ask(wire.query("select 2"))[1]) == [["2"]]
    anna.deny(request["id"])
    asked.answer()


# ---- who has to agree ----

def test_a_quorum_of_two(link, anna, ben, postgres):
    asked = Asking(link, wire.query("delete from held_by_quorum"))
    request = anna.open("held_by_quorum")
    anna.approve(request["id"])
    assert left(postgres, "held_by_quorum") == 5 and asked.waits()
    ben.approve(request["id"])
    kinds, seen = asked.answer()
    assert kinds == "CZ" and left(postgres, "held_by_quorum") == 0
    assert '2 of dba' in notices_of(seen)[0]["M"] and "one has agreed" in notices_of(seen)[1]["M"]


def test_one_of_each_group(link, anna, sara, postgres):
    asked = Asking(link, wire.query("delete from held_by_two"))
    request = sara.open("held_by_two")
    sara.approve(request["id"])
    assert asked.waits()
    anna.approve(request["id"])
    kinds, seen = asked.answer()
    assert kinds == "CZ" and left(postgres, "held_by_two") == 0 and "by dba and security" in notices_of(seen)[0]["M"]


def test_each_rule_that_holds_it_has_to_be_satisfied(link, anna, sara, postgres):
    asked = Asking(link, wire.query("delete from also_security; delete from things"))
    mine, hers = anna.open("also_security"), sara.open("also_security")
    assert mine["rule"] == "destructive" and hers["rule"] == "securitys"
    anna.approve(mine["id"])
    assert asked.waits() and left(postgres) == 5
    sara.approve(hers["id"])
    assert asked.answer()[0] == "CCZ" and left(postgres) == left(postgres, "also_security") == 0


def test_a_denial_of_one_rule_withdraws_the_others(link, anna, sara, postgres):
    asked = Asking(link, wire.query("delete from also_security; delete from things"))
    mine, hers = anna.open("also_security"), sara.open("also_security")
    sara.deny(hers["id"], "--reason", "no")
    assert asked.answer()[0] == "EZ" and anna.state(mine["id"]) == "withdrawn"
    assert left(postgres) == 5


def test_a_grant_lets_the_rule_pass_until_it_is_revoked(held, forward, link, anna, postgres):
    asked = Asking(link, wire.query("delete from things where id = 1"))
    request = anna.open("delete from things where id = 1")
    anna.approve(request["id"], "--for", "30m")
    assert asked.answer()[0] == "CZ"
    assert link.ask(wire.query("delete from things where id = 2"))[0] == "CZ"
    with log_in(forward) as other:
        assert other.ask(wire.query("delete from things where id = 3"))[0] == "CZ"
    assert left(postgres) == 2
    anna.client.must("revoke-grant", request["id"])
    asked = Asking(link, wire.query("delete from things where id = 4"))
    anna.deny(anna.open("delete from things where id = 4")["id"])
    assert asked.answer()[0] == "EZ"


# ---- transactions ----

def test_a_rule_may_keep_transactions_from_waiting(link, anna, postgres):
    link.ask(wire.query("begin"))
    kinds, seen = link.ask(wire.query("delete from held_outside"))
    assert kinds == "EZ" and "outside of a transaction" in error_of(seen)["M"]
    link.ask(wire.query("rollback"))
    kinds, seen = link.ask(wire.parse("insert into things values (30, 'y')"), wire.bind(), wire.execute(),
                           wire.parse("delete from held_outside"), wire.bind(), wire.execute(), wire.SYNC)
    assert "outside of a transaction" in error_of(seen)["M"] and left(postgres) == 5
    asked = Asking(link, wire.query("delete from held_outside"))
    anna.approve(anna.open("held_outside")["id"])
    assert asked.answer()[0] == "CZ"


def test_in_a_transaction_of_its_own_it_waits_for_what_was_sent_before(link, anna, postgres):
    """Whether a transaction is open is known once the server has answered what was sent before."""
    link.send(wire.query("select pg_sleep(0.3)"))
    asked = Asking(link, wire.query("delete from held_outside"))
    request = anna.open("held_outside")
    anna.approve(request["id"])
    assert asked.answer()[0] == "TDCZ"  # of the select
    assert "".join(kind for kind, _ in link.until("Z") if kind != "N") == "CZ"


# ---- retry ----

@pytest.mark.asan
def test_retry_is_refused_at_once_and_runs_after_the_approval_once(forward, link, anna, postgres):
    kinds, seen = link.ask(wire.query("delete from held_later"))
    fault = error_of(seen)
    request = anna.open("held_later")
    assert kinds == "EZ" and fault["C"] == "42501" and f'code=pending rule=later request={request["id"]}' in fault["D"]
    kinds, seen = link.ask(wire.query("delete from held_later"))
    assert f'request={request["id"]}' in error_of(seen)["D"]  # the same request
    anna.approve(request["id"])
    with log_in(forward) as other:
        assert other.ask(wire.query("delete from held_later"))[0] == "CZ"
        assert left(postgres, "held_later") == 0
        kinds, seen = other.ask(wire.query("delete from held_later"))
        assert kinds == "EZ" and f'request={request["id"]}' not in error_of(seen)["D"]
    anna.deny(anna.open("held_later")["id"])


def test_retry_with_other_settings_is_another_request(forward, link, anna, postgres):
    link.ask(wire.query("delete from held_later where id = 1"))
    request = anna.open("held_later where id = 1")
    anna.approve(request["id"])
    with log_in(forward) as other:
        other.ask(wire.query("set search_path to pg_catalog, public"))
        kinds, seen = other.ask(wire.query("delete from held_later where id = 1"))
        assert kinds == "EZ" and f'request={request["id"]}' not in error_of(seen)["D"]
    anna.deny(anna.open("held_later where id = 1")["id"])
    assert link.ask(wire.query("delete from held_later where id = 1"))[0] == "CZ"


# ---- what was approved is what runs ----

def test_what_has_changed_meanwhile_is_asked_anew(forward, link, anna, postgres):
    """A foreign key that appears while somebody decides: the statement would touch another table too."""
    asked = Asking(link, wire.query("delete from things where id = 5"))
    request = anna.open("delete from things where id = 5")
    with log_in(forward) as other:
        assert other.ask(wire.query("create table followers (id int references things on delete cascade)"))[0] == "CZ"
    try:
        anna.approve(request["id"])
        again = anna.open("delete from things where id = 5")
        assert again["id"] != request["id"] and again["digest"] != request["digest"]
        anna.approve(again["id"])
        assert asked.answer()[0] == "CZ"
    finally:
        postgres.query("drop table followers")


# ---- previews ----

def preview_of(anna, request):
    return wait_until(lambda: anna.list(request)[0]["preview"], "the preview is there", 20, 0.05)


@pytest.fixture
def previewed(postgres):
    postgres.query("set role app; create table kept (id int primary key, text text); insert into kept select g, 'x' from generate_series(1, 40) g;"
                   "create table lines (id int references kept on delete cascade)")
    postgres.query("create function ran_by_planner(int) returns bool language plpgsql immutable as "
                   "$$ begin perform nextval('planned'); return true; end $$; create sequence planned; grant usage on planned to app")
    yield postgres
    postgres.query("drop table lines, kept; drop function ran_by_planner; drop sequence planned")


def test_people_are_shown_the_plan_and_how_many_rows_there_are_now(link, anna, previewed):
    asked = Asking(link, wire.query("delete from kept where id > 30 returning text"))
    request = anna.open("delete from kept")["id"]
    preview = preview_of(anna, request)
    assert "rows now: 10" in preview and "Filter: (id > 30)" in preview or "Index Cond: (id > 30)" in preview
    assert "delete public.kept reaches public.lines" in preview
    anna.deny(request)
    asked.answer()
    assert left(previewed, "kept") == 40


def test_a_preview_counts_with_the_values_that_were_bound(link, anna, previewed):
    asked = Asking(link, wire.parse("update kept set text = 'y' where id <= $1"), wire.bind(values=[b"7"]), wire.execute(), wire.SYNC)
    request = anna.open("update kept")["id"]
    assert "rows now: 7" in preview_of(anna, request)
    anna.deny(request)
    asked.answer()


@pytest.mark.parametrize("sql", ["delete from kept where ran_by_planner(5)", "delete from kept where ran_by_planner(id)"])
def test_a_preview_runs_no_function_of_the_clients_choosing(link, anna, previewed, sql):
    """Not even one that says it is immutable: the planner would."""
    asked = Asking(link, wire.query(sql))
    request = anna.open(sql)["id"]
    assert "rows now" not in (text := preview_of(anna, request)) and "plan" not in text and "reaches public.lines" in text
    anna.deny(request)
    asked.answer()
    assert previewed.value("select is_called from planned") is False


def test_who_asks_does_not_see_the_preview(held, link, anna, previewed):
    """It would tell how many rows there are of what the agent perhaps may not read."""
    asked = Asking(link, wire.query("delete from kept where id = 3"))
    request = anna.open("delete from kept where id = 3")["id"]
    assert "rows now: 1" in preview_of(anna, request)
    mine = Operator(held.client("local/agent-7", principals=["agent"])).list(request)
    assert mine[0]["statement"] == "delete from kept where id = 3" and not mine[0]["preview"]
    anna.deny(request)
    asked.answer()


def test_a_locked_table_holds_up_no_request(link, anna, previewed):
    locker = previewed.connect()
    locker.autocommit = False
    locker.cursor().execute("lock table kept in access exclusive mode")
    asked = Asking(link, wire.query("delete from kept where id = 4"))
    request = anna.open("delete from kept where id = 4")["id"]
    anna.deny(request)
    assert asked.answer()[0] == "EZ"
    locker.close()


# ---- what stays of it ----

def test_the_recording_and_the_audit_chain_tell_who_let_it_run(held, link, anna, postgres):
    client = held.client("local/agent-11", principals=["agent"])
    with client.running("psql", "orders", "-c", "'delete from things where id = 2'") as process:
        request = anna.open("delete from things where id = 2")
        anna.approve(request["id"], "--reason", "seen by two")
        assert process.wait(30) == 0
    done = wait_until(lambda: next((s for s in held.client("local/agent-11", principals=["agent"]).must("sessions", "--json").splitlines()
                                    if request["recording"] in s and '"complete"' in s), None), "the session is over", 20, 0.1)
    assert done
    path = next((held.state / "recordings").rglob(f'{request["recording"]}.ghrec'))
    events = held.gatehouse("play", path, "--events").stdout
    steps = [line for line in events.splitlines() if '"event":"approval"' in line]
    assert ['"state":"open"' in steps[0], '"state":"approved"' in steps[1], '"state":"consumed"' in steps[2]] == [True] * 3, steps
    assert '"verdict":"approve"' in events and '"by":"local/anna"' in steps[1] and "seen by two" in steps[1]
    text = held.gatehouse("play", path, "--text").stdout
    assert f'[approval {request["id"]}: approved, by local/anna: seen by two]' in text and "DELETE 1" in text
