"""SSH servers to be targets: OpenSSH's sshd and dropbear, each on a port of its own, and what the configuration says of them."""
import getpass
import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from . import keys
from .bastion import Bastion, settings
from .system import free_port, is_listening, must, run, stop, wait_until

LOGIN = getpass.getuser()

RULES = [{"name": "all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
         {"name": "no-reboot", "roles": ["agent"], "targets": ["*"], "match": {"commands": ["reboot*"]}, "action": "deny",
          "reason": "hosts stay up"},
         {"name": "agents", "roles": ["agent"], "targets": ["web1"], "match": {"channels": ["exec"]}, "action": "allow"}]


def at(target):
    """Options of ssh: the user name that leads to this target."""
    return ["-l", target]


def last_recording(client, target="web1"):
    return json.loads(client.must("sessions", "--json", "--target", target).splitlines()[-1])["id"]


def events(client, recording):
    return [json.loads(line) for line in client.must("replay", recording, "--events").splitlines()]


@contextmanager
def bastion_with(postgres, sshd, place, targets=("web1",), target_keys=None, **changes):
    """A bastion of its own whose targets are this sshd, by the vault's key in `place`."""
    made = Bastion(postgres, settings(postgres, targets=[sshd.target(name, credential="web1-key", **target_keys or {})
                                                          for name in targets], **changes))
    made.put_secret("web1-key", (place / "vault_key").read_text(), "ssh-key")
    made.start()
    try:
        yield made
        made.stop()
        assert made.trouble() == []
    finally:
        made.remove()


class Sshd:
    """`trusts` is a CA's public key file; `authorized` a list of public key lines; `settings` win over those below; `matches` are Match blocks."""

    def __init__(self, directory, trusts=None, authorized=(), kinds=("ed25519",), port=None, settings=(), environment=None, matches=()):
        self.environment = {**os.environ, **(environment or {})}
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.kinds = kinds
        for kind in kinds:
            if not (self.directory / f"host_{kind}").exists():
                keys.new_key(self.directory / f"host_{kind}", kind)
        (self.directory / "authorized").write_text("".join(f"{line.strip()}\n" for line in authorized))
        self.config = self.directory / "sshd_config"
        lines = [*settings, f"ListenAddress 127.0.0.1:{self.port}", "PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes",
                 "AuthenticationMethods publickey", "AcceptEnv LANG LC_*", "Subsystem sftp internal-sftp", "PrintMotd no",
                 "PrintLastLog no", f"AuthorizedKeysFile {self.directory}/authorized", "MaxStartups 500", "MaxSessions 100",
                 *(f"HostKey {self.directory}/host_{kind}" for kind in kinds)]
        if trusts:
            lines.append(f"TrustedUserCAKeys {trusts}")
        lines += matches
        self.config.write_text("\n".join(lines) + "\n")
        self.process = None
        self.start()

    def start(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with open(self.directory / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(self.config)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment)
        wait_until(lambda: is_listening(self.port), "sshd listens")

    def log(self):
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    def host_keys(self, kinds=None):
        return [(self.directory / f"host_{kind}.pub").read_text().strip() for kind in kinds or self.kinds]

    def target(self, name, **more):
        """As gatehouse.yaml has it; `credential` or `certificate_authority` comes with more."""
        return {"name": name, "kind": "ssh", "address": f"127.0.0.1:{self.port}", "login": LOGIN, "host_key": self.host_keys(), **more}

    def stop(self):
        if self.process:
            run("pkill", "-KILL", "-P", self.process.pid)  # the sessions' processes, ours alone
            stop(self.process)


class Dropbear:
    """Reads the authorized keys of a home directory: one of its own, which only root can give it."""

    def __init__(self, directory, port=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        must("dropbearkey", "-t", "ed25519", "-f", self.directory / "host")
        self.process = subprocess.Popen(["/usr/sbin/dropbear", "-F", "-E", "-r", str(self.directory / "host"), "-p",
                                         f"127.0.0.1:{self.port}", "-P", str(self.directory / "pid")],
                                        stdin=subprocess.DEVNULL, stderr=open(self.directory / "log", "a", encoding="utf-8"))
        wait_until(lambda: is_listening(self.port), "dropbear listens")

    def host_keys(self):
        text = must("dropbearkey", "-y", "-f", self.directory / "host")
        return [line for line in text.splitlines() if line.startswith("ssh-")]

    def target(self, name, **more):
        return {"name": name, "kind": "ssh", "address": f"127.0.0.1:{self.port}", "login": LOGIN, "host_key": self.host_keys(), **more}

    def stop(self):
        run("pkill", "-KILL", "-P", self.process.pid)
        stop(self.process)
