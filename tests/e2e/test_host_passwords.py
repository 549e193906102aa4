"""`password_to_gate`: hosts that take nothing but a password, which the gate of a login gets, uses once and forgets."""
import os
import re
import struct
import time

import pytest

from harness import keys, passwords
from harness.bastion import Bastion, settings
from harness.hosts import at
from harness.passwords import ACCOUNT, OddHost, memory_holds
from harness.system import GATEHOUSE, is_sanitized, run, wait_until

PASSWORD = "Sesam-öffne-dich-7394"
RULES = [{"name": "ops", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"}]
ODD = ["prompt", "both", "talks", "two", "shown", "again", "endless", "refuses", "plain", "late", "changes", "hangs", "anybody", "keys"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="looks into the memory of processes that are not dumpable")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = tmp_path_factory.mktemp("passwords")
    keys.new_key(made / "host_ca")
    return made


@pytest.fixture(scope="module")
def sshds(place):
    made = {"sshd": passwords.sshd_by_password(place / "sshd", PASSWORD, place / "host_ca"), "pam": passwords.sshd_by_pam(place / "pam", PASSWORD)}
    yield made
    for sshd in made.values():
        sshd.stop()


@pytest.fixture(scope="module")
def odd(place):
    made = OddHost(place / "odd", PASSWORD)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(postgres, place, sshds, odd):
    lends = {"credential": "pass", "password_to_gate": True}

    def target(name, sshd, **more):
        return sshd.target(name, **{**lends, "login": ACCOUNT, **more})
    targets = [target("sshd", sshds["sshd"]), target("pam", sshds["pam"]), target("closed", sshds["sshd"], password_to_gate=False),
               target("wrong", sshds["sshd"], credential="wrong"), target("wrong-pam", sshds["pam"], credential="wrong"),
               target("impostor", sshds["sshd"], host_key=sshds["pam"].host_keys()), target("is-key", sshds["sshd"], credential="key"),
               target("long", sshds["sshd"], credential="long"), *(odd.target(name, **lends) for name in ODD)]
    certified = target("certified", sshds["sshd"], host_ca=(place / "host_ca.pub").read_text().strip())
    del certified["host_key"]
    made = Bastion(postgres, settings(postgres, targets=[*targets, certified], rules=RULES, roles=[{"name": "ops"}]))
    made.put_secret("pass", PASSWORD)
    made.put_secret("wrong", "Sesam-schließ-dich")
    made.put_secret("long", "x" * 513)
    made.put_secret("key", (place / "sshd" / "host_ed25519").read_text(), "ssh-key")
    made.start()
    yield made
    made.end(secrets=[PASSWORD, "Sesam-schließ-dich"])


@pytest.fixture(scope="module")
def ops(shared):
    return shared.client("olga", principals=["ops"])


def field(name, value):
    """As it stands in an entry of the audit chain (docs/recording-format.md)."""
    return bytes([0x0a, len(name)]) + name.encode() + bytes([0x12, len(value)]) + value.encode()


def entries(bastion, event, target, **fields):
    """Of the audit chain: how many there are of this event for this target, with these fields."""
    chain, found = (bastion.state / "audit" / "chain.ghaud").read_bytes()[8:], 0
    wanted = [bytes([0x12, len(event)]) + event.encode(), field("target", target), *(field(*pair) for pair in fields.items())]
    while chain:
        size = struct.unpack(">I", chain[:4])[0]
        found += all(words in chain[6:4 + size - 16] for words in wanted)
        chain = chain[4 + size:]
    return found


def wait_entries(number, *which, **fields):
    """They are told without an answer, so they may come after what they are about."""
    wait_until(lambda: entries(*which, **fields) == number, f"{number} entries: {which} {fields}", 20)


# ---- hosts that take it

@pytest.mark.asan
@pytest.mark.parametrize("name", ["sshd", "pam", "certified"])
def test_a_real_sshd_is_logged_in_to(shared, ops, name):
    """By `password` and, with PAM, by `keyboard-interactive`, in which it has a round without a question at the end."""
    done = ops.ssh("echo in; echo err >&2; exit 3", options=at(name))
    assert (done.stdout, done.stderr, done.returncode) == ("in\n", "err\n", 3), done.stderr + shared.log()[-3000:]
    shared.wait_log(rf"target_password .*target={name} login={ACCOUNT} credential=pass", 30)
    wait_entries(1, shared, "target_password", name, login=ACCOUNT, credential="pass")
    wait_entries(1, shared, "target_login", name, login=ACCOUNT, credential="pass", how="password")


def test_sessions_share_a_login(shared, ops):
    shared.wait_idle(30)
    given, logged_in = entries(shared, "target_password", "sshd"), entries(shared, "target_login", "sshd")
    with ops.master() as client:
        for i in range(3):
            assert client.must("ssh", "sshd", f"echo {i}") == f"{i}\n"
    wait_entries(logged_in + 1, shared, "target_login", "sshd")
    assert entries(shared, "target_password", "sshd") == given + 1


@pytest.mark.asan
@pytest.mark.parametrize("name", ["prompt", "both", "plain", "talks"])
def test_other_hosts_are_logged_in_to(shared, ops, odd, name):
    done = ops.ssh("anything", options=at(name))
    assert (done.stdout, done.returncode) == (f"{name}\n", 3), done.stderr + shared.log()[-3000:]
    assert odd.heard(name) == [PASSWORD]


def test_a_host_that_lets_in_anybody_gets_no_password(shared, ops, odd):
    done = ops.ssh("anything", options=at("anybody"))
    assert (done.stdout, done.returncode) == ("anybody\n", 3)
    wait_entries(1, shared, "target_login", "anybody", how="none")
    assert odd.heard("anybody") == [] and entries(shared, "target_password", "anybody") == 0


# ---- hosts that do not

@pytest.mark.asan
@pytest.mark.parametrize("name, sshd, how", [("wrong", "sshd", "password"), ("wrong-pam", "pam", "keyboard-interactive/pam")])
def test_a_wrong_password_is_tried_once(shared, ops, sshds, name, sshd, how):
    done = ops.ssh("echo in", options=at(name))
    assert done.returncode == 69 and done.stdout == "" and f'target "{name}" refused the bastion\'s login' in done.stderr
    shared.wait_log(f"target_login_refused.*target={name} .*the host does not take the password", 30)
    wait_until(lambda: sshds[sshd].log().count(f"Failed {how} for {ACCOUNT}") == 1, "sshd tells of one failure", 20)


@pytest.mark.asan
@pytest.mark.parametrize("name, asked, why", [("two", 0, "something else than one password: 2 at once"), ("shown", 0, "to be shown"),
                                              ("again", 1, "asks again after the password"), ("endless", 0, "something else than one password: 0")])
def test_whoever_asks_something_else_is_not_logged_in_to(shared, ops, odd, name, asked, why):
    """Where it is the first thing that is asked the password is not even given to the gate."""
    done = ops.ssh("anything", options=at(name))
    assert done.returncode == 69 and done.stdout == ""
    assert f'target "{name}" asks for something else than one password' in done.stderr
    shared.wait_log(f"target_login_refused.*target={name} .*{why}", 30)
    assert odd.heard(name) == [PASSWORD] * asked
    wait_entries(1, shared, "target_login_refused", name)
    assert entries(shared, "target_password", name) == asked and entries(shared, "target_login", name) == 0


@pytest.mark.parametrize("name, asked, why", [("changes", 1, "did not answer the password by yes or no"), ("hangs", 1, "did not answer the password"),
                                              ("keys", 0, "takes no passwords"), ("refuses", 0, "asks for no password")])
def test_other_ends_are_told(shared, ops, odd, name, asked, why):
    done = ops.ssh("anything", options=at(name))
    assert done.returncode == 69 and done.stdout == "" and "refused the bastion's login" in done.stderr, done.stderr + shared.log()[-2000:]
    shared.wait_log(f"target_login_refused.*target={name} .*{why}", 30)
    assert odd.heard(name) == [PASSWORD] * asked


def test_another_host_than_the_pinned_one_gets_nothing(shared, ops):
    done = ops.ssh("echo in", options=at("impostor"))
    assert done.returncode == 69 and "code host_key_mismatch" in done.stderr
    shared.wait_log("target_login_refused.*target=impostor .*shown: ssh-ed25519.*pinned: ssh-ed25519", 30)
    wait_entries(1, shared, "target_login_refused", "impostor")
    assert entries(shared, "target_password", "impostor") == 0


def test_without_the_option_the_way_out_is_named(shared, ops):
    done = ops.ssh("echo in", options=at("closed"))
    assert done.returncode == 69 and "password_to_gate: true" in done.stderr
    shared.wait_log("login_refused .*target=closed .*is a password, not a ssh-key.*password_to_gate: true", 30)


@pytest.mark.parametrize("name, why", [("is-key", "is a ssh-key, not a password"), ("long", "longer than the 512 bytes")])
def test_other_entries_are_refused(shared, ops, name, why):
    done = ops.ssh("echo in", options=at(name))
    assert done.returncode == 69 and "ask an operator" in done.stderr
    shared.wait_log(f"login_refused .*target={name} .*{why}", 30)


def test_check_reports_the_key_at_other_kinds(shared, tmp_path):
    file = tmp_path / "gatehouse.yaml"
    file.write_text(shared.file.read_text().replace("kind: ssh", "kind: postgres", 1))
    done = run(GATEHOUSE, "check", "-c", file)
    assert done.returncode == 1 and 'unknown key "password_to_gate"' in done.stderr + done.stdout


# ---- what is left of it

@needs_root
@pytest.mark.skipif(is_sanitized(), reason="sanitizers keep what was freed")
@pytest.mark.parametrize("name", ["sshd", "pam", "late"])
def test_nobody_holds_it_after_the_login(shared, ops, odd, name):
    """`late` shows that it would be found: while that host takes its time the gate has to hold it."""
    needle = PASSWORD.encode()
    shared.wait_idle(30)
    logged_in = f"event=target_login .*target={name} .*outcome=ok"
    before = len(re.findall(logged_in, shared.log()))
    with ops.master() as client:
        [gate] = shared.children("gate")
        if name == "late":
            with client.running("ssh", name, "anything") as session:
                wait_until(lambda: odd.heard(name), "the password came", 30)
                assert memory_holds(gate, needle)
                computed = gate.cpu_ticks()
                time.sleep(1)
                assert gate.cpu_ticks() - computed < 10, "a gate that waits for a host's answer computes nothing"
                odd.release()
                assert session.communicate(timeout=30)[0].strip() == b"late"
        else:
            assert client.must("ssh", name, "echo in") == "in\n"
        # The vault has done with it, and the connector is gone.
        wait_until(lambda: len(re.findall(logged_in, shared.log())) == before + 1 and not shared.children("connector"), "the end of the login", 30)
        assert gate.alive() and memory_holds(gate, b"olga")  # the connection to the host is kept for a minute
        assert [process for process in shared.processes() if memory_holds(process, needle)] == []
