"""Large things through small processes."""
import subprocess

import pytest

from harness import wire
from harness.client import clean_environment
from harness.watch import Watch
from harness.wire import Wire, error_of, rows_of

pytestmark = pytest.mark.slow
LIMIT_KIB = 150 * 1024


def test_a_gigabyte_of_rows_passes_in_constant_memory(bastion, agent):
    with agent.forward("bulk") as forward, Watch(bastion) as watch:
        process = subprocess.Popen(["psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(forward.port), "-U", "x", "-d", "x", "-c",
                                    "copy (select repeat('x', 1023) from generate_series(1, 1048576)) to stdout"],
                                   stdout=subprocess.PIPE, env=clean_environment())
        size = 0
        while chunk := process.stdout.read(1 << 20):
            size += len(chunk)
        assert process.wait(300) == 0
    assert size == 1 << 30
    assert set(watch.most) == {"front", "gate"}
    assert all(kib < LIMIT_KIB for kib in watch.most.values()), watch.most


def test_a_statement_of_a_gigabyte_is_refused_in_constant_memory(bastion, agent):
    with agent.forward("bulk") as forward, Watch(bastion) as watch, Wire(forward.port, 300) as link:
        link.login()
        size = 1 << 30
        ended = None
        try:
            link.send(b"Q" + (size + 4).to_bytes(4, "big"))
            chunk = b"select 'aaaaaaaa" * (1 << 16)
            for _ in range(size // len(chunk)):
                link.send(chunk)
            seen = link.until()
            fault = error_of(seen)
            assert fault["C"] in ("42501", "54000", "54001"), fault
        except (ConnectionError, EOFError) as fault:
            ended = fault
    assert all(kib < LIMIT_KIB for kib in watch.most.values()), (watch.most, ended)
    with agent.forward("bulk") as forward:
        assert forward.query("select 1") == "1"


def test_a_value_of_eighty_megabytes_arrives_whole(bastion, agent):
    with agent.forward("bulk") as forward, Wire(forward.port, 120) as link:
        link.login()
        _, seen = link.ask(wire.query("select repeat('0123456789', 8000000)"))
        value = rows_of(seen)[0][0]
        assert len(value) == 80000000 and value.startswith("0123456789") and value.endswith("6789")


def test_a_hundred_megabytes_copied_in_arrive(bastion, agent, postgres):
    postgres.query("create table heap (i int, v text); grant all on heap to bulk")
    try:
        with agent.forward("bulk") as forward, Watch(bastion) as watch:
            process = subprocess.Popen(["psql", "-X", "-h", "127.0.0.1", "-p", str(forward.port), "-U", "x", "-d", "x", "-c",
                                        "copy heap from stdin"], stdin=subprocess.PIPE, env=clean_environment())
            line = b"1\t" + b"y" * 1020 + b"\n"
            for _ in range(100):
                process.stdin.write(line * 1024)
            process.stdin.close()
            assert process.wait(120) == 0
        assert postgres.value("select count(*) from heap") == 102400
        assert all(kib < LIMIT_KIB for kib in watch.most.values()), watch.most
    finally:
        postgres.query("drop table heap")
