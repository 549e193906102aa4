"""psycopg 3: libpq, extended protocol, pipelines."""
import datetime
import decimal
import threading

import features
import psycopg
from features import BIG, CONNECT, NUMERIC, VALUES, expect
from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb


def connect(**keywords):
    return psycopg.connect(dbname="whatever", sslmode="disable", **CONNECT, **keywords)


def one(link, sql, *values, **keywords):
    return link.execute(sql, values, **keywords).fetchone()


def refused(link, kind, sql, *values):
    try:
        link.execute(sql, values)
    except kind as fault:
        return fault
    raise AssertionError(f"{sql}: no {kind.__name__}")


def prepared():
    with connect() as link:
        for n in range(20):
            expect(one(link, "select %s::int + 1", n, prepare=True) == (n + 1,))
        link.rollback()
        for n in range(20):
            expect(one(link, "select %s::text || '!'", f"ü{n}", prepare=True) == (f"ü{n}!",))
        refused(link, errors.DivisionByZero, "select 1 / %s::int", 0)
        link.rollback()
        expect(one(link, "select %s::int + 1", 7, prepare=True) == (8,))


def pipeline():
    with connect() as link:
        with link.pipeline() as line:
            cursors = [link.execute("select %s::int, %s::text", (n, "x" * n)) for n in range(200)]
            line.sync()
            expect([c.fetchone() for c in cursors] == [(n, "x" * n) for n in range(200)])
        with link.cursor() as cursor_:
            cursor_.executemany("insert into driver_rows (id, name) values (%s, %s) returning id", [(n, "x") for n in range(300)], returning=True)
        expect(one(link, "select count(*) from driver_rows") == (300,))
        link.rollback()
        try:
            with link.pipeline():
                link.execute("insert into driver_rows (id) values (1)")
                link.execute("select 1 / 0")
                link.execute("select 1")
            raise AssertionError("no error")
        except (errors.DivisionByZero, psycopg.OperationalError):  # the latter is PipelineAborted
            link.rollback()
        expect(one(link, "select count(*) from driver_rows") == (0,))


def binary():
    with connect() as link, link.cursor(binary=True) as cursor_:
        cursor_.execute("select %b::int4, %b::bytea, %b::float8", (7, bytes(range(256)), 0.1))
        expect(cursor_.fetchone() == (7, bytes(range(256)), 0.1))
        expect(cursor_.pgresult.fformat(0) == 1)


def copy_out():
    with connect() as link, link.cursor() as cursor_:
        with cursor_.copy("copy (select g, 'ü' from generate_series(1, %s) g) to stdout", [5000]) as copy:
            expect(b"".join(copy).decode() == "".join(f"{n}\tü\n" for n in range(1, 5001)))
        with cursor_.copy("copy (select g, 'x' from generate_series(1, 50) g) to stdout (format binary)") as copy:
            copy.set_types(["int4", "text"])
            expect(list(copy.rows()) == [(n, "x") for n in range(1, 51)])


def copy_in():
    with connect() as link, link.cursor() as cursor_:
        with cursor_.copy("copy driver_rows (id, name) from stdin") as copy:
            for n in range(5000):
                copy.write_row((n, f"n{n}"))
        with cursor_.copy("copy driver_rows (id, name) from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            for n in range(5000, 5100):
                copy.write_row((n, None))
        expect(one(link, "select count(*), max(name) from driver_rows") == (5100, "n999"))
        link.rollback()
        try:
            with cursor_.copy("copy driver_rows (id) from stdin") as copy:
                copy.write("1\n")
                raise KeyError("of the client's own")  # the driver sends CopyFail
        except (KeyError, errors.QueryCanceled) as fault:
            expect("of the client's own" in str(fault))
        link.rollback()
        expect(one(link, "select count(*) from driver_rows") == (0,))


def cancel():
    with connect() as link:
        timer = threading.Timer(0.3, link.cancel)
        timer.start()
        refused(link, errors.QueryCanceled, "select pg_sleep(30)")
        timer.join()
        link.rollback()
        expect(one(link, "select 1") == (1,))


def notify():
    with connect(autocommit=True) as listener, connect(autocommit=True) as speaker:
        listener.execute("listen driver_news")
        speaker.execute("notify driver_news, 'it rains'")
        note = next(listener.notifies())
        expect((note.channel, note.payload, note.pid) == ("driver_news", "it rains", speaker.info.backend_pid))


def cursor():
    with connect() as link, link.cursor("by_name", scrollable=True) as cursor_:
        cursor_.itersize = 100
        cursor_.execute("select generate_series(1, %s)", [3000])
        expect([row[0] for row in cursor_] == list(range(1, 3001)))
        cursor_.scroll(10, mode="absolute")
        expect(cursor_.fetchone() == (11,))


def large_object():
    with connect() as link:
        number, = one(link, "select lo_from_bytea(0, %s)", b"\0large\xff")
        expect(one(link, "select lo_get(%s)", number) == (b"\0large\xff",))
        refused(link, errors.InsufficientPrivilege, "select lo_unlink(%s)", number)
        link.rollback()
        expect(one(link, "select 1") == (1,))


def transaction():
    with connect() as link:
        link.execute("insert into driver_rows (id) values (1)")
        try:
            with link.transaction():  # a savepoint
                link.execute("insert into driver_rows (id) values (1)")
            raise AssertionError("a duplicate")
        except errors.UniqueViolation as fault:
            expect(fault.diag.constraint_name == "driver_rows_pkey")
        expect(one(link, "select count(*) from driver_rows") == (1,))
        refused(link, errors.UndefinedColumn, "select nothing_like_it")
        refused(link, errors.InFailedSqlTransaction, "select 1")
        link.rollback()
        expect(one(link, "select count(*) from driver_rows") == (0,))


def values():
    with connect(row_factory=dict_row) as link:
        row = link.execute(VALUES).fetchone()
        expect(row["ints"] == [1, 2, None] and row["texts"] == ["a", 'ü,"'] and row["doc"] == {"k": [1, "ü", None]})
        expect(row["n"] == decimal.Decimal(NUMERIC) and row["day"] == datetime.date(2026, 2, 28) and row["raw"] == b"\0\xff\x10")
        expect(row["at"] == datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc))
        back = link.execute("select %s::int[] as ints, %s::text[] as texts, %s as doc, %s as n, %s as at, %s as day, %s as raw, %s as yes, %s as f, "
                            "%s::bigint as big, %s::text as nothing",
                            [Jsonb(value) if name == "doc" else value for name, value in row.items()]).fetchone()
        expect(back == row, f"{back} is not {row}")


def big_cell():
    with connect() as link:
        expect(one(link, "select repeat('0123456789abcdef', %s)", BIG // 16)[0] == "0123456789abcdef" * (BIG // 16))
        expect(one(link, "select length(%s::text)", "ü" * (BIG // 2)) == (BIG // 2,))
        expect(one(link, "select %b::bytea", bytes(BIG)) == (bytes(BIG),))


def wide():
    with connect() as link:
        expect(one(link, "select * from driver_wide") == tuple(range(1600)))
        with link.cursor(binary=True) as cursor_:
            expect(cursor_.execute("select * from driver_wide").fetchone() == tuple(range(1600)))


def refusal():
    with connect() as link:
        fault = refused(link, errors.InsufficientPrivilege, "drop table driver_rows")
        expect(fault.sqlstate == "42501" and "no-drop" in fault.diag.message_primary and "code=denied" in fault.diag.message_detail)
        link.rollback()
        expect(one(link, "select 1") == (1,))
        with link.pipeline():
            first = link.execute("select 5")
            try:
                link.execute("delete from driver_rows")
                first.fetchone()
                raise AssertionError("an unbounded delete went through")
            except (errors.InsufficientPrivilege, psycopg.OperationalError):
                pass
        link.rollback()
        expect(one(link, "select 2") == (2,))


features.main({f.__name__: f for f in (prepared, pipeline, binary, copy_out, copy_in, cancel, notify, cursor, large_object, transaction,
                                       values, big_cell, wide, refusal)})
