"""A host whose first output is here before its consent to the command: a fast one's may be in one packet with it."""
import socket
import threading

import paramiko
import pytest

from harness import hosts, keys
from harness.hosts import at, bastion_with
from harness.system import must

RULES = [{"name": "ops", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"}]


class Early(paramiko.ServerInterface):
    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username):
        return "publickey"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        channel.sendall(b"mail alice@example.com now\n")
        threading.Thread(target=self._end, args=(channel,), daemon=True).start()
        return True

    @staticmethod
    def _end(channel):
        channel.event.wait(0.2)  # its consent goes out first
        channel.send_exit_status(0)
        channel.close()


class Host:
    """As harness.hosts.Sshd to a bastion."""

    def __init__(self, directory):
        keys.new_key(directory / "host_ed25519")
        self.directory = directory
        self.key = paramiko.Ed25519Key(filename=str(directory / "host_ed25519"))
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(link)
            transport.add_server_key(self.key)
            transport.start_server(server=Early())

    def target(self, name, **more):
        return {"name": name, "kind": "ssh", "address": f"127.0.0.1:{self.socket.getsockname()[1]}", "login": hosts.LOGIN,
                "host_key": must("ssh-keygen", "-y", "-f", self.directory / "host_ed25519").strip(), **more}


@pytest.mark.asan
def test_output_before_the_consent_is_masked_and_not_lost(postgres, tmp_path):
    keys.new_key(tmp_path / "vault_key")
    host = Host(tmp_path)
    try:
        with bastion_with(postgres, host, tmp_path, rules=RULES, roles=[{"name": "ops"}],
                          masks=[{"name": "found", "detect": ["email"], "with": "redact"}]) as bastion:
            done = bastion.client("olga", principals=["ops"]).ssh("say", options=at("web1"))
        assert (done.stdout, done.returncode) == ("mail [masked:email] now\n", 0), done.stdout + done.stderr
    finally:
        host.socket.close()
