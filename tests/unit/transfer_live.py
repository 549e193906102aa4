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
        script.write_text(f"#!/bin/sh\nexec {shlex.join([HARNESS, *command])}\n", encoding="utf-8")
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

