"""Revoked and expired certificates: nobody gets in by one, and who is in goes out, within two seconds and told why."""
import signal
import time
from contextlib import contextmanager

import pytest

from harness import enrol, keys, tokens, wire
from harness.system import must, wait_until

WITHIN = 2.0  # seconds
FILE = "revoked.krl"
NOTICE = 1.0  # within which a changed file is seen


@pytest.fixture
def house(new_bastion):
    """Makes a bastion with a local issuer, operators and a list of revocations."""
    def make(start=True, revoked="", **identity):
        bastion = new_bastion(start=False, identity=tokens.identity(**identity), roles=tokens.roles())
        configure(bastion, revoked)
        return bastion.start() if start else bastion
    return make


def configure(bastion, revoked):
    revoke_by_file(bastion, revoked)
    bastion.configuration["identity"]["revoked"] = FILE
    bastion.write()


def revoke_by_file(bastion, content):
    """Replaces the file, as an editor or a tool does."""
    new = bastion.state / f"{FILE}.new"
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    new.chmod(0o644)
    new.rename(bastion.state / FILE)


def member(bastion, name="agent-7"):
    return enrol.enrolled(bastion, enrol.mint(bastion, sub=name))


def operator(bastion):
    return bastion.client("olga", principals=["operator"])


def works(client):
    return client.ssh("whoami").returncode == 0


def refusal(client):
    done = client.ssh("whoami")
    assert (done.returncode, done.stdout) == (255, ""), done
    return done.stderr


@contextmanager
def live_session(client):
    """A PostgreSQL connection that is logged in and idle."""
    with client.forward() as forward, wire.Wire(forward.port) as link:
        link.login()
        yield link


def fatal_within(link, seconds):
    """The connection's last words, as one string; it ends within so many seconds."""
    begun = time.monotonic()
    link.socket.settimeout(seconds + 5)
    with pytest.raises((EOFError, ConnectionError)):
        link.until("never")
    took = time.monotonic() - begun
    errors = [wire.fields(body) for kind, body in link.seen if kind == "E"]
    assert errors, link.seen
    assert took < seconds, took
    assert errors[-1]["S"] == "FATAL" and errors[-1]["C"] == "28000"
    return errors[-1]["M"] + " " + errors[-1]["D"]


def ends_within(process, seconds):
    begun = time.monotonic()
    out, errors = process.communicate(timeout=seconds + 10)
    assert time.monotonic() - begun < seconds
    return out, errors


# ---- the file

@pytest.mark.asan
def test_a_name_in_the_file_ends_its_sessions_and_keeps_it_out(house):
    bastion = house()
    victim, other = member(bastion), member(bastion, "agent-8")
    with live_session(victim) as link, live_session(other) as unharmed:
        revoke_by_file(bastion, "# left on Friday\nid:local/agent-7\n")
        last = fatal_within(link, NOTICE + WITHIN)
        assert "revoked" in last and "certificate_revoked" in last
        _, seen = unharmed.ask(wire.query("select 'unharmed'"))
        assert wire.rows_of(seen) == [["unharmed"]]
    assert "revoked" in refusal(victim)
    assert works(other)
    chain = (bastion.state / "audit" / "chain.ghaud").read_bytes()
    assert b"session_revoked" in chain
    bastion.wait_idle()
    revoke_by_file(bastion, "")
    wait_until(lambda: works(victim), "taken off the list, it is let in", 5, 0.3)


def test_who_is_revoked_gets_no_new_certificate(house):
    bastion = house(revoked="id:local/agent-7\n")
    done = enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion))
    assert (done.returncode, done.stdout) == (77, "")
    assert "revoked" in done.stderr
    assert works(member(bastion, "agent-8"))


def test_a_key_revocation_list_of_ssh_keygen_is_read(house):
    bastion = house()
    victim, other = member(bastion), member(bastion, "agent-8")
    krl = bastion.home / "krl"
    spec = bastion.home / "spec"
    spec.write_text(f"serial: {enrol.listing(victim.certificate)['Serial']}\n")
    must("ssh-keygen", "-k", "-f", krl, "-s", f"{bastion.user_ca}.pub", spec)
    with live_session(victim) as link:
        revoke_by_file(bastion, krl.read_bytes())
        assert "revoked" in fatal_within(link, NOTICE + WITHIN)
    assert "revoked" in refusal(victim)
    assert works(other)


def test_a_revoked_key_is_out_with_any_certificate(house):
    bastion = house()
    victim = member(bastion)
    krl = bastion.home / "krl"
    must("ssh-keygen", "-k", "-f", krl, f"{victim.key}.pub")
    revoke_by_file(bastion, krl.read_bytes())
    wait_until(lambda: not works(victim), "the key is out", 5, 0.3)
    done = enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion))
    assert done.returncode == 0, done.stderr
    done = enrol.enrol(bastion.client_with(victim.key), enrol.mint(bastion, sub="agent-9"))
    assert done.returncode != 0 and done.stdout == ""


def test_a_list_that_can_not_be_read_changes_nothing(house):
    bastion = house(revoked="id:local/agent-7\n")
    victim = bastion.client("local/agent-7", principals=["ops"])
    other = bastion.client("local/agent-8", principals=["ops"])
    assert "revoked" in refusal(victim)
    for garbage in (b"nonsense: yes\n", b"SSHKRL\n\0 cut", b"\xff\xfe"):
        known = len(bastion.log())
        revoke_by_file(bastion, garbage)
        wait_until(lambda: "level=error" in bastion.log()[known:], "the fault is logged", 5)
        assert "revoked" in refusal(victim)
        assert works(other)
    (bastion.state / FILE).unlink()
    time.sleep(1.5)
    assert "revoked" in refusal(victim)


def test_a_reload_takes_another_file(house):
    bastion = house()
    victim = bastion.client("local/agent-7", principals=["ops"])
    assert works(victim)
    second = bastion.state / "second.list"
    second.write_text("id:local/agent-7\n")
    second.chmod(0o644)
    bastion.configuration["identity"]["revoked"] = "second.list"
    bastion.write()
    with live_session(victim) as link:
        assert "reloaded" in bastion.reload()
        assert "revoked" in fatal_within(link, NOTICE + WITHIN)
    assert "revoked" in refusal(victim)


# ---- the command

@pytest.mark.asan
def test_an_operator_revokes_and_it_lasts(house):
    bastion = house()
    victim = member(bastion)
    with live_session(victim) as link:
        done = operator(bastion).ssh("revoke", "local/agent-7", "--reason", "left", "the", "company")
        assert done.returncode == 0, done.stderr
        assert "revoked: local/agent-7" in done.stdout
        assert "revoked" in fatal_within(link, WITHIN)
    assert "revoked" in refusal(victim)
    chain = (bastion.state / "audit" / "chain.ghaud").read_bytes()
    for word in (b"revoked", b"olga", b"left the company", b"local/agent-7"):
        assert word in chain
    bastion.stop()
    bastion.start()
    assert "revoked" in refusal(victim)
    assert works(operator(bastion))


def test_one_certificate_is_revoked_by_its_serial(house):
    bastion = house()
    victim = member(bastion)
    serial = enrol.listing(victim.certificate)["Serial"]
    operator(bastion).must("revoke", f"serial:{serial}")
    wait_until(lambda: not works(victim), "it is out", 3, 0.2)
    assert works(member(bastion))  # the same person with another one


def test_commands_in_every_form_end_too(house):
    bastion = house()
    victim = member(bastion)
    statement = "select count(*) from generate_series(1, 2000000000)"
    with victim.running("psql", "orders", "-c", statement) as tool, \
            victim.running(options=("-N",)) as silent, live_session(victim) as link:
        wait_until(lambda: len(bastion.children("gate")) == 3, "all are logged in")
        wait_until(lambda: bastion.postgres.backends() >= 2, "psql has connected")
        link.socket.sendall(wire.query(statement))
        begun = time.monotonic()
        operator(bastion).must("revoke", "local/agent-7")
        assert "revoked" in fatal_within(link, WITHIN)
        out, errors = ends_within(tool, WITHIN)
        assert b"revoked" in errors and tool.returncode != 0, (out, errors)
        _, errors = ends_within(silent, WITHIN)
        assert b"revoked" in errors
        assert time.monotonic() - begun < 2 * WITHIN
    bastion.wait_idle()
    wait_until(lambda: bastion.postgres.backends() == 0, "nothing runs on for somebody who is gone")


def test_who_has_no_role_for_it_can_not_revoke(house):
    bastion = house()
    other = member(bastion, "agent-8")
    done = other.ssh("revoke", "local/agent-7")
    assert (done.returncode, done.stdout) == (77, "")
    assert "denied" in done.stderr
    assert works(member(bastion))
    assert "revoke IDENTITY" not in other.must("describe")
    assert "revoke IDENTITY" in operator(bastion).must("describe")
    assert "revoke IDENTITY|serial:N" in other.must("help")
    assert b"revoke_refused" in (bastion.state / "audit" / "chain.ghaud").read_bytes()


@pytest.mark.parametrize("words", [[], ["serial:0"], ["serial:x"], ["serial:"], ["serial:18446744073709551616"], ["id:x"],
                                   ["key:x"], ["SHA256:x"], ["two", "names"], ["x", "--reason"], ["x", "--why", "y"]])
def test_what_is_no_identity_and_no_serial_is_wrong_use(house_of_commands, words):
    bastion, client = house_of_commands
    done = client.ssh("revoke", *words)
    assert (done.returncode, done.stdout) == (64, ""), done
    assert works(client)


@pytest.fixture(scope="module")
def house_of_commands(postgres):
    from harness.bastion import Bastion, settings
    bastion = Bastion(postgres, settings(postgres, identity=tokens.identity(), roles=tokens.roles()))
    try:
        configure(bastion, "")
        yield bastion.start(), operator(bastion)
    finally:
        bastion.remove()


@pytest.mark.kills
def test_a_dead_issuer_forgets_nothing(house):
    bastion = house(revoked="id:local/agent-7\n")
    victim = bastion.client("local/agent-7", principals=["ops"])
    operator(bastion).must("revoke", "local/agent-8")
    also = bastion.client("local/agent-8", principals=["ops"])
    wait_until(lambda: not works(also), "it is out", 3, 0.2)
    before = bastion.one("issuer").pid
    bastion.one("issuer").kill(signal.SIGKILL)
    assert "revoked" in refusal(victim)
    assert "revoked" in refusal(also)
    wait_until(lambda: [p for p in bastion.processes("issuer") if p.pid != before], "it is started again", 15)
    wait_until(lambda: operator(bastion).ssh("revoke", "local/agent-9").returncode == 0, "revoking works again", 15, 0.3)
    for name in ("local/agent-7", "local/agent-8", "local/agent-9"):
        assert "revoked" in refusal(bastion.client(name, principals=["ops"]))


@pytest.mark.kills
@pytest.mark.parametrize("kind", ["gate", "vault", "ledger"])
def test_whoever_is_started_later_has_the_list_too(house, kind):
    bastion = house(revoked="id:local/agent-7\n")
    victim = bastion.client("local/agent-7", principals=["ops"])
    other = bastion.client("local/agent-8", principals=["ops"])
    before = bastion.one(kind).pid
    bastion.one(kind).kill(signal.SIGKILL)
    wait_until(lambda: [p for p in bastion.processes(kind) if p.pid != before], "it is started again", 15)
    wait_until(lambda: works(other), "others are let in again", 20, 0.3)
    assert "revoked" in refusal(victim)


# ---- expiry

def short_lived(bastion, seconds, name="brief"):
    key = keys.new_key(bastion.home / f"key-{len(list(bastion.home.iterdir()))}")
    return bastion.client_with(key, keys.certify(bastion.user_ca, key, name=name, principals=["ops"],
                                                 validity=f"-5m:+{seconds}s"))


@pytest.mark.asan
def test_a_session_ends_when_its_certificate_expires(house):
    bastion = house()
    client = short_lived(bastion, 5)
    expires = time.time() + 5
    with live_session(client) as link, client.running(options=("-N",)) as silent:
        last = fatal_within(link, 5 + 1 + WITHIN)
        assert time.time() >= expires - 1.5
        assert "expired" in last and "certificate_expired" in last
        _, errors = ends_within(silent, WITHIN)
        assert b"expired" in errors
    assert "expired" in refusal(client)
    assert b"session_expired" in (bastion.state / "audit" / "chain.ghaud").read_bytes()
    bastion.wait_idle()


def test_sessions_may_outlive_their_certificates_but_not_its_revocation(house):
    bastion = house(expire_sessions=False)
    client = short_lived(bastion, 4)
    with live_session(client) as link:
        link.ask(wire.query("select 'in time'"))  # looks up names, for which the gate has a connection of its own
        time.sleep(6)
        _, seen = link.ask(wire.query("select 'still here'"))
        assert wire.rows_of(seen) == [["still here"]], seen
        assert "expired" in refusal(client)
        operator(bastion).must("revoke", "brief")
        assert "revoked" in fatal_within(link, WITHIN)


def test_a_client_that_reads_nothing_is_ended_as_well(house):
    bastion = house()
    client = member(bastion)
    with client.forward() as forward, wire.Wire(forward.port) as link:
        link.login()
        link.socket.sendall(wire.query("select repeat('x', 1000) from generate_series(1, 100000)"))
        time.sleep(0.5)
        forward.process.send_signal(signal.SIGSTOP)
        try:
            operator(bastion).must("revoke", "local/agent-7")
            wait_until(lambda: not bastion.children("gate"), "its gate is gone", WITHIN)
            wait_until(lambda: not bastion.children("front"), "its front as well", 2 * WITHIN)
        finally:
            forward.process.send_signal(signal.SIGCONT)
