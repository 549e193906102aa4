"""An OpenID provider that exists as a signing key only, and what opkssh makes of its tokens: PK tokens and SSH
certificates around them. Signatures by the openssl command."""
import base64
import hashlib
import json
import secrets
import time
from pathlib import Path

from . import keys
from .system import must


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    """JSON with sorted names and no blanks, as Go writes a map: what is hashed has to be the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Provider:
    """Signs ID tokens with RS256, and has a JWKS file for `jwks_file`."""

    def __init__(self, directory, issuer="https://op.example.com"):
        self.issuer = issuer
        self.key = Path(directory) / "op.pem"
        must("openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        modulus = must("openssl", "rsa", "-in", self.key, "-noout", "-modulus").strip().partition("=")[2]
        self.jwks = Path(directory) / "op.jwks"
        self.jwks.write_text(json.dumps({"keys": [{"kty": "RSA", "kid": "op-1", "use": "sig", "alg": "RS256",
                                                   "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}]}))

    def configuration(self, **changes):
        return {"name": "op", "issuer": self.issuer, "audience": "opkssh", "jwks_file": str(self.jwks), "openpubkey": True,
                "username_claim": "email", **changes}

    def token(self, nonce, **claims):
        """An ID token in compact form."""
        now = int(time.time())
        whole = {"iss": self.issuer, "aud": "opkssh", "sub": "1234", "email": "alice@example.com", "email_verified": True,
                 "groups": ["agents"], "iat": now, "exp": now + 600, "nonce": nonce, **claims}
        head = base64url(compact({"alg": "RS256", "kid": "op-1", "typ": "JWT"}))
        signed = f"{head}.{base64url(compact(whole))}"
        return f"{signed}.{base64url(openssl_sign(self.key, signed, 'rsa'))}"


def openssl_sign(key, text, kind):
    """The bare signature: for ECDSA DER, else as JWS has it."""
    if kind == "ed25519":
        source = Path(f"{key}.signed")
        source.write_text(text)
        return must_bytes("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", source)
    return must_bytes("openssl", "dgst", "-sha256", "-sign", key, input=text.encode())


def must_bytes(*words, **options):
    from .system import run
    done = run(*words, bytes=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def der_to_raw(der):
    """ECDSA-Sig-Value (RFC 3279 2.2.3) of P-256 to the 64 bytes of RFC 7518 3.4."""
    assert der[0] == 0x30
    first = der[4:4 + der[3]]
    at = 4 + der[3]
    second = der[at + 2:at + 2 + der[at + 1]]
    return first.lstrip(b"\0").rjust(32, b"\0") + second.lstrip(b"\0").rjust(32, b"\0")


class UserKey:
    """A key as opkssh makes them: for ssh, and for the client's half of a PK token."""

    def __init__(self, path, kind="ecdsa"):
        self.kind = kind
        self.path = keys.new_key(path, kind)
        self.pem = Path(f"{path}.pem")
        fields = fields_of(base64.b64decode(Path(f"{path}.pub").read_text().split()[1]))
        if kind == "ecdsa":
            point = fields[2]
            self.jwk = {"alg": "ES256", "crv": "P-256", "kty": "EC", "x": base64url(point[1:33]), "y": base64url(point[33:65])}
            self.pem.write_bytes(self.path.read_bytes())
            self.pem.chmod(0o600)
            must("ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-P", "", "-f", self.pem)
        else:
            self.jwk = {"alg": "EdDSA", "crv": "Ed25519", "kty": "OKP", "x": base64url(fields[1])}
            # RFC 8410 section 7: the seed behind a constant head.
            der = bytes.fromhex("302e020100300506032b657004220420") + seed_of(self.path)
            self.pem.write_text(f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END PRIVATE KEY-----\n")

    def sign(self, text):
        raw = openssl_sign(self.pem, text, self.kind)
        return raw if self.kind == "ed25519" else der_to_raw(raw)

    def header(self, **changes):
        """The client instance claims: the protected header of the user's own signature."""
        return {"alg": self.jwk["alg"], "rz": secrets.token_hex(32), "typ": "CIC", "upk": self.jwk, **changes}

    def pk_token(self, provider, header=None, nonce=None, signer=None, **claims):
        """PAYLOAD:OP-HEADER:OP-SIGNATURE:CIC-HEADER:CIC-SIGNATURE"""
        header = header or self.header()
        nonce = nonce or base64url(hashlib.sha3_256(compact(header)).digest())
        op_header, payload, op_signature = provider.token(nonce, **claims).split(".")
        own = base64url(compact(header))
        signature = base64url((signer or self).sign(f"{own}.{payload}"))
        return f"{payload}:{op_header}:{op_signature}:{own}:{signature}"

    def certificate(self, pk_token, principals=(), name="alice@example.com", validity="always:forever", options=()):
        """As opkssh makes it: signed by the key itself, without an end, all extensions."""
        return keys.certify(self.path, self.path, name=name, principals=principals, validity=validity, serial=0,
                            options=["extension:openpubkey-pkt=" + pk_token, *options])


def fields_of(blob):
    """The strings of an SSH wire form."""
    found = []
    while blob:
        n = int.from_bytes(blob[:4], "big")
        found.append(blob[4:4 + n])
        blob = blob[4 + n:]
    return found


def seed_of(path):
    """The 32 secret bytes in an unencrypted Ed25519 key of OpenSSH (PROTOCOL.key)."""
    text = "".join(line for line in Path(path).read_text().splitlines() if "KEY" not in line)
    blob = base64.b64decode(text)[len(b"openssh-key-v1\0"):]
    rest = fields_of_head(blob, 3)
    rest = rest[4:]  # one key
    rest = fields_of_head(rest, 1)
    secret = fields_of_head(rest, 0)[4:]  # the length of the private part
    secret = secret[8:]  # two times the same number, to check a passphrase
    secret = fields_of_head(secret, 2)
    return secret[4:36]


def fields_of_head(blob, count):
    """What is left behind so many strings."""
    for _ in range(count):
        n = int.from_bytes(blob[:4], "big")
        blob = blob[4 + n:]
    return blob
