"""Every driver works through `ssh -L` as if it were connected directly.

The programs in tests/e2e/drivers/ do the same things with each driver; each runs once, and every thing that it does is a
test. What is missing on the machine is a failure: tests/run installs it."""
import shutil
import time
from pathlib import Path

import pytest

from harness import node, wire
from harness.bastion import Bastion, settings
from harness.client import clean_environment
from harness.postgres import bin_dir
from harness.system import must, run
from harness.watch import Watch
from harness.wire import Wire

HERE = Path(__file__).parent / "drivers"
JAR = Path("/usr/share/java/postgresql.jar")
GO_PATH = Path("/usr/share/gocode")
PYTHON = "/usr/bin/python3"

# prepared: the same statement many times, also after an error. pipeline: a batch in one go, and one with an error in it.
# binary: values in binary both ways. cancel: a running query ends by 57014, the session goes on. cursor: 3,000 rows in parts
# of 100. large_object: by function, those that the rules allow. transaction: an error, a savepoint, the failed state.
# values: arrays, json, numeric, times, bytea there and back. big_cell: 16 MB both ways. wide: 1,600 columns.
# refusal: 42501 as the driver's own error with its fields, and the session goes on.
FEATURES = ["prepared", "pipeline", "binary", "copy_out", "copy_in", "cancel", "notify", "cursor", "large_object", "transaction",
            "values", "big_cell", "wide", "refusal"]
DRIVERS = ["psycopg2", "psycopg3", "asyncpg", "jdbc", "node", "pgx"]
MORE = {"jdbc": ["metadata"]}

TABLES = """
create table driver_rows (id int primary key, name text, n numeric(12,4), at timestamptz, tags int[], doc jsonb, raw bytea);
create type driver_mood as enum ('sad', 'happy');
create type driver_pair as (m driver_mood, n int);
create table driver_wide ({columns});
insert into driver_wide values ({numbers});
grant all on driver_rows, driver_wide to app;
""".format(columns=", ".join(f"c{n} int" for n in range(1600)), numbers=", ".join(str(n) for n in range(1600)))


@pytest.fixture(scope="module")
def drivers_bastion(postgres):
    """An agent's rules with what drivers need besides: a few functions that may write."""
    plain = settings(postgres)["rules"]
    # `n` and `x` are columns of a composite: JDBC's getPrimaryKeys() selects (keys).n, which might call a function n().
    functions = {"name": "large-objects", "roles": ["agent"], "targets": ["orders"], "action": "allow",
                 "match": {"functions": ["lo_from_bytea", "lo_get", "lo_open", "loread", "lo_close", "pg_sleep", "n", "x"]}}
    made = Bastion(postgres, settings(postgres, rules=[*plain[:3], functions, *plain[3:]]))
    postgres.query(TABLES)
    try:
        yield made.start()
        made.stop()
        assert made.trouble() == [] and made.leaks() == []
    finally:
        postgres.query("drop table driver_rows, driver_wide; drop type driver_pair; drop type driver_mood;"
                       "select lo_unlink(oid) from pg_largeobject_metadata")
        made.remove()


@pytest.fixture(scope="module")
def through(drivers_bastion):
    with drivers_bastion.client("agent-7", principals=["agent"]).forward() as forward:
        yield forward


def need(path, package):
    assert path and Path(path).exists(), f"{package} is not installed: tests/run does that"
    return str(path)


def pgx_program():
    """Compiled once for each text of the program; Go keeps what it compiled of the driver."""
    source = HERE / "features.go"
    need(GO_PATH / "src/github.com/jackc/pgx/v4", "golang-github-jackc-pgx-v4-dev")
    program = node.cache() / "pgx-features"
    must(need(shutil.which("go"), "golang-go"), "build", "-o", program, source, cwd="/", timeout=300,
         env={**clean_environment(), "GO111MODULE": "off", "GOPATH": str(GO_PATH), "CGO_ENABLED": "0", "GOFLAGS": "",
              "GOCACHE": str(node.cache() / "go-build")})
    return program


def argv_of(driver, port):
    if driver in ("psycopg2", "psycopg3", "asyncpg"):
        return [PYTHON, HERE / f"{driver}_features.py", port]
    if driver == "jdbc":
        need(JAR, "libpostgresql-jdbc-java")
        need(shutil.which("javac"), "default-jdk-headless")
        return ["java", "-cp", JAR, HERE / "Features.java", port]
    if driver == "node":
        need(shutil.which("node"), "nodejs")
        return ["node", HERE / "features.mjs", port, node.modules(HERE)]
    return [pgx_program(), port]


@pytest.fixture(scope="module")
def outcomes(drivers_bastion, through):
    """outcomes(driver): {feature: "" or why not}, by one run of its program; and what it printed besides."""
    kept = {}

    def outcome(driver):
        if driver not in kept:
            done = run(*argv_of(driver, through.port), timeout=150, env={**clean_environment(), "LC_ALL": "C.UTF-8"})
            found = {}
            for line in done.stdout.splitlines():
                word, _, rest = line.partition(" ")
                name, _, why = rest.partition(": ")
                if word in ("ok", "FAIL"):
                    found[name] = why or ("" if word == "ok" else "no reason given")
            drivers_bastion.transcript.append(done.stdout + done.stderr)
            kept[driver] = found, f"exit {done.returncode}\n{done.stderr[-6000:]}"
        return kept[driver]
    return outcome


@pytest.mark.parametrize("driver, feature", [(driver, feature) for driver in DRIVERS for feature in FEATURES + MORE.get(driver, [])])
def test_each_driver_does_what_it_does_directly(outcomes, driver, feature):
    found, said = outcomes(driver)
    assert found.get(feature, "the program did not come to it") == "", said


# -- psql and pgbench


PSQLS = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))


@pytest.mark.parametrize("psql", PSQLS or [None], ids=[psql.parts[4] for psql in PSQLS] or ["missing"])
def test_psql_of_each_version(through, psql):
    def ask(*words, **options):
        return run(need(psql, "postgresql-client"), "-X", "-At", "-h", "127.0.0.1", "-p", through.port, "-U", "x", "-d", "x", *words,
                   env=clean_environment(), **options)

    asked = ["\\d customers", "\\dt", "\\df", "\\l", "\\du", "\\dn+", "\\d+ orders", "\\sf lower(text)"]
    done = ask(*(word for question in asked for word in ("-c", question)))
    assert done.returncode == 0 and done.stderr == "" and "customers" in done.stdout
    script = "\\set FETCH_COUNT 100\nselect id from orders order by id;\n\\unset FETCH_COUNT\nselect 1 as one \\gset\nselect :one + 1;\n"
    if int(psql.parts[4]) >= 16:
        script += "select $1::int + 1 \\bind 41 \\g\n"
    done = ask(input=script)
    assert done.stderr == "" and done.stdout.split().count("5000") == 1 and done.stdout.split()[-1] in ("2", "42")
    done = ask("-c", "\\copy (select 'over there', 1) to stdout csv", "-c", "select 1", "-c", "begin", "-c", "drop table orders", "-c", "select 2")
    assert done.stdout.split("\n")[:2] == ["over there,1", "1"] and 'denied by rule "no-drop"' in done.stderr
    assert "current transaction is aborted" in done.stderr


@pytest.mark.parametrize("words", [["-M", mode, *more] for mode in ("simple", "extended", "prepared") for more in ([], ["-C"])]
                         + [["-M", mode, "pipeline"] for mode in ("extended", "prepared")], ids=" ".join)
def test_pgbench_in_each_mode_also_with_a_connection_each_and_in_pipelines(through, words, tmp_path):
    script = tmp_path / "script.sql"
    inner = "\\set id random(1, 2000)\nselect name from customers where id = :id;\nselect count(*) from orders where customer_id = :id;\n"
    script.write_text(f"\\startpipeline\n{inner * 5}\\endpipeline\n" if words[-1] == "pipeline" else f"{inner}select 7 as x \\gset\n")
    words = [word for word in words if word != "pipeline"]
    times = 5 if "-C" in words else 40
    done = run(bin_dir() / "pgbench", "-n", "-h", "127.0.0.1", "-p", through.port, "-U", "x", "-c", "2", "-j", "2", "-t", times, *words,
               "-f", script, "x", env=clean_environment(), timeout=60)
    assert done.returncode == 0 and f"actually processed: {2 * times}/{2 * times}" in done.stdout, done.stderr
    assert "number of failed transactions: 0" in done.stdout


# -- much, and slowly


@pytest.mark.slow
def test_a_large_result_read_slowly_is_not_kept_anywhere(drivers_bastion, through):
    """300 MB by a client that reads 50 MB a second: what the server has ready meanwhile waits in the server."""
    size, got = 300 << 20, 0
    with Watch(drivers_bastion) as watch, Wire(through.port, 60) as link:
        link.login()
        link.send(wire.query(f"select repeat('x', 1013) from generate_series(1, {size >> 10})"))
        start, buffer = time.monotonic(), bytearray(1 << 20)
        while got < size:
            took = link.socket.recv_into(buffer)
            assert took, "the session ended"
            got += took
            ahead = got / (50 << 20) - (time.monotonic() - start)
            if ahead > 0.02:
                time.sleep(ahead)
        assert time.monotonic() - start > 4
    assert set(watch.most) == {"front", "gate"}
    assert all(kib < 64 << 10 for kib in watch.most.values()), watch.most
