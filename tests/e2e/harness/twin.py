"""The same bytes sent to a server directly and through the bastion, and what came back from both, made comparable.

Two things alone are made equal, since two sessions of one server can't have them alike:
- object ids of what the exchanges create (the server counts them on for all databases): each is replaced by its place
  in the order of first sight. Ids that are older than the exchanges are equal on both sides, and compared as they are;
- the process id in a NotificationResponse: replaced by whose it is.
Everything else has to be the same byte, message by message. The cancel key (BackendKeyData) comes at login only, which
test_transparent.py compares in a test of its own."""
import struct
import time
from dataclasses import dataclass

from . import wire


@dataclass
class Step:
    """Bytes to send, and how far to read: up to `times` messages of the kind `until`."""
    send: bytes
    times: int = None
    until: str = "Z"
    other: bool = False    # by a second session of the same side
    cancel: bool = False   # a CancelRequest for the first session follows once the query is under way

    def __post_init__(self):
        if self.times is None:
            self.times = sum(1 for kind in kinds(self.send) if kind in "QS")


def kinds(messages):
    """The kinds of the messages that some bytes are."""
    at, found = 0, []
    while at < len(messages):
        found.append(chr(messages[at]))
        at += 1 + struct.unpack("!I", messages[at + 1:at + 5])[0]
    assert at == len(messages)
    return found


def steps_of(exchange):
    """A text is a simple query, bytes are messages, a list is several steps."""
    if isinstance(exchange, str):
        return [Step(wire.query(exchange))]
    if isinstance(exchange, bytes):
        return [Step(exchange)]
    if isinstance(exchange, Step):
        return [exchange]
    return [step for part in exchange for step in steps_of(part)]


class Twin:
    """One side: open(**settings) makes a logged-in wire.Wire, cancel_port is where a CancelRequest for it goes; before() runs before
    each play()."""

    def __init__(self, open_, cancel_port, newest_oid, before=lambda: None):
        self.before = before
        self.open = open_
        self.cancel_port = cancel_port
        self.newest_oid = newest_oid

    def play(self, exchanges, **settings):
        """For each exchange the list of what came back, comparable."""
        self.before()
        self.seen_oids = {}
        with self.open(**settings) as first, self.open(**settings) as second:
            self.owners = {first.key[0]: "first", second.key[0]: "second"}
            answers = []
            for exchange in exchanges:
                answers.append([])
                try:
                    self._exchange(exchange, first, second, answers[-1])
                except (EOFError, OSError) as fault:
                    answers[-1] += [self._comparable(*seen) for seen in first.seen] + [("end of the session", str(fault).encode())]
                    break
            return answers

    def _exchange(self, exchange, first, second, found):
        for step in steps_of(exchange):
            link = second if step.other else first
            link.send(step.send)
            if step.cancel:
                self._cancel(link)
            for _ in range(step.times):
                found += [self._comparable(kind, body) for kind, body in link.until(step.until)]

    def _cancel(self, link):
        time.sleep(0.3)
        with wire.Wire(self.cancel_port) as another:
            another.send(struct.pack("!II", 12 + len(link.key[1]), wire.CANCEL_REQUEST) + struct.pack("!I", link.key[0]) + link.key[1])
            another.ended()

    # -- what can't be alike

    def _oid(self, raw):
        number = struct.unpack("!I", raw)[0]
        if number <= self.newest_oid:
            return raw
        return b"#%03d" % self.seen_oids.setdefault(number, len(self.seen_oids))

    def _comparable(self, kind, body):
        if kind == "A":
            return kind, self.owners[struct.unpack("!I", body[:4])[0]].encode() + b":" + body[4:]
        if kind == "t":
            return kind, body[:2] + b"".join(self._oid(body[at:at + 4]) for at in range(2, len(body), 4))
        if kind == "T":
            at, out = 2, [body[:2]]
            while at < len(body):
                end = body.index(b"\0", at) + 1
                table, attribute, type_, rest = body[end:end + 4], body[end + 4:end + 6], body[end + 6:end + 10], body[end + 10:end + 18]
                out += [body[at:end], self._oid(table), attribute, self._oid(type_), rest]
                at = end + 18
            return kind, b"".join(out)
        return kind, body


def differences(name, exchanges, direct, through):
    """Texts, one for each exchange whose streams are not the same."""
    found = []
    for number, (exchange, one, other) in enumerate(zip(exchanges, direct, through)):
        if one == other:
            continue
        at = next((n for n, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other)))
        found.append(f"{name}[{number}] {str(exchange)[:200]}\n  message {at} of {len(one)} and {len(other)}\n"
                     f"  directly: {str(one[at:at + 3])[:400]}\n  through:  {str(other[at:at + 3])[:400]}")
    return found
