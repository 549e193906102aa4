"""Commands on hosts, through `ssh TARGET@bastion` and `ssh bastion ssh TARGET`: what goes in and comes out."""
import hashlib
import json
import os
import subprocess
import time

import pytest

from harness import hosts
from harness.client import quote
from harness.hosts import at
from harness.system import must, run



@pytest.mark.asan
@pytest.mark.parametrize("target", ["web1", "web2", "rsa", f"{hosts.LOGIN}+web1"])
def test_a_command_runs_with_its_output_errors_and_status(host_bastion, host_ops, target):
    done = host_ops.ssh("echo out; echo err >&2; exit 3", options=at(target))
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3), host_bastion.log()[-3000:]


@pytest.mark.parametrize("words", [["ssh", "web1", "echo 'a  b'"], ["ssh", f"{hosts.LOGIN}+web1", "echo 'a  b'"]])
def test_the_command_surface_reaches_hosts_too(host_bastion, host_ops, words):
    assert host_ops.must(*words) == "a  b\n"
    assert host_ops.must(*words, options=["-s"]) == "a  b\n"


def test_a_wrong_use_of_ssh_is_status_64(host_bastion, host_ops):
    for words in (["ssh"], ["ssh", "-t", "web1"], ["shell"], ["shell", "web1", "x"]):
        done = host_ops.ssh(*words)
        assert done.returncode == 64 and "gatehouse: usage: " in done.stderr, done


@pytest.mark.asan
@pytest.mark.parametrize("size", [0, 1, 4096, 20 << 20])
def test_bytes_survive_both_ways(host_bastion, host_ops, size, tmp_path):
    data = os.urandom(size)
    done = host_ops.ssh("cat", options=at("web1"), input=data, bytes=True)
    assert done.returncode == 0, host_bastion.log()[-3000:]
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_nothing_is_lost_at_close(host_bastion, host_ops):
    """The last bytes and the exit follow each other at once; the reader is slow."""
    with host_ops.running("head -c 3000000 /dev/zero; head -c 200000 /dev/zero >&2; exit 5", options=at("web1"),
                     stderr=subprocess.DEVNULL) as process:
        time.sleep(1)  # lets every window and buffer on the way fill
        assert len(process.stdout.read()) == 3000000
        assert process.wait(20) == 5


def test_input_ends_without_ending_output(host_bastion, host_ops):
    done = host_ops.ssh("cat >/dev/null; echo after the end", options=at("web1"), input="x" * 100000)
    assert done.stdout == "after the end\n"


def test_output_ends_without_ending_input(host_bastion, host_ops, host_place):
    """The command closes its output and reads on: the client sees the end of output, and may still send."""
    done = host_ops.ssh(f"exec >&- 2>&-; cat > {host_place}/late", options=at("web1"), input="y" * 300000)
    assert done.returncode == 0 and (host_place / "late").read_text() == "y" * 300000


@pytest.mark.parametrize("before", ["", "sleep 5 | "])
def test_a_reader_that_leaves_ends_the_command(host_bastion, host_ops, before):
    """Whether the client's input has ended already or not."""
    done = run("sh", "-c", before + " ".join(map(quote, host_ops.argv("yes", options=at("web1")))) + " | head -1", timeout=30)
    assert done.stdout == "y\n"
    host_bastion.wait_idle()


def test_death_by_a_signal_is_told(host_bastion, host_ops):
    done = host_ops.ssh("kill -TERM $$", options=[*at("web1"), "-v"])
    assert done.returncode == 255 and "exit-signal" in done.stderr


def test_only_harmless_variables_are_passed_on(host_bastion, host_ops):
    done = host_ops.ssh('echo "[$LANG][$LC_TEST][$EVIL]"', options=[*at("web1"), "-o", "SetEnv=LANG=de_DE.UTF-8 LC_TEST=x EVIL=1"])
    assert done.stdout == "[de_DE.UTF-8][x][]\n"


def test_many_sessions_share_one_connection_to_the_host(host_bastion, host_ops, sshd):
    before = sshd.log().count("Accepted publickey")
    with host_ops.master(options=at("web1")) as shared:
        started = [shared.start(f"read x; echo {i} $x", options=at("web1"), stdin=subprocess.PIPE) for i in range(12)]
        answers = [process.communicate(b"in\n", timeout=30)[0] for process in started]
        assert answers == [f"{i} in\n".encode() for i in range(12)]
    assert sshd.log().count("Accepted publickey") == before + 1


@pytest.mark.asan
def test_a_denied_command_does_not_reach_the_host(host_bastion, host_agent, host_place):
    done = host_agent.ssh(f"touch {host_place}/reached; reboot --now", options=at("web1"))
    assert done.returncode == 77 and not (host_place / "reached").exists()
    first, second = done.stderr.splitlines()
    assert first.startswith("gatehouse: denied: hosts stay up") and first.endswith("(rule no-reboot, code denied)")
    assert second.startswith("gatehouse: next: ")


@pytest.mark.parametrize("line, code", [
    ("sudo -n reboot", "denied"), ("\\reboot", "denied"), ("sh -c 'ls; reboot'", "denied"), ("echo $(reboot)", "denied"),
    ("x=reboot; $x", "denied"), ("echo reboot | sh", "denied"), ("cat <<E\n$(reboot)\nE", "denied"), ("touch {0} 'x", "unparsable")])
def test_what_a_line_runs_is_found_in_it(host_bastion, host_agent, host_place, line, code):
    done = host_agent.ssh(f"touch {host_place}/reached; {line.format(host_place / 'reached')}", options=at("web1"))
    assert done.returncode == 77 and not (host_place / "reached").exists()
    assert f"code {code})" in done.stderr


def test_describe_tells_what_may_be_run(host_bastion, host_agent):
    assert "commands reboot*" in host_agent.must("describe")
    rules = [rule for target in json.loads(host_agent.must("describe", "--json"))["targets"] for rule in target["rules"]]
    assert {"commands": ["reboot*"]} in [match for rule in rules for match in rule.get("match", [])]


def test_a_line_of_allowed_commands_runs(host_bastion, host_agent):
    done = host_agent.ssh("for i in a b; do printf '%s\\n' \"$i\" | cat; done; cat <<E\n$(echo c)\nE", options=at("web1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\nb\nc\n", "")


def test_a_shell_is_judged_by_its_channel(host_bastion, host_agent):
    done = host_agent.ssh(options=[*at("web1"), "-T"], input="echo no\n")
    assert done.returncode == 77 and "no\n" not in done.stdout


def test_another_host_is_refused_and_both_fingerprints_logged(host_bastion, host_ops, sshd, host_place):
    done = host_ops.ssh("echo no", options=at("other"))
    assert done.returncode == 69 and "code host_key_mismatch" in done.stderr and done.stdout == ""
    shown, pinned = (must("ssh-keygen", "-lf", key).split()[1] for key in (sshd.directory / "host_ed25519.pub", host_place / "vault_key.pub"))
    line = host_bastion.wait_log("target_login_refused.*host_key_mismatch.*").group()
    assert shown in line and pinned in line
    assert shown not in done.stderr


def test_a_login_that_the_target_does_not_offer_is_refused(host_bastion, host_ops):
    done = host_ops.ssh("id", options=at("nobody+web1"))
    assert done.returncode == 77 and 'no login "nobody"' in done.stderr


def test_what_may_not_be_reached_looks_like_what_is_not_there(host_bastion, host_agent):
    hidden, missing = host_agent.ssh("ssh", "web2", "id"), host_agent.ssh("ssh", "web9", "id")
    assert hidden.stderr.replace("web2", "web9") == missing.stderr and hidden.returncode == missing.returncode == 77


def test_a_host_that_is_down_is_told_and_tried_anew(host_bastion, host_ops, sshd):
    sshd.stop()
    try:
        done = host_ops.ssh("echo no", options=at("web1"))
        assert done.returncode == 69 and "code target_unavailable" in done.stderr
    finally:
        sshd.start()
    assert host_ops.must("echo yes", options=at("web1")) == "yes\n"


def test_whoever_is_bound_to_a_command_chooses_nothing_by_a_user_name(host_bastion):
    bound = host_bastion.client("bound", principals=["ops"], options=["force-command=whoami --json"])
    assert '"identity":"bound"' in bound.must("id", options=at("web1"))
    bound = host_bastion.client("bound2", principals=["ops"], options=["force-command=ssh web1 echo only this"])
    assert bound.must("id") == "only this\n"


def test_what_went_in_and_out_is_recorded(host_bastion, host_ops):
    assert host_ops.must("cat; echo err >&2; exit 0", options=at("web1"), input="sent in\n") == "sent in\n"
    last = json.loads(host_ops.must("sessions", "--json", "--target", "web1").splitlines()[-1])
    events = [json.loads(line) for line in host_ops.must("replay", last["id"], "--events").splitlines()]
    text = json.dumps(events)
    assert "sent in" in text and "err" in text
    header = next(event for event in events if event["event"] == "header")
    assert (header["kind"], header["target_kind"], header["login"]) == ("exec", "ssh", hosts.LOGIN)
    request = next(event for event in events if event["event"] == "request")
    assert request["verdict"] == "allow" and request["what"] == "command"
    forms = [(event["event"], event.get("form")) for event in events]
    assert ("input", "stdin") in forms and ("output", "terminal") in forms and ("output", "stderr") in forms
    assert forms.index(("request", None)) < forms.index(("input", "stdin"))


def test_where_a_ca_signs_the_host_runs_that_command_and_no_other(host_bastion, host_ops):
    """The certificate has it as force-command: the host then says what was asked for besides."""
    words = 'echo "[$SSH_ORIGINAL_COMMAND]"; cat'
    with host_ops.master() as client:
        for _ in range(2):
            done = client.ssh("ssh", "web2", words, input="in")
            assert (done.stdout, done.returncode) == (f"[{words}]\nin", 0)
        assert client.ssh("ssh", "web1", words, input="in").stdout == "[]\nin"
        shell = client.ssh("shell", "web2", options=["-s"], input=f"{words}\n")
        assert shell.stdout.startswith("[]")
    entries = (host_bastion.state / "audit" / "chain.ghaud").read_bytes().split(b"target_certificate")[1:]
    forced = [entry for entry in entries if words.encode() in entry]
    assert len(forced) == 2 and all(word in forced[0] for word in (b"vault", b"olga", b"web2", b"target-ca", b"serial"))



def test_commands_by_certificates_end_with_their_connections(host_bastion, host_ops):
    with host_ops.master() as client:
        processes = [subprocess.Popen(client.argv("ssh", "web2", f"echo {i}"), stdout=subprocess.PIPE) for i in range(8)]
        assert [int(process.communicate(timeout=60)[0]) for process in processes] == list(range(8))
        assert client.ssh("ssh", "web2", "exit 3").returncode == 3
