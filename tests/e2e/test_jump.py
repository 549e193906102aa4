"""`ssh -J bastion HOST`: a connection inside of a connection, with its own front, its own gate, and the bastion's rules."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import hosts, keys
from harness.bastion import Bastion, settings
from harness.system import free_port, is_listening, must, run, stop, wait_until

RULES = [{"name": "all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
         {"name": "no-shells", "roles": ["agent"], "targets": ["*"], "match": {"channels": ["shell"]}, "action": "deny",
          "reason": "agents run commands"},
         {"name": "agents", "roles": ["agent"], "targets": ["web1"], "match": "anything", "action": "allow"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("jump")


@pytest.fixture(scope="module")
def sshd(place):
    keys.new_key(place / "vault_key")
    keys.new_key(place / "target_ca")
    keys.new_key(place / "rsa_key", "rsa")
    keys.new_key(place / "ecdsa_key", "ecdsa")
    made = hosts.Sshd(place / "sshd", trusts=place / "target_ca.pub",
                      authorized=[(place / f"{name}.pub").read_text() for name in ("vault_key", "rsa_key", "ecdsa_key")])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(postgres, place, sshd):
    made = Bastion(postgres, settings(postgres, targets=[
        sshd.target("web1", credential="web1-key", logins=["nobody-here"]),
        sshd.target("web2", certificate_authority="target-ca"),
        sshd.target("web3", credential="rsa-key"),
        sshd.target("web4", credential="ecdsa-key"),
        *settings(postgres)["targets"],
    ], rules=RULES + settings(postgres)["rules"]))
    made.put_secret("web1-key", (place / "vault_key").read_text(), "ssh-key")
    made.put_secret("rsa-key", (place / "rsa_key").read_text(), "ssh-key")
    made.put_secret("ecdsa-key", (place / "ecdsa_key").read_text(), "ssh-key")
    made.put_secret("target-ca", (place / "target_ca").read_text(), "ssh-key")
    made.configuration["identity"]["revoked"] = "withdrawn"
    (made.state / "withdrawn").write_text("")
    (made.state / "withdrawn").chmod(0o644)
    made.write()
    made.start()
    yield made
    made.end(kills=True)


@pytest.fixture
def bastion(shared):
    yield from shared.left_as_it_was()


class Jumper:
    """A client whose configuration says how each target is reached: through the bastion."""

    def __init__(self, client, user=None):
        self.client = client
        host_key = must("ssh-keygen", "-y", "-f", client.bastion.state / "host_ed25519").strip()
        known = client.bastion.home / f"known-{os.urandom(3).hex()}"
        known.write_text(f"bastion {host_key}\nweb1,web2,web3,web4 {host_key}\n")
        self.config = client.bastion.home / f"jump-{os.urandom(3).hex()}"
        self.config.write_text(client.config.read_text().replace(str(client.known_hosts), str(known)) + "\n".join([
            "Host web1 web2 web3 web4 orders nowhere 127.0.0.1", f"  IdentityFile {client.key}", "  IdentitiesOnly yes", "  IdentityAgent none",
            f"  CertificateFile {client.certificate}", f"  UserKnownHostsFile {known}", "  GlobalKnownHostsFile /dev/null",
            "  StrictHostKeyChecking yes", "  ConnectTimeout 20", *([f"  User {user}"] if user else [])]) + "\n")

    def argv(self, host, *words, options=("-J", "bastion")):
        return ["ssh", "-F", str(self.config), *map(str, options), host, *map(str, words)]

    def ssh(self, host, *words, options=("-J", "bastion"), **keywords):
        done = run(*self.argv(host, *words, options=options), **keywords)
        self.client.bastion.transcript += [str(done.stdout)[:10000], str(done.stderr)[:10000]]
        return done


@pytest.fixture(scope="module")
def ops(shared):
    return Jumper(shared.client("olga", principals=["ops"]), hosts.LOGIN)


@pytest.fixture(scope="module")
def agent(shared):
    return Jumper(shared.client("agent-7", principals=["agent"]), hosts.LOGIN)


@pytest.mark.asan
@pytest.mark.parametrize("target", ["web1", "web2", "web3", "web4"])
def test_a_command_runs_with_its_output_errors_and_status(bastion, ops, target):
    done = ops.ssh(target, "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3), done.stderr + bastion.log()[-3000:]


def test_the_other_ways_to_jump(bastion, ops):
    proxy = f"ProxyCommand=ssh -F {ops.config} -W %h:%p bastion"
    for options in (["-o", "ProxyJump=bastion"], ["-o", proxy]):
        done = ops.ssh("web1", "echo in", options=options)
        assert (done.stdout, done.returncode) == ("in\n", 0), done.stderr


def test_a_shell_with_a_terminal(bastion, ops):
    done = ops.ssh("web1", options=["-J", "bastion", "-tt"], input="stty size; echo in-$((6*7)); exit 4\n")
    assert "in-42" in done.stdout and done.returncode == 4, done


def test_scp_through_the_jump(bastion, ops, tmp_path):
    data = os.urandom(3 << 20)
    (tmp_path / "up").write_bytes(data)
    for source, to in ((tmp_path / "up", f"web1:{tmp_path}/there"), (f"web1:{tmp_path}/there", tmp_path / "down")):
        must("scp", "-O", "-q", "-F", ops.config, "-J", "bastion", source, to)
    assert (tmp_path / "down").read_bytes() == data


def test_rules_hold_inside(bastion, agent):
    assert agent.ssh("web1", "echo in").stdout == "in\n"
    done = agent.ssh("web1", options=["-J", "bastion", "-tt"], input="echo in\n")
    assert done.returncode == 77 and "rule no-shells" in done.stdout + done.stderr, done


def test_a_login_that_the_target_does_not_list_is_refused(bastion, ops):
    done = ops.ssh("somebody@web1", "echo in")
    assert done.returncode == 77 and 'has no login "somebody"' in done.stderr, done


def test_who_names_no_login_gets_the_targets_own(bastion, shared):
    """A client sends its local user's name to both then; the bastion's user is `agent` in these tests."""
    same = Jumper(shared.client("olga", principals=["ops"]), "agent")
    assert same.ssh("web1", "id -un").stdout.strip() == hosts.LOGIN


def test_a_target_out_of_reach_is_none(bastion, agent):
    for target in ("web2", "nowhere"):
        done = agent.ssh(target, "echo in")
        assert done.returncode == 255 and "in" not in done.stdout.split(), done
    wait_until(lambda: len(re.findall(r"forward_refused.*no target", bastion.log())) >= 2, "both are in the log")


def test_a_certificate_of_another_identity_is_refused(bastion, shared, ops):
    """The way into the bastion of one is not lent to another."""
    other = shared.client("agent-9", principals=["agent"])
    mixed = Jumper(shared.client("olga", principals=["ops"]), hosts.LOGIN)
    text = mixed.config.read_text()
    outer, inner = text.split("Host web1", 1)
    mixed.config.write_text(outer + "Host web1" + inner.replace(str(mixed.client.key), str(other.key))
                            .replace(str(mixed.client.certificate), str(other.certificate)))
    done = mixed.ssh("web1", "echo in")
    assert done.returncode == 255 and "of another identity" in done.stderr, done


def test_a_jump_within_a_jump_is_refused(bastion, ops):
    done = ops.ssh("web2", "echo in", options=["-J", "bastion,web1"])
    assert done.returncode == 255 and "in" not in done.stdout.split(), done
    bastion.wait_log("a jump from within a jump is not possible")


def test_nobody_enrols_through_a_jump(bastion, ops):
    done = ops.ssh("web1", options=["-J", "bastion", "-l", "enroll"], input="x")
    assert done.returncode == 255, done
    bastion.wait_log("enroll at the bastion itself|has no login")


def test_an_address_that_a_target_declares_is_that_target(bastion, ops, sshd):
    done = ops.ssh("127.0.0.1", "echo in", options=["-J", "bastion", "-p", sshd.port, "-o", "HostKeyAlias=web1"])
    assert (done.stdout, done.returncode) == ("in\n", 0), done.stderr
    bastion.wait_log("event=jump .*target=web1")


def test_a_database_is_reached_from_inside_too(bastion, ops):
    local = free_port()
    process = subprocess.Popen(ops.argv("web1", options=["-J", "bastion", "-N", "-L", f"127.0.0.1:{local}:orders:5432"]),
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(local), "the forward listens", 30)
        assert must("psql", "-X", "-At", "-h", "127.0.0.1", "-p", local, "-U", "x", "-d", "x", "-c", "select 6*7").strip() == "42"
    finally:
        stop(process)


def test_the_end_of_the_outer_connection_ends_the_inner_one(bastion, ops):
    with ops.client.master() as shared_client:
        jumper = Jumper(shared_client, hosts.LOGIN)
        process = subprocess.Popen(jumper.argv("web1", "echo begun; sleep 600"), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == "begun\n", process.stderr.read()
            assert len(bastion.children("gate")) == 2
            run("ssh", "-F", jumper.config, "-O", "exit", "bastion")
            bastion.wait_idle(30)
            assert process.wait(30) == 255
        finally:
            stop(process)
            process.stdout.close()
            process.stderr.close()


def test_a_revoked_certificate_ends_both(bastion, shared):
    victim = Jumper(shared.client("victor", principals=["ops"]), hosts.LOGIN)
    process = subprocess.Popen(victim.argv("web1", "echo begun; sleep 600"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        (shared.state / "withdrawn").write_text("id:victor\n")
        assert process.wait(30) != 0
        bastion.wait_idle(30)
        said = process.stderr.read()
        assert "revoked" in said, said
    finally:
        stop(process)
        process.stdout.close()
        process.stderr.close()
        (shared.state / "withdrawn").write_text("")


@pytest.mark.kills
@pytest.mark.slow
def test_whoever_of_both_is_killed_the_inner_session_ends(bastion, ops):
    """Each front and gate in turn: the command at the host goes, and the client hears of it."""
    for kind, which in (("front", 0), ("front", 1), ("gate", 0), ("gate", 1)):
        process = subprocess.Popen(ops.argv("web1", "echo begun; sleep 600"), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout.readline() == "begun\n"
            parts = sorted(bastion.children(kind), key=lambda part: part.pid)
            assert len(parts) == 2
            parts[which].kill(signal.SIGKILL)
            assert process.wait(30) != 0
            bastion.wait_idle(30)
        finally:
            stop(process)
            process.stdout.close()


def test_connections_inside_of_one_are_bounded(bastion, ops):
    """64 at a time; one more is refused, and when they end there is room again."""
    local = free_port()
    process = subprocess.Popen(ops.argv("bastion", options=["-N", "-L", f"127.0.0.1:{local}:web1:22"]),
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sockets = []
    try:
        wait_until(lambda: is_listening(local), "the forward listens", 30)
        for _ in range(64):
            sockets.append(socket.create_connection(("127.0.0.1", local)))
        wait_until(lambda: len(re.findall("event=jump .*target=web1", bastion.log())) >= 64, "64 jumps", 30)
        sockets.append(socket.create_connection(("127.0.0.1", local)))
        sockets[-1].settimeout(30)
        assert sockets[-1].recv(1) == b""
        bastion.wait_log("too many connections are open inside of this one")
    finally:
        for one in sockets:
            one.close()
        stop(process)


def test_the_recording_says_who_and_where(bastion, ops):
    assert ops.ssh("web1", "echo recorded-inside").returncode == 0
    def found():
        listed = ops.client.must("sessions", "--json", "--target", "web1")
        return [line for line in listed.splitlines() if '"echo recorded-inside"' in line and '"olga"' in line]
    wait_until(found, "the session is listed")


class TestConfig:
    """`ssh bastion config`: used as it is."""

    @pytest.fixture(scope="class")
    def client(self, shared):
        return shared.client("olga", principals=["ops"])

    def files(self, client, tmp_path, *words):
        """ssh_config and known_hosts of somebody who reaches the bastion already, and added what `config` says."""
        (tmp_path / "known_hosts").write_text(client.must("config", "--known-hosts", *words))
        (tmp_path / "config").write_text(
            client.config.read_text().replace(str(client.known_hosts), str(tmp_path / "known_hosts")) + client.must("config", *words) +
            "\n".join(["Host *", f"  IdentityFile {client.key}", f"  CertificateFile {client.certificate}", "  IdentitiesOnly yes",
                       "  IdentityAgent none", f"  UserKnownHostsFile {tmp_path}/known_hosts", "  GlobalKnownHostsFile /dev/null",
                       "  StrictHostKeyChecking yes"]) + "\n")
        return tmp_path / "config"

    @pytest.mark.asan
    def test_ssh_and_scp_take_it(self, bastion, client, tmp_path):
        config = self.files(client, tmp_path)
        for target in ("web1", "web2"):
            assert must("ssh", "-F", config, target, "id -un").strip() == hosts.LOGIN
        must("scp", "-O", "-q", "-F", config, config, f"web1:{tmp_path}/copy")
        assert (tmp_path / "copy").read_text() == config.read_text()

    def test_another_host_key_is_not_believed(self, bastion, client, tmp_path):
        config = self.files(client, tmp_path)
        other = must("ssh-keygen", "-y", "-f", keys.new_key(tmp_path / "other")).strip()
        (tmp_path / "known_hosts").write_text(f"bastion {other}\n")
        done = run("ssh", "-F", config, "web1", "id -un")
        assert done.returncode == 255 and "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr

    def test_without_the_fragment_the_names_are_known_too(self, bastion, client, ops, tmp_path):
        (tmp_path / "known_hosts").write_text(client.must("config", "--known-hosts"))
        done = ops.ssh("web1", "echo in", options=["-J", "bastion", "-o", f"UserKnownHostsFile={tmp_path}/known_hosts"])
        assert done.stdout == "in\n", done.stderr

    def test_it_has_what_the_identity_reaches(self, bastion, client, shared):
        agent = shared.client("agent-7", principals=["agent"])
        assert "Host web1\n" in agent.must("config") and "web2" not in agent.must("config")
        assert "# orders: ssh -N -L 5432:orders:5432 bastion" in agent.must("config")
        without = shared.client("agent-8", principals=["agent"], options=["no-port-forwarding"])
        assert "does not permit port forwarding" in without.must("config")

    def test_json_says_the_same(self, bastion, client):
        whole = json.loads(client.must("config", "--json", "--bastion", "gate.example.com"))
        assert [(host["host"], host["user"], host["proxy_jump"]) for host in whole["hosts"]] == [
            (name, hosts.LOGIN, "gate.example.com") for name in ("web1", "web2", "web3", "web4")]
        assert whole["hosts"][0]["logins"] == [hosts.LOGIN, "nobody-here"]
        assert whole["ssh_config"] == client.must("config", "--bastion", "gate.example.com")
        assert "".join(f"{line}\n" for line in whole["known_hosts"]) == client.must("config", "--known-hosts", "--bastion", "gate.example.com")
        assert whole["known_hosts"][0].startswith("gate.example.com,web1,web2,web3,web4 ssh-ed25519 ")

    def test_a_wrong_use_is_status_64(self, bastion, client):
        for words in (["--bastion"], ["--bastion", "a,b"], ["--bastion", "-x"], ["--bastion", "*"], ["--json", "--known-hosts"], ["web1"]):
            assert client.ssh("config", *words).returncode == 64, words
