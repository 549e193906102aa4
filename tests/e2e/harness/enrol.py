"""Enrolment: what is configured for it, and what agents do: a token in, a certificate out."""
import re
from pathlib import Path

from . import keys
from .system import GATEHOUSE, must

# Made by `gatehouse init`.
LOCAL = {"name": "local", "issuer": "urn:gatehouse:local", "audience": "gatehouse", "key_file": "local_issuer"}
LINE = re.compile(r"\A(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa)-cert-v01@openssh\.com [A-Za-z0-9+/]+=* [^\n]+\n\Z")


def roles(issuer):
    """Those of harness.bastion.settings, held by what tokens of this issuer say."""
    return [{"name": "agent", "match": {"issuer": issuer, "groups": ["agents"]}},
            {"name": "ops", "match": {"issuer": issuer, "groups": ["dba"]}},
            {"name": "auditor", "match": {"issuer": issuer, "groups": ["audit"]}, "may": ["replay", "revoke"]}]


def keywords(*issuers, identity=None, **others):
    """For new_bastion: an identity with these issuers, and roles of the first one."""
    return {"identity": {"user_ca": "user_ca", "issuers": list(issuers), **(identity or {})},
            "roles": roles(issuers[0]["name"]), **others}


def mint(bastion, sub="agent-7", groups=("agents",), ttl="5m", issuer="local", **claims):
    """A token of the local issuer, by `gatehouse token`."""
    words = []
    for name, values in {"groups": groups, **claims}.items():
        for value in [values] if isinstance(values, str) else values:
            words += ["--claim", f"{name}={value}"]
    return must(GATEHOUSE, "token", "-c", bastion.file, "--issuer", issuer, "--sub", sub, "--ttl", ttl, *words).strip()


def new_client(bastion, kind="ed25519"):
    """Somebody with a key and no certificate."""
    key = keys.new_key(bastion.home / f"key-{len(list(bastion.home.iterdir()))}", kind)
    return bastion.client_with(key)


def enrol(client, token, *words, options=(), **keywords_):
    """ssh enroll@bastion < token; the certificate, when it comes, lies beside the key."""
    done = client.ssh(*words, options=["-l", "enroll", *options], input=token, **keywords_)
    if done.returncode == 0:
        keep(client, done.stdout)
    return done


def keep(client, line):
    assert LINE.match(line), repr(line)
    client.certificate = Path(f"{client.key}-cert.pub")
    client.certificate.write_text(line, encoding="utf-8")


def enrolled(bastion, token, kind="ed25519"):
    """A client that has got its certificate for a token."""
    client = new_client(bastion, kind)
    done = enrol(client, token)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}\n{bastion.log()[-3000:]}"
    return client


def listing(certificate):
    """What `ssh-keygen -L` says, times in UTC: {"Key ID": "…", "Principals": […], …}."""
    found, name = {}, None
    for line in must("ssh-keygen", "-L", "-f", certificate, env={"TZ": "UTC0", "PATH": "/usr/bin:/bin"}).splitlines()[1:]:
        if line.startswith(" " * 16):
            found[name].append(line.strip())
        else:
            name, _, value = line.strip().partition(":")
            found[name] = value.strip().strip('"') if value.strip() not in ("", "(none)") else []
    return found
