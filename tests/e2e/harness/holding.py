"""Statements that wait for people, and the people."""
import json
import threading

from .system import wait_until
from .wire import Wire, fields


class Operator:
    """Somebody who decides, over one SSH connection (a Client with a master)."""

    def __init__(self, client):
        self.client = client

    def list(self, *words):
        return [json.loads(line) for line in self.client.must("approvals", "--json", *words).splitlines() if line]

    def open(self, statement=None, n=1, seconds=20):
        """The open request for this statement (or the only one), once it is there; several: a list."""
        def found():
            all_ = [one for one in self.list() if one["state"] == "open" and (statement is None or statement in one["statement"])]
            return all_ if len(all_) == n else None
        requests = wait_until(found, f"{n} open request(s) for {statement}", seconds, pause=0.05)
        return requests[0] if n == 1 else requests

    def state(self, request):
        return self.list(request)[0]["state"]

    @staticmethod
    def state_in(output):
        return next((json.loads(line)["state"] for line in output.splitlines() if line), None)

    def approve(self, request, *words):
        return self.client.must("approve", request, *words)

    def deny(self, request, *words):
        return self.client.must("deny", request, *words)


class Asking:
    """Messages on a connection of their own, whose answer is read by a thread of its own."""

    def __init__(self, link, *messages, until="Z"):
        self.link, self.seen, self.fault, self.end = link, None, None, until
        link.send(*messages)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            self.seen = self.link.until(self.end)
        except (OSError, EOFError) as fault:
            self.fault = fault

    def answer(self, seconds=30):
        """(kinds without notices, the messages)"""
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"no answer; so far: {self.link.seen}"
        if self.fault:
            raise self.fault
        return "".join(kind for kind, _ in self.seen if kind != "N"), self.seen

    def waits(self):
        return self.thread.is_alive()


def notices_of(seen):
    return [fields(body) for kind, body in seen if kind == "N"]


def log_in(forward, seconds=60, **parameters):
    return Wire(forward.port, seconds).login(**parameters)
