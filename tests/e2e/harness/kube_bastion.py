"""A bastion in front of the tests' cluster, and HTTP through it as any client speaks it."""
import http.client
import http.server
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace

from .bastion import Bastion, settings
from .system import free_port, run


def kube_bastion(kube, rules, roles=None, target=None, **more):
    """Started; its target `prod` has the cluster's administrator as credential."""
    database = SimpleNamespace(port=free_port(), password=kube.admin_token)  # what must be nowhere
    configuration = settings(database, targets=[kube.target(**(target or {}))], rules=rules,
                             roles=roles or [{"name": "agent"}, {"name": "ops"}, {"name": "dba"}], **more)
    made = Bastion(database, configuration, credentials=False)
    made.put_secret("prod-token", kube.admin_token, "token")
    return made.start()


class Http:
    """One connection through a forward."""

    def __init__(self, port, timeout=60):
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def close(self):
        self.link.close()

    def send(self, method, path, body=None, kind="application/json", **headers):
        text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.link.request(method, path, text, {"Content-Type": kind, **fields} if text is not None else fields)
        return self.link.getresponse()

    def __call__(self, method, path, body=None, **more):
        """(status, object or text)"""
        answer = self.send(method, path, body, **more)
        text = answer.read().decode()
        return answer.status, json.loads(text) if answer.getheader("Content-Type", "").startswith("application/json") else text


@contextmanager
def http_to(client, target="prod", port=443):
    """A forward and one connection through it."""
    with client.forward(target, port) as forward:
        link = Http(forward.port)
        try:
            yield link
        finally:
            link.close()


def causes(status):
    """What a refusal says, part by part."""
    assert status["kind"] == "Status" and status["status"] == "Failure", status
    return {cause["reason"]: cause["message"] for cause in status["details"]["causes"]}


def kubectl_through(kube, port, *words, program="kubectl", **options):
    """The real client at a forwarded port, as after `kubectl proxy`."""
    argv = [kube.bin / program, f"--server=http://127.0.0.1:{port}", f"--cache-dir={kube.directory}/cache-{port}"]
    return run(*argv, *words, env=kube.environment(), **options)


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path[1:].encode())

    def log_message(self, *_):
        pass


@contextmanager
def hello():
    """A port, which pods have too, that answers with what it is asked for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
