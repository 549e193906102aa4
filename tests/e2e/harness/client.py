"""An agent's machine: a key, a certificate, a private ssh_config, and the stock ssh."""
import os
import signal
import subprocess
from contextlib import contextmanager

from .system import free_port, is_listening, must, run, stop, wait_until

SSH = "ssh"


class Client:
    def __init__(self, bastion, key, certificate=None):
        self.bastion = bastion
        self.key = key
        self.certificate = certificate
        self.known_hosts = bastion.home / "known_hosts"
        self.config = bastion.home / f"config-{key.name}-{len(list(bastion.home.iterdir()))}"
        self._write()

    def _write(self):
        host_key = must("ssh-keygen", "-y", "-f", self.bastion.state / "host_ed25519").strip()
        self.known_hosts.write_text(f"bastion {host_key}\n")
        lines = ["Host bastion", "  HostName 127.0.0.1", f"  Port {self.bastion.port}", "  HostKeyAlias bastion",
                 "  User agent", f"  IdentityFile {self.key}", "  IdentitiesOnly yes", "  IdentityAgent none",
                 f"  UserKnownHostsFile {self.known_hosts}", "  GlobalKnownHostsFile /dev/null",
                 "  StrictHostKeyChecking yes", "  ConnectTimeout 15"]
        if self.certificate:
            lines.append(f"  CertificateFile {self.certificate}")
        self.config.write_text("\n".join(lines) + "\n")

    def argv(self, *words, options=()):
        """The ssh command line; words follow the host name, options come before it."""
        return [SSH, "-F", str(self.config), *map(str, options), "bastion", *map(str, words)]

    def ssh(self, *words, options=(), **keywords):
        done = run(*self.argv(*words, options=options), **keywords)
        self.bastion.transcript += [out if isinstance(out, str) else out.decode(errors="replace")
                                    for out in (done.stdout, done.stderr) if out and len(out) < 1 << 20]
        return done

    def must(self, *words, **keywords):
        done = self.ssh(*words, **keywords)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n" + self.bastion.log()[-2000:]
        return done.stdout

    def psql(self, *words, target="orders", **keywords):
        """`ssh bastion psql TARGET …`; the words reach the far side as one line, so they are quoted."""
        return self.ssh("psql", target, *(quote(word) for word in words), **keywords)

    def start(self, *words, options=(), **keywords):
        keywords.setdefault("stdin", subprocess.DEVNULL)
        keywords.setdefault("stdout", subprocess.PIPE)
        keywords.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.argv(*words, options=options), **keywords)

    @contextmanager
    def running(self, *words, options=(), **keywords):
        process = self.start(*words, options=options, **keywords)
        try:
            yield process
        finally:
            stop(process)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()

    @contextmanager
    def forward(self, target="orders", port=5432, options=()):
        """ssh -N -L; yields a Forward. The probe for readiness opens no channel."""
        local = free_port()
        log = open(self.bastion.home / f"forward-{local}", "w+", encoding="utf-8")
        process = subprocess.Popen([SSH, "-F", str(self.config), "-N", "-o", "ExitOnForwardFailure=yes", *map(str, options),
                                    "-L", f"127.0.0.1:{local}:{target}:{port}", "bastion"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            def ready():
                assert process.poll() is None, (self.bastion.home / f"forward-{local}").read_text()
                return is_listening(local)
            wait_until(ready, "the forward listens", 20)
            yield Forward(self, local, process)
        finally:
            stop(process)
            log.close()

    @contextmanager
    def master(self, options=()):
        """One connection that many channels share (ControlMaster); yields a Client that uses it."""
        path = f"{self.bastion.directory}/cm-{os.urandom(3).hex()}"
        process = subprocess.Popen([SSH, "-F", str(self.config), "-N", "-M", "-S", path, *map(str, options), "bastion"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: os.path.exists(path) or process.poll() is not None, "the master is up", 20)
            shared = Client(self.bastion, self.key, self.certificate)
            with open(shared.config, "a", encoding="utf-8") as config:
                config.write(f"  ControlPath {path}\n")
            yield shared
        finally:
            stop(process)


class Forward:
    """A local port that leads to a target."""

    def __init__(self, client, port, process):
        self.client = client
        self.port = port
        self.process = process

    @property
    def dsn(self):
        # Names that the bastion has to replace: the agent knows neither the real login nor the database.
        return f"host=127.0.0.1 port={self.port} user=whoever dbname=whatever sslmode=disable connect_timeout=20"

    def psql(self, *words, **keywords):
        keywords.setdefault("env", {**clean_environment(), "PGCONNECT_TIMEOUT": "20"})
        done = run("psql", "-X", "-h", "127.0.0.1", "-p", self.port, "-U", "whoever", "-d", "whatever", *words, **keywords)
        self.client.bastion.transcript += [str(done.stdout)[:1 << 20], str(done.stderr)[:1 << 20]]
        return done

    def query(self, sql):
        """One statement by psql; the bare rows."""
        done = self.psql("-At", "-c", sql)
        assert done.returncode == 0, f"{sql}: {done.stderr}"
        return done.stdout.strip()


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def quote(word):
    return "'" + str(word).replace("'", "'\\''") + "'"


def interrupt(process):
    process.send_signal(signal.SIGINT)
