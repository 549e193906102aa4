"""A PostgreSQL client of bytes, for what no driver would send."""
import socket
import struct

PROTOCOL_3_0 = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def startup(version=PROTOCOL_3_0, **parameters):
    parameters = {"user": "whoever", "database": "whatever", **parameters}
    body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in parameters.items()) + b"\0"
    return struct.pack("!II", len(body) + 8, version) + body


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b"\0"


def query(sql):
    return message(b"Q", text(sql))


def parse(sql, name=""):
    return message(b"P", text(name) + text(sql) + struct.pack("!H", 0))


def bind(name="", portal="", values=()):
    body = text(portal) + text(name) + struct.pack("!HH", 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
    return message(b"B", body + struct.pack("!H", 0))


def describe(name="", what=b"S"):
    return message(b"D", what + text(name))


def execute(portal="", rows=0):
    return message(b"E", text(portal) + struct.pack("!I", rows))


def close(name="", what=b"S"):
    return message(b"C", what + text(name))


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")


def fields(body):
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def cancel(key):
    return struct.pack("!III", 12 + len(key[1]), CANCEL_REQUEST, key[0]) + key[1]


class Wire:
    def __init__(self, port, seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.key = None
        self.seen = []  # of the last until(), also when the connection ended in it
        self.parameters = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def read(self, n):
        data = b""
        while len(data) < n:
            chunk = self.socket.recv(n - len(data))
            if not chunk:
                raise EOFError(data)
            data += chunk
        return data

    def ended(self):
        """True when the other side closes without another byte that matters."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def receive(self):
        kind = self.read(1)
        return kind.decode(), self.read(struct.unpack("!I", self.read(4))[0] - 4)

    def until(self, kind="Z"):
        """All messages up to and with the first of that kind."""
        self.seen = []
        while True:
            self.seen.append(self.receive())
            if self.seen[-1][0] == kind:
                return self.seen

    def login(self, **parameters):
        self.send(startup(**parameters))
        return self.take(self.until("Z"))

    def take(self, seen):
        """Keeps what the server tells at login."""
        for kind, body in seen:
            if kind == "K":
                self.key = struct.unpack("!I", body[:4])[0], body[4:]
            if kind == "S":
                name, value = body.rstrip(b"\0").split(b"\0", 1) if b"\0" in body.rstrip(b"\0") else (body.rstrip(b"\0"), b"")
                self.parameters[name.decode()] = value.decode()
        return self

    def ask(self, *messages):
        """Sends and reads up to ReadyForQuery: (kinds as one string, the messages)."""
        self.send(*messages)
        seen = self.until("Z")
        return "".join(kind for kind, _ in seen), seen


def error_of(seen):
    return next(fields(body) for kind, body in seen if kind == "E")


def state_of(seen):
    """I: idle, T: in a transaction, E: in a failed one."""
    return seen[-1][1].decode()


def rows_of(seen):
    """DataRows, each a list of values."""
    rows = []
    for kind, body in seen:
        if kind != "D":
            continue
        count, at, row = struct.unpack("!H", body[:2])[0], 2, []
        for _ in range(count):
            size = struct.unpack("!i", body[at:at + 4])[0]
            at += 4
            row.append(None if size < 0 else body[at:at + size].decode())
            at += max(size, 0)
        rows.append(row)
    return rows
