"""Detectors on what comes back from hosts: without a terminal, on its screen, and in the recording."""
import re
import subprocess

import pytest

from harness import hosts
from harness.hosts import at, last_recording
from harness.terminal import Terminal

KEY = "AKIAIOSFODNN7EXAMPLE"  # of AWS' own documentation
MASKS = [{"name": "secrets", "roles": ["agent"], "targets": ["web*"], "detect": ["aws_key", "email", "private_key"],
          "with": "redact"}]


@pytest.fixture(scope="module")
def masked(postgres, sshd, host_place):
    with hosts.bastion_with(postgres, sshd, host_place, targets=("web1", "db1"), masks=MASKS,
                            rules=[{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}],
                            roles=[{"name": "agent"}, {"name": "ops"}, {"name": "guard", "may": ["replay"]}]) as made:
        yield made


@pytest.fixture(scope="module")
def agent(masked):
    return masked.client("agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def ops(masked):
    return masked.client("olga", principals=["ops", "guard"])


@pytest.mark.asan
def test_output_of_a_command_is_masked_on_both_streams(agent, ops):
    done = agent.ssh("printf id=%s%s AKIAIOSF ODNN7EXAMPLE; printf %s%s anna@ example.com >&2; echo; echo plain", options=at("web1"))
    assert done.returncode == 0
    assert KEY not in done.stdout and done.stdout.startswith("id=") and done.stdout.endswith("\nplain\n")
    assert "anna" not in done.stderr
    text = ops.must("replay", last_recording(ops), "--text")
    assert "plain" in text and KEY not in text and "anna@example.com" not in text


def test_who_is_not_named_by_the_mask_sees_all(ops, agent):
    assert ops.must(f"echo {KEY}", options=at("web1")) == f"{KEY}\n"
    assert agent.must(f"echo {KEY}", options=at("db1")) == f"{KEY}\n"


def test_a_match_that_comes_in_parts_is_masked(agent):
    shown = agent.must("for c in A K I A I O S F O D N N 7 E X A M P L E; do printf $c; sleep 0.01; done; echo", options=at("web1"))
    assert KEY not in shown and shown.endswith("\n")


def test_nothing_is_lost_and_binary_output_is_as_it_was(agent):
    shown = agent.ssh("head -c 3000000 /dev/zero | tr '\\0' '\\377'; printf tail", options=at("web1"), text=False)
    assert shown.returncode == 0
    assert shown.stdout == b"\xff" * 3000000 + b"tail"


def test_files_are_not_rewritten(agent, masked, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_text(f"{KEY}\n" * 100)
    place = masked.directory / "file"
    for words in ([source, f"web1@bastion:{place}"], [f"web1@bastion:{place}", copy]):
        done = subprocess.run(["scp", "-q", "-F", str(agent.config), *map(str, words)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert copy.read_text() == source.read_text()


@pytest.fixture
def shell(agent):
    with Terminal(agent.argv(options=["-t", *at("web1")]), rows=24, columns=80) as terminal:
        terminal.line("PS1='rea''dy> ' exec bash --norc --noprofile")
        terminal.expect("ready> ")
        yield terminal
        terminal.line("exit 7")
        assert terminal.wait() == 7


@pytest.mark.asan
@pytest.mark.parametrize("command", [
    "printf 'x %s y\\n' AKIAIOSF'ODNN7EXAMPLE'",
    "printf 'x AKIA\\033[31mIOSF\\033[0mODNN7EXAM''PLE y\\n'",
    "printf '\\033[5C7EXAM''PLE y\\rx \\033[K'; printf 'AKIAIOSFODNN7EXAM''PLE y\\n'",
    "for c in $(echo 'AKIAIOSFODNN7EXAM''PLE' | fold -w 1); do printf $c; sleep 0.01; done; echo ' y'",
])
def test_on_a_terminal_the_screen_shows_the_mask(shell, command):
    shell.line(command)
    shell.expect(r"\*{20}|\*(?:.*\*){10}")
    shell.expect("ready> ")
    assert KEY not in shell.text
    assert KEY not in re.sub(r"\s", "", shell.text)


def test_what_is_typed_shows_at_once_and_as_it_is(shell):
    shell.line("echo hello 4111 1111 anna@")
    shell.expect(r"hello 4111 1111 anna@\s+hello 4111 1111 anna@\s+ready> ")


def test_the_recording_of_a_terminal_is_masked_as_well(agent, ops):
    with Terminal(agent.argv("printf", "'%s%s\\n'", "AKIAIOSF", "ODNN7EXAMPLE", options=["-t", *at("web1")])) as terminal:
        terminal.expect(r"\*{20}")
        assert terminal.wait() == 0
    cast = ops.must("replay", last_recording(ops), "--cast")
    assert KEY not in cast and "*" * 20 in cast
