"""`cmake --install`: what arrives, and that it runs from there."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import processes
from harness.system import BUILD, TOP, free_port, must, run, stop, wait_until


@pytest.fixture(scope="module")
def place():
    """Where processes with uids of their own can get."""
    there = Path(tempfile.mkdtemp(prefix="gatehouse-e2e-"))
    there.chmod(0o755)
    yield there
    shutil.rmtree(there, ignore_errors=True)


@pytest.fixture(scope="module")
def prefix(place):
    must("cmake", "--install", BUILD, "--prefix", place / "prefix")
    return place / "prefix"


def test_commands_pages_and_documents_are_installed(prefix):
    for name in ("gatehouse", "gatehouse-login"):
        assert os.access(prefix / "bin" / name, os.X_OK), name
    built = {path.name for path in (BUILD / "libexec/gatehouse").iterdir() if path.name.startswith("gatehouse-")}
    assert {path.name for path in (prefix / "libexec/gatehouse").iterdir()} == built
    for page in (TOP / "docs/man").iterdir():
        assert (prefix / f"share/man/man{page.suffix[1:]}" / page.name).read_bytes() == page.read_bytes()
    assert (prefix / "share/doc/gatehouse/guide.md").exists()
    assert (prefix / "share/gatehouse/ssh_config").exists()


def test_the_unit_names_the_command_where_it_is(prefix):
    unit = (prefix / "lib/systemd/system/gatehouse.service").read_text()
    assert f"ExecStart={prefix}/bin/gatehouse serve" in unit
    assert "/usr/local" not in unit


def test_a_package_builder_can_install_below_another_root(tmp_path):
    must("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": str(tmp_path)})
    assert (tmp_path / "usr/bin/gatehouse").exists()
    assert "ExecStart=/usr/bin/gatehouse serve" in (tmp_path / "usr/lib/systemd/system/gatehouse.service").read_text()


def test_it_serves_from_where_it_was_installed(place, prefix):
    gatehouse, file, log = prefix / "bin/gatehouse", place / "state/gatehouse.yaml", place / "log"
    must(gatehouse, "init", place / "state")
    file.write_text(re.sub(r"^listen:.*$", f'listen: ["127.0.0.1:{free_port()}"]', file.read_text(), flags=re.M))
    with open(log, "wb") as out:
        serve = subprocess.Popen([str(gatehouse), "serve", "-c", str(file)], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_until(lambda: serve.poll() is not None or re.search(r"^READY$", log.read_text(), re.M), "READY", 30)
        assert serve.poll() is None, log.read_text()
        programs = {os.readlink(f"/proc/{p.pid}/exe") for p in processes.below(serve.pid)}
        assert programs and all(program.startswith(f"{prefix}/") for program in programs), programs
    finally:
        stop(serve)


def test_its_own_check_speaks_of_the_same_version(prefix):
    assert run(prefix / "bin/gatehouse", "version").stdout == run(BUILD / "bin/gatehouse", "version").stdout
