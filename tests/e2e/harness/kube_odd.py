"""An "API server" that says what a test wants, to the letter: what a real one never does, or not when it is wanted."""
import socket
import ssl
import threading
from pathlib import Path
from types import SimpleNamespace

from .kube import Authority


class OddServer:
    """`says[PATH]` is a list of steps for requests of that path: bytes to send, or "close", or a callable that gets the socket. A
    request is known by its path, without the query. `seen` has them all, each with the number of its connection."""

    def __init__(self, directory):
        authority = Authority(Path(directory) / "odd-pki")
        certificate, key = authority.issue("odd", "/CN=odd", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth")
        self.ca, self.admin_token, self.directory = authority.ca, "odd-t0ken-of-nobody", Path(directory)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate, key)
        self.says, self.seen, self.links = {}, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def target(self, name="prod", **more):
        return {"name": name, "kind": "kubernetes", "address": f"https://127.0.0.1:{self.port}", "credential": f"{name}-token",
                "tls_ca": str(self.ca), **more}

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def by_link(self):
        """What was asked for, a list for each connection."""
        numbers = list(dict.fromkeys(one.link for one in self.seen))
        return [[one for one in self.seen if one.link == number] for number in numbers]

    def _serve(self, link):
        self.links += 1
        number = self.links
        try:
            with self.context.wrap_socket(link, server_side=True) as stream:
                reader = stream.makefile("rb")
                while self._one(stream, reader, number):
                    pass
        except OSError:
            pass

    def _one(self, stream, reader, number):
        line = reader.readline().decode()
        if not line:
            return False
        fields = {}
        while (text := reader.readline().decode().strip()):
            name, value = text.split(":", 1)
            fields[name.lower()] = value.strip()
        method, path, _ = line.split(" ", 2)
        body = reader.read(int(fields.get("content-length", 0)))
        self.seen.append(SimpleNamespace(link=number, method=method, path=path, fields=fields, body=body))
        for step in self.says.get(path.split("?")[0], [ok(b"{}")]):
            if step == "close":
                stream.unwrap()
                return False
            if callable(step):
                step(stream)
            else:
                stream.sendall(step)
        return True


def ok(body, kind="application/json", **fields):
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body
