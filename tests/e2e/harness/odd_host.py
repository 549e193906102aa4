"""An SSH server (asyncssh) that asks for passwords in ways that no stock sshd can be made to. argv: its directory, its port.

How it asks goes by the user's name; what it is answered it appends to heard-USER. Every command says who runs it."""
import asyncio
import sys
from pathlib import Path

import asyncssh

DIRECTORY = Path(sys.argv[1])
PASSWORD = (DIRECTORY / "password").read_text()
HIDDEN, SHOWN = ("Password: ", False), ("User: ", True)
# user: the rounds of keyboard-interactive, each a list of questions
ROUNDS = {"prompt": [[HIDDEN]], "both": [[HIDDEN]], "talks": [[], [], [HIDDEN], [], []], "two": [[HIDDEN, ("Code: ", False)]], "shown": [[SHOWN]],
          "again": [[HIDDEN], [("Code: ", False)]], "endless": [[]] * 100, "refuses": []}
BY_PASSWORD = {"plain", "both", "late", "changes", "hangs"}


class Odd(asyncssh.SSHServer):
    def connection_made(self, conn):
        self.conn, self.user, self.round = conn, None, 0

    def begin_auth(self, username):
        self.user = username
        return username != "anybody"

    def heard(self, text):
        with open(DIRECTORY / f"heard-{self.user}", "a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    def public_key_auth_supported(self):
        return self.user == "keys"

    def password_auth_supported(self):
        return self.user in BY_PASSWORD

    async def validate_password(self, username, password):
        self.heard(password)
        if username == "late":
            while not (DIRECTORY / "go").exists():
                await asyncio.sleep(0.05)
        if username == "changes":
            raise asyncssh.PasswordChangeRequired("choose another one")
        if username == "hangs":
            self.conn.abort()
        return password == PASSWORD

    def kbdint_auth_supported(self):
        return self.user in ROUNDS

    def get_kbdint_challenge(self, username, lang, submethods):
        return self.next_round()

    def next_round(self):
        rounds = ROUNDS[self.user]
        if self.round == len(rounds):
            return self.round > 0
        self.round += 1
        return "", "", "", rounds[self.round - 1]

    def validate_kbdint_response(self, username, responses):
        for response in responses:
            self.heard(response)
            if response != PASSWORD:
                return False
        return self.next_round()


async def run(process):
    process.stdout.write(f"{process.get_extra_info('username')}\n")
    process.exit(3)


async def serve():
    await asyncssh.listen("127.0.0.1", int(sys.argv[2]), server_host_keys=[str(DIRECTORY / "host_ed25519")], server_factory=Odd,
                          process_factory=run)
    await asyncio.Event().wait()


asyncio.run(serve())
