"""Kill -9 of each process at every step of a request's life: what was not approved never runs, what was approved runs at
most once, and what nobody has decided survives (retry), or is shown as withdrawn (hold). Two operators at one instant."""
import signal
import threading
import time

import pytest

from harness import wire
from harness.holding import Asking, Operator, log_in
from harness.system import wait_until
from harness.wire import error_of

pytestmark = pytest.mark.kills

RULES = [
    {"name": name, "roles": ["agent"], "targets": ["orders"], "match": {"statements": ["update"], "tables": [table]}, "action": "approve",
     "approve": {"by": ["dba"], "wait": "5m", **how}} for name, table, how in (("held", "counted", {}), ("later", "counted_later", {"mode": "retry"}))
] + [{"name": "agent-sql", "roles": ["agent"], "targets": ["orders"], "match": {"statements": ["select"]}, "action": "allow"},
     {"name": "ops", "roles": ["dba"], "targets": ["*"], "match": "anything", "action": "allow"}]
HELD = "update counted set n = n + 1 where true"
LATER = "update counted_later set n = n + 1 where true"


@pytest.fixture(scope="module")
def faulty(postgres):
    from harness.bastion import Bastion, settings
    for table in ("counted", "counted_later"):
        postgres.query(f"set role app; create table {table} (n int); insert into {table} values (0)")
    made = Bastion(postgres, settings(postgres, rules=RULES, roles=[{"name": role} for role in ("agent", "dba")])).start()
    made.agent = made.client("local/agent-7", principals=["agent"])
    made.dbas = [Operator(made.client(f"local/dba-{n}", principals=["dba"])) for n in range(2)]
    yield made
    try:
        made.stop()
        done = made.gatehouse("verify", "-c", made.file)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        made.remove()
        postgres.query("drop table counted; drop table counted_later")


@pytest.fixture
def bastion(faulty, postgres):
    postgres.query("update counted set n = 0; update counted_later set n = 0")
    if faulty.process.poll() is not None:
        faulty.start()
    wait_until(lambda: faulty.agent.psql("-Atc", "select 1", timeout=60).stdout == "1\n", "a login works", 30, 0.2)
    return faulty


def times(postgres, table="counted"):
    return postgres.value(f"select n from {table}")


def kill(bastion, kind):
    if kind == "listener":
        bastion.process.kill()  # `gatehouse serve` has become the listener
    else:
        bastion.one(kind).kill(signal.SIGKILL)


def seen_by(bastion, request):
    """The request's state, asked until somebody answers (a ledger that was killed comes back)."""
    def state():
        done = bastion.dbas[0].client.ssh("approvals", "--json", request, timeout=60)
        return Operator.state_in(done.stdout) if done.returncode == 0 else None
    return wait_until(state, "somebody can tell the request's state", 30, 0.2)


@pytest.mark.parametrize("kind", ["front", "gate", "ledger", pytest.param("listener", marks=pytest.mark.slow)])
def test_what_waits_when_its_session_is_killed_is_withdrawn_and_never_runs(bastion, postgres, kind):
    known = {p.pid for p in bastion.children(kind)} if kind in ("front", "gate") else ()
    with bastion.agent.forward() as forward, log_in(forward) as link:
        asked = Asking(link, wire.query(HELD))
        mine = [p for p in bastion.children(kind) if p.pid not in known][:1] if kind in ("front", "gate") else []
        request = bastion.dbas[0].open(HELD)["id"]
        (mine[0].kill(signal.SIGKILL) if mine else kill(bastion, kind))
        with pytest.raises((EOFError, ConnectionError)):
            kinds, seen = asked.answer()
            assert "C" not in kinds, kinds  # a last word may come: never a completion
            raise EOFError
    if kind == "listener":
        wait_until(lambda: bastion.process.poll() is not None, "all of it ends", 20)
        bastion.start()
    wait_until(lambda: seen_by(bastion, request) == "withdrawn", "it is withdrawn", 20, 0.2)
    done = bastion.dbas[0].client.ssh("approve", request, timeout=60)
    assert done.returncode != 0 and times(postgres) == 0


@pytest.mark.parametrize("kind", ["courier", "vault"])
def test_what_waits_does_not_need_courier_or_vault(bastion, postgres, kind):
    with bastion.agent.forward() as forward, log_in(forward) as link:
        asked = Asking(link, wire.query(HELD))
        request = bastion.dbas[0].open(HELD)["id"]
        kill(bastion, kind)
        wait_until(lambda: bastion.dbas[0].client.ssh("approve", request, timeout=60).returncode == 0, "it is approved", 30, 0.2)
        assert asked.answer()[0] == "CZ" and times(postgres) == 1


@pytest.mark.parametrize("kind", ["gate", "ledger", "front"])
@pytest.mark.parametrize("delay_ms", [0, 3, pytest.param(8, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.slow)])
def test_killed_around_the_decision_it_runs_at_most_once_and_only_when_approved(bastion, postgres, kind, delay_ms):
    known = {p.pid for p in bastion.children(kind)} if kind != "ledger" else ()
    with bastion.agent.forward() as forward, log_in(forward) as link:
        Asking(link, wire.query(HELD))
        request = bastion.dbas[0].open(HELD)["id"]
        mine = [p for p in bastion.children(kind) if p.pid not in known][:1] if kind != "ledger" else [bastion.one(kind)]
        with bastion.dbas[0].client.master() as desk:
            told = []
            deciding = threading.Thread(target=lambda: told.append(desk.ssh("approve", request, timeout=60)))
            deciding.start()
            time.sleep(0.05 + delay_ms / 1000)  # somewhere around the decision: what has to hold holds at any moment
            mine[0].kill(signal.SIGKILL)
            deciding.join(60)
    state = wait_until(lambda: (lambda s: s if s not in ("open", "approved") else None)(seen_by(bastion, request)), "it is over", 30, 0.2)
    ran = times(postgres)
    assert ran == 0 or (ran == 1 and state == "consumed"), (ran, state)
    assert state in ("withdrawn", "lapsed", "consumed"), state


@pytest.mark.parametrize("step", ["open", "approved"])
def test_a_request_to_be_retried_survives_the_ledger(bastion, postgres, step):
    dba = bastion.dbas[0]
    def attempt():
        with bastion.agent.forward() as forward, log_in(forward) as link:
            return link.ask(wire.query(LATER))
    assert "code=pending" in error_of(attempt()[1])["D"]
    request = dba.open(LATER)["id"]
    if step == "approved":
        dba.approve(request)
    kill(bastion, "ledger")
    assert seen_by(bastion, request) == step and times(postgres, "counted_later") == 0
    if step == "open":
        assert f"request={request}" in error_of(attempt()[1])["D"]
        dba.approve(request)
    assert attempt()[0] == "CZ" and times(postgres, "counted_later") == 1
    kinds, seen = attempt()
    assert kinds == "EZ" and times(postgres, "counted_later") == 1
    dba.deny(dba.open(LATER)["id"])
    assert "code=approval_denied" in error_of(attempt()[1])["D"]  # told once


def test_of_two_who_decide_at_one_instant_one_wins_and_the_other_is_told(bastion, postgres):
    with bastion.dbas[0].client.master() as one, bastion.dbas[1].client.master() as two:
        for n in range(4):
            with bastion.agent.forward() as forward, log_in(forward) as link:
                asked = Asking(link, wire.query(HELD))
                request = bastion.dbas[0].open(HELD)["id"]
                done = {}
                both = [threading.Thread(target=lambda c=client, w=word: done.update({w: c.ssh(w, request, timeout=60)}))
                        for client, word in ((one, "approve"), (two, "deny"))]
                before = times(postgres)
                [thread.start() for thread in both]
                [thread.join(60) for thread in both]
                kinds, _ = asked.answer()
            won = [word for word, result in done.items() if result.returncode == 0]
            assert len(won) == 1, {word: (result.returncode, result.stderr) for word, result in done.items()}
            lost = next(result for word, result in done.items() if word not in won)
            assert ("denied by local/dba-1" if won == ["deny"] else "approved by local/dba-0") in lost.stderr
            assert (kinds, times(postgres) - before) == (("CZ", 1) if won == ["approve"] else ("EZ", 0))
