"""PostgreSQL through `ssh -L` and `-W`, with the drivers that people use."""
import asyncio
import io
import os
import re
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import asyncpg
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest

from harness import wire
from harness.client import clean_environment
from harness.system import IS_ROOT, run, wait_until


@pytest.mark.asan
def test_psql_runs_allowed_statements(forward):
    assert forward.query("select count(*) from customers") == "2000"


def test_the_real_login_and_database_replace_what_the_client_says(forward):
    assert forward.query("select current_user, session_user, current_database()") == "app|app|orders"


def test_settings_of_the_client_reach_the_server(forward):
    env = {**clean_environment(), "PGAPPNAME": "nightly report", "PGTZ": "Asia/Tokyo", "PGDATESTYLE": "German",
           "PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c search_path=public,pg_catalog -c statement_timeout=4321"}
    done = forward.psql("-At", "-c", "show application_name", "-c", "show timezone", "-c", "show datestyle",
                        "-c", "show statement_timeout", env=env)
    assert done.stdout.splitlines() == ["nightly report", "Asia/Tokyo", "German, DMY", "4321ms"], done.stderr


@pytest.mark.parametrize("options", ["-c role=postgres", "-c session_authorization=postgres",
                                     "-c standard_conforming_strings=off", "-c session_preload_libraries=evil"])
def test_dangerous_startup_options_are_refused_or_not_passed_on(forward, options):
    done = forward.psql("-At", "-c", "select current_user, current_setting('standard_conforming_strings')",
                        env={**clean_environment(), "PGOPTIONS": options})
    assert done.stdout.strip() in ("", "app|on")
    assert "evil" not in done.stdout


def test_an_encoding_whose_second_byte_may_be_a_backslash_is_refused(forward):
    done = forward.psql("-At", "-c", "show client_encoding", env={**clean_environment(), "PGCLIENTENCODING": "SJIS"})
    assert done.returncode != 0 or done.stdout.strip() in ("UTF8", "UTF-8")


@pytest.mark.asan
def test_psycopg2_with_parameters_and_transactions(forward):
    link = psycopg2.connect(forward.dsn)
    try:
        with link.cursor() as cursor:
            cursor.execute("insert into payments select max(id) + 1, 4001, 'cash', null, 1, now() from payments returning id")
            number = cursor.fetchone()[0]
            assert link.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
        link.rollback()
        with link.cursor() as cursor:
            cursor.execute("select count(*) from payments where id = %s", [number])
            assert cursor.fetchone() == (0,)
    finally:
        link.close()


def test_server_side_cursors(forward):
    link = psycopg2.connect(forward.dsn)
    try:
        with link.cursor("named") as cursor:
            cursor.itersize = 100
            cursor.execute("select id from orders order by id")
            assert [row[0] for row in cursor] == list(range(1, 5001))
    finally:
        link.close()


@pytest.mark.asan
def test_asyncpg_prepares_binds_and_fetches_in_binary(forward):
    async def go():
        link = await asyncpg.connect(host="127.0.0.1", port=forward.port, user="whoever", database="whatever", ssl=False)
        try:
            row = await link.fetchrow("select $1::int + 1 as n, $2::text as t, now() as at, $3::bytea as b", 41, "ü", b"\0\xff")
            assert (row["n"], row["t"], row["b"]) == (42, "ü", b"\0\xff")
            prepared = await link.prepare("select * from orders where id = $1")
            assert [(await prepared.fetchrow(n))["id"] for n in (1, 2, 3)] == [1, 2, 3]
            async with link.transaction():
                assert len([r async for r in link.cursor("select id from orders", prefetch=500)]) == 5000
            with pytest.raises(asyncpg.InsufficientPrivilegeError) as refusal:
                await link.execute("drop table payments")
            assert 'denied by rule "no-drop"' in str(refusal.value)
            assert await link.fetchval("select 1") == 1
        finally:
            await link.close()
    asyncio.run(go())


def test_ssl_and_gss_requests_are_answered_no_and_prefer_falls_back(forward):
    assert forward.psql("-At", "-c", "select 1", env={**clean_environment(), "PGSSLMODE": "prefer",
                                                      "PGGSSENCMODE": "prefer"}).stdout == "1\n"
    done = forward.psql("-At", "-c", "select 1", env={**clean_environment(), "PGSSLMODE": "require"})
    assert "server does not support SSL" in done.stderr


@pytest.mark.asan
def test_copy_out_and_in_are_byte_exact(forward, postgres):
    link = psycopg2.connect(forward.dsn)
    try:
        with link.cursor() as cursor:
            out = io.StringIO()
            cursor.copy_expert("copy (select * from customers order by id) to stdout (format csv)", out)
            assert out.getvalue().count("\n") == 2000
            rows = "".join(f"{100000 + i}\tName {i}\tn{i}@example.net\tRome\t2026-01-01\n" for i in range(3000))
            cursor.copy_expert("copy customers from stdin", io.StringIO(rows))
            cursor.execute("select count(*) from customers where city = 'Rome'")
            assert cursor.fetchone() == (3000,)
        link.rollback()
    finally:
        link.close()
    assert postgres.value("select count(*) from customers") == 2000


def test_a_broken_copy_in_fails_and_the_session_goes_on(forward):
    done = forward.psql("-At", "-c", "copy customers from stdin", "-c", "select 7", input="not\tenough\n")
    assert "missing data" in done.stderr or "invalid input" in done.stderr
    assert done.stdout.strip().endswith("7")


def test_notifications_arrive(forward):
    listener, speaker = psycopg2.connect(forward.dsn), psycopg2.connect(forward.dsn)
    try:
        for link in (listener, speaker):
            link.autocommit = True
        listener.cursor().execute("listen news")
        speaker.cursor().execute("notify news, 'it rains'")

        def arrived():
            listener.poll()
            return listener.notifies
        assert wait_until(arrived, "the notification")[0].payload == "it rains"
    finally:
        listener.close()
        speaker.close()


@pytest.mark.asan
def test_cancel_reaches_the_server(bastion, ops):
    with ops.forward() as forward:
        link = psycopg2.connect(forward.dsn)
        try:
            timer = threading.Timer(0.5, link.cancel)
            timer.start()
            start = time.monotonic()
            with pytest.raises(psycopg2.errors.QueryCanceled):
                link.cursor().execute("select pg_sleep(30)")
            assert time.monotonic() - start < 15
            timer.join()
            link.rollback()
            cursor = link.cursor()
            cursor.execute("select 1")
            assert cursor.fetchone() == (1,)
        finally:
            link.close()


def test_a_cancel_with_a_wrong_key_cancels_nothing(bastion, ops, postgres):
    with ops.forward() as forward, wire.Wire(forward.port) as link:
        link.login()
        link.send(wire.query("select pg_sleep(1.5), 'survived'"))
        with wire.Wire(forward.port) as other:
            other.send(struct.pack("!IIII", 16, wire.CANCEL_REQUEST, link.key[0], 12345))
            other.ended()
        kinds = "".join(kind for kind, _ in link.until())
        assert "E" not in kinds and "D" in kinds


def test_the_agent_never_gets_the_servers_own_cancel_key(bastion, ops, postgres):
    with ops.forward() as forward, wire.Wire(forward.port) as link:
        link.login()
        assert postgres.value(f"select count(*) from pg_stat_activity where pid = {link.key[0]}") == 1
        link.send(wire.query("select pg_sleep(1), 'survived'"))
        with wire.Wire(postgres.port) as direct:
            direct.send(struct.pack("!III", 16, wire.CANCEL_REQUEST, link.key[0]) + link.key[1])
            direct.ended()
        assert wire.rows_of(link.until())[0][1] == "survived"


def test_stdio_forwarding_carries_the_protocol(bastion, agent):
    process = subprocess.Popen(agent.argv(options=["-W", "orders:5432"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        process.stdin.write(wire.startup() + wire.query("select 'through -W'") + wire.TERMINATE)
        process.stdin.flush()
        assert b"through -W" in process.stdout.read()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(15)


def test_several_statements_in_one_string(forward):
    done = forward.psql("-At", "-c", "select 1; select 2; select 3")
    assert done.stdout.split() == ["1", "2", "3"]


def test_notices_and_errors_come_through_unchanged(bastion, ops):
    with ops.forward() as forward:
        done = forward.psql("-c", "do $$ begin raise notice 'mind the gap'; end $$", "-c", "select 1/0",
                            "-c", "select * from nowhere")
        assert "NOTICE:  mind the gap" in done.stderr
        assert "division by zero" in done.stderr
        assert 'relation "nowhere" does not exist' in done.stderr


def test_both_names_of_a_target_port_do_not_matter_but_its_name_does(bastion, agent):
    with agent.forward("bulk") as forward:
        assert forward.query("select current_user") == "bulk"


def test_thirty_sessions_at_once(forward):
    links = [psycopg2.connect(forward.dsn) for _ in range(30)]
    try:
        answers = []
        for number, link in enumerate(links):
            with link.cursor() as cursor:
                cursor.execute("select %s", [number])
                answers.append(cursor.fetchone()[0])
        assert answers == list(range(30))
    finally:
        for link in links:
            link.close()


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.asan
def test_pgbench_in_each_mode(bastion, agent, postgres, mode, pgbench_tables):
    with agent.forward("bulk") as forward:
        done = run(postgres.bin / "pgbench", "-n", "-h", "127.0.0.1", "-p", forward.port, "-U", "any", "-M", mode, "-c", "4",
                   "-j", "2", "-t", "50", "any", env=clean_environment(), timeout=120)
        assert done.returncode == 0, done.stderr
        assert re.search(r"actually processed: 200/200", done.stdout), done.stdout
        assert "number of failed transactions: 0" in done.stdout


def test_pgbench_pipelines(bastion, agent, postgres, pgbench_tables, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text("\\startpipeline\n" + "select abalance from pgbench_accounts where aid = 1;\n" * 10 + "\\endpipeline\n")
    with agent.forward("bulk") as forward:
        done = run(postgres.bin / "pgbench", "-n", "-h", "127.0.0.1", "-p", forward.port, "-U", "any", "-M", "extended",
                   "-t", "20", "-f", script, "any", env=clean_environment())
        assert done.returncode == 0 and "20/20" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def pgbench_tables(postgres):
    done = run(postgres.bin / "pgbench", "-i", "-q", "-s", "1", "-h", postgres.sockets, "-p", postgres.port, "-U", "postgres",
               "orders", env={**os.environ})
    assert done.returncode == 0, done.stderr
    postgres.query("grant all on pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history to bulk, app")
    yield
    postgres.query("drop table pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history")


def test_a_query_whose_client_vanished_is_cancelled(bastion, ops, postgres):
    """Without it the server would notice at its next word to the client: after the minute."""
    running = ("select count(*) from pg_stat_activity where query like 'select pg_sleep(61)%' and state = 'active'"
               " and pid <> pg_backend_pid()")
    with ops.forward() as forward:
        link = psycopg2.connect(forward.dsn, async_=1)
        psycopg2.extras.wait_select(link)
        link.cursor().execute("select pg_sleep(61)")
        wait_until(lambda: postgres.value(running) == 1, "the query runs")
        forward.process.kill()
        wait_until(lambda: postgres.value(running) == 0, "the query is cancelled", 20)
        link.close()
    bastion.wait_idle()


# -- Between front and gate

PIPE_PAGES_MAX = Path("/proc/sys/fs/pipe-user-pages-soft")
# Asks for pipes of 256 pages until its user has had them all, says so, and holds them until its input ends.
GREEDY = """
import fcntl, os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
for _ in range(int(sys.argv[1]) // 256 + 1):
    fd = os.pipe()[0]
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
    except PermissionError:
        break
for _ in range(64):
    os.pipe()
print(fcntl.fcntl(os.pipe()[0], fcntl.F_GETPIPE_SZ), flush=True)
sys.stdin.read()
"""


def pipes_of(process):
    return len([link for link in process.descriptors() if link.startswith("pipe:")])


def check_copies(forward):
    out = forward.psql("-c", "copy (select repeat('0123456789', 100) from generate_series(1, 3000)) to stdout")
    assert out.stdout == ("0123456789" * 100 + "\n") * 3000, out.stderr
    with psycopg2.connect(forward.dsn) as link, link.cursor() as cursor:
        cursor.execute("create temporary table filled (line text)")
        cursor.copy_expert("copy filled from stdin", io.StringIO(out.stdout))
        cursor.execute("select count(*), min(length(line)) from filled")
        assert cursor.fetchone() == (3000, 1000)
    link.close()


@pytest.mark.skipif(not IS_ROOT, reason="reads /proc of processes that are not dumpable")
def test_a_forward_goes_through_pipes_which_go_with_it(bastion, ops):
    with ops.forward() as forward:
        gate, = bastion.children("gate")
        front, = bastion.children("front")
        assert pipes_of(gate) == pipes_of(front) == 0
        link = psycopg2.connect(forward.dsn)
        assert pipes_of(gate) == pipes_of(front) == 2
        link.close()
        wait_until(lambda: pipes_of(gate) == pipes_of(front) == 0, "both have closed them")
        check_copies(forward)


@pytest.mark.skipif(not IS_ROOT, reason="becomes the gate's user")
def test_a_user_that_has_too_many_pipes_goes_on_with_sockets(bastion, ops):
    limit = int(PIPE_PAGES_MAX.read_text())
    if limit == 0:
        pytest.skip("this kernel sets no limit")
    with ops.forward() as forward:
        gate, = bastion.children("gate")
        uid = int(gate.status("Uid").split()[0])
        greedy = subprocess.Popen([sys.executable, "-c", GREEDY, str(limit)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True, user=uid, cwd="/")
        try:
            assert int(greedy.stdout.readline()) < 64 * 1024
            link = psycopg2.connect(forward.dsn)
            assert pipes_of(gate) == 0
            link.close()
            check_copies(forward)
        finally:
            greedy.stdin.close()
            assert greedy.wait(20) == 0
            greedy.stdout.close()
