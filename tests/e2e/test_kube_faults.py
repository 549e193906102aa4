"""API servers that are not as they should be, clients that are slow, and processes of ours that die: nothing unasked for is
shown, nothing hangs, nothing grows."""
import http.client
import json
import signal
import socket
import threading

import pytest

from harness.kube_bastion import Http, causes, http_to, kube_bastion
from harness.kube_odd import OddServer, ok
from harness.system import wait_until

RULES = [{"name": "short", "roles": ["dba"], "targets": ["*"], "match": {"verbs": ["get"]}, "action": "allow", "limits": {"bytes": "1KiB"}},
         {"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}]
POD = "/api/v1/namespaces/a/pods/p"
SECRET = "/api/v1/namespaces/a/secrets/s"


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    made = OddServer(tmp_path_factory.mktemp("odd"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def gate(odd):
    made = kube_bastion(odd, RULES)
    yield made
    made.end(kills=True)


@pytest.fixture(scope="module")
def forward(gate):
    with gate.client("agent-7", principals=["agent"]).forward("prod", 443) as made:
        yield made


@pytest.fixture
def api(forward, odd):
    odd.says.clear()
    odd.seen.clear()
    link = Http(forward.port)
    yield link
    link.close()


def test_what_goes_to_the_server_is_ours_and_the_credential_is_added_behind_the_gate(api, odd):
    api("GET", POD, Accept="application/json", Cookie="a=b", X_Forwarded_For="1.2.3.4")
    request = odd.seen[-1]
    assert request.fields["authorization"] == f"Bearer {odd.admin_token}"
    assert request.fields["host"] == f"127.0.0.1:{odd.port}" and request.fields["accept-encoding"] == "identity"
    assert "cookie" not in request.fields and "x-forwarded-for" not in request.fields


def test_one_connection_to_the_server_serves_many_requests(api, odd):
    for _ in range(5):
        assert api("GET", POD)[0] == 200
    assert [len(requests) for requests in odd.by_link()] == [5]


def test_connections_of_clients_share_those_to_the_server(forward, odd):
    """As many as are needed at a time, and no more: kubectl opens dozens when it looks for what a server has."""
    odd.says.clear()
    odd.says[POD] = [lambda _: threading.Event().wait(0.05), ok(b"{}")]
    odd.seen.clear()
    for _ in range(3):
        link = Http(forward.port)
        assert link("GET", POD)[0] == 200
        link.close()
    assert len(odd.by_link()) == 1
    links = [Http(forward.port) for _ in range(40)]
    done = []
    threads = [threading.Thread(target=lambda one=one: done.append(one("GET", POD)[0])) for one in links]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [200] * 40 and len(odd.by_link()) < 40
    for link in links:
        link.close()


def test_who_leaves_in_the_middle_of_an_answer_leaves_nothing_of_it_to_others(forward, odd):
    odd.says.clear()
    watch = "/api/v1/namespaces/a/pods"
    more = threading.Event()
    odd.says[watch] = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n",
                       lambda stream: (more.wait(10), stream.sendall(b"3\r\n{}\n\r\n0\r\n\r\n"))]
    odd.says[POD] = [ok(b'{"mine":true}')]
    first = Http(forward.port)
    answer = first.send("GET", f"{watch}?watch=true")
    assert answer.readline() == b"{}\n"
    answer.close()
    first.close()
    link = Http(forward.port)
    for _ in range(3):
        assert link("GET", POD) == (200, {"mine": True})
        more.set()
    link.close()


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(api, odd):
    odd.says[POD] = [ok(b"{}"), "close"]
    for _ in range(3):
        assert api("GET", POD)[0] == 200
    assert [len(requests) for requests in odd.by_link()] == [1, 1, 1]


def test_a_server_that_says_close_is_not_asked_again_on_that_connection(api, odd):
    odd.says[POD] = [ok(b"{}", Connection="close")]
    assert api("GET", POD)[0] == 200
    assert api("PUT", POD, {})[0] == 200
    assert [len(requests) for requests in odd.by_link()] == [1, 1]


def test_a_stale_connection_is_tried_again_for_reading_and_never_for_writing(api, odd):
    odd.says[POD] = ["close"]
    assert api("GET", "/version")[0] == 200
    status, said = api("GET", POD)  # on the kept connection, then on a new one
    assert status == 503 and causes(said)["code"] == "target_unavailable"
    assert [[one.path for one in requests] for requests in odd.by_link()] == [["/version", POD], [POD]]
    odd.seen.clear()
    assert api("GET", "/version")[0] == 200
    status, said = api("PUT", POD, {})
    assert status == 503 and "is not known" in said["message"]
    assert sum(one.method == "PUT" for one in odd.seen) == 1


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
                                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nab"])
def test_what_is_no_answer_is_not_shown(api, odd, answer):
    odd.says[POD] = [answer]
    status, said = api("GET", POD)
    assert status == 502 and causes(said)["code"] == "target_unavailable" and "ab" not in json.dumps(said).split()
    assert api("GET", "/version")[0] == 200


def test_an_answer_that_breaks_off_breaks_off(api, odd, forward):
    for head in (b"Content-Length: 100", b"Transfer-Encoding: chunked"):
        odd.says[POD] = [b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + (b"5\r\n" if b"ch" in head else b"") + b"hello", "close"]
        link = Http(forward.port)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            link("GET", POD)
        link.close()


def test_an_answer_in_which_something_is_masked_has_to_be_json(api, odd):
    for answer in (ok(b"k8s\0data", "application/vnd.kubernetes.protobuf"), ok(b"\x1f\x8b...", Content_Encoding="gzip"),
                   ok(b"data: x", "application/yaml")):
        odd.says[SECRET] = [answer]
        status, said = api("GET", SECRET)
        assert status == 502 and "masked" in said["message"] and "data: x" not in said["message"]
    odd.says[SECRET] = [ok(b'{"kind":"Secret","data":{"a":"b29wcw=="},')]
    link = Http(api.link.port)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        link("GET", SECRET)
    link.close()


def test_an_answer_that_is_known_to_be_too_long_is_refused(gate, odd):
    odd.says.clear()
    odd.says[POD] = [ok(b"x" * 1025, "text/plain")]
    with http_to(gate.client("dan", principals=["dba"])) as api:
        status, said = api("GET", POD)
        assert (status, causes(said)["code"]) == (403, "limit")
        odd.says[POD] = [ok(b"x" * 1024, "text/plain")]
        assert api("GET", POD) == (200, "x" * 1024)


def test_a_server_that_answers_early_and_one_that_says_continue(api, odd):
    odd.says[POD] = [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", ok(b'{"a":1}')]
    assert api("PUT", POD, {}) == (200, {"a": 1})


def test_who_reads_slowly_holds_up_the_server_and_the_gate_stays_small(gate, forward, odd):
    sent, go = [], threading.Event()

    def pour(stream):
        stream.settimeout(60)
        for _ in range(512):  # 64 MiB
            stream.sendall(b"x" * (128 * 1024))
            sent.append(1)

    odd.says["/api/v1/pods"] = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 67108864\r\n\r\n", pour]
    links = [socket.create_connection(("127.0.0.1", forward.port), 60) for _ in range(4)]
    for link in links:
        link.sendall(b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n\r\n")
    def stands_still():
        before = len(sent)
        go.wait(0.5)
        return before == len(sent) and before > 0
    wait_until(stands_still, "the server waits", 60)
    assert len(sent) < 4 * 512
    assert max(one.memory_kib() for one in gate.children("gate")) < 30 * 1024
    for link in links:
        left = 67108864
        while left > 0:
            piece = link.recv(1 << 20)
            assert piece
            left -= len(piece)
        link.close()


def test_fifty_watches_need_little_memory(gate, odd, forward):
    """A gate with 50 watches: at most 30 MB (issue 7)."""
    event = b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"p"}}}\n'
    chunk = b"%x\r\n%s\r\n" % (len(event), event)
    odd.says["/api/v1/namespaces/a/pods"] = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
                                             lambda stream: stream.recv(1)]
    links = [Http(forward.port, 120) for _ in range(50)]
    answers = [link.send("GET", "/api/v1/namespaces/a/pods?watch=true") for link in links]
    assert {answer.readline() for answer in answers} == {event}
    largest = max(one.memory_kib() for one in gate.children("gate"))
    for link in links:
        link.close()
    print(f"50 watches: {largest} KiB")
    assert largest < 30 * 1024


def test_a_client_that_goes_ends_the_request_at_the_server(gate, odd, forward):
    gone = threading.Event()

    def wait(stream):
        stream.settimeout(60)
        try:
            while stream.recv(1):
                pass
        except OSError:
            pass
        gone.set()

    odd.says["/api/v1/namespaces/a/pods/p/log"] = [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n", wait]
    with socket.create_connection(("127.0.0.1", forward.port), 60) as link:
        link.sendall(b"GET /api/v1/namespaces/a/pods/p/log?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
    assert gone.wait(30)


@pytest.mark.kills
def test_without_a_ledger_nothing_goes_on(odd):
    """The request that is under way is told so, where nothing of its answer was said yet."""
    own = kube_bastion(odd, RULES)
    odd.says.clear()
    try:
        asked = threading.Event()
        odd.says[POD] = [lambda stream: (asked.set(), stream.recv(1))]
        with http_to(own.client("agent-7", principals=["agent"])) as link:
            seen = []
            thread = threading.Thread(target=lambda: seen.append(link("GET", POD)), daemon=True)
            thread.start()
            assert asked.wait(30)
            own.one("ledger").kill(signal.SIGKILL)
            thread.join(30)
            assert seen and seen[0][0] == 503 and causes(seen[0][1])["code"] == "recording_unavailable"
    finally:
        own.remove()


@pytest.mark.kills
def test_without_a_vault_connections_go_on_and_new_ones_come_back(odd):
    own = kube_bastion(odd, RULES)
    odd.says.clear()
    try:
        client = own.client("agent-7", principals=["agent"])
        with http_to(client) as link:
            assert link("GET", POD)[0] == 200
            own.one("vault").kill(signal.SIGKILL)
            assert link("GET", POD)[0] == 200  # the connector is its own
            other = Http(link.link.port)
            status, said = other("GET", f"{POD}/proxy/x")  # which needs a connection of its own
            assert status == 503 and causes(said)["code"] == "target_unavailable" and "connect again" in said["message"]
            other.close()
        def comes_back():
            with http_to(client) as again:
                return again("GET", POD)[0] == 200
        wait_until(comes_back, "a new connection works", 30, pause=0.2)
    finally:
        own.remove()
