"""OpenSSH's own server takes the certificates that enroll@ gives, and a revocation list means the same to both."""
import getpass
import os
import subprocess

import pytest

from harness import enrol, keys, tokens
from harness.system import free_port, is_listening, must, run, stop, wait_until

KINDS = ["ed25519", "ecdsa", "rsa"]


class Sshd:
    """On a port of its own; trusts the bastion's user CA, for the principal agent."""

    def __init__(self, bastion, directory):
        self.directory, self.port, self.krl = directory, free_port(), directory / "revoked.krl"
        must("ssh-keygen", "-q", "-k", "-f", self.krl, "/dev/null")
        (directory / "principals").write_text("agent\n", encoding="utf-8")
        config = directory / "sshd_config"
        config.write_text(f"""
            ListenAddress 127.0.0.1:{self.port}
            HostKey {keys.new_key(directory / 'host')}
            PidFile none
            StrictModes no
            UsePAM no
            PermitRootLogin yes
            AuthenticationMethods publickey
            AuthorizedKeysFile none
            TrustedUserCAKeys {bastion.user_ca}.pub
            AuthorizedPrincipalsFile {directory}/principals
            RevokedKeys {self.krl}
            """, encoding="utf-8")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL,
                                        stderr=(directory / "log").open("w", encoding="utf-8"))
        wait_until(lambda: is_listening(self.port), "sshd listens")

    def takes(self, client):
        done = run("ssh", "-F", "none", "-T", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                   "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i", client.key,
                   "-o", f"CertificateFile={client.certificate}", "-p", self.port, f"{getpass.getuser()}@127.0.0.1",
                   "echo in")
        return done.returncode == 0 and done.stdout == "in\n"

    def log(self):
        return (self.directory / "log").read_text(encoding="utf-8")


@pytest.fixture
def bastion(new_bastion):
    bastion = new_bastion(start=False, identity=tokens.identity(), roles=tokens.roles())
    must("ssh-keygen", "-q", "-k", "-f", bastion.state / "revoked.krl", "/dev/null")
    (bastion.state / "revoked.krl").chmod(0o644)
    bastion.configuration["identity"]["revoked"] = "revoked.krl"
    bastion.write()
    return bastion.start()


@pytest.fixture
def sshd(bastion, tmp_path):
    server = Sshd(bastion, tmp_path)
    yield server
    stop(server.process)


def member(bastion, name="agent-7", kind="ed25519"):
    return enrol.enrolled(bastion, enrol.mint(bastion, sub=name), kind)


def knows(bastion, client):
    return client.ssh("whoami").returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_sshd_takes_a_certificate_of_every_key_type(bastion, sshd, kind):
    client = member(bastion, kind=kind)
    assert sshd.takes(client), sshd.log()
    assert "ID local/agent-7 (serial " in sshd.log()


def test_one_revocation_list_shuts_out_the_same_people_at_both(bastion, sshd, tmp_path):
    eve, adam, cain = (member(bastion, name) for name in ("eve", "adam", "cain"))
    assert all(sshd.takes(client) and knows(bastion, client) for client in (eve, adam, cain)), sshd.log()
    serial = enrol.listing(cain.certificate)["Serial"]
    (tmp_path / "spec").write_text(f"id: local/eve\nserial: {serial}\n", encoding="utf-8")
    must("ssh-keygen", "-q", "-k", "-f", sshd.krl, "-s", f"{bastion.user_ca}.pub", tmp_path / "spec")
    new = bastion.state / "revoked.new"
    new.write_bytes(sshd.krl.read_bytes())
    new.chmod(0o644)
    new.rename(bastion.state / "revoked.krl")
    wait_until(lambda: not knows(bastion, eve), "the list is in force")
    assert [sshd.takes(client) for client in (eve, adam, cain)] == [False, True, False], sshd.log()
    assert [knows(bastion, client) for client in (eve, adam, cain)] == [False, True, False]
