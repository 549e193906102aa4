"""Tokens of an issuer whose private key the test has, good and bad ones; signed by the openssl command."""
import base64
import json
import os
import subprocess
import time

from .enrol import LOCAL
from .system import must

AUDIENCE = "gatehouse"
ISSUER = "https://idp.example.com"


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Key:
    """An RSA key of an identity provider that exists in this test alone."""

    def __init__(self, directory, kid="k1"):
        self.kid = kid
        self.path = directory / f"provider-{kid}.pem"
        must("openssl", "genrsa", "-out", self.path, "2048")
        self.public = must("openssl", "rsa", "-in", self.path, "-pubout")
        modulus = must("openssl", "rsa", "-in", self.path, "-noout", "-modulus").strip().partition("=")[2]
        self.jwk = {"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "e": "AQAB", "n": part(bytes.fromhex(modulus))}

        self.jwks = directory / "keys.json"
        self.jwks.write_text(json.dumps({"keys": [self.jwk]}))

    def configuration(self):
        return {"name": "keys", "issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(self.jwks)}

    def sign(self, raw):
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.path)], input=raw, capture_output=True,
                              check=True, timeout=30)
        return done.stdout

    def token(self, header=None, signature=None, **claims):
        """Good unless told otherwise; a claim of None is left out. signature: instead of ours."""
        now = int(time.time())
        body = {"iss": ISSUER, "sub": "agent-7", "aud": AUDIENCE, "iat": now, "exp": now + 300,
                "groups": ["agents"], "jti": os.urandom(8).hex(), **claims}
        body = {name: value for name, value in body.items() if value is not None}
        head = {"alg": "RS256", "typ": "JWT", "kid": self.kid, **(header or {})}
        signed = f"{part(head)}.{part(body)}"
        return f"{signed}.{part(self.sign(signed.encode()) if signature is None else signature)}"


def identity(*issuers, **changes):
    """The section `identity` of the configuration, with the local issuer and these."""
    return {"user_ca": "user_ca", "issuers": [LOCAL, *issuers], **changes}


def roles(*issuers):
    """agent: of the local issuer; reader: of the one with a key here, if it is configured; the others by principals."""
    return [{"name": "agent", "match": {"issuer": "local", "groups": ["agents"]}},
            *({"name": "reader", "match": {"issuer": one["name"], "groups": ["agents"]}} for one in issuers),
            {"name": "operator", "may": ["revoke"]},
            {"name": "ops"}]
