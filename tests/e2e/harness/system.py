"""Ports, waiting, and who runs what."""
import os
import random
import socket
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("GATEHOUSE_BUILD", TOP / "build" / "dev"))
GATEHOUSE = BUILD / "bin" / "gatehouse"
IS_ROOT = os.geteuid() == 0


def is_sanitized():
    """Whether the build is one with sanitizers, whose jails have no seccomp filter."""
    cache = BUILD / "CMakeCache.txt"
    return cache.exists() and "GATEHOUSE_SANITIZE:BOOL=ON" in cache.read_text()


_given = set()


def _ports():
    """Of this process among those that run tests side by side: what one has been given, no other takes before its server does."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    index = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    size = 20000 // count
    return range(12000 + index * size, 12000 + (index + 1) * size)


def free_port(host="127.0.0.1"):
    """Below the ports that the kernel gives to outgoing connections: one of those could take it before its server. Each is given
    once, as far as they last."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = _ports()
    if len(_given) > len(ports) // 2:
        _given.clear()
    while True:
        with socket.socket(family) as probe:
            try:
                port = random.choice(ports)
                if port in _given:
                    continue
                probe.bind((host, port))
                _given.add(port)
                return port
            except OSError:
                continue


def wait_until(condition, what, seconds=10.0, pause=0.02):
    """Returns the first true value of condition(); fails naming what was waited for."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)


def is_listening(port):
    """Looks at the kernel's table instead of connecting: a connection would be a session of its own."""
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":
                return True
    return False


def run(*argv, **options):
    """subprocess.run with a limit and captured output; words may be paths."""
    options.setdefault("timeout", 60)
    options.setdefault("capture_output", True)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    if not options.pop("bytes", False):
        options.setdefault("text", True)
    return subprocess.run([str(word) for word in argv], **options)


def must(*argv, **options):
    done = run(*argv, **options)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def random_bytes(n):
    """Bytes in which no detector of e-mail addresses finds one: about one in twenty random megabytes has one."""
    return os.urandom(n).replace(b"@", b"a")


def stop(process, seconds=10):
    """Ends a process that we started: politely, then not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(seconds)
    return process.returncode
