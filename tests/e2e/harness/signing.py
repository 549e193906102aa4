"""Signatures of approvers, by the real ssh-keygen."""
import subprocess

from .system import must, run

NAMESPACE = "approval@gatehouse"


def sign(directory, message, key, env=None):
    """The signature over the message, in its armour; key: a private key, or the certificate beside one."""
    path = directory / "message"
    path.write_text(message)
    path.with_name("message.sig").unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(path)], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, env=env)
    return path.with_name("message.sig").read_text()


def verify(directory, message, signature, allowed, identity, *options):
    """What ssh-keygen -Y verify says, as anybody may ask it."""
    (directory / "allowed_signers").write_text(allowed + "\n")
    (directory / "checked.sig").write_text(signature)
    return run("ssh-keygen", "-Y", "verify", *options, "-f", directory / "allowed_signers", "-I", identity, "-n", NAMESPACE,
               "-s", directory / "checked.sig", input=message)


def public_of(key):
    return " ".join(must("ssh-keygen", "-y", "-f", key).split()[:2])
