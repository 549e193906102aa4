"""pg_dump and pg_restore by the rules: with what they need they work as directly, without it they are told why not."""
import re
import shutil

import pytest

from harness.bastion import Bastion, settings
from harness.client import clean_environment
from harness.postgres import bin_dir
from harness.system import must, run

# What docs/postgresql.md says pg_dump needs. `unknown` is for one of its own: set_config(name, …) FROM pg_settings.
DUMP = {"name": "dump", "roles": ["backup"], "targets": ["orders"], "action": "allow",
        "match": [{"statements": ["select", "copy_to", "show", "set", "transaction", "lock", "cursor", "unknown"]},
                  {"functions": ["pg_catalog.set_config", "pg_catalog.pg_export_snapshot"]}]}
RESTORE = {"name": "restore", "roles": ["restore"], "targets": ["copy"], "action": "allow",
           "match": [{"statements": ["select", "create", "alter", "comment", "grant", "copy_from", "maintenance", "truncate", "set",
                                       "transaction"]},
                     {"functions": ["pg_catalog.set_config", "pg_catalog.setval", "pg_catalog.nextval"]},
                     {"functions": ["public.doubled", "suppress_redundant_updates_trigger"]}]}  # of this dump
MORE = """
create type size as enum ('s', 'm');
create table things (id serial primary key, s size, raw bytea, at timestamptz default now(), doc jsonb);
insert into things (s, raw, doc) select 'm', decode(to_hex(i + 256) || '0', 'hex'), '{"a": [1, "ü"]}' from generate_series(1, 500) i;
create view many as select s, count(*) from things group by s;
create function doubled(int) returns int language sql immutable as 'select $1 * 2';
create index on things (doubled(id));
create materialized view kept as select * from many;
comment on table things is 'of "all" kinds';
create trigger same before update on things for each row execute function suppress_redundant_updates_trigger();
select lo_from_bytea(4711, '\\x00ff');
"""


@pytest.fixture(scope="module")
def dumped(postgres):
    """The shop and things of every kind, and an empty database to restore into."""
    for name in ("dump_source", "dump_copy"):
        must(postgres.bin / "createdb", "-h", postgres.sockets, "-p", postgres.port, "-U", "postgres", "-O", "app", name)
    postgres.query("set role app; " + MORE, database="dump_source")
    target = {"kind": "postgres", "address": f"127.0.0.1:{postgres.port}", "login": "app", "credential": "orders-app", "tls": "disable"}
    rules = [{**rule, "targets": ["*"]} for rule in settings(postgres)["rules"] if rule.get("roles") != ["ops"]]
    made = Bastion(postgres, settings(
        postgres, roles=[{"name": name} for name in ("agent", "backup", "restore", "veiled")], rules=[*rules[:3], DUMP, RESTORE, *rules[3:]],
        masks=[{"name": "pii", "roles": ["veiled"], "columns": ["things.doc"], "with": "redact"}],
        targets=[{"name": "orders", "database": "dump_source", **target}, {"name": "copy", "database": "dump_copy", **target}]))
    try:
        yield made.start()
        made.stop()
        assert made.trouble() == [] and made.leaks() == []
    finally:
        made.remove()
        for name in ("dump_source", "dump_copy"):
            postgres.query(f"drop database {name} with (force)", database="postgres")


def tool(name, forward, *words):
    return run(bin_dir() / name, "-h", "127.0.0.1", "-p", forward.port, "-U", "x", *words, env=clean_environment())


def directly(postgres, database, *words):
    done = must(postgres.bin / "pg_dump", "-h", postgres.sockets, "-p", postgres.port, "-U", "app", *words, database,
                env={**clean_environment(), "PGPASSWORD": postgres.password})
    return without_key(done)


def without_key(text):
    """Newer ones fence the script by \\restrict and a random word."""
    return re.sub(r"^\\(un)?restrict \w+$", r"\\\1restrict", text, flags=re.M)


def test_pg_dump_with_what_it_needs_writes_what_it_writes_directly(dumped, postgres):
    with dumped.client("b", principals=["backup"]).forward() as forward:
        done = tool("pg_dump", forward, "-d", "x", "-B")
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert without_key(done.stdout) == directly(postgres, "dump_source", "-B")
        assert done.stdout.count("COPY public.") == 1
        done = tool("pg_dump", forward, "-d", "x", "--inserts", "--schema-only")
        assert without_key(done.stdout) == directly(postgres, "dump_source", "--inserts", "--schema-only")


def test_what_is_masked_is_masked_in_a_dump_and_all_else_is_as_without(dumped, postgres):
    with dumped.client("b", principals=["backup", "veiled"]).forward() as forward:
        done = tool("pg_dump", forward, "-d", "x", "-B")
        assert done.returncode == 0 and done.stderr == "", done.stderr
    plain = directly(postgres, "dump_source", "-B")
    shown, real = without_key(done.stdout).splitlines(), plain.splitlines()
    changed = [(a, b) for a, b in zip(shown, real, strict=True) if a != b]
    assert len(changed) == 500 and all("[masked:pii]" in a and "ü" in b for a, b in changed), changed[:3]


def test_who_may_dump_may_not_restore(dumped):
    with dumped.client("b", principals=["backup"]).forward() as forward:
        done = forward.psql("-c", "create table things2 (i int)")
        assert 'denied by rule "default"' in done.stderr
        done = forward.psql("-c", "update things set s = 's' where id = 1")
        assert 'denied by rule "default"' in done.stderr


def test_parallel_dumps_share_a_snapshot(dumped, tmp_path):
    with dumped.client("b", principals=["backup"]).forward() as forward:
        done = tool("pg_dump", forward, "-d", "x", "-B", "-F", "d", "-j", "3", "-f", tmp_path / "dump")
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert (tmp_path / "dump" / "toc.dat").exists()


def test_what_is_dumped_through_the_bastion_can_be_restored_through_it(dumped, postgres, tmp_path):
    file = tmp_path / "dump"
    with dumped.client("b", principals=["backup"]).forward() as forward:
        done = tool("pg_dump", forward, "-d", "x", "-B", "-F", "c", "-f", file)
        assert done.returncode == 0, done.stderr
    with dumped.client("r", principals=["restore"]).forward("copy") as forward:
        done = tool("pg_restore", forward, "-d", "x", "--no-comments", "--exit-on-error", "-j", "2", file)
        assert done.returncode == 0 and done.stderr == "", done.stderr
    assert directly(postgres, "dump_copy") == directly(postgres, "dump_source", "-B", "--no-comments")


def test_large_objects_can_not_be_dumped_since_it_reads_them_by_function_calls(dumped):
    with dumped.client("b", principals=["backup"]).forward() as forward:
        done = tool("pg_dump", forward, "-d", "x")
    assert done.returncode == 1
    assert 'could not open large object 4711: ERROR:  denied by rule "built-in": functions called by number' in done.stderr


def test_without_it_pg_dump_says_what_was_refused(dumped):
    with dumped.client("a", principals=["agent"]).forward() as forward:
        done = tool("pg_dump", forward, "-d", "x")
    assert done.returncode == 1 and done.stdout == ""
    assert 'denied by rule "default": no rule allows it' in done.stderr
    assert 'effect="function pg_catalog.set_config()"' in done.stderr


def test_without_it_pg_restore_says_what_was_refused(dumped, postgres, tmp_path):
    file = tmp_path / "dump"
    directly(postgres, "dump_source", "-F", "c", "-f", file)
    with dumped.client("b", principals=["backup"]).forward("orders") as forward:
        done = tool("pg_restore", forward, "-d", "x", "--exit-on-error", "--clean", file)
    assert done.returncode == 1 and re.search(r'denied by rule "(default|no-drop)"', done.stderr), done.stderr
    assert postgres.query("select count(*) from things", database="dump_source") == [(500,)]


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_the_programs_are_there(program):
    assert (bin_dir() / program).exists() and shutil.which("psql"), "postgresql-client is not installed: tests/run does that"
