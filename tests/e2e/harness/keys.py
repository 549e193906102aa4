"""User keys and certificates, made by the real ssh-keygen."""
import os
from pathlib import Path

from .system import must

BITS = {"rsa": ["-b", "2048"], "ecdsa": ["-b", "256"], "ecdsa-384": ["-b", "384"], "ecdsa-521": ["-b", "521"]}


def new_key(path, kind="ed25519"):
    """kind: ed25519, rsa, ecdsa, ecdsa-384, ecdsa-521. Returns the private key's path."""
    must("ssh-keygen", "-q", "-t", kind.split("-")[0], *BITS.get(kind, []), "-N", "", "-C", Path(path).name, "-f", path)
    return Path(path)


def certify(ca, key, name="agent-7", principals=("agent",), validity="-5m:+1h", serial=1, options=(), host=False,
            algorithm=None):
    """Signs KEY.pub with the CA's private key; returns the path KEY-cert.pub."""
    words = ["ssh-keygen", "-q", "-s", ca, "-I", name, "-V", validity, "-z", serial]
    if principals:
        words += ["-n", ",".join(principals)]
    if host:
        words.append("-h")
    if algorithm:
        words += ["-t", algorithm]
    for option in options:
        words += ["-O", option]
    # ssh-keygen would ask an agent for the CA's key if it found one.
    must(*words, f"{key}.pub", env={k: v for k, v in os.environ.items() if k != "SSH_AUTH_SOCK"})
    return Path(f"{key}-cert.pub")
