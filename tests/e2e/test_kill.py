"""Kill -9 of each process in turn: the session fails closed, nothing is lost, and the next login works."""
import signal
import time

import psycopg2
import pytest

from harness import wire
from harness.system import wait_until

pytestmark = pytest.mark.kills


def works(client):
    done = client.psql("-Atc", "select 1", timeout=60)
    return done.returncode == 0 and done.stdout == "1\n"


def wait_works(bastion, seconds=30):
    client = bastion.client("after")
    wait_until(lambda: works(client), f"a new login works:\n{bastion.log()[-1500:]}", seconds, 0.5)
    return client


def verified(bastion):
    done = bastion.gatehouse("verify", "-c", bastion.file)
    assert done.returncode == 0, done.stdout + done.stderr


def recorded_statements(bastion):
    """All statements in all recordings, read offline."""
    text = ""
    for path in sorted((bastion.state / "recordings").rglob("*.ghrec")):
        done = bastion.gatehouse("play", path, "--events")
        text += done.stdout
    return text


@pytest.mark.parametrize("kind", ["front", "gate"])
@pytest.mark.asan
def test_a_killed_front_or_gate_takes_only_its_own_session(new_bastion, kind):
    bastion = new_bastion()
    bystander = bastion.client("bystander")
    with bystander.forward() as other:
        with wire.Wire(other.port) as quiet:
            quiet.login()
            known = {p.pid for p in bastion.children(kind)}
            with bastion.client("victim").forward() as forward, wire.Wire(forward.port) as link:
                link.login().ask(wire.query("select 'before the kill'"))
                next(p for p in bastion.children(kind) if p.pid not in known).kill(signal.SIGKILL)
                with pytest.raises((EOFError, ConnectionError)):
                    link.ask(wire.query("select 'after the kill'"))
            _, seen = quiet.ask(wire.query("select 'unharmed'"))
            assert wire.rows_of(seen) == [["unharmed"]]
    wait_works(bastion)
    assert "before the kill" in recorded_statements(bastion)
    bastion.wait_idle()
    wait_until(lambda: bastion.postgres.backends() == 0, "the target's session ended")
    verified(bastion)


@pytest.mark.parametrize("kind", ["ledger", "vault", "launcher", "front", "gate", "connector"])
@pytest.mark.asan
def test_a_killed_service_or_zygote_comes_back(new_bastion, kind):
    bastion = new_bastion()
    assert works(bastion.client())
    process = bastion.one(kind)
    process.kill(signal.SIGKILL)
    wait_works(bastion)
    assert bastion.one(kind).pid != process.pid
    verified(bastion)


@pytest.mark.asan
def test_without_a_ledger_a_live_session_stops_before_it_does_anything_more(new_bastion, postgres):
    bastion = new_bastion()
    with bastion.client().forward() as forward, wire.Wire(forward.port) as link:
        link.login().ask(wire.query("select 1"))
        bastion.one("ledger").kill(signal.SIGKILL)
        try:
            wait_until(lambda: not bastion.children("gate"), "the gate noticed", 15)
            kinds, seen = link.ask(wire.query("update customers set city = 'Unseen' where id = 5"))
            assert "C" not in kinds, seen
        except (EOFError, ConnectionError):
            pass
    assert postgres.value("select count(*) from customers where city = 'Unseen'") == 0
    wait_works(bastion)
    verified(bastion)


def test_a_session_with_data_on_its_way_stops_when_the_ledger_is_killed(new_bastion):
    bastion = new_bastion()
    with bastion.client().running("psql", "bulk", "-Atc", "'select repeat(chr(65), 1000) from generate_series(1, 3000000)'") as process:
        process.stdout.read(100000)
        bastion.one("ledger").kill(signal.SIGKILL)
        start = time.monotonic()
        while process.stdout.read(1 << 20):
            assert time.monotonic() - start < 30
        assert process.wait(30) != 0
    wait_works(bastion)


def test_every_event_whose_effect_was_seen_is_readable_after_a_kill(new_bastion, postgres):
    """Kills the gate at random moments of a stream of writes: what the server has, the recording has."""
    postgres.query("create table seen (n int); grant all on seen to app")
    try:
        bastion = new_bastion()
        for round_ in range(4):
            with bastion.client(f"writer-{round_}").forward() as forward:
                link = psycopg2.connect(forward.dsn)
                link.autocommit = True
                cursor = link.cursor()
                end = time.monotonic() + 0.15 + 0.13 * round_
                number = round_ * 100000
                with pytest.raises(psycopg2.Error):
                    while True:
                        number += 1
                        if time.monotonic() > end:
                            bastion.children("gate")[0].kill(signal.SIGKILL)
                            end += 3600
                        cursor.execute(f"insert into seen values ({number})")
                link.close()
            bastion.wait_idle()
        effects = {n for n, in postgres.query("select n from seen")}
        text = recorded_statements(bastion)
        missing = [n for n in effects if f"insert into seen values ({n})" not in text]
        assert effects and not missing
        wait_works(bastion)
        verified(bastion)
    finally:
        postgres.query("drop table seen")


def test_a_killed_vault_does_not_end_what_is_already_logged_in_or_fails_it_closed(new_bastion):
    bastion = new_bastion()
    with bastion.client().forward() as forward, wire.Wire(forward.port) as link:
        link.login()
        bastion.one("vault").kill(signal.SIGKILL)
        try:
            kinds, _ = link.ask(wire.query("drop table payments"))
            assert kinds == "EZ"
        except (EOFError, ConnectionError):
            pass
    wait_works(bastion)


def test_a_killed_listener_leaves_nobody_behind(new_bastion):
    bastion = new_bastion()
    with bastion.client().forward() as forward, wire.Wire(forward.port) as link:
        link.login()
        there = bastion.processes()
        bastion.process.kill()  # `gatehouse serve` has become the listener
        bastion.process.wait(10)
        wait_until(lambda: not any(p.alive() for p in there), "all processes ended", 15)
    bastion.start()
    wait_works(bastion)
    verified(bastion)


def test_a_crashing_source_is_remembered_but_the_rest_of_the_world_gets_in(new_bastion):
    bastion = new_bastion()
    for _ in range(3):
        known = {p.pid for p in bastion.children("front")}
        with bastion.client().running(options=["-N"]) as process:
            front = wait_until(lambda: [p for p in bastion.children("front") if p.pid not in known] or
                               process.poll() is not None and [None], "a front", 20)[0]
            if front:
                front.kill(signal.SIGSEGV)
            process.wait(20)
    wait_works(bastion, 90)


def test_the_log_tells_of_a_dead_process_in_one_line(new_bastion):
    bastion = new_bastion()
    bastion.one("launcher").kill(signal.SIGKILL)
    bastion.wait_log(r"launcher.*(signal=9|SIGKILL)|(signal=9|SIGKILL).*launcher")
