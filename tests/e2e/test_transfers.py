"""Files to and from hosts by the tools that people have: sftp, scp in both modes, rsync, git, sshfs, PuTTY's, Ansible. What
passes arrives whole and is in the recording with its checksum; what is denied is refused, and the rest goes on."""
import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import hosts, keys
from harness.bastion import Bastion, settings
from harness.system import must, random_bytes, run, wait_until


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("transfers")


@pytest.fixture(scope="module")
def tree(place):
    """What rules are about: at the target, with links resolved."""
    made = place / "tree"
    made.mkdir()
    return made


def rules(tree):
    return [
        {"name": "ops", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
        {"name": "watched", "roles": ["agent"], "targets": ["web1"], "match": {"paths": [f"{tree}/watched/**"]}, "action": "allow",
         "sensitive": "deny"},
        {"name": "no-secrets", "roles": ["agent"], "targets": ["web1"], "match": {"paths": [f"{tree}/secret*"]}, "action": "deny",
         "reason": "secrets stay"},
        {"name": "kept", "roles": ["agent"], "targets": ["web1"],
         "match": {"paths": [f"{tree}/kept/**"], "operations": ["write", "remove", "rename", "setstat"]}, "action": "deny",
         "reason": "these files stay"},
        {"name": "programs", "roles": ["agent"], "targets": ["web1"],
         "match": {"commands": ["scp *", "rsync --server *", "git-upload-pack *", "git-receive-pack *"]}, "action": "allow"},
        {"name": "files", "roles": ["agent"], "targets": ["web1"], "match": {"paths": [str(tree), f"{tree}/**"]}, "action": "allow"},
    ]


@pytest.fixture(scope="module")
def shared(place, tree):
    key = keys.new_key(place / "vault_key")
    nothing = SimpleNamespace(port=1, password=key.read_text().splitlines()[2])  # no database here; the key must be nowhere
    sshd = hosts.Sshd(place / "sshd", authorized=[(place / "vault_key.pub").read_text()])
    made = Bastion(nothing, settings(nothing, targets=[sshd.target("web1", credential="web1-key")], rules=rules(tree),
                                      masks=[{"name": "mail", "roles": ["agent"], "detect": ["email"], "with": "redact"}]), credentials=False)
    made.put_secret("web1-key", key.read_text(), "ssh-key")
    made.start()
    yield made
    try:
        made.end()
    finally:
        sshd.stop()


@pytest.fixture
def bastion(shared, request):
    yield from shared.left_as_it_was(kills=request.node.get_closest_marker("kills"))


@pytest.fixture(scope="module")
def ops(shared):
    return shared.client("olga", principals=["ops"])


@pytest.fixture(scope="module")
def agent(shared):
    return shared.client("agent-7", principals=["agent"])


@pytest.fixture(params=["free", "resolved"])
def who(request, ops, agent):
    """Somebody for whom no rule looks at paths, and somebody for whom each path is resolved first."""
    return ops if request.param == "free" else agent


@pytest.fixture
def remote(tree):
    made = tree / f"r{len(list(tree.iterdir()))}"
    made.mkdir()
    return made


@pytest.fixture
def local(tmp_path):
    made = tmp_path / "local"
    made.mkdir()
    return made


HOST = "web1@bastion"


def tool(who, *words, **more):
    return run(words[0], "-F", who.config, *words[1:], timeout=120, **more)


def sftp(who, *lines, options=()):
    return tool(who, "sftp", *options, "-b", "-", HOST, input="".join(f"-{line}\n" for line in lines))


def fill(path, n):
    path.write_bytes(random_bytes(n))
    return path


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def events(who, kind="transfer"):
    """Of the newest session."""
    who.bastion.wait_idle()
    newest = [json.loads(line) for line in who.must("sessions", "--json", "--target", "web1").splitlines()]
    newest = max(newest, key=lambda session: session["id"])
    lines = who.must("replay", newest["id"], "--events").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.mark.asan
def test_sftp_both_ways(bastion, who, local, remote):
    big = fill(local / "big", 5_000_000)
    done = sftp(who, f"put {big} {remote}/big", f"get {remote}/big {local}/back", f"ls -l {remote}", f"chmod 600 {remote}/big",
                f"mkdir {remote}/d", f"rename {remote}/big {remote}/d/moved", f"rm {remote}/d/moved", f"rmdir {remote}/d")
    assert done.returncode == 0 and "denied" not in done.stderr, done.stderr + bastion.log()[-2000:]
    assert sha256(big) == sha256(local / "back") and list(remote.iterdir()) == []
    up, down = events(who)
    for event, direction in ((up, "upload"), (down, "download")):
        assert event["direction"] == direction and event["program"] == "sftp" and event["state"] == "complete"
        assert (event["sha256"], event["bytes"], event["size"], event["whole"]) == (sha256(big), 5_000_000, 5_000_000, True)
        assert event["resolved"] == f"{remote}/big" and event["duration_us"] > 0
    assert "contents" not in json.dumps(up) and "base64" not in json.dumps(up)
    asked = [event["text"] for event in events(who, "request")]
    assert f"open {remote}/big (write, create, truncate)" in asked and f"rename {remote}/big to {remote}/d/moved" in asked
    assert f"setstat {remote}/big (mode 0600)" in asked and f"rmdir {remote}/d" in asked


@pytest.mark.asan
def test_a_refused_file_is_said_why_and_the_others_go_on(bastion, agent, local, tree, remote):
    (tree / "kept").mkdir(exist_ok=True)
    for name in ("a", "b"):
        fill(local / name, 1000)
    done = sftp(agent, f"put {local}/a {remote}/a", f"put {local}/a {tree}/kept/a", f"put {local}/b {remote}/b")
    assert "Permission denied" in done.stderr
    assert f"gatehouse: denied: these files stay (rule kept, code denied): open {tree}/kept/a" in done.stderr
    assert sorted(path.name for path in remote.iterdir()) == ["a", "b"] and not (tree / "kept/a").exists()
    denied = [event for event in events(agent, "request") if event["verdict"] == "deny"]
    assert [(event["rule"], event["code"], event["effects"]) for event in denied] == [("kept", "denied", [f"write {tree}/kept/a"])]


@pytest.mark.asan
@pytest.mark.parametrize("mode", ["sftp", "scp", "rsync"])
def test_links_are_followed_before_the_decision(bastion, agent, local, tree, remote, mode):
    secret = tree / "secret-key"
    secret.write_text("very secret")
    (remote / "link").symlink_to(secret)
    (remote / "up").symlink_to(tree)
    (remote / "nowhere").symlink_to(tree / "secret-new")
    fill(local / "new", 10)
    for name in ("link", "up/secret-key", "../secret-key"):
        paths = {"get": [f"{remote}/{name}", f"{local}/got"], "put": [f"{local}/new", f"{remote}/{name}"]}
        if mode == "sftp":
            sftp(agent, "get " + " ".join(paths["get"]), "put " + " ".join(paths["put"]))
        else:
            program = ["scp", "-O", "-F", agent.config] if mode == "scp" else ["rsync", "-L", "-e", f"ssh -F {agent.config}"]
            assert run(*program, f"{HOST}:{paths['get'][0]}", paths["get"][1]).returncode != 0
            assert run(*program, paths["put"][0], f"{HOST}:{paths['put'][1]}").returncode != 0
        assert not (local / "got").exists() and secret.read_text() == "very secret"
    sftp(agent, f"put {local}/new {remote}/nowhere", f"ln {secret} {remote}/hard", f"symlink {secret} {remote}/soft")
    assert not (tree / "secret-new").exists() and not (remote / "hard").exists() and not (remote / "soft").is_symlink()


@pytest.mark.asan
@pytest.mark.parametrize("mode", [[], ["-O"]], ids=["sftp", "legacy"])
def test_scp_in_both_modes_keeps_times_and_trees(bastion, who, local, remote, mode):
    source = local / "source"
    (source / "sub").mkdir(parents=True)
    for name in ("a", "sub/b", "sub/empty"):
        fill(source / name, 0 if name.endswith("empty") else 70_000)
        os.utime(source / name, (1_000_000_000, 1_000_000_001))
    done = tool(who, "scp", *mode, "-r", "-p", str(source), f"{HOST}:{remote}/copy")
    assert done.returncode == 0, done.stderr + bastion.log()[-2000:]
    done = tool(who, "scp", *mode, "-r", "-p", f"{HOST}:{remote}/copy", str(local / "back"))
    assert done.returncode == 0, done.stderr
    for name in ("a", "sub/b", "sub/empty"):
        assert sha256(source / name) == sha256(local / "back" / name)
        assert (local / "back" / name).stat().st_mtime == 1_000_000_001
    told = {event["path"]: event for event in events(who)}
    assert told[f"{remote}/copy/sub/b"]["sha256"] == sha256(source / "sub/b")
    assert told[f"{remote}/copy/sub/b"]["program"] == ("scp" if mode else "sftp")


def test_legacy_scp_goes_on_behind_a_refused_file(bastion, agent, local, tree):
    (tree / "mixed").mkdir()
    for name in ("a", "z"):
        fill(tree / "mixed" / name, 100)
    (tree / "mixed/m").symlink_to(tree / "secret-key")
    (tree / "secret-key").write_text("very secret")
    done = tool(agent, "scp", "-O", "-r", f"{HOST}:{tree}/mixed", str(local / "got"))
    assert done.returncode == 1 and "gatehouse: denied: secrets stay" in done.stderr
    assert sorted(path.name for path in (local / "got").iterdir()) == ["a", "z"]


def test_a_transfer_is_resumed(bastion, who, local, remote):
    big = fill(local / "big", 2_000_000)
    (remote / "big").write_bytes(big.read_bytes()[:700_000])
    (local / "back").write_bytes(big.read_bytes()[:300_000])
    done = sftp(who, f"reput {big} {remote}/big", f"reget {remote}/big {local}/back")
    assert done.returncode == 0, done.stderr
    assert sha256(big) == sha256(remote / "big") == sha256(local / "back")
    up, down = events(who)
    assert (up["first"], up["length"]) == (700_000, 1_300_000) and (down["first"], down["length"]) == (300_000, 1_700_000)
    assert up["sha256"] == hashlib.sha256(big.read_bytes()[700_000:]).hexdigest()


@pytest.mark.asan
def test_rsync_and_what_is_said_of_it(bastion, who, local, remote):
    source = local / "source"
    (source / "sub").mkdir(parents=True)
    for i in range(50):
        fill(source / "sub" / str(i), 20_000)
    rsh = ["-e", f"ssh -F {who.config}"]
    done = run("rsync", "-az", "--partial", *rsh, f"{source}/", f"{HOST}:{remote}/copy", timeout=120)
    assert done.returncode == 0, done.stderr + bastion.log()[-2000:]
    up, down = events(who)
    assert up["program"] == "rsync" and up["path"] == f"{remote}/copy" and "files have no borders" in up["note"]
    assert up["bytes"] > 50 * 20_000 and len(up["sha256"]) == 64 and down["direction"] == "download"
    done = run("rsync", "-a", "--delete", *rsh, f"{HOST}:{remote}/copy/", str(local / "back"), timeout=120)
    assert done.returncode == 0, done.stderr
    assert all(sha256(source / "sub" / str(i)) == sha256(local / "back/sub" / str(i)) for i in range(50))


def test_rsync_where_it_may_not(bastion, agent, local, tree):
    (tree / "kept").mkdir(exist_ok=True)
    fill(local / "a", 10)
    done = run("rsync", "-a", "-e", f"ssh -F {agent.config}", str(local / "a"), f"{HOST}:{tree}/kept/", timeout=60)
    assert done.returncode != 0 and "these files stay" in done.stderr and not (tree / "kept/a").exists()


@pytest.mark.asan
def test_files_with_secrets_in_them_stay(bastion, agent, local, tree):
    watched = tree / "watched"
    watched.mkdir()
    (watched / "bad").write_bytes(b"x" * 300_000 + b"\nalice@example.com\n" + b"y" * 1000)
    (watched / "fine").write_bytes(b"fine" * 100_000)
    done = sftp(agent, f"get {watched}/bad {local}/bad", f"get {watched}/fine {local}/fine", f"put {watched}/bad {watched}/copy")
    assert f"denied: the file holds what the detector email finds (sensitive: deny, code denied): {watched}/bad" in done.stderr
    assert not (local / "bad").exists() or (local / "bad").stat().st_size == 0
    assert sha256(local / "fine") == sha256(watched / "fine") and b"alice" not in (watched / "copy").read_bytes()
    told = {(event["path"], event["direction"]): event for event in events(agent)}
    assert told[(f"{watched}/bad", "download")]["state"] == "refused" and told[(f"{watched}/bad", "download")]["bytes"] == 0
    assert "email" in told[(f"{watched}/copy", "upload")]["note"]
    done = tool(agent, "scp", "-O", f"{HOST}:{watched}/bad", f"{HOST}:{watched}/fine", str(local))
    assert done.returncode == 1 and "the detector email" in done.stderr and b"alice" not in (local / "bad").read_bytes()
    done = run("rsync", "-e", f"ssh -F {agent.config}", f"{HOST}:{watched}/fine", str(local / "other"), timeout=60)
    assert done.returncode != 0 and "sensitive: deny" in done.stderr and not (local / "other").exists()


@pytest.mark.asan
def test_git_clones_and_pushes(bastion, who, local, remote):
    author = {name: "x@example.com" for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")}
    environment = {**os.environ, **author, "GIT_SSH_COMMAND": f"ssh -F {who.config}", "GIT_CONFIG_GLOBAL": "/dev/null",
                   "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    must("git", "init", "-q", "--bare", remote / "repo.git")
    work = local / "work"

    def git(*words):
        done = run("git", *words, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr + bastion.log()[-2000:]
    git("clone", "-q", f"ssh://{HOST}{remote}/repo.git", work)
    fill(work / "file", 300_000)
    git("-C", work, "add", "file")
    git("-C", work, "commit", "-qm", "one")
    git("-C", work, "push", "-q", "origin", "HEAD:main")
    git("clone", "-q", "-b", "main", f"{HOST}:{remote}/repo.git", local / "again")
    assert sha256(work / "file") == sha256(local / "again/file")
    assert {event["direction"] for event in events(who) if event["program"] == "git"} == {"upload", "download"}


def test_a_slow_reader_makes_nobody_hold_the_file(bastion, ops, local, remote):
    """The client is stopped in the middle of a download: the gate holds a few packets of it."""
    size = 200 << 20
    with open(remote / "big", "wb") as file:
        file.truncate(size)
    process = subprocess.Popen(["sftp", "-F", ops.config, "-b", "-", HOST], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        process.stdin.write(f"get {remote}/big {local}/big\n".encode())
        process.stdin.flush()
        wait_until(lambda: (local / "big").exists() and (local / "big").stat().st_size > 1 << 20, "it runs", 30)
        process.send_signal(19)
        time.sleep(1)  # every window on the way fills
        gates = [int(line.split()[0]) for line in must("ps", "-C", "gatehouse-gate", "-o", "rss=,pid=").splitlines()]
        assert max(gates) < 64 * 1024
        process.send_signal(18)
        process.stdin.close()
        assert process.wait(60) == 0 and (local / "big").stat().st_size == size
    finally:
        process.kill()
        process.wait()


def test_a_client_that_is_killed_in_the_middle_leaves_a_cut_transfer(bastion, ops, local, remote):
    fill(local / "big", 30 << 20)
    process = subprocess.Popen(["sftp", "-F", ops.config, "-l", "20000", "-b", "-", HOST], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.stdin.write(f"put {local}/big {remote}/big\n".encode())
    process.stdin.flush()
    wait_until(lambda: (remote / "big").exists() and (remote / "big").stat().st_size > 1 << 19, "it runs", 30)
    process.kill()
    process.wait()
    told = events(ops)
    assert len(told) == 1 and told[0]["state"] == "cut" and told[0]["bytes"] < 30 << 20
    assert told[0]["sha256"] == hashlib.sha256((local / "big").read_bytes()[:told[0]["bytes"]]).hexdigest()


SENDER = "rsync --server --sender -logDtpre.iLsfxCIvu ."


@pytest.mark.parametrize("line, refused", [
    ("scp -f {}/open", False), ("scp -f {}/secret1", True), ("scp -t {}/open", False), ("scp -t {}/kept/new", True),
    ("scp -f {}/watched/fine", False), (SENDER + " {}/watched/fine", True), (SENDER + " {}/open", False),
    (SENDER + " {}/open {}/secret1", True), ("rsync --server -logDtpre.iLsfxCIvu --delete . {}/kept/new", True),
    ("git-upload-pack '{}/open.git'", False), ("git-upload-pack '{}/secret.git'", True), ("git upload-pack {}/secret.git", True),
    ("git-receive-pack '{}/kept/x.git'", True), ("git-upload-archive {}/open.git", True), ("scp -f {}/open; true", True),
    ("cat {}/open", True)])
def test_explain_agrees_with_what_really_happens(bastion, agent, tree, local, line, refused):
    for folder in ("kept", "watched"):
        (tree / folder).mkdir(exist_ok=True)
    for name in ("open", "secret1", "watched/fine"):
        (tree / name).write_text("hi\n")
    line = line.replace("{}", str(tree))
    path = line.split()[-1]
    if line == f"scp -f {path}":
        done = tool(agent, "scp", "-O", f"{HOST}:{path}", local)
    elif line == f"scp -t {path}":
        done = tool(agent, "scp", "-O", fill(local / "sent", 3), f"{HOST}:{path}")
    else:
        done = tool(agent, "ssh", HOST, line, input="\0\0\0\0")
    explained = bastion.gatehouse("policy", "explain", "-c", bastion.file, "--as", "agent", "--target", "web1", line).stdout
    assert ("gatehouse: denied" in done.stdout + done.stderr) == refused, (done, explained)
    assert f"\nverdict: {'deny' if refused else 'allow'} " in explained, explained


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_small_files(request, bastion, who, local, remote, count):
    if "resolved" in request.node.name:
        count = min(count, 2000)
    source = local / "many"
    source.mkdir()
    for i in range(count):
        (source / str(i)).write_text(f"file {i}\n" * (i % 7))
    done = tool(who, "sftp", "-b", "-", HOST, input=f"put -r {source} {remote}\nget -r {remote}/many {local}/back\n")
    assert done.returncode == 0, done.stderr
    assert all((source / str(i)).read_bytes() == (local / "back" / str(i)).read_bytes() for i in range(count))
    if count <= 300:
        assert len(events(who)) == 2 * count


def test_bytes_that_are_no_sftp_end_the_session(bastion, ops):
    done = ops.ssh("sftp", options=["-l", "web1", "-s"], input="GET / HTTP/1.0\r\n\r\n")
    assert done.returncode != 0 and "the client sent something else than SFTP (code protocol)" in done.stderr


def test_sshfs(bastion, who, local, remote):
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or not shutil.which("sshfs"):
        pytest.skip("no FUSE on this machine")
    mount = local / "mount"
    mount.mkdir()
    done = run("sshfs", f"{HOST}:{remote}", str(mount), "-F", str(who.config), timeout=60)
    if done.returncode != 0 and "fuse" in done.stderr:
        pytest.skip(f"FUSE does not work on this machine: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    try:
        fill(mount / "file", 500_000)
        (mount / "d").mkdir()
        (mount / "file").rename(mount / "d/moved")
        assert sha256(mount / "d/moved") == sha256(remote / "d/moved")
        assert os.listdir(mount) == ["d"]
        (mount / "d/moved").unlink()
        assert not (remote / "d/moved").exists()
    finally:
        run("fusermount3", "-u", str(mount))


def test_ansible_copies_templates_and_runs(bastion, ops, local, remote):
    (local / "template.j2").write_text("port {{ port }}\n")
    (local / "hosts").write_text(f"web1 ansible_host=bastion ansible_user=web1 ansible_python_interpreter=/usr/bin/python3 "
                                 f"ansible_ssh_common_args='-F {ops.config}'\n")
    (local / "play.yaml").write_text(f"""
- hosts: web1
  gather_facts: false
  vars: {{ port: 8080 }}
  tasks:
    - ansible.builtin.copy: {{ content: "copied", dest: "{remote}/copied", mode: "0640" }}
    - ansible.builtin.template: {{ src: "{local}/template.j2", dest: "{remote}/made" }}
    - ansible.builtin.command: {{ cmd: "touch {remote}/ran", creates: "{remote}/ran" }}
""")
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(local), "ANSIBLE_HOME": str(local), "ANSIBLE_HOST_KEY_CHECKING": "True",
                   "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=1s"}
    done = run("ansible-playbook", "-i", str(local / "hosts"), str(local / "play.yaml"), env=environment, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr + bastion.log()[-2000:]
    assert (remote / "copied").read_text() == "copied" and (remote / "copied").stat().st_mode & 0o777 == 0o640
    assert (remote / "made").read_text() == "port 8080\n" and (remote / "ran").exists()
