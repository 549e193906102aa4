"""The bypass corpus: what is said of a statement, against what a real server then did.

Each statement of tests/e2e/bypass/corpus.sql is resolved by pg_harness in the catalog of a scratch database, and run in that
database by a login without privileges, in a transaction that is rolled back. What PostgreSQL counted (rows written and tables
scanned, functions called, objects defined or dropped, settings changed) must have been said. To say too much is no failure.

Run by ctest; by hand: PG_HARNESS=…/pg_harness /usr/bin/python3 -m pytest tests/unit/pg_bypass.py
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest

from pg_live import BIN, HARNESS, as_server_user, free_port

CORPUS = Path(__file__).parent.parent / "e2e" / "bypass"
SETTINGS = ["role", "session_authorization", "search_path", "row_security", "session_replication_role",
            "default_transaction_read_only", "standard_conforming_strings"]
# Effects behind which anything may happen: a rule that allows them has allowed that.
OPEN = {"function", "call", "do", "unknown", "unparsable"}
WRITES = {
    "inserted": {"insert", "copy_from", "merge", "create", "update"},
    "updated": {"update", "insert", "merge"},
    "deleted": {"delete", "merge"},
}


def cases():
    statement = None
    for number, line in enumerate((CORPUS / "corpus.sql").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("-->"):
            yield pytest.param(statement, [e.strip() for e in line[3:].split(";")], id=f"line{number - 1}")
        elif line and not line.startswith("--"):
            statement = line


CASES = list(cases())


@pytest.fixture(scope="module")
def server():
    directory = tempfile.mkdtemp(prefix="gatehouse-bypass-")
    rights = as_server_user(directory)
    data, port = os.path.join(directory, "data"), free_port()
    subprocess.run([f"{BIN}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                    "-N"], check=True, stdout=subprocess.DEVNULL, **rights)
    with open(os.path.join(directory, "log"), "w", encoding="utf-8") as log:
        process = subprocess.Popen([f"{BIN}/postgres", "-D", data, "-k", directory, "-p", str(port), "-c",
                                    "listen_addresses=", "-c", "fsync=off", "-c", "track_functions=all"],
                                   stderr=log, **rights)
    server = {"host": directory, "port": port}
    for _ in range(100):
        try:
            psycopg2.connect(user="postgres", dbname="postgres", **server).close()
            break
        except psycopg2.OperationalError:
            time.sleep(0.1)
    execute(server, "postgres", "CREATE ROLE app LOGIN")
    execute(server, "postgres", "CREATE DATABASE scratch")
    execute(server, "scratch", (CORPUS / "setup.sql").read_text(encoding="utf-8"))
    yield server
    process.send_signal(signal.SIGINT)
    process.wait(20)
    shutil.rmtree(directory)


def execute(server, database, sql):
    link = psycopg2.connect(user="postgres", dbname=database, **server)
    link.autocommit = True
    link.cursor().execute(sql)
    link.close()


@pytest.fixture(scope="module")
def said(server):
    """What is said of each statement of the corpus, by its text."""
    statements = [case.values[0] for case in CASES]
    done = subprocess.run([HARNESS, str(free_port()), f"{server['host']}/.s.PGSQL.{server['port']}", "scratch", "app",
                           os.path.join(server["host"], "recording")],
                          input="".join(f"\\reset\n{s}\n" for s in statements), text=True, capture_output=True, timeout=120,
                          env={**os.environ, "PG_HARNESS_CATALOG": "effects"}, check=False)
    lines = done.stdout.splitlines()[1:]
    assert done.returncode == 0 and len(lines) == len(statements), done.stderr + done.stdout[-500:]
    return dict(zip(statements, ([e for part in line.split(" | ") for e in part.split("; ")] for line in lines)))


class Effect:
    def __init__(self, text):
        self.kind, _, rest = text.partition(" ")
        objects = re.split(r" \+", rest)
        self.mentioned = objects[0].endswith("~")
        self.names = {objects[0].rstrip("~"), *objects[1:]}


def observe(server, statement):
    """Runs it; what the server counted for this transaction, and nothing of it when the statement failed."""
    link = psycopg2.connect(user="app", dbname="scratch", **server)
    try:
        cursor = link.cursor()
        cursor.execute("SET statement_timeout = '5s'")
        show = "SELECT " + ", ".join(f"current_setting('{name}')" for name in SETTINGS)
        cursor.execute(show)
        before = cursor.fetchone()
        if statement.startswith("COPY"):
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                cursor.copy_expert(statement, nowhere)
        else:
            cursor.execute(statement)
        cursor.execute(show)
        changed = [name for name, a, b in zip(SETTINGS, before, cursor.fetchone()) if a != b]
        cursor.execute("""SELECT n.nspname, c.relname, coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) > 0,
            s.n_tup_ins > 0, s.n_tup_upd > 0, s.n_tup_del > 0
            FROM pg_stat_xact_all_tables s JOIN pg_class c ON c.oid = s.relid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('public', 'hr', 'evil')""")
        tables = cursor.fetchall()
        cursor.execute("""SELECT schemaname || '.' || funcname FROM pg_stat_xact_user_functions
            WHERE calls > 0 AND schemaname <> 'watch'""")
        functions = [name for name, in cursor.fetchall()]
        cursor.execute("SELECT tag, object FROM watch.ddl")
        return tables, functions, cursor.fetchall(), changed
    except psycopg2.Error:
        return [], [], [], []
    finally:
        link.rollback()
        link.close()


def quoted(schema, name):
    return f'{schema}."{name}"' if "." in name or '"' in name else f"{schema}.{name}"


@pytest.mark.parametrize("statement, required", CASES)
def test_nothing_is_done_that_was_not_said(server, said, statement, required):
    effects = [Effect(text) for text in said[statement]]
    missing = [r for r in required if not any(s == r or s.startswith(r + " +") or set(r.split(" +")) <= set(s.split(" +"))
                                              for s in said[statement])]
    assert not missing, f"not said: {missing}\nof: {statement}\nsaid: {said[statement]}"
    tables, functions, defined, changed = observe(server, statement)
    # Without an object: whatever goes along (CASCADE).
    opened = any(e.kind in OPEN or e.mentioned or (e.kind in {"truncate", "drop"} and "-" in e.names) for e in effects)
    for schema, name, scanned, *written in tables:
        table = quoted(schema, name)
        known = {e.kind for e in effects if table in e.names}
        for what, was in zip(("inserted", "updated", "deleted"), written):
            assert not was or opened or known & WRITES[what], f"{what} {table}: {statement}: {said[statement]}"
        assert not scanned or opened or known, f"scanned {table}: {statement}: {said[statement]}"
    trusted = {"public.boss_plus"}
    for name in functions:
        named = any(name in e.names or name.split(".")[1] in e.names for e in effects)
        assert named or name in trusted or any(e.kind in OPEN for e in effects), f"called {name}: {said[statement]}"
    definitions = {"create", "alter", "drop", "grant", "comment", "maintenance"}
    assert not defined or opened or any(e.kind in definitions for e in effects), f"{defined}: {said[statement]}"
    for setting in changed:
        assert any(e.kind in {"set", "role", "do", "call", "unknown"} for e in effects), f"{setting}: {said[statement]}"


def test_the_corpus_is_large_enough():
    assert len(CASES) >= 120
