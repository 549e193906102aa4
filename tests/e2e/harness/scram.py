"""SCRAM-SHA-256 (RFC 5802, 7677) for the raw client: the direct connections of test_transparent log in with it."""
import base64
import hashlib
import hmac
import secrets
import struct

from . import wire


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _sasl(body):
    return wire.message(b"p", body)


def login(link, password, user, database, **parameters):
    """Logs a fresh wire.Wire in at a server that asks for SCRAM; returns all that came after AuthenticationOk."""
    link.send(wire.startup(user=user, database=database, **parameters))
    early = []  # NegotiateProtocolVersion comes before the server asks for anything
    kind, body = link.receive()
    while kind != "R":
        early.append((kind, body))
        kind, body = link.receive()
    assert struct.unpack("!I", body[:4])[0] == 10 and b"SCRAM-SHA-256\0" in body, body
    nonce = secrets.token_urlsafe(18)
    first = f"n=,r={nonce}"
    link.send(_sasl(wire.text("SCRAM-SHA-256") + struct.pack("!I", len(first) + 3) + b"n,," + first.encode()))
    kind, body = link.receive()
    assert kind == "R", wire.fields(body)
    challenge = body[4:].decode()
    words = dict(word.split("=", 1) for word in challenge.split(","))
    assert words["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(words["s"]), int(words["i"]))
    bare = f"c=biws,r={words['r']}"
    whole = f"{first},{challenge},{bare}"
    key = _mac(salted, "Client Key")
    proof = bytes(a ^ b for a, b in zip(key, _mac(hashlib.sha256(key).digest(), whole)))
    link.send(_sasl(f"{bare},p={base64.b64encode(proof).decode()}".encode()))
    kind, body = link.receive()
    assert kind == "R", wire.fields(body)
    assert body[4:].decode() == "v=" + base64.b64encode(_mac(_mac(salted, "Server Key"), whole)).decode()
    return early + link.until("Z")
