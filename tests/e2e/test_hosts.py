"""Commands on hosts, through `ssh TARGET@bastion` and `ssh bastion ssh TARGET`: what goes in and comes out."""
import hashlib
import json
import os
import subprocess
import time

import pytest

from harness import hosts, keys
from harness.bastion import Bastion, settings
from harness.client import quote
from harness.system import must, run

ALL = [{"name": "all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
       {"name": "no-reboot", "roles": ["agent"], "targets": ["*"], "match": {"commands": ["reboot*"]}, "action": "deny",
        "reason": "hosts stay up"},
       {"name": "agents", "roles": ["agent"], "targets": ["web1"], "match": {"channels": ["exec"]}, "action": "allow"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="module")
def target_key(place):
    return keys.new_key(place / "vault_key")


@pytest.fixture(scope="module")
def target_ca(place):
    return keys.new_key(place / "target_ca")


@pytest.fixture(scope="module")
def sshd(place, target_key, target_ca):
    made = hosts.Sshd(place / "sshd", trusts=f"{target_ca}.pub", authorized=[(place / "vault_key.pub").read_text()],
                      kinds=("ed25519", "rsa", "ecdsa"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(postgres, sshd, target_key, target_ca):
    made = Bastion(postgres, settings(postgres, targets=[
        sshd.target("web1", credential="web1-key"),
        sshd.target("web2", certificate_authority="target-ca"),
        sshd.target("rsa", certificate_authority="target-ca", host_key=sshd.host_keys(["rsa"])),
        sshd.target("other", certificate_authority="target-ca", host_key=[keys_of(target_key)]),
    ], rules=ALL))
    made.put_secret("web1-key", target_key.read_text(), "ssh-key")
    made.put_secret("target-ca", target_ca.read_text(), "ssh-key")
    made.start()
    yield made
    try:
        made.stop()
    finally:
        made.remove()


def keys_of(key):
    return must("ssh-keygen", "-y", "-f", key).strip()


@pytest.fixture
def bastion(shared, request):
    known = len(shared.trouble())
    yield shared
    shared.wait_idle()
    if not request.node.get_closest_marker("kills"):
        assert shared.trouble()[known:] == []


@pytest.fixture(scope="module")
def ops(shared):
    return shared.client("olga", principals=["ops"])


@pytest.fixture(scope="module")
def agent(shared):
    return shared.client("agent-7", principals=["agent"])


def at(target):
    return ["-l", target]


@pytest.mark.asan
@pytest.mark.parametrize("target", ["web1", "web2", "rsa", f"{hosts.LOGIN}+web1"])
def test_a_command_runs_with_its_output_errors_and_status(bastion, ops, target):
    done = ops.ssh("echo out; echo err >&2; exit 3", options=at(target))
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3), bastion.log()[-3000:]


@pytest.mark.parametrize("words", [["ssh", "web1", "echo 'a  b'"], ["ssh", f"{hosts.LOGIN}+web1", "echo 'a  b'"]])
def test_the_command_surface_reaches_hosts_too(bastion, ops, words):
    assert ops.must(*words) == "a  b\n"
    assert ops.must(*words, options=["-s"]) == "a  b\n"


def test_a_wrong_use_of_ssh_is_status_64(bastion, ops):
    for words in (["ssh"], ["ssh", "-t", "web1"], ["shell"], ["shell", "web1", "x"]):
        done = ops.ssh(*words)
        assert done.returncode == 64 and "gatehouse: usage: " in done.stderr, done


@pytest.mark.asan
@pytest.mark.parametrize("size", [0, 1, 4096, 20 << 20])
def test_bytes_survive_both_ways(bastion, ops, size, tmp_path):
    data = os.urandom(size)
    done = ops.ssh("cat", options=at("web1"), input=data, bytes=True)
    assert done.returncode == 0 and hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_nothing_is_lost_at_close(bastion, ops):
    """The last bytes and the exit follow each other at once; the reader is slow."""
    with ops.running("head -c 3000000 /dev/zero; head -c 200000 /dev/zero >&2; exit 5", options=at("web1"),
                     stderr=subprocess.DEVNULL) as process:
        time.sleep(1)  # lets every window and buffer on the way fill
        assert len(process.stdout.read()) == 3000000
        assert process.wait(20) == 5


def test_input_ends_without_ending_output(bastion, ops):
    done = ops.ssh("cat >/dev/null; echo after the end", options=at("web1"), input="x" * 100000)
    assert done.stdout == "after the end\n"


def test_output_ends_without_ending_input(bastion, ops, place):
    """The command closes its output and reads on: the client sees the end of output, and may still send."""
    done = ops.ssh(f"exec >&- 2>&-; cat > {place}/late", options=at("web1"), input="y" * 300000)
    assert done.returncode == 0 and (place / "late").read_text() == "y" * 300000


def test_a_reader_that_leaves_ends_the_command(bastion, ops):
    done = run("sh", "-c", " ".join(map(quote, ops.argv("yes", options=at("web1")))) + " | head -1", timeout=30)
    assert done.stdout == "y\n"
    bastion.wait_idle()


def test_death_by_a_signal_is_told(bastion, ops):
    done = ops.ssh("kill -TERM $$", options=[*at("web1"), "-v"])
    assert done.returncode == 255 and "exit-signal" in done.stderr


def test_only_harmless_variables_are_passed_on(bastion, ops):
    done = ops.ssh('echo "[$LANG][$LC_TEST][$EVIL]"', options=[*at("web1"), "-o", "SetEnv=LANG=de_DE.UTF-8 LC_TEST=x EVIL=1"])
    assert done.stdout == "[de_DE.UTF-8][x][]\n"


def test_many_sessions_share_one_connection_to_the_host(bastion, ops, sshd):
    before = sshd.log().count("Accepted publickey")
    with ops.master(options=at("web1")) as shared:
        started = [shared.start(f"read x; echo {i} $x", options=at("web1"), stdin=subprocess.PIPE) for i in range(12)]
        answers = [process.communicate(b"in\n", timeout=30)[0] for process in started]
        assert answers == [f"{i} in\n".encode() for i in range(12)]
    assert sshd.log().count("Accepted publickey") == before + 1


@pytest.mark.asan
def test_a_denied_command_does_not_reach_the_host(bastion, agent, place):
    done = agent.ssh(f"touch {place}/reached; reboot --now", options=at("web1"))
    assert done.returncode == 77 and not (place / "reached").exists()
    first, second = done.stderr.splitlines()
    assert first.startswith("gatehouse: denied: ") and first.endswith(", code denied)")
    assert second.startswith("gatehouse: next: ")


@pytest.mark.parametrize("line, code", [
    ("sudo -n reboot", "denied"), ("\\reboot", "denied"), ("sh -c 'ls; reboot'", "denied"), ("echo $(reboot)", "denied"),
    ("x=reboot; $x", "denied"), ("echo reboot | sh", "denied"), ("cat <<E\n$(reboot)\nE", "denied"), ("touch {0} 'x", "unparsable")])
def test_what_a_line_runs_is_found_in_it(bastion, agent, place, line, code):
    done = agent.ssh(f"touch {place}/reached; {line.format(place / 'reached')}", options=at("web1"))
    assert done.returncode == 77 and not (place / "reached").exists()
    assert f"code {code})" in done.stderr


def test_describe_tells_what_may_be_run(bastion, agent):
    assert "commands reboot*" in agent.must("describe")
    rules = [rule for target in json.loads(agent.must("describe", "--json"))["targets"] for rule in target["rules"]]
    assert {"commands": ["reboot*"]} in [match for rule in rules for match in rule.get("match", [])]


def test_a_line_of_allowed_commands_runs(bastion, agent):
    done = agent.ssh("for i in a b; do printf '%s\\n' \"$i\" | cat; done; cat <<E\n$(echo c)\nE", options=at("web1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\nb\nc\n", "")


def test_a_shell_is_judged_by_its_channel(bastion, agent):
    done = agent.ssh(options=[*at("web1"), "-T"], input="echo no\n")
    assert done.returncode == 77 and "no\n" not in done.stdout


def test_another_host_is_refused_and_both_fingerprints_logged(bastion, ops, sshd, target_key):
    done = ops.ssh("echo no", options=at("other"))
    assert done.returncode == 69 and "code host_key_mismatch" in done.stderr and done.stdout == ""
    shown, pinned = (must("ssh-keygen", "-lf", key).split()[1] for key in (sshd.directory / "host_ed25519.pub", target_key))
    line = bastion.wait_log("target_login_refused.*host_key_mismatch.*").group()
    assert shown in line and pinned in line
    assert shown not in done.stderr


def test_a_login_that_the_target_does_not_offer_is_refused(bastion, ops):
    done = ops.ssh("id", options=at("nobody+web1"))
    assert done.returncode == 77 and 'no login "nobody"' in done.stderr


def test_what_may_not_be_reached_looks_like_what_is_not_there(bastion, agent):
    hidden, missing = agent.ssh("ssh", "web2", "id"), agent.ssh("ssh", "web9", "id")
    assert hidden.stderr.replace("web2", "web9") == missing.stderr and hidden.returncode == missing.returncode == 77


def test_a_host_that_is_down_is_told_and_tried_anew(bastion, ops, sshd):
    sshd.stop()
    try:
        done = ops.ssh("echo no", options=at("web1"))
        assert done.returncode == 69 and "code target_unavailable" in done.stderr
    finally:
        sshd.start()
    assert ops.must("echo yes", options=at("web1")) == "yes\n"


def test_whoever_is_bound_to_a_command_chooses_nothing_by_a_user_name(bastion):
    bound = bastion.client("bound", principals=["ops"], options=["force-command=whoami --json"])
    assert '"identity":"bound"' in bound.must("id", options=at("web1"))
    bound = bastion.client("bound2", principals=["ops"], options=["force-command=ssh web1 echo only this"])
    assert bound.must("id") == "only this\n"


def test_what_went_in_and_out_is_recorded(bastion, ops):
    assert ops.must("cat; echo err >&2; exit 0", options=at("web1"), input="sent in\n") == "sent in\n"
    last = json.loads(ops.must("sessions", "--json", "--target", "web1").splitlines()[-1])
    events = [json.loads(line) for line in ops.must("replay", last["id"], "--events").splitlines()]
    text = json.dumps(events)
    assert "sent in" in text and "err" in text
    header = next(event for event in events if event["event"] == "header")
    assert (header["kind"], header["target_kind"], header["login"]) == ("exec", "ssh", hosts.LOGIN)
    request = next(event for event in events if event["event"] == "request")
    assert request["verdict"] == "allow" and request["what"] == "command"
    forms = [(event["event"], event.get("form")) for event in events]
    assert ("input", "stdin") in forms and ("output", "terminal") in forms and ("output", "stderr") in forms
    assert forms.index(("request", None)) < forms.index(("input", "stdin"))
