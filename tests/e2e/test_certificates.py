"""Who may come in: certificates of every kind, and everything that can be wrong with one."""
import base64
from pathlib import Path

import pytest

from harness import keys
from harness.bastion import settings

KINDS = ["ed25519", "ecdsa", "ecdsa-384", "ecdsa-521", "rsa"]


def refused(client, *words):
    """Nobody gets in; returns what the person reads."""
    done = client.ssh(*(words or ["whoami"]))
    assert done.returncode == 255, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.asan
def test_a_user_key_of_each_kind_is_admitted(bastion, kind):
    assert "agent-7" in bastion.client(kind=kind).must("whoami")


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-384", "ecdsa-521", "rsa"])
def test_a_ca_of_each_kind_is_trusted(new_bastion, kind):
    bastion = new_bastion(start=False)
    ca = keys.new_key(bastion.state / f"ca_{kind}", kind)
    bastion.configuration["identity"]["trusted_cas"] = [f"ca_{kind}.pub"]
    bastion.configuration["roles"][0]["match"] = {"ca": f"ca_{kind}.pub", "principals": ["agents"]}
    bastion.write()
    bastion.start()
    assert "agent" in bastion.client(ca=ca, principals=["agents"]).must("whoami")


def test_rsa_certificates_signed_with_sha2_512_are_admitted(new_bastion):
    bastion = new_bastion(start=False)
    ca = keys.new_key(bastion.state / "ca_rsa", "rsa")
    bastion.configuration["identity"]["trusted_cas"] = ["ca_rsa.pub"]
    bastion.configuration["roles"][0]["match"] = {"ca": "ca_rsa.pub", "principals": ["agents"]}
    bastion.write()
    bastion.start()
    assert "agent" in bastion.client(ca=ca, principals=["agents"], algorithm="rsa-sha2-512").must("whoami")


@pytest.mark.asan
def test_a_plain_key_gets_a_banner_that_says_how_to_enrol(bastion):
    key = keys.new_key(bastion.home / "plain")
    text = refused(bastion.client_with(key))
    assert "certificate" in text
    assert "Permission denied" in text


def test_a_plain_rsa_key_does_not_hide_the_certificate_that_follows(bastion):
    assert "agent-7" in bastion.client(kind="rsa").must("whoami")


@pytest.mark.asan
def test_an_expired_certificate_is_refused_and_the_reason_is_shown(bastion):
    assert "expired" in refused(bastion.client(validity="-2h:-1h"))


@pytest.mark.asan
def test_a_certificate_that_is_not_yet_valid_is_refused(bastion):
    assert "not valid before" in refused(bastion.client(validity="+1h:+2h"))


@pytest.mark.asan
def test_a_certificate_of_another_ca_is_refused(bastion):
    other = keys.new_key(bastion.home / f"other-ca-{len(list(bastion.home.iterdir()))}")
    text = refused(bastion.client(ca=other))
    assert "CA" in text or "authority" in text


def test_a_host_certificate_is_refused(bastion):
    refused(bastion.client(host=True))


def test_a_certificate_without_principals_is_refused(bastion):
    refused(bastion.client(principals=()))


def test_a_certificate_whose_principals_are_no_role_is_refused(bastion):
    assert "role" in refused(bastion.client(principals=["nobody"]))


@pytest.mark.parametrize("place", ["key id", "serial", "signature", "principal", "nonce"])
def test_a_certificate_with_one_byte_changed_is_refused(bastion, place):
    client = bastion.client(name="agent-number-seven", serial=0x1122334455667788)
    kind, blob, *rest = client.certificate.read_text().split()
    raw = bytearray(base64.b64decode(blob))
    at = {"key id": raw.index(b"agent-number-seven") + 3, "serial": raw.index(bytes.fromhex("1122334455667788")) + 7,
          "principal": raw.index(b"agent", raw.index(b"agent-number-seven") + 18), "signature": len(raw) - 5,
          "nonce": len(kind) + 12}[place]
    raw[at] ^= 1
    client.certificate.write_text(" ".join([kind, base64.b64encode(raw).decode(), *rest]) + "\n")
    refused(client)


def test_the_source_address_of_a_certificate_is_honoured(bastion):
    assert "agent-7" in bastion.client(options=["source-address=127.0.0.0/8,10.0.0.0/8"]).must("whoami")
    assert "may not be used from 127.0.0.1" in refused(bastion.client(options=["source-address=192.0.2.0/24"]))


def test_force_command_replaces_what_was_asked_for(bastion):
    client = bastion.client(options=["force-command=whoami"])
    assert client.must("targets").startswith("identity     agent-7")


def test_an_unknown_critical_option_is_refused(bastion):
    refused(bastion.client(options=["critical:surprise@example.com=yes"]))


def test_an_unknown_extension_is_ignored(bastion):
    assert "agent-7" in bastion.client(options=["extension:surprise@example.com=yes"]).must("whoami")


def test_without_permit_port_forwarding_no_forward_opens_but_commands_work(bastion):
    client = bastion.client(options=["no-port-forwarding"])
    assert "agent-7" in client.must("whoami")
    with client.forward() as forward:
        done = forward.psql("-c", "select 1")
        assert done.returncode != 0
    assert client.psql("-Atc", "select 1").stdout == "1\n"


def test_without_permit_pty_no_terminal_is_given_but_commands_work(bastion):
    client = bastion.client(options=["no-pty"])
    assert "agent-7" in client.must("whoami")
    done = client.ssh("whoami", options=["-tt"])
    assert "PTY allocation request failed" in done.stderr


def test_a_wrong_user_name_changes_nothing_about_who_it_is(bastion):
    done = bastion.client().ssh("whoami", options=["-l", "root"])
    assert "agent-7" in done.stdout and done.returncode == 0


def test_a_certificate_for_another_key_is_refused(bastion):
    first, second = bastion.client(), bastion.client()
    refused(bastion.client_with(second.key, first.certificate))


def test_several_principals_give_several_roles(bastion):
    text = bastion.client(principals=["agent", "ops"]).must("whoami", "--json")
    assert '"agent"' in text and '"ops"' in text


def test_the_identity_in_the_log_cannot_forge_a_line(bastion):
    name = "agent x=1 identity=admin"
    bastion.client(name=name).must("whoami")
    lines = [line for line in bastion.log().splitlines() if "identity=admin" in line]
    assert all('identity="agent x=1' in line or "\\" in line for line in lines), lines


def test_a_ca_file_that_is_missing_is_a_fault_of_the_configuration(new_bastion, postgres):
    bastion = new_bastion(start=False)
    bastion.configuration = settings(postgres, identity={"user_ca": "user_ca", "trusted_cas": ["none.pub"]})
    bastion.write()
    done = bastion.gatehouse("check", "-c", bastion.file)
    assert done.returncode in (1, 78) and "none.pub" in done.stdout + done.stderr
    assert Path(bastion.user_ca).exists()
