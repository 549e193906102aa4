"""The jails as the kernel sees them, and what happens to a process that tries to leave its own."""
import errno
import platform
import re
import resource
import shutil
import signal
from pathlib import Path

import psycopg2
import pytest

from harness import inject
from harness.bastion import settings
from harness.system import IS_ROOT, is_sanitized, run, wait_until

pytestmark = pytest.mark.skipif(is_sanitized(), reason="sanitizers need system calls that jails forbid")
needs_ptrace = pytest.mark.skipif(platform.machine() != "x86_64" or not (IS_ROOT or shutil.which("sudo")),
                                  reason="injects x86-64 system calls, as root")
# Not the listener, which executes all others, nor what a launcher's tools get: their cage has tests of its own.
KINDS = ["front", "gate", "vault", "connector", "ledger", "issuer", "courier"]
NOT_FOR_A_FRONT = ["open", "openat", "openat2", "socket", "socket_unix", "connect", "execve", "fork", "ptrace", "kill",
                   "unlink", "bpf", "io_uring_setup", "mount", "setuid", "socket_x32"]


def attempt(process, call):
    """What the kernel does to a process that makes this call: ("killed", signal) or ("returned", value)."""
    if IS_ROOT:
        return inject.inject(process.pid, call)
    done = run("sudo", "-n", "/usr/bin/python3", inject.__file__, process.pid, call)
    if done.returncode != 0:
        pytest.skip("no root by sudo -n")
    word, value = done.stdout.split()
    return word, int(value)


def forbidden(outcome):
    word, value = outcome
    return word == "killed" or value in (-errno.EPERM, -errno.EACCES, -errno.ENOSYS)


def the(bastion, kind):
    """A process of this kind that serves somebody."""
    return (bastion.children(kind) or [bastion.one(kind)])[-1]


def test_every_process_is_sealed_and_gains_no_rights(bastion):
    for kind in ["listener", "launcher", "ledger", "vault", "issuer", "courier", "connector", "gate", "front"]:
        pid = bastion.process.pid if kind == "listener" else bastion.one(kind).pid
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = file.read()
        assert "NoNewPrivs:\t1" in status, kind
        assert "Seccomp:\t2" in status, kind


@pytest.fixture
def busy(new_bastion, tls_postgres):
    """A bastion with one idle session that has a connection open, by TLS: so its connector stays as a relay."""
    targets = settings(tls_postgres)["targets"]
    targets[0]["tls"] = "require"
    bastion = new_bastion(cluster=tls_postgres, targets=targets)
    with bastion.client().forward() as forward:
        link = psycopg2.connect(forward.dsn)
        try:
            yield bastion
        finally:
            link.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_process_is_jailed(busy, kind):
    process = the(busy, kind)
    assert process.status("NoNewPrivs") == "1"
    assert process.status("Seccomp") == "2", "no seccomp filter"
    assert process.status("CoreDumping") == "0"
    assert process.status("CapEff") == "0" * 16, process.status("CapEff")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(not IS_ROOT, reason="started as root only")
def test_started_as_root_every_kind_has_a_uid_of_its_own(busy, kind):
    uids = set(the(busy, kind).status("Uid").split())
    assert len(uids) == 1 and uids != {"0"}
    others = {the(busy, other).status("Uid").split()[0] for other in KINDS if other != kind}
    assert not uids & others
    assert "0" not in the(busy, kind).status("Gid").split()


@pytest.mark.parametrize("kind", ["front", "gate"])
def test_limits_are_set(busy, kind):
    limits = Path(f"/proc/{the(busy, kind).pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)
    files = int(re.search(r"Max open files\s+\d+\s+(\d+)", limits)[1])
    assert files <= resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # The soft limit says what the process can do.
    assert int(re.search(r"Max processes\s+(\d+)", limits)[1]) == 0 or kind == "front"


@pytest.mark.skipif(not IS_ROOT, reason="reads /proc of processes that are not dumpable")
@pytest.mark.parametrize("kind", ["front", "gate"])
def test_a_connections_process_holds_no_file_but_its_recordings(busy, kind):
    links = the(busy, kind).descriptors()
    files = [link for link in links if link.startswith("/") and link != "/dev/null" and not link.startswith("/memfd:")]
    log = str(busy.log_path)
    others = [link for link in files if link != log]
    assert all(kind == "gate" and "/recordings/" in link for link in others), others


@needs_ptrace
@pytest.mark.kills
@pytest.mark.parametrize("call", NOT_FOR_A_FRONT)
def test_a_front_cannot_open_files_or_sockets_or_become_something_else(shared_front, call):
    assert forbidden(attempt(shared_front(), call)), call


@needs_ptrace
@pytest.mark.kills
@pytest.mark.parametrize("call", NOT_FOR_A_FRONT + ["ftruncate", "lseek", "pwrite64"])
def test_a_gate_cannot_either_nor_take_back_what_it_recorded(shared_front, call):
    assert forbidden(attempt(shared_front("gate"), call)), call


@pytest.fixture(scope="module")
def jailhouse(postgres):
    from harness.bastion import Bastion
    bastion = Bastion(postgres).start()
    yield bastion
    bastion.remove()


@pytest.fixture
def shared_front(jailhouse):
    """A fresh connection's process each time, since the one before may have died."""
    client = jailhouse.client()
    started = []

    def make(kind="front"):
        known = {p.pid for p in jailhouse.children(kind)}
        started.append(client.start(options=["-N"]))
        return wait_until(lambda: [p for p in jailhouse.children(kind) if p.pid not in known and p.is_sealed()
                                   and len(jailhouse.children("gate")) > 0], f"a {kind} that is sealed", 15)[0]
    yield make
    for process in started:
        process.kill()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()
    jailhouse.wait_idle()


@needs_ptrace
@pytest.mark.kills
def test_the_probe_itself_works(shared_front):
    process = shared_front()
    assert attempt(process, "getpid") == ("returned", process.pid)
    assert process.alive()


@needs_ptrace
@pytest.mark.kills
@pytest.mark.parametrize("kind", ["front", "gate"])
def test_only_the_session_of_a_process_that_leaves_its_jail_dies(new_bastion, kind):
    bastion = new_bastion()
    victim, bystander = bastion.client("victim"), bastion.client("bystander")
    with bystander.forward() as forward:
        assert forward.query("select 1") == "1"
        known = {p.pid for p in bastion.children(kind)}
        with victim.running(options=["-N"]) as process:
            target = wait_until(lambda: [p for p in bastion.children(kind) if p.pid not in known and p.is_sealed()],
                                f"the victim's {kind} is sealed")[0]
            wait_until(lambda: len(bastion.children("gate")) == 2, "the victim is logged in")
            assert attempt(target, "socket") == ("killed", signal.SIGSYS)
            process.wait(15)
        assert forward.query("select 2") == "2"
        bastion.wait_log(r"SIGSYS|signal=31")
    assert "victim" in victim.must("whoami")


@needs_ptrace
@pytest.mark.kills
@pytest.mark.parametrize("kind,calls", [("vault", ["socket", "execve", "ptrace"]), ("ledger", ["socket", "execve", "ptrace"]),
                                        ("connector", ["execve", "ptrace"]), ("issuer", ["socket", "execve", "ptrace"]),
                                        ("courier", ["socket_unix", "fork", "execve", "ptrace"])])
def test_the_long_lived_processes_are_held_too(new_bastion, kind, calls):
    for call in calls:
        bastion = new_bastion()
        assert forbidden(attempt(bastion.one(kind), call)), call
