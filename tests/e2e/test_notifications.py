"""Webhooks: who is told that somebody waits for an approval, and what came of it. The server is a real one, with TLS."""
import hashlib
import hmac
import json
import signal
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.bastion import Bastion, settings
from harness.holding import Operator
from harness.system import free_port, wait_until

KEY = b"0123456789abcdef0123456789abcdef"


class Hook:
    """Keeps what is posted; answers 500 as often as it is told to."""

    def __init__(self, certificate, key):
        self.posted, self.failures = [], 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fails = hook.failures > 0
                hook.failures -= fails
                hook.posted.append((self.path, dict(self.headers), body, not fails))
                self.send_response(500 if fails else 204)
                self.end_headers()

            def log_message(self, *words):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.server.server_port}"

    def to(self, path, event=None, request=None):
        """What has arrived there, as bodies."""
        found = [json.loads(body) for where, _, body, ok in list(self.posted) if ok and where == path]
        return [one for one in found if (event is None or one.get("event") == event) and (request is None or one.get("request") == request)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def hook(tls_files):
    made = Hook(tls_files[1], tls_files[2])
    yield made
    made.close()


@pytest.fixture(scope="module")
def told(postgres, hook, tls_files):
    rules = [{"name": "removal", "roles": ["agent"], "targets": ["orders"], "match": {"statements": ["delete"]}, "action": "approve",
              "approve": {"by": ["dba"], "wait": "10m"}, "reason": "rows go for good"},
             {"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}]
    ca = str(tls_files[0])
    made = Bastion(postgres, settings(postgres, rules=rules, roles=[{"name": "agent"}, {"name": "dba"}], notify=[
        {"webhook": f"{hook.url}/plain", "tls_ca": ca, "secret": "hook.key"},
        {"webhook": f"{hook.url}/slack", "tls_ca": ca, "form": "slack", "on": ["approval_requested"]},
        {"webhook": f"{hook.url}/whole", "tls_ca": ca, "include_statement": True, "on": ["approval_requested"]},
        {"webhook": f"{hook.url}/others", "tls_ca": ca, "targets": ["bulk"]}]), credentials=False)
    (made.state / "notify").mkdir(mode=0o700, exist_ok=True)
    (made.state / "notify/hook.key").write_bytes(KEY)
    (made.state / "notify/hook.key").chmod(0o600)
    made.put_secret("orders-app", postgres.password)
    made.start()
    postgres.query("set role app; create table told (id int primary key, text text)")
    yield made
    try:
        made.end()
    finally:
        postgres.query("drop table told")


@pytest.fixture(scope="module")
def anna(told):
    with told.client("local/anna", principals=["dba"]).master() as client:
        yield Operator(client)


@pytest.fixture
def request_of(told, anna, hook):
    """A request that waits, denied at the end of the test; and that is told, so that the next test finds nothing under way."""
    with told.client("local/agent-7", principals=["agent"]).running("psql", "orders", "-c", "'delete from told where text = $$hush$$'") as process:
        made = anna.open("delete from told")
        yield made["id"]
        anna.client.ssh("deny", made["id"])
        process.wait(20)
        wait_until(lambda: hook.to("/plain", "approval_decided", made["id"]), "told of the decision", 20)


def test_a_request_and_its_decision_are_told_and_signed(hook, anna, request_of):
    asked = wait_until(lambda: hook.to("/plain", "approval_requested", request_of), "told", 20)[0]
    assert (asked["identity"], asked["target"], asked["rule"], asked["by"]) == ("local/agent-7", "orders", "removal", ["dba"])
    assert "statement" not in asked and "hush" not in json.dumps(asked)
    anna.deny(request_of, "--reason", "'keep them'")
    decided = wait_until(lambda: hook.to("/plain", "approval_decided", request_of), "told of the decision", 20)[0]
    assert (decided["decision"], decided["deciders"], decided["comment"]) == ("denied", ["local/anna"], "keep them")
    for path, headers, body, _ in hook.posted:
        if path != "/plain":
            assert "Gatehouse-Signature" not in headers
            continue
        parts = dict(part.split("=", 1) for part in headers["Gatehouse-Signature"].split(","))
        assert abs(time.time() - int(parts["t"])) < 300
        wanted = hmac.new(KEY, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(parts["v1"], wanted)


def test_each_webhook_gets_what_it_asked_for(hook, request_of):
    whole = wait_until(lambda: hook.to("/whole", "approval_requested", request_of), "told", 20)[0]
    assert whole["statement"] == "delete from told where text = $$hush$$"
    slack = wait_until(lambda: [one for one in hook.to("/slack") if request_of in one["text"]], "told", 20)[0]
    assert list(slack) == ["text"] and "hush" not in slack["text"]
    assert hook.to("/others") == []


def test_a_webhook_that_fails_is_tried_again_and_holds_up_nobody(hook, anna, told):
    hook.failures = 100
    with told.client("local/agent-7", principals=["agent"]).running("psql", "orders", "-c", "'delete from told where id = 7'") as process:
        request = anna.open("id = 7")
        wait_until(lambda: [one for one in list(hook.posted) if one[0] == "/plain" and request["id"].encode() in one[2] and not one[3]],
                   "it has failed once", 20)
        anna.approve(request["id"])
        assert process.wait(30) == 0
        assert process.stdout.read() == b"DELETE 0\n"
    hook.failures = 0
    wait_until(lambda: hook.to("/plain", "approval_decided", request["id"]), "told in the end", 60)
    tries = [json.loads(body)["id"] for path, _, body, _ in hook.posted if path == "/plain" and request["id"].encode() in body]
    assert len(tries) > len(set(tries))  # the same event, more than once
    told.wait_log("webhook_failed")
    assert hook.url not in told.log()


@pytest.mark.kills
def test_a_courier_that_dies_loses_nothing_that_waits(hook, anna, told):
    hook.failures = 2
    with told.client("local/agent-7", principals=["agent"]).running("psql", "orders", "-c", "'delete from told where id = 8'") as process:
        request = anna.open("id = 8")
        told.one("courier").kill(signal.SIGKILL)
        wait_until(lambda: hook.to("/plain", "approval_requested", request["id"]), "told by the next courier", 60)
        anna.approve(request["id"])
        assert process.wait(30) == 0
