"""Shells on hosts, at a terminal: what the screen shows, its size, signals, and what of the keyboard is recorded."""
import json

import pytest

from harness.hosts import at, events, last_recording
from harness.system import GATEHOUSE, must, wait_until
from harness.terminal import Terminal

PROMPT = r"ready> "


@pytest.fixture
def shell(host_bastion, host_ops):
    with Terminal(host_ops.argv(options=["-t", *at("web1")]), rows=30, columns=90) as terminal:
        terminal.line("PS1='rea''dy> ' exec bash --norc --noprofile")
        terminal.expect(PROMPT)
        yield terminal


def leave(terminal):
    terminal.line("exit 7")
    assert terminal.wait() == 7


@pytest.mark.asan
def test_a_shell_has_a_terminal_of_the_right_size(shell, host_ops):
    shell.line("stty size; tty; echo $TERM")
    shell.expect(r"30 90\s+/dev/pts/\d+\s+xterm\s+" + PROMPT)
    shell.resize(40, 120)
    shell.line("read -t 1 x; stty size")
    shell.expect(r"40 120")
    leave(shell)
    cast = [json.loads(line) for line in host_ops.must("replay", last_recording(host_ops), "--cast").splitlines()]
    assert (cast[0]["width"], cast[0]["height"]) == (90, 30)
    assert any(line[1:] == ["r", "120x40"] for line in cast[1:])


def test_interrupts_reach_the_host(shell):
    shell.line("sh -c 'echo run\"\"ning; exec sleep 600'")  # a builtin would leave the ^C to bash, between two commands
    shell.expect("running")
    shell.send("\x03")
    shell.expect(r"\^C.*" + PROMPT)
    leave(shell)


@pytest.mark.asan
def test_what_was_typed_is_recorded_and_passwords_are_not(shell, host_bastion, host_ops):
    shell.line("echo one")
    shell.expect(r"one\s+one\s+" + PROMPT)
    shell.line("read -s -p 'Pass''word: ' secret; echo ${#secret}")
    shell.expect("Password: ")
    shell.line("hunter2-hunter2")
    shell.expect("15")
    shell.expect(PROMPT)
    shell.send("echo tx\x7fwo\r")
    shell.expect(r"two\s+" + PROMPT)
    leave(shell)
    recording = last_recording(host_ops)
    inputs = [event for event in events(host_ops, recording) if event["event"] == "input"]
    text = json.dumps(inputs)
    assert "echo one" in text and "echo tx" in text and "wo\\\\r" in text or "wo\\r" in text
    assert any(event["form"] == "hidden" for event in inputs)
    whole = b"".join(path.read_bytes() for path in (host_bastion.state / "recordings").rglob(f"{recording}*"))
    assert b"echo one" in whole and b"hunter2" not in whole
    assert "hunter2" not in host_ops.must("replay", recording, "--cast") + host_ops.must("replay", recording, "--text")


def test_a_closed_terminal_ends_what_runs_on_the_host(shell, host_bastion, host_place):
    (host_place / "trap").unlink(missing_ok=True)
    shell.line(f"sh -c \"trap 'echo gone > {host_place}/trap; exit' HUP; echo s''et; while :; do sleep 0.1; done\"")
    shell.expect(r"set\s")
    shell.process.kill()
    host_bastion.wait_idle()
    wait_until(lambda: (host_place / "trap").exists(), "the shell was hung up", 20)


def test_a_shell_by_command_and_as_subsystem(host_bastion, host_ops):
    assert "via\n" in host_ops.must("shell", "web1", input="echo via\n", options=["-s"])
    with Terminal(host_ops.argv("ssh", "web1", options=["-t"])) as terminal:
        terminal.line("tty; exit 4")
        terminal.expect("/dev/pts/")
        assert terminal.wait() == 4


@pytest.mark.asan
def test_a_session_is_ended_by_whoever_may(shell, host_bastion, host_ops):
    guard = host_bastion.client("gina", principals=["guard"])
    recording = last_recording(guard)
    refused = host_ops.ssh("kill", recording)
    assert refused.returncode == 77 and "code denied" in refused.stderr
    shell.line("echo still he''re")
    shell.expect("still here")
    assert "olga" in guard.must("kill", recording, "--reason", "it got out of hand")
    shell.expect("ended: this session was ended by gina: it got out of hand")
    assert shell.wait() == 77
    host_bastion.wait_log(rf"session_killed recording={recording} by=gina")
    assert any("ended by gina" in event.get("text", "") for event in events(guard, recording))
    again = guard.ssh("kill", recording)
    assert again.returncode == 64 and "no live session" in again.stderr
    must(GATEHOUSE, "verify", "-c", host_bastion.file)
