"""Transfers between real clients and the real programs of a target (transfer_harness.c): what passes, what is refused, and
what is told of it."""
import hashlib
import os
import shlex
import subprocess
from pathlib import Path

import pytest

HARNESS = os.environ["TRANSFER_HARNESS"]
SFTP_SERVER = "/usr/lib/openssh/sftp-server"


class Site:
    """A directory with a local and a remote part, and what connects them."""

    def __init__(self, path):
        self.local, self.remote, self.events_file = path / "local", path / "remote", path / "events"
        self.local.mkdir()
        self.remote.mkdir()
        self.path = path
        self.environment = {}

    def rules(self, *lines):
        self.environment["HARNESS_RULES"] = "\n".join(lines)

    def wrapper(self, *command):
        script = self.path / "wrapper"
        script.write_text(f"#!/bin/sh\nexec {shlex.join([HARNESS, *command])} \"$@\"\n", encoding="utf-8")
        script.chmod(0o755)
        return script

    def run(self, *command, **more):
        environment = {**os.environ, "HARNESS_EVENTS": str(self.events_file), **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False, cwd=self.local,
                              **more)

    def sftp(self, *lines, options=()):
        batch = "".join(f"-{line}\n" for line in lines)
        return self.run("sftp", *options, "-b", "-", "-D", self.wrapper("sftp", SFTP_SERVER), input=batch.encode())

    def events(self):
        return self.events_file.read_text(encoding="utf-8").splitlines() if self.events_file.exists() else []

    def transfers(self):
        return [line for line in self.events() if line.startswith("transfer ")]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fill(path, n):
    path.write_bytes(os.urandom(n))
    return path


def test_files_pass_both_ways_and_are_told_of(site):
    big = fill(site.local / "big", 3_000_000)
    r = site.sftp(f"put big {site.remote}/big", f"get {site.remote}/big back")
    assert r.returncode == 0, r.stderr
    assert sha256(big) == sha256(site.remote / "big") == sha256(site.local / "back")
    up, down = site.transfers()
    for line, direction in ((up, "upload"), (down, "download")):
        assert f"transfer {direction} complete" in line
        assert f"bytes=3000000 from=0 length=3000000 {sha256(big)} whole sized" in line
        assert f"resolved={site.remote}/big" in line


@pytest.mark.parametrize("rules", [(), ("allow * /nowhere",)], ids=["plain", "resolved"])
@pytest.mark.parametrize("small", [1, 7, 4096])
def test_it_does_not_matter_how_the_bytes_arrive(site, small, rules):
    site.environment["HARNESS_SMALL"] = str(small)
    if rules:
        site.rules(*rules)
    big = fill(site.local / "big", 20_000 if small < 100 else 500_000)
    r = site.sftp(f"put big {site.remote}/big", f"get {site.remote}/big back", f"ls {site.remote}")
    assert r.returncode == 0, r.stderr
    assert sha256(big) == sha256(site.local / "back")


def test_a_refused_file_does_not_stop_the_others(site):
    for name in ("a", "b", "c"):
        fill(site.local / name, 100_000)
    site.rules(f"deny write {site.remote}/b")
    r = site.sftp(f"put a {site.remote}/a", f"put b {site.remote}/b", f"put c {site.remote}/c")
    assert b"Permission denied" in r.stderr
    assert sorted(p.name for p in site.remote.iterdir()) == ["a", "c"]
    assert sha256(site.local / "c") == sha256(site.remote / "c")
    assert f"deny open {site.remote}/b (write, create, truncate)" in site.events()
    assert len(site.transfers()) == 2


def test_links_are_followed_before_the_decision(site):
    secret = fill(site.remote / "secret", 1000)
    (site.remote / "link").symlink_to("secret")
    (site.remote / "open").mkdir()
    (site.remote / "open/up").symlink_to("..")
    (site.remote / "nowhere").symlink_to("secret.new")
    (site.local / "new").write_text("new", encoding="utf-8")
    site.rules(f"deny read,write {site.remote}/secret*")
    for name in ("link", "open/up/secret", "open/../secret", "secret", "./secret", "open//..//secret"):
        site.sftp(f"cd {site.remote}", f"get {name} {site.local}/got")
        assert not (site.local / "got").exists(), name
    site.sftp(f"cd {site.remote}", "put new nowhere", "put new link", "put new open/up/secret")
    assert not (site.remote / "secret.new").exists()
    assert len(secret.read_bytes()) == 1000


def test_a_link_is_removed_itself(site):
    keep = fill(site.remote / "keep", 10)
    (site.remote / "link").symlink_to("keep")
    site.rules(f"deny remove {keep}")
    site.sftp(f"rm {site.remote}/link", f"rm {keep}")
    assert keep.exists() and not (site.remote / "link").is_symlink()


def test_new_names_for_a_file_that_may_not_be_read_are_refused(site):
    fill(site.remote / "secret", 10)
    (site.remote / "in").mkdir()
    site.rules(f"deny read {site.remote}/secret")
    site.sftp(f"cd {site.remote}", "ln secret in/hard", "symlink secret relative", "symlink ../secret in/soft",
              f"symlink {site.remote}/secret absolute", "symlink in/../in/x fine")
    assert sorted(p.name for p in site.remote.iterdir()) == ["fine", "in", "secret"]
    assert os.readlink(site.remote / "fine") == "in/../in/x"
    assert not list((site.remote / "in").iterdir())


def test_a_rename_is_judged_at_both_ends(site):
    for name in ("a", "kept", "free"):
        fill(site.remote / name, 10)
    before = sha256(site.remote / "kept")
    site.rules(f"deny rename {site.remote}/a", f"deny write {site.remote}/kept")
    site.sftp(f"cd {site.remote}", "rename a b", "rename free kept", "rename free moved")
    assert sorted(p.name for p in site.remote.iterdir()) == ["a", "kept", "moved"]
    assert sha256(site.remote / "kept") == before


def test_a_size_set_is_a_write_and_a_mode_is_not(site):
    file = fill(site.remote / "file", 100)
    site.rules("deny write *")
    r = site.sftp(f"chmod 600 {file}")
    assert r.returncode == 0 and file.stat().st_mode & 0o777 == 0o600
    site.rules("deny setstat *")
    site.sftp(f"chmod 644 {file}")
    assert file.stat().st_mode & 0o777 == 0o600


def test_times_and_modes_are_kept_with_p(site):
    file = fill(site.local / "file", 100)
    file.chmod(0o640)
    os.utime(file, (1_000_000_000, 1_000_000_001))
    site.sftp(f"put -p file {site.remote}/file", f"get -p {site.remote}/file back")
    for copy in (site.remote / "file", site.local / "back"):
        assert copy.stat().st_mode & 0o777 == 0o640 and copy.stat().st_mtime == 1_000_000_001


def test_a_transfer_is_resumed(site):
    big = fill(site.local / "big", 1_000_000)
    (site.remote / "big").write_bytes(big.read_bytes()[:400_000])
    (site.local / "back").write_bytes(big.read_bytes()[:300_000])
    r = site.sftp(f"reput big {site.remote}/big", f"reget {site.remote}/big back")
    assert r.returncode == 0, r.stderr
    assert sha256(big) == sha256(site.remote / "big") == sha256(site.local / "back")
    up, down = site.transfers()
    tail = hashlib.sha256(big.read_bytes()[400_000:]).hexdigest()
    assert f"bytes=600000 from=400000 length=600000 {tail} whole" in up and "sized" not in up
    assert "bytes=700000 from=300000 length=700000" in down


def test_directories_pass_and_are_listed(site):
    tree = site.local / "tree"
    (tree / "sub").mkdir(parents=True)
    for i in range(200):
        fill(tree / f"sub/{i}", 50)
    r = site.sftp(f"put -r tree {site.remote}", f"get -r {site.remote}/tree back", f"ls -l {site.remote}/tree/sub")
    assert r.returncode == 0, r.stderr
    for i in range(200):
        assert sha256(tree / f"sub/{i}") == sha256(site.local / f"back/sub/{i}")
    assert len(site.transfers()) == 400
    site.rules(f"deny list {site.remote}/tree/sub")
    assert b"Permission denied" in site.sftp(f"ls {site.remote}/tree/sub").stderr


@pytest.mark.parametrize("size", [0, 1, 4096, 40_000, 1_000_000])
def test_a_file_in_which_a_detector_fires_is_refused(site, size):
    site.environment["HARNESS_DETECT"] = "email"
    (site.remote / "bad").write_bytes(b"x" * size + b"\nalice@example.com\n" + b"y" * 100)
    clean = fill(site.remote / "clean", size)
    clean.write_bytes(clean.read_bytes().replace(b"@", b"a"))
    r = site.sftp(f"get {site.remote}/bad bad", f"get {site.remote}/clean clean", f"reget {site.remote}/bad bad")
    assert not (site.local / "bad").exists() or not (site.local / "bad").stat().st_size
    assert sha256(clean) == sha256(site.local / "clean"), r.stderr
    assert "transfer download refused" in site.transfers()[0] and "email" in site.transfers()[0]
    assert "bytes=0" in site.transfers()[0]
    (site.local / "bad").write_bytes((site.remote / "bad").read_bytes())
    site.sftp(f"put bad {site.remote}/up", f"put clean {site.remote}/up2")
    assert b"alice@example.com" not in (site.remote / "up").read_bytes()
    assert sha256(clean) == sha256(site.remote / "up2")


def test_a_detector_is_no_hindrance_to_devices_being_refused(site):
    site.environment["HARNESS_DETECT"] = "email"
    r = site.sftp("get /dev/zero zero")
    assert not (site.local / "zero").exists() or not (site.local / "zero").stat().st_size
    assert r.returncode == 0  # the batch goes on


def test_a_path_that_changes_under_way_is_closed_again(site):
    fill(site.remote / "secret", 10)
    fill(site.remote / "fine", 10)
    site.rules(f"deny read {site.remote}/secret")
    site.environment["HARNESS_RACE"] = f"ln -sfn secret {site.remote}/fine"
    site.sftp(f"get {site.remote}/fine got")
    assert not (site.local / "got").exists() or not (site.local / "got").stat().st_size
    assert "led elsewhere" in site.transfers()[-1]


@pytest.mark.parametrize("option", [(), ("-p",), ("-r",)])
def test_scp_over_sftp_passes(site, option):
    big = fill(site.local / "big", 300_000)
    server = site.wrapper("sftp", SFTP_SERVER)
    r = site.run("scp", *option, "-D", server, "big", f"x:{site.remote}/big")
    assert r.returncode == 0, r.stderr
    r = site.run("scp", *option, "-D", server, f"x:{site.remote}/big", "back")
    assert r.returncode == 0, r.stderr
    assert sha256(big) == sha256(site.remote / "big") == sha256(site.local / "back")


# ---- scp as it was, rsync, git ----


def scp_o(site, *arguments):
    return site.run("scp", "-O", "-S", site.wrapper("exec"), *arguments)


@pytest.mark.parametrize("rules", [(), ("allow * /nowhere",)], ids=["plain", "resolved"])
@pytest.mark.parametrize("small", [1, 7, 131072])
@pytest.mark.parametrize("detect", ["", "email"])
def test_scp_as_it_was_passes_both_ways(site, small, rules, detect):
    site.environment["HARNESS_SMALL"] = str(small)
    if rules:
        site.rules(*rules)
    if detect:
        site.environment["HARNESS_DETECT"] = detect
    big = fill(site.local / "big", 20_000 if small < 100 else 500_000)
    big.write_bytes(big.read_bytes().replace(b"@", b"a"))
    big.chmod(0o640)
    os.utime(big, (1_000_000_000, 1_000_000_001))
    (site.local / "empty").write_bytes(b"")
    r = scp_o(site, "-p", "big", "empty", f"x:{site.remote}")
    assert r.returncode == 0, r.stderr
    r = scp_o(site, "-p", f"x:{site.remote}/big", f"x:{site.remote}/empty", ".")
    assert r.returncode == 0, r.stderr
    assert sha256(big) == sha256(site.remote / "big")
    assert (site.remote / "big").stat().st_mtime == 1_000_000_001 and (site.remote / "empty").stat().st_size == 0
    up = site.transfers()[0]
    assert f"bytes={big.stat().st_size} from=0 length={big.stat().st_size} {sha256(big)} whole sized" in up
    if rules:
        assert f"resolved={site.remote}/big" in up


def test_scp_of_a_tree(site):
    tree = site.local / "tree"
    (tree / "sub/deep").mkdir(parents=True)
    for i in range(20):
        fill(tree / f"sub/{i}", 50)
    fill(tree / "sub/deep/x", 50)
    fill(tree / "last", 50)
    r = scp_o(site, "-r", "tree", f"x:{site.remote}/copy")
    assert r.returncode == 0, r.stderr
    r = scp_o(site, "-r", f"x:{site.remote}/copy", "back")
    assert r.returncode == 0, r.stderr
    for name in [f"sub/{i}" for i in range(20)] + ["sub/deep/x", "last"]:
        assert sha256(tree / name) == sha256(site.local / "back" / name)
    assert any(f"path={site.remote}/copy/sub/deep/x " in line for line in site.transfers())


def test_scp_goes_on_behind_refused_files_and_directories(site):
    tree = site.local / "tree"
    for name in ("a", "keep", "z"):
        (tree / name).mkdir(parents=True)
        fill(tree / name / "f", 50)
        fill(tree / name / "g", 50)
    site.rules("deny mkdir,list */keep", "deny write,read */a/f")
    r = scp_o(site, "-r", "tree", f"x:{site.remote}/copy")
    assert r.returncode == 1 and b"gatehouse: denied: it is forbidden" in r.stderr
    found = sorted(str(p.relative_to(site.remote)) for p in site.remote.rglob("*") if p.is_file())
    assert found == ["copy/a/g", "copy/z/f", "copy/z/g"]
    subprocess.run(["cp", "-r", tree, site.remote / "tree"], check=True)
    r = scp_o(site, "-r", f"x:{site.remote}/tree", "back")
    assert r.returncode == 1 and b"gatehouse: denied: it is forbidden" in r.stderr
    found = sorted(str(p.relative_to(site.local / "back")) for p in (site.local / "back").rglob("*") if p.is_file())
    assert found == ["a/g", "z/f", "z/g"]


def test_scp_follows_links_before_the_decision(site):
    fill(site.remote / "secret", 1000)
    (site.remote / "link").symlink_to("secret")
    (site.remote / "d").mkdir()
    (site.remote / "d/up").symlink_to("..")
    fill(site.local / "new", 10)
    before = sha256(site.remote / "secret")
    site.rules(f"deny read,write {site.remote}/secret")
    for name in ("link", "d/up/secret", "d/../secret", "d/up/link"):
        assert scp_o(site, f"x:{site.remote}/{name}", "got").returncode == 1
        assert not (site.local / "got").exists()
        assert scp_o(site, "new", f"x:{site.remote}/{name}").returncode == 1
    assert sha256(site.remote / "secret") == before
    assert scp_o(site, "-r", f"x:{site.remote}/d", "got").returncode == 1
    assert not list((site.local / "got").rglob("secret"))


def test_scp_of_a_pattern_passes(site):
    for name in ("a.txt", "b.txt", "c.bin"):
        fill(site.remote / name, 10)
    r = scp_o(site, f"x:{site.remote}/*.txt", ".")
    assert r.returncode == 0, r.stderr
    assert sha256(site.local / "a.txt") == sha256(site.remote / "a.txt") and not (site.local / "c.bin").exists()
    assert len(site.transfers()) == 2


@pytest.mark.parametrize("size", [0, 1, 5000, 300_000])
def test_of_a_file_with_a_secret_nothing_of_it_passes_by_scp(site, size):
    site.environment["HARNESS_DETECT"] = "email"
    secret = b"alice@example.com"
    (site.remote / "bad").write_bytes(b"x" * size + b"\n" + secret)
    fill(site.remote / "fine", 100).write_bytes(b"fine")
    r = scp_o(site, f"x:{site.remote}/bad", f"x:{site.remote}/fine", ".")
    assert r.returncode == 1 and b"the detector email" in r.stderr, r.stderr
    assert secret not in (site.local / "bad").read_bytes() and b"@" not in (site.local / "bad").read_bytes()
    assert (site.local / "fine").read_bytes() == b"fine"
    assert "transfer download refused" in site.transfers()[0] and "email" in site.transfers()[0]
    (site.local / "bad").write_bytes((site.remote / "bad").read_bytes())
    r = scp_o(site, "bad", "fine", f"x:{site.remote}/d/" if (site.remote / "d").mkdir() is None else "")
    assert r.returncode == 1 and b"the detector email" in r.stderr
    assert secret not in (site.remote / "d/bad").read_bytes() and (site.remote / "d/fine").read_bytes() == b"fine"


def test_a_name_that_leaves_its_directory_ends_scp(site):
    wrapper = site.wrapper("exec")
    r = subprocess.run([wrapper, "x", f"scp -t {site.remote}"], input=b"C0644 1 ../evil\nx\0", capture_output=True,
                       timeout=60, check=False)
    assert r.returncode == 70 and b"does not add up" in r.stderr
    assert not (site.path / "evil").exists()


def rsync(site, *arguments):
    return site.run("rsync", "-e", str(site.wrapper("exec")), *arguments)


def test_rsync_passes_and_its_paths_are_decided_on(site):
    tree = site.local / "tree"
    tree.mkdir()
    for i in range(20):
        fill(tree / str(i), 50_000)
    site.rules(f"deny write {site.remote}/no*", f"deny read {site.remote}/secret*", f"deny remove {site.remote}/copy*")
    r = rsync(site, "-a", "--partial", "--info=progress2", "tree/", f"x:{site.remote}/copy")
    assert r.returncode == 0, r.stderr
    r = rsync(site, "-az", f"x:{site.remote}/copy/", "back")
    assert r.returncode == 0, r.stderr
    assert all(sha256(tree / str(i)) == sha256(site.local / "back" / str(i)) for i in range(20))
    told = site.transfers()
    assert all("files have no borders in it" in line for line in told) and len(told) == 4
    assert f"path={site.remote}/copy resolved={site.remote}/copy" in told[0]
    (site.remote / "secret").mkdir()
    (site.remote / "fine").symlink_to("secret")
    r = rsync(site, "-a", "tree/", f"x:{site.remote}/no")
    assert b"gatehouse: denied" in r.stderr and not (site.remote / "no").exists()
    assert b"gatehouse: denied" in rsync(site, "-a", f"x:{site.remote}/fine/", "got").stderr
    assert b"gatehouse: denied" in rsync(site, "-a", "--delete", "tree/", f"x:{site.remote}/copy").stderr


def test_git_clones_and_pushes_where_it_may(site):
    git = {"GIT_SSH": str(site.wrapper("exec")), "GIT_SSH_VARIANT": "simple", "GIT_CONFIG_GLOBAL": "/dev/null",
           "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x"}
    site.environment.update(git)
    assert site.run("git", "init", "-q", "--bare", site.remote / "repo").returncode == 0
    r = site.run("git", "clone", "-q", f"x:{site.remote}/repo", "work")
    assert r.returncode == 0, r.stderr
    fill(site.local / "work/file", 100_000)
    assert site.run("git", "-C", "work", "add", "file").returncode == 0
    assert site.run("git", "-C", "work", "commit", "-qm", "one").returncode == 0
    r = site.run("git", "-C", "work", "push", "-q", "origin", "HEAD:main")
    assert r.returncode == 0, r.stderr
    site.rules(f"deny write {site.remote}/*")
    r = site.run("git", "-C", "work", "push", "origin", "HEAD:other")
    assert r.returncode != 0 and b"gatehouse: denied" in r.stderr
    assert any(line.startswith("transfer upload complete") for line in site.transfers())
    site.environment["HARNESS_DETECT"] = "email"
    assert b"sensitive: deny" in site.run("git", "clone", "-q", f"x:{site.remote}/repo", "again").stderr
