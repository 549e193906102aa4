"""`ssh bastion kubectl TARGET port-forward …`: one connection to a pod's port on standard input and output, with both generations
of kubectl. A port of a pod is one of this machine (harness/kube.py)."""
import hashlib
import json
import os
import shlex
import socket
import socketserver
import subprocess
import threading

import pytest

from harness import keys
from harness.client import quote
from harness.hosts import LOGIN, Sshd
from harness.kube_bastion import hello, kube_bastion
from harness.system import free_port, must, run, wait_until

SPACE = "stdio"
LIMIT = 60
RULES = [
    {"name": "no-ports", "roles": ["agent"], "targets": ["prod"], "action": "deny", "reason": "ports of that pod stay closed",
     "match": {"resources": ["pods/portforward"], "names": ["shut"]}},
    {"name": "ask", "roles": ["agent"], "targets": ["prod"], "action": "approve", "approve": {"by": ["dba"], "wait": "2m"},
     "match": {"resources": ["pods/portforward"], "names": ["held"]}},
    {"name": "work", "roles": ["agent"], "targets": ["prod"], "action": "allow", "match": "anything"},
]


class Pods(socketserver.BaseRequestHandler):
    """What listens in the pod; the first line says what it shall do."""

    def handle(self):
        lines = self.request.makefile("rb")
        word, _, number = lines.readline().decode().strip().partition(" ")
        if word == "echo":
            while data := lines.read1(1 << 16):
                self.request.sendall(data)
        elif word == "digest":  # says nothing before it has heard all
            self.request.sendall(hashlib.sha256(lines.read()).hexdigest().encode())
        elif word == "send":  # and ends, whatever the other side does
            for _ in range(int(number)):
                self.request.sendall(BLOCK)
        elif word == "hold":  # until the other side has gone
            self.request.sendall(b"here\n")
            lines.read()
            self.server.left.set()


BLOCK = os.urandom(1 << 20)


@pytest.fixture(scope="module")
def service():
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pods) as server:
        server.left = threading.Event()
        server.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def space(shared_kube, service):
    name = shared_kube.namespace(SPACE)
    for pod in ("web", "shut", "held"):
        shared_kube.pod(name, pod)
    shared_kube.must("POST", f"/api/v1/namespaces/{name}/services",
                     {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": service.port}]}})
    return name


@pytest.fixture(scope="module", params=["kubectl", "kubectl-newer"])
def stdio_bastion(request, shared_kube, space):
    program = shared_kube.newer_kubectl() if request.param == "kubectl-newer" else request.param
    made = kube_bastion(shared_kube, RULES, kubectl=shared_kube.kubectl_for_bastion(program))
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(stdio_bastion):
    with stdio_bastion.client("agent-7", principals=["agent"]).master() as shared:
        yield shared


def words(*rest):
    return ["kubectl", "prod", "-n", SPACE, "port-forward", *map(quote, rest)]


@pytest.fixture
def forward(agent, kube):
    """forward(words…, input=bytes): the whole conversation."""
    return lambda *rest, **options: agent.ssh(*words(*rest), bytes=True, timeout=LIMIT, **options)


def kubectls(bastion):
    return [p for p in bastion.processes() if p.kind.startswith("kubectl")]


@pytest.mark.asan
def test_a_megabyte_goes_both_ways_unchanged(forward, service):
    done = forward("pod/web", service.port, input=b"echo\n" + BLOCK)
    assert done.returncode == 0 and done.stdout == BLOCK, done.stderr


def test_the_end_of_input_is_the_connections_and_the_answer_comes_still(forward, service):
    for place in ("pod/web", "web", "service/web"):
        done = forward(place, f"8080:{80 if place == 'service/web' else service.port}", input=b"digest\n" + BLOCK)
        assert (done.returncode, done.stdout) == (0, hashlib.sha256(BLOCK).hexdigest().encode()), done.stderr


def test_the_pods_end_is_the_commands_with_all_that_it_said(agent, kube, service):
    with agent.running(*words("pod/web", f":{service.port}"), stdin=subprocess.PIPE) as process:
        process.stdin.write(b"send 20\n")
        process.stdin.flush()  # and it stays open
        digest, expected = hashlib.sha256(), hashlib.sha256()
        while data := process.stdout.read(1 << 16):
            digest.update(data)
        for _ in range(20):
            expected.update(BLOCK)
        assert process.wait(LIMIT) == 0 and digest.digest() == expected.digest()


def test_what_kubectl_says_is_no_part_of_it(forward, service):
    done = forward("pod/web", service.port, input=b"echo\n")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Forwarding from 127.0.0.1" in done.stderr and b"Handling connection" in done.stderr


def test_a_failure_has_kubectls_words_and_an_exit_status(forward, service):
    nobody = free_port()
    for place, port, says in (("pod/nobody", service.port, b'pods "nobody" not found'), ("pod/web", nobody, b"connection refused"),
                              ("pod/shut", service.port, b"ports of that pod stay closed"), ("pod/web", "x", b"error"), ("pod/web", "", b"error")):
        done = forward(place, *([port] if port else []))
        assert done.returncode == 1 and says in done.stderr and done.stdout == b"", (place, port, done.stderr)


def test_help_is_no_failure(agent, kube):
    done = agent.ssh("kubectl", "prod", "port-forward", "--help")
    assert done.returncode == 0 and "Examples" in done.stderr


@pytest.mark.parametrize("rest, status, says", [
    (["pod/web", "80", "81"], 77, "one connection"),
    (["--address", "0.0.0.0", "pod/web", "80"], 77, "nothing listens here"),
    (["pod/web", "80", "--address=localhost"], 77, "nothing listens here"),
])
def test_what_can_not_be_had_is_refused_with_a_reason(agent, kube, rest, status, says):
    done = agent.ssh(*words(*rest))
    assert done.returncode == status and says in done.stderr, done.stderr


def test_a_terminal_is_refused(agent, kube, service):
    done = agent.ssh(*words("pod/web", service.port), options=["-tt"])
    assert done.returncode == 64 and "ssh without -t" in done.stdout + done.stderr


def test_nothing_is_left_when_the_client_is_killed(agent, stdio_bastion, kube, service):
    for shared in (True, False):  # with the SSH connection or alone
        client = agent if shared else stdio_bastion.client("agent-9", principals=["agent"])
        service.left.clear()
        with client.running(*words("pod/web", service.port), stdin=subprocess.PIPE) as process:
            process.stdin.write(b"hold\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"here\n" and kubectls(stdio_bastion)
            process.kill()
        assert service.left.wait(30), "the pod's side was not closed"
        wait_until(lambda: not kubectls(stdio_bastion), "kubectl ends", 30)


def test_a_held_forward_waits_and_passes_once_it_is_approved(agent, stdio_bastion, kube, service):
    dba = stdio_bastion.client("dba-1", principals=["dba"])
    with agent.running(*words("pod/held", service.port), stdin=subprocess.PIPE) as process:
        process.stdin.write(b"echo\nlater")
        process.stdin.close()
        asked = wait_until(lambda: dba.must("approvals", "--json").splitlines(), "people are asked", 30, pause=0.2)
        dba.must("approve", json.loads(asked[0])["id"])
        assert process.wait(LIMIT) == 0 and process.stdout.read() == b"later"


def test_ssh_goes_through_it_as_its_proxy_command(agent, kube, tmp_path):
    keys.new_key(tmp_path / "key")
    sshd = Sshd(tmp_path / "sshd", authorized=[(tmp_path / "key.pub").read_text()])
    try:
        done = run("ssh", "-F", "/dev/null", "-i", tmp_path / "key", "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no",
                   "-o", "UserKnownHostsFile=/dev/null", "-o", f"ProxyCommand={shlex.join(agent.argv(*words('pod/web', sshd.port)))}",
                   "-l", LOGIN, "web.pod", "echo hello; exit 7", timeout=LIMIT)
        assert (done.returncode, done.stdout) == (7, "hello\n"), done.stderr
    finally:
        sshd.stop()


def test_curl_goes_through_it_by_a_relay(agent, kube):
    """As inetd, or `socat TCP-LISTEN:… EXEC:'ssh bastion kubectl …'`, starts it for a connection."""
    started = []
    with hello() as port, socket.create_server(("127.0.0.1", 0)) as relay:
        relay.settimeout(LIMIT)

        def serve():
            link, _ = relay.accept()
            with link:
                started.append(agent.start(*words("pod/web", port), stdin=link, stdout=link, stderr=subprocess.DEVNULL))
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        assert must("curl", "-sS", f"http://127.0.0.1:{relay.getsockname()[1]}/through") == "through"
        server.join(LIMIT)
        assert started[0].wait(LIMIT) == 0


def test_it_is_recorded_as_any_forward_is(agent, forward, service):
    assert forward("pod/web", service.port, input=b"echo\nhello").stdout == b"hello"
    last = json.loads(agent.must("sessions", "--json", "--target", "prod").splitlines()[-1])
    events = [json.loads(line) for line in agent.must("replay", last["id"], "--events").splitlines()]
    text = json.dumps(events)
    assert f"/namespaces/{SPACE}/pods/web/portforward" in text and "Handling connection" in text
    assert f"port {service.port}: connection" in text and "10 bytes in, 5 bytes out" in text
    assert "hello" not in text
    assert forward("pod/web", free_port()).returncode == 1
    last = json.loads(agent.must("sessions", "--json", "--target", "prod").splitlines()[-1])
    assert "it failed: " in agent.must("replay", last["id"], "--events")
