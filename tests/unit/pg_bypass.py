"""The bypass corpus: what is said of a statement, against what a real server then did.

Each statement of tests/e2e/bypass is resolved by pg_harness in the catalog of a scratch database, and run in that database by
a login without privileges (those of superuser.sql by a superuser), in a transaction that is rolled back. What PostgreSQL
counted (rows written and tables scanned, functions called, objects defined or dropped, rows of the catalog changed, tables
locked, settings changed, advisory locks, prepared statements, cursors, channels, files) must have been said. To say too much
is no failure.

Run by ctest; by hand: PG_HARNESS=…/pg_harness /usr/bin/python3 -m pytest tests/unit/pg_bypass.py
"""
import io
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
LOGINS = ("app", "postgres")
# Of the server's own catalogs, those whose rows a definition leaves behind.
CATALOGS = """pg_class pg_attribute pg_attrdef pg_proc pg_type pg_operator pg_opclass pg_cast pg_aggregate pg_trigger pg_policy
    pg_constraint pg_rewrite pg_inherits pg_namespace pg_database pg_tablespace pg_auth_members pg_db_role_setting
    pg_default_acl pg_description pg_shdescription pg_seclabel pg_largeobject_metadata pg_publication pg_event_trigger
    pg_extension pg_foreign_server pg_foreign_data_wrapper pg_language pg_collation pg_statistic_ext pg_ts_config""".split()
# Effects behind which anything may happen: a rule that allows them has allowed that.
OPEN = {"function", "call", "do", "unknown", "unparsable"}
WRITES = {
    "inserted": {"insert", "copy_from", "merge", "create", "update", "maintenance", "copy_file",
                 "copy_program"},
    "updated": {"update", "insert", "merge"},
    "deleted": {"delete", "merge"},
}


# White space that no editor would keep, as its picture.
PICTURES = str.maketrans({"\u240d": "\r", "\u240c": "\f", "\u240b": "\v", "\u2409": "\t"})


def cases():
    for path in sorted(CORPUS.glob("*.sql")):
        statement, login = None, LOGINS[path.name == "superuser.sql"]
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n") if path.name != "setup.sql" else [], 1):
            if line.startswith("-->"):
                required = [e.strip() for e in line[3:].split(";") if e.strip()]
                yield pytest.param(statement, login, required, id=f"{path.stem}-{number - 1}")
            elif line and not line.startswith("-- "):
                statement = line.translate(PICTURES)


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
                                    "listen_addresses=", "-c", "fsync=off", "-c", "track_functions=all", "-c", "autovacuum=off"],
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
    """What is said of each statement of the corpus, by its login and text."""
    return {login: resolved(server, login) for login in LOGINS}


def resolved(server, login):
    statements = [case.values[0] for case in CASES if case.values[1] == login]
    done = subprocess.run([HARNESS, str(free_port()), f"{server['host']}/.s.PGSQL.{server['port']}", "scratch", login,
                           os.path.join(server["host"], f"recording-{login}")],
                          input="".join(f"\\reset\n{s}\n" for s in statements).encode(), capture_output=True, timeout=120,
                          env={**os.environ, "PG_HARNESS_CATALOG": "effects"}, check=False)
    lines = done.stdout.decode().split("\n")[1:-1]
    assert done.returncode == 0 and len(lines) == len(statements), done.stderr.decode() + done.stdout[-500:].decode()
    return dict(zip(statements, ([e for part in line.split(" | ") for e in part.split("; ")] for line in lines)))


class Effect:
    def __init__(self, text):
        self.text = text
        self.kind, _, rest = text.partition(" ")
        objects = re.split(r" \+", rest)
        # What hangs on a table, and not a harmless function of the server's own.
        self.mentioned = objects[0].endswith("~") and "." in objects[0]
        self.names = {objects[0].rstrip("~"), *objects[1:]}

    def __repr__(self):
        return self.text


def state(cursor, directory):
    """What a statement may leave behind beside rows: of the catalog, the session and the server's directory."""
    digests = ", ".join(f"(SELECT count(*) || ' ' || coalesce(sum(hashtext(xmin::text || ctid::text)), 0) FROM {c})"
                        for c in CATALOGS)
    cursor.execute(f"SELECT {digests}, (SELECT md5(string_agg(r::text, '' ORDER BY oid)) FROM pg_roles r)")
    catalogs = dict(zip([*CATALOGS, "pg_roles"], cursor.fetchone()))
    cursor.execute("SELECT name, setting FROM pg_settings")
    settings = dict(cursor.fetchall())
    cursor.execute("""SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
        (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors), (SELECT count(*) FROM
        pg_listening_channels()), (SELECT count(*) FROM pg_replication_slots)""")
    session = dict(zip(("advisory", "prepared", "cursors", "channels", "slots"), cursor.fetchone()))
    files = {name: os.stat(os.path.join(directory, "data", name)).st_size
             for name in os.listdir(os.path.join(directory, "data")) if name != "postmaster.pid"}
    return {"catalogs": catalogs, "settings": settings, "session": session, "files": files}


def differences(before, after):
    changed = {part: sorted(k for k in {*before[part], *after[part]} if before[part].get(k) != after[part].get(k))
               for part in before}
    # A library that was loaded brings settings of its own along.
    return {**changed, "settings": [name for name in changed["settings"] if name in before["settings"]]}


def execute_case(cursor, statement):
    if re.match(r"COPY\b.*\bFROM STDIN", statement):
        cursor.copy_expert(statement, io.StringIO("77\n"))
    elif statement.startswith("COPY") and "STDOUT" in statement:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            cursor.copy_expert(statement, nowhere)
    else:
        cursor.execute(statement)


def observe(server, login, statement):
    """Runs it; what the server counted for this transaction, or None when the server refused it."""
    link = psycopg2.connect(user=login, dbname="scratch", **server)
    try:
        cursor = link.cursor()
        cursor.execute("SET statement_timeout = '5s'")
        cursor.execute("DO $$ BEGIN END $$")  # a library that is loaded brings settings along
        before = state(cursor, server["host"])
        cursor.execute("""SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname IN ('public', 'hr', 'evil')""")
        known = {oid: (schema, name) for oid, schema, name in cursor.fetchall()}
        execute_case(cursor, statement)
        after = state(cursor, server["host"])
        cursor.execute("""SELECT n.nspname, c.relname, coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) > 0,
            s.n_tup_ins > 0, s.n_tup_upd > 0, s.n_tup_del > 0
            FROM pg_stat_xact_all_tables s JOIN pg_class c ON c.oid = s.relid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('public', 'hr', 'evil')""")
        tables = cursor.fetchall()
        cursor.execute("""SELECT schemaname || '.' || funcname FROM pg_stat_xact_user_functions
            WHERE calls > 0 AND schemaname <> 'watch'""")
        functions = [name for name, in cursor.fetchall()]
        cursor.execute("SELECT tag, object FROM watch.ddl")
        defined = cursor.fetchall()
        cursor.execute("""SELECT DISTINCT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND
            mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')""")
        locked = [known[oid] for oid, in cursor.fetchall() if oid in known]
        return tables, functions, defined, locked, differences(before, after)
    except psycopg2.Error:
        return None
    finally:
        link.rollback()
        link.close()


def quoted(schema, name):
    doubled = name.replace('"', '""')
    return f'{schema}."{doubled}"' if "." in name or '"' in name else f"{schema}.{name}"


DEFINITIONS = {"create", "alter", "drop", "grant", "comment", "maintenance"}
SAYS = {
    "catalogs": DEFINITIONS | {"truncate"},
    "settings": {"set", "role", "transaction", "begin"},
    "files": {"copy_file", "copy_program", "alter", "create"},
    "session": {"cursor", "listen", "select", "insert", "update", "delete", "merge"},  # PREPARE has what it prepares
}


def check_tables(effects, opened, tables, statement):
    for schema, name, scanned, *written in tables:
        table = quoted(schema, name)
        known = {e.kind for e in effects if table in e.names}
        for what, was in zip(("inserted", "updated", "deleted"), written):
            assert not was or opened or known & WRITES[what], f"{what} {table}: {statement}: {effects}"
        assert not scanned or opened or known, f"scanned {table}: {statement}: {effects}"


@pytest.mark.parametrize("statement, login, required", CASES)
def test_nothing_is_done_that_was_not_said(server, said, statement, login, required):
    texts = said[login][statement]
    effects = [Effect(text) for text in texts]
    kinds = {e.kind for e in effects}
    missing = [r for r in required if not any(s == r or s.startswith(r + " +") or set(r.split(" +")) <= set(s.split(" +"))
                                              for s in texts)]
    assert not missing, f"not said: {missing}\nof: {statement}\nsaid: {texts}"
    seen = observe(server, login, statement)
    if seen is None:
        return
    tables, functions, defined, locked, changed = seen
    # Without an object: whatever goes along (CASCADE).
    opened = any(e.kind in OPEN or e.mentioned or (e.kind in {"truncate", "drop", "alter", "maintenance"} and "-" in e.names)
                 for e in effects)
    check_tables(effects, opened, tables, statement)
    trusted = {"public.boss_plus"}
    for name in functions:
        named = any(name in e.names or name.split(".")[1] in e.names for e in effects)
        assert named or name in trusted or kinds & OPEN or "maintenance -" in texts, f"called {name}: {texts}"
    assert not defined or opened or kinds & DEFINITIONS, f"{defined}: {texts}"
    for schema, name in locked:
        known = {e.kind for e in effects if quoted(schema, name) in e.names}
        assert opened or known & (DEFINITIONS | {"lock", "truncate"}), f"locked {schema}.{name}: {texts}"
    for part, what in changed.items():
        by_name = {name for e in effects for name in e.names}
        what = [name for name in what if f"pg_catalog.{name}" not in by_name]
        assert not what or kinds & OPEN or kinds & SAYS[part], f"{part} {what}: {texts}"


def test_the_corpus_is_large_enough():
    assert len({case.values[0] for case in CASES}) >= 320
