"""`gatehouse token`: what it mints is checked by openssl, which knows nothing of JSON Web Tokens."""
import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from harness.system import GATEHOUSE, free_port, must, run, wait_until

ISSUER = {"name": "local", "issuer": "urn:gatehouse:local", "audience": "gatehouse", "key_file": "local_issuer"}
KEYS = {
    "ed25519": ("EdDSA", ["-algorithm", "ed25519"]),
    "p256": ("ES256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    "p384": ("ES384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    "p521": ("ES512", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    "rsa": ("RS256", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
}
DIGESTS = {"ES256": "sha256", "ES384": "sha384", "ES512": "sha512", "RS256": "sha256"}


class House:
    """A state directory as `init` made it, and another key and other settings for its issuer when asked."""

    def __init__(self, directory):
        self.state = directory / "state"
        self.file = self.state / "gatehouse.yaml"
        must(GATEHOUSE, "init", self.state)

    def configure(self, *issuers, **changes):
        settings = yaml.safe_load(self.file.read_text())
        settings["identity"]["issuers"] = list(issuers) or [{**ISSUER, **changes}]
        self.file.write_text(yaml.safe_dump(settings))

    def token(self, *words, sub="agent-7", issuer="local"):
        return run(GATEHOUSE, "token", "-c", self.file, "--issuer", issuer, "--sub", sub, *words)

    def claims(self, *words, **options):
        done = self.token(*words, **options)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return parts(done.stdout)[1]


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(line):
    assert line.endswith("\n") and line.count("\n") == 1 and "=" not in line
    header, claims, signature = line.strip().split(".")
    return json.loads(decode(header)), json.loads(decode(claims)), decode(signature)


def der(raw):
    """An ECDSA signature as openssl takes it."""
    def number(raw_number):
        body = raw_number.lstrip(b"\0") or b"\0"
        body = b"\0" + body if body[0] & 0x80 else body
        return b"\x02" + bytes([len(body)]) + body

    half = len(raw) // 2
    body = number(raw[:half]) + number(raw[half:])
    return b"\x30" + (bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])) + body


def openssl_accepts(directory, key, algorithm, line):
    signed, _, signature = line.strip().rpartition(".")
    public, data, tag = directory / "public", directory / "signed", directory / "signature"
    must("openssl", "pkey", "-in", key, "-pubout", "-out", public)
    data.write_text(signed)
    tag.write_bytes(der(decode(signature)) if algorithm.startswith("ES") else decode(signature))
    if algorithm == "EdDSA":
        command = ["pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", data, "-sigfile", tag]
    else:
        command = ["dgst", f"-{DIGESTS[algorithm]}", "-verify", public, "-signature", tag, data]
    return run("openssl", *command).returncode == 0


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_a_token_says_who_for_whom_and_for_how_long(house):
    before = int(time.time())
    claims = house.claims()
    after = int(time.time())
    assert claims["iss"] == "urn:gatehouse:local" and claims["aud"] == "gatehouse" and claims["sub"] == "agent-7"
    assert before <= claims["iat"] <= after
    assert claims["nbf"] == claims["iat"]
    assert claims["exp"] == claims["iat"] + 300
    assert claims.keys() == {"iss", "sub", "aud", "iat", "nbf", "exp", "jti"}


def test_no_two_tokens_have_the_same_id(house):
    ids = {house.claims()["jti"] for _ in range(5)}
    assert len(ids) == 5 and all(len(decode(jti)) == 16 for jti in ids)


@pytest.mark.parametrize("kind", KEYS)
def test_openssl_accepts_the_signature_of_each_kind_of_key(house, tmp_path, kind):
    algorithm, options = KEYS[kind]
    key = house.state / "other_key"
    must("openssl", "genpkey", *options, "-out", key)
    key.chmod(0o600)
    house.configure(key_file="other_key")
    line = house.token("--claim", "groups=agents").stdout
    header = parts(line)[0]
    assert header["alg"] == algorithm and header["typ"] == "JWT" and len(decode(header["kid"])) == 32
    assert openssl_accepts(tmp_path, key, algorithm, line)
    forged = line.replace(line.split(".")[1], line.split(".")[1][:-2] + "AA")
    assert not openssl_accepts(tmp_path, key, algorithm, forged)


def test_a_traditional_rsa_key_works_as_well(house, tmp_path):
    key = house.state / "other_key"
    must("openssl", "genrsa", "-traditional", "-out", key, "2048")
    key.chmod(0o600)
    house.configure(key_file="other_key")
    assert openssl_accepts(tmp_path, key, "RS256", house.token().stdout)


def test_groups_are_a_list_and_another_claim_becomes_one_by_its_second_value(house):
    claims = house.claims("--claim", "groups=agents", "--claim", "email=a@corp.example", "--claim", "team=a,b", "--claim",
                          "team=c=d", "--claim", "empty=")
    assert claims["groups"] == ["agents"]
    assert claims["email"] == "a@corp.example"
    assert claims["team"] == ["a,b", "c=d"]
    assert claims["empty"] == ""
    assert house.claims("--claim", "groups=a", "--claim", "groups=b")["groups"] == ["a", "b"]


def test_the_groups_claim_is_the_issuers(house):
    house.configure(groups_claim="roles")
    claims = house.claims("--claim", "roles=agents", "--claim", "groups=agents")
    assert claims["roles"] == ["agents"] and claims["groups"] == "agents"


def test_a_claim_may_be_any_json(house):
    claims = house.claims("--claim-json", 'act={"sub":"bot-1"}', "--claim-json", "level=7", "--claim-json", "none=null")
    assert claims["act"] == {"sub": "bot-1"} and claims["level"] == 7 and claims["none"] is None


def test_the_first_of_several_audiences_is_meant(house):
    house.configure(audience=["one", "two"])
    assert house.claims()["aud"] == "one"


@pytest.mark.parametrize("ttl, seconds", [("1s", 1), ("90s", 90), ("24h", 86400)])
def test_it_lives_as_long_as_it_is_asked_to(house, ttl, seconds):
    claims = house.claims("--ttl", ttl)
    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize("ttl", ["0s", "999ms", "25h", "5", "-5m", "soon"])
def test_a_life_beyond_the_bounds_is_refused(house, ttl):
    done = house.token("--ttl", ttl)
    assert done.returncode == 64 and done.stdout == ""
    assert f"--ttl {ttl}: write a duration from 1s to 24h" in done.stderr


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"])
@pytest.mark.parametrize("option", ["--claim", "--claim-json"])
def test_nobody_overrides_what_the_mint_says(house, option, name):
    done = house.token(option, f"{name}=1")
    assert done.returncode == 64 and done.stdout == ""
    assert f'{option} can\'t set "{name}"' in done.stderr


@pytest.mark.parametrize("words, status, text", [
    (["--claim", "groups"], 64, "--claim groups: write NAME=VALUE"),
    (["--claim", "=x"], 64, "--claim =x: write NAME=VALUE"),
    (["--claim"], 64, "--claim needs a value"),
    (["--claim", "x=\udcff"], 64, "--claim x: not UTF-8 text"),
    (["--claim-json", "x={"], 65, "--claim-json x: this is no JSON"),
    (["--claim-json", "x=[1,]"], 65, "--claim-json x: this is no JSON"),
    (["--claim", "x=1", "--claim-json", "x=1"], 64, "--claim-json x: it has a value already"),
    (["--claim-json", "x=1", "--claim-json", "x=1"], 64, "--claim-json x: it has a value already"),
    (["--claim", "x=1"] * 65, 64, "more than 64 times --claim"),
    (["--claim", "x=" + "y" * 33000], 65, "the token would be longer than 32 KiB"),
    (["extra"], 64, "token --issuer NAME --sub SUB"),
    (["--frob"], 64, "no option --frob"),
])
def test_what_is_wrong_is_said(house, words, status, text):
    done = house.token(*words)
    assert done.returncode == status and done.stdout == ""
    assert text in done.stderr


def test_an_issuer_that_is_not_ours_or_not_there_is_refused(house):
    public = {**ISSUER, "name": "corp", "issuer": "https://idp.example.com"}
    del public["key_file"]
    house.configure(ISSUER, public)
    done = house.token(issuer="corp")
    assert done.returncode == 65 and 'issuer "corp" has no key_file' in done.stderr
    done = house.token(issuer="other")
    assert done.returncode == 65 and 'has no issuer "other"' in done.stderr


def test_issuer_and_sub_are_needed(house):
    for words in (["--issuer", "local"], ["--sub", "x"], ["--issuer", "local", "--sub", ""]):
        done = run(GATEHOUSE, "token", "-c", house.file, *words)
        assert done.returncode == 64 and "token --issuer NAME --sub SUB" in done.stderr


def test_a_faulty_configuration_is_shown_with_its_line(house):
    (house.state / "local_issuer").unlink()
    done = house.token()
    assert done.returncode == 78 and done.stdout == ""
    assert "gatehouse.yaml:" in done.stderr and "local_issuer: No such file" in done.stderr


def test_a_token_without_the_claim_for_the_user_name_comes_with_a_note(house):
    house.configure(username_claim="email")
    done = house.token()
    assert done.returncode == 0 and parts(done.stdout)[1]["sub"] == "agent-7"
    assert "note: this token will be refused" in done.stderr and '"email"' in done.stderr
    assert house.token("--claim", "email=a@corp.example").stderr == ""


def test_init_makes_a_key_for_its_owner_alone_and_settings_without_a_fault(house):
    key = house.state / "local_issuer"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "ED25519 Private-Key" in must("openssl", "pkey", "-in", key, "-text", "-noout")
    settings = yaml.safe_load(house.file.read_text())
    assert settings["identity"]["issuers"] == [ISSUER]
    assert [role["match"] for role in settings["roles"]] == [{"issuer": "local", "groups": ["agents"]},
                                                            {"issuer": "local", "groups": ["dba"]}]
    assert run(GATEHOUSE, "check", "-c", house.file).returncode == 0


def test_what_init_comments_out_is_good_as_well(house):
    """The provider and the list of revoked certificates: with # taken away they are read."""
    text = house.file.read_text()
    assert "# revoked:" in text and "#   - name: corp" in text
    lines = []
    for line in text.splitlines():
        inside = line.startswith(("# revoked:", "#   - name: corp", "#     issuer:", "#     audience:", "#     client_id:",
                                  "#     username_claim:", "#     groups_claim:"))
        lines.append(" " + line[1:] if inside else line)
    house.file.write_text("\n".join(lines) + "\n")
    (house.state / "revoked.krl").write_text("id:corp/eve\n")
    done = run(GATEHOUSE, "check", "-c", house.file)
    assert done.returncode == 0, done.stderr
    assert len(yaml.safe_load(house.file.read_text())["identity"]["issuers"]) == 2


@pytest.fixture
def open_directory():
    """The bastion's processes have uids of their own, and pass through it."""
    directory = Path(tempfile.mkdtemp(prefix="gatehouse-e2e-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_what_init_wrote_lets_an_agent_in_with_a_token(open_directory, tmp_path):
    """With nothing changed but the port."""
    house, port = House(open_directory), free_port()
    house.file.write_text(house.file.read_text().replace("127.0.0.1:2222", f"127.0.0.1:{port}"))
    key, known_hosts, log = tmp_path / "id", tmp_path / "known_hosts", tmp_path / "log"
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    known_hosts.write_text(f"[127.0.0.1]:{port} " + must("ssh-keygen", "-y", "-f", house.state / "host_ed25519"))
    options = ["-p", port, "-i", key, "-o", f"UserKnownHostsFile={known_hosts}", "-o", "IdentitiesOnly=yes", "-F", "none"]
    with open(log, "wb") as stream, subprocess.Popen([GATEHOUSE, "serve", "-c", house.file], stdin=subprocess.DEVNULL,
                                                     stdout=stream, stderr=stream) as serve:
        try:
            wait_until(lambda: "\nREADY" in log.read_text() or serve.poll() is not None, "READY", 30)
            token = house.token("--claim", "groups=agents").stdout
            done = run("ssh", *options, "enroll@127.0.0.1", input=token)
            assert done.returncode == 0, done.stderr + log.read_text()
            (tmp_path / "id-cert.pub").write_text(done.stdout)
            whoami = json.loads(must("ssh", *options, "127.0.0.1", "whoami --json"))
            assert whoami["identity"] == "local/agent-7" and whoami["roles"] == ["agent"]
            done = run("ssh", *options, "enroll@127.0.0.1", input=house.token("--claim", "groups=other").stdout)
            assert done.returncode == 77 and done.stdout == ""
        finally:
            serve.terminate()
            serve.wait(30)
