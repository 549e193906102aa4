"""OpenPubkey certificates, as opkssh makes them: the ID token rides inside, committed to the key."""
import secrets
import tempfile
import time
from pathlib import Path

import pytest

from harness import enrol, keys
from harness.bastion import Bastion, settings
from harness.openpubkey import Provider, UserKey, base64url


@pytest.fixture(scope="module")
def op(tmp_path_factory):
    return Provider(tmp_path_factory.mktemp("op"))


@pytest.fixture(scope="module")
def house(postgres, op):
    made = Bastion(postgres, settings(postgres, **enrol.keywords(op.configuration())))
    made.start()
    yield made
    made.remove()


def new_key(house, kind="ecdsa"):
    return UserKey(house.home / f"opk-{len(list(house.home.iterdir()))}", kind)


def refused(house, key, certificate):
    """Nobody gets in; what the person reads."""
    done = house.client_with(key.path, certificate).ssh("whoami")
    assert (done.returncode, done.stdout) == (255, ""), (done.stdout, done.stderr)
    return done.stderr


@pytest.mark.asan
@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_a_certificate_of_opkssh_logs_in_by_what_its_token_says(house, op, kind):
    key = new_key(house, kind)
    client = house.client_with(key.path, key.certificate(key.pk_token(op)))
    said = client.must("whoami")
    assert "op/alice@example.com" in said and "agent" in said
    done = client.psql("-Atc", "select 40 + 2")
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    with client.forward() as forward:
        assert forward.query("select 1") == "1"


def test_it_logs_in_again_and_again(house, op):
    key = new_key(house)
    client = house.client_with(key.path, key.certificate(key.pk_token(op)))
    for _ in range(3):
        assert "op/alice@example.com" in client.must("whoami")


def test_principals_and_key_id_that_it_gives_itself_count_for_nothing(house, op):
    key = new_key(house)
    client = house.client_with(key.path, key.certificate(key.pk_token(op), principals=("ops", "auditor"), name="root"))
    said = client.must("whoami")
    assert "op/alice@example.com" in said
    assert "ops" not in said and "auditor" not in said and "root" not in said


def test_who_holds_no_role_is_refused(house, op):
    key = new_key(house)
    assert "role" in refused(house, key, key.certificate(key.pk_token(op, groups=["visitors"])))


def test_an_expired_token_is_refused_though_the_certificate_has_no_end(house, op):
    key = new_key(house)
    now = int(time.time())
    assert "expired" in refused(house, key, key.certificate(key.pk_token(op, iat=now - 7200, exp=now - 3600)))


def test_a_token_for_another_audience_is_refused(house, op):
    key = new_key(house)
    assert "elsewhere" in refused(house, key, key.certificate(key.pk_token(op, aud="elsewhere")))


def test_a_token_of_another_provider_is_refused(house, tmp_path):
    key = new_key(house)
    stranger = Provider(tmp_path, issuer="https://stranger.example.com")
    refused(house, key, key.certificate(key.pk_token(stranger)))


def test_a_token_that_another_key_of_the_same_name_signed_is_refused(house, op, tmp_path):
    key = new_key(house)
    forger = Provider(tmp_path, issuer=op.issuer)
    assert "signature" in refused(house, key, key.certificate(key.pk_token(forger)))


def test_a_token_that_was_made_for_another_key_is_refused(house, op):
    """Stolen: the thief has the certificate, and wraps its token around a key of his own."""
    owner, thief = new_key(house), new_key(house)
    refused(house, thief, thief.certificate(owner.pk_token(op)))


def test_a_nonce_that_commits_to_nothing_is_refused(house, op):
    key = new_key(house)
    refused(house, key, key.certificate(key.pk_token(op, nonce=base64url(secrets.token_bytes(32)))))


def test_an_id_token_that_was_made_for_something_else_is_refused(house, op):
    """A plain login elsewhere: its nonce is no commitment, so nobody can wrap it."""
    key = new_key(house)
    refused(house, key, key.certificate(key.pk_token(op, nonce="n-0S6_WzA2Mj")))


def test_a_commitment_that_somebody_else_signed_is_refused(house, op):
    key, other = new_key(house), new_key(house)
    refused(house, key, key.certificate(key.pk_token(op, signer=other)))


def test_a_commitment_of_another_type_is_refused(house, op):
    key = new_key(house)
    refused(house, key, key.certificate(key.pk_token(op, header=key.header(typ="COS"))))


@pytest.mark.asan
@pytest.mark.parametrize("damage", [
    lambda token: token.rsplit(":", 1)[0], lambda token: token.replace(":", "."), lambda token: token[:-20],
    lambda token: token + ":e30:AAAA", lambda token: ":" + token, lambda token: "", lambda token: "x" * 200,
    lambda token: token.replace(token[40], "*"),
])
def test_a_token_that_is_damaged_is_refused(house, op, damage):
    key = new_key(house)
    token = damage(key.pk_token(op)) or "-"
    refused(house, key, key.certificate(token))


def test_a_revoked_identity_is_refused(new_bastion, op):
    with tempfile.TemporaryDirectory(prefix="gatehouse-e2e-") as place:
        Path(place).chmod(0o755)  # the issuer, which reads it, has a uid of its own
        revoked = Path(place) / "revoked"
        revoked.write_text("id:op/alice@example.com\n")
        bastion = new_bastion(**enrol.keywords(op.configuration(), identity={"revoked": str(revoked)}))
        key = new_key(bastion)
        assert "revoked" in refused(bastion, key, key.certificate(key.pk_token(op)))
        other = new_key(bastion)
        client = bastion.client_with(other.path, other.certificate(other.pk_token(op, email="bob@example.com")))
        assert "op/bob@example.com" in client.must("whoami")


def test_an_issuer_without_openpubkey_is_not_taken_for_one(new_bastion, op):
    bastion = new_bastion(**enrol.keywords(op.configuration(openpubkey=False)))
    key = new_key(bastion)
    refused(bastion, key, key.certificate(key.pk_token(op)))


def test_the_extension_gives_nothing_beside_a_certificate_of_another_key(house, op):
    """Signed by the house itself for the role `agent`, with somebody's token in it: the token has to hold, or nobody comes in."""
    key = new_key(house)
    other = new_key(house)
    certificate = keys.certify(house.user_ca, key.path, name="mallory", principals=("ops",),
                               options=["extension:openpubkey-pkt=" + other.pk_token(op)])
    done = house.client_with(key.path, certificate).ssh("whoami")
    assert "ops" not in done.stdout and "alice" not in done.stdout
