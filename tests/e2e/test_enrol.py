"""enroll@: a token becomes a certificate for the key that was proven, and nothing else happens there."""
import base64
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness import enrol, keys, tokens
from harness.system import GATEHOUSE, is_sanitized, must, stop, wait_until

KINDS = ["ed25519", "ecdsa", "ecdsa-384", "ecdsa-521", "rsa"]


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    return tokens.Key(tmp_path_factory.mktemp("provider"))


@pytest.fixture
def enrolling(new_bastion):
    """Makes a bastion with the local issuer; new_bastion looks after it."""
    def make():
        return new_bastion(identity=tokens.identity(), roles=tokens.roles())
    return make


@pytest.fixture(scope="module")
def house(postgres, provider):
    """One with two issuers that tests share, and leave as it was."""
    from harness.bastion import Bastion, settings
    other = provider.configuration()
    bastion = Bastion(postgres, settings(postgres, identity=tokens.identity(other), roles=tokens.roles(other)))
    try:
        bastion.start()
        yield bastion
        bastion.stop()
        assert bastion.trouble() == []
    finally:
        bastion.remove()


def show(path):
    return must("ssh-keygen", "-L", "-f", path)


def section(text, title):
    """The indented lines below a title of `ssh-keygen -L`."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip().startswith(title))
    found = []
    for line in lines[at + 1:]:
        if not line.startswith(" " * 16):
            break
        found.append(line.strip())
    return found


# ---- what it is for

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.asan
def test_a_token_certifies_exactly_the_key_that_was_proven(house, kind):
    client = enrol.new_client(house, kind)
    done = enrol.enrol(client, enrol.mint(house))
    assert done.returncode == 0, done.stderr
    assert enrol.LINE.match(done.stdout), done.stdout
    assert "certificate for local/agent-7, valid until" in done.stderr
    path = client.key.with_name(client.key.name + "-cert.pub")
    path.write_text(done.stdout)
    text = show(path)
    assert must("ssh-keygen", "-l", "-f", f"{client.key}.pub").split()[1] in text
    assert must("ssh-keygen", "-l", "-f", f"{house.user_ca}.pub").split()[1] in text
    assert 'Key ID: "local/agent-7"' in text
    assert section(text, "Principals") == ["agent"]
    assert "Critical Options: (none)" in text
    extensions = section(text, "Extensions")
    assert {"permit-pty", "permit-port-forwarding"} <= set(extensions)
    assert any(line.startswith("claims@gatehouse") for line in extensions)
    assert int(re.search(r"Serial: (\d+)", text)[1]) > 0
    again = house.client_with(client.key, path)
    assert "local/agent-7" in again.must("whoami")
    assert again.psql("-Atc", "select 6 * 7").stdout == "42\n"


def test_two_certificates_have_two_serials(house):
    client = enrol.new_client(house)
    serials = set()
    for _ in range(3):
        assert enrol.enrol(client, enrol.mint(house)).returncode == 0
        serials.add(enrol.listing(client.certificate)["Serial"])
    assert len(serials) == 3


def test_a_certificate_does_not_outlive_its_token(house):
    client = enrol.enrolled(house, enrol.mint(house, ttl="90s"))
    until = re.search(r"Valid: from \S+ to (\S+)", show(client.certificate))[1]
    assert time.mktime(time.strptime(until, "%Y-%m-%dT%H:%M:%S")) <= time.time() + 91


def test_a_token_of_another_issuer_gets_that_issuers_roles_and_name(house, provider):
    client = enrol.enrolled(house, provider.token())
    text = show(client.certificate)
    assert 'Key ID: "keys/agent-7"' in text
    assert section(text, "Principals") == ["reader"]


def test_who_acts_for_whom_is_shown(house, provider):
    client = enrol.enrolled(house, provider.token(act={"sub": "coder-9"}, azp="ci-runner"))
    assert "coder-9" in client.must("whoami")
    assert '"actor":"coder-9"' in client.must("whoami", "--json")
    assert '"authorized_party":"ci-runner"' in client.must("describe", "--json")


def test_who_acted_for_whom_is_in_recordings(house):
    token = must(GATEHOUSE, "token", "-c", house.file, "--issuer", "local", "--sub", "alice", "--claim", "groups=agents",
                 "--claim", "azp=ci-runner", "--claim-json", 'act={"sub":"coder-9"}')
    client = enrol.enrolled(house, token)
    assert client.psql("-Atc", "select 'acted'").stdout == "acted\n"
    one = json.loads(client.must("sessions", "--json", "--grep", "acted").splitlines()[-1])
    assert (one["identity"], one["actor"], one["authorized_party"]) == ("local/alice", "coder-9", "ci-runner")
    assert "coder-9 for local/alice" in client.must("sessions")
    header = json.loads(client.must("replay", one["id"], "--events").splitlines()[0])
    assert header["identity"]["actor"] == "coder-9"
    assert "coder-9" in client.must("replay", one["id"], "--text")
    assert b"coder-9" in (house.state / "audit" / "chain.ghaud").read_bytes()


def test_white_space_around_a_token_is_no_fault(house):
    done = enrol.enrol(enrol.new_client(house), "\n\t " + enrol.mint(house) + " \r\n\n")
    assert done.returncode == 0, done.stderr


def test_a_key_that_has_a_certificate_already_can_enrol_again(house):
    client = enrol.enrolled(house, enrol.mint(house))
    assert enrol.enrol(client, enrol.mint(house, sub="agent-8")).stdout.strip().endswith("local/agent-8")


def test_a_certificate_alone_proves_its_key_too(house):
    client = house.client("whoever", principals=["nobody"])
    socket = house.directory / "agent.sock"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        wait_until(socket.exists, "the agent listens")
        must("ssh-add", client.key, env={**os.environ, "SSH_AUTH_SOCK": str(socket)})
        text = client.config.read_text()
        for old, new in {f"IdentityFile {client.key}": "IdentityFile none", "IdentitiesOnly yes": "IdentitiesOnly no",
                         f"CertificateFile {client.certificate}": "PubkeyAcceptedAlgorithms ssh-ed25519-cert-v01@openssh.com",
                         "IdentityAgent none": f"IdentityAgent {socket}"}.items():
            text = text.replace(old, new)
        client.config.write_text(text)
        done = enrol.enrol(client, enrol.mint(house))
        assert done.returncode == 0, done.stderr
        assert must("ssh-keygen", "-l", "-f", f"{client.key}.pub").split()[1] in show(client.certificate)
    finally:
        stop(agent)


# ---- tokens that are none

def hs256_with_the_public_key(key):
    token = key.token(header={"alg": "HS256"}, signature=b"")
    signed = token.rpartition(".")[0]
    mac = hmac.new(key.public.encode(), signed.encode(), "sha256").digest()
    return f"{signed}.{tokens.part(mac)}"


def tampered(key):
    head, body, signature = key.token().split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[7] ^= 1
    return f"{head}.{body}.{tokens.part(bytes(raw))}"


BAD = {
    "expired": (lambda key: key.token(exp=int(time.time()) - 61), r"expired"),
    "not yet valid": (lambda key: key.token(nbf=int(time.time()) + 120), r"valid only in"),
    "from the future": (lambda key: key.token(iat=int(time.time()) + 120), r"future|clock"),
    "wrong audience": (lambda key: key.token(aud="somebody-else"), r"is for .*not for"),
    "unknown issuer": (lambda key: key.token(iss="https://elsewhere.example.com"), r"issued by"),
    "bad signature": (tampered, r"signature"),
    "alg none": (lambda key: key.token(header={"alg": "none"}, signature=b""), r"none|unsigned|not signed"),
    "HS256": (hs256_with_the_public_key, r"HS256|symmetric|shared"),
    "unknown kid": (lambda key: key.token(header={"kid": "k9"}), r"key"),
    "no subject": (lambda key: key.token(sub=None), r"\bsub\b"),
}


def test_each_fault_of_a_token_has_its_own_message_and_no_token_is_logged(house, provider):
    messages = {}
    for fault, (make, pattern) in BAD.items():
        token = make(provider)
        done = enrol.enrol(enrol.new_client(house), token)
        assert (done.returncode, done.stdout) == (77, ""), (fault, done)
        first = next(line for line in done.stderr.splitlines() if line.startswith("gatehouse: "))
        assert re.search(pattern, first, re.I), (fault, first)
        messages[fault] = first
        for piece in token.split("."):
            assert len(piece) < 20 or piece not in house.log() + done.stderr, fault
    assert len(set(messages.values())) == len(messages), messages


def test_clocks_may_differ_by_a_minute(house, provider):
    now = int(time.time())
    done = enrol.enrol(enrol.new_client(house), provider.token(iat=now + 40, nbf=now + 40, exp=now + 200))
    assert done.returncode == 0, done.stderr


GARBAGE = {"one word": "hello", "two words": "two words", "two parts": "a.b", "dots": "....", "control characters": "\x01\x02\x03",
           "a zero byte": "ey\x00J", "beyond ASCII": "é", "too long": "x" * 33000}


@pytest.mark.parametrize("stdin", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_told_from_a_refused_token(house, stdin):
    done = enrol.enrol(enrol.new_client(house), stdin)
    assert (done.returncode, done.stdout) == (65, ""), done
    assert "token" in done.stderr


def test_a_megabyte_on_stdin_is_refused_at_once(house):
    begun = time.monotonic()
    done = enrol.enrol(enrol.new_client(house), "x" * (1 << 20))
    assert done.returncode in (65, 255) and done.stdout == ""
    assert "too long" in done.stderr
    assert time.monotonic() - begun < 10


def test_an_empty_stdin_without_a_device_flow_is_told_what_to_send(house):
    done = enrol.enrol(enrol.new_client(house), "")
    assert (done.returncode, done.stdout) == (65, "")
    assert "no token" in done.stderr and "enroll@" in done.stderr


def test_identities_without_a_role_get_nothing(house):
    done = enrol.enrol(enrol.new_client(house), enrol.mint(house, groups=["strangers"]))
    assert (done.returncode, done.stdout) == (77, "")
    assert "role" in done.stderr


# ---- and nothing else

@pytest.mark.parametrize("words", [["whoami"], ["psql", "orders"], ["ls", "-l"], ["nobody"]])
def test_commands_are_refused_as_wrong_use(house, words):
    done = enrol.enrol(enrol.new_client(house), enrol.mint(house), *words)
    assert (done.returncode, done.stdout) == (64, ""), done
    assert "enroll@" in done.stderr


def test_subsystems_are_refused_as_wrong_use(house):
    done = enrol.enrol(enrol.new_client(house), enrol.mint(house), "sftp", options=("-s",))
    assert (done.returncode, done.stdout) == (64, ""), done


def test_forwards_are_refused(house):
    client = enrol.new_client(house)
    done = client.ssh(options=("-l", "enroll", "-W", "orders:5432"), input="")
    assert done.returncode == 255 and done.stdout == ""
    for option in (["-R", "0:127.0.0.1:1"], ["-o", "ExitOnForwardFailure=yes", "-R", "/tmp/nothing:127.0.0.1:1"]):
        done = client.ssh(options=("-T", "-l", "enroll", "-o", "ExitOnForwardFailure=yes", *option), input="")
        assert done.returncode == 255, done
    assert house.trouble() == []


def test_a_forward_beside_the_session_reaches_nothing(house):
    client = enrol.new_client(house)
    process = client.start(options=("-T", "-l", "enroll", "-L", "127.0.0.1:21480:orders:5432"), stdin=-1)
    try:
        from harness.system import is_listening
        wait_until(lambda: is_listening(21480), "ssh listens")
        import socket
        with socket.create_connection(("127.0.0.1", 21480), 5) as local:
            local.settimeout(5)
            local.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
            try:
                assert local.recv(10) == b""
            except ConnectionResetError:
                pass
        process.stdin.write(enrol.mint(house).encode())
        process.stdin.close()
        assert process.wait(10) == 0
    finally:
        stop(process)


def test_a_second_session_is_refused(house):
    client = enrol.new_client(house)
    with client.master(options=("-l", "enroll")) as shared:
        first = shared.start(options=("-T", "-l", "enroll"), stdin=-1)
        try:
            wait_until(lambda: house.children("gate"), "the gate is there")
            time.sleep(0.5)
            second = enrol.enrol(shared, enrol.mint(house), timeout=20)
            assert second.returncode != 0 and second.stdout == ""
            first.stdin.write(enrol.mint(house).encode())
            first.stdin.close()
            assert first.wait(10) == 0
        finally:
            stop(first)


def test_other_users_keys_are_told_how_to_enrol(house):
    done = enrol.new_client(house).ssh("whoami")
    assert done.returncode == 255
    assert "ssh enroll@HOST < token > ~/.ssh/id-cert.pub" in done.stderr
    assert "gatehouse-login" in done.stderr


def test_a_weak_key_is_not_certified(house):
    path = house.home / "weak"
    must("ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", path)
    done = enrol.enrol(house.client_with(path), enrol.mint(house), options=("-o", "RequiredRSASize=1024"))
    assert done.returncode == 255 and done.stdout == ""


def test_a_client_that_leaves_early_leaves_nothing_behind(house):
    client = enrol.new_client(house)
    for wait in (0.0, 0.3):
        process = client.start(options=("-T", "-l", "enroll"), stdin=-1)
        time.sleep(wait)
        process.kill()
        process.communicate()
    house.wait_idle()
    process = client.start(options=("-T", "-l", "enroll"), stdin=-1)
    wait_until(lambda: house.children("gate"), "the gate is there")
    process.stdin.write(b"eyJ")
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    process.communicate()
    house.wait_idle()


# ---- bounds

def test_one_source_has_few_enrolments_under_way_and_the_rest_are_told(house):
    client = enrol.new_client(house)
    far = ("-o", "BindAddress=127.0.0.2")
    with ExitStack() as open_ones:
        for _ in range(8):
            open_ones.enter_context(client.running(options=("-T", "-l", "enroll", *far), stdin=-1))
        wait_until(lambda: len(house.children("gate")) == 8, "eight enrol", 20)
        done = enrol.enrol(client, enrol.mint(house), options=far)
        assert done.returncode == 255
        assert "too many are enrolling from your address" in done.stderr
        assert enrol.enrol(enrol.new_client(house), enrol.mint(house)).returncode == 0  # another source
        assert "agent-7" in house.client(principals=["ops"]).must("whoami")
    house.wait_idle()


# ---- others die

@pytest.mark.kills
def test_without_its_issuer_only_enrolment_suffers(enrolling):
    bastion = enrolling()
    member = enrol.enrolled(bastion, enrol.mint(bastion))
    with member.forward() as forward:
        assert forward.query("select 1") == "1"
        process = enrol.new_client(bastion).start(options=("-T", "-l", "enroll"), stdin=-1)
        wait_until(lambda: len(bastion.children("gate")) == 2, "it enrols")
        time.sleep(0.3)
        bastion.one("issuer").kill(signal.SIGKILL)
        assert process.wait(10) == 69  # its stdin is open still
        assert b"issuer is not available" in process.communicate()[1]
        assert forward.query("select 2") == "2"
        assert "local/agent-7" in member.must("whoami")
        wait_until(lambda: enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion)).returncode == 0, "it enrols again", 20, 0.3)


@pytest.mark.kills
@pytest.mark.parametrize("kind", ["courier", "ledger"])
def test_a_restart_of_what_the_issuer_talks_to_is_survived(enrolling, kind):
    bastion = enrolling()
    assert enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion)).returncode == 0
    before = bastion.one(kind).pid
    bastion.one(kind).kill(signal.SIGKILL)
    wait_until(lambda: [p for p in bastion.processes(kind) if p.pid != before], "it is started again", 15)
    wait_until(lambda: enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion)).returncode == 0, "it enrols again", 20, 0.3)


@pytest.mark.kills
def test_a_killed_enrolling_gate_takes_nothing_with_it(enrolling):
    bastion = enrolling()
    process = enrol.new_client(bastion).start(options=("-T", "-l", "enroll"), stdin=-1)
    wait_until(lambda: bastion.children("gate"), "it enrols")
    bastion.children("gate")[0].kill(signal.SIGKILL)
    assert process.wait(15) == 255
    process.communicate()
    wait_until(lambda: enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion)).returncode == 0, "it enrols again", 15, 0.3)


# ---- configuration

def test_a_bastion_without_issuers_says_so(new_bastion):
    bastion = new_bastion()
    done = enrol.enrol(enrol.new_client(bastion), "a.b.c")
    assert done.returncode == 255
    assert "no certificates are issued here" in done.stderr


def test_a_reload_brings_and_takes_issuers(enrolling, provider):
    bastion = enrolling()
    other = provider.configuration()
    assert enrol.enrol(enrol.new_client(bastion), provider.token()).returncode == 77
    bastion.configuration["identity"]["issuers"] = [other]
    bastion.configuration["roles"] = [{**tokens.roles(other)[1], "name": "agent"}, *tokens.roles()[1:]]
    bastion.write()
    assert "reloaded" in bastion.reload()
    wait_until(lambda: enrol.enrol(enrol.new_client(bastion), provider.token()).returncode == 0, "the new one is there", 10, 0.3)
    done = enrol.enrol(enrol.new_client(bastion), provider.token(iss="urn:gatehouse:local"))
    assert done.returncode == 77 and "issued by" in done.stderr


def test_every_issue_is_an_audit_event(enrolling):
    bastion = enrolling()
    assert enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion)).returncode == 0
    assert enrol.enrol(enrol.new_client(bastion), enrol.mint(bastion, groups=["strangers"])).returncode == 77
    chain = bastion.state / "audit" / "chain.ghaud"
    wait_until(lambda: b"certificate_issued" in chain.read_bytes() and b"certificate_refused" in chain.read_bytes(),
               "both are entered")


@pytest.mark.skipif(is_sanitized(), reason="figures are for real builds")
def test_issuer_and_courier_run_without_any_issuer_configured(new_bastion):
    bastion = new_bastion()
    assert bastion.one("issuer").memory_kib() < 20 * 1024
    assert bastion.one("courier").memory_kib() < 20 * 1024


# ---- security keys, of software

@pytest.fixture(scope="module")
def security_key(tmp_path_factory):
    """The library by which ssh reaches it."""
    helper = Path("/usr/lib/openssh/ssh-sk-helper")
    if not helper.exists() or not shutil.which("cc"):
        pytest.skip("no ssh-sk-helper, or no compiler")
    library = tmp_path_factory.mktemp("sk") / "sk_dummy.so"
    must("cc", "-shared", "-fPIC", "-Wno-deprecated-declarations", "-o", library,
         Path(__file__).parent / "harness" / "sk_dummy.c", "-lcrypto")
    return library


@pytest.mark.parametrize("kind", ["ed25519-sk", "ecdsa-sk"])
def test_keys_of_hardware_are_certified_and_log_in(house, security_key, kind):
    path = house.home / f"key-{kind}"
    must("ssh-keygen", "-q", "-t", kind, "-w", security_key, "-N", "", "-f", path)
    client = house.client_with(path)
    provider = ("-o", f"SecurityKeyProvider={security_key}")
    done = client.ssh(options=("-T", "-l", "enroll", *provider), input=enrol.mint(house))
    assert done.returncode == 0, done.stderr
    assert re.match(r"sk-(ssh-ed25519|ecdsa-sha2-nistp256)-cert-v01@openssh\.com ", done.stdout)
    path.with_name(path.name + "-cert.pub").write_text(done.stdout)
    done = client.ssh("whoami", options=provider)
    assert done.returncode == 0 and "local/agent-7" in done.stdout, done.stderr
