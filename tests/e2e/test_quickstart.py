"""contrib/quickstart: the tour that a newcomer sees, whole, and nothing left behind."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import processes
from harness.system import TOP, run, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def tour():
    """Runs the quickstart with a private TMPDIR; returns its output and that directory."""
    place = Path(tempfile.mkdtemp(prefix="gatehouse-tour-"))
    place.chmod(0o755)  # PostgreSQL's own user has to pass through

    def go(*words):
        done = run(TOP / "contrib/quickstart", *words, timeout=600, env={**os.environ, "TMPDIR": str(place)},
                   stderr=subprocess.STDOUT, stdout=subprocess.PIPE, capture_output=False)
        assert done.returncode == 0, done.stdout
        return done.stdout, place
    yield go
    shutil.rmtree(place, ignore_errors=True)


def test_the_tour_shows_everything_and_leaves_nothing(tour):
    before = {p.pid for p in processes.everybody()}
    text, directory = tour()
    for needle in ("identity     local/agent-7", 'Key ID: "local/agent-7"', "claims@gatehouse (what the token said)", "shop",
                   "4000 payments are still there", "waiting for approval", "by dba (rule \"second-pair-of-eyes\")",
                   'denied by rule "no-schema-changes": agents do not change the schema', '"verdict":"deny"', "0 faults", '"event":"approval"', "rows now: "):
        assert needle in text, needle
    for command in ("gatehouse token", "enroll@bastion > agent/id-cert.pub", "bastion whoami", "bastion targets",
                    "bastion psql shop -c 'select", "bastion approvals", "bastion approve", "-L 127.0.0.1:", "drop table payments", "bastion sessions", "bastion replay"):
        assert re.search(r"^\$ .*" + re.escape(command), text, re.M), command
    assert list(directory.iterdir()) == []
    left = [p for p in processes.everybody() if p.pid not in before and p.kind in ("listener", "gate", "front", "postgres")]
    assert not [p for p in left if str(directory) in open(f"/proc/{p.pid}/cmdline", encoding="utf-8").read()]


def test_kept_it_runs_on_until_it_is_stopped(tour):
    text, directory = tour("--keep")
    (home,) = directory.iterdir()
    try:
        assert f"cd {home}" in text
        done = run("ssh", "-F", "agent/ssh_config", "bastion", "psql", "shop", "-Atc", "'select 40 + 2'", cwd=home)
        assert done.stdout == "42\n", done.stderr
    finally:
        pids = [int(pid) for pid in re.findall(r"^kill -\w+ (\d+)$", (home / "stop").read_text(), re.M)]
        run(home / "stop")
    assert len(pids) == 2
    wait_until(lambda: not [p for p in processes.everybody() if p.pid in pids and p.alive()], "all ended", 15)
    assert not home.exists()
