"""`host_ca`: hosts whose keys a CA has certified, by real sshd and ssh-keygen."""
import socket
import threading

import pytest

from harness import hosts, keys
from harness.bastion import Bastion, settings
from harness.hosts import at
from harness.system import must

RULES = [{"name": "ops", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"}]


class Doors:
    """Passes the first connection to one port, the next one to another, and so on by turns."""

    def __init__(self, *ports):
        self.ports, self.socket = ports, socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        turn = 0
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            other = socket.create_connection(("127.0.0.1", self.ports[turn % len(self.ports)]))
            turn += 1
            for a, b in ((one, other), (other, one)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass(a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()


def certify(place, sshd, kind, *options, ca="host_ca"):
    must("ssh-keygen", "-q", "-s", place / ca, "-h", "-I", "the host", *options, sshd / f"host_{kind}.pub")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = tmp_path_factory.mktemp("host_ca")
    for name in ("vault_key", "target_ca", "host_ca", "other_ca"):
        keys.new_key(made / name)
    return made


@pytest.fixture(scope="module")
def sshds(place):
    """good: ed25519 certificate; rsa, ecdsa: theirs; none: none; others by what is wrong with the certificate."""
    plan = {"good": ("ed25519", ["-n", "good,impostor"], "host_ca"), "rsa": ("rsa", ["-n", "127.0.0.1"], "host_ca"),
            "ecdsa": ("ecdsa", ["-n", "ecdsa"], "host_ca"), "other": ("ed25519", ["-n", "other"], "other_ca"),
            "old": ("ed25519", ["-n", "old", "-V", "-2d:-1d"], "host_ca"), "named": ("ed25519", ["-n", "somebody"], "host_ca"),
            "none": ("ed25519", None, None)}
    made = {}
    for name, (kind, options, ca) in plan.items():
        directory = place / name
        directory.mkdir()
        keys.new_key(directory / f"host_{kind}", kind)
        lines = []
        if options:
            certify(place, directory, kind, *options, ca=ca)
            lines = [f"HostCertificate {directory}/host_{kind}-cert.pub"]
        made[name] = hosts.Sshd(directory, kinds=(kind,), trusts=place / "target_ca.pub", settings=lines,
                                authorized=[(place / "vault_key.pub").read_text()])
    yield made
    for sshd in made.values():
        sshd.stop()


@pytest.fixture(scope="module")
def shared(postgres, place, sshds):
    doors = Doors(sshds["none"].port, sshds["good"].port)  # the login, and the look at the certificate
    line = (place / "host_ca.pub").read_text().strip()

    def target(name, sshd, **how):
        made = sshd.target(name, **{"credential": "web1-key", **how}, host_ca=line)
        del made["host_key"]
        return made
    targets = [target(name, sshd) for name, sshd in sshds.items()]
    by_ca = {**target("certified", sshds["rsa"]), "certificate_authority": "target-ca"}
    del by_ca["credential"]
    both = {**target("both", sshds["none"]), "host_key": sshds["none"].host_keys()}
    impostor = {**target("impostor", sshds["good"]), "address": f"127.0.0.1:{doors.port}"}
    made = Bastion(postgres, settings(postgres, targets=[*targets, by_ca, both, impostor], rules=RULES, roles=[{"name": "ops"}]))
    made.put_secret("web1-key", (place / "vault_key").read_text(), "ssh-key")
    made.put_secret("target-ca", (place / "target_ca").read_text(), "ssh-key")
    made.start()
    yield made
    try:
        made.end()
    finally:
        doors.close()


@pytest.fixture(scope="module")
def ops(shared):
    return shared.client("olga", principals=["ops"])


@pytest.mark.asan
@pytest.mark.parametrize("name", ["good", "rsa", "ecdsa", "certified", "both"])
def test_a_host_whose_key_is_certified_is_reached(shared, ops, name):
    done = ops.ssh("echo in; exit 3", options=at(name))
    assert (done.stdout, done.returncode) == ("in\n", 3), done.stderr + shared.log()[-2000:]


@pytest.mark.parametrize("name, why", [("other", "signed by a CA that is not among its host_ca"), ("old", "has expired"),
                                       ("named", "is not for"), ("none", "has no certificate")])
def test_any_other_host_is_refused(shared, ops, name, why):
    done = ops.ssh("echo in", options=at(name))
    assert done.returncode == 69 and done.stdout == "" and "code host_key_mismatch" in done.stderr
    shared.wait_log(f"target_login_refused.*target={name} .*{why}")


def test_who_shows_the_certificate_has_to_have_the_key(shared, ops):
    """Certificates are public: somebody in between shows the true host's, and then is another one."""
    done = ops.ssh("echo in", options=at("impostor"))
    assert done.returncode == 69 and done.stdout == "" and "code host_key_mismatch" in done.stderr
    shared.wait_log("target_login_refused.*target=impostor .*shown: ssh-ed25519.*pinned: ssh-ed25519")


def test_sessions_share_the_connection(shared, ops):
    with ops.master() as client:
        for i in range(3):
            assert client.must("ssh", "good", f"echo {i}") == f"{i}\n"
