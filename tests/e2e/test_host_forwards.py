"""`ssh -L … web1@bastion`: connections that a host makes, where the configuration lists them, and their traces."""
import hashlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest

from harness import hosts, keys
from harness.bastion import Bastion, settings
from harness.system import free_port, is_listening, must, run, stop, wait_until

RULES = [{"name": "all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
         {"name": "no-tunnels", "roles": ["agent"], "targets": ["web1"], "match": {"channels": ["forward"]}, "action": "deny",
          "reason": "agents run commands"},
         {"name": "agents", "roles": ["agent"], "targets": ["web1"], "match": "anything", "action": "allow"}]


class Server:
    """Beyond the host: says the length and digest of what it gets until EOF, then closes; `flood` sends first."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.began, self.seen = 0, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(one,), daemon=True).start()

    def _answer(self, one):
        digest, n = hashlib.sha256(), 0
        with one:
            while data := one.recv(1 << 16):
                self.began += n == 0
                digest.update(data)
                n += len(data)
            self.seen.append(n)
            one.sendall(f"{n} {digest.hexdigest()}\n".encode())

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def closed():
    return free_port()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    place = tmp_path_factory.mktemp("forwards")
    keys.new_key(place / "vault_key")
    keys.new_key(place / "target_ca")
    made = hosts.Sshd(place / "sshd", trusts=place / "target_ca.pub", authorized=[(place / "vault_key.pub").read_text()])
    made.place = place
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(postgres, sshd, server, closed):
    lists = [f"127.0.0.1:{server.port}", f"127.0.0.1:{closed}", f"localhost:{server.port}", f"127.0.0.1:{postgres.port}"]
    made = Bastion(postgres, settings(postgres, targets=[
        sshd.target("web1", credential="web1-key", forwards=lists),
        sshd.target("web2", certificate_authority="target-ca", forwards=list(lists)),
        sshd.target("bare", credential="web1-key"),
        *settings(postgres)["targets"],
    ], rules=RULES + settings(postgres)["rules"]))
    made.put_secret("web1-key", (sshd.place / "vault_key").read_text(), "ssh-key")
    made.put_secret("target-ca", (sshd.place / "target_ca").read_text(), "ssh-key")
    made.start()
    yield made
    made.end()


@pytest.fixture
def bastion(shared):
    yield from shared.left_as_it_was()


@pytest.fixture(scope="module")
def ops(shared):
    return shared.client("olga", principals=["ops"])


@pytest.fixture(scope="module")
def agent(shared):
    return shared.client("agent-7", principals=["agent"])


def through(client, target, host, port, **keywords):
    """What is sent to stdin goes to host:port, seen from the target."""
    return client.ssh(options=["-l", target, "-W", f"{host}:{port}"], **keywords)


@pytest.mark.asan
@pytest.mark.parametrize("target", ["web1", "web2"])
@pytest.mark.parametrize("size", [0, 1, 9_000_001])
def test_bytes_go_both_ways_and_ends_are_kept_apart(bastion, ops, server, target, size):
    """The server answers when it has seen the client's end."""
    data = os.urandom(size)
    done = through(ops, target, "127.0.0.1", server.port, input=data, bytes=True)
    assert done.stdout.decode() == f"{size} {hashlib.sha256(data).hexdigest()}\n", done.stderr


def test_a_name_that_is_listed(bastion, ops, server):
    assert through(ops, "web1", "localhost", server.port, input="x").stdout.startswith("1 ")


def test_many_at_once_over_one_connection(bastion, ops, server):
    local = free_port()
    with ops.running(options=["-l", "web1", "-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{server.port}"]):
        wait_until(lambda: is_listening(local), "the forward listens", 30)
        sockets = [socket.create_connection(("127.0.0.1", local), 30) for _ in range(20)]
        for i, one in enumerate(sockets):
            one.sendall(b"x" * (1000 * i))
            one.shutdown(socket.SHUT_WR)
        for i, one in enumerate(sockets):
            with one:
                assert one.makefile().read().startswith(f"{1000 * i} ")


def test_what_is_not_listed_is_refused(bastion, ops, server):
    for target, host, port in (("web1", "127.0.0.1", 1), ("web1", "127.0.0.2", server.port), ("web1", "[::1]", server.port),
                               ("web1", "127.1", server.port), ("bare", "127.0.0.1", server.port)):
        done = through(ops, target, host, port, input="x")
        assert done.returncode == 255 and done.stdout == "", (target, host, done)
        bastion.wait_log(rf"target \W*{target}\W* does not list {re.escape(host.strip('[]'))}:{port} among its")


def test_targets_says_what_may_be_reached(bastion, ops, server):
    found = {one["name"]: one for one in json.loads(ops.must("targets", "--json"))["targets"]}
    assert f"127.0.0.1:{server.port}" in found["web1"]["forwards"] and found["bare"]["forwards"] == []
    assert found["web1"]["logins"] == [] and "forwards" not in found["orders"]


def test_what_nobody_listens_on_is_refused(bastion, ops, closed):
    done = through(ops, "web1", "127.0.0.1", closed, input="x")
    assert done.returncode == 255 and done.stdout == ""
    bastion.wait_log(f"could not reach 127.0.0.1 port {closed}")


def test_rules_decide_on_forwards(bastion, agent, server):
    done = through(agent, "web1", "127.0.0.1", server.port, input="x")
    assert done.returncode == 255 and done.stdout == ""
    bastion.wait_log("agents run commands.*rule no-tunnels")


def test_what_another_target_declares_is_that_target(bastion, ops, agent, postgres):
    """By name, by address, and by the loopback address of the host that has it: inspected, never a tunnel."""
    for host, port in (("orders", 5432), ("127.0.0.1", postgres.port), ("localhost", postgres.port)):
        local = free_port()
        with ops.running(options=["-l", "web1", "-N", "-L", f"127.0.0.1:{local}:{host}:{port}"]):
            wait_until(lambda: is_listening(local), "the forward listens", 30)
            done = run("psql", "-X", "-At", "-h", "127.0.0.1", "-p", local, "-U", "x", "-d", "x", "-c", "select current_user")
            assert done.stdout.strip() == "app", (host, done.stderr)


def test_without_permission_nothing_is_forwarded(bastion, shared, server):
    without = shared.client("olga", principals=["ops"], options=["no-port-forwarding"])
    assert through(without, "web1", "127.0.0.1", server.port, input="x").returncode == 255


def test_a_client_that_goes_ends_it_at_the_host(bastion, ops, server):
    before, began = len(server.seen), server.began
    with ops.running(options=["-l", "web1", "-W", f"127.0.0.1:{server.port}"], stdin=subprocess.PIPE) as process:
        process.stdin.write(b"abc")
        process.stdin.flush()
        wait_until(lambda: server.began > began, "the server has got it", 30)
        process.kill()
        process.wait()
    wait_until(lambda: len(server.seen) > before, "the server sees the end", 20)


def test_the_recording_has_numbers_and_no_content(bastion, ops, server):
    secret = b"content-that-nobody-keeps" * 100
    assert through(ops, "web1", "127.0.0.1", server.port, input=secret, bytes=True).stdout.startswith(b"2500 ")

    def found():
        rows = [json.loads(line) for line in ops.must("sessions", "--json", "--target", "web1").splitlines()]
        return [row for row in rows if row["kind"] == "forward" and row["command"] == f"127.0.0.1:{server.port}"]
    row = wait_until(found, "the flow is listed")[-1]
    events = ops.must("replay", row["id"], "--events")
    end = [json.loads(line) for line in events.splitlines()][-1]
    assert "content-that" not in events
    assert '"bytes_in":2500' in events.replace(" ", "") and json.dumps(end), events
    assert not any(b"content-that" in path.read_bytes() for path in bastion.state.rglob("*.ghrec"))
