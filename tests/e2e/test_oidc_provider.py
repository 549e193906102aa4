"""Enrolment with a real OpenID provider: tokens of programs, rotation of its keys, and its absence."""
import base64
import json
import time
from datetime import datetime

import pytest

from harness import enrol, keys
from harness.bastion import Bastion, settings
from harness.oidc import Provider, other_ca
from harness.system import wait_until

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@pytest.fixture(scope="module")
def provider(tls_files):
    made = Provider(tls_files).start()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def house(postgres, provider):
    made = Bastion(postgres, settings(postgres, **enrol.keywords(provider.configuration())))
    made.start()
    yield made
    made.remove()


@pytest.fixture
def new_provider(tls_files):
    made = []

    def make(start=True, **changes):
        made.append(Provider(tls_files, **changes))
        return made[-1].start() if start else made[-1]
    yield make
    for one in made:
        one.remove()


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def refused(bastion, token, status):
    """No certificate, not a byte on stdout, and the token in no log; returns what the person reads."""
    done = enrol.enrol(enrol.new_client(bastion), token)
    assert (done.returncode, done.stdout) == (status, ""), (done.returncode, done.stdout, done.stderr, bastion.log()[-2000:])
    assert token.split(".")[1] not in bastion.log()
    assert token.split(".")[1] not in done.stderr
    return done.stderr


# ---------------------------------------------------------------- from the token to the database

@pytest.mark.asan
def test_a_token_of_a_program_becomes_a_certificate_that_runs_sql(house, provider):
    token = provider.token()
    client = enrol.new_client(house)
    done = enrol.enrol(client, token)
    assert done.returncode == 0, done.stderr + house.log()[-3000:]
    assert done.stdout.endswith(" corp/ci\n")
    found = enrol.listing(client.certificate)
    assert found["Key ID"] == "corp/ci"
    assert found["Principals"] == ["agent"]
    assert int(found["Serial"]) != 0
    assert any(line.startswith("claims@gatehouse") for line in found["Extensions"])
    assert "permit-pty" in found["Extensions"]
    assert found["Critical Options"] == []
    said = client.psql("-Atc", "select 40 + 2")
    assert (said.returncode, said.stdout) == (0, "42\n"), said.stderr
    who = client.must("whoami")
    assert "corp/ci" in who and "agent" in who
    assert token not in house.log() and token.split(".")[2] not in house.log()


def test_the_certificate_ends_with_its_token(house, provider):
    token = provider.token()  # for ten minutes: the configuration would give fifteen
    client = enrol.enrolled(house, token)
    _, _, until = enrol.listing(client.certificate)["Valid"].rpartition(" ")
    assert datetime.fromisoformat(until + "+00:00").timestamp() == claims_of(token)["exp"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_of_every_algorithm_are_verified(house, provider, algorithm):
    assert "corp/ci" in enrol.enrolled(house, provider.token(algorithm=algorithm)).must("whoami")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-384", "ecdsa-521", "rsa"])
def test_keys_of_every_accepted_type_are_certified(house, provider, kind):
    assert "corp/ci" in enrol.enrolled(house, provider.token(), kind).must("whoami")


def test_who_acts_for_somebody_is_named_beside_him(house, provider):
    client = enrol.enrolled(house, provider.token("helper"))
    assert "corp/helper" in client.must("whoami")
    assert "agent-7" in client.must("whoami")
    assert '"agent-7"' in client.must("whoami", "--json")


def test_the_username_may_be_another_claim(new_bastion, provider):
    bastion = new_bastion(**enrol.keywords(provider.configuration(username_claim="email")))
    assert "corp/ci@example.com" in enrol.enrolled(bastion, provider.token()).must("whoami")


def test_a_certificate_that_is_there_already_may_be_offered_for_a_new_one(house, provider):
    client = enrol.enrolled(house, provider.token())
    before = client.certificate.read_text()
    again = house.client_with(client.key, client.certificate)
    done = enrol.enrol(again, provider.token())
    assert done.returncode == 0, done.stderr
    assert again.certificate.read_text() != before
    assert "corp/ci" in again.must("whoami")


def test_an_expired_certificate_does_not_stop_a_renewal(house, provider):
    client = enrol.new_client(house)
    old = keys.certify(house.user_ca, client.key, name="corp/ci", validity="-2h:-1h")
    done = enrol.enrol(house.client_with(client.key, old), provider.token())
    assert done.returncode == 0, done.stderr


def test_many_enrol_at_the_same_time(house, provider):
    clients = [enrol.new_client(house) for _ in range(12)]
    running = [client.start(options=["-l", "enroll"], stdin=-1, text=True) for client in clients]
    for process in running:
        process.stdin.write(provider.token())
        process.stdin.close()
        process.stdin = None
    for client, process in zip(clients, running):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        enrol.keep(client, out)
    serials = {enrol.listing(client.certificate)["Serial"] for client in clients}
    assert len(serials) == len(clients)


# ---------------------------------------------------------------- tokens that are no good

def test_a_token_for_somebody_without_a_role_is_refused(house, provider):
    assert "role" in refused(house, provider.token("stranger"), 77)


def test_a_token_for_another_audience_is_refused(house, provider):
    provider.stop()
    try:
        token = provider.start(audience="elsewhere").token()
    finally:
        provider.stop()
        provider.start(audience="gatehouse")
    assert 'the token is for "elsewhere", not for "gatehouse"' in refused(house, token, 77)


def test_a_changed_token_is_refused(house, provider):
    head, _, signature = provider.token().split(".")
    _, payload, _ = provider.token("helper").split(".")
    assert "signature" in refused(house, f"{head}.{payload}.{signature}", 77)


def test_a_token_of_an_unknown_issuer_is_refused(house, new_provider):
    assert "not trusted here" in refused(house, new_provider().token(), 77)


def test_a_token_that_lived_for_a_second_gives_nothing_that_lives(new_provider, new_bastion):
    """Within a minute clocks may differ, so it still counts; but its certificate ends with it."""
    provider = new_provider(ttl={"ClientCredentials": 1})
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    token = provider.token()
    wait_until(lambda: time.time() > claims_of(token)["exp"] + 1, "the token is over", 5)
    assert "expired" in refused(bastion, token, 77)


# ---------------------------------------------------------------- the provider's keys, and its absence

@pytest.mark.slow
@pytest.mark.asan
def test_new_keys_of_the_provider_are_fetched_when_they_are_met(new_bastion, new_provider):
    provider = new_provider()
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    old = provider.token()
    enrol.enrolled(bastion, old)
    fetched = len(provider.requests("/jwks"))
    provider.rotate()
    client = enrol.new_client(bastion)
    # Ten seconds have to lie between two fetches.
    wait_until(lambda: enrol.enrol(client, provider.token()).returncode == 0, "the new keys are known", 20, 0.5)
    assert len(provider.requests("/jwks")) == fetched + 1
    # The old key is gone with the rotation, and asking for it again and again does not reach the provider.
    for _ in range(3):
        assert "has no key" in refused(bastion, old, 77)
    assert len(provider.requests("/jwks")) <= fetched + 2


def test_keys_are_fetched_once_for_many_tokens(new_bastion, new_provider):
    provider = new_provider()
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    for _ in range(4):
        enrol.enrolled(bastion, provider.token())
    assert len(provider.requests("/jwks")) == 1
    assert len(provider.requests("/.well-known/openid-configuration")) == 1


def test_known_keys_serve_on_while_the_provider_is_away(new_bastion, new_provider):
    provider = new_provider()
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    enrol.enrolled(bastion, provider.token())
    token = provider.token()
    provider.stop()
    assert "corp/ci" in enrol.enrolled(bastion, token).must("whoami")


@pytest.mark.slow
def test_without_keys_an_absent_provider_is_said_to_be_away(new_bastion, new_provider):
    provider = new_provider()
    token = provider.token()
    provider.stop()
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    assert "corp" in refused(bastion, token, 69)
    provider.start()
    client = enrol.new_client(bastion)
    wait_until(lambda: enrol.enrol(client, token).returncode == 0, "the provider is asked again", 40, 1)


def test_a_provider_whose_certificate_nobody_vouches_for_is_not_believed(new_bastion, new_provider, tmp_path):
    provider = new_provider()
    bastion = new_bastion(**enrol.keywords(provider.configuration(tls_ca=str(other_ca(tmp_path)))))
    refused(bastion, provider.token(), 69)
    assert provider.requests("/jwks") == []
    bastion.wait_log("certificate")


def test_a_discovery_document_of_somebody_else_is_not_believed(new_bastion, new_provider):
    provider = new_provider(discovery={"issuer": "https://other.example.com"})
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    refused(bastion, provider.token(), 69)
    assert provider.requests("/jwks") == []


def test_keys_at_a_host_that_is_not_configured_are_not_fetched(new_bastion, new_provider):
    elsewhere = new_provider()
    provider = new_provider(discovery={"jwks_uri": f"{elsewhere.issuer}/jwks"})
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    refused(bastion, provider.token(), 69)
    assert elsewhere.requests() == []


@pytest.mark.asan
def test_a_redirection_is_not_followed(new_bastion, new_provider):
    elsewhere = new_provider()
    provider = new_provider(redirects={"/jwks": f"{elsewhere.issuer}/jwks"})
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    refused(bastion, provider.token(), 69)
    assert elsewhere.requests() == []
