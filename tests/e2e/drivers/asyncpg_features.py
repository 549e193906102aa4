"""asyncpg: a protocol implementation of its own, extended protocol, binary throughout."""
import asyncio
import datetime
import decimal
import io

import asyncpg
import features
from features import BIG, CONNECT, NUMERIC, VALUES, expect


async def connect():
    return await asyncpg.connect(database="whatever", ssl=False, **CONNECT)


async def refused(kind, waited):
    try:
        await waited
    except kind as fault:
        return fault
    raise AssertionError(f"no {kind.__name__}")


async def prepared(link):
    plus = await link.prepare("select $1::int + 1")
    expect([await plus.fetchval(n) for n in range(50)] == list(range(1, 51)))
    expect([p.name for p in plus.get_parameters()] == ["int4"])
    for n in range(30):  # from the driver's cache of statements
        expect(await link.fetchval("select $1::text || 'ü'", str(n)) == f"{n}ü")
    await refused(asyncpg.DivisionByZeroError, link.fetchval("select 1 / $1::int", 0))
    expect(await plus.fetchval(1) == 2)


async def pipeline(link):
    change = link.transaction()
    await change.start()
    await link.executemany("insert into driver_rows (id, name) values ($1, $2)", [(n, f"ü{n}") for n in range(2000)])
    expect(await link.fetchval("select count(*) from driver_rows") == 2000)
    await change.rollback()
    await refused(asyncpg.UniqueViolationError, link.executemany("insert into driver_rows (id) values ($1)", [(1,), (2,), (1,)]))
    expect(await link.fetchval("select count(*) from driver_rows") == 0)


async def binary(link):
    expect(await link.fetchrow("select $1::bytea, $2::float8, $3::int8", bytes(range(256)), 0.1, -2 ** 63) == (bytes(range(256)), 0.1, -2 ** 63))


async def copy_out(link):
    out = io.BytesIO()
    await link.copy_from_query("select g, 'ü' from generate_series(1, $1::int) g", 5000, output=out)
    expect(out.getvalue().decode() == "".join(f"{n}\tü\n" for n in range(1, 5001)))


async def copy_in(link):
    change = link.transaction()
    await change.start()
    await link.copy_records_to_table("driver_rows", records=[(n, f"n{n}") for n in range(5000)], columns=["id", "name"])
    await link.copy_to_table("driver_rows", source=io.BytesIO(b"7000,csv\n"), columns=["id", "name"], format="csv")
    expect(await link.fetchval("select count(*) from driver_rows") == 5001)
    await change.rollback()
    await refused(asyncpg.BadCopyFileFormatError, link.copy_to_table("driver_rows", source=io.BytesIO(b"1\n"), columns=["id", "name"]))


async def cancel(link):
    await refused(asyncio.TimeoutError, link.fetchval("select pg_sleep(30)", timeout=0.4))
    expect(await link.fetchval("select 1") == 1)
    task = asyncio.ensure_future(link.fetchval("select pg_sleep(30)"))
    await asyncio.sleep(0.3)
    task.cancel()
    await refused(asyncio.CancelledError, task)
    expect(await link.fetchval("select 2") == 2)


async def notify(link):
    heard = asyncio.get_running_loop().create_future()
    await link.add_listener("driver_news", lambda *what: heard.set_result(what[1:]))
    other = await connect()
    await other.execute("notify driver_news, 'it rains'")
    expect(await asyncio.wait_for(heard, 10) == (other.get_server_pid(), "driver_news", "it rains"))
    await other.close()


async def cursor(link):
    async with link.transaction():
        expect([row[0] async for row in link.cursor("select generate_series(1, $1::int)", 3000, prefetch=100)] == list(range(1, 3001)))
        at = await link.cursor("select generate_series(1, 100)")
        expect(await at.forward(10) == 10 and await at.fetchrow() == (11,) and len(await at.fetch(5)) == 5)


async def large_object(link):
    number = await link.fetchval("select lo_from_bytea(0, $1)", b"\0large\xff")
    expect(await link.fetchval("select lo_get($1)", number) == b"\0large\xff")
    await refused(asyncpg.InsufficientPrivilegeError, link.fetchval("select lo_unlink($1)", number))
    expect(await link.fetchval("select 1") == 1)


async def transaction(link):
    change = link.transaction()
    await change.start()
    await link.execute("insert into driver_rows (id) values (1)")
    savepoint = link.transaction()
    await savepoint.start()
    fault = await refused(asyncpg.UniqueViolationError, link.execute("insert into driver_rows (id) values (1)"))
    expect(fault.constraint_name == "driver_rows_pkey")
    await refused(asyncpg.InFailedSQLTransactionError, link.execute("select 1"))
    await savepoint.rollback()
    expect(await link.fetchval("select count(*) from driver_rows") == 1)
    await change.rollback()
    expect(await link.fetchval("select count(*) from driver_rows") == 0)


async def values(link):
    row = await link.fetchrow(VALUES)
    expect(row["ints"] == [1, 2, None] and row["texts"] == ["a", 'ü,"'] and row["doc"] == '{"k": [1, "ü", null]}')
    expect(row["n"] == decimal.Decimal(NUMERIC) and row["day"] == datetime.date(2026, 2, 28) and row["raw"] == b"\0\xff\x10")
    expect(row["at"] == datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc))
    back = await link.fetchrow("select $1::int[], $2::text[], $3::jsonb, $4::numeric, $5::timestamptz, $6::date, $7::bytea, $8::bool, $9::float8, "
                               "$10::bigint, $11::text", *row.values())
    expect(tuple(back.values()) == tuple(row.values()), f"{back} is not {row}")
    mood = await link.fetchrow("select $1::driver_mood as m, row('happy', 3)::driver_pair as p, array[row('sad', 4)::driver_pair] as l", "sad")
    expect(mood["m"] == "sad" and mood["p"]["n"] == 3 and mood["l"][0]["m"] == "sad")  # types that it looks up first


async def big_cell(link):
    expect(await link.fetchval("select repeat('0123456789abcdef', $1)", BIG // 16) == "0123456789abcdef" * (BIG // 16))
    expect(await link.fetchval("select $1::bytea", bytes(BIG)) == bytes(BIG))


async def wide(link):
    expect(tuple((await link.fetchrow("select * from driver_wide")).values()) == tuple(range(1600)))


async def refusal(link):
    fault = await refused(asyncpg.InsufficientPrivilegeError, link.execute("drop table driver_rows"))
    expect(fault.sqlstate == "42501" and "no-drop" in fault.message and "code=denied" in fault.detail)
    await refused(asyncpg.InsufficientPrivilegeError, link.prepare("drop table driver_rows"))
    async with link.transaction():
        expect(await link.fetchval("select $1::int", 1) == 1)


def run(feature):
    async def go():
        link = await connect()
        try:
            await asyncio.wait_for(feature(link), 60)
        finally:
            await asyncio.wait_for(link.close(), 10)
    return lambda: asyncio.run(go())


features.main({f.__name__: run(f) for f in (prepared, pipeline, binary, copy_out, copy_in, cancel, notify, cursor, large_object, transaction,
                                            values, big_cell, wide, refusal)})
