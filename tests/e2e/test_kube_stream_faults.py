"""Servers and clients of exec that are not as they should be, and a ledger that dies meanwhile."""
import json
import signal
import socket
import threading

import pytest

from harness.kube_bastion import kube_bastion
from harness.kube_odd import OddServer
from harness.kube_websocket import WebSocket, accept, frame
from harness.system import wait_until

RULES = [{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}]
EXEC = "/api/v1/namespaces/a/pods/p/exec"
ASKED = f"{EXEC}?command=ls&stdin=1&stdout=1&stderr=1"
SUCCESS = frame(2, b"\x03" + json.dumps({"metadata": {}, "status": "Success"}).encode()) + frame(8, b"\x03\xe8")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    made = OddServer(tmp_path_factory.mktemp("odd"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def gate(odd):
    made = kube_bastion(odd, RULES, masks=[{"name": "found", "detect": ["email"], "with": "redact"}])
    yield made
    made.end()


@pytest.fixture(scope="module")
def port(gate):
    with gate.client("agent-7", principals=["agent"]).forward("prod", 443) as made:
        yield made.port


def switch(odd, protocol="v4.channel.k8s.io", upgrade="websocket"):
    """The step that answers with 101."""
    def step(stream):
        key = odd.seen[-1].fields["sec-websocket-key"]
        stream.sendall(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\nServer: x\r\n"
                       f"Sec-WebSocket-Accept: {accept(key)}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode())
    return step


@pytest.mark.asan
@pytest.mark.parametrize("says, why", [
    (frame(2, b"\x01x", masked=True), "a server's frame is masked"),
    (frame(2, b"\x00x"), "data on a stream of the other direction"),
    (frame(2, b"\x09x"), "stream 9 is none of this request's"),
    (frame(2, b"\x03" + b"x" * 70000), "more than 64 KiB of an error"),
    (frame(1, b"x", first=0xC0), "reserved bits"),
], ids=["masked", "direction", "stream", "error", "reserved"])
def test_what_a_server_must_not_say_ends_the_session_with_a_reason(odd, port, says, why):
    odd.says[EXEC] = [switch(odd), frame(2, b"\x01shown"), says, lambda stream: stream.recv(100)]
    with WebSocket(port, ASKED) as link:
        got, code = link.all()
        assert code == 1008 and got[1] == b"shown"
        assert why in json.loads(got[3])["message"]


def test_an_answer_to_another_offer_is_no_answer(odd, port):
    for step in [switch(odd, "v5.channel.k8s.io"), switch(odd, upgrade="x")]:
        odd.says[EXEC] = [step, frame(2, b"\x01shown"), "close"]
        with WebSocket(port, ASKED) as link:
            assert link.status == 502 and link.body()["kind"] == "Status"


def test_what_is_held_for_masks_is_shown_when_the_server_breaks_off(odd, port):
    odd.says[EXEC] = [switch(odd), frame(2, b"\x01mail jane@exam"), frame(2, b"\x01ple.com and joe"), "close"]
    with WebSocket(port, ASKED) as link:
        got, code = link.all()
        assert got[1] == b"mail [masked:email] and joe" and code is None


def test_who_reads_slowly_holds_up_the_server_and_gets_everything(odd, port, gate):
    sent, go = [], threading.Event()
    one = frame(2, b"\x01" + b"x" * 32767)

    def pour(stream):
        stream.settimeout(60)
        for _ in range(1024):  # 32 MiB
            stream.sendall(one)
            sent.append(1)
        stream.sendall(SUCCESS)
    odd.says[EXEC] = [switch(odd), pour, lambda stream: stream.recv(100)]
    with WebSocket(port, ASKED) as link:
        assert link.status == 101

        def stands_still():
            before = len(sent)
            go.wait(0.5)
            return before == len(sent) and before > 0
        wait_until(stands_still, "the server waits", 60)
        assert len(sent) < 1024
        assert max(process.memory_kib() for process in gate.children("gate")) < 30 * 1024
        got, code = link.all()
        assert len(got[1]) == 1024 * 32767 and json.loads(got[3])["status"] == "Success" and code == 1000


def test_what_a_client_sent_before_it_left_still_reaches_the_server(odd, port):
    heard, done = [], threading.Event()

    def listen(stream):
        stream.settimeout(60)
        try:
            while data := stream.recv(1 << 16):
                heard.append(len(data))
        except OSError:
            pass
        done.set()
    odd.says[EXEC] = [switch(odd), listen]
    with WebSocket(port, ASKED) as link:
        for _ in range(64):
            link.send(2, b"\x00" + b"y" * 16383)
        link.link.shutdown(socket.SHUT_WR)
        assert done.wait(60)
    assert sum(heard) >= 64 * 16384


@pytest.mark.kills
def test_without_a_ledger_a_session_ends_and_says_why(odd):
    own = kube_bastion(odd, RULES)
    try:
        odd.says[EXEC] = [switch(odd), frame(2, b"\x01shown"), lambda stream: stream.recv(100)]
        with own.client("agent-7", principals=["agent"]).forward("prod", 443) as forward, WebSocket(forward.port, ASKED) as link:
            assert link.receive() == (2, b"\x01shown")
            own.one("ledger").kill(signal.SIGKILL)
            got, code = link.all()
            assert code == 1008 and "gatehouse: " in json.loads(got[3])["message"]
    finally:
        own.remove()
