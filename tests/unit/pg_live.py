"""PostgreSQL sessions through channels/pg, with a real server and real clients.

Run by ctest; by hand: PG_HARNESS=…/pg_harness /usr/bin/python3 -m pytest tests/unit/pg_live.py
"""
import asyncio
import glob
import os
import pwd
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import asyncpg
import psycopg2
import pytest

HARNESS = os.environ.get("PG_HARNESS", "")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = int(os.environ.get("PG_LIVE_PORT", "0")) or free_port()
BULK_MB = int(os.environ.get("PG_LIVE_BULK_MB", "100"))
BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
SERVER_PORT = 21229


def as_server_user(path):
    """initdb refuses root: hand the directory to the user postgres then."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(path, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


@pytest.fixture(scope="session")
def server():
    directory = tempfile.mkdtemp(prefix="gatehouse-pg-")
    rights = as_server_user(directory)
    data = os.path.join(directory, "data")
    subprocess.run([f"{BIN}/initdb", "-D", data, "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
                   check=True, stdout=subprocess.DEVNULL, **rights)
    process = subprocess.Popen([f"{BIN}/postgres", "-D", data, "-k", directory, "-p", str(SERVER_PORT),
                                "-c", "listen_addresses=", "-c", "fsync=off", "-c", "log_statement=all"],
                               stderr=open(os.path.join(directory, "log"), "w"), **rights)
    for _ in range(100):
        try:
            psycopg2.connect(host=directory, port=SERVER_PORT, user="app", dbname="postgres").close()
            break
        except psycopg2.OperationalError:
            time.sleep(0.1)
    yield directory
    process.send_signal(signal.SIGINT)
    process.wait(20)
    shutil.rmtree(directory)


class Gate:
    """The harness: the gate's part of one connection."""

    def __init__(self, server, limit=64 << 20):
        self.directory = tempfile.mkdtemp(prefix="gatehouse-pgh-")
        self.recording = os.path.join(self.directory, "recording")
        self.process = subprocess.Popen(
            [HARNESS, str(PORT), f"{server}/.s.PGSQL.{SERVER_PORT}", "postgres", "app", self.recording, str(limit)],
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "READY\n"
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True).start()

    def rss_kib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])

    def recorded(self):
        return open(self.recording, "rb").read()

    def wait_for(self, text):
        for _ in range(100):
            if any(text in line for line in self.lines):
                return True
            time.sleep(0.05)
        return False

    def close(self):
        self.process.terminate()
        status = self.process.wait(20)
        shutil.rmtree(self.directory)
        return status


@pytest.fixture
def gate(server):
    gate = Gate(server)
    yield gate
    assert gate.close() == 0


def connect(**more):
    return psycopg2.connect(host="127.0.0.1", port=PORT, user="agent", dbname="whatever", **more)


def psql(*arguments, stdin=None):
    return subprocess.run([f"{BIN}/psql", "-X", "-h", "127.0.0.1", "-p", str(PORT), "-U", "agent", "-d", "whatever",
                           *arguments], input=stdin, capture_output=True, text=True, timeout=60)


# ---- the protocol by hand ----

def message(kind, body=b""):
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def query(text):
    return message("Q", text.encode() + b"\0")


def parse(name, text):
    return message("P", name.encode() + b"\0" + text.encode() + b"\0\0\0")


def bind(portal, name):
    return message("B", portal.encode() + b"\0" + name.encode() + b"\0\0\0\0\0\0\0")


def execute(portal="", rows=0):
    return message("E", portal.encode() + b"\0" + struct.pack(">I", rows))


def run(text, name=""):
    return parse(name, text) + bind("", name) + execute()


SYNC, FLUSH, TERMINATE = message("S"), message("H"), message("X")


class Raw:
    """A client that speaks bytes; to the gate, or straight to the server."""

    def __init__(self, server=None, version=3 << 16, **settings):
        if server:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(f"{server}/.s.PGSQL.{SERVER_PORT}")
        else:
            self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.settimeout(60)
        self.left = b""
        settings = {"user": "app", "database": "postgres", **settings}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in settings.items()) + b"\0"
        self.socket.sendall(struct.pack(">II", len(body) + 8, version) + body)
        self.greeting = self.until_ready()

    def send(self, data):
        self.socket.sendall(data)

    def next(self):
        while True:
            if len(self.left) >= 5:
                size = struct.unpack(">I", self.left[1:5])[0] + 1
                if len(self.left) >= size:
                    found, self.left = self.left[:size], self.left[size:]
                    return chr(found[0]), found[5:]
            data = self.socket.recv(65536)
            if not data:
                return None
            self.left += data

    def until_ready(self, times=1):
        found = []
        while times > 0:
            one = self.next()
            if one is None:
                found.append(("closed", b""))
                return found
            found.append(one)
            times -= one[0] == "Z"
        return found

    def quiet(self, seconds=0.3):
        """Nothing more comes."""
        return not self.left and not select.select([self.socket], [], [], seconds)[0]

    def close(self):
        self.socket.close()


def shape(messages):
    """What a driver sees of the flow: types, transaction states, whether an error is fatal."""
    shapes = []
    for kind, body in messages:
        if kind == "Z":
            shapes.append("Z" + body.decode())
        elif kind == "C":
            shapes.append("C" + body.decode().split(" ")[0].strip("\0"))
        elif kind not in "SKN":
            shapes.append(kind)
    return shapes


def error_of(messages):
    for kind, body in messages:
        if kind == "E":
            return {field[:1].decode(): field[1:].decode() for field in body.split(b"\0") if field}
    return None


BAD = "drop table held"

CONVERSATIONS = {
    "simple": [query(BAD), query("select 1")],
    "simple, empty before": [query(""), query(BAD), query(" ; ")],
    "several in one string": [query(f"insert into held values (1); {BAD}; insert into held values (2)"),
                              query("select count(*) from held")],
    "in a transaction": [query("begin"), query("insert into held values (3)"), query(BAD), query("select 1"),
                         query("commit"), query("select count(*) from held")],
    "in an aborted transaction": [query("begin"), query("select 1/0"), query(BAD), query("rollback")],
    "behind a savepoint": [query("begin"), query("savepoint a"), query(BAD), query("rollback to a"),
                           query("select 1"), query("commit")],
    "extended": [run(BAD) + SYNC, run("select 1") + SYNC],
    "extended, first of a pipeline": [run(BAD) + run("insert into held values (4)") + SYNC,
                                      query("select count(*) from held")],
    "extended, last of a pipeline": [run("insert into held values (5)") + run(BAD) + SYNC,
                                     query("select count(*) from held")],
    "extended, implicit transaction is rolled back": [run("insert into held values (6)") + run(BAD) +
                                                      run("insert into held values (7)") + SYNC,
                                                      query("select count(*) from held")],
    "extended, in a transaction": [run("begin") + run("insert into held values (8)") + run(BAD) + SYNC,
                                   run("select 1") + SYNC, run("rollback") + SYNC],
    "extended, behind a failure": [run("select 1/0") + run(BAD) + SYNC, run(BAD) + run("select 1/0") + SYNC],
    "extended, twice between two Syncs": [run(BAD) + run(BAD) + SYNC + run(BAD) + SYNC],
    "extended, named": [parse("one", "select 1") + parse("two", BAD) + SYNC,
                        bind("", "one") + execute() + SYNC, bind("", "two") + execute() + SYNC],
    "extended, then simple without Sync": [run("select 1") + query(BAD), query("select 1")],
    "extended refused, then simple, then Sync": [run(BAD) + query("select 1") + SYNC, query("select 2")],
    "flush": [run("select 1") + FLUSH + run(BAD) + FLUSH + SYNC],
    "the unnamed statement goes": [run("select 1") + SYNC, parse("", BAD) + SYNC, bind("", "") + execute() + SYNC],
    "SQL-level prepare": [query("prepare q as select 1"), query("execute q"), query("deallocate q"),
                          query("execute q")],
    "two queries at once": [query(BAD) + query("select 1") + query(BAD)],
}


def held(server):
    connection = psycopg2.connect(host=server, port=SERVER_PORT, user="app", dbname="postgres")
    connection.autocommit = True
    connection.cursor().execute("drop table if exists held; create table held (n int)")
    return connection


def syncs(data):
    """How many ReadyForQuery the messages ask for: one for each Sync and each Query, unless it is skipped."""
    count, open_extended = 0, False
    while data:
        kind, size = chr(data[0]), struct.unpack(">I", data[1:5])[0] + 1
        skipped = kind == "Q" and open_extended == "refused"
        count += kind == "S" or (kind == "Q" and not skipped)
        if kind == "P" and (BAD.encode() in data[:size] or b"certain to fail" in data[:size]):
            open_extended = "refused"
        elif kind == "S":
            open_extended = False
        data = data[size:]
    return count


def converse(client, conversation, bad):
    found = []
    for data in conversation:
        count = syncs(data)
        client.send(substitute(data, bad))
        found += shape(client.until_ready(count))
    return found


def substitute(data, bad):
    """The same messages with another bad statement, lengths corrected."""
    out = b""
    while data:
        size = struct.unpack(">I", data[1:5])[0] + 1
        out += message(chr(data[0]), data[5:size].replace(BAD.encode(), bad.encode()))
        data = data[size:]
    return out


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_refused_statement_fails_as_if_the_server_had_refused_it(server, gate, name):
    held(server)
    direct = Raw(server=server)
    expected = converse(direct, CONVERSATIONS[name], "certain to fail")
    before = psycopg2.connect(host=server, port=SERVER_PORT, user="app", dbname="postgres").cursor()
    before.execute("select n from held order by n")
    kept = before.fetchall()
    before.connection.close()
    direct.close()
    held(server)
    client = Raw()
    assert converse(client, CONVERSATIONS[name], BAD) == expected
    assert client.quiet()
    after = psycopg2.connect(host=server, port=SERVER_PORT, user="app", dbname="postgres").cursor()
    after.execute("select n from held order by n")
    assert after.fetchall() == kept
    after.connection.close()
    client.close()


def test_a_refusal_says_rule_code_number_and_what_next(server, gate):
    held(server)
    client = Raw()
    client.send(query(BAD))
    error = error_of(client.until_ready())
    assert error["C"] == "42501" and error["S"] == error["V"] == "ERROR"
    assert error["M"].startswith('denied by rule "no-drop": ')
    assert error["D"].startswith("code=denied rule=no-drop request=1")
    assert error["H"]
    assert BAD not in open(f"{server}/log").read().split("create table held")[-1]
    assert b"drop table held" in gate.recorded()


def test_users_and_databases_are_the_targets_own(gate):
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("select current_user, current_database()")
    assert cursor.fetchone() == ("app", "postgres")
    connection.close()


def test_settings_from_the_list_are_passed_on(gate):
    connection = connect(application_name="my tool", options="-c search_path=a,b -c statement_timeout=9s")
    cursor = connection.cursor()
    for name, value in (("application_name", "my tool"), ("search_path", "a,b"), ("statement_timeout", "9s")):
        cursor.execute(f"show {name}")
        assert cursor.fetchone() == (value,)
    connection.close()


@pytest.mark.parametrize("options, words", [
    ("-c work_mem=1GB", "work_mem"),
    ("-c standard_conforming_strings=off", "has to stay on"),
    ("-c client_encoding=SJIS", "client_encoding"),
    ("-W", "NAME=VALUE"),
])
def test_other_settings_are_refused_by_name(gate, options, words):
    with pytest.raises(psycopg2.OperationalError, match=words):
        connect(options=options)


def test_replication_is_refused(gate):
    assert "replication" in error_of(Raw(replication="true").greeting)["M"]


def test_a_newer_protocol_is_negotiated_down(gate):
    client = Raw(version=(3 << 16) + 2, **{"_pq_.test": "1"})
    kind, body = client.greeting[0]
    assert kind == "v" and struct.unpack(">II", body[:8]) == (3 << 16, 1) and body[8:] == b"_pq_.test\0"
    client.send(query("select 1"))
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]


@pytest.mark.parametrize("data, name", [
    (b"\x16\x03\x01\x02\x00\x01\x00", "TLS"), (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"), (b"GET / HTTP/1.1\r\n", "HTTP"),
    (b"\x05\x01\x00", "SOCKS"), (b"\x7f\xff\xff\xff\0\3\0\0", "claims"), (b"\0\0\0\7\0\3\0\0", "claims"),
    (struct.pack(">II", 9, 80877103) + b"x", "wrong length"),
])
def test_what_is_not_postgresql_is_closed_and_named_in_the_log(gate, data, name):
    client = socket.create_connection(("127.0.0.1", PORT))
    client.sendall(data)
    client.settimeout(5)
    try:
        assert client.recv(100) == b""
    except ConnectionResetError:
        pass
    assert gate.wait_for(name)


def test_encryption_is_declined_and_the_session_goes_on(gate):
    client = socket.create_connection(("127.0.0.1", PORT))
    for code in (80877103, 80877104):
        client.sendall(struct.pack(">II", 8, code))
        assert client.recv(1) == b"N"
    body = b"user\0x\0\0"
    client.sendall(struct.pack(">II", len(body) + 8, 3 << 16) + body)
    assert client.recv(1) == b"R"


def test_a_startup_packet_may_come_byte_by_byte(gate):
    client = socket.create_connection(("127.0.0.1", PORT))
    body = b"user\0x\0\0"
    for byte in struct.pack(">II", len(body) + 8, 3 << 16) + body:
        client.sendall(bytes([byte]))
        time.sleep(0.01)
    assert client.recv(1) == b"R"


def test_messages_may_come_byte_by_byte(server, gate):
    held(server)
    client = Raw()
    for byte in run("select 1") + SYNC + query(BAD):
        client.send(bytes([byte]))
    assert shape(client.until_ready(2)) == ["1", "2", "D", "CSELECT", "ZI", "E", "ZI"]


def test_the_fast_path_is_refused_and_the_session_goes_on(gate):
    client = Raw()
    client.send(message("F", struct.pack(">IHHHI", 1, 0, 0, 0, 0)))
    answer = client.until_ready()
    assert shape(answer) == ["E", "ZI"] and "fast path" in error_of(answer)["M"]
    client.send(query("select 1"))
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]


@pytest.mark.parametrize("data", [
    b"Q\0\0\0\3", b"Q\xff\xff\xff\xff", b"p\0\0\0\5x", b"y\0\0\0\4", message("Q", b"select 1\0more\0"),
    message("Q", b"select 1"), message("P", b"a\0b\0\0\7"), message("B", b"\0\0\0\1"), message("D", b"Xname\0"),
    message("S", b"x"), message("E", b"\0"), b"\0" * 64,
])
def test_a_broken_message_ends_the_session_with_an_error(gate, data):
    client = Raw()
    client.send(data)
    error = error_of(client.until_ready())
    assert error["S"] == "FATAL" and error["C"] == "08P01"
    client.close()
    assert gate.wait_for("protocol violation")


def test_invalid_utf8_is_refused_and_the_session_goes_on(gate):
    client = Raw()
    for data in (message("Q", b"select '\xff\xfe'\0"), message("P", b"\0select '\xc3'\0\0\0") + SYNC):
        client.send(data)
        answer = client.until_ready()
        assert shape(answer) == ["E", "ZI"] and "code=unparsable" in error_of(answer)["D"]
    client.send(query("select 'ü'"))
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]


def test_a_single_byte_encoding_takes_ascii_statements_only(gate):
    client = Raw(client_encoding="LATIN1")
    client.send(message("Q", "select 'ü'\0".encode("latin1")))
    assert "UTF8" in error_of(client.until_ready())["M"]
    client.send(query("select chr(252)"))
    answer = client.until_ready()
    assert dict(answer)["D"].endswith(b"\xfc")


@pytest.mark.parametrize("text", [
    "set standard_conforming_strings = off", "set client_encoding = 'SJIS'", "set names 'GBK'",
    "select set_config('standard_conforming_strings', 'off', false)",
    "select set_config('client_encoding', 'BIG5', false)", "set session client_encoding to latin1",
    "select 1; set local standard_conforming_strings to off",
])
def test_settings_that_would_change_how_bytes_are_read_are_refused(gate, text):
    client = Raw()
    client.send(query(text) + query("select '\\' || '; select 1; --'"))
    answer = client.until_ready(2)
    assert error_of(answer)["C"] == "42501"
    assert shape(answer)[-3:] == ["D", "CSELECT", "ZI"]


@pytest.mark.parametrize("text", ["set client_encoding to 'UTF8'", "set names 'utf-8'", "reset all",
                                  "show client_encoding", "set standard_conforming_strings = on", "discard all"])
def test_settings_that_leave_it_so_are_allowed(gate, text):
    client = Raw()
    client.send(query(text))
    assert not error_of(client.until_ready())


def test_a_setting_that_changed_behind_our_back_ends_the_session(server, gate):
    admin = held(server)
    admin.cursor().execute("create or replace function sneak() returns int language sql as "
                           "$$ select length(set_config('standard_conforming_strings', 'off', false)) $$")
    admin.cursor().execute("create or replace function sneak_trigger() returns trigger language plpgsql as "
                           "$$ begin perform sneak(); return new; end $$")
    admin.cursor().execute("create trigger t before insert on held for each row execute function sneak_trigger()")
    client = Raw()
    client.send(query("insert into held values (1)"))
    answer = client.until_ready()
    assert error_of(answer)["S"] == "FATAL" and "standard_conforming_strings" in error_of(answer)["M"]


def test_a_statement_that_nobody_prepared_here_does_not_run(gate):
    client = Raw()
    client.send(bind("", "stranger") + execute() + SYNC)
    answer = client.until_ready()
    assert shape(answer) == ["E", "ZI"] and error_of(answer)["C"] == "26000"


def test_a_hundred_thousand_prepared_statements_work(gate):
    client = Raw()
    count, step = 100_000, 500
    for start in range(0, count, step):
        client.send(b"".join(parse(f"statement {i}", f"select {i}") for i in range(start, start + step)) + SYNC)
        assert shape(client.until_ready()) == ["1"] * step + ["ZI"]
    for i in (0, 54_321, count - 1):
        client.send(bind("", f"statement {i}") + execute() + SYNC)
        assert dict(client.until_ready())["D"].endswith(str(i).encode())
    assert gate.rss_kib() < 400 * 1024


def test_a_gigabyte_of_statement_is_refused_in_constant_memory(gate):
    client = Raw()
    chunk, size = b"x" * (1 << 20), (1 << 30) - (1 << 20)
    answer = []
    reader = threading.Thread(target=lambda: answer.extend(client.until_ready()))
    reader.start()
    client.send(b"Q" + struct.pack(">I", size + 4))
    for _ in range(size // len(chunk)):
        client.send(chunk)
    reader.join(60)
    assert shape(answer) == ["E", "ZI"] and "code=limit" in error_of(answer)["D"]
    assert gate.rss_kib() < 200 * 1024
    client.send(query("select 1"))
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]


def test_a_gigabyte_of_rows_passes_in_constant_memory(gate):
    result = subprocess.Popen([f"{BIN}/psql", "-X", "-h", "127.0.0.1", "-p", str(PORT), "-U", "a", "-d", "b", "-Atc",
                               "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"],
                              stdout=subprocess.PIPE)
    total, most = 0, 0
    while data := result.stdout.read(1 << 20):
        total += len(data)
        most = max(most, gate.rss_kib())
    assert result.wait() == 0 and total == 1_001_000_000
    assert most < 60 * 1024


def test_one_value_of_many_megabytes_passes(gate):
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("select repeat('y', 80000000)")
    assert len(cursor.fetchone()[0]) == 80_000_000
    cursor.execute("select length(%s)", ("z" * 8_000_000,))
    assert cursor.fetchone() == (8_000_000,)
    connection.close()
    assert gate.rss_kib() < 200 * 1024


def test_bulk_copies_in_and_out(server, gate):
    held(server)
    line = b"1234567\n" * 131072
    client = subprocess.Popen([f"{BIN}/psql", "-X", "-h", "127.0.0.1", "-p", str(PORT), "-U", "a", "-d", "b", "-c",
                               "copy held from stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(BULK_MB):
        client.stdin.write(line)
    client.stdin.close()
    assert client.stdout.read() == f"COPY {131072 * BULK_MB}\n".encode()
    assert gate.rss_kib() < 60 * 1024
    assert psql("-Atc", "select count(*) from held").stdout == f"{131072 * BULK_MB}\n"


def test_both_sides_may_write_at_once(gate):
    client = Raw()
    count = 3000
    data = b"".join(query(f"select repeat('r', 20000), '{'q' * 2000}'") for _ in range(count))
    sender = threading.Thread(target=lambda: client.send(data))
    sender.start()
    rows = 0
    while rows < count:
        kind, _ = client.next()
        rows += kind == "D"
    sender.join(30)
    assert not sender.is_alive()


def test_a_client_that_does_not_read_stops_only_itself(gate):
    stuck = Raw()
    stuck.send(query("select repeat('s', 1000) from generate_series(1, 1000000)"))
    time.sleep(0.5)
    assert psql("-Atc", "select 1").stdout == "1\n"
    assert gate.rss_kib() < 60 * 1024
    stuck.close()


def test_listen_and_notify(gate):
    ears, mouth = connect(), connect()
    ears.autocommit = mouth.autocommit = True
    ears.cursor().execute("listen news")
    mouth.cursor().execute("notify news, 'hello'")
    assert select.select([ears], [], [], 5)[0]
    ears.poll()
    assert [n.payload for n in ears.notifies] == ["hello"]
    ears.close()
    mouth.close()


def test_notices_reach_the_client(server, gate):
    held(server)
    connection = connect()
    connection.cursor().execute("create table if not exists held (n int)")
    assert "already exists" in connection.notices[-1]
    connection.close()


def test_a_cancel_request_reaches_its_session(gate):
    connection = connect()
    threading.Timer(0.5, connection.cancel).start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        connection.cursor().execute("select pg_sleep(30)")
    connection.close()


def test_a_cancel_request_with_a_wrong_key_does_nothing(gate):
    client = Raw()
    pid, key = struct.unpack(">II", dict(client.greeting)["K"])
    client.send(query("select pg_sleep(1)"))
    with socket.create_connection(("127.0.0.1", PORT)) as other:
        other.sendall(struct.pack(">IIII", 16, 80877102, pid, key ^ 1))
        assert other.recv(10) == b""
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]


def test_the_servers_own_key_is_not_shown(server, gate):
    client = Raw()
    pid, key = struct.unpack(">II", dict(client.greeting)["K"])
    client.send(query("select pg_backend_pid()"))
    assert dict(client.until_ready())["D"].endswith(str(pid).encode())
    client.send(query("select pg_sleep(1)"))
    with socket.socket(socket.AF_UNIX) as direct:
        direct.connect(f"{server}/.s.PGSQL.{SERVER_PORT}")
        direct.sendall(struct.pack(">IIII", 16, 80877102, pid, key))
        direct.recv(1)
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]


def test_a_half_closed_client_gets_its_answer(gate):
    client = Raw()
    client.send(query("select 1"))
    client.socket.shutdown(socket.SHUT_WR)
    assert shape(client.until_ready()) == ["T", "D", "CSELECT", "ZI"]
    assert client.next() is None


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_client_may_close_in_the_middle_of_a_message(server, gate, cut):
    client = Raw()
    client.send(query("select 1")[:cut])
    client.close()
    assert gate.wait_for("ended: the client closed")


def test_terminate_ends_the_session(gate):
    client = Raw()
    client.send(TERMINATE)
    assert client.next() is None
    assert gate.wait_for("ended: the client closed")


def test_a_server_that_goes_away_is_said(server, gate):
    client = Raw()
    pid = struct.unpack(">II", dict(client.greeting)["K"])[0]
    admin = psycopg2.connect(host=server, port=SERVER_PORT, user="app", dbname="postgres")
    admin.cursor().execute("select pg_terminate_backend(%s)", (pid,))
    error = error_of(client.until_ready())
    assert error["S"] == "FATAL" and error["C"] == "57P01"
    admin.close()


def test_without_its_recording_nothing_runs(server, gate):
    admin = held(server)
    client = Raw()
    client.send(query("insert into held values (1)"))
    client.until_ready()
    gate.process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    client.send(query("insert into held values (2)"))
    error = error_of(client.until_ready())
    assert error["S"] == "FATAL" and "code=recording_unavailable" in error["D"]
    cursor = admin.cursor()
    cursor.execute("select n from held")
    assert cursor.fetchall() == [(1,)]


def test_requests_stand_in_the_recording_before_the_server_has_them(gate):
    client = Raw()
    client.send(query("select 'in the middle', pg_sleep(2)"))
    time.sleep(0.7)
    assert b"in the middle" in gate.recorded()
    client.until_ready()


def test_output_is_recorded_up_to_the_limit(server):
    gate = Gate(server, limit=1 << 20)
    client = Raw()
    client.send(query("select repeat('o', 1000) from generate_series(1, 5000)"))
    client.until_ready()
    client.send(query("select 'and then'"))
    client.until_ready()
    client.close()
    gate.process.terminate()
    gate.process.wait(10)
    recorded = gate.recorded()
    assert (1 << 20) < len(recorded) < (1 << 20) + 20000
    assert recorded.count(b"output_limit") == 2 and b"and then" in recorded
    assert gate.close() == 0


def test_asyncpg_works_and_sees_refusals(server, gate):
    held(server)

    async def run_all():
        connection = await asyncpg.connect(host="127.0.0.1", port=PORT, user="agent", database="whatever", ssl=False)
        assert await connection.fetchval("select $1::int + 1", 41) == 42
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no-drop"):
            await connection.execute(BAD)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no-drop"):
            await connection.fetch(BAD + " cascade")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute("insert into held values ($1)", 1)
                await connection.fetch(BAD)
        assert await connection.fetchval("select count(*) from held") == 0
        await connection.executemany("insert into held values ($1)", [(i,) for i in range(1000)])
        assert await connection.fetchval("select sum(n) from held") == 499500
        await connection.copy_records_to_table("held", records=[(i,) for i in range(1000)])
        assert await connection.fetchval("select count(*) from held") == 2000
        async with connection.transaction():
            rows = [r["n"] async for r in connection.cursor("select n from held", prefetch=50)]
        assert len(rows) == 2000
        await connection.close()

    asyncio.run(run_all())


def test_psycopg2_works(server, gate):
    held(server)
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("insert into held select generate_series(1, 100)")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="no-drop"):
        cursor.execute(BAD)
    connection.rollback()
    cursor.execute("select count(*) from held")
    assert cursor.fetchone() == (0,)
    named = connection.cursor("named")
    named.execute("select generate_series(1, 5000)")
    assert len(named.fetchall()) == 5000
    connection.close()


def test_psql_works(server, gate):
    held(server)
    result = psql("-At", stdin="select 1;\ndrop table held;\n\\d held\nselect 2 \\gdesc\nselect 3;\n")
    assert result.stdout.splitlines()[0] == "1" and result.stdout.splitlines()[-1] == "3"
    assert 'denied by rule "no-drop"' in result.stderr
    result = psql("-Atc", "\\copy (select generate_series(1, 3)) to stdout")
    assert result.stdout == "1\n2\n3\n"


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_works(server, gate, mode):
    if mode == "simple":
        subprocess.run([f"{BIN}/pgbench", "-h", server, "-p", str(SERVER_PORT), "-U", "app", "-i", "-q", "postgres"],
                       check=True, capture_output=True)
    for script in (["-S"], []):
        result = subprocess.run([f"{BIN}/pgbench", "-h", "127.0.0.1", "-p", str(PORT), "-U", "a", "-M", mode, "-c", "4",
                                 "-t", "200", "-n", *script, "b"], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0 and "processed: 800/800" in result.stdout, result.stderr


def test_pgbench_pipelines_work(gate, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text("\\startpipeline\n" + "select 1;\nselect 2;\n" * 20 + "\\endpipeline\n")
    result = subprocess.run([f"{BIN}/pgbench", "-h", "127.0.0.1", "-p", str(PORT), "-U", "a", "-M", "extended", "-c", "4",
                             "-t", "50", "-n", "-f", str(script), "b"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0 and "processed: 200/200" in result.stdout, result.stderr
