"""exec, attach, cp and port-forward through `ssh -L 8001:prod:443 bastion`: with a newer kubectl over WebSocket, with Debian
12's over SPDY, and with a client of our own."""
import base64
import hashlib
import json
import os
import socket
import socketserver
import subprocess
import threading
from urllib.parse import quote

import pytest

from harness.kube_bastion import Http, kube_bastion
from harness.kube_websocket import WebSocket
from harness.system import free_port, is_listening, random_bytes, run, stop, wait_until
from harness.terminal import Terminal

SPACE = "streams"
POD = f"/api/v1/namespaces/{SPACE}/pods/web"
RULES = [
    {"name": "no-rm", "targets": ["*"], "action": "deny", "reason": "nothing is removed", "match": {"commands": ["rm *"]}},
    {"name": "no-shell", "roles": ["agent"], "targets": ["*"], "action": "deny", "reason": "say what to run",
     "match": {"channels": ["shell"]}},
    {"name": "by-hand", "roles": ["agent"], "targets": ["prod"], "action": "approve", "approve": {"by": ["dba"], "wait": "1m"},
     "reason": "a second pair of eyes", "match": {"commands": ["touch *"]}},
    {"name": "no-ports", "roles": ["agent"], "targets": ["*"], "action": "deny", "reason": "no ports",
     "match": {"resources": ["pods/portforward"]}},
    {"name": "agent-pods", "roles": ["agent"], "targets": ["prod"], "action": "allow",
     "match": [{"namespaces": [SPACE]}, {"channels": ["exec"]}]},
    {"name": "ops-all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
]


@pytest.fixture(scope="module")
def pod(shared_kube):
    shared_kube.namespace(SPACE)
    shared_kube.pod(SPACE, "web")
    return shared_kube.pod_directory(SPACE, "web")


@pytest.fixture(scope="module")
def gate(shared_kube, pod):
    roles = [{"name": "agent"}, {"name": "ops"}, {"name": "dba"}, {"name": "guard", "may": ["replay", "watch", "kill"]}]
    made = kube_bastion(shared_kube, RULES, roles=roles, masks=[{"name": "found", "detect": ["email"], "with": "redact"}])
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(gate):
    return gate.client("agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def ops(gate):
    return gate.client("olga", principals=["ops"])


@pytest.fixture(scope="module")
def agent_port(agent):
    with agent.forward("prod", 443) as made:
        yield made.port


@pytest.fixture(scope="module")
def ops_port(ops):
    with ops.forward("prod", 443) as made:
        yield made.port


PROGRAMS = ["kubectl", "kubectl-newer", "kubectl-newer-spdy"]


@pytest.fixture(params=PROGRAMS)
def kubectl(request, kube, ops_port):
    """The three ways in which kubectl speaks to exec: 1.20 over SPDY, newer ones over WebSocket, or over SPDY when told to."""
    return Kubectl(kube, ops_port, request.param)


class Kubectl:
    def __init__(self, kube, port, kind="kubectl-newer"):
        self.kube, self.port, self.kind = kube, port, kind
        if kind != "kubectl":
            kube.newer_kubectl()
        self.program = "kubectl" if kind == "kubectl" else "kubectl-newer"

    def environment(self):
        off = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
        return {**self.kube.environment(), **(off if self.kind.endswith("spdy") else {})}

    def argv(self, *words):
        return [str(self.kube.bin / self.program), f"--server=http://127.0.0.1:{self.port}",
                f"--cache-dir={self.kube.directory}/cache-{self.port}-{self.program}", "-n", SPACE, *map(str, words)]

    def __call__(self, *words, **options):
        return run(*self.argv(*words), env=self.environment(), **options)


def recording_with(client, mark, kind="exec"):
    """(what `sessions` says of it, events) of the session that has the mark, once it has ended."""
    def found():
        for one in map(json.loads, reversed(client.must("sessions", "--json").splitlines())):
            if one["kind"] != kind or one.get("state", "sealed") == "live":
                continue
            text = client.must("replay", one["id"], "--events")
            if mark in text:
                return one, [json.loads(line) for line in text.splitlines()]
        return None
    return wait_until(found, f"a session with {mark} has ended", 30, pause=0.3)


def live_exec(client):
    """The id of the one that runs."""
    found = [one["id"] for one in map(json.loads, client.must("sessions", "--json").splitlines())
             if one["kind"] == "exec" and one.get("state") == "live"]
    assert len(found) == 1
    return found[0]


# ---- kubectl exec


def test_output_and_exit_status_come_back(kubectl):
    done = kubectl("exec", "web", "--", "sh", "-c", "echo to out; echo to err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "to out\n") and "to err\n" in done.stderr


def test_standard_input_ends(kubectl):
    done = kubectl("exec", "-i", "web", "--", "sha256sum", input="abc\n" * 1000)
    assert (done.returncode, done.stdout.split()[0]) == (0, hashlib.sha256(b"abc\n" * 1000).hexdigest()), done.stderr


def test_what_runs_is_recorded_with_its_input_output_and_exit_status(kubectl, ops):
    mark = "mark" + os.urandom(4).hex()
    done = kubectl("exec", "-i", "web", "--", "sh", "-c", f"cat; echo {mark} >&2; exit 3", input="typed\n")
    assert done.returncode == 3, done.stderr
    session, events = recording_with(ops, mark)
    assert (session["identity"], session["status"], session["requests"]) == ("olga", 3, 1)
    assert session["command"] == f"sh -c 'cat; echo {mark} >&2; exit 3'"
    assert "exit status 3" in json.dumps(events)
    text = ops.must("replay", session["id"], "--text")
    assert "typed" in text and mark in text


def test_a_terminal_is_one_on_both_sides(kubectl, ops):
    mark = "mark" + os.urandom(4).hex()
    with Terminal(kubectl.argv("exec", "-it", "web", "--", "sh"), rows=30, columns=90, env=kubectl.environment()) as terminal:
        terminal.expect(r"[$#] ")
        terminal.line(f"echo {mark[:4]}''{mark[4:]}; stty size")
        terminal.expect(mark)
        terminal.expect(r"30 90")
        terminal.resize(40, 120)
        terminal.line("sleep 0.3; stty size")
        terminal.expect(r"40 120")
        terminal.line("exit 5")
        assert terminal.wait(30) == 5
    session, events = recording_with(ops, mark)
    assert (session["command"], session["status"]) == ("sh", 5)
    cast = [json.loads(line) for line in ops.must("replay", session["id"], "--cast").splitlines()]
    assert mark in "".join(one[2] for one in cast[1:] if one[1] == "o")
    assert any(one[1] == "r" and one[2] == "120x40" for one in cast[1:])
    assert "open shell" in json.dumps(events)


def test_attach_speaks_to_what_runs(kubectl):
    process = subprocess.Popen(kubectl.argv("attach", "-i", "web"), env=kubectl.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        process.stdin.write(b"said back\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"said back\n"
    finally:
        stop(process)
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("size", [0, 1000, pytest.param(20 << 20, marks=pytest.mark.slow)])
def test_files_are_copied_both_ways(kubectl, pod, tmp_path, size):
    content = random_bytes(min(size, 1 << 20)) * max(1, size >> 20)
    (tmp_path / "there").write_bytes(content)
    name = f"file-{kubectl.kind}-{size}"
    done = kubectl("cp", tmp_path / "there", f"web:{pod}/{name}", timeout=120)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256((pod / name).read_bytes()).digest() == hashlib.sha256(content).digest()
    done = kubectl("cp", f"web:{pod}/{name}", tmp_path / "back", timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == content


# ---- rules and masks


def test_a_command_that_a_rule_denies_does_not_run(kube, agent_port, pod, agent):
    for kind in PROGRAMS:
        (pod / "kept").write_text("x")
        done = Kubectl(kube, agent_port, kind)("exec", "web", "--", "sh", "-c", f"rm {pod}/kept")
        assert done.returncode not in (0, 7) and "no-rm" in done.stderr and "nothing is removed" in done.stderr, done.stderr
        assert (pod / "kept").exists()


def test_a_shell_is_what_the_rules_call_a_shell(kube, agent_port):
    for words in (["sh"], ["/bin/sh", "-i"], ["bash", "-l"]):
        done = Kubectl(kube, agent_port)("exec", "-i", "web", "--", *words, input="echo no\n")
        assert done.returncode != 0 and "no-shell" in done.stderr and "no\n" not in done.stdout, done.stderr
    done = Kubectl(kube, agent_port)("exec", "web", "--", "python3", "-c", "print(1)")
    assert done.returncode != 0 and "what python3 runs" in done.stderr, done.stderr


def test_output_is_masked_and_so_is_the_recording(kubectl, ops):
    mark = "mark" + os.urandom(4).hex()
    done = kubectl("exec", "web", "--", "sh", "-c", f"echo {mark} jane@example.com; echo joe@example.com >&2")
    assert done.returncode == 0 and mark in done.stdout
    _, events = recording_with(ops, mark)
    outputs = json.dumps([one for one in events if one["event"] == "output"])
    assert mark in outputs
    for text in (done.stdout, done.stderr, outputs):
        assert "jane@example.com" not in text and "joe@example.com" not in text
    with Terminal(kubectl.argv("exec", "-it", "web", "--", "sh"), env=kubectl.environment()) as terminal:
        terminal.expect(r"[$#] ")
        terminal.line("printf 'jim@exa''mple.com\\n'; echo do''ne")
        terminal.expect("done")
        assert "jim@example.com" not in terminal.text
        terminal.line("exit")
        terminal.wait(30)


def test_a_command_waits_until_people_agree(kube, agent_port, gate, pod):
    dba = gate.client("dora", principals=["dba"])
    argv = Kubectl(kube, agent_port).argv("exec", "web", "--", "touch", str(pod / "made"))
    process = subprocess.Popen(argv, env=kube.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: dba.must("approvals", "--json").strip(), "somebody is asked", 30, pause=0.2)
        asked = json.loads(dba.must("approvals", "--json").splitlines()[0])
        assert "run touch" in json.dumps(asked) and not (pod / "made").exists()
        dba.must("approve", asked["id"])
        assert process.wait(60) == 0, process.stderr.read()
        assert (pod / "made").exists()
    finally:
        stop(process)
        process.stdout.close()
        process.stderr.close()


# ---- port-forward


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


@pytest.fixture(scope="module")
def service():
    """What listens at a port of the pod: it says everything back."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def said_back(port, content):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        threading.Thread(target=lambda: (link.sendall(content), link.shutdown(socket.SHUT_WR)), daemon=True).start()
        got = b""
        while len(got) < len(content):
            data = link.recv(1 << 16)
            assert data, f"{len(got)} of {len(content)} bytes"
            got += data
    return got


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_port_is_forwarded(kube, kind, service, ops):
    with ops.forward("prod", 443) as made:
        forward_twice(Kubectl(kube, made.port, kind), service)
    _, events = recording_with(ops, f"port {service}: connection", "forward")
    notes = json.dumps(events)
    assert "1048576 bytes in, 1048576 bytes out" in notes and "5 bytes in, 5 bytes out" in notes


def forward_twice(kubectl, service):
    local = free_port()
    process = subprocess.Popen(kubectl.argv("port-forward", "pod/web", f"{local}:{service}"), env=kubectl.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: is_listening(local) or process.poll() is not None, "the port is forwarded", 30)
        content = os.urandom(1 << 20)
        assert said_back(local, content) == content
        assert said_back(local, b"again") == b"again"
    finally:
        stop(process)
        process.stdout.close()


def test_a_rule_decides_on_port_forwards(kube, agent_port, service):
    for kind in PROGRAMS:
        done = Kubectl(kube, agent_port, kind)("port-forward", "pod/web", f":{service}", timeout=60)
        assert done.returncode != 0 and "no-ports" in done.stderr, done.stderr


# ---- WebSocket, by hand


def exec_path(*words, more="stdout=1&stderr=1"):
    return f"{POD}/exec?{more}&" + "&".join("command=" + quote(word) for word in words)


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io", None])
def test_every_version_of_the_channels(ops_port, protocol):
    with WebSocket(ops_port, exec_path("sh", "-c", "echo out; echo err >&2"), protocol) as link:
        assert (link.status, link.head.get("sec-websocket-protocol")) == (101, protocol)
        got, _ = link.all()
        assert (got[1], got[2]) == (b"out\n", b"err\n")
        if protocol and protocol.startswith("v"):
            assert json.loads(got[3])["status"] == "Success"


def test_channels_in_base64(ops_port):
    with WebSocket(ops_port, exec_path("sh", "-c", "head -c 3; echo", more="stdin=1&stdout=1"), "v4.base64.channel.k8s.io") as link:
        link.send(1, b"0" + base64.b64encode(b"abc"))
        got, _ = link.all()
        assert base64.b64decode(got[ord("1")]) == b"abc\n"


def test_a_message_in_pieces_is_one(ops_port):
    with WebSocket(ops_port, exec_path("head", "-c", "6", more="stdin=1&stdout=1")) as link:
        link.send(2, b"\0abc", first=0)
        link.send(9, b"ping")
        link.send(0, b"def")
        got, _ = link.all()
        assert got[1] == b"abcdef"


@pytest.mark.parametrize("send, why", [
    (lambda link: link.send(2, b"\x07x"), "stream 7 is none of this request's"),
    (lambda link: link.send(2, b"\x01x"), "data on a stream of the other direction"),
    (lambda link: link.send(2, b"\x00x"), "standard input was not asked for"),
    (lambda link: link.send(2, b"\x00x", masked=False), "a client's frame is not masked"),
    (lambda link: link.send(2, b"\x00x", first=0xC0), "reserved bits"),
])
def test_what_breaks_the_protocol_ends_the_session_with_a_reason(ops_port, gate, send, why):
    with WebSocket(ops_port, exec_path("sleep", "60")) as link:
        assert link.status == 101
        send(link)
        got, code = link.all()
        assert code == 1008 and why in json.loads(got[3])["message"]
    gate.wait_log(f"kube_stream_refused.*{why.split(chr(39))[0]}")


def test_other_upgrades_are_refused_with_a_status(ops_port):
    for path, fields in [("/api/v1/pods?watch=1", {}), (f"{POD}/proxy/ws", {}), (f"{POD}/log?follow=1", {}),
                         (exec_path("ls"), {"Sec-WebSocket-Version": "8"}), (exec_path("ls"), {"Upgrade": "SPDY/2"})]:
        with WebSocket(ops_port, path, **fields) as link:
            assert link.status == 403, path
            assert link.body()["kind"] == "Status"
    with WebSocket(ops_port, exec_path("ls"), protocol="v9.channel.k8s.io") as link:
        assert link.status == 403 and "none of the versions" in link.body()["message"]


# ---- Python's client


PYTHON = """
import sys
from kubernetes import client, stream
configuration = client.Configuration(host="http://127.0.0.1:" + sys.argv[1])
api = client.CoreV1Api(client.ApiClient(configuration))
link = stream.stream(api.connect_get_namespaced_pod_exec, "web", sys.argv[2], command=["sh", "-c", "head -n 1; echo err >&2; exit 4"],
                     stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False)
link.write_stdin("from python\\n")
link.run_forever(timeout=60)
print(repr((link.read_stdout(), link.read_stderr(), link.returncode)))
ports = stream.portforward(api.connect_get_namespaced_pod_portforward, "web", sys.argv[2], ports=sys.argv[3])
socket = ports.socket(int(sys.argv[3]))
socket.setblocking(True)
socket.sendall(b"said back")
got = b""
while len(got) < 9:
    got += socket.recv(9 - len(got)) or sys.exit(f"{got} {ports.error(int(sys.argv[3]))}")
print(got)
"""


def test_pythons_client_runs_commands_and_forwards_ports(ops_port, service):
    done = run("/usr/bin/python3", "-c", PYTHON, ops_port, SPACE, service)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["('from python\\n', 'err\\n', 4)", "b'said back'"]


# ---- while it lasts


def test_a_session_is_watched_while_it_lasts_and_can_be_killed(ops_port, gate):
    guard = gate.client("grace", principals=["guard"])
    with WebSocket(ops_port, exec_path("sh", "-c", "echo one; sleep 100")) as link:
        assert link.status == 101
        while (frame := link.receive())[1] != b"\x01one\n":
            assert frame[0] == 2 and len(frame[1]) == 1  # the server is ready
        live = live_exec(guard)
        with guard.running("watch", live) as looking:
            seen = b""
            while b"one" not in seen:
                seen += looking.stdout.read1(1000) or pytest.fail(f"it ended with {seen}")
            guard.must("kill", live, "--reason", "enough")
            got, code = link.all()
            assert code == 1008 and "gatehouse: " in json.loads(got[3])["message"]
            assert looking.wait(30) == 0


def test_kubectl_prints_why_its_session_was_ended(kubectl, gate):
    guard = gate.client("grace", principals=["guard"])
    process = subprocess.Popen(kubectl.argv("exec", "web", "--", "sh", "-c", "echo runs; sleep 100"), env=kubectl.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "runs\n"
        guard.must("kill", live_exec(guard), "--reason", "enough")
        assert "this session was ended by grace: enough" in process.communicate(timeout=60)[1]
        assert process.returncode != 0
    finally:
        stop(process)


def test_many_connections_at_once_wait_for_their_turn(ops_port):
    """As kubectl opens them when it looks for what there is."""
    failed = []

    def look():
        link = Http(ops_port)
        if link("GET", POD)[0] != 200:
            failed.append(link)
        link.close()
    threads = [threading.Thread(target=look) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failed
