"""Hosts that take passwords.

The real sshd knows nobody but this machine's accounts, and those are left alone: Debian's libnss-wrapper shows it a passwd and a shadow file of
the test's own, with one account in it, and libpam-wrapper a PAM service that asks for the password (keyboard-interactive). What no stock sshd can
be made to ask is asked by `odd_host.py`."""
import os
import pwd
import subprocess
import sys
from pathlib import Path

from . import keys
from .hosts import Sshd
from .system import free_port, is_listening, must, stop, wait_until

ACCOUNT = "appliance"


def _module(name):
    found = sorted(Path("/usr/lib").glob(f"*/pam_wrapper/{name}.so"))
    assert found, "Debian's libpam-wrapper is missing"
    return found[0]


def _accounts(directory, password):
    """The files, and the environment that shows them."""
    separation = pwd.getpwnam("sshd")
    lines = [f"{ACCOUNT}:x:{os.getuid()}:{os.getgid()}::{directory}:/bin/sh",
             f"sshd:x:{separation.pw_uid}:{separation.pw_gid}::/run/sshd:/usr/sbin/nologin"]
    hashed = must("openssl", "passwd", "-6", "-stdin", input=password).strip()
    (directory / "passwd").write_text("\n".join(lines) + "\n")
    (directory / "group").write_text(f"{ACCOUNT}:x:{os.getgid()}:\nnogroup:x:{separation.pw_gid}:\n")
    (directory / "shadow").write_text(f"{ACCOUNT}:{hashed}:19000:0:99999:7:::\n")
    return {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_PASSWD": str(directory / "passwd"),
            "NSS_WRAPPER_GROUP": str(directory / "group"), "NSS_WRAPPER_SHADOW": str(directory / "shadow")}


def sshd_by_password(directory, password, ca):
    """PasswordAuthentication, nothing else. The CA has certified its host key for the target `certified`."""
    directory.mkdir(parents=True)
    keys.new_key(directory / "host_ed25519")
    must("ssh-keygen", "-q", "-s", ca, "-h", "-I", "the host", "-n", "certified", directory / "host_ed25519.pub")
    return Sshd(directory, environment=_accounts(directory, password),
                settings=[f"HostCertificate {directory}/host_ed25519-cert.pub", "LogLevel VERBOSE", "AuthenticationMethods password", "PasswordAuthentication yes", "KbdInteractiveAuthentication no"])


def sshd_by_pam(directory, password):
    """KbdInteractiveAuthentication by PAM, nothing else."""
    directory.mkdir(parents=True)
    matrix, service = _module("pam_matrix"), directory / "pam"
    service.mkdir()
    (directory / "passdb").write_text(f"{ACCOUNT}:{password}:sshd\n")
    (service / "sshd").write_text("".join(f"{kind} required {matrix} passdb={directory}/passdb\n" for kind in ("auth", "account", "session")))
    environment = _accounts(directory, password)
    environment["LD_PRELOAD"] += ":libpam_wrapper.so"
    return Sshd(directory, environment={**environment, "PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": str(service)},
                settings=["LogLevel VERBOSE", "UsePAM yes", "AuthenticationMethods keyboard-interactive", "PasswordAuthentication no",
                          "KbdInteractiveAuthentication yes"])


class OddHost:
    """odd_host.py in a process of its own: how it asks goes by the user's name, what it heard is in a file."""

    def __init__(self, directory, password):
        self.directory = directory
        directory.mkdir(parents=True)
        self.port = free_port()
        keys.new_key(directory / "host_ed25519")
        (directory / "password").write_text(password)
        with open(directory / "log", "ab") as log:
            self.process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("odd_host.py")), str(directory), str(self.port)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: is_listening(self.port), "the odd host listens", 30)

    def heard(self, user):
        """Passwords and answers that came for this user."""
        path = self.directory / f"heard-{user}"
        return path.read_text().splitlines() if path.exists() else []

    def release(self):
        (self.directory / "go").touch()

    def target(self, user, **more):
        return {"name": user, "kind": "ssh", "address": f"127.0.0.1:{self.port}", "login": user,
                "host_key": (self.directory / "host_ed25519.pub").read_text().strip(), **more}

    def stop(self):
        stop(self.process)


def memory_holds(process, needle):
    """Whether the bytes are anywhere in what the process may write to: heap, stack, data. It has to be there."""
    with open(f"/proc/{process.pid}/maps", encoding="ascii") as maps, open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            words = line.split()
            if not words[1].startswith("rw") or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            first, last = (int(word, 16) for word in words[0].split("-"))
            try:
                memory.seek(first)
                content = memory.read(last - first)
            except OSError:
                continue
            if needle in content:
                return True
    return False
