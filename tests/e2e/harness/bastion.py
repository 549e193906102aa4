"""A Gatehouse of our own: state by `gatehouse init`, secrets by `gatehouse vault set`, run by `gatehouse serve`."""
import copy
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import yaml

from . import keys, processes
from .client import Client
from .system import GATEHOUSE, free_port, is_listening, must, run, stop, wait_until

EVERYTHING = ["select", "insert", "update", "delete", "explain", "show", "set", "transaction", "copy", "cursor",
              "lock", "listen", "notify"]
TROUBLE = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|signal=(SIG)?(4|6|7|8|11|31|ILL|ABRT|BUS|FPE|SEGV|SYS)\b")


def settings(postgres, **changes):
    """The configuration that most tests use; keyword arguments replace top-level keys."""
    def target(name, **keys_):
        return {"name": name, "kind": "postgres", "address": f"127.0.0.1:{postgres.port}", "database": "orders",
                "login": "app", "credential": "orders-app", "tls": "disable", **keys_}

    whole = {
        "listen": [f"127.0.0.1:{free_port()}"],
        "state": ".",
        "host_keys": ["host_ed25519"],
        "drain": "3s",
        "identity": {"user_ca": "user_ca"},
        "roles": [{"name": "agent"}, {"name": "ops"}, {"name": "auditor", "may": ["replay"]}],
        "targets": [target("orders"), target("bulk", login="bulk")],
        "rules": [
            {"name": "no-files", "targets": ["*"], "action": "deny", "reason": "reads or writes the server's files",
             "match": [{"statements": ["copy_program", "copy_file"]},
                       {"functions": ["pg_read_file", "lo_export", "dblink_exec"]}]},
            {"name": "no-drop", "roles": ["agent"], "targets": ["*"], "action": "deny",
             "match": {"statements": ["drop", "truncate", "alter", "grant"]}, "reason": "agents do not change the schema"},
            {"name": "no-mass-write", "roles": ["agent"], "targets": ["*"], "action": "deny",
             "match": {"unbounded_write": True}, "reason": "every row would change"},
            {"name": "agent-sql", "roles": ["agent"], "targets": ["orders", "bulk"], "action": "allow",
             "match": {"statements": EVERYTHING}},
            {"name": "ops-all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
        ],
        "recording": {"durability": "written", "retention": "90d", "output_limit": "64MiB"},
    }
    whole.update(copy.deepcopy(changes))
    return whole


class Bastion:
    def __init__(self, postgres, configuration=None, credentials=True):
        self.postgres = postgres
        self.directory = Path(tempfile.mkdtemp(prefix="gatehouse-e2e-"))
        self.directory.chmod(0o755)
        self.state = self.directory / "state"
        self.file = self.state / "gatehouse.yaml"
        self.home = self.directory / "agent"
        self.home.mkdir()
        self.log_path = self.directory / "log"
        self.configuration = configuration or settings(postgres)
        self.process = None
        self.transcript = []  # all that the agent's side ever saw
        self.before_start = 0  # of the log: what runs before this one said
        must(GATEHOUSE, "init", self.state)
        self.write()
        if credentials:
            self.put_secret("orders-app", postgres.password)

    # -- configuration and secrets

    def write(self, text=None):
        self.file.write_text(text or yaml.safe_dump(self.configuration, sort_keys=False), encoding="utf-8")

    def put_secret(self, name, value, kind="password"):
        must(GATEHOUSE, "vault", "set", "-c", self.file, name, "--type", kind, input=value)

    @property
    def port(self):
        return int(self.configuration["listen"][0].rsplit(":", 1)[1])

    @property
    def user_ca(self):
        return self.state / "user_ca"

    # -- life

    def start(self, seconds=30):
        self.before_start = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(GATEHOUSE), "serve", "-c", str(self.file)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.directory)
        wait_until(self._ready, "READY", seconds)
        return self

    def _ready(self):
        assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.log()}"
        return re.search(r"^READY$", self.log()[self.before_start:], re.M)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, seconds=10):
        return wait_until(lambda: re.search(pattern, self.log()), f"log line {pattern!r}", seconds)

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        """SIGHUP, and waits until the log tells how it went."""
        before = len(self.log())
        self.signal(signal.SIGHUP)
        wait_until(lambda: "reload" in self.log()[before:], "the log tells of the reload")
        return self.log()[before:]

    def stop(self):
        """Ends it and shows that nothing stays behind."""
        if not self.process:
            return
        there = processes.below(self.process.pid)
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                stop(self.process)
        try:
            wait_until(lambda: not any(p.alive() for p in there), "every process ended", 5)
        except AssertionError:
            left = [p for p in there if p.alive()]
            for process in left:
                process.kill(signal.SIGKILL)
            raise AssertionError(f"left behind: {left}\n{self.log()[-3000:]}") from None

    def left_as_it_was(self, kills=False):
        """What the fixture of a bastion that tests share yields from: each must leave it idle, with nobody dead that it did not kill."""
        known = len(self.trouble())
        yield self
        self.wait_idle()
        assert kills or self.trouble()[known:] == []

    def end(self, kills=False, secrets=(None,)):
        """Stops it and removes its files; fails when one of the secrets could be read where none may be, and, unless the tests kill
        processes, when one of them died."""
        try:
            self.stop()
            assert [leak for secret in secrets for leak in self.leaks(secret)] == []
            assert kills or self.trouble() == []
        finally:
            self.remove()

    def remove(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    # -- processes

    def processes(self, kind=None):
        found = processes.below(self.process.pid)
        return [p for p in found if kind is None or p.kind == kind]

    def children(self, kind):
        """The processes of single connections: forks of a zygote of the same kind."""
        same = self.processes(kind)
        pids = {p.pid for p in same}
        return [p for p in same if p.parent in pids]

    def one(self, kind):
        """The only process of a kind, or the zygote where there are children."""
        same = self.processes(kind)
        pids = {p.pid for p in same}
        first = [p for p in same if p.parent not in pids]
        assert len(first) == 1, f"{kind}: {first}"
        return first[0]

    def connections(self):
        return self.children("front") + self.children("gate")

    def wait_idle(self, seconds=10):
        wait_until(lambda: not self.connections(), f"connections end: {self.connections()}", seconds)

    def is_listening(self):
        return is_listening(self.port)

    # -- the agent's side

    def client(self, name="agent-7", kind="ed25519", **certificate):
        """A new key with a certificate of the bastion's own user CA."""
        key = keys.new_key(self.home / f"key-{len(list(self.home.iterdir()))}", kind)
        ca = certificate.pop("ca", self.user_ca)
        return Client(self, key, keys.certify(ca, key, name=name, **certificate))

    def client_with(self, key, certificate=None):
        return Client(self, key, certificate)

    def gatehouse(self, *words, **options):
        done = run(GATEHOUSE, *words, **options)
        self.transcript.append(f"{done.stdout}{done.stderr}")
        return done

    # -- what must never be seen

    def trouble(self):
        return [line for line in self.log().splitlines() if TROUBLE.search(line)]

    def leaks(self, secret=None):
        """Places where the secret, or else the database password, can be read."""
        needle = (secret or self.postgres.password).encode()
        found = [f"transcript: {text[:200]!r}" for text in self.transcript if needle.decode() in text]
        for path in self.directory.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 256 << 20 and needle in path.read_bytes():
                found.append(str(path))
        return found
