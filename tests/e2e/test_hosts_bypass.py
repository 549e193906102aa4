"""A hostile agent at a host: what the rules do not allow does not run, is not read and is not written, however it is put.
Attacks on the reader of lines are in tests/unit/shell_cases, where they are judged and run; here is what needs the whole path.

The login may be root: whatever gets through here must do no more than leave a mark in a directory of the test's own. No line
names a place outside of it, nor a command that does harm."""
import json
import os
import subprocess
from types import SimpleNamespace

import pytest

from harness import hosts, keys
from harness.bastion import Bastion, settings
from harness.hosts import at
from harness.system import run
from harness.terminal import Terminal

MAIL = "someone.secret@corp.example.com"


def rules(app):
    def agent(name, match, action, **more):
        return {"name": name, "roles": ["agent"], "targets": ["web1"], "match": match, "action": action, **more}
    return [agent("no-rm", {"commands": ["rm *", "reboot *"]}, "deny", reason="no"),
            agent("no-keys", {"paths": ["**/.ssh/**", f"{app}/kept", f"{app}/kept/**"]}, "deny", reason="kept"),
            agent("shells", {"channels": ["shell"]}, "allow", guarded=True),
            agent("look", {"commands": ["ls *", "cat *", "git *", "echo *", "kubectl *", "systemctl status *", "scp *", "rsync *", "true",
                                        "wait *", "sleep *", "env *", "declare *", "f *", "test *"]}, "allow"),
            agent("app", {"paths": [str(app), f"{app}/**"]}, "allow", sensitive="deny")]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    made = tmp_path_factory.mktemp("app")
    (made / "kept").mkdir()
    (made / "kept/secret").write_text("the kept one\n")
    (made / "in").write_text("plain\n")
    (made / "mail").write_text(f"a\n{MAIL}\n")
    (made / "to-kept").symlink_to(made / "kept")
    (made / "to-secret").symlink_to(made / "kept/secret")
    (made / "repo").mkdir()
    (made / ".ssh").mkdir()
    (made / ".ssh/id").write_text("the kept one\n")
    return made


@pytest.fixture(scope="module")
def bastion(app, tmp_path_factory):
    place, nothing = tmp_path_factory.mktemp("bypass"), SimpleNamespace(port=1)  # no database here
    key = keys.new_key(place / "vault_key")
    sshd = hosts.Sshd(place / "sshd", authorized=[(place / "vault_key.pub").read_text()], settings=("AcceptEnv *",))
    made = Bastion(nothing, settings(nothing, targets=[sshd.target("web1", credential="web1-key")], rules=rules(app),
                                     masks=[{"name": "mail", "roles": ["agent"], "detect": ["email"], "with": "redact"}]), credentials=False)
    made.put_secret("web1-key", key.read_text(), "ssh-key")
    made.start()
    yield made
    try:
        made.stop()
        assert made.trouble() == []
    finally:
        made.remove()
        sshd.stop()


@pytest.fixture(scope="module")
def agent(bastion):
    with bastion.client("agent-7", principals=["agent"]).master(at("web1")) as client:
        yield client


def does(agent, line, options=(), **more):
    return agent.ssh(line, options=[*options, *at("web1")], **more)


# ---- command lines ----

LINES = ["declare -a 'x=($({pwn}))'", "find . -name {{x,-exec,sh,\\;}}", "! [[ a && {pwn} ]]", "true || [[ a && rm ]]", "git grep -e -- -O{pwn}",
         "kubectl --kubeconfig={app}/k get pods", "sleep 0 & for x in '-npa[$({pwn})]'; do wait \"$x\"; done", "env a.b=c rm {app}/in",
         "for o in -v; do test z -o \"$o\" 'a[$({pwn})]'; done", "for MAILPATH in '{app}/in?$({pwn})'; do ls; done", "echo {pwn} >/dev/fd/10",
         "ls\r{pwn}", "ls \u2028{pwn}", "ls $'\\'' {pwn} '", "cat {app}/in #\\\n{pwn}", "git -c core.pager={pwn} log",
         "git clone --upload-pack={pwn} {app}/repo {app}/x", "env -S '{pwn}'", "ls > {app}/../x", "cat < {app}/kept/secret",
         "ls\nrm {app}/in", "ls {app}\\\n;rm {app}/in", "f() {{ rm {app}/in; }}; f", "echo {pwn} | sh", "{app}/ls", "./ls", "ls `{pwn}`", "x[$({pwn})]=1",
         "scp -f {app}/kept/secret #", "scp -f {app}/kept/secret </dev/stdin", "scp -f {{{app}/kept/secret,}}", "true; scp -t {app}/kept",
         "rsync --server --sender -logDtpre.iLsfxCIvu . {app}/kept/secret #", "sleep 0; git-upload-pack {app}/kept", "ls " + "x" * 30000,
         "ls '\x01'", "ls \x7f", "ls 'unfinished", "ls $((1+", "cat <<E\n$({pwn})\nE", "ls &> {app}/o {pwn}", "exec {pwn}", "command {pwn}"]


def test_no_line_does_what_no_rule_allows(agent, app):
    pwn = app / "pwn"
    pwn.write_text(f"#!/bin/sh\n: > {app}/pwned\n")
    pwn.chmod(0o755)
    for line in LINES:
        done = does(agent, line.format(pwn=pwn, app=app))
        assert done.returncode == 77 and "gatehouse: denied" in done.stderr, (line, done)
        assert "kept one" not in done.stdout, line
    assert not (app / "pwned").exists() and (app / "in").exists() and not (app / "o").exists()


def test_what_the_environment_may_not_bring(agent):
    given = {"LC_ALL": "C", "LC_X": "$(pwn)", "LANGUAGE": "../../../srv", "TZ": "/srv/x", "PATH": "/srv", "LD_PRELOAD": "/srv/x", "BASH_ENV": "/srv/x",
             "LC_PATH": "/srv/x", "LANG": "C", "ENV": "/srv/x", "GIT_SSH_COMMAND": "pwn", "GIT_PROTOCOL": "version=2", "PS4": "$(pwn)"}
    options = ["-o", "SetEnv=" + " ".join(f'"{name}={value}"' for name, value in given.items())]
    done = subprocess.run(agent.argv("env", options=[*options, "-o", "ControlPath=none", *at("web1")]), capture_output=True, text=True, timeout=60)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    passed = {name for name in given if seen.get(name) == given[name]}
    assert passed == {"LC_ALL", "LC_X", "LANG", "GIT_PROTOCOL"}, done


# ---- files ----

SFTP = ["get {app}/kept/secret", "get {app}/to-secret", "get {app}/to-kept/secret", "get {app}/./kept//secret", "get {app}/repo/../kept/secret",
        "get {app}/../{name}/kept/secret", "get {app}/kept/secret/", "put {local} {app}/kept/new", "put {local} {app}/to-kept/new", "put {local} {app}/to-secret",
        "rename {app}/kept {app}/free", "rename {app}/kept/secret {app}/free", "rename {app}/in {app}/kept/in", "rename {app}/to-kept/secret {app}/free",
        "ln {app}/kept/secret {app}/hard", "ln -s {app}/kept/secret {app}/soft", "ln -s kept/secret {app}/soft", "ln -s repo/../kept/secret {app}/soft",
        "ln -s ./../{name}/kept/secret {app}/soft", "ln {app}/to-secret {app}/hard", "chmod 777 {app}/kept/secret", "chmod 777 {app}/to-secret",
        "rm {app}/kept/secret", "mkdir {app}/kept/d", "mkdir {app}/to-kept/d", "rmdir {app}/kept", "cp {app}/kept/secret {app}/copy", "ls {app}/kept",
        "put {local} {app}/.ssh/new", "put {local} {app}//.ssh/./new", "get {app}/.ssh/id", "get /proc/self/root{app}/kept/secret", "get /proc/self/cwd{app}/kept/secret",
        "get {app}/mail", "reget {app}/mail", "rename -l {app}/kept/secret {app}/free", "df {app}/kept"]


def test_no_file_is_reached_by_another_name(agent, app, tmp_path):
    local = tmp_path / "local"
    local.write_text("x\n")
    lines = [line.format(app=app, name=app.name, local=local) for line in SFTP]
    done = run("sftp", "-F", agent.config, "-b", "-", "web1@bastion", input="".join(f"-{line}\n" for line in lines), timeout=120, cwd=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["local"] or all(os.path.getsize(tmp_path / name) == 0 for name in os.listdir(tmp_path) if name != "local"), done
    assert done.stderr.count("gatehouse: denied") >= len(SFTP) - 8, done.stderr
    assert sorted(os.listdir(app / ".ssh")) == ["id"] and sorted(os.listdir(app / "kept")) == ["secret"] and (app / "kept/secret").stat().st_mode & 0o777 != 0o777
    assert not {"free", "hard", "soft", "copy"} & set(os.listdir(app))


SCP = ["{app}/kept/secret", "{app}/to-secret", "{app}/to-kept/secret", "{app}/k*/secret", "'{app}/kept/secret'", "{app}/mail", "{app}/.ssh/id", "{app}/repo/../.ssh/id"]


def test_legacy_scp_and_rsync_give_nothing_away(agent, app, tmp_path):
    for i, path in enumerate(SCP):
        run("scp", "-O", "-F", agent.config, "web1@bastion:" + path.format(app=app), str(tmp_path / str(i)), timeout=60)
        run("rsync", "-e", f"ssh -F {agent.config}", "web1@bastion:" + path.format(app=app), str(tmp_path / f"r{i}"), timeout=60)
    for path in ("/nowhere/x/y", "'/nowhere/x'"):  # and who asks for what leads nowhere hears so
        assert does(agent, f'rsync --server --sender -e.LsfxCIvu . "{path}"').returncode == 77
    got = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"kept one" not in got and MAIL.encode() not in got


# ---- what is shown ----

SHOWN = ["cat {app}/mail", "cat {app}/mail >&2", "echo some''one.secret@corp.example.com", "echo -n someone.secret; sleep 0.4; echo @corp.example.com",
         "echo -e 'someone.\\e[31msecret\\e[0m@corp.example.com'", "echo -e 'someone.\\033[3Gmeone.secret@corp.example.com'",
         "echo -e '\\e[?1049hsomeone.secret@corp.example.com'", "echo -e 'secret@corp.example.com\\rsomeone.secret@corp.example.com'",
         "echo -e '\\e]0;someone.secret@corp.example.com\\a'", "echo -e '\\e(0someone.secret@corp.example.com'", "echo -e '\\e[10;75Hsomeone.secret@corp.example.com'",
         "echo -e '\\e]8;;someone.secret@corp.example.com\\e\\\\x'", "echo -e 'someone.secretX\\b@corp.example.com'", "echo -e '\\eP0someone.secret@corp.example.com\\e\\\\'"]


@pytest.mark.parametrize("terminal", ["-T", "-tt"])
def test_what_is_masked_is_not_shown(agent, app, terminal):
    for line in SHOWN:
        argv = agent.argv(line.format(app=app), options=[terminal, *at("web1")])
        if terminal == "-T":
            done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
            assert MAIL.encode() not in done.stdout + done.stderr, line
            continue
        with Terminal(argv, rows=24, columns=80) as screen:
            screen.wait(30)
            assert MAIL not in screen.text.replace("\r\n", ""), (line, screen.raw)


# ---- the connection ----

def test_what_is_not_listed_is_not_reached(agent, bastion):
    for place in ("127.0.0.1:22", "[::1]:22", "[::ffff:127.0.0.1]:22", "localhost:22", "127.1:22", "0x7f000001:22", "web1:23", "0.0.0.0:22", "[::]:22"):
        done = agent.ssh(options=["-o", "ControlPath=none", "-W", place, *at("web1")], input="", timeout=60)
        assert done.returncode != 0 and "SSH-" not in done.stdout, (place, done)
    for options in (["-R", "0:127.0.0.1:22"], ["-A"], ["-X"], ["-w", "0:0"], ["-R", "/tmp/never:127.0.0.1:22"]):
        done = agent.ssh("echo SSH_AUTH_SOCK=$SSH_AUTH_SOCK DISPLAY=$DISPLAY", options=["-o", "ControlPath=none", *options, *at("web1")], timeout=60)
        assert "SSH_AUTH_SOCK=/" not in done.stdout and "DISPLAY=:" not in done.stdout and "DISPLAY=l" not in done.stdout, (options, done)
    for name in ("sh", "sftp ", "SFTP", "netconf", "shell web1 pwn", "ssh web1 pwn", "internal-sftp", "sftp\n", "x" * 4000):
        done = agent.ssh(name, options=["-s", *at("web1")], input="", timeout=60)
        assert done.returncode != 0, (name, done)
    assert does(agent, "echo alive").stdout == "alive\n"


def test_odd_terminals_end_nothing(agent):
    with Terminal(agent.argv(options=["-t", *at("web1")]), rows=65535, columns=65535) as shell:
        shell.expect(r"\$ |# ", 30)
        shell.resize(0, 0)
        shell.resize(1, 1)
        shell.resize(65535, 1)
        shell.resize(24, 80)
        shell.line("echo al''ive")
        shell.expect("alive", 30)
    assert does(agent, "echo alive").stdout == "alive\n"
