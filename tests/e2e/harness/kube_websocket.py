"""WebSocket by hand: what a test wants, right or wrong."""
import base64
import hashlib
import json
import os
import socket
import struct


def accept(key):
    """What a server says to a client's key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def frame(opcode, payload, masked=False, first=0x80):
    n = len(payload)
    head = bytes([first | opcode])
    head += bytes([n | masked << 7]) if n < 126 else struct.pack(">BH", 126 | masked << 7, n) if n < 1 << 16 else struct.pack(
        ">BQ", 127 | masked << 7, n)
    key = os.urandom(4) if masked else b""
    return head + key + (bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if masked else payload)


class WebSocket:
    """A client that sends what it is told to, right or wrong."""

    def __init__(self, port, path, protocol="v4.channel.k8s.io", **fields):
        self.link = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream = self.link.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        head = {"Host": "x", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
                **({"Sec-WebSocket-Protocol": protocol} if protocol else {}), **fields}
        self.link.sendall(f"GET {path} HTTP/1.1\r\n".encode() + "".join(f"{n}: {v}\r\n" for n, v in head.items()).encode() + b"\r\n")
        self.status = int(self.stream.readline().split()[1])
        self.head = {}
        while line := self.stream.readline().strip().decode():
            name, value = line.split(": ", 1)
            self.head[name.lower()] = value
        if self.status == 101:
            assert self.head["sec-websocket-accept"] == accept(key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.link.close()

    def body(self):
        return json.loads(self.stream.read(int(self.head["content-length"])))

    def send(self, opcode, payload, masked=True, first=0x80):
        self.link.sendall(frame(opcode, payload, masked, first))

    def receive(self):
        """(opcode, payload); None at the end."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        n = head[1] & 127
        if n == 126:
            n = struct.unpack(">H", self.stream.read(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.stream.read(8))[0]
        return head[0] & 15, self.stream.read(n)

    def all(self):
        """{channel: bytes} up to the end, and the close's code."""
        got, code = {}, None
        while got_one := self.receive():
            opcode, payload = got_one
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if payload else 0
                self.send(8, payload[:2])
            elif opcode in (1, 2) and payload:
                got.setdefault(payload[0], []).append(payload[1:])
        return {channel: b"".join(parts) for channel, parts in got.items()}, code
