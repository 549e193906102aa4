"""init, check, serve: as an operator meets them."""
import fcntl
import signal
import socket
import stat
import threading
import time

import pytest

from harness import wire
from harness.system import GATEHOUSE, is_listening, run, wait_until
from harness.wire import Wire


@pytest.mark.asan
def test_init_makes_private_keys_and_a_configuration_that_checks(tmp_path):
    done = run(GATEHOUSE, "init", tmp_path / "state")
    assert done.returncode == 0, done.stderr
    state = tmp_path / "state"
    for name in ("host_ed25519", "user_ca", "user_ca.pub", "gatehouse.yaml"):
        assert (state / name).exists(), name
    for path in state.rglob("*"):
        if path.is_file() and path.suffix not in (".pub", ".yaml"):
            assert not path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP), path
    assert "#" in (state / "gatehouse.yaml").read_text()
    assert run(GATEHOUSE, "check", "-c", state / "gatehouse.yaml").returncode == 0


def test_init_refuses_a_directory_that_is_not_empty(tmp_path):
    (tmp_path / "something").write_text("here")
    done = run(GATEHOUSE, "init", tmp_path)
    assert done.returncode != 0 and "empty" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["something"]


def test_version_and_help():
    assert run(GATEHOUSE, "version").stdout.startswith("gatehouse ")
    for words in (["--help"], ["help"]):
        done = run(GATEHOUSE, *words)
        assert done.returncode == 0 and "serve" in done.stdout
    assert run(GATEHOUSE, "frobnicate").returncode == 64
    assert run(GATEHOUSE).returncode == 64


def test_check_reports_every_fault_with_its_place(new_bastion):
    bastion = new_bastion(start=False)
    bastion.write("listen: [\"127.0.0.1:2222\"]\nstate: .\nhost_keys: [host_ed25519]\nidentitty: {}\nroles:\n  - nam: x\n"
                  "targets:\n  - name: a\n    kind: oracle\nrules:\n  - name: r\n    action: approve\ndrain: soon\n")
    done = bastion.gatehouse("check", "-c", bastion.file)
    assert done.returncode == 1
    lines = (done.stdout + done.stderr).splitlines()
    faults = [line for line in lines if line.startswith(f"{bastion.file}:") and ": error: " in line]
    assert any(line.startswith(f"{bastion.file}:4:1: error:") and "identity" in line for line in faults), faults
    for needle in ("nam", "oracle", "\"approve\" is missing", "soon"):
        assert any(needle in line for line in faults), (needle, faults)


def test_serve_refuses_a_bad_configuration(new_bastion):
    bastion = new_bastion(start=False)
    bastion.write("listen: 7\n")
    done = bastion.gatehouse("serve", "-c", bastion.file, timeout=20)
    assert done.returncode == 78 and "error" in done.stderr


@pytest.fixture
def held_by_a_ledger(new_bastion):
    """A bastion that is not started yet, and the lock that its ledger wants: as if one were still sealing."""
    bastion = new_bastion(start=False)
    with open(bastion.state / "audit" / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield bastion, lock


def test_serve_waits_for_the_ledger_of_an_earlier_start(held_by_a_ledger):
    bastion, lock = held_by_a_ledger
    starting = threading.Thread(target=bastion.start)
    starting.start()
    bastion.wait_log("event=waiting for=\"the ledger of an earlier start\"", 30)
    assert "READY" not in bastion.log()
    fcntl.flock(lock, fcntl.LOCK_UN)
    starting.join(30)
    assert "READY" in bastion.log()


@pytest.mark.slow
def test_serve_does_not_wait_for_ever_for_another_ledger(held_by_a_ledger):
    bastion, _ = held_by_a_ledger
    done = bastion.gatehouse("serve", "-c", bastion.file, timeout=60)
    assert done.returncode == 78 and "is in use: stop the other 'gatehouse serve'" in done.stdout + done.stderr


def test_serve_refuses_a_port_that_is_taken(new_bastion, bastion):
    other = new_bastion(start=False, listen=[f"127.0.0.1:{bastion.port}"])
    done = other.gatehouse("serve", "-c", other.file, timeout=20)
    assert done.returncode != 0 and str(bastion.port) in done.stderr


@pytest.mark.asan
def test_sighup_loads_new_rules_for_new_connections(new_bastion):
    bastion = new_bastion()
    client = bastion.client()
    assert client.psql("-Atc", "select 1").stdout == "1\n"
    bastion.configuration["rules"].insert(0, {"name": "closed", "targets": ["*"], "action": "deny",
                                              "match": {"statements": ["select"]}, "reason": "maintenance"})
    bastion.write()
    bastion.reload()
    done = wait_until(lambda: (d := client.psql("-Atc", "select 1")).returncode and d, "the new rules hold", 10, 0.3)
    assert "maintenance" in done.stderr
    assert bastion.process.poll() is None


@pytest.mark.asan
def test_a_bad_file_is_refused_and_the_old_one_stays_in_force(new_bastion):
    bastion = new_bastion()
    client = bastion.client()
    bastion.write("rules: 7\n")
    text = bastion.reload()
    assert "error" in text or "refused" in text
    assert client.psql("-Atc", "select 1").stdout == "1\n"


def test_a_connection_of_before_a_reload_goes_on(new_bastion):
    bastion = new_bastion()
    with bastion.client().forward() as forward, Wire(forward.port) as link:
        link.login()
        bastion.reload()
        time.sleep(0.5)
        _, seen = link.ask(wire.query("select 'old'"))
        assert wire.rows_of(seen) == [["old"]]


def test_many_reloads_leave_no_process_behind(new_bastion):
    bastion = new_bastion()
    before = sorted(p.kind for p in bastion.processes())
    for _ in range(5):
        bastion.reload()
    wait_until(lambda: sorted(p.kind for p in bastion.processes()) == before, "old zygotes ended", 15, 0.2)
    assert bastion.client().must("whoami")


@pytest.mark.asan
def test_sigterm_drains(new_bastion):
    bastion = new_bastion(drain="20s")
    with bastion.client().forward() as forward, Wire(forward.port) as link:
        link.login()
        bastion.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(bastion.port), "no new connections")
        _, seen = link.ask(wire.query("select 'still served'"))
        assert wire.rows_of(seen) == [["still served"]]
        assert bastion.process.poll() is None
    assert bastion.process.wait(15) == 0


def test_draining_ends_after_its_time(new_bastion):
    bastion = new_bastion(drain="1s")
    with bastion.client().forward() as forward, Wire(forward.port) as link:
        link.login()
        start = time.monotonic()
        bastion.signal(signal.SIGTERM)
        bastion.process.wait(15)
        assert time.monotonic() - start < 10


def test_a_second_sigterm_ends_at_once(new_bastion):
    bastion = new_bastion(drain="60s")
    with bastion.client().forward() as forward, Wire(forward.port) as link:
        link.login()
        bastion.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(bastion.port), "no new connections")
        bastion.signal(signal.SIGTERM)
        bastion.process.wait(10)


def test_the_log_is_one_event_per_line(new_bastion):
    bastion = new_bastion()
    bastion.client("agent 7").psql("-c", "drop table payments")
    for line in bastion.log().splitlines():
        assert "=" in line or "READY" in line, line


def test_ready_is_told_to_the_service_manager(new_bastion, tmp_path):
    import os
    bastion = new_bastion(start=False)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(20)
        os.environ["NOTIFY_SOCKET"] = address
        try:
            bastion.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        assert b"READY=1" in manager.recv(4096)


def test_vault_list_shows_names_and_never_values(new_bastion, postgres):
    bastion = new_bastion(start=False)
    done = bastion.gatehouse("vault", "list", "-c", bastion.file)
    assert "orders-app" in done.stdout and "password" in done.stdout and postgres.password not in done.stdout
    assert bastion.gatehouse("vault", "rekey", "-c", bastion.file).returncode == 0
    assert bastion.gatehouse("vault", "rm", "orders-app", "-c", bastion.file).returncode == 0
    assert "orders-app" not in bastion.gatehouse("vault", "list", "-c", bastion.file).stdout


def test_a_secret_on_the_command_line_is_not_accepted(new_bastion):
    bastion = new_bastion(start=False)
    assert bastion.gatehouse("vault", "set", "x", "secret", "--type", "password", "-c", bastion.file).returncode == 64


