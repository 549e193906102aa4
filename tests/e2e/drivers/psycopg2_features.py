"""psycopg2: libpq, simple protocol."""
import datetime
import decimal
import io
import select
import threading

import features
import psycopg2
import psycopg2.errors
import psycopg2.extras
from features import BIG, CONNECT, NUMERIC, VALUES, expect


def connect():
    return psycopg2.connect(dbname="whatever", sslmode="disable", **CONNECT)


def prepared():
    with connect() as link, link.cursor() as cursor:
        cursor.execute("prepare plus (int) as select $1 + 1")
        for n in range(20):
            cursor.execute("execute plus (%s)", [n])
            expect(cursor.fetchone() == (n + 1,))
        cursor.execute("deallocate plus")


def pipeline():
    with connect() as link, link.cursor() as cursor:
        psycopg2.extras.execute_batch(cursor, "insert into driver_rows (id, name) values (%s, %s)", [(n, f"ü{n}") for n in range(500)])
        psycopg2.extras.execute_values(cursor, "insert into driver_rows (id, name) values %s", [(n, "v") for n in range(500, 900)])
        cursor.execute("select count(*) from driver_rows")
        expect(cursor.fetchone() == (900,))
        link.rollback()


def binary():
    with connect() as link, link.cursor() as cursor:
        out = io.BytesIO()
        cursor.copy_expert("copy (select 1::int, '\\x00ff'::bytea) to stdout (format binary)", out)
        expect(out.getvalue() == b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\2\0\0\0\4\0\0\0\1\0\0\0\2\0\xff\xff\xff")
        cursor.execute("select %s::bytea", [psycopg2.Binary(bytes(range(256)))])
        expect(bytes(cursor.fetchone()[0]) == bytes(range(256)))


def copy_out():
    with connect() as link, link.cursor() as cursor:
        out = io.StringIO()
        cursor.copy_expert("copy (select g, 'ü' from generate_series(1, 5000) g) to stdout", out)
        expect(out.getvalue() == "".join(f"{n}\tü\n" for n in range(1, 5001)))


def copy_in():
    with connect() as link, link.cursor() as cursor:
        cursor.copy_expert("copy driver_rows (id, name) from stdin", io.StringIO("".join(f"{n}\tn{n}\n" for n in range(5000))))
        cursor.execute("select count(*), max(name) from driver_rows")
        expect(cursor.fetchone() == (5000, "n999"))
        link.rollback()
        try:
            cursor.copy_expert("copy driver_rows (id, name) from stdin", io.StringIO("no number\tx\n"))
            raise AssertionError("a bad row was taken")
        except psycopg2.errors.InvalidTextRepresentation:
            link.rollback()


def cancel():
    with connect() as link, link.cursor() as cursor:
        timer = threading.Timer(0.3, link.cancel)
        timer.start()
        try:
            cursor.execute("select pg_sleep(30)")
            raise AssertionError("it was not cancelled")
        except psycopg2.errors.QueryCanceled:
            link.rollback()
        timer.join()
        cursor.execute("select 1")
        expect(cursor.fetchone() == (1,))


def notify():
    one, other = connect(), connect()
    one.autocommit = other.autocommit = True
    one.cursor().execute("listen driver_news")
    other.cursor().execute("notify driver_news, 'it rains'")
    expect(select.select([one], [], [], 10)[0], "the notification")
    one.poll()
    note = one.notifies.pop()
    expect((note.channel, note.payload, note.pid) == ("driver_news", "it rains", other.info.backend_pid))


def cursor():
    with connect() as link, link.cursor("by_name", scrollable=True) as cursor_:
        cursor_.itersize = 100
        cursor_.execute("select generate_series(1, 3000)")
        expect([row[0] for row in cursor_] == list(range(1, 3001)))
        cursor_.scroll(10, mode="absolute")
        expect(cursor_.fetchone() == (11,))


def large_object():
    with connect() as link, link.cursor() as cursor_:
        cursor_.execute("select lo_from_bytea(0, %s)", [psycopg2.Binary(b"\0large\xff")])
        number = cursor_.fetchone()[0]
        cursor_.execute("select lo_get(%s)", [number])
        expect(bytes(cursor_.fetchone()[0]) == b"\0large\xff")
        try:
            cursor_.execute("select lo_unlink(%s)", [number])
            raise AssertionError("lo_unlink is not among what the rules allow")
        except psycopg2.errors.InsufficientPrivilege:
            link.rollback()
        try:
            link.lobject()  # by function call messages
            raise AssertionError("a function call by number went through")
        except psycopg2.Error as refusal:
            expect("SELECT" in str(refusal).upper(), str(refusal))
            link.rollback()
        cursor_.execute("select 1")
        expect(cursor_.fetchone() == (1,))


def transaction():
    with connect() as link, link.cursor() as cursor_:
        cursor_.execute("insert into driver_rows (id) values (1)")
        cursor_.execute("savepoint s")
        try:
            cursor_.execute("insert into driver_rows (id) values (1)")
            raise AssertionError("a duplicate")
        except psycopg2.errors.UniqueViolation as fault:
            expect(fault.diag.constraint_name == "driver_rows_pkey" and fault.diag.table_name == "driver_rows")
        try:
            cursor_.execute("select 1")
            raise AssertionError("the transaction has failed")
        except psycopg2.errors.InFailedSqlTransaction:
            cursor_.execute("rollback to s")
        cursor_.execute("select count(*) from driver_rows")
        expect(cursor_.fetchone() == (1,))
        link.rollback()
        cursor_.execute("select count(*) from driver_rows")
        expect(cursor_.fetchone() == (0,))


def values():
    with connect() as link, link.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor_:
        cursor_.execute(VALUES)
        row = cursor_.fetchone()
        expect(row["ints"] == [1, 2, None] and row["texts"] == ["a", 'ü,"'] and row["doc"] == {"k": [1, "ü", None]})
        expect(row["n"] == decimal.Decimal(NUMERIC) and row["day"] == datetime.date(2026, 2, 28))
        expect(row["at"] == datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc) and bytes(row["raw"]) == b"\0\xff\x10")
        cursor_.execute("select %(ints)s as ints, %(texts)s as texts, %(n)s as n, %(at)s as at, %(day)s as day, %(raw)s as raw", row)
        back = cursor_.fetchone()
        expect({**back, "raw": bytes(back["raw"])} == {**{name: row[name] for name in back}, "raw": b"\0\xff\x10"})


def big_cell():
    with connect() as link, link.cursor() as cursor_:
        cursor_.execute("select repeat('0123456789abcdef', %s)", [BIG // 16])
        expect(cursor_.fetchone()[0] == "0123456789abcdef" * (BIG // 16))
        cursor_.execute("select length(%s)", ["ü" * (BIG // 4)])
        expect(cursor_.fetchone() == (BIG // 4,))


def wide():
    with connect() as link, link.cursor() as cursor_:
        cursor_.execute("select * from driver_wide")
        expect(cursor_.fetchone() == tuple(range(1600)) and cursor_.description[1599].name == "c1599")


def refusal():
    with connect() as link, link.cursor() as cursor_:
        try:
            cursor_.execute("drop table driver_rows")
            raise AssertionError("the table is gone")
        except psycopg2.errors.InsufficientPrivilege as fault:
            expect(fault.pgcode == "42501" and "no-drop" in fault.diag.message_primary and "code=denied" in fault.diag.message_detail)
        link.rollback()
        cursor_.execute("select 1")
        expect(cursor_.fetchone() == (1,))


features.main({f.__name__: f for f in (prepared, pipeline, binary, copy_out, copy_in, cancel, notify, cursor, large_object, transaction,
                                       values, big_cell, wide, refusal)})
