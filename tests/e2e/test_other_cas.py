"""Certificates of other CAs, in the shapes in which step-ca, HashiCorp Vault and ssh-keygen make them."""
import secrets

import pytest

from harness import enrol, keys
from harness.bastion import Bastion, settings
from harness.system import must

ALL_EXTENSIONS = ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc"]
# What they put into a certificate of a user: key id, principals, serial, validity, extensions, type of the CA's key.
SHAPES = {
    # An OIDC provisioner: the key id is the e-mail address, its local part a principal too; a random 64-bit serial.
    "step-ca": dict(name="alice@example.com", principals=("alice", "alice@example.com"), validity="-1m:+16h",
                    serial=secrets.randbits(63) + 1, ca_kind="ecdsa", options=ALL_EXTENSIONS),
    # Default key id: vault-NAME-HASH, where NAME is the authentication's display name; the role says what is permitted.
    "vault": dict(name=f"vault-oidc-alice-{secrets.token_hex(32)}", principals=("alice",), validity="-30s:+30m",
                  serial=secrets.randbits(63) + 1, ca_kind="rsa", algorithm="rsa-sha2-256", options=["permit-pty"]),
    # The same with a role that allows forwards, and an RSA key of a user.
    "vault-rsa": dict(name=f"vault-root-{secrets.token_hex(32)}", principals=("alice",), validity="-30s:+30m",
                      serial=secrets.randbits(63) + 1, ca_kind="rsa", algorithm="rsa-sha2-512", kind="rsa",
                      options=["permit-pty", "permit-port-forwarding"]),
    # By hand: no serial, for ever.
    "ssh-keygen": dict(name="alice", principals=("alice", "bob"), validity="always:forever", serial=0, ca_kind="ed25519",
                       options=ALL_EXTENSIONS),
}
CAS = sorted({shape["ca_kind"] for shape in SHAPES.values()})


@pytest.fixture(scope="module")
def cas(tmp_path_factory):
    """A private key for each type."""
    place = tmp_path_factory.mktemp("cas")
    return {kind: keys.new_key(place / kind, kind) for kind in CAS}


@pytest.fixture(scope="module")
def house(postgres, cas):
    """Trusts these CAs; who is `alice` to one of them is an agent."""
    changes = {
        "identity": {"user_ca": "user_ca", "issuers": [enrol.LOCAL],
                     "trusted_cas": [f"{ca}.pub" for ca in cas.values()]},
        "roles": [{"name": "ops"}, {"name": "dba", "match": {"issuer": "local", "groups": ["dba"]}},
                  *({"name": f"agent-{kind}", "match": {"ca": f"{ca}.pub", "principals": ["alice"]}}
                    for kind, ca in cas.items())],
        "rules": [{"name": "agents", "roles": [f"agent-{kind}" for kind in CAS], "targets": ["orders"], "action": "allow",
                   "match": {"statements": ["select"]}}],
    }
    made = Bastion(postgres, settings(postgres, **changes)).start()
    yield made
    made.remove()


@pytest.fixture
def client_of(house, cas):
    def make(shape, **changes):
        shape = {**shape, **changes}
        ca = cas[shape.pop("ca_kind")]
        return house.client(ca=ca, options=["clear", *shape.pop("options")], **shape)
    return make


@pytest.mark.parametrize("name", SHAPES)
def test_a_certificate_of_this_shape_logs_in_and_has_the_role_of_its_principal(client_of, name):
    shape = SHAPES[name]
    client = client_of(shape)
    said = client.must("whoami")
    assert shape["name"] in said
    assert f"agent-{shape['ca_kind']}" in said
    done = client.psql("-Atc", "select 40 + 2")
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


@pytest.mark.parametrize("name", SHAPES)
def test_forwards_are_for_certificates_that_permit_them(client_of, name):
    client = client_of(SHAPES[name])
    if "permit-port-forwarding" in SHAPES[name]["options"]:
        with client.forward() as forward:
            assert forward.query("select 1") == "1"
    else:
        done = client.ssh(options=["-W", "orders:5432"])
        assert done.returncode != 0
        assert "certificate" in done.stderr or "prohibited" in done.stderr, done.stderr


@pytest.mark.parametrize("name", SHAPES)
def test_without_a_principal_that_a_role_names_nobody_comes_in(client_of, name):
    done = client_of(SHAPES[name], principals=("mallory",)).ssh("whoami")
    assert (done.returncode, done.stdout) == (255, "")
    assert "role" in done.stderr


@pytest.mark.parametrize("name", SHAPES)
def test_a_principal_of_another_ca_gives_nothing(client_of, name):
    """`ops` is a role by principals of our own CA; a CA that is trusted for something else cannot give it."""
    done = client_of(SHAPES[name], principals=("ops",)).ssh("whoami")
    assert (done.returncode, done.stdout) == (255, "")


@pytest.mark.parametrize("name", SHAPES)
def test_who_is_not_bound_to_this_address_comes_in_and_who_is_bound_elsewhere_does_not(client_of, name):
    shape = SHAPES[name]
    here = client_of(shape, options=[*shape["options"], "source-address=127.0.0.0/8"])
    assert shape["name"] in here.must("whoami")
    elsewhere = client_of(shape, options=[*shape["options"], "source-address=10.1.0.0/16"]).ssh("whoami")
    assert (elsewhere.returncode, elsewhere.stdout) == (255, "")
    assert "may not be used from 127.0.0.1" in elsewhere.stderr


def test_an_unknown_critical_option_is_refused_and_an_unknown_extension_is_not(client_of):
    shape = SHAPES["step-ca"]
    critical = client_of(shape, options=[*shape["options"], "critical:verify-elsewhere=yes"]).ssh("whoami")
    assert (critical.returncode, critical.stdout) == (255, "")
    assert "verify-elsewhere" in critical.stderr
    assert "alice" in client_of(shape, options=[*shape["options"], "extension:login@example.com=alice"]).must("whoami")


def test_claims_that_another_ca_made_up_count_for_nothing(client_of):
    """claims@gatehouse means something in certificates of our own CA alone: here a packed Claims of local/root, group dba."""
    claims = "\n\x05local\x12\x04root\x1a\x04root\"\x03dba"
    shape = SHAPES["ssh-keygen"]
    said = client_of(shape, options=[*shape["options"], f"extension:claims@gatehouse={claims}"]).must("whoami")
    assert "agent-ed25519" in said and "alice" in said
    assert "dba" not in said and "root" not in said


def test_a_certificate_that_begins_later_waits(client_of):
    done = client_of(SHAPES["step-ca"], validity="+1h:+2h").ssh("whoami")
    assert done.returncode == 255
    assert "not valid before" in done.stderr


def test_the_shapes_are_those_that_were_meant(client_of):
    """What ssh-keygen reads back of one of them."""
    text = must("ssh-keygen", "-L", "-f", client_of(SHAPES["vault"]).certificate)
    assert "Key ID: \"vault-oidc-alice-" in text
    assert "RSA SHA256:" in text
    assert "rsa-sha2-256" in text
