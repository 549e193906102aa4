"""Guarded shells: each line is decided on, and runs in one shell that lasts."""
import json
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from harness.holding import Operator
from harness.hosts import at, events, last_recording
from harness.shells import HANGS, LOGIN_SHELLS, ShellsHost
from harness.system import wait_until
from harness.terminal import Terminal

ALLOWED = ["echo *", "printf *", "cd *", "pwd", "ls *", "cat *", "sleep *", "true", "false", "stty *", "tty", "sh *", "f *", "exec *", "kill *",
           "jobs *", "fg *", "wait *", "export *", "x=*", "[ *", "read *", "trap *", "seq *", "exit *", "declare *", "set *", "eval *", "test *", "yes *", "head *"]
RULES = [{"name": "no-reboot", "roles": ["agent"], "targets": ["*"], "match": {"commands": ["reboot*"]}, "action": "deny",
          "reason": "hosts stay up"},
         {"name": "removal", "roles": ["agent"], "targets": ["*"], "match": {"commands": ["rm *"]}, "action": "approve",
          "approve": {"by": ["dba"], "wait": "10m"}, "reason": "two pairs of eyes"},
         {"name": "shells", "roles": ["agent"], "targets": ["*"], "match": {"channels": ["shell"]}, "action": "allow", "guarded": True},
         {"name": "look", "roles": ["agent"], "targets": ["*"], "match": {"commands": ALLOWED}, "action": "allow"},
         {"name": "scratch", "roles": ["agent"], "targets": ["*"], "match": {"operations": ["read", "write"], "paths": ["/tmp/*"]}, "action": "allow"},
         {"name": "unknown", "roles": ["loose"], "targets": ["*"], "match": "anything", "action": "allow", "guarded": True},
         {"name": "all", "roles": ["dba"], "targets": ["*"], "match": "anything", "action": "allow"}]


@pytest.fixture(scope="module")
def shells_host(orphans, host_place):
    made = ShellsHost([(host_place / "vault_key.pub").read_text()])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def guarded(postgres, sshd, shells_host, host_place):
    from harness.bastion import Bastion, settings
    targets = [sshd.target("web1", credential="web1-key"), *shells_host.targets(credential="web1-key")]
    made = Bastion(postgres, settings(postgres, targets=targets, rules=RULES,
                                      masks=[{"name": "keys", "detect": ["aws_key"], "with": "redact"}],
                                      roles=[{"name": "agent"}, {"name": "loose"}, {"name": "dba", "may": ["replay", "kill", "watch"]}]))
    made.put_secret("web1-key", (host_place / "vault_key").read_text(), "ssh-key")
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(guarded):
    return guarded.client("local/agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def anna(guarded):
    with guarded.client("local/anna", principals=["dba"]).master() as client:
        yield Operator(client)


PROMPT = r"@[a-z0-9]+:[^\n]*\$ "
RUNNERS = ["web1", "dash", "ash"]  # bash, and hosts without it


# A program that can be interrupted: shells lose a key that comes while they start one.
RUNS = "sh -c 'echo run\"\"ning; exec sleep 100'"


class Shell(Terminal):
    def prompt(self):
        return self.expect(PROMPT)

    def does(self, line, pattern=""):
        self.line(line)
        self.expect(pattern + r".*" + PROMPT if pattern else PROMPT)


@pytest.fixture(params=RUNNERS)
def shell(request, agent):
    with Shell(agent.argv(options=["-t", *at(request.param)]), rows=30, columns=90) as made:
        made.prompt()
        made.target = request.param
        yield made
        if made.process.poll() is None:
            made.send("\x03\x15exit\r")


@pytest.fixture
def scratch():
    """For every account."""
    with tempfile.TemporaryDirectory(prefix="guarded-", dir="/tmp") as made:
        os.chmod(made, 0o777)
        yield Path(made)


def interrupt(shell):
    """bash loses a Ctrl-C now and then that comes while it starts a program of a loop: then people press it again."""
    shell.send("\x03")
    again = threading.Timer(5, lambda: shell.send("\x03"))
    again.start()
    try:
        shell.prompt()
    finally:
        again.cancel()


def test_what_a_line_does_to_the_shell_lasts(shell):
    shell.does("cd /tmp; x=5")
    shell.does("pwd; echo $x", r"/tmp\s+5\s")
    shell.does("f() { echo \"got $1\"; }")
    shell.does("f it", "got it")
    shell.does("false")
    shell.does("echo $?", r"\s1\s")
    shell.line("exit 7")
    assert shell.wait() == 7


def test_a_line_that_is_refused_runs_nowhere_and_the_shell_goes_on(shell, scratch):
    shell.does(f"echo a > {scratch}/a; reboot", r"denied: hosts stay up \(run reboot\) \(rule no-reboot, code denied\)\s+gatehouse: next: ")
    shell.does("echo $?", r"\s77\s")
    assert not (scratch / "a").exists()
    shell.does(f"echo b > {scratch}/b")
    assert (scratch / "b").read_text() == "b\n"
    shell.does("f() { rebo''ot; }", "hosts stay up")
    shell.does("eval rebo''ot", "hosts stay up")
    shell.does("sh -c 'reboot'", "hosts stay up")


def test_keys_go_to_the_command_that_runs(shell):
    shell.line("read x; echo got:$x")
    shell.send("it\r")
    shell.expect("got:it.*" + PROMPT)
    shell.line(RUNS + "; echo tw''o")
    shell.expect("running")
    interrupt(shell)


def test_interrupts_end_a_whole_loop(shell):
    shell.line("while true; do echo ru''ns; sleep 0.2; done")
    shell.expect("runs")
    interrupt(shell)
    shell.does("echo $?", "130")


def test_jobs_can_be_stopped_and_go_on(shell):
    shell.line(RUNS)
    shell.expect("running")
    shell.send("\x1a")
    shell.expect("Stopped.*" + PROMPT)
    shell.line("fg")
    shell.expect(r"\n.*sleep 100")
    interrupt(shell)


def test_what_nobody_read_is_typed_ahead_and_judged(shell, scratch):
    shell.line("sleep 1")
    shell.send(f"echo x > {scratch}/no; reboot\recho typ''ed")
    shell.expect("hosts stay up")
    shell.prompt()
    assert not (scratch / "no").exists()
    shell.send("-ahead\r")
    shell.expect("typed-ahead.*" + PROMPT)


def test_a_paste_is_one_command(shell, scratch):
    shell.send("\x1b[200~echo on''e\recho tw''o\x1b[201~")
    shell.send("\r")
    shell.expect(r"one\s+two.*" + PROMPT)
    shell.send(f"\x1b[200~echo a > {scratch}/paste\rreboot\x1b[201~\r")
    shell.expect("hosts stay up.*" + PROMPT)
    assert not (scratch / "paste").exists()


def test_lines_that_are_not_finished_go_on(shell):
    shell.line("cat <<E")
    shell.expect("> ")
    shell.line("reboot $x")
    shell.does("E", r"\sreboot \s")
    shell.line("for i in 1 2; do")
    shell.line("echo n''$i")
    shell.does("done", r"n1\s+n2\s")
    shell.line("echo 'open")
    interrupt(shell)
    shell.does("echo whole", r"\swhole\s")


def test_the_line_is_edited_as_in_bash(shell):
    shell.does("echo first")
    shell.does("echo second")
    shell.send("\x10\x10\x17la''st\r")  # two up, another word
    shell.expect(r"\slast\s.*" + PROMPT)
    shell.send("\x12fir\r")
    shell.expect(r"\sfirst\s.*" + PROMPT)
    shell.send("world\x01echo hello \x05!\x1b[D\x1b[D\x08-\r")
    shell.expect(r"hello wor-d!.*" + PROMPT)
    shell.send("echo \u4f60\u597d\u02dc\x7f\x7f\u597d\x1b[D\x1b[Dx\r")
    shell.expect(r"\sx\u4f60\u597d\s.*" + PROMPT)
    shell.send("no\x03")
    shell.prompt()
    shell.send("\x04")
    assert shell.wait() == 130


ATTACKS = ["alias ls=reboot", "PATH=/tmp/x; ls", "hash -p /tmp/x ls", ". /tmp/x", "PROMPT_COMMAND=reboot", "trap reboot EXIT",
           "trap 'echo x' DEBUG", "PS1='$(reboot)'", "_gh=reboot", "_gh() { ls; }", "read() { true; }", "set -n", "ENV=/tmp/x sh -c ls",
           "cat <<E\n$(reboot)\nE", "f() { $1; }", "export PATH", "eval \"$x\"", "sh", "ls | sh", "exec sh", "cd /tmp; ./ls", "$(echo reboot)",
           "PWD=/srv", "echo \x1b[200~", "true & reboot", "ls\\\n; reboot"]


def test_what_would_change_the_meaning_of_later_lines_is_refused(shell):
    for attack in ATTACKS:
        shell.send(f"\x1b[200~{attack}\x1b[201~\r")
        shell.expect(r"gatehouse: denied: .*" + PROMPT if attack != "echo \x1b[200~" else PROMPT)


def test_a_shell_can_not_be_talked_out_of_its_ways(shell, scratch):
    (scratch / "script").write_text("echo ev''il\n")
    shell.does(f"exec < {scratch}/script")
    shell.does("echo go''od", "good")
    shell.does("(sleep 0.3; kill -INT $$) & cd /tmp; sleep 1")
    shell.does("echo st''ill", "still")
    shell.does("printf '\\001%s;E;1;0;/;%s\\002\\n' 0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef", "E;1;0;/;0123")
    shell.does("printf '\\001gatehouse;/\\002'; echo sta''ys", "stays")
    shell.does("set -x; set +x")
    shell.does("stty raw -echo; true")
    shell.does("stty sane; echo re''ady", "ready")
    assert "evil" not in shell.text


def test_what_runs_in_the_background_is_seen_and_the_line_stays(shell):
    shell.does("(sleep 1; echo la''ter) &")
    shell.send("echo ha")
    shell.expect(r"later\s+.*" + PROMPT + "echo ha")
    shell.send("''lf\r")
    shell.expect(r"\shalf\s")
    shell.prompt()


def test_a_very_long_line_is_refused_whole(shell, scratch):
    shell.send("\x1b[200~" + (f"echo x >> {scratch}/long; " + "y" * 4000 + "\r") * 256 + "\x1b[201~\r")
    shell.expect("longer than 24 KiB", 60)
    shell.prompt()
    assert not (scratch / "long").exists()
    shell.does("echo go''es", "goes")


def test_programs_have_the_whole_terminal(shell):
    shell.line("stty size; while [ \"$(stty size)\" != '40 120' ]; do sleep 0.1; done; echo si''zed")
    shell.expect(r"30 90\s")
    shell.resize(40, 120)
    shell.expect(r"sized.*" + PROMPT)
    shell.does("tty", r"/dev/pts/\d+")


@pytest.fixture
def victim(scratch):
    made = scratch / "victim"
    made.write_text("here")
    made.chmod(0o666)
    return made


def test_a_line_waits_for_people(shell, anna, victim):
    shell.line(f"cd /tmp; rm {victim}; echo do''ne")
    shell.expect("waiting for approval")
    request = anna.open(f"rm {victim}")
    assert request["kind"] == "command" and victim.exists()
    anna.approve(request["id"])
    shell.expect(r"done\s.*:/tmp\$ ")
    assert not victim.exists()
    victim.write_text("again")
    shell.line(f"rm {victim}")
    shell.expect("waiting for approval")
    request = anna.open(f"rm {victim}")
    anna.deny(request["id"], "--reason", "'not this one'")
    shell.expect("not this one.*" + PROMPT)
    shell.line(f"rm {victim}")
    shell.expect("waiting for approval")
    request = anna.open(f"rm {victim}")
    shell.send("\x03")
    shell.expect("cancelled.*" + PROMPT)
    wait_until(lambda: anna.state(request["id"]) == "withdrawn", "withdrawn")
    shell.does("echo $?", r"\s77\s")
    assert victim.exists()


MODES = ["icanon kill '#'", "icanon erase '#'", "icanon kill 7", "icanon erase 7", "icanon erase z kill 1",
         "isig -noflsh intr '#'", "icanon iuclc"]


@pytest.mark.parametrize("mode", MODES)
def test_a_command_runs_whole_or_not_at_all_whatever_the_terminal_makes_of_it(shell, victim, mode):
    """A job in the background may set the terminal's mode when it likes, also between a decision and its command."""
    shell.does(f"(trap '' TTOU; sleep 0.5; stty {mode}; echo re''ady) & true", "ready")
    shell.line(f"echo A; echo {'#' * 40}rm {victim}")
    shell.expect(f"\\sA\\s.*{PROMPT}|\\sA\\s.*{'#' * 40}rm|was changed under a command", 20)
    assert victim.exists()


UNANSWERED = "the shell at the target has not answered for .* seconds.*gatehouse: next: .* connect again"


@pytest.mark.slow
def test_a_shell_that_the_terminal_has_made_deaf_is_told_of(agent, victim):
    with Shell(agent.argv(options=["-t", *at("web1")])) as killed, Shell(agent.argv(options=["-t", *at("web1")])) as stripped:
        for shell, mode in ((killed, "icanon kill R"), (stripped, "istrip")):
            shell.prompt()
            shell.does(f"(trap '' TTOU; sleep 0.5; stty {mode}; echo re''ady) & true", "ready")
            shell.line(f"echo A; echo {'#' * 40}rm {victim}")
        killed.expect(UNANSWERED, 60)
        stripped.expect(UNANSWERED, 60)
        assert victim.exists()


@pytest.mark.slow
def test_a_shell_that_is_slow_to_answer_is_told_of_and_nothing_is_lost(agent):
    with Shell(agent.argv(options=["-t", *at("web1")])) as shell, Shell(agent.argv(options=["-t", *at("web1")])) as busy:
        busy.prompt()
        busy.line("sleep 15; echo sle''pt")
        shell.prompt()
        shell.line("echo pid:$$:")
        pid = int(shell.expect(r"pid:(\d+):")[1])
        shell.prompt()
        os.kill(pid, signal.SIGSTOP)
        shell.line("read x; echo go''t:$x")
        shell.send("typ")
        shell.expect(UNANSWERED, 60)
        shell.send("ed\r")
        os.kill(pid, signal.SIGCONT)
        shell.expect("got:typed.*" + PROMPT, 60)
        busy.expect("slept.*" + PROMPT, 60)
        assert "has not answered" not in busy.text  # a command that runs has been answered for


def test_a_function_needs_the_approval_each_time(shell, anna, victim):
    shell.line("f() { rm \"$1\"; }")
    shell.expect("waiting for approval")
    anna.approve(anna.open("rm \"$1\"")["id"])
    shell.prompt()
    shell.line(f"f {victim}")
    shell.expect("waiting for approval")
    assert victim.exists()
    anna.deny(anna.open(f"f {victim}")["id"])
    shell.prompt()
    assert victim.exists()


def test_what_is_recorded(agent, anna, guarded):
    with Shell(agent.argv(options=["-t", *at("web1")])) as shell:
        shell.prompt()
        shell.does("echo on''e")
        shell.does("reboot", "hosts stay up")
        shell.line("stty -echo; echo Pass''word:; read x; stty echo; echo ${#x}")
        shell.expect("Password:")
        shell.line("hunter2-hunter2")
        shell.expect(r"15\s.*" + PROMPT)
        shell.line("cat > /tmp/guarded-typed")
        shell.send("typ")
        shell.expect("typ")
        shell.send("ed-in\r")
        shell.expect("ed-in")
        shell.send("\x04")
        shell.prompt()
        shell.does("printf '%s%s\\n' AKIA IOSFODNN7EXAMPLE; echo sh''own", "shown")
        assert "AKIAIOSFODNN7EXAMPLE" not in shell.text
        shell.line("exit")
        shell.wait()
    recording = last_recording(anna.client)
    seen = events(anna.client, recording)
    lines = [(event["text"], event["verdict"]) for event in seen if event["event"] == "request" and event["what"] == "command"]
    assert ("echo on''e", "allow") in lines and ("reboot", "deny") in lines
    inputs = [event for event in seen if event["event"] == "input"]
    assert any("ed-in" in event.get("text", "") for event in inputs) and any(event["form"] == "hidden" for event in inputs)
    whole = b"".join(path.read_bytes() for path in (guarded.state / "recordings").rglob(f"{recording}*"))
    assert b"shown" in whole
    assert [word for word in (b"hunter2", b"_ghq", b"AKIAIOSFODNN7EXAMPLE") if word in whole] == []
    text = anna.client.must("replay", recording, "--text")
    assert "one" in text and "hosts stay up" in text


def test_a_guarded_shell_is_watched_and_killed(agent, anna):
    with Shell(agent.argv(options=["-t", *at("web1")])) as shell:
        shell.prompt()
        recording = last_recording(anna.client)
        with anna.client.running(f"watch {recording}") as watch:
            shell.does("echo see''n")
            wait_until(lambda: b"seen" in watch.stdout.read1(65536), "watched")
            watch.kill()
        anna.client.must("kill", recording, "--reason", "'enough'")
        shell.expect("enough")
        assert shell.wait() == 77


def plain(client, text, target="web1"):
    return client.ssh(options=["-T", *at(target)], input=text)


@pytest.mark.parametrize("target", RUNNERS)
def test_without_a_terminal_lines_are_read_from_standard_input(agent, scratch, target):
    done = plain(agent, "cd /tmp\nx=5\npwd\necho $x\nf() {\n  echo \"f:$1\"\n}\nf it\ncat <<E\nhere $x\nE\necho err >&2; false\n", target)
    assert done.stdout == "/tmp\n5\nf:it\nhere 5\n"
    assert done.stderr.endswith("err\n")
    assert done.returncode == 1
    done = plain(agent, f"echo a\necho b > {scratch}/x; reboot\necho $?\ncat\necho c\r\nexit 3\necho never\n", target)
    assert (done.stdout, done.returncode) == ("a\n77\nc\n", 3)
    assert "gatehouse: denied: hosts stay up (run reboot) (rule no-reboot, code denied)\ngatehouse: next: " in done.stderr
    assert not (scratch / "x").exists()
    assert plain(agent, "echo one\nreboot", target).returncode == 77
    done = plain(agent, "if true; then\n", target)
    assert done.returncode == 77 and "code unparsable" in done.stderr
    assert plain(agent, "", target).returncode == 0
    done = plain(agent, "exec > /dev/null\necho lost\nseq 3 >&2\n", target)
    assert (done.stdout, done.returncode) == ("", 0) and done.stderr.endswith("1\n2\n3\n")


@pytest.mark.parametrize("target", RUNNERS)
def test_odd_bytes_run_nowhere(agent, scratch, target):
    line = f"echo x > {scratch}/odd"
    for odd in (f"{line}\0\n", f"{line} \x01\n", f"{line} \x1b[A\n", f"{line} \x7f\n"):
        done = plain(agent, odd, target)
        assert done.returncode == 77 and "code unparsable" in done.stderr, odd
    done = plain(agent, line + "; " + "y" * 1_000_000 + f"\n{line}2\n", target)
    assert "longer than 24 KiB" in done.stderr and done.returncode == 0
    assert [path.name for path in scratch.iterdir()] == ["odd2"]


def test_much_output_comes_whole(agent):
    done = plain(agent, "seq 300000\necho end\n")
    assert done.stdout == "".join(f"{i}\n" for i in range(1, 300001)) + "end\n"


def test_once_something_unknown_ran_everything_is(guarded, agent):
    loose = guarded.client("local/loose", principals=["loose"])
    assert plain(loose, "alias ll=ls\necho on\n").stdout == "on\n"
    both = guarded.client("local/both", principals=["agent", "loose"])
    done = plain(both, "echo a\n")
    assert done.stdout == "a\n"


def test_a_line_waits_for_people_without_a_terminal(agent, anna, victim):
    with agent.running(options=["-T", *at("web1")], stdin=subprocess.PIPE) as process:
        process.stdin.write(f"echo before\nrm {victim}\necho after\n".encode())
        process.stdin.flush()
        request = anna.open(f"rm {victim}")
        anna.approve(request["id"])
        out, err = process.communicate(timeout=30)
    assert out == b"before\nafter\n" and b"waiting for approval" in err
    assert not victim.exists()


@pytest.mark.parametrize("login_shell", LOGIN_SHELLS)
def test_accounts_with_other_login_shells_have_one_too(agent, scratch, login_shell):
    with Shell(agent.argv(options=["-t", *at(login_shell)])) as shell:
        shell.prompt()
        shell.does(f"echo a > {scratch}/a; reboot", "hosts stay up")
        shell.does("echo $?", r"\s77\s")
        shell.line(RUNS)
        shell.expect("running")
        interrupt(shell)
        shell.does("cd /tmp; f() { echo \"$1-$PWD\"; }")
        shell.does("f on''e", "one-/tmp")
        shell.send("\x10\x10\x10\r")  # the line with the program
        shell.expect("running")
        interrupt(shell)
        shell.line("exit 7")
        assert shell.wait() == 7
    done = plain(agent, f"cd /tmp; pwd\necho a > {scratch}/a; reboot\necho $?\nexit 3\n", login_shell)
    assert (done.stdout, done.returncode) == ("/tmp\n77\n", 3) and "hosts stay up" in done.stderr
    assert not (scratch / "a").exists()


@pytest.mark.slow
def test_a_login_shell_that_hangs_is_told_of(agent):
    with Shell(agent.argv(options=["-t", *at(HANGS)])) as shell:
        shell.expect("got to no prompt within .* seconds .code target_unavailable.*gatehouse: next: .* login shell", 60)
        assert shell.wait() == 69


@pytest.mark.parametrize("target", ["only-zsh", "only-ksh93", "only-mksh"])
def test_a_host_with_no_shell_that_can_be_guarded_says_so(agent, scratch, target):
    why = "unavailable: the target has neither bash nor dash, and its sh is a ksh or zsh"
    with Shell(agent.argv(options=["-t", *at(target)])) as shell:
        shell.send(f"echo a > {scratch}/a\r")
        shell.expect(why + ".*code target_unavailable.*gatehouse: next: have bash or dash installed")
        assert shell.wait() == 69
    done = plain(agent, f"echo a > {scratch}/a\n", target)
    assert why in done.stderr and (done.stdout, done.returncode) == ("", 69)
    assert not (scratch / "a").exists()


def marked(mark):
    """Processes of the host that have this in their environment, as (pid, parent)."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes():
                found.append((int(place.name), int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])))
        except OSError:
            pass
    return found


def is_alive(pid, mark):
    try:
        place = Path("/proc") / str(pid)
        return mark.encode() in (place / "environ").read_bytes() and not (place / "cmdline").read_bytes().startswith(b"sleep")
    except OSError:
        return False


def is_sshd(pid):
    return b"sshd" in (Path("/proc") / str(pid) / "cmdline").read_bytes()


@pytest.mark.parametrize("target", RUNNERS)
@pytest.mark.parametrize("who", ["client", "sshd"])
@pytest.mark.parametrize("line", ["sleep 1000", "while true; do true; done"])
def test_nothing_is_left_at_the_host(agent, target, who, line):
    mark = f"guarded-{target}-{who}-{len(line)}"
    with Shell(agent.argv(options=["-t", "-o", f"SetEnv=LC_GUARDED={mark}", *at(target)])) as shell:
        shell.prompt()
        shell.line(f"echo be''gun; {line}")
        shell.expect("begun")
        there = [(pid, parent) for pid, parent in marked(mark) if pid != shell.process.pid]
        pids = [pid for pid, _ in there]
        server = [parent for _, parent in there if parent not in pids and parent > 1 and is_sshd(parent)]
        assert len(pids) >= 3 and server
        if who == "client":
            shell.process.kill()
        else:
            os.kill(server[0], signal.SIGKILL)
        wait_until(lambda: not [pid for pid, _ in marked(mark) if is_alive(pid, mark)], "nothing of it runs any more", 20)
